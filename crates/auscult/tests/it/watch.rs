//! Programs in other languages that watch a monitor over gRPC.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::http::{get, post};
use crate::node::python;
use crate::process::Process;

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
    let folder = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stubs = Command::new(python)
        .args(["-m", "grpc_tools.protoc", "auscult.proto", "-I"])
        .arg(here.join("../../api"))
        .arg(format!("--python_out={}", folder.path().display()))
        .output();
    if !stubs.is_ok_and(|made| made.status.success()) {
        println!("skipped: grpcio-tools is too old for optional fields");
        return;
    }
    let settings = folder.path().join("settings.yml");
    std::fs::write(&settings, SETTINGS).unwrap();
    let mut monitor = Process::start([
        "serve",
        "--http-bind",
        "127.0.0.1:0",
        "--udp-bind",
        "none",
        "--datadir",
        folder.path().join("data").to_str().unwrap(),
        "-c",
        settings.to_str().unwrap(),
    ]);
    let said = monitor.line("at http://");
    let address = crate::http::addr_in(&said);
    let beat = || assert!(post(&address, "/v1/heartbeats/job", "").status < 300);
    beat();

    let mut command = Command::new(python);
    command
        .arg(here.join("tests/it/watch_client.py"))
        .arg(here.join("../../api"))
        .args([&*address, "job"]);
    let mut client = Process::spawn(&mut command);
    client.line_within("told job is up", PATIENCE);
    // Nothing more comes.
    client.line_within("told job is down", PATIENCE);
    beat();
    client.line_within("told job is up", PATIENCE);
    client.line_within("resumed", PATIENCE);
    assert!(client.end().0.success());
    assert_eq!(get(&address, "/-/healthy").status, 200);
}
