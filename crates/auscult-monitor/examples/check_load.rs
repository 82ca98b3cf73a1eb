//! How many checks a core makes, and how late they are.
//!
//! `cargo run --release -p auscult-monitor --example check_load -- reuse --targets 10000
//! --interval-ms 1000`
//!
//! The first argument is `reuse` (HTTP on kept connections), `fresh` (HTTP, a connection for each
//! check) or `tcp`. The server that is checked is a process of its own, so that the CPU time told
//! is that of the checks alone: threads, detectors, the machine over them, its events and figures
//! included.
//!
//! On a machine that others use as well, lateness tells of them: `chrt -f 5` before the command (as
//! root) takes them out of the figure.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Change, Failure, Labels, MonitorConfig, Signal, SignalConfig, SignalParams, Target,
};
use auscult_core::time::Instant;
use auscult_monitor::check::{
    CheckRunner, CheckSpec, HistogramSnapshot, RunnerConfig, SignalKey, Sink,
};
use auscult_monitor::clock::Clock;
use auscult_monitor::engine::Engine;
use auscult_monitor::events::EventLog;
use auscult_monitor::settings::{
    Connection, HttpCheck, HttpVersion, StatusRanges, TcpCheck, TlsSpec,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve();
    }
    let kind = arguments.first().map_or("reuse", String::as_str);
    let option = |name: &str, default: u64| -> Result<u64, Box<dyn Error>> {
        let at = arguments.iter().position(|argument| argument == name);
        let value = at.and_then(|at| arguments.get(at + 1));
        Ok(value.map_or(Ok(default), |value| value.parse())?)
    };
    let targets = u32::try_from(option("--targets", 10_000)?)?;
    let interval = Duration::from_millis(option("--interval-ms", 1_000)?);
    let seconds = option("--seconds", 10)?;
    let threads = usize::try_from(option("--threads", 2)?)?;
    let server = Server::start()?;
    let spec = spec(kind, server.address, interval)?;
    measure(&spec, targets, interval, seconds, threads)
}

fn spec(kind: &str, address: SocketAddr, interval: Duration) -> Result<CheckSpec, Box<dyn Error>> {
    let timeout = Duration::from_secs(10);
    let connection = match kind {
        "tcp" => {
            return Ok(CheckSpec::Tcp(TcpCheck {
                host: address.ip().to_string().into(),
                port: address.port(),
                interval,
                timeout,
            }));
        }
        "reuse" => Connection::Reuse,
        "fresh" => Connection::Fresh,
        other => return Err(format!("{other} is neither reuse, fresh nor tcp").into()),
    };
    Ok(CheckSpec::Http(Arc::new(HttpCheck {
        url: format!("http://{address}/heartbeat").parse()?,
        method: Default::default(),
        headers: Default::default(),
        body: None,
        expect_status: StatusRanges::new(vec![(200, 299)]),
        expect_body: None,
        redirects: 5,
        version: HttpVersion::Auto,
        connection,
        tls: TlsSpec {
            verify: true,
            ca_file: None,
            server_name: None,
            expires_within: None,
        },
        interval,
        timeout,
    })))
}

/// The engine of the monitor, and when each signal was first heard.
struct Feed {
    engine: Engine,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    first: Mutex<BTreeMap<SignalKey, Instant>>,
    failures: AtomicU64,
    /// Set once the first answers have come, so that nothing but the engine costs time from then
    /// on.
    settled: AtomicBool,
}

impl Sink for Feed {
    fn arrival(&self, key: SignalKey, at: Instant) {
        Sink::arrival(&self.engine, key, at);
        if !self.heard.settled.load(Ordering::Relaxed) {
            self.heard.first.lock().entry(key).or_insert(at);
        }
    }

