//! The commands that talk to a running monitor: tables for people, JSON for programs, exit codes
//! for scripts.

use std::net::{TcpListener, UdpSocket};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::process::{Process, auscult, run, run_with_input, stderr, stdout};
use crate::serve::{Monitor, Server};

/// A running monitor without targets, and how to talk to it.
struct Session {
    monitor: Monitor,
    server: Server,
    url: String,
}

impl Session {
    fn start() -> Self {
        let monitor = Monitor::new();
        let server = monitor.start(&[]);
        Self {
            monitor,
            url: format!("http://{}", server.http),
            server,
        }
    }

    /// Runs a client command with words separated by spaces.
    fn run(&self, words: &str) -> Output {
        run(self.args(words))
    }

    fn args(&self, words: &str) -> Vec<String> {
        let words = words.split(' ').map(str::to_owned);
        words.chain(["--url".into(), self.url.clone()]).collect()
    }

    /// Runs a command that must do its work and say exactly this.
    fn says(&self, words: &str, expected: &str) {
        let output = self.run(words);
        assert_eq!(
            (stdout(&output), stderr(&output)),
            (expected.to_owned(), String::new())
        );
        assert_eq!(output.status.code(), Some(0));
    }

    /// Runs a command that must fail with this code and these words.
    fn fails(&self, words: &str, code: i32, part: &str) {
        let output = self.run(words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{words}: {said}");
        assert!(
            said.starts_with("auscult: ") && said.contains(part),
            "{words}: {said}"
        );
        assert_eq!(stdout(&output), "");
    }

    fn json(&self, words: &str) -> Value {
        let output = self.run(&format!("{words} --output json"));
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    }
}

#[test]
fn targets_are_added_listed_read_paused_and_removed() {
    let session = Session::start();
    session.says("targets list", "no targets\n");
    session.says(
        "targets add job --push 24h --label team=a --group night",
        "added job\n",
    );
    session.says(
        "targets add db tcp://127.0.0.1:9 --interval 1h",
        "added db\n",
    );
    session.fails("targets add job --push", 4, "job");
    session.says(
        "targets add job --push 24h --label team=a --group night --replace",
        "replaced job\n",
    );

    let table = stdout(&session.run("targets list"));
    let columns = |line: &str| {
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut lines: Vec<String> = table.lines().map(columns).collect();
    lines.sort();
    assert_eq!(
        lines,
        ["TARGET STATUS", "db unknown", "job unknown"],
        "{table}"
    );
    assert!(!table.contains('\x1b'));
    for (filter, expected) in [
        ("--label team=a", vec!["job"]),
        ("--label team=b", vec![]),
        ("--group night", vec!["job"]),
        ("-q d", vec!["db"]),
        ("--status up,late", vec![]),
        ("--status unknown -q job", vec!["job"]),
    ] {
        assert_eq!(
            ids(&session.json(&format!("targets list {filter}"))),
            expected,
            "{filter}"
        );
    }

    session.says("targets pause job db", "paused job\npaused db\n");
    assert_eq!(session.json("targets get job")["status"], "paused");
    let told = stdout(&session.run("targets get job"));
    for part in [
        "job is paused for ",
        "  group     night\n",
        "  labels    team=a\n",
        "SIGNAL ",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    session.says("targets resume job", "resumed job\n");
    session.says("targets rm db job", "removed db\nremoved job\n");
    session.says("targets ls", "no targets\n");
}

#[test]
fn what_is_refused_says_why_and_the_rest_is_done() {
    let session = Session::start();
    session.fails("targets get nobody", 1, "nobody");
    session.fails("targets add web nowhere", 4, "url");
    session.fails("targets add web http://a/ --interval soon", 4, "interval");
    session.fails(
        "targets list --status fine",
        4,
        "paused, up, unknown, late, down",
    );
    session.says("targets add job --push", "added job\n");
    let output = session.run("targets pause nobody job");
    assert_eq!(stdout(&output), "paused job\n");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn a_target_is_added_from_json() {
    let session = Session::start();
    let add = |id: &str, body: &str| {
        run_with_input(session.args(&format!("targets add {id} --file -")), body)
    };
    let added = add(
        "web",
        r#"{"url":"http://127.0.0.1:9/","http":{"method":"HEAD"}}"#,
    );
    assert_eq!(stdout(&added), "added web\n", "{}", stderr(&added));
    let settings = session.json("targets get web")["settings"].clone();
    assert_eq!(settings["signals"][0]["http"]["method"], "HEAD");
    // What is read can be written again.
    let again = add("copy", &with_id(settings, "copy").to_string());
    assert_eq!(stdout(&again), "added copy\n", "{}", stderr(&again));

    let other = add("web", r#"{"id":"other","push":{}}"#);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        stderr(&other).contains(r#"its id is "other", not "web""#),
        "{}",
        stderr(&other)
    );
    assert_eq!(add("web", "push").status.code(), Some(1));
}

#[test]
fn heartbeats_make_a_target_up() {
    let session = Session::start();
    session.says("targets add job --push 24h", "added job\n");
    session.says("heartbeat job", "");
    assert_eq!(session.json("targets get job")["status"], "up");
    session.fails("heartbeat nobody", 1, "nobody");

    session.says("targets add beacon --push 1h", "added beacon\n");
    let mut events = Process::start(session.args("events --follow --target beacon"));
    let beacon = [
        "heartbeat",
        "beacon",
        "--udp",
        &session.server.udp,
        "--every",
        "50ms",
    ];
    let beacon = Process::start(beacon);
    events.line("beacon is up: ");
    beacon.signal("TERM");
    assert!(beacon.end().0.success());

    let free = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let unheard = run(["heartbeat", "job", "--udp", &free]);
    assert_eq!(unheard.status.code(), Some(3));
    assert!(
        stderr(&unheard).contains("nobody listens there"),
        "{}",
        stderr(&unheard)
    );
}

#[test]
fn events_are_lines_for_people_and_for_programs() {
    let session = Session::start();
    session.says("targets add job --push", "added job\n");
    session.says("targets add other --push", "added other\n");
    session.says("targets pause job", "paused job\n");

    let lines = stdout(&session.run("events --target job"));
    let texts: Vec<&str> = lines.lines().filter_map(|line| line.get(25..)).collect();
    let expected = [
        "job is watched from now on",
        "job is paused: an operator paused it",
    ];
    assert_eq!(texts, expected, "{lines}");

    let lines = stdout(&session.run("events --output json"));
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["added", "added", "transition"]);
    let since = events[1]["id"].as_u64().unwrap();
    let later = stdout(&session.run(&format!("events --since {since} -o json")));
    assert_eq!(later.lines().count(), 1, "{later}");
    assert_eq!(stdout(&session.run("events -n 1")).lines().count(), 1);
}

#[test]
fn followed_events_go_on_when_the_monitor_returns() {
    let Session {
        monitor,
        server,
        url,
    } = Session::start();
    let mut follow = Process::start(["events", "--follow", "--url", &url]);
    let add = |id: &str| {
        assert!(
            run(["targets", "--url", &url, "add", id, "--push"])
                .status
                .success()
        )
    };
    add("one");
    follow.line("one is watched");
    server.process.signal("TERM");
    assert!(server.process.end().0.success());
    follow.log("trying again");
    let _server = monitor.start(&["--http-bind", url.trim_start_matches("http://")]);
    follow.line("one is watched");
    add("two");
    follow.line("two is watched");
    follow.signal("INT");
    assert!(follow.end().0.success());
}

#[test]
fn a_monitor_that_does_not_answer_is_named() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    let expected = format!(
        "auscult: no monitor answers at {url} (connection refused): start one with 'auscult serve', \
         or name another with --url\n"
    );
    for words in [
        &["targets", "list"][..],
        &["events", "--follow"],
        &["heartbeat", "web"],
    ] {
        let output = run([words, &["--url", &url]].concat());
        assert_eq!(
            (output.status.code(), stderr(&output)),
            (Some(3), expected.clone())
        );
    }
    let by_variable = auscult(["targets", "list"])
        .env("AUSCULT_URL", &url)
        .output()
        .unwrap();
    assert_eq!(stderr(&by_variable), expected);

    let (_pulser, addr) = crate::pulser::start();
    let other = run(["targets", "list", "--url", &addr]);
    assert_eq!(other.status.code(), Some(1), "{}", stderr(&other));
}

#[test]
fn a_reader_that_leaves_ends_a_stream_quietly() {
    let session = Session::start();
    let mut child = auscult(session.args("events --follow"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    session.says("targets add job --push", "added job\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
}

fn ids(list: &Value) -> Vec<&str> {
    let targets = list["targets"].as_array().unwrap();
    targets
        .iter()
        .filter_map(|target| target["id"].as_str())
        .collect()
}

fn with_id(mut settings: Value, id: &str) -> Value {
    settings["id"] = id.into();
    settings
}
