//! Alerts of monitors that share their settings over an etcd, and reads that wait there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::etcd::{Etcd, counts, named};
use crate::group::pace::{holds, until};
use crate::http::{Answer, addr_in, ask, get};
use crate::process::{Process, run, stderr};

/// A webhook that keeps what it is told: the status, the subject and the id of each alert.
struct Sink {
    address: String,
    told: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let told: Arc<Mutex<Vec<_>>> = Arc::default();
        let keeper = Arc::clone(&told);
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keeper = Arc::clone(&keeper);
                thread::spawn(move || answer(stream, &keeper));
            }
        });
        Self { address, told }
    }

    /// The ids under which it was told this of a target, each time it was.
    fn told(&self, status: &str, subject: &str) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let said = |it: &&(String, String, String)| it.0 == status && it.1 == subject;
        told.iter().filter(said).map(|it| it.2.clone()).collect()
    }
}

/// Answers whatever comes over one connection, until it ends.
fn answer(mut stream: TcpStream, told: &Mutex<Vec<(String, String, String)>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let header = line.trim_end().to_ascii_lowercase();
            if let Some(bytes) = header.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap();
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let message: Value = serde_json::from_slice(&body).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for alert in message["alerts"].as_array().unwrap() {
            let line = (
                text(&alert["status"]),
                text(&alert["subject"]),
                text(&alert["id"]),
            );
            told.lock().unwrap().push(line);
        }
        let done = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        if done.is_err() {
            return;
        }
    }
}

fn pulser(port: &str) -> (Process, String) {
    let mut pulser = Process::start(["pulser", "--first-port", port, "--bind", "127.0.0.1"]);
    let addr = addr_in(&pulser.line("http://"));
    (pulser, addr)
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// The alert about `web`, as a monitor shows it.
fn alert(http: &str) -> Value {
    let page = json(&get(http, "/v1/alerts?subject=web"));
    page["alerts"][0].clone()
}

/// Applies a file with a receiver and two targets, through the first monitor: settings like any.
fn apply(folder: &TempDir, http: &str, sink: &Sink, web: &str, other: &str) {
    let signal = "interval: 100ms, timeout: 500ms, grace: 1s, \
                  detector: {kind: deadline, timeout: 1s}";
    let sheet = format!(
        "receivers:\n\
         - {{name: hook, type: webhook, url: \"http://{}/\", group_wait: 0s, group_interval: 0s}}\n\
         targets:\n\
         - {{id: web, url: \"http://{web}/heartbeat\", {signal}}}\n\
         - {{id: other, url: \"http://{other}/heartbeat\", {signal}}}\n",
        sink.address
    );
    let file = folder.path().join("sheet.yml");
    std::fs::write(&file, sheet).unwrap();
    let mut said = String::new();
    until("it is applied", || {
        let url = format!("http://{http}");
        let applied = run(["apply", "-f", file.to_str().unwrap(), "--url", &url]);
        said = stderr(&applied);
        assert_ne!(applied.status.code(), Some(2), "{said}");
        applied.status.success().then_some(())
    });
}

/// One of three tells; it is killed, and the next one tells that it is over, of the same alert.
#[test]
fn an_alert_that_one_monitor_told_is_ended_by_the_next_one() {
    let Some(etcd) = Etcd::start() else { return };
    let folders: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();
    let numbered = folders.iter().enumerate();
    let monitors: Vec<(Process, String)> = numbered
        .map(|(number, folder)| named(&etcd, folder, &format!("m{}", number + 1)))
        .collect();
    for (_, http) in &monitors {
        holds("all live", || {
            counts(http, "auscult_observers{state=\"live\"} 3")
        });
    }
    let sink = Sink::start();
    let ((web, addr), (_other, other)) = (pulser("0"), pulser("0"));
    apply(&folders[0], &monitors[0].1, &sink, &addr, &other);
    let target = |http: &str| json(&get(http, "/v1/targets/web"));
    for (_, http) in &monitors {
        holds("web is up", || target(http)["verdict"] == "up");
    }

    web.signal("KILL");
    let fired = until("it is told", || {
        let told = sink.told("firing", "web");
        (!told.is_empty()).then_some(told)
    });
    // From here on, whoever tells next knows that it was told.
    for (_, http) in &monitors {
        holds("all know that it was told", || {
            let alert = alert(http);
            alert["phase"] == "firing" && alert["receivers"][0]["informed"] == true
        });
    }
    let owner = target(&monitors[0].1)["owner"].as_str().unwrap().to_owned();
    let owns = owner.trim_start_matches('m').parse::<usize>().unwrap() - 1;
    monitors[owns].0.signal("KILL");
    let left: Vec<&String> = (0..3)
        .filter(|it| *it != owns)
        .map(|it| &monitors[it].1)
        .collect();
    for http in &left {
        holds("it is taken over", || {
            let target = target(http);
            target["owner"].is_string() && target["owner"] != owner.as_str()
        });
    }

    let port = addr.rsplit_once(':').unwrap().1;
    let (_web, _) = pulser(port);
    for http in &left {
        holds("it is over", || alert(http)["phase"] == "resolved");
    }
    holds("that is told", || !sink.told("resolved", "web").is_empty());
    for http in &left {
        holds("all know that it was told", || {
            alert(http)["receivers"][0]["informed"] == true
        });
    }
    assert_eq!(sink.told("firing", "web"), fired, "told once");
    assert_eq!(fired.len(), 1, "told once");
    assert_eq!(sink.told("resolved", "web"), fired, "of the same alert");
    assert!(sink.told("firing", "other").is_empty());
}

#[test]
fn a_read_waits_for_what_was_written_through_another_monitor() {
    let Some(etcd) = Etcd::start() else { return };
    let folders = [(); 2].map(|()| TempDir::new().unwrap());
    let (_one, one) = named(&etcd, &folders[0], "m1");
    let (_two, two) = named(&etcd, &folders[1], "m2");
    let put = |name: &str| {
        let kind = "Content-Type: application/json\r\n";
        let path = format!("/v1/settings/targets/{name}");
        ask(&one, "PUT", &path, kind, r#"{"push": {"interval": "1h"}}"#)
    };
    let first = until("etcd is there", || {
        let answer = put("a").ok()?;
        (answer.status < 300).then(|| json(&answer)["revision"].as_u64().unwrap())
    });
    let after = |revision: u64, wait: u32| {
        let query = format!("after_revision={revision}&wait={wait}");
        get(&two, &format!("/v1/settings/targets/a?{query}"))
    };
    let seen = after(first, 20_000);
    assert_eq!(seen.status, 200, "{seen:?}");
    let early = after(first + 1, 1);
    assert_eq!(early.status, 503, "{early:?}");
    assert!(early.body.contains("behind"), "{early:?}");
    thread::scope(|scope| {
        let waits = scope.spawn(|| after(first + 1, 20_000));
        assert!(put("b").unwrap().status < 300);
        let answer = waits.join().unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    });
    // What was acknowledged is found by whoever asks for it, through any monitor.
    assert!(put("c").unwrap().status < 300);
    let path = "/v1/settings/targets/c?consistency=linearizable";
    assert_eq!(get(&two, path).status, 200);
}
