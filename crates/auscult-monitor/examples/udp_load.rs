//! What a pushed heartbeat costs the monitor: a monitor in a process of its own, a sender in
//! another, and the CPU time of the first by the kernel's own accounts.
//!
//! ```text
//! cargo run --release -p auscult-monitor --example udp_load -- \
//!     [--heartbeats 2000000] [--targets 10000] [--rate 0] [--form binary|text|signed] [--train 1]
//! ```
//!
//! `--rate` is in heartbeats a second, 0 for as fast as one thread sends; `--train` joins so many
//! heartbeats in one send, as a relay does. Accepted, rejected and dropped heartbeats must add up
//! to those sent.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Arrival, Change, Labels, MonitorConfig, Signal, SignalConfig, SignalParams, Target,
};
use auscult_core::wire::heartbeat::Heartbeat;
use auscult_monitor::clock::Clock;
use auscult_monitor::engine::Engine;
use auscult_monitor::events::EventLog;
use auscult_monitor::ingest::udp::BoundUdp;
use auscult_monitor::ingest::{Admission, Admitted, Key, UdpReceiver};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
const SERVE: &str = "--serve";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let load = Load::from_args()?;
    if std::env::args().nth(1).as_deref() == Some(SERVE) {
        serve(&load)
    } else {
        measure(&load)
    }
}

#[derive(Clone, Debug)]
struct Load {
    heartbeats: u64,
    targets: usize,
    rate: u64,
    form: String,
    train: usize,
}

impl Load {
    fn from_args() -> Result<Self, Failure> {
        let mut load = Self {
            heartbeats: 2_000_000,
            targets: 10_000,
            rate: 0,
            form: "binary".to_owned(),
            train: 1,
        };
        let mut args = std::env::args().skip(1).filter(|arg| arg != SERVE);
        while let Some(name) = args.next() {
            let value = args.next().ok_or("every flag has a value")?;
            match name.as_str() {
                "--heartbeats" => load.heartbeats = value.parse()?,
                "--targets" => load.targets = value.parse()?,
                "--rate" => load.rate = value.parse()?,
                "--form" => load.form = value,
                "--train" => load.train = value.parse()?,
                _ => return Err(format!("there is no flag {name}").into()),
            }
        }
        Ok(load)
    }

    fn name(&self, number: usize) -> String {
        format!("service-{number:05}")
    }

    fn datagram(
        &self,
        number: usize,
        sequence: u64,
        key: &Key,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let name = self.name(number);
        let heartbeat = Heartbeat {
            target: &name,
            signal: None,
            sequence: Some(sequence),
            interval_hint: None,
        };
        match self.form.as_str() {
            "binary" => heartbeat.encode(out)?,
            "signed" => heartbeat.encode_signed(out, |bytes| key.sign(bytes))?,
            "text" => out.extend_from_slice(format!("{name} seq={sequence}\n").as_bytes()),
            form => return Err(format!("there is no form {form}").into()),
        }
        Ok(())
    }
}

struct Closed;

impl Admission for Closed {
    fn is_open(&self) -> bool {
        false
    }

    fn admit(&self, _heartbeat: &Arrival<'_>) -> Admitted {
        Admitted::Refused
    }
}

/// The monitor: prints its port, and its counts whenever it reads a line.
fn serve(load: &Load) -> Result<(), Failure> {
    let clock = Clock::new();
    let engine = Engine::start(MonitorConfig::server(), clock.clone(), EventLog::new(clock))?;
    let config = SignalConfig::new(SignalParams {
        detector: DetectorParams::Phi(PhiParams::new()),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(3_600),
        recovery_arrivals: 1,
    })
    .map_err(|violations| format!("{violations:?}"))?;
    for number in 0..load.targets {
        let target = Target {
            id: TargetId::new(&load.name(number))?,
            labels: Labels::new(),
            signals: vec![Signal {
                name: SignalName::new("heartbeat")?,
                config: config.clone(),
            }],
        };
        engine.apply(Change::Put(target))?;
    }
    let key = Arc::new(ArcSwapOption::empty());
    if load.form == "signed" {
        key.store(Some(Arc::new(Key::new(KEY)?)));
    }
    let bound = BoundUdp::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let receiver = UdpReceiver::start(bound, engine.clone(), Arc::new(Closed), key)?;
    engine.add_drain_source(receiver.drain_source());
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", receiver.local_addr()?)?;
    for line in std::io::stdin().lines() {
        line?;
        let metrics = receiver.metrics();
        let dropped = receiver
            .kernel_queue()
            .ok_or("no table of sockets")?
            .dropped;
        let (accepted, rejected) = (metrics.accepted(), metrics.rejected_total());
        writeln!(out, "{accepted} {rejected} {dropped} {}", metrics.reads())?;
    }
    Ok(())
}

