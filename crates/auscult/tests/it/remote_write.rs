//! Roll-ups in a real Prometheus, where there is one (Debian: prometheus): what was sent can be
//! asked for there, and what it refuses is told.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Output};
use std::thread;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::get;
use crate::process::{PATIENCE, Process, run, stderr, stdout};
use crate::serve::Monitor;

/// Nothing is scraped: whatever it knows was sent.
const PLAIN: &str = "global: {scrape_interval: 1h}\n";
const ANY_ORDER: &str = "storage: {tsdb: {out_of_order_time_window: 1d}}\n";

const RECEIVES: &str = "--web.enable-remote-write-receiver";

struct Prometheus {
    _process: Process,
    _folder: TempDir,
    http: String,
}

impl Prometheus {
    /// One on a free port, or why there is none.
    fn start(config: &str, receiver: &str) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        if let Err(error) = Command::new("prometheus").arg("--version").output() {
            return Err(format!("no prometheus here ({error})"));
        }
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .args(["--web.listen-address=127.0.0.1:0", receiver]);
        let mut process = Process::spawn(&mut command);
        let line = process.log("msg=\"Listening on\"");
        let http = line.rsplit("address=").next().unwrap().trim().to_owned();
        process.log("ready to receive web requests");
        Ok(Self {
            _process: process,
            _folder: folder,
            http,
        })
    }

    /// The result of a query, each with its value or values.
    fn query(&self, query: &str) -> Vec<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = get(&self.http, &format!("/api/v1/query?query={encoded}"));
        let found: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(found["status"], "success", "{query}: {found}");
        found["data"]["result"].as_array().unwrap().clone()
    }

    /// How many samples of a figure of `old` it has.
    fn count(&self, figure: &str) -> u64 {
        let found = self.query(&format!("count_over_time({figure}{{target=\"old\"}}[6h])"));
        let count = found.first().and_then(|it| it["value"][1].as_str());
        count.map_or(0, |count| count.parse().unwrap())
    }

    fn write_url(&self) -> String {
        format!("http://{}/api/v1/write", self.http)
    }
}

