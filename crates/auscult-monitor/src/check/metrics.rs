//! Figures about checks: atomics, written by the checks and read by whoever renders them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auscult_core::monitor::Failure;
use auscult_core::time::nanos;
use tokio::sync::Semaphore;

/// Upper bounds of the buckets of check durations, in seconds.
pub(super) const DURATION_BOUNDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

/// Upper bounds of the buckets of lateness, in seconds. Timers tick once a millisecond.
pub(super) const LATENESS_BOUNDS: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0,
];

/// Figures over all checks.
#[derive(Debug)]
pub struct CheckMetrics {
    /// Durations of HTTP checks, good and failed.
    pub http_duration: Histogram,
    /// Durations of TCP checks, good and failed.
    pub tcp_duration: Histogram,
    /// How long after its scheduled moment each check began.
    pub lateness: Histogram,
    pub(super) in_flight: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) delayed: AtomicU64,
    pub(super) connections_opened: AtomicU64,
    pub(super) connections_stale: AtomicU64,
    sockets: Arc<Semaphore>,
    sockets_max: usize,
    pub(super) failures: [AtomicU64; FAILURE_REASONS.len()],
}

/// The reasons of failed checks, in the order of the counters.
pub(super) const FAILURE_REASONS: [&str; 9] = [
    "refused",
    "timeout",
    "unreachable",
    "dns",
    "tls",
    "status",
    "body",
    "protocol",
    "local",
];

impl CheckMetrics {
    pub(super) fn new(sockets: Arc<Semaphore>) -> Self {
        Self {
            http_duration: Histogram::new(DURATION_BOUNDS),
            tcp_duration: Histogram::new(DURATION_BOUNDS),
            lateness: Histogram::new(LATENESS_BOUNDS),
            in_flight: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
            connections_opened: AtomicU64::new(0),
            connections_stale: AtomicU64::new(0),
            sockets_max: sockets.available_permits(),
            sockets,
            failures: [const { AtomicU64::new(0) }; FAILURE_REASONS.len()],
        }
    }

    /// Checks that run now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Checks that were not made because the one before them took too long.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Checks that had to wait because all sockets were in use.
    #[must_use]
    pub fn delayed(&self) -> u64 {
        self.delayed.load(Ordering::Relaxed)
    }

    /// Connections that were made.
    #[must_use]
    pub fn connections_opened(&self) -> u64 {
        self.connections_opened.load(Ordering::Relaxed)
    }

    /// Kept connections that the server had closed when they were to be used again.
    #[must_use]
    pub fn connections_stale(&self) -> u64 {
        self.connections_stale.load(Ordering::Relaxed)
    }

    /// Sockets in use, by checks in flight and kept connections.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets_max - self.sockets.available_permits()
    }

    /// The most sockets that checks may use, below the process's limit of descriptors.
    #[must_use]
    pub const fn sockets_max(&self) -> usize {
        self.sockets_max
    }

    /// Failed checks by reason.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counts(&self.failures)
    }
}

/// Figures about the checks of one signal.
#[derive(Debug, Default)]
pub struct SignalMetrics {
    pub(super) checks: AtomicU64,
    pub(super) duration_nanos: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) failures: [AtomicU64; FAILURE_REASONS.len()],
}

impl SignalMetrics {
    /// Checks that ended, good and failed.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }

    /// The sum of their durations.
    #[must_use]
    pub fn duration_sum(&self) -> Duration {
        Duration::from_nanos(self.duration_nanos.load(Ordering::Relaxed))
    }

    /// Checks that were not made because the one before them took too long.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Failed checks by reason.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counts(&self.failures)
    }
}

fn counts(
    counters: &[AtomicU64; FAILURE_REASONS.len()],
) -> impl Iterator<Item = (&'static str, u64)> {
    FAILURE_REASONS
        .iter()
        .zip(counters)
        .map(|(reason, count)| (*reason, count.load(Ordering::Relaxed)))
}

/// Where a failure stands in [`FAILURE_REASONS`].
pub(super) const fn reason_index(failure: Failure) -> usize {
    match failure {
        Failure::Refused => 0,
        Failure::Timeout => 1,
        Failure::Unreachable => 2,
        Failure::Dns => 3,
        Failure::Tls => 4,
        Failure::Status(_) => 5,
        Failure::Body => 6,
        Failure::Protocol => 7,
        Failure::Local => 8,
    }
}

/// A histogram with fixed buckets.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// The bounds in whole nanoseconds, so that recording needs no division.
    bounds_nanos: Box<[u64]>,
    /// One more than bounds: the last is beyond them all.
    counts: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSnapshot {
    /// Upper bounds in seconds, and how many values were at or below each and above the one before.
    pub buckets: Vec<(f64, u64)>,
    /// How many values were above all bounds.
    pub above: u64,
    /// The sum of all values, in seconds.
    pub sum_seconds: f64,
    /// How many values there were.
    pub count: u64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        let bounds_nanos = bounds
            .iter()
            .map(|&bound| nanos(Duration::from_secs_f64(bound)))
            .collect();
        Self {
            bounds,
            bounds_nanos,
            counts: bounds
                .iter()
                .chain([&0.0])
                .map(|_| AtomicU64::new(0))
                .collect(),
            sum_nanos: AtomicU64::new(0),
        }
    }

    pub(super) fn record(&self, value: Duration) {
        let value = nanos(value);
        let bucket = self.bounds_nanos.partition_point(|&bound| bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(value, Ordering::Relaxed);
    }

    /// The histogram as it is now.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        let counts: Vec<u64> = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        HistogramSnapshot {
            buckets: self
                .bounds
                .iter()
                .copied()
                .zip(counts.iter().copied())
                .collect(),
            above: counts.last().copied().unwrap_or(0),
            sum_seconds: Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)).as_secs_f64(),
            count: counts.iter().sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let histogram = Histogram::new(&[0.001, 0.01]);
        for micros in [0, 1_000, 1_001, 10_000, 10_001] {
            histogram.record(Duration::from_micros(micros));
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.buckets, [(0.001, 2), (0.01, 2)]);
        assert_eq!((snapshot.above, snapshot.count), (1, 5));
        assert!((snapshot.sum_seconds - 0.022_002).abs() < 1e-12);
    }

    #[test]
    fn every_failure_is_counted_under_its_own_code() {
        for failure in [
            Failure::Refused,
            Failure::Timeout,
            Failure::Unreachable,
            Failure::Dns,
            Failure::Tls,
            Failure::Status(503),
            Failure::Body,
            Failure::Protocol,
            Failure::Local,
        ] {
            assert_eq!(FAILURE_REASONS[reason_index(failure)], failure.as_str());
        }
    }
}
