//! Three monitors on hosts of their own that observe together: what only one of them can see, one
//! that is cut off, one that is stopped, one that is killed.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::group::pace;
use crate::lab::net::{Net, address};
use crate::process::{PATIENCE, Process};

const MONITORS: usize = 3;

/// The host with the target that all can see.
const FAR: usize = 3;

#[test]
fn three_monitors_observe_together() {
    if let Err(reason) = Net::new(1) {
        println!("skipped: {reason}");
        return;
    }
    let mut stage = Stage::start();
    let far = format!("http://{}:9000/heartbeat", address(FAR));
    stage.watch("far", &far);
    // Everybody looks at itself, and only the second one has something to see.
    stage.watch("near", "http://127.0.0.1:9000/heartbeat");
    stage.until_said("far is up: ");
    stage.until_said("near is down: down for 2 of 3; reachable from m2");

    let before = stage.verdicts();
    stage.net.cut_off(2);
    stage.until_one_says(2, "this observer is isolated");
    let isolated = stage.target(2, "far");
    assert_eq!(isolated["verdict"], "observer_isolated", "{isolated}");
    stage.wait_for_owner("far", &["m1", "m2"]);
    stage.net.heal();
    stage.until_one_says(2, "this observer is isolated no longer");
    assert_eq!(
        stage.verdicts(),
        before,
        "one that was cut off tells nothing"
    );

    stage.monitors[0].signal("STOP");
    stage.until_counted(1, "auscult_observers{state=\"live\"} 2");
    // Another one finds verdicts meanwhile, if it did so before.
    stage.wait_for_owner_at(1, "far", &["m2", "m3"]);
    stage.monitors[0].signal("CONT");
    stage.until_counted(0, "auscult_observers{state=\"live\"} 3");
    stage.until_counted(1, "auscult_observers{state=\"live\"} 3");
    assert_eq!(
        stage.verdicts(),
        before,
        "one that was stopped tells nothing"
    );

    let owner = stage.owner("far");
    let left: Vec<usize> = (0..MONITORS).filter(|&it| it != owner).collect();
    let names: Vec<String> = left.iter().map(|it| format!("m{}", it + 1)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    stage.monitors[owner].signal("KILL");
    let killed = Instant::now();
    stage.left = left;
    stage.wait_for_owner("far", &names);
    let taken_over = killed.elapsed();
    println!("taken over {taken_over:?} after kill -9");
    assert!(taken_over < Duration::from_secs(8), "{taken_over:?}");
    stage.far.signal("KILL");
    stage.until_said("far is down: down for 2 of 2");
    for texts in stage.verdicts() {
        let down = texts.iter().filter(|it| it.starts_with("far is down"));
        assert_eq!(down.count(), 1, "once in each log: {texts:?}");
    }
}

struct Stage {
    net: Net,
    monitors: Vec<Process>,
    far: Process,
    _near: Process,
    /// The monitors that are asked.
    left: Vec<usize>,
    _folders: Vec<tempfile::TempDir>,
}

impl Stage {
    fn start() -> Self {
        let net = Net::new(MONITORS + 1).unwrap();
        let binary = env!("CARGO_BIN_EXE_auscult");
        let pulser = |host: usize, addr: &str| {
            let mut command = net.command(host, binary);
            command.args(["pulser", "--first-port", "9000", "--bind", addr]);
            let mut pulser = Process::spawn(&mut command);
            pulser.line("9000");
            pulser
        };
        let far = pulser(FAR, &address(FAR));
        let near = pulser(1, "127.0.0.1");
        let folders: Vec<_> = (0..MONITORS)
            .map(|_| tempfile::tempdir().unwrap())
            .collect();
        let mut monitors = Vec::new();
        for (host, folder) in folders.iter().enumerate() {
            let mut command = net.command(host, binary);
            command.args(["serve", "--name", &format!("m{}", host + 1)]);
            command.args(["--raft-bind", &format!("{}:7000", address(host))]);
            command.args(["--http-bind", "127.0.0.1:8000"]);
            command.arg("--data-dir").arg(folder.path());
            match host {
                0 => command.arg("--bootstrap"),
                _ => command.args(["--join", &format!("{}:7000", address(0))]),
            };
            let mut monitor = Process::spawn(&mut command);
            monitor.line("127.0.0.1:8000");
            monitors.push(monitor);
        }
        let stage = Self {
            net,
            monitors,
            far,
            _near: near,
            left: (0..MONITORS).collect(),
            _folders: folders,
        };
        for host in 0..MONITORS {
            stage.until_counted(host, "auscult_observers{state=\"live\"} 3");
        }
        stage
    }

    /// Runs curl on the host of a monitor.
    fn curl(&self, host: usize, args: &[&str], path: &str) -> String {
        let mut command: Command = self.net.command(host, "curl");
        let url = format!("http://127.0.0.1:8000{path}");
        let output = command.args(["-s", "-m", "5"]).args(args).arg(url).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    fn watch(&self, id: &str, url: &str) {
        let body = serde_json::json!({ "signals": [{
            "name": "http", "url": url, "interval": "500ms", "timeout": "400ms" }] });
        let body = body.to_string();
        let put = [
            "-X",
            "PUT",
            "-H",
            "Content-Type: application/json",
            "-d",
            &body,
        ];
        for &host in &self.left {
            let path = format!("/v1/targets/{id}");
            self.until("it is watched", || {
                let answer = self.curl(host, &put, &path);
                answer.contains("\"settings\"")
            });
        }
    }

    fn target(&self, host: usize, id: &str) -> Value {
        let text = self.curl(host, &[], &format!("/v1/targets/{id}"));
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The verdicts in the logs of those that are left, as sentences.
    fn verdicts(&self) -> Vec<Vec<String>> {
        let logs = self.left.iter().map(|&host| {
            let text = self.curl(host, &[], "/v1/events?since=0&limit=1000");
            let page: Value = serde_json::from_str(&text).unwrap_or_default();
            let events = page["events"].as_array().cloned().unwrap_or_default();
            let verdicts = events.iter().filter(|event| event["kind"] == "verdict");
            let text = |event: &Value| event["text"].as_str().unwrap_or_default().to_owned();
            verdicts.map(text).collect()
        });
        logs.collect()
    }

    fn owner(&self, id: &str) -> usize {
        let owner = self.target(self.left[0], id)["owner"].clone();
        let names = (0..MONITORS).map(|host| format!("m{}", host + 1));
        let mut names = names.enumerate();
        let found = names.find(|(_, name)| owner == name.as_str());
        found
            .unwrap_or_else(|| panic!("nobody owns {id}: {owner}"))
            .0
    }

    /// Waits until the first of those that are left says that one of these owns the target.
    fn wait_for_owner(&self, id: &str, names: &[&str]) {
        self.wait_for_owner_at(self.left[0], id, names);
    }

    fn wait_for_owner_at(&self, host: usize, id: &str, names: &[&str]) {
        self.until("it is taken over", || {
            let owner = self.target(host, id)["owner"].clone();
            names.iter().any(|name| owner == *name)
        });
    }

    /// Waits until all that are left have a verdict that begins so.
    fn until_said(&self, text: &str) {
        self.until(text, || {
            let said = |texts: &Vec<String>| texts.iter().any(|it| it.starts_with(text));
            self.verdicts().iter().all(said)
        });
    }

    fn until_one_says(&self, host: usize, text: &str) {
        self.until(text, || {
            let events = self.curl(host, &[], "/v1/events?since=0&limit=1000");
            events.contains(text)
        });
    }

    fn until_counted(&self, host: usize, line: &str) {
        self.until(line, || self.curl(host, &[], "/metrics").contains(line));
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        pace::holds(what, || {
            let late = begun.elapsed() > PATIENCE * 2;
            assert!(!late, "never: {what}; {:#?}", self.verdicts());
            holds()
        });
    }
}
