//! `auscult metric` and `auscult health`: metrics of peers from a shell.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{Process, run, stderr, stdout};
use crate::serve::{Monitor, Server};

const SETTINGS: &str = "
peer_metrics: {peers: [node-1, node-2], metrics: [{name: ping, grace: 1h}]}
receivers: [{name: journal, type: log}]
";

/// A monitor of two peers, and a way to ask it with words separated by spaces.
struct Session {
    _monitor: Monitor,
    _server: Server,
    url: String,
}

impl Session {
    fn start() -> Self {
        Self::start_with(SETTINGS)
    }

    fn start_with(settings: &str) -> Self {
        let monitor = Monitor::new();
        let file = monitor.settings(settings).display().to_string();
        let server = monitor.start(&["-c", &file]);
        Self {
            _monitor: monitor,
            url: format!("http://{}", server.http),
            _server: server,
        }
    }

    fn ask(&self, words: &str) -> Output {
        let words = words.split(' ').chain(["--url", &self.url]);
        run(words.map(str::to_owned))
    }

    fn says(&self, words: &str) -> String {
        let output = self.ask(words);
        let ended = (stderr(&output), output.status.code());
        assert_eq!(ended, (String::new(), Some(0)), "{words}");
        stdout(&output)
    }
}

#[test]
fn a_metric_is_published_and_read() {
    let session = Session::start();
    let says = |words: &str| session.says(words);
    let log = "metric log freespace";
    assert_eq!(
        says(&format!("{log} -12.5 --ttl 1h --peer node-1 --weight -2")),
        ""
    );
    assert_eq!(
        says(&format!("{log} 0 --invalid --ttl 1h --peer node-2")),
        ""
    );
    let table = says("health metrics");
    let row = table
        .lines()
        .find(|line| line.starts_with("freespace"))
        .unwrap();
    let fields: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(fields, ["freespace", "ttl", "2", "1", "0"]);
    let table = says("health metrics freespace --history");
    assert!(
        table.contains("node-1") && table.contains("-12.5"),
        "{table}"
    );
    let json: Value = serde_json::from_str(&says("health metrics freespace -o json")).unwrap();
    assert_eq!(json["metrics"][0]["value"], "-12.5");
    assert_eq!(json["metrics"][0]["weight"], -2);
}

#[test]
fn a_metric_that_fails_is_told_of_until_it_is_forgotten() {
    let session = Session::start();
    let says = |words: &str| session.says(words);
    says("metric log ping ok --ttl 100ms --peer node-2");
    let deadline = Instant::now() + Duration::from_secs(20);
    let alert = loop {
        let alerts = says("health alerts");
        if !alerts.is_empty() {
            break alerts;
        }
        assert!(Instant::now() < deadline, "it should have failed by now");
    };
    assert!(alert.starts_with("node-2: ping. Expired at: ") && alert.contains(". Triggered at: "));
    let table = says("health metrics ping");
    assert!(table.contains("expired for"), "{table}");
    let alerts = says("alerts list --subject node-2");
    assert!(
        alerts.contains("firing") && alerts.contains("node-2 ping"),
        "{alerts}"
    );
    says("metric forget ping --peer node-2");
    assert!(!says("health metrics ping").contains("expired"));
}

