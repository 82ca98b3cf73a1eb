//! The past over a real process: what a kill leaves of it, how it is shown, recorded and replayed.

use std::fs;
use std::net::UdpSocket;
use std::time::Instant;

use serde_json::{Value, json};

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
    assert!(
        text.contains("job, the last 24h: ") && text.contains("| up  ~ late  X down"),
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

/// Whoever mistypes is told what is wrong, and where a file cannot be written, that.
#[test]
fn what_is_wrong_is_said_with_an_exit_code_of_its_own() {
    let monitor = Monitor::new();
    let file = monitor.settings(SETTINGS);
    let server = monitor.start(&["--config", file.to_str().unwrap()]);
    let url = format!("http://{}", server.http);
    let out = monitor.path("t.auscult").display().to_string();
    let empty = monitor.path("empty").display().to_string();
    fs::write(&empty, "").unwrap();
    let record = format!("record --targets job --out {out}");
    for (words, code, part) in [
        (
            "history job --window banana",
            2,
            "--window: `banana` is no duration",
        ),
        ("history job --window 0s", 2, "longer than 0"),
        (
            "history job --slo 100",
            2,
            "--slo 100: it is above 0 and below 100",
        ),
        ("history job --slo NaN", 2, "above 0"),
        ("history job --resolution 1y", 2, "10s, 5m, 1h"),
        ("history nobody", 1, "no target named"),
        (
            "history job --plot /nonexistent/x.svg",
            5,
            "cannot be written: no such file",
        ),
        ("history job --plot /dev/full", 5, "no space left"),
        ("history export job --window banana --to x", 2, "--window"),
        ("history export nobody --to x", 1, "no target named"),
        ("history export job --to /dev/full", 5, "no space left"),
        ("record --targets nobody --out x", 1, "no target named"),
        (
            "record --targets job --out /nonexistent/x --for 1s",
            5,
            "no such file",
        ),
        (
            "record --targets job --out /dev/full --for 100ms",
            5,
            "no space left",
        ),
        (&format!("{record} --for banana"), 2, "--for banana"),
        ("replay /nonexistent", 1, "cannot be read: no such file"),
        (&format!("replay {empty}"), 1, "it is no recording"),
        ("replay /dev/zero", 1, "no recording"),
    ] {
        let mut words: Vec<&str> = words.split(' ').collect();
        if words[0] != "replay" {
            words.extend(["--url", &url]);
        }
        let output = run(&words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(part), "{words:?}: {said}");
    }
    end(server, "TERM");
}

/// The monitor goes while it is recorded: what there is is told, and can be judged.
#[test]
fn a_recording_ends_with_its_monitor() {
    let monitor = Monitor::new();
    let file = monitor.settings(SETTINGS);
    let server = monitor.start(&["--config", file.to_str().unwrap()]);
    let url = format!("http://{}", server.http);
    let out = monitor.path("t.auscult");
    let path = out.display().to_string();
    let words = ["record", "--url", &url, "--targets", "job", "--out", &path];
    let recorder = auscult(words).stderr(std::process::Stdio::piped()).spawn();
    let mut recorder = recorder.unwrap();
    let until = Instant::now() + PATIENCE;
    let written = || fs::read_to_string(&out).unwrap_or_default().lines().count();
    while written() < 3 {
        beat(&server, written() as u64);
        assert!(Instant::now() < until, "nothing is recorded");
    }
    end(server, "KILL");
    assert_eq!(recorder.wait().unwrap().code(), Some(3));
    let replay = run(["replay", &path, "--output", "json"]);
    assert!(replay.status.success(), "{}", stderr(&replay));
    let found = json(&stdout(&replay));
    assert_eq!(found["ending"], "whole", "{found}");
    assert!(found["arrivals"].as_u64() > Some(1), "{found}");
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

/// A recording that begins in the middle of a life: the replay's detectors know what the monitor's
/// knew, so it comes to the same verdicts at the same moments.
#[test]
fn a_replay_decides_what_the_monitor_decided_when_it_did() {
    for detector in [
        "{kind: phi, min_std_deviation: 5ms}",
        "{kind: phi, min_std_deviation: 5ms, window: 20}",
        "{kind: bertier}",
        "{kind: deadline, timeout: 150ms}",
    ] {
        let settings = format!(
            "targets:\n  - id: job\n    push: {{interval: 30ms}}\n    detector: {detector}\n"
        );
        let monitor = Monitor::new();
        let file = monitor.settings(&settings);
        let server = monitor.start(&["--config", file.to_str().unwrap()]);
        let url = format!("http://{}", server.http);
        let out = monitor.path("trace.auscult").display().to_string();
        let words = ["record", "--url", &url, "--targets", "job", "--out", &out];
        // What it learns before is in nothing but what the recording remembers.
        beats(&server, 1, 40);
        let mut recorder = auscult(words.into_iter().chain(["--for", "3s"]));
        let mut recorder = recorder.spawn().unwrap();
        let mut n = 100;
        let status = loop {
            beats(&server, n, 12);
            n += 100;
            if let Some(status) = recorder.try_wait().unwrap() {
                break status;
            }
        };
        assert!(status.success());
        let trace = Recording::read(&out);
        let replay = run(["replay", &out, "--output", "json"]);
        assert!(replay.status.success(), "{}", stderr(&replay));
        let found = json(&stdout(&replay));
        let recalled = (&found["recalled"], &found["signals"]);
        assert_eq!(recalled, (&1.into(), &1.into()));
        let replayed = trace.replayed(&found);
        // What happened is on the disk a second later.
        let until = Instant::now() + PATIENCE;
        let decided = loop {
            let decided = trace.decided(&past(&server).unwrap_or_default());
            if decided.len() >= replayed.len() {
                break decided;
            }
            assert!(
                Instant::now() < until,
                "{detector}: {replayed:?} {decided:?}"
            );
        };
        let names = |list: &[(String, i128)]| -> Vec<String> {
            list.iter().map(|(to, _)| to.clone()).collect()
        };
        assert_eq!(names(&decided), names(&replayed), "{detector}");
        assert!(decided.len() >= 3, "{detector}: {decided:?}");
        for ((to, at), (_, again)) in decided.iter().zip(&replayed) {
            // The API tells milliseconds.
            assert!(
                at.abs_diff(*again) < 3_000_000,
                "{detector}: {to} {at} {again}"
            );
        }
        end(server, "TERM");
    }
}

/// What of a recording says when it was made.
struct Recording {
    /// The wall clock's nanoseconds at the origin of the monitor's clock.
    origin: i128,
    /// On the monitor's clock.
    begin: i128,
    end: i128,
}

/// What a target became, and when by the wall clock.
type Passage = (String, i128);

impl Recording {
    fn read(path: &str) -> Self {
        let trace = fs::read_to_string(path).unwrap();
        let head = json(trace.lines().next().unwrap());
        let last = json(trace.lines().last().unwrap());
        let number = |value: &Value| i128::from(value.as_u64().unwrap());
        let at: jiff::Timestamp = head["recorded_at"].as_str().unwrap().parse().unwrap();
        Self {
            origin: at.as_nanosecond() - number(&head["begin_ns"]),
            begin: number(&head["targets"][0]["now_ns"]),
            end: number(&last["end_ns"]),
        }
    }

    /// What the monitor decided while it was made.
    fn decided(&self, past: &Value) -> Vec<Passage> {
        let list = past["transitions"].as_array().cloned().unwrap_or_default();
        let passages = list.iter().map(|it| {
            let at: jiff::Timestamp = it["at"].as_str().unwrap().parse().unwrap();
            (it["to"].as_str().unwrap().to_owned(), at.as_nanosecond())
        });
        passages.filter(|&(_, at)| self.is_within(at)).collect()
    }

    /// What the replay decided.
    fn replayed(&self, found: &Value) -> Vec<Passage> {
        let list = found["transitions"].as_array().unwrap().iter();
        let passages = list.map(|it| {
            let after = it["after_seconds"].as_f64().unwrap() * 1e9;
            let at = self.origin + self.begin + after as i128;
            // As the API tells it, so that both stand at the same side of a border.
            let at = at - at.rem_euclid(1_000_000);
            (it["to"].as_str().unwrap().to_owned(), at)
        });
        passages.filter(|&(_, at)| self.is_within(at)).collect()
    }

    /// Well within: the API tells milliseconds.
    fn is_within(&self, at: i128) -> bool {
        let since = at - self.origin;
        since > self.begin + 5_000_000 && since < self.end - 5_000_000
    }
}

/// A recording of an earlier version, or of another detector, is judged anew and says so.
#[test]
fn a_recording_that_remembers_nothing_is_replayed_with_a_warning() {
    let monitor = Monitor::new();
    let path = monitor.path("old.auscult");
    let spec = json!({ "id": "job", "push": { "interval": "1s" } });
    let learnt = json!({ "signal": "heartbeat", "last_arrival_ns": 5, "waits": "next",
        "due_ns": null, "streak": 0, "outages": 0, "learnt": [5, 0, 0, 0, 77, 78] });
    for remembered in [json!([]), json!([learnt])] {
        let head = json!({ "auscult_trace": 1, "begin_ns": 10, "targets": [
            { "spec": spec, "now_ns": 10, "remembered": remembered }] });
        let heard = json!({ "at_ns": 20, "target": "job", "signal": "heartbeat" });
        fs::write(&path, format!("{head}\n{heard}\n{{\"end_ns\":99}}\n")).unwrap();
        let replay = run(["replay", path.to_str().unwrap()]);
        assert!(replay.status.success(), "{}", stderr(&replay));
        let text = stdout(&replay);
        assert!(text.contains("1 of 1 detectors began empty"), "{text}");
    }
}

/// Heartbeats at about their interval, and then a silence until the verdict.
fn beats(server: &Server, from: u64, count: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in from..from + count {
        // A request and its answer take a while, and no two of them the same.
        let began = Instant::now();
        while began.elapsed() < std::time::Duration::from_millis(25 + n % 9) {
            get(&server.http, "/-/healthy");
        }
        socket
            .send_to(format!("job seq={n}\n").as_bytes(), &server.udp)
            .unwrap();
    }
    let until = Instant::now() + PATIENCE;
    while json(&get(&server.http, "/v1/targets/job").body)["status"] != "down" {
        assert!(Instant::now() < until, "it should be down by now");
    }
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
