//! One agent on each host of a [`Net`], and what each of them said.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::net::{Net, address};

/// What a condition may take on a busy machine before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);
const PORT: u16 = 7946;

pub(crate) struct Cluster {
    pub(crate) net: Net,
    agents: Vec<Agent>,
    /// More arguments for every agent.
    arguments: &'static [&'static str],
}

/// Killed when dropped.
struct Agent {
    process: Child,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

/// What was said before and what after.
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

impl Cluster {
    /// Agents that all know one another.
    pub(crate) fn start(net: Net, hosts: usize, arguments: &'static [&'static str]) -> Self {
        let mut cluster = Self {
            net,
            agents: Vec::new(),
            arguments,
        };
        for host in 0..hosts {
            let agent = cluster.launch(host, PORT);
            cluster.agents.push(agent);
        }
        for host in 0..hosts {
            for other in (0..hosts).filter(|&other| other != host) {
                cluster.wait(host, Mark(0), &joined(other));
            }
        }
        cluster
    }

    fn launch(&self, host: usize, port: u16) -> Agent {
        let mut command = self.net.command(host, env!("CARGO_BIN_EXE_auscult"));
        let seed = if host == 0 { 1 } else { 0 };
        command
            .args(["agent", "--label", "lab", "--name", &name(host)])
            .args(["--bind", &format!("{}:{port}", address(host))])
            .args(["--join", &format!("{}:{PORT}", address(seed))])
            .args(self.arguments);
        Agent::spawn(&mut command)
    }

    /// Starts the agent of that host anew, at another port.
    pub(crate) fn restart_elsewhere(&mut self, host: usize) {
        self.agents[host] = self.launch(host, PORT + 1);
    }

    pub(crate) fn signal(&self, host: usize, signal: &str) {
        let pid = self.agents[host].process.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// What that agent said so far.
    pub(crate) fn mark(&self, host: usize) -> Mark {
        Mark(self.agents[host].log.lines.lock().unwrap().len())
    }

    /// Waits until that agent said this, after the mark.
    pub(crate) fn wait(&self, host: usize, after: Mark, part: &str) {
        let found = self.agents[host].log.line(after, part, PATIENCE);
        assert!(
            found,
            "{} never said {part:?}:\n{}",
            name(host),
            self.agents[host].log.text()
        );
    }

    /// For that long, none of these agents says anything of the kind.
    pub(crate) fn silent(&self, hosts: &[(usize, Mark)], part: &str, span: Duration) {
        let deadline = Instant::now() + span;
        for &(host, mark) in hosts {
            let left = deadline.saturating_duration_since(Instant::now());
            let found = self.agents[host].log.line(mark, part, left);
            assert!(
                !found,
                "{} said {part:?}:\n{}",
                name(host),
                self.agents[host].log.text()
            );
        }
    }
}

impl Agent {
    fn spawn(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Log::default());
        keep(&log, process.stdout.take().unwrap());
        keep(&log, process.stderr.take().unwrap());
        Self { process, log }
    }
}

/// Adds every line of an output to the log.
fn keep(log: &Arc<Log>, output: impl Read + Send + 'static) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.lines.lock().unwrap().push(line);
            log.grown.notify_all();
        }
    });
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Log {
    /// Whether such a line is there, or comes within this time.
    fn line(&self, after: Mark, part: &str, within: Duration) -> bool {
        let said =
            |lines: &mut Vec<String>| !lines[after.0..].iter().any(|line| line.contains(part));
        let lines = self.lines.lock().unwrap();
        let (_lines, waited) = self.grown.wait_timeout_while(lines, within, said).unwrap();
        !waited.timed_out()
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

pub(crate) fn name(host: usize) -> String {
    format!("n{host}")
}

pub(crate) fn joined(host: usize) -> String {
    format!("member {} joined", name(host))
}

pub(crate) fn failed(host: usize) -> String {
    format!("member {} failed", name(host))
}
