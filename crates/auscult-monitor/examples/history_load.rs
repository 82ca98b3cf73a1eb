//! Measures the history: how many transitions a second reach the disk, and how long a question
//! about a month takes in a file of a million roll-ups and more.
//!
//! `cargo run --release -p auscult-monitor --example history_load [FOLDER]`

#![expect(clippy::print_stdout, reason = "a program that reports figures")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use auscult_core::detector::{DetectorParams, Level, PhiParams};
use auscult_core::history::{Resolution, Rollup};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Cause, Event, EventKind, Evidence, Failure, MonitorConfig, SignalConfig, SignalKey,
    SignalParams, Status,
};
use auscult_core::time::Instant;
use auscult_monitor::check::{CheckRunner, RunnerConfig, Sink};
use auscult_monitor::clock::Clock;
use auscult_monitor::engine::Engine;
use auscult_monitor::events::EventLog;
use auscult_monitor::history::History;
use auscult_monitor::registry::{FileTargets, Registry};
use auscult_monitor::replication::{Journal, Network, Nobody, Node, NodeConfig};
use auscult_monitor::shared::Monitor;

const TRANSITIONS: u64 = 1_000_000;
const TARGETS: usize = 10_000;
const DAY_MS: u64 = 86_400_000;

struct Nowhere;

impl Sink for Nowhere {
    fn arrival(&self, _key: SignalKey, _at: Instant) {}
    fn failed(&self, _key: SignalKey, _at: Instant, _failure: Failure) {}
}

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let folder = std::env::args().nth(1).map_or_else(
        || std::env::temp_dir().join("auscult-history-load"),
        PathBuf::from,
    );
    for part in ["write", "read"] {
        let folder = folder.join(part);
        // What an earlier run left would be measured, too.
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let (engine, history) = start(&folder).await?;
        match part {
            "write" => write(&engine, &history)?,
            _ => read(&history)?,
        }
        history.stop();
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

async fn start(folder: &std::path::Path) -> Result<(Engine, History), Box<dyn Error>> {
    let clock = Clock::new();
    let events = EventLog::new(clock.clone());
    let engine = Engine::start(MonitorConfig::server(), clock.clone(), events)?;
    let runner = RunnerConfig {
        threads: 1,
        sockets_max: 1,
    };
    let checks = Arc::new(CheckRunner::start(Nowhere, clock, runner)?);
    let history = History::new(folder, &engine);
    let network: Arc<dyn Network> = Arc::new(Nobody);
    let config = NodeConfig::new(Monitor::default(), 1);
    let node = Node::start(config, Journal::in_memory()?, network).await?;
    let registry = Registry::new(
        engine.clone(),
        Arc::clone(&checks),
        Arc::new(node),
        None,
        FileTargets::Own,
    );
    history.start(engine.clone(), checks, Arc::new(registry))?;
    Ok((engine, history))
}

/// From the event log to the disk, as the engine does it.
fn write(engine: &Engine, history: &History) -> Outcome {
    let names: Vec<TargetId> = (0..TARGETS)
        .filter_map(|n| TargetId::new(&format!("service-{n:05}")).ok())
        .collect();
    let evidence = evidence()?;
    let began = Stopwatch::now();
    for n in 0..TRANSITIONS {
        let (from, to) = match n / TARGETS as u64 % 2 {
            0 => (Status::Up, Status::Down),
            _ => (Status::Down, Status::Up),
        };
        engine.events().append(Event {
            at: engine.clock().now(),
            target: names.get(n as usize % TARGETS).cloned(),
            kind: EventKind::Transition {
                from,
                to,
                evidence: Box::new(evidence.clone()),
            },
        });
        // More than fits would be counted as lost, and would not be written.
        while n % 1_024 == 0 && history.status().waiting > 120_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    while history.status().changes_written < TRANSITIONS {
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed().as_secs_f64();
    let status = history.status();
    println!(
        "write: {TRANSITIONS} transitions of {TARGETS} targets on the disk in {took:.2} s: {:.0} a \
         second; {} commits, {:.2} s in them, {} lost",
        TRANSITIONS as f64 / took,
        status.commits,
        status.commit_seconds,
        status.changes_lost,
    );
    let busy = TRANSITIONS as f64 / status.commit_seconds;
    println!("write: the disk and the file alone take {busy:.0} a second");
    Ok(())
}

/// A month of one target at 10 s, and of ninety others at 5 min and coarser.
fn read(history: &History) -> Outcome {
    while history.status().commits == 0 && history.put(&[]).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let now_ms = Resolution::OneHour.floor(history.now_ms());
    let since_ms = now_ms - 30 * DAY_MS;
    let fine = TargetId::new("fine").map_err(|error| error.to_string())?;
    let names: Vec<TargetId> = (0..90)
        .filter_map(|n| TargetId::new(&format!("service-{n:05}")).ok())
        .collect();
    let began = Stopwatch::now();
    let mut rows = 0_u64;
    let mut at = since_ms;
    while at < now_ms {
        let mut batch = Vec::new();
        for step in 0..360 {
            let at = at + step * 10_000;
            batch.push((at, fine.clone(), rollup(10_000)));
            if step % 30 == 0 {
                // One row of 10 s in each 5 min: the fewest that make one of those.
                batch.extend(names.iter().map(|id| (at, id.clone(), rollup(10_000))));
            }
        }
        rows += batch.len() as u64;
        history.put(&batch)?;
        at += 3_600_000;
    }
    let all = rows + 91 * 30 * (288 + 24);
    println!(
        "read: {all} roll-ups written in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let window = (now_ms - 30 * DAY_MS + 123_456, now_ms - 1);
    for round in ["first", "again"] {
        let began = Stopwatch::now();
        let segments = history.cover(window.0, window.1)?;
        let sum = history.sum("fine", &segments)?;
        let took = began.elapsed();
        let used: u64 = segments.iter().map(|it| it.rows()).sum();
        let percent = sum.availability().unwrap_or(0.0) * 100.0;
        println!(
            "read: availability over 30 days, {round} time: {:.2} ms from {used} roll-ups \
             ({percent:.3} %)",
            took.as_secs_f64() * 1_000.0
        );
    }
    let began = Stopwatch::now();
    let month = history.rollups("fine", Resolution::TenSeconds, window, usize::MAX)?;
    let mut sum = Rollup::default();
    month.rows.iter().for_each(|(_, row)| sum.add(row));
    println!(
        "read: the same from all {} roll-ups of 10 s: {:.0} ms",
        month.rows.len(),
        began.elapsed().as_secs_f64() * 1_000.0
    );
    Ok(())
}

fn rollup(span_ms: u64) -> Rollup {
    let mut rollup = Rollup::default();
    rollup.spans_ms[usize::from(Status::Up.severity())] = span_ms;
    rollup
}

fn evidence() -> Result<Evidence, Box<dyn Error>> {
    let config = SignalConfig::new(SignalParams {
        detector: DetectorParams::Phi(PhiParams::new()),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(10),
        recovery_arrivals: 1,
    })
    .map_err(|violations| format!("{violations:?}"))?;
    Ok(Evidence {
        signal: SignalName::new("http").map_err(|error| error.to_string())?,
        cause: Cause::Silence,
        level: Level::new(16.0),
        threshold: Level::new(16.0),
        last_arrival: Some(Instant::from_secs(1)),
        silence: Duration::from_secs(4),
        recent_intervals: vec![Duration::from_secs(1); 8],
        mean: Duration::from_secs(1),
        std_deviation: Duration::from_millis(500),
        samples: 200,
        last_failure: Some((Instant::from_secs(2), Failure::Refused)),
        told: None,
        config,
    })
}
