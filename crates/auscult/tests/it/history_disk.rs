//! The disk under the history, and under what peers published, is full or slow: detection goes on,
//! what is not kept is told, and is kept again by itself.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::group::disk::{in_memory, may_mount};
use crate::http::{addr_in, get, post};
use crate::process::{PATIENCE, Process, auscult};
use crate::serve::Monitor;

const SETTINGS: &str = "\
targets:
  - id: job
    push: {interval: 50ms}
    detector: {kind: deadline, timeout: 200ms}
    grace: 1h
peer_metrics: {create: true}
receivers: [{name: journal, type: log}]
";

/// How much longer the history waits for its disk each time.
const SLOW: Duration = Duration::from_secs(4);

struct Bench {
    monitor: Monitor,
    process: Process,
    http: String,
    udp: String,
}

impl Bench {
    /// A server that `command` makes of its arguments.
    fn start(command: impl Fn(Vec<String>) -> Command) -> Self {
        let monitor = Monitor::new();
        let file = monitor.settings(SETTINGS).display().to_string();
        let args = monitor.args(&["-c", &file]);
        let mut process = Process::spawn(&mut command(args));
        let line = process.line("http://");
        let (http, udp) = line.rsplit_once(", ").unwrap();
        Self {
            http: addr_in(http),
            udp: udp.rsplit(' ').next().unwrap().to_owned(),
            monitor,
            process,
        }
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&get(&self.http, path).body).unwrap_or_default()
    }

    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let health = self.json("/v1/monitor");
            if holds(&health["history"]) {
                return health;
            }
            assert!(Instant::now() < deadline, "{what}: {health}");
        }
    }

    /// A file beside the data that takes all the room there is.
    fn filler(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.process.pid()));
        let data = self.monitor.path("data");
        root.join(data.strip_prefix("/").unwrap()).join("filler")
    }

    /// One outage: it is heard, falls silent and is found down. How long it was silent then.
    fn outage(&self, number: u64) -> Duration {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let heartbeat = format!("job seq={number}\n");
        socket.send_to(heartbeat.as_bytes(), &self.udp).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let target = self.json("/v1/targets/job");
            if target["status"] == "down" && target["signals"][0]["arrivals"] == number {
                break;
            }
            assert!(Instant::now() < deadline, "it should be down: {target}");
        }
        let events = self.json("/v1/events?limit=1000");
        let list = events["events"].as_array().unwrap();
        let mut downs = list.iter().rev().filter(|event| event["to"] == "down");
        let down = downs.next().unwrap();
        let moment = |at: &Value| -> jiff::Timestamp { at.as_str().unwrap().parse().unwrap() };
        let silence = moment(&down["at"]).duration_since(moment(&down["evidence"]["last_arrival"]));
        silence.unsigned_abs()
    }

    /// Transitions to down that the history has.
    fn kept(&self) -> usize {
        let past = self.json("/v1/targets/job/history?since=1h&limit=10000&part=transitions");
        let list = past["transitions"].as_array().cloned().unwrap_or_default();
        list.iter().filter(|it| it["to"] == "down").count()
    }

    fn until_kept(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.kept() < count {
            assert!(Instant::now() < deadline, "{} of {count}", self.kept());
        }
    }
}

#[test]
fn a_full_disk_stops_the_history_alone_and_it_goes_on_when_there_is_room() {
    if let Err(reason) = may_mount() {
        println!("skipped: {reason}");
        return;
    }
    let bench = Bench::start(in_memory);
    bench.outage(1);
    bench.until_kept(1);
    let filler = bench.filler();
    let mut file = File::create(&filler).unwrap();
    let mut number = 2;
    let page = [0; 4_096];
    // What is written needs room sooner or later.
    let deadline = Instant::now() + PATIENCE;
    let health = loop {
        while file.write_all(&page).is_ok() {}
        let silence = bench.outage(number);
        assert!(silence < Duration::from_secs(5), "{silence:?}");
        number += 1;
        let health = bench.json("/v1/monitor");
        if health["history"]["state"] == "failing" {
            break health;
        }
        assert!(Instant::now() < deadline, "it never needs room: {health}");
    };
    let problem = health["history"]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("room"), "{health}");
    let metrics = get(&bench.http, "/metrics").body;
    assert!(metrics.contains("auscult_history_state{state=\"failing\"} 1"));
    assert_eq!(get(&bench.http, "/-/healthy").status, 200);
    for _ in 0..3 {
        bench.outage(number);
        number += 1;
    }
    drop(file);
    fs::remove_file(filler).unwrap();
    let health = bench.until("it is written again", |it| it["state"] == "writing");
    assert_eq!(health["history"]["lost"], 0, "what waited fits into memory");
    let downs = usize::try_from(number - 1).unwrap();
    bench.until_kept(downs);
    assert_eq!(bench.kept(), downs, "each once");
    bench.process.signal("TERM");
    assert!(bench.process.end().0.success());
}