fn measure(load: &Load) -> Result<(), Failure> {
    let mut monitor = Monitor::start()?;
    let mut out = String::new();
    writeln!(out, "{load:?}")?;
    let before = monitor.cpu()?;
    let begun = Instant::now();
    send(load, monitor.addr)?;
    let sending = begun.elapsed();
    let counts = monitor.settle(load.heartbeats)?;
    let cpu = monitor.cpu()?.saturating_sub(before);
    let Counts {
        accepted,
        rejected,
        dropped,
        reads,
    } = counts;
    let read = accepted + rejected;
    writeln!(
        out,
        "sent {} in {:.2} s ({:.0}/s): accepted {accepted} + rejected {rejected} + dropped {dropped} = {}",
        load.heartbeats,
        sending.as_secs_f64(),
        load.heartbeats as f64 / sending.as_secs_f64(),
        read + dropped,
    )?;
    writeln!(
        out,
        "monitor: {:.3} s of CPU, {:.0} ns a heartbeat, {:.1} heartbeats a read",
        cpu.as_secs_f64(),
        cpu.as_nanos() as f64 / read as f64,
        read as f64 / reads as f64,
    )?;
    std::io::stdout().write_all(out.as_bytes())?;
    Ok(())
}

fn send(load: &Load, to: SocketAddr) -> Result<(), Failure> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    socket.set_nonblocking(false)?;
    let key = Key::new(KEY)?;
    // Written beforehand, a few rounds of all targets, so that the sender's work is little but
    // sending. The sequence numbers of a round grow from the one before.
    let begun = Instant::now();
    let mut sent = 0;
    let mut bytes = Vec::new();
    while sent < load.heartbeats {
        bytes.clear();
        let train = load.train.min((load.heartbeats - sent) as usize);
        for _ in 0..train {
            let (round, number) = (sent / load.targets as u64, sent % load.targets as u64);
            // A fixed number of bytes for each, as a train needs.
            load.datagram(number as usize, 1 << 40 | round, &key, &mut bytes)?;
            sent += 1;
        }
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: &bytes,
            segment_size: (train > 1).then_some(bytes.len() / train),
            src_ip: None,
        };
        state.try_send(UdpSockRef::from(&socket), &transmit)?;
        // A rate of 0 has no such moment.
        let due = (sent * 1_000_000_000)
            .checked_div(load.rate)
            .map(Duration::from_nanos);
        let early = due.map_or(Duration::ZERO, |due| due.saturating_sub(begun.elapsed()));
        if early > Duration::from_micros(200) {
            thread::sleep(early);
        }
    }
    Ok(())
}

struct Monitor {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    addr: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    accepted: u64,
    rejected: u64,
    dropped: u64,
    reads: u64,
}

impl Monitor {
    fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .args(std::env::args().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut answers = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let addr = line.trim().parse()?;
        Ok(Self {
            child,
            answers,
            addr,
        })
    }

    fn counts(&mut self) -> Result<Counts, Failure> {
        let input = self.child.stdin.as_mut().ok_or("no input")?;
        input.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers?[..] {
            [accepted, rejected, dropped, reads] => Ok(Counts {
                accepted,
                rejected,
                dropped,
                reads,
            }),
            _ => Err("the monitor ended".into()),
        }
    }

    /// Waits until everything is accounted for, at most 10 s.
    fn settle(&mut self, sent: u64) -> Result<Counts, Failure> {
        let begun = Instant::now();
        loop {
            let counts = self.counts()?;
            let known = counts.accepted + counts.rejected + counts.dropped;
            if known == sent || begun.elapsed() > Duration::from_secs(10) {
                return Ok(counts);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The CPU time of all its threads.
    fn cpu(&self) -> Result<Duration, Failure> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let field = text.split_whitespace().next().ok_or("no schedstat")?;
            nanos += field.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if self.child.wait().is_err() {
            let _ = self.child.kill();
        }
    }
}
