//! What the recorder remembers of each target.

use auscult_core::history::{Course, Figure};
use auscult_core::monitor::{Status, TargetView};
use auscult_core::time::Instant;

use crate::check::CheckRunner;

/// A target of which the past is kept.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) number: u32,
    pub(super) course: Course,
    /// Several monitors find its status; what this one sees is a report to them.
    pub(super) by_verdict: bool,
    /// When this monitor, which finds it down, heard it last.
    pub(super) silent_since_ms: Option<u64>,
    counted: Counts,
}

/// What is counted of a target, from its start on.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    arrivals: u64,
    checks: u64,
    check_micros: u64,
}

/// A target at one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) status: Status,
    level: f64,
    counts: Counts,
}

impl Look {
    pub(super) fn at(target: &TargetView<'_>, now: Instant, checks: &CheckRunner) -> Self {
        let mut look = Self {
            status: target.status(),
            level: 0.0,
            counts: Counts::default(),
        };
        for signal in target.signals() {
            look.level = look.level.max(signal.level(now).get());
            look.counts.arrivals += signal.arrivals();
            checks.signal(signal.key(), |metrics| {
                let micros = metrics.duration_sum().as_micros();
                look.counts.checks += metrics.checks();
                look.counts.check_micros += u64::try_from(micros).unwrap_or(u64::MAX);
            });
        }
        look
    }
}

impl Tracked {
    pub(super) fn new(number: u32, at_ms: u64, status: Status) -> Self {
        Self {
            number,
            course: Course::new(at_ms, status),
            by_verdict: false,
            silent_since_ms: None,
            counted: Counts::default(),
        }
    }

    /// Goes on at another moment; the time in between was not watched.
    pub(super) fn restart(&mut self, at_ms: u64, status: Status) {
        self.course = Course::new(at_ms, status);
    }

    /// Notes what was seen since the last look.
    pub(super) fn look(&mut self, look: &Look) {
        let Look { level, counts, .. } = look;
        self.course.saw_level(thousandths(*level));
        // A target with new signals counts anew.
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        let checks = since(counts.checks, self.counted.checks);
        let micros = since(counts.check_micros, self.counted.check_micros);
        let latency = Figure {
            count: checks,
            max: micros.checked_div(checks).unwrap_or(0),
            sum: if checks > 0 { micros } else { 0 },
        };
        let arrivals = since(counts.arrivals, self.counted.arrivals);
        self.course.heard(arrivals, &latency);
        self.counted = *counts;
    }
}

/// A level as it is added up: in thousandths, at most 1,000,000 of them, which is beyond any
/// threshold that somebody sets.
pub(super) fn thousandths(level: f64) -> u64 {
    // A cast of what is not a number gives 0.
    (level.clamp(0.0, 1_000.0) * 1_000.0).round() as u64
}
