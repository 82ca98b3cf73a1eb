//! The past over a real process: what a kill leaves of it, how it is shown, recorded and replayed.

use std::fs;
use std::net::UdpSocket;
use std::time::Instant;

use serde_json::Value;

use crate::http::get;
use crate::process::{PATIENCE, auscult, run, stderr, stdout};
use crate::serve::{Monitor, Server};

const SETTINGS: &str = "\
targets:
  - id: job
    push: {interval: 50ms}
    detector: {kind: deadline, timeout: 100ms}
    grace: 200ms
";

#[test]
fn a_kill_while_it_writes_leaves_a_past_that_is_whole() {
    let monitor = Monitor::new();
    let file = monitor.settings(SETTINGS);
    let file = file.to_str().unwrap();
    let mut known = 0;
    for round in 0..4 {
        let server = monitor.start(&["--config", file]);
        // The target is heard and falls silent again and again, so something is always written.
        let until = Instant::now() + PATIENCE;
        let mut rounds = 0;
        loop {
            beat(&server, round * 1_000 + rounds);
            rounds += 1;
            let past = past(&server);
            if past.is_some_and(|past| count(&past) >= known + 6) {
                break;
            }
            assert!(Instant::now() < until, "nothing is written");
        }
        // Killed without a word, some of the time in the middle of a write.
        let before = past(&server).map_or(0, |past| count(&past));
        end(server, "KILL");
        known = before;
    }
    let server = monitor.start(&["--config", file]);
    let until = Instant::now() + PATIENCE;
    let past = loop {
        match past(&server) {
            Some(past) => break past,
            None => assert!(Instant::now() < until, "it is never open"),
        }
    };
    assert!(
        count(&past) >= known,
        "what was read once is there after a kill"
    );
    for change in past["transitions"].as_array().unwrap() {
        assert!(
            change["text"]
                .as_str()
                .is_some_and(|text| text.starts_with("job is "))
        );
        assert!(change["evidence"]["signal"] == "heartbeat" || change["kind"] == "removed");
    }
    assert!(!monitor.path("data/history.redb.damaged").exists());
    let health = json(&get(&server.http, "/v1/monitor").body);
    assert_eq!(health["history"]["state"], "writing", "{health}");
    assert_eq!(health["history"]["lost"], 0);
    end(server, "TERM");
}

#[test]
fn the_past_is_shown_drawn_and_exported() {
    let monitor = Monitor::new();
    let file = monitor.settings(SETTINGS);
    let server = monitor.start(&["--config", file.to_str().unwrap()]);
    let until = Instant::now() + PATIENCE;
    while past(&server).is_none_or(|past| count(&past) < 3) {
        beat(&server, 1);
        assert!(Instant::now() < until, "nothing is written");
    }
    let url = format!("http://{}", server.http);
    let svg = monitor.path("job.svg").display().to_string();
    let shown = run(["history", "job", "--url", &url, "--plot", &svg]);
    let text = stdout(&shown);
    assert!(shown.status.success(), "{}", stderr(&shown));
    assert!(
        text.contains("availability") && text.contains("job is "),
        "{text}"
    );
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg"));
    let data = run(["history", "job", "--url", &url, "--output", "json"]);
    assert!(count(&json(&stdout(&data))) >= 3);
    let csv = run(["history", "job", "--url", &url, "--output", "csv"]);
    assert!(stdout(&csv).starts_with("at,resolution,availability"));
    let body = monitor.path("history.snappy").display().to_string();
    let export = run(["history", "export", "job", "--url", &url, "--to", &body]);
    assert!(export.status.success(), "{}", stderr(&export));
    assert!(stdout(&export).starts_with("exported "));
    let none = run(["history", "nobody", "--url", &url]);
    assert_eq!(none.status.code(), Some(1), "{}", stderr(&none));
    end(server, "TERM");
}

#[test]
fn what_was_recorded_is_judged_again_as_it_was() {
    let monitor = Monitor::new();
    let file = monitor.settings(SETTINGS);
    let server = monitor.start(&["--config", file.to_str().unwrap()]);
    let url = format!("http://{}", server.http);
    let out = monitor.path("trace.auscult").display().to_string();
    let mut recorder = auscult([
        "record",
        "--url",
        &url,
        "--targets",
        "job",
        "--out",
        &out,
        "--for",
        "3s",
    ])
    .spawn()
    .unwrap();
    let mut n = 0;
    let status = loop {
        if let Some(status) = recorder.try_wait().unwrap() {
            break status;
        }
        beat(&server, n);
        n += 1;
    };
    assert!(status.success());
    let replay = run(["replay", &out, "--output", "json"]);
    assert!(replay.status.success(), "{}", stderr(&replay));
    let found = json(&stdout(&replay));
    assert!(found["arrivals"].as_u64() > Some(10), "{found}");
    let downs = found["downs"]["job"].as_u64().unwrap();
    assert!(downs >= 2, "{found}");
    // With a threshold beyond every silence it never goes down again.
    let patient = run([
        "replay", &out, "--late", "500", "--down", "1000", "--output", "json",
    ]);
    let found = json(&stdout(&patient));
    assert_eq!(found["downs"]["job"], 0, "{found}");
    let wrong = run(["replay", file.to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(1));
    end(server, "TERM");
}

/// Some heartbeats, and a silence that is too long.
fn beat(server: &Server, round: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..4 {
        let text = format!("job seq={}\n", round * 10 + n + 1);
        socket.send_to(text.as_bytes(), &server.udp).unwrap();
    }
    // Waits for the verdict, which is what is to be written.
    let until = Instant::now() + PATIENCE;
    while json(&get(&server.http, "/v1/targets/job").body)["status"] != "down" {
        assert!(Instant::now() < until, "it should be down by now");
    }
}

fn end(server: Server, signal: &str) {
    server.process.signal(signal);
    server.process.end();
}

fn past(server: &Server) -> Option<Value> {
    let answer = get(&server.http, "/v1/targets/job/history?limit=10000&since=1h");
    (answer.status == 200).then(|| json(&answer.body))
}

fn count(past: &Value) -> usize {
    past["transitions"].as_array().map_or(0, Vec::len)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}
