//! What metrics of peers cost: `cargo run --release -p auscult-monitor --example peer_metrics`.
//!
//! 10,000 peers with 10 metrics each. Measured are the readings taken in a second, the memory of
//! the process, its processor time while nothing is published, the same while each metric is
//! published anew once a minute, and how long after the last of 1,000 metrics expired all are told.

use std::fs;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use auscult_agent::events;
use auscult_core::id::TargetId;
use auscult_core::peer_metric::{
    Admission, Kept, MetricLogConfig, MetricLogParams, Reading, Sender, Validity,
};
use auscult_monitor::clock::Clock;
use auscult_monitor::peer_metrics::{PeerEvent, PeerMonitor};

const PEERS: usize = 10_000;
const METRICS: usize = 10;
const HOUR: Duration = Duration::from_secs(3_600);

fn main() -> io::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(30));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(measure(span))
}

struct Names {
    peers: Vec<TargetId>,
    metrics: Vec<String>,
}

async fn measure(span: Duration) -> io::Result<()> {
    let mut out = io::stdout();
    let params = MetricLogParams {
        admission: Admission::Anybody,
        ..MetricLogParams::new()
    };
    let Ok(config) = MetricLogConfig::new(params) else {
        return Err(io::Error::other("the defaults are valid"));
    };
    let monitor = PeerMonitor::start(config, Clock::new());
    let peers = (0..PEERS).filter_map(|n| TargetId::new(&format!("peer-{n:05}")).ok());
    let names = Names {
        peers: peers.collect(),
        metrics: (0..METRICS).map(|n| format!("metric-{n}")).collect(),
    };
    let empty = resident()?;
    let started = Instant::now();
    for at in 0..PEERS * METRICS {
        publish(&monitor, &names, at, HOUR);
    }
    let first = started.elapsed();
    let one = resident()?;
    let started = Instant::now();
    for _ in 0..24 {
        for at in 0..PEERS * METRICS {
            publish(&monitor, &names, at, HOUR);
        }
    }
    let rest = started.elapsed();
    let per_second = |count: usize, span: Duration| (count as f64 / span.as_secs_f64()) as u64;
    let all = PEERS * METRICS;
    writeln!(out, "first readings  {}/s", per_second(all, first))?;
    writeln!(out, "later readings  {}/s", per_second(24 * all, rest))?;
    writeln!(
        out,
        "memory, one reading each   {} bytes/metric",
        (one - empty) / all
    )?;
    let full = resident()?;
    writeln!(
        out,
        "memory, windows of 25      {} bytes/metric",
        (full - empty) / all
    )?;
    writeln!(
        out,
        "a kept reading             {} bytes",
        size_of::<Kept>()
    )?;

    let (busy, wakeups) = rest_for(&monitor, span).await?;
    writeln!(
        out,
        "at rest         {busy:.3} % of a core, {wakeups} wake-ups in {span:?}"
    )?;

    let (busy, wakeups) = refresh_for(&monitor, &names, span).await?;
    writeln!(
        out,
        "each once a minute  {busy:.3} % of a core, {wakeups} wake-ups in {span:?}"
    )?;

    let late = expire(&monitor, &names).await;
    writeln!(
        out,
        "1,000 expired within a second: the last told {late:?} after it was due"
    )?;
    monitor.shutdown().await;
    Ok(())
}

fn publish(monitor: &PeerMonitor, names: &Names, at: usize, ttl: Duration) {
    let reading = Reading {
        metric: &names.metrics[at % METRICS],
        peer: &names.peers[at / METRICS],
        value: "1234567",
        ttl,
        valid: Validity::Valid,
        weight: 0,
        epoch: None,
    };
    let taken = monitor.log_metric(Sender::Trusted, &reading);
    assert_eq!(taken, Ok(()));
}

/// Percent of a core and wake-ups while nothing is published.
async fn rest_for(monitor: &PeerMonitor, span: Duration) -> io::Result<(f64, u64)> {
    let (busy, wakeups) = (processor_time()?, monitor.wakeups());
    tokio::time::sleep(span).await;
    let busy = processor_time()? - busy;
    let share = 100.0 * busy.as_secs_f64() / span.as_secs_f64();
    Ok((share, monitor.wakeups() - wakeups))
}

/// The same while each metric is published once a minute, and good for two.
async fn refresh_for(
    monitor: &PeerMonitor,
    names: &Names,
    span: Duration,
) -> io::Result<(f64, u64)> {
    let (busy, wakeups) = (processor_time()?, monitor.wakeups());
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let started = Instant::now();
    let mut published = 0;
    while started.elapsed() < span {
        ticks.tick().await;
        let due = started.elapsed().as_secs_f64() / 60.0 * (PEERS * METRICS) as f64;
        while (published as f64) < due {
            publish(
                monitor,
                names,
                published % (PEERS * METRICS),
                Duration::from_secs(120),
            );
            published += 1;
        }
    }
    let busy = processor_time()? - busy;
    let share = 100.0 * busy.as_secs_f64() / span.as_secs_f64();
    Ok((share, monitor.wakeups() - wakeups))
}

/// How long after the last of a thousand metrics expired, all within a second, all were told.
async fn expire(monitor: &PeerMonitor, names: &Names) -> Duration {
    let mut alerts = monitor.alerts();
    for at in 0..1_000 {
        let ttl = Duration::from_millis(1_000 + at as u64);
        publish(monitor, names, at * METRICS, ttl);
    }
    let last = monitor.clock().now().after(Duration::from_millis(1_999));
    let mut failed = 0;
    while failed < 1_000 {
        if let events::Reading::Event(logged) = alerts.next().await
            && matches!(logged.event, PeerEvent::Failed { .. })
        {
            failed += 1;
        }
    }
    monitor.clock().now().since(last)
}

/// What the process used of processors, to a hundredth of a second.
fn processor_time() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|text| text.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Bytes of memory that the process has.
fn resident() -> io::Result<usize> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse::<usize>().ok());
    Ok(pages.unwrap_or(0) * 4_096)
}
