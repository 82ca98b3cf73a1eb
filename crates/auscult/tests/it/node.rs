//! Numbered members, and programs in another language that join them over gRPC.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, auscult, run, stderr, stdout};

/// A numbered member on free ports, and where its services are.
struct Node {
    process: Process,
    detector: String,
    dissemination: String,
}

impl Node {
    fn start(id: &str, label: &str, members: &str) -> Self {
        let mut command = auscult(["agent", "--label", label]);
        command.args([
            "--bind",
            "127.0.0.1:0",
            "--dissemination-bind",
            "127.0.0.1:0",
        ]);
        command.env("NODE_ID", id).env("MEMBERS", members);
        let mut process = Process::spawn(&mut command);
        let up = process.line(&format!("member node{id} is up at "));
        let listens = process.log(&format!(
            "Component Dissemination of Node {id} listening on port "
        ));
        let port = listens.rsplit(' ').next().unwrap();
        Self {
            detector: up.rsplit(' ').next().unwrap().to_owned(),
            dissemination: format!("127.0.0.1:{port}"),
            process,
        }
    }

    /// Three that know each other.
    fn group(label: &str) -> [Self; 3] {
        let first = Self::start("1", label, "127.0.0.1:1");
        let [mut second, mut third] = ["2", "3"].map(|id| Self::start(id, label, &first.detector));
        second.process.line("member node1 joined");
        third.process.line("member node1 joined");
        let mut group = [first, second, third];
        group[0].process.line("member node3 joined");
        group[1].process.line("member node3 joined");
        group
    }
}

/// Every sentence of the demonstrator that a running group says.
#[test]
fn numbered_members_speak_as_the_demonstrator_does() {
    let [mut first, second, third] = Node::group("sentences");
    first.process.log(" Node 1 pinging 127.0.0.1:");
    first.process.log(
        "Component FailureDetector of Node 1 sends RPC Ping to Component FailureDetector of Node ",
    );
    first.process.log("Node Alive, checked with Direct Ping");
    first.process.log(
        "Component FailureDetector of Node 1 runs RPC Ping called by Component FailureDetector of \
         Node ",
    );
    let (gone, left) = (third.detector.clone(), [&first.detector, &second.detector]);
    let updated = format!(
        "Membership updated: removed failed node {gone}. New membership: ['{}', '{}']",
        left[0], left[1]
    );
    drop(third);
    first.process.log(&updated);
}

/// What the demonstrator's `join_client.py` prints, and nothing else on stdout.
#[test]
fn a_newcomer_gets_the_list_alone() {
    let [first, second, third] = Node::group("newcomer");
    let newcomer = "127.0.0.1:1";
    let mut join = auscult(["join"]);
    join.env("NEW_NODE_ID", "6")
        .env("NEW_NODE_ADDRESS", newcomer);
    join.env("BOOTSTRAP_ADDRESS", &first.dissemination)
        .env("BOOTSTRAP_NODE_ID", "1");
    let output = join.output().unwrap();
    let list = [&first.detector, &second.detector, &third.detector]
        .map(String::as_str)
        .join(",");
    assert_eq!(stdout(&output), format!("{list},{newcomer}\n"));
    let said = "Component NewNode of Node 6 sends RPC Join to Component Dissemination of Node 1";
    assert!(stderr(&output).contains(said));
    let silent = run(["join", "--bootstrap", "127.0.0.1:1"]);
    assert_eq!(
        (silent.status.code(), stdout(&silent)),
        (Some(3), String::new())
    );
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let cases: [(&[&str], &str); 6] = [
        (&["--node-id", "11"], "would take the ports of another one"),
        (&["--node-id", "0"], "a number from 1 to 10"),
        (&["--node-id", "one"], "not 'one'"),
        (&["--node-id"], "no terminal to ask at"),
        (&["--members", "127.0.0.1:50051"], "no terminal to ask at"),
        (&["--node-id", "1", "--members", "node1"], "write HOST:PORT"),
    ];
    for (arguments, says) in cases {
        let output = run([&["agent"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(says),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_terminal_is_asked_for_the_number() {
    // A shell that stays between (dash does) dies of the Ctrl-C itself, and its status hides ours.
    let agent = format!(
        "exec {} agent --node-id --members 127.0.0.1:1 --label prompt --bind 127.0.0.1:0 \
         --dissemination-bind 127.0.0.1:0",
        env!("CARGO_BIN_EXE_auscult")
    );
    let spawned = Command::new("script")
        .args(["-qec", &agent, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        println!("skipped: no `script` to make a terminal with");
        return;
    };
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"3\n").unwrap();
    let mut process = Process::watch(child);
    let first = process.line("Enter node ID: ");
    if !first.contains("member node3 is up") {
        process.line("member node3 is up");
    }
    // Ctrl-C, as somebody at the terminal ends it.
    keys.write_all(b"\x03").unwrap();
    let (status, said, complained) = process.end();
    // Held open until here: `script` tells the terminal of an end of its input, too.
    drop(keys);
    assert!(status.success(), "{status}: {said}\n{complained}");
}

/// A Python with grpcio and its protocol compiler.
pub(crate) fn python() -> Option<&'static str> {
    let has_grpc = |python: &&str| {
        let check = Command::new(python)
            .args(["-c", "import grpc, grpc_tools.protoc"])
            .output();
        check.is_ok_and(|output| output.status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_grpc)
}

/// What Python needs to speak as this file of `api/` says, made as its users do it; none where its
/// tools are too old for that.
pub(crate) fn stubs(python: &str, proto: &str) -> Option<TempDir> {
    let folder = TempDir::new().unwrap();
    let out = folder.path().display();
    let made = Command::new(python)
        .args(["-m", "grpc_tools.protoc", proto, "-I"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api"))
        .args([
            format!("--python_out={out}"),
            format!("--grpc_python_out={out}"),
        ])
        .output();
    made.is_ok_and(|made| made.status.success())
        .then_some(folder)
}

#[test]
fn a_python_program_pings_joins_and_is_told_of_a_failure() {
    let Some(python) = python() else {
        println!("skipped: no Python with grpcio and grpcio-tools");
        return;
    };
    let stubs = stubs(python, "swim.proto").expect("its stubs");
    let [first, second, third] = Node::group("python");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command
        .arg(here.join("tests/it/swim_client.py"))
        .arg(stubs.path());
    command.args([
        &first.detector,
        &first.dissemination,
        &second.detector,
        &third.detector,
    ]);
    let mut client = Process::spawn(&mut command);
    client.line("pinged");
    client.line("indirectly pinged");
    let list = [&first.detector, &second.detector, &third.detector]
        .map(String::as_str)
        .join(",");
    let joined = client.line("joined ");
    assert!(
        joined.starts_with(&format!("joined {list},127.0.0.1:")),
        "{joined}"
    );
    client.line("forged");
    client.line("was pinged");
    let gone = third.detector.clone();
    drop(third);
    client.line(&format!("told of {gone}"));
    assert!(client.end().0.success());
}

/// As the demonstrator's description has it: five members on localhost, with the ports that follow
/// from their numbers, in a network of their own.
#[test]
fn five_numbered_members_find_each_other_and_the_one_that_is_killed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/five_nodes.sh");
    let probe = Command::new("unshare")
        .args(["-n", "ip", "link", "set", "lo", "up"])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: no right to make a network of one's own");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["-n", "bash"])
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_auscult"));
    command.arg(folder.path());
    let mut process = Process::spawn(&mut command);
    process.line_within("all see all", Duration::from_secs(40));
    process.line_within("all know that node3 failed", Duration::from_secs(40));
    assert!(process.end().0.success());
}