#[test]
fn a_full_disk_stops_the_keeping_of_readings_alone_and_it_goes_on_when_there_is_room() {
    if let Err(reason) = may_mount() {
        println!("skipped: {reason}");
        return;
    }
    let bench = Bench::start(in_memory);
    let state = || bench.json("/v1/monitor")["peer_metrics"].clone();
    assert_eq!(state()["state"], "writing");
    let filler = bench.filler();
    let mut file = File::create(&filler).unwrap();
    let page = [0; 4_096];
    let long = "x".repeat(4_000);
    let publish = |metric: &str, ttl: &str| {
        let reading = serde_json::json!({
            "name": metric, "peer": "a", "value": long, "ttl": ttl,
        });
        let answer = post(&bench.http, "/v1/metrics-log", &reading.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    // What is written needs room sooner or later; however much is published, their windows keep
    // 4 MB of it, which the disk has room for later.
    let deadline = Instant::now() + PATIENCE;
    for number in (0..40).cycle() {
        while file.write_all(&page).is_ok() {}
        publish(&format!("metric-{number}"), "1h");
        if state()["state"] == "failing" {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "it never needs room: {}",
            state()
        );
    }
    let problem = state()["problem"].to_string();
    assert!(problem.contains("room"), "{problem}");
    let metrics = get(&bench.http, "/metrics").body;
    assert!(metrics.contains("auscult_peer_readings_state{state=\"failing\"} 1"));
    assert!(!metrics.contains("auscult_peer_readings_failures_total 0"));

    // What a peer does not repeat fails all the same.
    let deadline = Instant::now() + PATIENCE;
    publish("brief", "200ms");
    let brief = || bench.json("/v1/metrics-log/brief")["failing"][0].clone();
    while brief()["cause"] != "expired" {
        assert!(
            Instant::now() < deadline,
            "it should have failed: {}",
            brief()
        );
    }
    drop(file);
    fs::remove_file(filler).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while state()["state"] != "writing" {
        assert!(
            Instant::now() < deadline,
            "it is never written again: {}",
            state()
        );
    }
    assert_eq!(state()["problem"], Value::Null);
}

#[test]
fn a_slow_disk_holds_up_no_verdict_and_is_told() {
    let monitor = Monitor::new();
    let library = monitor.path("slow_disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/slow_disk.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([library.as_os_str(), source.as_ref()])
        .arg("-ldl")
        .output();
    match built {
        Ok(built) if built.status.success() => {}
        Ok(built) => panic!("{}", String::from_utf8_lossy(&built.stderr)),
        Err(error) => return println!("skipped: no C compiler here ({error})"),
    }
    let bench = Bench::start(|args| {
        let mut command = auscult(args);
        command.env("LD_PRELOAD", &library);
        command.env("SLOW_DISK_SECONDS", SLOW.as_secs().to_string());
        command
    });
    let mut longest = Duration::ZERO;
    let began = Instant::now();
    let mut number = 0;
    // Over several of its waits.
    while began.elapsed() < SLOW * 4 {
        number += 1;
        longest = longest.max(bench.outage(number));
    }
    assert!(number > 8, "outages go on while it waits: {number}");
    assert!(
        longest < Duration::from_secs(2),
        "found as soon: {longest:?}"
    );
    let health = bench.until("it says that it is slow", |it| it["state"] == "slow");
    let problem = health["history"]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("slow"), "{health}");
    assert_eq!(health["history"]["lost"], 0);
    bench.until_kept(usize::try_from(number).unwrap());
    bench.process.signal("TERM");
    let (status, _, log) = bench.process.end();
    assert!(status.success(), "{log}");
}
