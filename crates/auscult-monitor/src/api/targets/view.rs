//! A target as JSON: in a list, and alone with all its evidence.

use std::collections::BTreeMap;
use std::sync::Arc;

use auscult_core::monitor::Labels;
use auscult_core::monitor::observers::PanelView;
use auscult_core::time::Instant;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::views::{FailureView, Time, millis};
use super::reading::{Reading, SignalReading};
use super::verdict::{self, ObserverDetail, RulingDetail, observers, panel};
use crate::check::{CheckReport, Phases};
use crate::clock::Clock;
use crate::registry::{Origin, Watched};
use crate::settings::{SourceSpec, TargetSpec};

/// A target in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetSummary {
    /// Its name.
    #[schema(example = "shop/web-1")]
    id: String,
    /// The group of the settings file it stands in.
    #[schema(required)]
    group: Option<Box<str>>,
    /// What an operator says about it.
    labels: BTreeMap<String, String>,
    /// paused, up, unknown, late or down. Where several monitors observe it, what they see adds
    /// up to this.
    #[schema(example = "late")]
    status: &'static str,
    /// Since when it has this status.
    since: Time,
    /// Where several monitors observe it: paused, up, unknown, observer_isolated, late,
    /// partially_reachable or down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "partially_reachable")]
    verdict: Option<&'static str>,
    /// Where several monitors observe it: the one that turns what they see into the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "m1")]
    owner: Option<String>,
    /// The signal that decides: the worst one.
    #[schema(required)]
    signal: Option<String>,
    /// That signal's level of suspicion now; 0 where only other monitors observe the target.
    level: f64,
    /// The levels at which that signal is late and down.
    #[schema(required)]
    thresholds: Option<Thresholds>,
    /// The last arrival of any of its signals.
    #[schema(required)]
    last_arrival: Option<Time>,
    /// How long ago that was.
    #[schema(required)]
    age_ms: Option<f64>,
    /// Whether it changes its status too often.
    flapping: bool,
    /// Whether an operator asked not to judge it.
    paused: bool,
    /// Why it has this status, in one sentence.
    why: String,
}

/// The levels at which the status changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Thresholds {
    late: f64,
    down: f64,
}

/// A target with its evidence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetDetail {
    #[serde(flatten)]
    summary: TargetSummary,
    /// The monitor's clock.
    now: Time,
    /// Where several monitors observe it: what each of them sees, the owner first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    observers: Vec<ObserverDetail>,
    /// Where several monitors observe it: the last verdict that was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    ruling: Option<RulingDetail>,
    /// Where it is defined.
    origin: OriginView,
    /// How often it changed its status lately, 0 to 1.
    flap_score: f64,
    /// Changes of its status since it is watched.
    transitions: u64,
    /// Its streams of arrivals.
    signals: Vec<SignalDetail>,
    /// What it is, in the form that `PUT` takes.
    #[schema(value_type = TargetSpec)]
    #[serde(serialize_with = "settings")]
    settings: Arc<TargetSpec>,
}

fn settings<S: Serializer>(spec: &Arc<TargetSpec>, serializer: S) -> Result<S::Ok, S::Error> {
    spec.serialize(serializer)
}