    fn failed(&self, key: SignalKey, at: Instant, failure: Failure) {
        Sink::failed(&self.engine, key, at, failure);
        self.heard.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// A target with the defaults of the settings.
fn target(number: u32) -> Result<Target, Box<dyn Error>> {
    let params = SignalParams {
        detector: DetectorParams::Phi(PhiParams::new()),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(10),
        recovery_arrivals: 1,
    };
    let config = SignalConfig::new(params).map_err(|violations| format!("{violations:?}"))?;
    Ok(Target {
        id: TargetId::new(&format!("server{number}"))?,
        labels: Labels::new(),
        signals: vec![Signal {
            name: SignalName::new("http")?,
            config,
        }],
    })
}

fn measure(
    spec: &CheckSpec,
    targets: u32,
    interval: Duration,
    seconds: u64,
    threads: usize,
) -> Result<(), Box<dyn Error>> {
    let clock = Clock::new();
    let memory_before = resident_kib()?;
    let events = EventLog::new(clock.clone());
    let engine = Engine::start(MonitorConfig::server(), clock.clone(), events)?;
    let heard = Arc::new(Heard::default());
    let feed = Feed {
        engine: engine.clone(),
        heard: Arc::clone(&heard),
    };
    let config = RunnerConfig {
        threads,
        ..RunnerConfig::detect()
    };
    let runner = CheckRunner::start(feed, clock.clone(), config)?;
    let begun = clock.now();
    for number in 0..targets {
        let target = target(number)?;
        let id = target.id.clone();
        engine.apply(Change::Put(target))?;
        let key = engine.read(|monitor, _| monitor.signal(&id, "http"));
        runner.set(key.ok_or("no signal")?, spec.clone())?;
    }
    let set = clock.now().since(begun);
    // All are connected, and the figures below are those of a monitor that has run for a while.
    std::thread::sleep(interval.max(Duration::from_secs(1)) * 2);
    heard.settled.store(true, Ordering::Relaxed);
    let firsts = heard.first.lock().clone();
    let last = firsts.values().map(|first| first.since(begun)).max();
    println!(
        "{targets} targets set in {set:.1?}; {} answered, the last one {:.1?} after the start",
        firsts.len(),
        last.unwrap_or_default(),
    );

    let before = Account::now(&runner, &clock)?;
    std::thread::sleep(Duration::from_secs(seconds));
    Account::now(&runner, &clock)?.tell_since(&before);
    println!(
        "failed {}, skipped {}, delayed {}, connections made {}, stale {}",
        heard.failures.load(Ordering::Relaxed),
        runner.metrics().skipped(),
        runner.metrics().delayed(),
        runner.metrics().connections_opened(),
        runner.metrics().connections_stale(),
    );
    let memory = resident_kib()?.saturating_sub(memory_before);
    println!(
        "memory {memory} KiB, {:.2} KiB per target",
        memory as f64 / f64::from(targets)
    );
    Ok(())
}

/// What was done and spent so far.
struct Account {
    lateness: HistogramSnapshot,
    cpu: Duration,
    at: Instant,
}

impl Account {
    fn now(runner: &CheckRunner, clock: &Clock) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            lateness: runner.metrics().lateness.snapshot(),
            cpu: cpu_time()?,
            at: clock.now(),
        })
    }

    fn tell_since(&self, before: &Self) {
        let checks = self.lateness.count - before.lateness.count;
        let (cpu, wall) = (self.cpu - before.cpu, self.at.since(before.at));
        println!(
            "{:.0} checks/s, {:.1} µs of CPU each",
            checks as f64 / wall.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / checks as f64
        );
        println!(
            "{:.0} checks per core-second",
            checks as f64 / cpu.as_secs_f64()
        );
        let late_ms = |part| quantile(&before.lateness, &self.lateness, part) * 1e3;
        println!(
            "lateness p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
            late_ms(0.5),
            late_ms(0.99),
            late_ms(0.999),
        );
    }
}

/// Between the bounds of its bucket, taken to be spread evenly.
fn quantile(before: &HistogramSnapshot, after: &HistogramSnapshot, part: f64) -> f64 {
    let wanted = (after.count - before.count) as f64 * part;
    let (mut seen, mut lower) = (0.0, 0.0);
    for ((bound, count), (_, earlier)) in after.buckets.iter().zip(&before.buckets) {
        let here = (count - earlier) as f64;
        if seen + here >= wanted {
            return lower + (bound - lower) * (wanted - seen) / here.max(1.0);
        }
        (seen, lower) = (seen + here, *bound);
    }
    f64::INFINITY
}

/// Of all threads of this process, by the scheduler's own account in nanoseconds.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let account = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += account.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS")?.parse()?)
}

/// The server process; it ends when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self {
            child,
            address: line.trim().parse()?,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is of no use any more, whatever becomes of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers every read with the same answer; ends with its parent.
fn serve() -> Result<(), Box<dyn Error>> {
    let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(|| {
        let _ = std::io::stdin().lines().count();
        drop(end);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind("127.0.0.1:0".parse()?)?;
        let listener: TcpListener = socket.listen(4_096)?;
        println!("{}", listener.local_addr()?);
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted?.0,
                _ = &mut ended => return Ok(()),
            };
            tokio::spawn(answer(stream));
        }
    })
}

async fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    while let Ok(1..) = stream.read(&mut request).await {
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nok\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}
