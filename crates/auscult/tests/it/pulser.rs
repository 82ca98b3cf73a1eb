//! `auscult pulser`: what a test of failure detection needs from a server that fails.

use std::sync::mpsc::channel;
use std::thread;

use crate::http::{Answer, addr_in, ask, get, post};
use crate::process::{PATIENCE, Process, run, stderr};

const STEADY: &str = "{\"delay\":0,\"status\":200,\"drop\":0}\n";

#[test]
fn answers_heartbeats_and_ends_on_request() {
    let (pulser, addr) = start();
    assert_eq!(get(&addr, "/heartbeat"), answer(200, "OK\n"));
    assert_eq!(get(&addr, "/control"), answer(200, STEADY));
    assert_eq!(get(&addr, "/").status, 404);
    assert_eq!(ask(&addr, "PUT", "/control", "", "{}").unwrap().status, 405);
    pulser.signal("TERM");
    assert!(pulser.end().0.success());
}

#[test]
fn is_controlled_with_and_without_a_content_type() {
    let (_pulser, addr) = start();
    let json = "Content-Type: application/json\r\n";
    for headers in [
        "",
        json,
        "Content-Type: application/x-www-form-urlencoded\r\n",
    ] {
        let changed = ask(&addr, "POST", "/control", headers, r#"{"status":503}"#).unwrap();
        assert_eq!(
            changed,
            answer(200, "{\"delay\":0,\"status\":503,\"drop\":0}\n")
        );
        assert_eq!(
            get(&addr, "/heartbeat"),
            answer(503, "503 Service Unavailable\n")
        );
        assert_eq!(
            post(&addr, "/control", r#"{"status":200}"#),
            answer(200, STEADY)
        );
    }
}

#[test]
fn a_bad_control_changes_nothing() {
    let (_pulser, addr) = start();
    let big = " ".repeat(5000);
    for (body, status, part) in [
        (
            r#"{"delay":1,"drop":2}"#,
            400,
            "drop must be a fraction from 0 to 1, not 2",
        ),
        (r#"{"delay":1,"typo":2}"#, 400, "typo"),
        ("delay=10", 400, "must be JSON"),
        (big.as_str(), 413, "at most 4096 bytes"),
    ] {
        let refused = post(&addr, "/control", body);
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.body.contains(part), "{}", refused.body);
        assert_eq!(get(&addr, "/control"), answer(200, STEADY));
    }
}

#[test]
fn a_dropped_request_gets_no_answer() {
    let (_pulser, addr) = start();
    post(&addr, "/control", r#"{"drop":1}"#);
    assert!(ask(&addr, "GET", "/heartbeat", "", "").is_err());
    post(&addr, "/control", r#"{"drop":0}"#);
    assert_eq!(get(&addr, "/heartbeat").status, 200);
}

#[test]
fn a_delay_that_is_taken_back_ends_at_once() {
    let (_pulser, addr) = start();
    post(&addr, "/control", r#"{"delay":3600}"#);
    let (sender, answered) = channel();
    let delayed = addr.clone();
    thread::spawn(move || sender.send(get(&delayed, "/heartbeat")));
    assert!(answered.try_recv().is_err());
    post(&addr, "/control", r#"{"delay":0}"#);
    let heard = answered.recv_timeout(PATIENCE).unwrap();
    assert_eq!(heard, answer(200, "OK\n"));
}

#[test]
fn many_are_controlled_one_by_one() {
    let mut pulsers = Process::start(["pulser", "--first-port", "0", "--count", "3"]);
    let addrs: Vec<String> = (0..3).map(|_| addr_in(&pulsers.line("http://"))).collect();
    post(&addrs[1], "/control", r#"{"status":500}"#);
    let statuses: Vec<u16> = addrs
        .iter()
        .map(|addr| get(addr, "/heartbeat").status)
        .collect();
    assert_eq!(statuses, [200, 500, 200]);
}

#[test]
fn says_what_is_wrong_before_it_listens() {
    let (_pulser, addr) = start();
    let port = addr.split(':').next_back().unwrap();
    check(&["--first-port", port], 5, &["in use", "--first-port 0"]);
    check(
        &["--delay", "nan"],
        2,
        &["delay must be a number of seconds"],
    );
    check(
        &["--status", "99"],
        2,
        &["status must be a code from 200 to 599, not 99"],
    );
    check(
        &["--first-port", "65530", "--count", "10"],
        2,
        &["no 10 ports from 65530"],
    );
}

fn check(args: &[&str], code: i32, parts: &[&str]) {
    let output = run([&["pulser"], args].concat());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "{said}");
    }
}

pub(crate) fn start() -> (Process, String) {
    let mut pulser = Process::start(["pulser", "--first-port", "0"]);
    let addr = addr_in(&pulser.line("http://"));
    (pulser, addr)
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        body: body.into(),
    }
}
