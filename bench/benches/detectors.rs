//! One signal, hot in the cache: a heartbeat with its deadline, the exact level, the question
//! whether the threshold is crossed, and the sweep of a million deadlines. Allocations are counted.

use std::hint::black_box;
use std::time::Duration;

use auscult_bench::Subject;
use auscult_bench::subject::{
    Auscult, AuscultDecayed, FailureDetector, LoopAlone, PhiAccrual, PhiDetector, SharedDetector,
};
use auscult_core::time::Instant;
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const WINDOWS: [usize; 2] = [200, 1000];

#[divan::bench(args = WINDOWS, sample_size = 10_000, types = [
    Auscult, AuscultDecayed, FailureDetector, LoopAlone, PhiDetector, PhiAccrual, SharedDetector,
])]
fn heartbeat<S: Subject>(bencher: Bencher, window: usize) {
    let (mut subject, mut arrivals) = S::filled(window);
    bencher.bench_local(|| subject.heartbeat(arrivals.next_nanos()));
}

#[divan::bench(args = WINDOWS, sample_size = 10_000, types = [
    Auscult, AuscultDecayed, FailureDetector, PhiDetector, PhiAccrual, SharedDetector,
])]
fn level<S: Subject>(bencher: Bencher, window: usize) {
    let (mut subject, mut arrivals) = S::filled(window);
    bencher.bench_local(|| subject.level(arrivals.next_silence()));
}

#[divan::bench(args = WINDOWS, sample_size = 10_000, types = [
    Auscult, AuscultDecayed, FailureDetector, PhiDetector, PhiAccrual, SharedDetector,
])]
fn is_over<S: Subject>(bencher: Bencher, window: usize) {
    let (mut subject, mut arrivals) = S::filled(window);
    bencher.bench_local(|| subject.is_over(arrivals.next_silence()));
}

#[divan::bench]
fn sweep_of_a_million_deadlines(bencher: Bencher) {
    let deadlines: Vec<Instant> = (0..1_000_000)
        .map(|at| Instant::ORIGIN.after(Duration::from_micros(at * 7 % 1_000_003)))
        .collect();
    let mut now = Instant::from_millis(1);
    bencher.bench_local(|| {
        now = now.after(Duration::from_micros(1));
        let now = black_box(now);
        black_box(&deadlines)
            .iter()
            .filter(|deadline| **deadline <= now)
            .count()
    });
}
