//! A heartbeat with its deadline in a plain loop over one detector, as an embedder writes it: the
//! harness of the other bench stands between two heartbeats, and keeps what does not change from
//! staying in registers.

use std::hint::black_box;
use std::time::Instant as Clock;

use auscult_bench::subject::Auscult;
use auscult_core::detector::{DetectorState, History, Learn, Level, Mark};
use auscult_core::time::Instant;

/// Gaps between arrivals: 950 to 1,050 ms, made beforehand.
const GAPS: usize = 4_096;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let (repeats, heartbeats) = if smoke { (1, 10_000) } else { (10, 3_000_000) };
    let mut random = 1_u64;
    let gaps = [(); GAPS].map(|()| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        950_000_000 + (random >> 33) % 100_000_000
    });
    for samples in [200, 1_000] {
        let mut subject = Subject::new(samples);
        let nanos = (0..repeats)
            .map(|_| {
                let begin = Clock::now();
                black_box(subject.run(&gaps, heartbeats));
                begin.elapsed().as_secs_f64() * 1e9 / heartbeats as f64
            })
            .fold(f64::MAX, f64::min);
        println!("heartbeat in a plain loop, window {samples}\tauscult\t{nanos:.1}\tns\t<= 12");
    }
}

struct Subject {
    config: auscult_core::detector::DetectorConfig,
    mark: Mark,
    state: DetectorState,
    now: u64,
    sequence: u64,
}

impl Subject {
    fn new(samples: usize) -> Self {
        let config = Auscult::config(History::Window { samples });
        Self {
            mark: Mark::new(&config, Level::new(8.0)),
            state: DetectorState::new(&config),
            config,
            now: 0,
            sequence: 0,
        }
    }

    /// Takes numbered heartbeats, and returns something of every deadline.
    #[inline(never)]
    fn run(&mut self, gaps: &[u64; GAPS], heartbeats: usize) -> u64 {
        let Self {
            config,
            mark,
            state,
            now,
            sequence,
        } = self;
        let mut deadlines = 0;
        for number in 0..heartbeats {
            *now += gaps[number % GAPS];
            *sequence += 1;
            let at = Instant::from_nanos(*now);
            state.heartbeat(config, at, Some(*sequence), Learn::Interval);
            deadlines ^= state.deadline(config, mark).map_or(0, Instant::as_nanos);
        }
        deadlines
    }
}
