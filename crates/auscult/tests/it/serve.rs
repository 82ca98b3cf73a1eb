//! `auscult serve`: start, reload, restart and end, as an operator sees them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::http::{addr_in, get};
use crate::process::{Process, auscult, run, stderr, stdout};

/// A monitor with a folder of its own.
pub(crate) struct Monitor {
    folder: TempDir,
}

impl Monitor {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the settings file.
    pub(crate) fn settings(&self, text: &str) -> PathBuf {
        let path = self.path("servers.yml");
        fs::write(&path, text).unwrap();
        path
    }

    /// The arguments of a server on free ports.
    pub(crate) fn args(&self, more: &[&str]) -> Vec<String> {
        let data = self.path("data").display().to_string();
        let mut args = vec!["serve", "--udp-bind", "127.0.0.1:0", "--datadir", &data];
        if !more.contains(&"--http-bind") {
            args.extend(["--http-bind", "127.0.0.1:0"]);
        }
        args.iter().chain(more).map(|&arg| arg.to_owned()).collect()
    }

    pub(crate) fn start(&self, more: &[&str]) -> Server {
        let mut process = Process::start(self.args(more));
        let line = process.line("http://");
        let (http, udp) = line.rsplit_once(", ").unwrap();
        let server = Server {
            http: addr_in(http),
            udp: udp.rsplit(' ').next().unwrap().to_owned(),
            process,
        };
        assert_eq!(get(&server.http, "/-/healthy").status, 200);
        server
    }
}

/// A running server, and where it listens.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) http: String,
    pub(crate) udp: String,
}

const ONE: &str = "targets:\n  - id: one\n    push: {}\n";
const TWO: &str = "targets:\n  - id: one\n    push: {}\n  - id: two\n    push: {}\n";
const BAD: &str = "targets:\n  - id: one\n    psuh: {}\n";

#[test]
fn says_what_it_watches_and_ends_in_order() {
    let monitor = Monitor::new();
    let file = monitor.settings(TWO).display().to_string();
    let mut process = Process::start(monitor.args(&["-c", &file]));
    let watching = process.line("watching");
    assert!(
        watching.contains("2 targets (2 pushed)") && watching.contains(&file),
        "{watching}"
    );
    let addr = addr_in(&process.line("http://"));
    process.line("kill -HUP");
    assert_eq!(get(&addr, "/-/healthy").status, 200);
    assert!(monitor.path("data").exists());
    process.signal("TERM");
    let (status, rest, log) = process.end();
    assert!(status.success(), "{log}");
    assert_eq!(rest, "", "three lines are enough");
}

#[test]
fn a_hangup_reads_the_settings_again_and_a_bad_file_changes_nothing() {
    let monitor = Monitor::new();
    let file = monitor.settings(ONE).display().to_string();
    let Server {
        mut process, http, ..
    } = monitor.start(&["-c", &file]);
    assert_eq!(ids(&http), ["one"]);

    monitor.settings(TWO);
    process.signal("HUP");
    process.log("unchanged=1");
    assert_eq!(ids(&http), ["one", "two"]);

    monitor.settings(BAD);
    process.signal("HUP");
    process.log("psuh");
    assert_eq!(ids(&http), ["one", "two"]);
    process.signal("TERM");
    assert!(process.end().0.success());
}

#[test]
fn targets_added_over_the_api_survive_a_restart() {
    let monitor = Monitor::new();
    let Server { process, http, .. } = monitor.start(&[]);
    let url = format!("http://{http}");
    let added = run(["targets", "--url", &url, "add", "job", "--push", "24h"]);
    assert!(added.status.success(), "{}", stderr(&added));
    process.signal("TERM");
    assert!(process.end().0.success());

    let server = monitor.start(&[]);
    assert_eq!(ids(&server.http), ["job"]);
}

#[test]
fn a_data_folder_belongs_to_one_server() {
    let monitor = Monitor::new();
    let _server = monitor.start(&[]);
    let second = run(monitor.args(&[]));
    let said = stderr(&second);
    assert_eq!(second.status.code(), Some(5), "{said}");
    assert!(said.contains("data"), "{said}");
}

#[test]
fn a_port_belongs_to_one_server() {
    let (first, second) = (Monitor::new(), Monitor::new());
    let server = first.start(&[]);
    let addr = &server.http;
    let args = ["serve", "--http-bind", addr, "--datadir"].map(str::to_owned);
    let data = second.path("data").display().to_string();
    let output = run(args.into_iter().chain([data]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(
        said.contains(addr) && said.contains("--http-bind"),
        "{said}"
    );
}

#[test]
fn a_typo_is_shown_with_its_line_and_what_was_meant() {
    let monitor = Monitor::new();
    let file = monitor.settings(BAD).display().to_string();
    let checked = run(["check-config", &file]);
    let served = run(monitor.args(&["-c", &file]));
    for output in [checked, served] {
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in [&format!("{file}:3:5: "), "psuh: {}", "^^^^", "push"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
    assert!(
        !monitor.path("data").exists(),
        "a start that fails leaves nothing behind"
    );
}

#[test]
fn a_right_file_is_summed_up() {
    let monitor = Monitor::new();
    let file = monitor.settings(
        "groups:\n  - name: web\n    targets:\n      - id: a\n        url: http://a/\n      \
         - id: b\n        url: tcp://b:80\n        interval: 2s\n",
    );
    let file = file.display().to_string();
    let output = run(["check-config", &file]);
    let expected =
        format!("{file} is valid: 2 targets in 1 group (1 over HTTP, 1 over TCP; 1.5 checks/s)\n");
    assert_eq!(
        (stdout(&output), stderr(&output)),
        (expected, String::new())
    );
    let missing = run(["check-config", "/no/such/file.yml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("cannot read /no/such/file.yml: no such file"));
}

/// The server waits for its settings, which stand in a pipe that nobody writes to.
#[test]
fn can_be_stopped_while_it_starts() {
    let monitor = Monitor::new();
    let pipe = monitor.path("settings.yml");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let process = Process::start(monitor.args(&["-c", &pipe.display().to_string()]));
    // Opening a pipe for writing waits until somebody reads from it.
    let writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    process.signal("INT");
    let (status, ..) = process.end();
    assert!(status.success(), "{status}");
    drop(writer);
}

#[test]
fn variables_stand_in_for_flags() {
    let monitor = Monitor::new();
    let file = monitor.settings(ONE);
    let mut command = auscult(["serve"]);
    command
        .env("HTTP_BIND", "127.0.0.1:0")
        .env("UDP_BIND", "none")
        .env("DATA_DIR", monitor.path("other"))
        .env("AUSCULT_CONFIG", &file)
        .env("LOG_FORMAT", "json");
    let mut process = Process::spawn(&mut command);
    assert!(process.line("http://").contains("no heartbeats over UDP"));
    assert!(process.log("ready").starts_with('{'));
    assert!(Path::new(&monitor.path("other")).exists());
}

/// The names of all targets, sorted.
fn ids(addr: &str) -> Vec<String> {
    let list: serde_json::Value = serde_json::from_str(&get(addr, "/v1/targets").body).unwrap();
    let targets = list["targets"].as_array().unwrap();
    let id = |target: &serde_json::Value| target["id"].as_str().unwrap().to_owned();
    let mut ids: Vec<String> = targets.iter().map(id).collect();
    ids.sort();
    ids
}
