//! How moments, spans and events are written as JSON.

use auscult_core::monitor::observers::Teller;
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
    /// mode_changed, isolated, reconnected or agent_stopped. Of a monitor that observes together
    /// with others: verdict, observed, monitor_isolated, monitor_rejoined, observer_isolated or
    /// observer_rejoined. Of peers that publish metrics: metric_failed or metric_recovered.
    #[schema(example = "transition")]
    kind: &'static str,
    /// The target, unless the monitor speaks of itself.
    target: Option<String>,
    /// What happened, as one sentence.
    text: String,
    /// Transition, verdict, observed: the status before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
    /// Transition, verdict, observed: the status from now on; of a verdict also
    /// partially_reachable.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'static str>,
    /// Transition, observed: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceView>,
    /// Verdict: its key. Whoever has seen the key has seen the event, whichever monitor tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "shop/web-1#19aa3c1f0e2.7.down")]
    key: Option<String>,
    /// Verdict: the monitor that found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Verdict: `here` when this monitor found it and notifies, else `elsewhere`.
    #[serde(skip_serializing_if = "Option::is_none")]
    teller: Option<&'static str>,
    /// Verdict: who says what.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "down for 2 of 3; reachable from m2")]
    dissent: Option<String>,
    /// Observer isolated or rejoined: which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    observer: Option<String>,
    /// Monitor isolated or rejoined: monitors that this one hears, itself included.
    #[serde(skip_serializing_if = "Option::is_none")]
    heard: Option<usize>,
    /// Monitor isolated or rejoined: monitors in the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    monitors: Option<usize>,
    /// Flapping: the score, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    /// Relearnt: the signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    /// Relearnt: the interval expected from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_ms: Option<f64>,
    /// Observer: targets that are overdue; that it calls down and others reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    overdue: Option<usize>,
    /// Observer: targets that are judged; that others reach.
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
            key: None,
            owner: None,
            teller: None,
            dissent: None,
            observer: None,
            heard: None,
            monitors: None,
            score: None,
            signal: None,
            interval_ms: None,
            overdue: None,
            judged: None,
            since: None,
            span_ms: None,
        };
        view.tell(clock, target.as_deref().unwrap_or_default(), kind);
        view
    }

    /// The status before and after, where it changed.
    pub(super) const fn change(&self) -> (Option<&'static str>, Option<&'static str>) {
        (self.from, self.to)
    }

    /// Fills in what only some kinds of events have.
    fn tell(&mut self, clock: &Clock, subject: &str, kind: &EventKind) {
        match kind {
            EventKind::Added
            | EventKind::Replaced
            | EventKind::Removed
            | EventKind::Membership { .. } => {}
            EventKind::Verdict { ruling, teller } => {
                self.from = Some(ruling.from.as_str());
                self.to = Some(ruling.verdict.as_str());
                self.key = Some(ruling.key(subject));
                self.owner = Some(ruling.owner.to_string());
                self.dissent = Some(ruling.text.to_string());
                self.teller = Some(match teller {
                    Teller::Here => "here",
                    Teller::Elsewhere => "elsewhere",
                });
            }
            EventKind::Isolated { heard, of } | EventKind::Rejoined { heard, of } => {
                self.heard = Some(*heard);
                self.monitors = Some(*of);
            }
            EventKind::ObserverIsolated {
                observer,
                down,
                reached,
            } => {
                self.observer = Some(observer.to_string());
                self.overdue = Some(*down);
                self.judged = Some(*reached);
            }
            EventKind::ObserverRejoined { observer } => {
                self.observer = Some(observer.to_string());
            }
            EventKind::Observed { from, to, evidence }
            | EventKind::Transition { from, to, evidence }
            | EventKind::SignalTransition { from, to, evidence } => {
                self.from = Some(from.as_str());
                self.to = Some(to.as_str());
                self.evidence = Some(EvidenceView::new(clock, evidence));
            }
            EventKind::FlappingStarted { score } | EventKind::FlappingStopped { score } => {
                self.score = Some(*score);
            }
            EventKind::Relearnt { signal, interval } => {
                self.signal = Some(signal.to_string());
                self.interval_ms = Some(millis(*interval));
            }
            EventKind::ObserverSuspectsItself { overdue, judged }
            | EventKind::ObserverTrustsItself { overdue, judged } => {
                self.overdue = Some(*overdue);
                self.judged = Some(*judged);
            }
            EventKind::Stalled { since, span } => {
                self.since = Some(Time::of(clock, *since));
                self.span_ms = Some(millis(*span));
            }
        }
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
        EventKind::Observed { .. } => "observed",
        EventKind::Verdict { .. } => "verdict",
        EventKind::Isolated { .. } => "monitor_isolated",
        EventKind::Rejoined { .. } => "monitor_rejoined",
        EventKind::ObserverIsolated { .. } => "observer_isolated",
        EventKind::ObserverRejoined { .. } => "observer_rejoined",
        EventKind::FlappingStarted { .. } => "flapping_started",
        EventKind::FlappingStopped { .. } => "flapping_stopped",
        EventKind::Relearnt { .. } => "relearnt",
        EventKind::ObserverSuspectsItself { .. } => "observer_suspects_itself",
        EventKind::ObserverTrustsItself { .. } => "observer_trusts_itself",
        EventKind::Stalled { .. } => "stalled",
        EventKind::Membership { code, .. } => code,
    }
}