#[test]
fn what_is_wrong_is_said_with_an_exit_code_of_its_own() {
    let session = Session::start();
    for (words, code, part) in [
        (
            "metric log ping ok --ttl 1h --peer nobody",
            1,
            "there is no such peer",
        ),
        (
            "metric log ping ok --ttl 1ms --peer node-1",
            4,
            "time to live",
        ),
        (
            "metric log ping ok --ttl never --peer node-1",
            2,
            "not a time",
        ),
        ("metric log ping ok --peer node-1", 2, "--ttl"),
        ("health metrics nothing", 1, "there is no metric"),
        ("metric forget --peer nobody", 1, "nothing of that kind"),
        (
            "metric log ping ok --ttl 1h --agent 127.0.0.1:1",
            3,
            "cannot publish through",
        ),
    ] {
        let output = session.ask(words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{words}: {said}");
        assert!(said.contains(part), "{words}: {said}");
    }
}

/// What peers said outlives the monitor: good values stay good until their time is over, and one
/// that is not heard of again fails although nothing was expected of it.
#[test]
fn what_peers_reported_last_is_known_after_a_restart() {
    for signal in ["TERM", "KILL"] {
        let monitor = Monitor::new();
        let file = monitor.settings(
            "
peer_metrics: {peers: [node-1, node-2], metrics: [{name: ping, grace: 1h}]}
receivers: [{name: journal, type: log}]
",
        );
        let file = file.display().to_string();
        let server = monitor.start(&["-c", &file]);
        let log = |words: &str| {
            let url = format!("http://{}", server.http);
            let words = ["metric", "log"].into_iter().chain(words.split(' '));
            let said = run(words.chain(["--url", &url]));
            assert!(said.status.success(), "{}", stderr(&said));
        };
        log("free 1 --ttl 1h --peer node-1");
        log("free 2 --ttl 1h --peer node-1 --weight 7");
        log("load 3 --ttl 20s --peer node-2");
        log("gone 4 --ttl 100ms --peer node-2");
        let kept = std::fs::metadata(monitor.path("data/peer_metrics.redb"));
        assert!(kept.unwrap().len() > 0);
        if signal == "KILL" {
            // What is written every few seconds is what a kill leaves.
            let of_node = |text: String| text.contains("node-1");
            let deadline = Instant::now() + Duration::from_secs(30);
            let bytes = || std::fs::read(monitor.path("data/peer_metrics.redb")).unwrap();
            while !of_node(String::from_utf8_lossy(&bytes()).into_owned()) {
                assert!(Instant::now() < deadline, "it is never written");
            }
        }
        server.process.signal(signal);
        server.process.end();

        let server = monitor.start(&["-c", &file]);
        let url = format!("http://{}", server.http);
        let ask = |words: &str| {
            let words = words.split(' ').chain(["-o", "json", "--url", &url]);
            let said = run(words);
            serde_json::from_str::<Value>(&stdout(&said)).unwrap_or_default()
        };
        let free = ask("health metrics free --history");
        assert_eq!(free["metrics"][0]["value"], "2", "{signal}: {free}");
        assert_eq!(free["metrics"][0]["weight"], 7);
        assert_eq!(free["metrics"][0]["history"][1]["value"], "1", "{free}");
        let deadline = Instant::now() + Duration::from_secs(60);
        let shown = |answer: &Value| answer["metrics"].as_array().map(Vec::len);
        while shown(&ask("health metrics gone")) != Some(0) {
            assert!(Instant::now() < deadline, "{signal}: shown after its time");
        }
        // Nobody publishes it, so it fails, as if it had been heard of at the start.
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let alerts = ask("alerts list --subject node-2");
            let all = alerts["alerts"].as_array().cloned().unwrap_or_default();
            let fires = |name: &str| {
                let mut of_name = all.iter().filter(|alert| alert["signal"] == name);
                of_name.any(|alert| alert["phase"] == "firing")
            };
            if fires("load") && fires("gone") {
                break;
            }
            assert!(Instant::now() < deadline, "{signal}: {alerts}");
        }
    }
}

/// A program beside a member speaks over gRPC to that, the member to its group, and the monitor of
/// the group keeps it; when the member dies, its metric fails.
#[test]
fn a_program_publishes_through_the_member_beside_it() {
    let mut member = Process::start([
        "agent",
        "--name",
        "web-1",
        "--bind",
        "127.0.0.1:0",
        "--detector-bind",
        "127.0.0.1:0",
        "--profile",
        "local",
    ]);
    let up = member.line("member web-1 is up at ");
    let address = up.rsplit(' ').next().unwrap();
    let session = Session::start_with(&format!(
        "membership: {{name: watcher, bind: \"127.0.0.1:0\", profile: local, join: \"{address}\"}}
receivers: [{{name: journal, type: log}}]\n"
    ));
    let deadline = Instant::now() + Duration::from_secs(30);
    let until = |words: &str, holds: &dyn Fn(&Value) -> bool| loop {
        let output = session.ask(&format!("{words} -o json"));
        let json = serde_json::from_str(&stdout(&output)).unwrap_or_default();
        if holds(&json) {
            return json;
        }
        assert!(Instant::now() < deadline, "{words}: {json}");
    };
    let known = until("members get web-1", &|json| {
        json["metadata"]["swim.detector"].is_string()
    });
    let door = known["metadata"]["swim.detector"].as_str().unwrap();
    session.says(&format!("metric log free 93412 --ttl 5s --agent {door}"));
    let page = until("health metrics free", &|json| {
        json["metrics"][0].is_object()
    });
    let metric = &page["metrics"][0];
    assert_eq!(
        (&metric["peer"], &metric["value"]),
        (&"web-1".into(), &"93412".into())
    );
    let foreign = session.ask(&format!(
        "metric log free 1 --ttl 5s --peer db-1 --agent {door}"
    ));
    assert_eq!(foreign.status.code(), Some(4), "{}", stderr(&foreign));
    member.signal("KILL");
    until("alerts list --subject web-1", &|json| {
        let all = json["alerts"].as_array().into_iter().flatten();
        let mut of_peer = all.filter(|alert| alert["kind"] == "peer");
        of_peer.any(|alert| alert["signal"] == "free" && alert["phase"] == "firing")
    });
}
