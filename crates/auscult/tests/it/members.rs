//! `auscult agent` and `auscult members`: real processes that find each other on the loopback.

use serde_json::Value;

use crate::http::{addr_in, get};
use crate::process::{PATIENCE, Process, run, stderr, stdout};
use crate::serve::Monitor;

/// A member of a group with its HTTP address.
pub(crate) struct Node {
    pub(crate) process: Process,
    /// Where members reach it.
    pub(crate) address: String,
    pub(crate) http: String,
    url: String,
}

impl Node {
    pub(crate) fn start(name: &str, join: Option<&Self>) -> Self {
        let mut args = vec!["agent", "--name", name, "--bind", "127.0.0.1:0"];
        args.extend(["--http", "127.0.0.1:0", "--profile", "local"]);
        if let Some(other) = join {
            args.extend(["--join", &other.address]);
        }
        let mut process = Process::start(args);
        let up = process.line("is up at");
        let address = up.rsplit(' ').next().unwrap().to_owned();
        let http = addr_in(&process.line("http://"));
        Self {
            url: format!("http://{http}"),
            http,
            address,
            process,
        }
    }

    /// Runs a client command with words separated by spaces.
    fn run(&self, words: &str) -> String {
        let words = words.split(' ').map(str::to_owned);
        let output = run(words.chain(["--url".into(), self.url.clone()]));
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = get(&self.http, path);
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn follow(&self, words: &str) -> Process {
        let words = words.split(' ').map(str::to_owned);
        Process::start(words.chain(["--url".into(), self.url.clone()]))
    }
}

/// Three members, all of whom know each other.
fn three() -> [Node; 3] {
    let mut a = Node::start("a", None);
    let mut b = Node::start("b", Some(&a));
    a.process.line("member b joined");
    let mut c = Node::start("c", Some(&b));
    a.process.line("member c joined");
    b.process.line("member c joined");
    c.process.line("member a joined");
    [a, b, c]
}

#[test]
fn a_killed_member_is_shown_with_the_case_against_it() {
    let [a, b, c] = three();
    let table = a.run("members");
    for part in ["MEMBER", "a       alive", "this agent", &b.address] {
        assert!(table.contains(part), "{part} in {table}");
    }
    let mut events = a.follow("events --follow --target c --since 0");
    events.line("member c joined");
    let mut watching = a.follow("members --watch --output json");
    watching.line("\"name\":\"c\"");

    c.process.signal("KILL");
    events.line("member c is suspected by");
    events.line("member c failed");
    watching.line("\"state\":\"dead\"");
    let dead: Value = serde_json::from_str(&a.run("members --state dead -o json")).unwrap();
    assert_eq!(dead["members"][0]["name"], "c");
    assert_eq!(dead["members"].as_array().unwrap().len(), 1);
    let shown = a.run("members get c");
    assert!(shown.starts_with("c is dead for "), "{shown}");
    for part in [
        "from it      unknown",
        "why          auscult events --member c",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let kinds = a.json("/v1/events?target=c");
    let kinds = kinds["events"].as_array().unwrap();
    let failed = kinds
        .iter()
        .find(|event| event["kind"] == "failed")
        .unwrap();
    assert!(
        !failed["case"]["accusers"].as_array().unwrap().is_empty(),
        "{failed}"
    );
}

#[test]
fn whoever_is_told_to_stop_leaves_and_is_not_suspected() {
    let [mut a, b, c] = three();
    c.process.signal("INT");
    let (status, ..) = c.process.end();
    assert!(status.success(), "{status}");
    a.process.line("member c left");
    let left: Value = serde_json::from_str(&b.run("members --state left -o json")).unwrap();
    let suspected = a.json("/v1/events?target=c");
    let kinds = suspected["events"].as_array().unwrap().iter();
    assert!(
        kinds.clone().all(|event| event["kind"] != "failed"),
        "{suspected}"
    );
    assert!(left["members"].as_array().unwrap().len() <= 1);
}

#[test]
fn links_are_a_matrix_of_all_live_members() {
    let [a, _b, _c] = three();
    let links = a.json("/v1/links");
    let observers: Vec<&str> = links["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["observer"].as_str())
        .collect();
    assert_eq!(observers, ["a", "b", "c"]);
    let rows = links["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["error"].is_null()), "{links}");
    let matrix = a.run("members links");
    assert!(matrix.contains("a row hears a column"), "{matrix}");
    assert!(
        matrix.lines().any(|line| line.starts_with("1 a  -")),
        "{matrix}"
    );
}

#[test]
fn a_member_is_watched_and_no_longer() {
    let [a, ..] = three();
    let said = a.run("members watch b");
    assert_eq!(said, "b is watched by direct heartbeats\n");
    assert_eq!(a.json("/v1/members/b")["watched"], true);
    a.run("members unwatch b");
    assert_eq!(a.json("/v1/members/b")["watched"], false);
    let output = run(["members", "watch", "nobody", "--url", &a.url]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("auscult members"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_agent_that_cannot_start_says_what_to_change() {
    let a = Node::start("a", None);
    let check = |args: &[&str], code: i32, part: &str| {
        let output = run([&["agent", "--name", "b"], args].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(part), "{said}");
    };
    check(&["--bind", &a.address], 5, "in use");
    check(&["--bind", "127.0.0.1:0", "--http", &a.http], 5, "--http");
    check(&["--http", "8000"], 2, "say 127.0.0.1:8000");
    check(&["--label", "a b"], 2, "--label");
    check(&["--key-file", "/no/such.keys"], 1, "/no/such.keys");
    check(&["--profile", "moon"], 2, "local, lan, wan");
}

#[test]
fn an_agent_that_does_not_answer_is_named() {
    let output = run(["members", "--url", "http://127.0.0.1:1"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("no agent answers at http://127.0.0.1:1"),
        "{said}"
    );
    assert!(said.contains("auscult agent --http"), "{said}");
}

#[test]
fn a_monitor_becomes_a_member_by_flags_alone() {
    let mut b = Node::start("b", None);
    let monitor = Monitor::new();
    let flags = ["--member-name", "watcher", "--member-bind", "127.0.0.1:0"];
    let server = monitor.start(&[&flags[..], &["--member-join", &b.address]].concat());
    b.process.line("member watcher joined");
    let url = format!("http://{}", server.http);
    let mut events = Process::start(["events", "-f", "--since", "0", "--url", &url]);
    events.line_within("b is up: alive at", PATIENCE);
}

#[test]
fn a_monitor_that_is_a_member_has_the_others_as_targets() {
    let mut b = Node::start("b", None);
    let monitor = Monitor::new();
    let file = monitor.settings(&format!(
        "membership:\n  name: watcher\n  bind: 127.0.0.1:0\n  profile: local\n  join: {}\n",
        b.address
    ));
    let server = monitor.start(&["-c", &file.display().to_string()]);
    b.process.line("member watcher joined");
    let url = format!("http://{}", server.http);
    let mut events = Process::start(["events", "-f", "--since", "0", "--url", &url]);
    events.line_within("b is up: alive at", PATIENCE);
    let members = get(&server.http, "/v1/members");
    assert_eq!(members.status, 200, "{}", members.body);
    let metrics = get(&server.http, "/metrics").body;
    assert!(
        metrics.contains("auscult_members{state=\"alive\"} 2"),
        "{metrics}"
    );

    b.process.signal("KILL");
    events.line("b is late: suspected by watcher");
    events.line("b is down: convicted by watcher");
    let target = get(&server.http, "/v1/targets/b");
    let target: Value = serde_json::from_str(&target.body).unwrap();
    assert_eq!(
        (&target["status"], &target["group"]),
        (&"down".into(), &"members".into())
    );
    assert_eq!(target["origin"]["kind"], "membership");
    assert_eq!(target["signals"][0]["source"], "membership");

    server.process.signal("TERM");
    assert!(server.process.end().0.success());
}
