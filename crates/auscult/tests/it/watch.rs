//! Programs in other languages that watch a monitor over gRPC.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::http::{get, post};
use crate::node::{python, stubs};
use crate::process::Process;
use crate::serve::Monitor;

const SETTINGS: &str = "
targets:
- {id: job, push: {interval: 200ms}, detector: {kind: deadline, timeout: 1s}, grace: 1h}
";

/// A program has its own time to start in.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_python_program_watches_is_told_of_a_failure_and_resumes() {
    let Some(python) = python() else {
        println!("skipped: no Python with grpcio and grpcio-tools");
        return;
    };
    let Some(stubs) = stubs(python, "auscult.proto") else {
        println!("skipped: grpcio-tools is too old for optional fields");
        return;
    };
    let monitor = Monitor::new();
    let settings = monitor.settings(SETTINGS).display().to_string();
    let server = monitor.start(&["-c", &settings]);
    let address = &server.http;
    let beat = || assert!(post(address, "/v1/heartbeats/job", "").status < 300);
    beat();

    let mut command = Command::new(python);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/watch_client.py"))
        .arg(stubs.path())
        .args([address, "job"]);
    let mut client = Process::spawn(&mut command);
    client.line_within("told job is up", PATIENCE);
    // Nothing more comes.
    client.line_within("told job is down", PATIENCE);
    beat();
    client.line_within("told job is up", PATIENCE);
    client.line_within("resumed", PATIENCE);
    assert!(client.end().0.success());
    assert_eq!(get(address, "/-/healthy").status, 200);
}
