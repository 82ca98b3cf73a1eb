//! How moments, spans and events are written as JSON.

use auscult_core::monitor::{Event, EventKind, Evidence};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use auscult_agent::http::time::{Time, millis};

use crate::clock::Clock;
use crate::events::LoggedEvent;
use crate::events::sentence::failure_text;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Its number; to be given as `since` or `Last-Event-ID`.
    id: u64,
    /// When it happened.
    at: Time,
    /// What happened: added, replaced, removed, transition, signal_transition, flapping_started,
    /// flapping_stopped, relearnt, observer_suspects_itself, observer_trusts_itself or stalled. Of
    /// the group that the monitor is a member of: refuted, link_changed, name_conflict, rejected,
    /// mode_changed, isolated, reconnected or agent_stopped.
    #[schema(example = "transition")]
    kind: &'static str,
    /// The target, unless the monitor speaks of itself.
    target: Option<String>,
    /// What happened, as one sentence.
    text: String,
    /// Transition: the status before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
    /// Transition: the status from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'static str>,
    /// Transition: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceView>,
    /// Flapping: the score, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    /// Relearnt: the signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    /// Relearnt: the interval expected from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_ms: Option<f64>,
    /// Observer: targets that are overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    overdue: Option<usize>,
    /// Observer: targets that are judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<usize>,
    /// Stalled: when the monitor was last known to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    /// Stalled: for how long it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    span_ms: Option<f64>,
}

/// Why a status changed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct EvidenceView {
    /// The signal that decided.
    signal: String,
    /// The rule that fired: arrival, silence, never_heard, told, observer_suspects_itself,
    /// observer_trusts_itself, operator or settings.
    #[schema(example = "silence")]
    cause: &'static str,
    /// The level then.
    level: f64,
    /// The threshold it was compared with.
    threshold: f64,
    /// The last arrival before.
    last_arrival: Option<Time>,
    /// The last intervals between arrivals, newest first.
    recent_intervals_ms: Vec<f64>,
    /// The mean interval expected.
    mean_ms: f64,
    /// Its standard deviation, as worked with.
    std_deviation_ms: f64,
    /// Intervals learnt from.
    samples: u32,
    /// The last failed check since the last arrival.
    last_failure: Option<FailureView>,
    /// What those said who judge the signal in place of its detector: the group, for a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<String>,
}

/// A failed check.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct FailureView {
    /// When.
    pub(super) at: Time,
    /// Its class: refused, timeout, unreachable, dns, tls, status, body, protocol or local.
    #[schema(example = "timeout")]
    pub(super) failure: &'static str,
    /// What happened, for people.
    pub(super) text: String,
}

impl EventView {
    pub(crate) fn new(clock: &Clock, logged: &LoggedEvent) -> Self {
        let Event {
            at: _,
            target,
            kind,
        } = &logged.event;
        let mut view = Self {
            id: logged.id,
            at: Time(logged.at),
            kind: code(kind),
            target: target.as_ref().map(ToString::to_string),
            text: logged.text.clone(),
            from: None,
            to: None,
            evidence: None,
            score: None,
            signal: None,
            interval_ms: None,
            overdue: None,
            judged: None,
            since: None,
            span_ms: None,
        };
        match kind {
            EventKind::Added
            | EventKind::Replaced
            | EventKind::Removed
            | EventKind::Membership { .. } => {}
            EventKind::Transition { from, to, evidence }
            | EventKind::SignalTransition { from, to, evidence } => {
                view.from = Some(from.as_str());
                view.to = Some(to.as_str());
                view.evidence = Some(EvidenceView::new(clock, evidence));
            }
            EventKind::FlappingStarted { score } | EventKind::FlappingStopped { score } => {
                view.score = Some(*score);
            }
            EventKind::Relearnt { signal, interval } => {
                view.signal = Some(signal.to_string());
                view.interval_ms = Some(millis(*interval));
            }
            EventKind::ObserverSuspectsItself { overdue, judged }
            | EventKind::ObserverTrustsItself { overdue, judged } => {
                view.overdue = Some(*overdue);
                view.judged = Some(*judged);
            }
            EventKind::Stalled { since, span } => {
                view.since = Some(Time::of(clock, *since));
                view.span_ms = Some(millis(*span));
            }
        }
        view
    }
}

impl EvidenceView {
    fn new(clock: &Clock, evidence: &Evidence) -> Self {
        Self {
            signal: evidence.signal.to_string(),
            cause: evidence.cause.as_str(),
            level: evidence.level.get(),
            threshold: evidence.threshold.get(),
            last_arrival: evidence.last_arrival.map(|at| Time::of(clock, at)),
            recent_intervals_ms: evidence
                .recent_intervals
                .iter()
                .map(|&i| millis(i))
                .collect(),
            mean_ms: millis(evidence.mean),
            std_deviation_ms: millis(evidence.std_deviation),
            samples: evidence.samples,
            last_failure: evidence.last_failure.map(|(at, failure)| FailureView {
                at: Time::of(clock, at),
                failure: failure.as_str(),
                text: failure_text(failure),
            }),
            told: evidence.told.as_deref().map(str::to_owned),
        }
    }
}

/// The stable code of a kind of event. It is the type of a server-sent event as well.
pub(super) const fn code(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Added => "added",
        EventKind::Replaced => "replaced",
        EventKind::Removed => "removed",
        EventKind::Transition { .. } => "transition",
        EventKind::SignalTransition { .. } => "signal_transition",
        EventKind::FlappingStarted { .. } => "flapping_started",
        EventKind::FlappingStopped { .. } => "flapping_stopped",
        EventKind::Relearnt { .. } => "relearnt",
        EventKind::ObserverSuspectsItself { .. } => "observer_suspects_itself",
        EventKind::ObserverTrustsItself { .. } => "observer_trusts_itself",
        EventKind::Stalled { .. } => "stalled",
        EventKind::Membership { code, .. } => code,
    }
}
