//! A running auscult, watched line by line.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What a condition may take on a busy machine before it counts as never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Variables that would change what the binary does.
const VARIABLES: [&str; 38] = [
    "AUSCULT_ADVERTISE",
    "AUSCULT_AUTHOR",
    "AUSCULT_BIND",
    "AUSCULT_CONFIG",
    "AUSCULT_DIRECT_LIMIT",
    "AUSCULT_JOIN",
    "AUSCULT_KEY_FILE",
    "AUSCULT_LABEL",
    "AUSCULT_MONITOR_NAME",
    "AUSCULT_NAME",
    "AUSCULT_PROFILE",
    "AUSCULT_SETTINGS",
    "AUSCULT_SETTINGS_CA",
    "AUSCULT_SETTINGS_CERT",
    "AUSCULT_SETTINGS_KEY",
    "AUSCULT_SETTINGS_PASSWORD",
    "AUSCULT_SETTINGS_PASSWORD_FILE",
    "AUSCULT_SETTINGS_USER",
    "AUSCULT_SNAPSHOT",
    "AUSCULT_TOKEN",
    "AUSCULT_URL",
    "BOOTSTRAP",
    "BOOTSTRAP_ADDRESS",
    "BOOTSTRAP_NODE_ID",
    "DATA_DIR",
    "HTTP_BIND",
    "JOIN",
    "LOG_FORMAT",
    "MEMBERS",
    "NEW_NODE_ADDRESS",
    "NEW_NODE_ID",
    "NODE_ID",
    "NO_COLOR",
    "RAFT_ADVERTISE",
    "RAFT_BIND",
    "RUST_LOG",
    "TZ",
    "UDP_BIND",
];

/// The binary with these arguments and a clean environment.
pub(crate) fn auscult<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auscult"));
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.args(args);
    command
}

/// Runs to the end with nothing on stdin.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    run_with_input(args, "")
}

/// Runs to the end with this on stdin.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
    input: &str,
) -> Output {
    let mut child = auscult(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read its input may have ended already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A process that runs on. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What was read so far, for messages of failed tests.
    heard: String,
}

impl Process {
    pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::spawn(&mut auscult(args))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self::watch(child)
    }

    /// A process that was started with pipes.
    pub(crate) fn watch(mut child: Child) -> Self {
        Self {
            stdout: lines(child.stdout.take().unwrap()),
            stderr: lines(child.stderr.take().unwrap()),
            child,
            heard: String::new(),
        }
    }

    /// The next line of stdout that contains `part`.
    pub(crate) fn line(&mut self, part: &str) -> String {
        self.line_within(part, PATIENCE)
    }

    /// The next line of stdout that contains `part`, within this time.
    pub(crate) fn line_within(&mut self, part: &str, patience: Duration) -> String {
        let found = next_line(&self.stdout, part, patience, &mut self.heard);
        self.expect(found, part)
    }

    /// The next line of stderr that contains `part`.
    pub(crate) fn log(&mut self, part: &str) -> String {
        let found = next_line(&self.stderr, part, PATIENCE, &mut self.heard);
        self.expect(found, part)
    }

    /// What it logged that was not looked at yet.
    pub(crate) fn log_so_far(&self) -> String {
        let lines: Vec<String> = self.stderr.try_iter().collect();
        lines.join("\n")
    }

    fn expect(&self, found: Option<String>, part: &str) -> String {
        found.unwrap_or_else(|| {
            let rest: Vec<String> = self.stderr.try_iter().collect();
            panic!(
                "no line with {part:?}; heard:\n{}\n{}",
                self.heard,
                rest.join("\n")
            )
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end, which closes both outputs. Returns the rest of them, too.
    pub(crate) fn end(mut self) -> (ExitStatus, String, String) {
        let deadline = Instant::now() + PATIENCE;
        let stdout = rest(&self.stdout, deadline);
        let stderr = rest(&self.stderr, deadline);
        (self.child.wait().unwrap(), stdout, stderr)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn next_line(
    lines: &Receiver<String>,
    part: &str,
    patience: Duration,
    heard: &mut String,
) -> Option<String> {
    let deadline = Instant::now() + patience;
    loop {
        let line = lines
            .recv_timeout(deadline.duration_since(Instant::now()))
            .ok()?;
        *heard = format!("{heard}{line}\n");
        if line.contains(part) {
            return Some(line);
        }
    }
}

fn rest(lines: &Receiver<String>, deadline: Instant) -> String {
    let mut text = String::new();
    loop {
        match lines.recv_timeout(deadline.duration_since(Instant::now())) {
            Ok(line) => text = text + &line + "\n",
            Err(RecvTimeoutError::Disconnected) => return text,
            Err(RecvTimeoutError::Timeout) => panic!("does not end; heard:\n{text}"),
        }
    }
}
