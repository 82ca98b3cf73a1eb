//! `auscult demo`: what a newcomer sees, from the first line to the end.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::{addr_in, get, post};
use crate::process::{PATIENCE, Process, auscult, run, stdout};

const FREE_PORTS: [&str; 7] = [
    "demo",
    "--first-port",
    "0",
    "--http-bind",
    "127.0.0.1:0",
    "--first-raft-port",
    "0",
];

/// One answer after 10 s, a check that begins a second later, and a busy machine.
const ONE_OUTAGE: Duration = Duration::from_secs(40);

#[test]
fn a_delayed_server_is_late_then_down_then_up_again() {
    let folder = TempDir::new().unwrap();
    let args = FREE_PORTS;
    let mut demo = Process::spawn(auscult(args).env("TMPDIR", folder.path()));
    let page = addr_in(&demo.line("  page "));
    let slow = demo.line("\"delay\":10");
    let slow = slow
        .split(['/', ' '])
        .find(|word| word.starts_with("localhost:"))
        .unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    for _ in 0..10 {
        demo.line(" is up: ");
    }
    assert_eq!(get(&page, "/").status, 200);
    assert!(
        get(&page, "/metrics")
            .body
            .contains("server_phivalue{server_name=\"server6\"}")
    );

    assert_eq!(post(slow, "/control", r#"{"delay":10}"#).status, 200);
    demo.line_within("server6 is late: ", ONE_OUTAGE);
    demo.line_within("server6 is down: ", ONE_OUTAGE);
    demo.line_within("server6 is up: ", ONE_OUTAGE);

    demo.signal("INT");
    let (status, rest, log) = demo.end();
    assert!(status.success(), "{log}");
    assert!(
        !rest.contains('\x1b'),
        "no colours and no cursor in a pipe: {rest}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn takes_free_ports_where_its_own_are_taken_and_ends_by_itself() {
    let mut first = Process::start(FREE_PORTS);
    let http = addr_in(&first.line("  page "));
    let port = first.line("\"delay\":10");
    let port = port
        .split(['/', ':', ' '])
        .find_map(|word| word.parse::<u16>().ok())
        .unwrap();
    let (http_port, port) = (http.rsplit(':').next().unwrap(), port.to_string());

    let args = [
        "demo",
        "--first-port",
        &port,
        "--http-bind",
        &http,
        "--first-raft-port",
        "0",
        "--for",
        "1s",
    ];
    let mut second = Process::start(args);
    assert_ne!(addr_in(&second.line("  page ")), http);
    let taken = second.line("taken: free ports instead");
    assert!(
        taken.contains(&port) && taken.contains(http_port),
        "{taken}"
    );
    assert!(
        second
            .line(" targets list ")
            .contains("--url http://127.0.0.1:")
    );
    let (status, _, log) = second.end();
    assert!(status.success(), "{log}");
    // Not killed, because it has a folder to remove.
    first.signal("TERM");
    assert!(first.end().0.success());
}

#[test]
fn a_monitor_can_be_killed_and_all_end_with_the_demo() {
    // What is killed removes no folder.
    let folder = TempDir::new().unwrap();
    let mut demo = Process::spawn(auscult(FREE_PORTS).env("TMPDIR", folder.path()));
    let second = addr_in(&demo.line(" monitor2 at "));
    let third = addr_in(&demo.line(" monitor3 at "));
    let metrics = demo.line(" demo metrics ");
    let urls = metrics.split("--url ").nth(1).unwrap();
    let urls = urls.split_whitespace().next().unwrap();
    let kill = demo.line("kill -9 ");
    let pid = kill.split_whitespace().nth(2).unwrap();
    for _ in 0..10 {
        demo.line(" is up: ");
    }
    assert!(
        Command::new("kill")
            .args(["-9", pid])
            .status()
            .unwrap()
            .success()
    );
    demo.line("monitor3 was killed: the other monitors watch on");
    let again = demo.line("to start it again: ");
    assert!(again.contains(&format!("--http-bind {third}")), "{again}");

    let values = run(["demo", "metrics", "--server", "server6", "--url", urls]);
    let said = stdout(&values);
    assert!(values.status.success(), "{said}");
    assert!(
        said.contains("server_phivalue{server_name=\"server6\"}"),
        "{said}"
    );
    let third_says = said.lines().find(|line| line.contains(&third)).unwrap();
    assert!(third_says.contains("does not answer"), "{said}");
    let nobody = run(["demo", "metrics", "--server", "server11", "--url", urls]);
    assert_eq!(nobody.status.code(), Some(1));

    // Whatever ends the demo ends the other monitors.
    demo.signal("KILL");
    let (_, _, _) = demo.end();
    let refused = || TcpStream::connect(&second).is_err();
    let end = Instant::now() + PATIENCE;
    while !refused() {
        assert!(Instant::now() < end, "monitor2 runs on");
        std::thread::yield_now();
    }
}
