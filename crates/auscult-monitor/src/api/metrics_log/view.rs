//! How a metric of a peer is written as JSON.

use auscult_core::peer_metric::{Decision, Kept, MetricRule, SeriesView, Standing, Validity};
use auscult_core::time::Instant;
use serde::Serialize;
use utoipa::ToSchema;

use super::History;
use crate::api::views::{Time, millis};
use crate::clock::Clock;
use crate::peer_metrics::lifetime;

/// A reading.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct ReadingView {
    /// The value.
    value: String,
    /// Whether there is a value.
    valid: bool,
    /// How much it counts beside those of other peers.
    weight: i64,
    /// How long it is good for.
    ttl_ms: f64,
    /// When it arrived, by the monitor's clock.
    received_at: Time,
    /// When it is good no more.
    expires_at: Time,
}

/// A metric of a peer that is well.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct MetricView {
    /// The peer.
    peer: String,
    #[serde(flatten)]
    reading: ReadingView,
    /// How improbable its silence is, where its rhythm decides and is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<f64>,
    /// With `history`: the readings kept, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<ReadingView>>,
}

/// A metric of a peer that has failed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct FailingView {
    /// The peer.
    peer: String,
    /// Since when.
    since: Time,
    /// Why: expired, silent, never_reported or failed_before.
    cause: &'static str,
    /// Why, for people.
    reason: String,
    /// The last reading.
    #[schema(required)]
    last: Option<ReadingView>,
    /// With `history`: the readings kept, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<ReadingView>>,
}

impl ReadingView {
    fn new(clock: &Clock, reading: &Kept) -> Self {
        let (arrived, over) = lifetime(clock, reading);
        Self {
            value: reading.value.to_string(),
            valid: reading.valid == Validity::Valid,
            weight: reading.weight,
            ttl_ms: millis(reading.ttl),
            received_at: Time(arrived),
            expires_at: Time(over),
        }
    }
}

impl MetricView {
    /// The latest good reading, if there is one.
    pub(super) fn current(
        clock: &Clock,
        view: &SeriesView<'_>,
        now: Instant,
        history: History,
    ) -> Option<Self> {
        Some(Self {
            peer: view.peer().to_string(),
            reading: ReadingView::new(clock, view.current(now)?),
            level: view.level(now).map(|level| level.get()),
            history: shown(clock, view, history),
        })
    }
}

impl FailingView {
    /// How it failed, if it did.
    pub(super) fn new(clock: &Clock, view: &SeriesView<'_>, history: History) -> Option<Self> {
        let Standing::Failed { at, cause } = view.standing() else {
            return None;
        };
        Some(Self {
            peer: view.peer().to_string(),
            since: Time::of(clock, at),
            cause: cause.as_str(),
            reason: cause.to_string(),
            last: view
                .readings()
                .next()
                .map(|reading| ReadingView::new(clock, reading)),
            history: shown(clock, view, history),
        })
    }
}

fn shown(clock: &Clock, view: &SeriesView<'_>, history: History) -> Option<Vec<ReadingView>> {
    let readings = || {
        view.readings()
            .map(|reading| ReadingView::new(clock, reading))
    };
    match history {
        History::Hidden => None,
        History::Shown => Some(readings().collect()),
    }
}

/// The name of a decision in every interface.
pub(super) const fn decision(rule: &MetricRule) -> &'static str {
    match rule.decision {
        Decision::Ttl => "ttl",
        Decision::Accrual(_) => "accrual",
        Decision::Either(_) => "both",
    }
}
