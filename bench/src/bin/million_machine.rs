//! Heartbeats by name to random ones of a million targets, through the whole machine (id, detector,
//! status rule, timer), and the bytes that a signal takes. One core, its processor time.

use std::hint::black_box;
use std::time::Duration;

use auscult_bench::crowd::{Crowd, Id, SIGNALS};
use auscult_bench::figure::rate;
use auscult_bench::{Effort, memory, print};
use auscult_core::detector::{DetectorParams, History, PhiParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Arrival, Change, Input, Labels, Monitor, MonitorConfig, Signal, SignalConfig, SignalParams,
    Source, Target,
};
use auscult_core::time::Instant;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// Heartbeats that are read from the socket together.
const BATCH: usize = 64;

fn main() {
    let effort = Effort::from_arguments();
    let signals = effort.choose(SIGNALS, 1 << 12);
    machine(
        effort,
        signals,
        "window 200",
        History::Window { samples: 200 },
    );
    machine(
        effort,
        signals,
        "decayed",
        History::Decayed { samples: 200 },
    );
}

fn machine(effort: Effort, signals: usize, history: &str, kind: History) {
    let config = SignalConfig::new(SignalParams {
        detector: DetectorParams::Phi(PhiParams {
            history: kind,
            ..PhiParams::new()
        }),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(10),
        recovery_arrivals: 1,
    })
    .expect("the settings are in their range");

    bytes_per_signal(effort, &config, history, kind);
    let mut monitor = watching(signals, &config);
    let mut crowd = Crowd::new(signals);
    let mut hear = |monitor: &mut Monitor| {
        let batch: [(Id, Instant); BATCH] = std::array::from_fn(|_| {
            let (at, now) = crowd.next();
            (Id::new(at), now)
        });
        let arrivals: [Arrival<'_>; BATCH] = std::array::from_fn(|n| Arrival {
            source: Source::Name {
                target: batch[n].0.as_str(),
                signal: None,
            },
            received_at: batch[n].1,
            sequence: None,
            interval_hint: None,
        });
        monitor.handle(crowd.now(), Input::Arrivals(&arrivals));
        drain(monitor)
    };
    // Two rounds: every target is up, and every page is there.
    for _ in 0..2 * signals / BATCH {
        hear(&mut monitor);
    }

    let figure = format!("heartbeats by name through the machine, {signals} targets, {history}");
    let (allocations, mut outputs) = (memory::allocations(), 0);
    let through = rate(effort, signals, || {
        for _ in 0..signals / BATCH {
            outputs += hear(&mut monitor);
        }
    });
    print(&figure, "auscult, batches of 64", through, "M/s", ">= 5");
    let allocated = (memory::allocations() - allocations) as f64;
    print(&figure, "auscult, allocations", allocated, "", "0");
    print(&figure, "auscult, verdicts", f64::from(outputs), "", "0");
}

/// What the allocator says of a machine of which every signal was heard: all of it, and what of it
/// the names take.
fn bytes_per_signal(effort: Effort, config: &SignalConfig, history: &str, kind: History) {
    let signals = effort.choose(1_000_000, 1 << 12);
    let before = memory::live();
    let mut monitor = watching(signals, config);
    for at in 0..signals {
        let id = Id::new(at);
        let arrival = Arrival {
            source: Source::Name {
                target: id.as_str(),
                signal: None,
            },
            received_at: Instant::ORIGIN,
            sequence: None,
            interval_hint: None,
        };
        monitor.handle(Instant::ORIGIN, Input::Arrivals(&[arrival]));
        drain(&mut monitor);
    }
    let all = memory::live() - before;
    let ids = monitor.id_bytes();
    let goal = match kind {
        History::Window { .. } => "<= 1024",
        History::Decayed { .. } => "<= 128",
    };
    let per_signal = |bytes: usize| bytes as f64 / signals as f64;
    let figure = format!("memory per signal in the machine, {signals} signals, {history}");
    print(
        &figure,
        "auscult, ids aside",
        per_signal(all - ids),
        "B",
        goal,
    );
    print(
        &figure,
        "auscult, names, their pointers and table",
        per_signal(ids),
        "B",
        "",
    );
    print(&figure, "auscult, all of it", per_signal(all), "B", "");
}

/// A machine that watches so many targets of one signal each.
fn watching(signals: usize, config: &SignalConfig) -> Monitor {
    let mut monitor = Monitor::new(MonitorConfig::server(), 1, Instant::ORIGIN);
    for at in 0..signals {
        let id = TargetId::new(Id::new(at).as_str()).expect("a name");
        let name = SignalName::new("heartbeat").expect("a name");
        let target = Target {
            id,
            labels: Labels::new(),
            signals: vec![Signal {
                name,
                config: config.clone(),
            }],
        };
        monitor
            .apply(Instant::ORIGIN, Change::Put(target))
            .expect("there is room");
        drain(&mut monitor);
    }
    monitor
}

/// Takes everything that the machine has to say, and counts it.
fn drain(monitor: &mut Monitor) -> u32 {
    let mut outputs = 0;
    while let Some(output) = monitor.poll_output() {
        black_box(output);
        outputs += 1;
    }
    outputs
}
