//! A metric of a peer that comes to one of three monitors, and the one that tells of it is killed
//! while it does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::pace::{holds, until};
use super::{Group, PATIENCE};
use crate::http::ask_within;
use crate::process::auscult;

const PEER: &str = "node-1";

/// A webhook that reads and does not answer, until it shall.
#[derive(Clone, Default)]
struct Sink {
    answers: Arc<AtomicBool>,
    /// What it did not answer.
    tried: Arc<Mutex<Vec<Value>>>,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Sink {
    fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let sink = Self::default();
        let heard = sink.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = heard.clone();
                thread::spawn(move || heard.serve(stream));
            }
        });
        (sink, address)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let message: Value = serde_json::from_slice(&body).ok()?;
        let alerts = message["alerts"].as_array()?.clone();
        if !self.answers.load(Ordering::Relaxed) {
            self.tried.lock().ok()?.extend(alerts);
            // Until the other side is gone or gives up.
            let _ended = reader.read(&mut [0]);
            return None;
        }
        self.told.lock().ok()?.extend(alerts);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .ok()
    }
}

/// The texts of one field.
fn texts(alerts: &Mutex<Vec<Value>>, field: &str) -> Vec<String> {
    let alerts = alerts.lock().unwrap();
    let texts = alerts.iter().map(|alert| alert[field].as_str().unwrap());
    texts.map(str::to_owned).collect()
}

fn publish(group: &Group, which: usize, ttl: &str) {
    let body = format!(r#"{{"name": "ping", "peer": "{PEER}", "value": 1, "ttl": "{ttl}"}}"#);
    until("it is taken", || {
        let http = &group.members[which].http;
        let answer = ask_within(PATIENCE, http, "POST /v1/metrics-log", "", &body).ok()?;
        (answer.status == 200).then_some(())
    });
}

/// What a monitor says of the alert of the peer.
fn alert(group: &Group, which: usize) -> Option<Value> {
    let answer = group.members[which].get(&format!("/v1/alerts?subject={PEER}"));
    let page: Value = serde_json::from_str(&answer.ok()?.body).ok()?;
    page["alerts"].as_array()?.first().cloned()
}

#[test]
fn when_the_one_that_tells_of_a_peer_is_killed_another_one_tells_under_the_same_key() {
    let (sink, address) = Sink::start();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.yml");
    let text = format!(
        "peer_metrics: {{peers: [{PEER}], metrics: [{{name: ping, grace: 1h}}]}}
receivers:
- {{name: hook, type: webhook, url: \"http://{address}/\", group_wait: 0s, group_interval: 0s, 
   timeout: 60s}}
"
    );
    std::fs::write(&settings, text).unwrap();
    let mut group = Group::start(0);
    for _ in 0..3 {
        group.add(|mut args| {
            args.extend(["-c".to_owned(), settings.display().to_string()]);
            auscult(args)
        });
    }

    publish(&group, 1, "30s");
    for which in 0..3 {
        holds("the reading is everywhere", || {
            let answer = group.members[which].get("/v1/metrics-log/ping");
            answer.is_ok_and(|answer| answer.body.contains("received_at"))
        });
    }
    // It comes to the second one alone, and nothing more comes.
    publish(&group, 1, "1s");
    holds("somebody is being told", || {
        !texts(&sink.tried, "key").is_empty()
    });
    for which in 0..3 {
        holds("all know of it", || {
            alert(&group, which).is_some_and(|alert| alert["phase"] == "firing")
        });
    }
    let told_here = |which: &usize| alert(&group, *which).is_some_and(|it| it["told"] == "here");
    let tellers: Vec<usize> = (0..3).filter(told_here).collect();
    assert_eq!(tellers.len(), 1, "one tells: {tellers:?}");

    group.kill(tellers[0]);
    sink.answers.store(true, Ordering::Relaxed);
    holds("the next one tells", || {
        !texts(&sink.told, "key").is_empty()
    });
    publish(&group, (tellers[0] + 1) % 3, "1h");
    holds("it is told to be over", || {
        texts(&sink.told, "status").len() > 1
    });
    assert_eq!(texts(&sink.told, "status"), ["firing", "resolved"]);
    let (told, tried) = (texts(&sink.told, "key"), texts(&sink.tried, "key"));
    assert_eq!(tried, told[..1], "one try, under the same key");
    let left = (tellers[0] + 1) % 3;
    holds("it is over where it is not told", || {
        alert(&group, left).is_some_and(|alert| alert["phase"] == "resolved")
    });
}
