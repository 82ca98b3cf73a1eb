//! How a figure is taken and printed.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How much a benchmark does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Enough for a figure to be believed.
    Full,
    /// One short round, to see that the benchmark runs.
    Smoke,
}

impl Effort {
    /// `--smoke` among the arguments asks for one short round.
    #[must_use]
    pub fn from_arguments() -> Self {
        if std::env::args().any(|argument| argument == "--smoke") {
            Self::Smoke
        } else {
            Self::Full
        }
    }

    /// `full`, or `smoke` when one short round is asked for.
    #[must_use]
    pub fn choose<T>(self, full: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Smoke => smoke,
        }
    }
}

/// Prints one figure as `figure TAB subject TAB value TAB unit TAB goal`.
pub fn print(figure: &str, subject: &str, value: f64, unit: &str, goal: &str) {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    println!("{figure}\t{subject}\t{value:.digits$}\t{unit}\t{goal}");
}

/// The processor time that this thread has used. Unlike wall time it does not count what others on
/// the machine do.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// Millions of operations per second of processor time, the best of some rounds.
#[must_use]
pub fn rate(effort: Effort, per_round: usize, mut round: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..effort.choose(8, 1) {
        let began = cpu_time();
        round();
        best = best.min(cpu_time() - began);
    }
    per_round as f64 / best.as_secs_f64() / 1e6
}