#[test]
fn what_was_sent_is_there_with_its_values_times_and_labels() {
    let prometheus = match Prometheus::start(PLAIN, RECEIVES) {
        Ok(prometheus) => prometheus,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let monitor = Monitor::new();
    let file = monitor.settings("targets: [{id: job, push: {interval: 50ms}}]\n");
    let server = monitor.start(&["--config", file.to_str().unwrap()]);
    let url = format!("http://{}", server.http);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deadline = Instant::now() + PATIENCE;
    // Until a roll-up is complete.
    loop {
        socket.send_to(b"job\n", &server.udp).unwrap();
        let export = export(&url, &["job"], &prometheus.write_url());
        assert_eq!(stderr(&export), "");
        if !stdout(&export).contains("no roll-up of the window is complete yet") {
            break;
        }
        assert!(Instant::now() < deadline, "no roll-up is ever complete");
    }
    let past = run([
        "history",
        "job",
        "--url",
        &url,
        "--resolution",
        "10s",
        "-o",
        "json",
    ]);
    let past: Value = serde_json::from_str(&stdout(&past)).unwrap();
    let row = &past["rollups"][0];
    let at: Timestamp = row["at"].as_str().unwrap().parse().unwrap();
    for (field, figure) in [
        ("availability", "availability_ratio"),
        ("level_max", "level_max"),
        ("arrivals", "arrivals"),
    ] {
        let found = prometheus.query(&format!("auscult_history_{figure}[1h]"));
        let [series] = found.as_slice() else {
            panic!("one series of {figure}: {found:?}");
        };
        let labels = json!({
            "__name__": format!("auscult_history_{figure}"), "target": "job", "resolution": "10s",
        });
        assert_eq!(series["metric"], labels);
        let sample = &series["values"][0];
        assert_eq!(
            sample[0].as_f64().unwrap(),
            at.as_millisecond() as f64 / 1e3
        );
        let value: f64 = sample[1].as_str().unwrap().parse().unwrap();
        assert_eq!(value, row[field].as_f64().unwrap(), "{figure}: {row}");
    }
}

#[test]
fn what_it_refuses_is_told_and_takes_nothing_else_with_it() {
    let prometheus = match Prometheus::start(PLAIN, RECEIVES) {
        Ok(prometheus) => prometheus,
        Err(reason) => return println!("skipped: {reason}"),
    };
    // Half an hour first, and then three hours: a Prometheus goes back by one.
    let (url, to) = (archive(), prometheus.write_url());
    let first = export(&url, &["new"], &to);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let second = export(&url, &["old"], &to);
    let told = stderr(&second);
    assert_eq!(second.status.code(), Some(4), "{told}");
    let refused = number_before(&told, " samples, from ");
    assert!(told.contains("out of bounds") && told.contains("out_of_order_time_window"));
    let taken = number_before(&stdout(&second), " samples in ");
    assert_eq!((taken + refused, taken % 2), (72, 0));
    assert!(taken >= 20, "an hour of it is new enough: {told}");
    assert_eq!(prometheus.count("auscult_history_level_max"), taken / 2);
    assert_eq!(prometheus.count("auscult_history_arrivals"), taken / 2);
    // It has all of that by now, and takes none of it twice.
    let again = export(&url, &["old"], &to);
    assert_eq!(again.status.code(), Some(4));
    assert!(stderr(&again).contains("refused"), "{}", stderr(&again));
    assert_eq!(prometheus.count("auscult_history_level_max"), taken / 2);
}

#[test]
fn one_that_takes_any_order_has_everything_however_often_it_is_sent() {
    let prometheus = match Prometheus::start(&format!("{PLAIN}{ANY_ORDER}"), RECEIVES) {
        Ok(prometheus) => prometheus,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let (url, to) = (archive(), prometheus.write_url());
    for targets in [&["new"][..], &["old"], &["old", "new"]] {
        let sent = export(&url, targets, &to);
        assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    }
    assert_eq!(prometheus.count("auscult_history_level_max"), 36);
    let newest = prometheus.query("max_over_time(auscult_history_level_max{target=\"old\"}[6h])");
    assert_eq!(newest[0]["value"][1], "35");
}

#[test]
fn one_that_does_not_receive_says_how_it_would() {
    let prometheus = match Prometheus::start(PLAIN, "--log.level=info") {
        Ok(prometheus) => prometheus,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let sent = export(&archive(), &["new"], &prometheus.write_url());
    assert_eq!(sent.status.code(), Some(4));
    let words = "remote write receiver needs to be enabled";
    assert!(stderr(&sent).contains(words), "{}", stderr(&sent));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let sent = export(
        &archive(),
        &["new"],
        &format!("http://{address}/api/v1/write"),
    );
    assert_eq!(sent.status.code(), Some(3), "{}", stderr(&sent));
}

fn export(url: &str, targets: &[&str], to: &str) -> Output {
    let mut args = vec!["history", "export", "--url", url, "--to", to];
    args.extend([
        "--resolution",
        if targets == ["job"] { "10s" } else { "5m" },
    ]);
    args.extend(targets);
    run(args)
}

/// The number that stands before these words.
fn number_before(text: &str, words: &str) -> u64 {
    let (before, _) = text.split_once(words).unwrap_or_else(|| panic!("{text}"));
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.unwrap().parse().unwrap()
}

/// A monitor that has three hours of `old` and half an hour of `new`, in roll-ups of 5 min.
fn archive() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked = lines.next().unwrap().unwrap();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|it| !it.is_empty()))
            {}
            let rows = if asked.contains("/targets/old/") {
                36
            } else {
                6
            };
            let body = past(rows).to_string();
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    url
}

fn past(rows: i64) -> Value {
    let now = Timestamp::now().as_second();
    // The last one has just ended.
    let end = now / 300 * 300 - 300;
    let at = |second: i64| Timestamp::from_second(second).unwrap().to_string();
    let rollups: Vec<Value> = (0..rows)
        .map(|n| json!({ "at": at(end - (rows - n) * 300), "level_max": n, "arrivals": 5 }))
        .collect();
    json!({ "resolution": "5m", "since": at(end - rows * 300), "until": at(now),
        "rollups": rollups, "transitions": [], "next": null })
}
