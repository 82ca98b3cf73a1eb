//! Heartbeats to random ones of a million detectors, and the bytes that they take: one by one, in
//! batches, and the fastest peer. One core, its processor time.

use std::hint::black_box;

use auscult_bench::crowd::{Crowd, SIGNALS};
use auscult_bench::figure::rate;
use auscult_bench::subject::{Auscult, FailureDetector, VirtualClock};
use auscult_bench::{Effort, Subject, memory, print};
use auscult_core::detector::{DetectorConfig, DetectorState, History, Learn, Level, Mark};
use auscult_core::time::Instant;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// Heartbeats that are read from the socket together.
const BATCH: usize = 64;

const WINDOW: History = History::Window { samples: 200 };
const DECAYED: History = History::Decayed { samples: 200 };

fn main() {
    let effort = Effort::from_arguments();
    let signals = effort.choose(SIGNALS, 1 << 12);
    detectors(effort, signals, "window 200", WINDOW);
    detectors(effort, signals, "decayed", DECAYED);
    peer(effort, signals);
}

/// A detector and its deadline, side by side: the second pass of a batch finds both in the cache.
struct Signal {
    state: DetectorState,
    deadline: Instant,
}

impl Signal {
    fn new(config: &DetectorConfig) -> Self {
        Self {
            state: DetectorState::new(config),
            deadline: Instant::FAR_FUTURE,
        }
    }
}

fn detectors(effort: Effort, signals: usize, history: &str, kind: History) {
    let config = Auscult::config(kind);
    let mark = Mark::new(&config, Level::new(8.0));
    let before = memory::live();
    let mut heard: Vec<Signal> = (0..signals).map(|_| Signal::new(&config)).collect();
    let mut crowd = Crowd::new(signals);
    let hear = |signal: &mut Signal, now: Instant| {
        signal.state.heartbeat(&config, now, None, Learn::Interval);
        let deadline = signal.state.deadline(&config, &mark);
        signal.deadline = deadline.unwrap_or(Instant::FAR_FUTURE);
    };
    // Each window fills, so that nothing is allocated and every page is there.
    for _ in 0..signals * 2 {
        let (at, now) = crowd.next();
        hear(&mut heard[at], now);
    }
    let bytes = (memory::live() - before) as f64 / signals as f64;
    print(
        &format!("memory per detector and deadline, {history}"),
        "auscult",
        bytes,
        "B",
        "",
    );

    let figure = format!("heartbeats to random ones of {signals} detectors, {history}");
    let allocations = memory::allocations();
    let one_by_one = rate(effort, signals, || {
        for _ in 0..signals {
            let (at, now) = crowd.next();
            hear(&mut heard[at], now);
        }
    });
    print(&figure, "auscult, one by one", one_by_one, "M/s", "");
    let in_batches = rate(effort, signals, || {
        for _ in 0..signals / BATCH {
            let batch: [(usize, Instant); BATCH] = std::array::from_fn(|_| crowd.next());
            // Three short passes, each over memory that does not wait for other memory: the states,
            // the slots that they point to, and the work itself.
            let read = batch.iter().map(|&(at, _)| heard[at].deadline.as_nanos());
            black_box(read.fold(0, u64::wrapping_add));
            let touched = batch.iter().map(|&(at, _)| heard[at].state.touch());
            black_box(touched.fold(0, u64::wrapping_add));
            for (at, now) in batch {
                hear(&mut heard[at], now);
            }
        }
    });
    print(
        &figure,
        "auscult, batches of 64",
        in_batches,
        "M/s",
        ">= 15",
    );
    let allocated = (memory::allocations() - allocations) as f64;
    print(&figure, "auscult, allocations", allocated, "", "0");
}

fn peer(effort: Effort, signals: usize) {
    let clock = VirtualClock::default();
    let before = memory::live();
    let mut detectors: Vec<FailureDetector> = (0..signals)
        .map(|_| FailureDetector::with_clock(200, clock.clone()))
        .collect();
    let mut crowd = Crowd::new(signals);
    let mut hear = |rounds: usize| {
        for _ in 0..rounds * signals {
            let (at, now) = crowd.next();
            detectors[at].heartbeat(now.as_nanos());
        }
    };
    hear(2);
    let bytes = (memory::live() - before) as f64 / signals as f64;
    let name = FailureDetector::NAME;
    print(
        "memory per detector and deadline, window 200",
        name,
        bytes,
        "B",
        "",
    );
    let rate = rate(effort, signals, || hear(1));
    let figure = format!("heartbeats to random ones of {signals} detectors, window 200");
    print(&figure, name, rate, "M/s", "");
}
