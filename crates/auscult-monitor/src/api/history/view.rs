//! Rows of the past as JSON.

use std::time::Duration;

use auscult_core::history::{Figure, Rollup};
use auscult_core::monitor::Status;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::views::{Time, millis};
use crate::history::{Change, Grounds};

/// A change of status, as it was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeView {
    /// The number of the event, as `/v1/events` had it.
    id: u64,
    at: Time,
    /// transition, signal_transition, observed, verdict or removed, as in `/v1/events`.
    #[schema(example = "transition")]
    kind: &'static str,
    #[schema(example = "late")]
    from: &'static str,
    #[schema(example = "down")]
    to: &'static str,
    /// Why, as one sentence.
    text: String,
    /// Why, in numbers; null of a verdict, which has none of its own.
    #[schema(required)]
    evidence: Option<KeptEvidence>,
}

/// The evidence of a change, as it was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeptEvidence {
    /// The signal that decided.
    signal: String,
    /// The rule that fired, as in `/v1/events`.
    #[schema(example = "silence")]
    cause: &'static str,
    /// phi, chen, bertier or deadline.
    detector: &'static str,
    /// The level then.
    level: f64,
    /// What it was compared with.
    threshold: f64,
    /// The thresholds in force.
    late: f64,
    down: f64,
    /// The last arrival before.
    #[schema(required)]
    last_arrival: Option<Time>,
    /// How long it was silent.
    silence_ms: f64,
    /// The last intervals between arrivals, newest first.
    recent_intervals_ms: Vec<f64>,
    mean_ms: f64,
    std_deviation_ms: f64,
    samples: u32,
    /// The last failed check since the last arrival.
    #[schema(required)]
    last_failure: Option<KeptFailure>,
}

/// A failed check, as it was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeptFailure {
    at: Time,
    #[schema(example = "timeout")]
    failure: &'static str,
    text: String,
}

/// What happened in a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RollupView {
    /// Where the span begins.
    at: Time,
    /// The share of the judged time (up, late, down) in which it was not down; null when nothing
    /// was judged.
    #[schema(required)]
    availability: Option<f64>,
    /// Milliseconds with each status. What is missing to the whole was not watched.
    up_ms: u64,
    late_ms: u64,
    down_ms: u64,
    unknown_ms: u64,
    paused_ms: u64,
    /// Changes of status.
    transitions: u64,
    /// Times that it went down.
    failures: u64,
    /// Arrivals taken.
    arrivals: u64,
    /// Mean and largest level of suspicion, at most 1000; null when nobody looked.
    #[schema(required)]
    level_mean: Option<f64>,
    #[schema(required)]
    level_max: Option<f64>,
    /// Mean duration of checks, and the largest mean of 10 s; null without checks.
    #[schema(required)]
    latency_mean_ms: Option<f64>,
    #[schema(required)]
    latency_max_ms: Option<f64>,
}

impl ChangeView {
    pub(super) fn new(change: &Change) -> Self {
        let at = change.at_nanos;
        Self {
            id: change.id,
            at: time_nanos(at),
            kind: change.what.as_str(),
            from: change.from.as_str(),
            to: change.to.as_str(),
            text: change.text.clone(),
            evidence: change.grounds.as_ref().map(|it| KeptEvidence::new(at, it)),
        }
    }
}

impl KeptEvidence {
    fn new(at_nanos: u64, grounds: &Grounds) -> Self {
        let before = |ago: Duration| {
            let ago = u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX);
            time_nanos(at_nanos.saturating_sub(ago))
        };
        let (late, down) = grounds.thresholds;
        Self {
            signal: grounds.signal.clone(),
            cause: grounds.cause,
            detector: grounds.detector,
            level: grounds.level,
            threshold: grounds.threshold,
            late,
            down,
            last_arrival: grounds.last_arrival_ago.map(before),
            silence_ms: millis(grounds.silence),
            recent_intervals_ms: grounds
                .recent_intervals
                .iter()
                .map(|&it| millis(it))
                .collect(),
            mean_ms: millis(grounds.mean),
            std_deviation_ms: millis(grounds.std_deviation),
            samples: grounds.samples,
            last_failure: grounds.last_failure.as_ref().map(|failure| KeptFailure {
                at: before(failure.ago),
                failure: failure.failure,
                text: failure.text.clone(),
            }),
        }
    }
}

impl RollupView {
    pub(super) fn new(at_ms: u64, row: &Rollup) -> Self {
        let max = |figure: &Figure| (figure.count > 0).then(|| figure.max as f64 / 1_000.0);
        let mean = |figure: &Figure| figure.mean().map(|mean| mean / 1_000.0);
        Self {
            at: time_ms(at_ms),
            availability: row.availability(),
            up_ms: row.span_ms(Status::Up),
            late_ms: row.span_ms(Status::Late),
            down_ms: row.span_ms(Status::Down),
            unknown_ms: row.span_ms(Status::Unknown),
            paused_ms: row.span_ms(Status::Paused),
            transitions: row.transitions,
            failures: row.failures,
            arrivals: row.arrivals,
            level_mean: mean(&row.level),
            level_max: max(&row.level),
            latency_mean_ms: mean(&row.latency),
            latency_max_ms: max(&row.latency),
        }
    }
}

/// A moment of a row.
pub(super) fn time_ms(at_ms: u64) -> Time {
    time_nanos(at_ms.saturating_mul(1_000_000))
}

fn time_nanos(at_nanos: u64) -> Time {
    let at = Timestamp::from_nanosecond(i128::from(at_nanos));
    Time(at.unwrap_or(Timestamp::MAX))
}
