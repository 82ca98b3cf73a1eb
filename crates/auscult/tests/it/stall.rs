//! A monitor that was stopped, as a suspended machine or a debugger does it: it could not listen,
//! so it convicts nobody, and it loses no heartbeat that the kernel kept for it.

use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::http::{addr_in, get};
use crate::process::{PATIENCE, Process};
use crate::serve::Monitor;

/// A silence of some 0.6 s is `down` with these settings.
const SETTINGS: &str = "defaults:
  detector: {min_std_deviation: 50ms}
targets:
  - {id: a, push: {interval: 100ms}}
  - {id: b, push: {interval: 100ms}}
";

/// The senders' interval.
const INTERVAL: Duration = Duration::from_millis(100);

/// Rounds of heartbeats while the monitor is stopped: ten seconds.
const ROUNDS: usize = 100;

#[test]
fn a_stopped_monitor_convicts_nobody_and_loses_nothing() {
    let monitor = Monitor::new();
    let file = monitor.settings(SETTINGS).display().to_string();
    let mut process = Process::start(monitor.args(&["-c", &file]));
    let line = process.line("http://");
    let http = addr_in(&line);
    let (_, udp) = line.rsplit_once("UDP at ").unwrap();
    let sender = Sender::start(udp.trim());
    until(|| ["a", "b"].iter().all(|id| status(&http, id) == "up"));

    process.signal("STOP");
    sender.wait_rounds(ROUNDS);
    process.signal("CONT");
    // Long enough for a wrong verdict to fall, and for a right one to be taken back.
    sender.wait_rounds(20);

    let events = events(&http);
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["kind"].as_str())
        .collect();
    assert!(kinds.contains(&"stalled"), "{kinds:?}");
    let fallen = |event: &&Value| matches!(event["to"].as_str(), Some("late" | "down" | "unknown"));
    assert_eq!(events.iter().find(fallen), None);
    let sent = sender.end();
    until(|| heard(&http) == sent);
    // And it still listens: now that nothing comes any more, they are down.
    until(|| ["a", "b"].iter().all(|id| status(&http, id) == "down"));
}

fn until(holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(
            std::time::Instant::now() < deadline,
            "it should have happened by now"
        );
        thread::yield_now();
    }
}

fn json(http: &str, path: &str) -> Value {
    let answer = get(http, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn status(http: &str, id: &str) -> String {
    json(http, &format!("/v1/targets/{id}"))["status"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn events(http: &str) -> Vec<Value> {
    json(http, "/v1/events")["events"]
        .as_array()
        .unwrap()
        .clone()
}

/// Heartbeats that were taken.
fn heard(http: &str) -> u64 {
    let metrics = get(http, "/metrics").body;
    let mut lines = metrics.lines();
    let count = lines.find_map(|line| line.strip_prefix("auscult_arrivals_total "));
    count.unwrap().parse().unwrap()
}

/// Sends heartbeats of both targets until it is told to end.
struct Sender {
    /// One item for each round sent.
    rounds: Receiver<()>,
    /// Dropped to end it.
    end: SyncSender<()>,
    thread: JoinHandle<u64>,
}

impl Sender {
    fn start(to: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        let (round, rounds) = channel();
        let (end, told) = sync_channel(0);
        let thread = thread::spawn(move || {
            let mut sent = 0;
            while told.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                for id in ["a", "b"] {
                    sent += 1;
                    let text = format!("{id} seq={sent}\n");
                    socket.send(text.as_bytes()).unwrap();
                }
                round.send(()).unwrap();
            }
            sent
        });
        Self {
            rounds,
            end,
            thread,
        }
    }

    /// Waits until so many more rounds were sent.
    fn wait_rounds(&self, more: usize) {
        let before = self.rounds.try_iter().count();
        for round in 0..more {
            let sent = self.rounds.recv_timeout(PATIENCE);
            assert_eq!(sent, Ok(()), "round {round} after {before}");
        }
    }

    /// Ends it, and says how many heartbeats it sent.
    fn end(self) -> u64 {
        drop(self.end);
        self.thread.join().unwrap()
    }
}