/// Where a target is defined.
#[derive(Debug, Serialize, ToSchema)]
struct OriginView {
    /// file, api, heartbeat or membership.
    #[schema(example = "api")]
    kind: &'static str,
    /// The line of the settings file.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

/// One stream of arrivals.
#[derive(Debug, Serialize, ToSchema)]
struct SignalDetail {
    /// Its name.
    #[schema(example = "http")]
    name: String,
    /// http, tcp, push or membership.
    #[schema(example = "http")]
    source: &'static str,
    /// paused, up, unknown, late or down.
    status: &'static str,
    /// The level of suspicion now.
    level: f64,
    thresholds: Thresholds,
    /// When its status changes next unless something arrives.
    #[schema(required)]
    deadline: Option<Time>,
    #[schema(required)]
    last_arrival: Option<Time>,
    #[schema(required)]
    age_ms: Option<f64>,
    /// Arrivals taken.
    arrivals: u64,
    /// What the detector expects.
    expected: Expected,
    /// The last intervals between arrivals, newest first.
    recent_intervals_ms: Vec<f64>,
    /// The last failed check since the last arrival.
    #[schema(required)]
    last_failure: Option<FailureView>,
    /// The last check.
    #[schema(required)]
    last_check: Option<CheckView>,
    /// What those said last who judge it in place of its detector: the group, for a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<String>,
}

/// The rhythm that a detector expects.
#[derive(Debug, Serialize, ToSchema)]
struct Expected {
    mean_ms: f64,
    /// As worked with: its minimum is applied.
    std_deviation_ms: f64,
    /// Intervals learnt from.
    samples: u32,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
struct CheckView {
    started_at: Time,
    duration_ms: f64,
    /// How long after its scheduled moment it began.
    lateness_ms: f64,
    /// Where the time went; what was not needed or not reached is absent.
    phases: PhasesView,
    /// The HTTP status answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_version: Option<&'static str>,
    /// When the certificate expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_expires_at: Option<Time>,
    /// Why it failed, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'static str>,
    /// Why it failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PhasesView {
    #[serde(skip_serializing_if = "Option::is_none")]
    resolve_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_ms: Option<f64>,
}

impl TargetSummary {
    /// The target as the machine sees it now; none when it is gone.
    pub(crate) fn read(state: &ApiState, id: &str) -> Option<Self> {
        let spec = state.registry().spec(id)?;
        let reading = Reading::take(state, id)?;
        Some(reading.summary(state, &spec, panel(state, id).as_ref()))
    }
}

impl TargetDetail {
    pub(crate) fn read(state: &ApiState, watched: &Watched) -> Option<Self> {
        let spec = &watched.spec;
        let reading = Reading::take(state, &spec.id)?;
        let clock = state.clock();
        let panel = panel(state, &spec.id);
        let line = match watched.origin {
            Origin::File { line } => line,
            Origin::Api | Origin::Heartbeat | Origin::Membership => None,
        };
        Some(Self {
            now: Time::of(clock, reading.now),
            origin: OriginView {
                kind: watched.origin.as_str(),
                line,
            },
            observers: panel
                .iter()
                .flat_map(|panel| observers(panel, reading.now))
                .collect(),
            ruling: panel
                .as_ref()
                .map(|panel| RulingDetail::new(clock, &spec.id, panel)),
            flap_score: reading.flap_score,
            transitions: reading.transitions,
            signals: reading
                .signals
                .iter()
                .map(|signal| signal.detail(clock, reading.now, spec))
                .collect(),
            summary: reading.summary(state, spec, panel.as_ref()),
            settings: Arc::clone(spec),
        })
    }
}

impl Reading {
    fn summary(
        &self,
        state: &ApiState,
        spec: &TargetSpec,
        panel: Option<&PanelView>,
    ) -> TargetSummary {
        let clock = state.clock();
        let status = panel.map_or(self.status, |panel| panel.verdict.status());
        let since = panel.map_or(self.since, |panel| panel.ruling.at);
        let deciding = self.deciding();
        let last_arrival = self.last_arrival();
        TargetSummary {
            id: spec.id.to_string(),
            group: spec.group.clone(),
            labels: owned(&spec.labels),
            status: status.as_str(),
            since: Time::of(clock, since),
            verdict: panel.map(|panel| panel.verdict.as_str()),
            owner: panel.map(|panel| panel.owner.to_string()),
            signal: deciding.map(|signal| signal.name.clone()),
            level: deciding.map_or(0.0, |signal| signal.level),
            thresholds: deciding.map(SignalReading::thresholds),
            last_arrival: last_arrival.map(|at| Time::of(clock, at)),
            age_ms: last_arrival.map(|at| millis(self.now.since(at))),
            flapping: self.flapping,
            paused: self.paused,
            why: panel.map_or_else(|| self.why(), verdict::why),
        }
    }
}

fn owned(labels: &Labels) -> BTreeMap<String, String> {
    let pairs = labels.iter();
    pairs
        .map(|(name, value)| (String::from(&**name), String::from(&**value)))
        .collect()
}

impl SignalReading {
    const fn thresholds(&self) -> Thresholds {
        Thresholds {
            late: self.config.late().get(),
            down: self.config.down().get(),
        }
    }

    fn detail(&self, clock: &Clock, now: Instant, spec: &TargetSpec) -> SignalDetail {
        let described = spec
            .signals
            .iter()
            .find(|signal| *signal.name == *self.name);
        SignalDetail {
            name: self.name.clone(),
            source: match described.map(|signal| &signal.source) {
                Some(SourceSpec::Http(_)) => "http",
                Some(SourceSpec::Tcp(_)) => "tcp",
                Some(SourceSpec::Push { .. }) | None => "push",
                Some(SourceSpec::Membership) => "membership",
            },
            status: self.status.as_str(),
            level: self.level,
            thresholds: self.thresholds(),
            deadline: self.deadline.map(|at| Time::of(clock, at)),
            last_arrival: self.last_arrival.map(|at| Time::of(clock, at)),
            age_ms: self.last_arrival.map(|at| millis(now.since(at))),
            arrivals: self.arrivals,
            expected: Expected {
                mean_ms: millis(self.mean),
                std_deviation_ms: millis(self.std_deviation),
                samples: self.samples,
            },
            recent_intervals_ms: self.recent_intervals.iter().map(|&i| millis(i)).collect(),
            last_failure: self.last_failure.map(|(at, failure)| FailureView {
                at: Time::of(clock, at),
                failure: failure.as_str(),
                text: self.failure().unwrap_or_default(),
            }),
            last_check: self
                .last_check
                .as_ref()
                .map(|report| CheckView::new(clock, report)),
            told: self.told.as_deref().map(str::to_owned),
        }
    }
}

impl CheckView {
    fn new(clock: &Clock, report: &CheckReport) -> Self {
        let answer = report.outcome.as_ref().ok();
        let error = report.outcome.as_ref().err();
        let Phases {
            resolve,
            connect,
            tls,
            first_byte,
            body,
        } = report.phases;
        Self {
            started_at: Time::of(clock, report.started_at),
            duration_ms: millis(report.duration()),
            lateness_ms: millis(report.lateness),
            phases: PhasesView {
                resolve_ms: resolve.map(millis),
                connect_ms: connect.map(millis),
                tls_ms: tls.map(millis),
                first_byte_ms: first_byte.map(millis),
                body_ms: body.map(millis),
            },
            http_status: answer.and_then(|answer| answer.status),
            http_version: answer.and_then(|answer| answer.http_version),
            tls_expires_at: answer.and_then(|answer| answer.tls_expires_at).map(Time),
            failure: error.map(|error| error.failure.as_str()),
            text: error.map(|error| error.text.clone()),
        }
    }
}
