//! How an alert is written as JSON.

use std::collections::BTreeMap;

use auscult_core::alert::{self, Delivery, Duty, Episode, Record, Suppression};
use serde::Serialize;
use utoipa::ToSchema;

use crate::alerts::AlertClock;
use crate::api::views::Time;

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(in crate::api) struct AlertView {
    /// Its id, which never changes: 32 hexadecimal digits.
    pub(super) id: String,
    /// How far it is: pending, firing or resolved.
    phase: &'static str,
    /// What its subject is: target or peer.
    kind: &'static str,
    /// What it is about.
    subject: String,
    /// The signal.
    signal: String,
    /// The rule that made it.
    rule: String,
    /// How bad it is: info, warning or critical.
    severity: &'static str,
    /// The subject's labels when it began to fire.
    labels: BTreeMap<String, String>,
    /// Why it fires, or fired last.
    reason: String,
    /// Where people are told of it: here, or elsewhere by another monitor of the group.
    told: &'static str,
    /// Which time it fires, or fired last; 0 when it never did.
    episode: u64,
    /// Pending: since when its condition is met.
    #[schema(required)]
    pending_since: Option<Time>,
    /// When it began to fire.
    #[schema(required)]
    started_at: Option<Time>,
    /// Resolved: when it was over.
    #[schema(required)]
    ended_at: Option<Time>,
    /// Resolved: why it was over: cleared, subject_gone or rule_gone.
    #[schema(required)]
    ending: Option<&'static str>,
    /// Whether it comes and goes too often, and lasts until it is steady.
    flapping: bool,
    /// Who looks after it.
    #[schema(required)]
    acknowledged: Option<AcknowledgementView>,
    /// Why nobody is told that it fires.
    #[schema(required)]
    suppressed: Option<SuppressionView>,
    /// What its receivers know.
    receivers: Vec<DeliveryView>,
}

/// Who looks after an alert.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(in crate::api) struct AcknowledgementView {
    /// Who.
    by: String,
    /// What they say.
    comment: String,
    /// Since when.
    at: Time,
}

/// Why nobody is told.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(in crate::api) struct SuppressionView {
    /// What holds it back: silence or parent.
    by: &'static str,
    /// The silence, or the first of the targets on which its subject depends.
    name: String,
}

/// What a receiver knows of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(in crate::api) struct DeliveryView {
    /// The receiver.
    receiver: String,
    /// Whether it confirmed to know how the alert is by now.
    informed: bool,
    /// When it last confirmed anything.
    #[schema(required)]
    told_at: Option<Time>,
    /// Reminders that it confirmed.
    repeats: u32,
}

impl AlertView {
    pub(super) fn new(clock: &AlertClock, alert: &alert::AlertView<'_>) -> Self {
        let record = alert.record();
        let time = |at| Time(clock.wall(at));
        let labels = record.labels.iter();
        let fired = record.count > 0;
        Self {
            id: alert.id().to_string(),
            phase: alert.phase().as_str(),
            kind: record.key.subject.kind(),
            subject: record.key.subject.name().to_string(),
            signal: record.key.signal.to_string(),
            rule: record.key.rule.to_string(),
            severity: record.severity.as_str(),
            labels: labels
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
            reason: record.reason.to_string(),
            told: match alert.duty() {
                Duty::Here => "here",
                Duty::There(_) => "elsewhere",
            },
            episode: record.count,
            pending_since: alert.pending_since().map(time),
            started_at: fired.then(|| time(record.fired)),
            ended_at: record.ended.map(|(at, _)| time(at)),
            ending: record.ended.map(|(_, ending)| ending.as_str()),
            flapping: record.flapping,
            acknowledged: record.acknowledged.as_ref().map(|a| AcknowledgementView {
                by: a.by.to_string(),
                comment: a.comment.to_string(),
                at: time(a.at),
            }),
            suppressed: alert.suppression().map(|suppression| match suppression {
                Suppression::Silenced(name) => SuppressionView {
                    by: "silence",
                    name: name.to_string(),
                },
                Suppression::Inhibited(name) => SuppressionView {
                    by: "parent",
                    name: name.to_string(),
                },
            }),
            receivers: record
                .deliveries
                .iter()
                .map(|d| delivery(clock, record, d))
                .collect(),
        }
    }
}

fn delivery(clock: &AlertClock, record: &Record, delivery: &Delivery) -> DeliveryView {
    let open = delivery.exposed.as_ref().is_some_and(|e| e.past.is_some());
    let informed = match record.fires() {
        true => delivery.told >= record.episode,
        false => !open && delivery.brief.is_none(),
    };
    let told = delivery.told.max(delivery.told_end) > Episode::NONE;
    DeliveryView {
        receiver: delivery.receiver.to_string(),
        informed,
        told_at: told.then(|| Time(clock.wall(delivery.told_at))),
        repeats: delivery.repeats,
    }
}
