//! What a window says of a target: how much of the time it was there, and what that leaves of what
//! it may be away.

use super::rollup::Rollup;
use crate::monitor::Status;

/// The share of the time in which a target is to be there.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Objective(f64);

impl Objective {
    /// From a percentage: above 0 and below 100, as with 100 there is no budget to speak of.
    #[must_use]
    pub fn from_percent(percent: f64) -> Option<Self> {
        (percent > 0.0 && percent < 100.0).then_some(Self(percent))
    }

    /// As a percentage.
    #[must_use]
    pub fn percent(self) -> f64 {
        self.0
    }
}

/// What a window says of a target.
///
/// Time that nobody can judge is left out on both sides: not watched, `unknown`, `paused`. `late`
/// is a suspicion, and counts as there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Availability {
    /// Milliseconds with a verdict: up, late or down.
    pub judged_ms: u64,
    /// Milliseconds of them in which it was down.
    pub down_ms: u64,
    /// The share of the judged time in which it was not down; `None` when nothing was judged.
    pub ratio: Option<f64>,
    /// Milliseconds that it may be down in the judged time.
    pub budget_ms: f64,
    /// Milliseconds that are left of it; below 0 when it was down for longer.
    pub budget_left_ms: f64,
    /// Outages: those that began in the window, and one that it began with.
    pub outages: u64,
    /// Mean milliseconds between failures: time there, per outage. `None` without an outage.
    pub between_failures_ms: Option<f64>,
    /// Mean milliseconds to recovery: time down, per outage. `None` without an outage.
    pub to_recover_ms: Option<f64>,
    /// Mean milliseconds from the last sign of life to the verdict. `None` when no silence was one.
    pub detection_ms: Option<f64>,
    /// The longest such time.
    pub detection_max_ms: Option<u64>,
}

impl Availability {
    /// What a roll-up of the whole window says.
    #[must_use]
    pub fn of(window: &Rollup, objective: Objective) -> Self {
        let there = window
            .span_ms(Status::Up)
            .saturating_add(window.span_ms(Status::Late));
        let down_ms = window.span_ms(Status::Down);
        let judged_ms = there.saturating_add(down_ms);
        // One that it began with has no beginning in it, but an end, or no change at all.
        let outages = window
            .failures
            .max(window.recoveries)
            .max(u64::from(down_ms > 0));
        let per_outage = |span: u64| (outages > 0).then(|| span as f64 / outages as f64);
        let budget_ms = judged_ms as f64 * (1.0 - objective.0 / 100.0);
        Self {
            judged_ms,
            down_ms,
            ratio: window.availability(),
            budget_ms,
            budget_left_ms: budget_ms - down_ms as f64,
            outages,
            between_failures_ms: per_outage(there),
            to_recover_ms: per_outage(down_ms),
            detection_ms: window.detection.mean(),
            detection_max_ms: (window.detection.count > 0).then_some(window.detection.max),
        }
    }
}
