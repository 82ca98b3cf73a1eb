//! What several monitors see of a target, as JSON.

use auscult_core::id::TargetId;
use auscult_core::monitor::observers::{PanelView, Verdict};
use auscult_core::time::Instant;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::views::{Time, millis};
use crate::clock::Clock;

/// One observer of a target.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ObserverDetail {
    /// Its name.
    #[schema(example = "m2")]
    monitor: String,
    /// How it sees the target: paused, up, unknown, late or down; null when it has not said
    /// anything yet.
    #[schema(required, example = "up")]
    status: Option<&'static str>,
    /// The level of suspicion when that status began there.
    #[schema(required)]
    level: Option<f64>,
    /// How long ago that status began.
    #[schema(required)]
    since_ms: Option<f64>,
    /// How long ago the observer was heard last: how old its word is.
    #[schema(required)]
    age_ms: Option<f64>,
    /// Whether its word counts: it is heard, and not at fault itself.
    fresh: bool,
    /// Whether it calls down most of what others reach, so that it is left out.
    isolated: bool,
    /// On what evidence, as a sentence.
    #[schema(required)]
    why: Option<String>,
}

/// A verdict that was announced.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RulingDetail {
    /// Its key, the same in the events of all monitors; none before the first verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "shop/web-1#19aa3c1f0e2.7.down")]
    key: Option<String>,
    /// The verdict.
    #[schema(example = "down")]
    verdict: &'static str,
    /// When it was found.
    at: Time,
    /// Who found it.
    owner: String,
    /// Whether most monitors have it, so that it was told.
    told: bool,
    /// Who said what.
    #[schema(example = "down for 2 of 3; reachable from m2")]
    dissent: String,
    /// Why this verdict stands although the reports do not add up to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
}

/// What is known of a target that others observe, too.
pub(super) fn panel(state: &ApiState, id: &str) -> Option<PanelView> {
    let observatory = state.observatory()?;
    observatory.view_of_watched(id)
}

/// Why a target has its verdict.
pub(super) fn why(panel: &PanelView) -> String {
    let mut why = panel.text.clone();
    if panel.verdict == Verdict::ObserverIsolated {
        why.push_str("; this monitor hears too few others to judge");
    }
    // Before the first verdict there is none that could stand.
    if let Some(held) = panel.held.filter(|_| panel.ruling.turn.number > 0) {
        why.push_str(&format!("; {held}"));
    }
    why
}

pub(super) fn observers(panel: &PanelView, now: Instant) -> Vec<ObserverDetail> {
    let all = panel.observers.iter().map(|observer| {
        let seen = observer.seen.as_ref();
        ObserverDetail {
            monitor: observer.monitor.to_string(),
            status: seen.map(|seen| seen.status.as_str()),
            level: seen.map(|seen| seen.level),
            since_ms: seen.map(|seen| millis(now.since(seen.since))),
            age_ms: observer.heard_at.map(|at| millis(now.since(at))),
            fresh: observer.fresh,
            isolated: observer.isolated,
            why: seen.map(|seen| seen.why.to_string()),
        }
    });
    all.collect()
}

impl RulingDetail {
    pub(super) fn new(clock: &Clock, id: &TargetId, panel: &PanelView) -> Self {
        let ruling = &panel.ruling;
        Self {
            key: (ruling.turn.number > 0).then(|| ruling.key(id)),
            verdict: ruling.verdict.as_str(),
            at: Time::of(clock, ruling.at),
            owner: ruling.owner.to_string(),
            told: ruling.told,
            dissent: ruling.text.to_string(),
            held: panel.held.map(|held| held.to_string()),
        }
    }
}
