//! `GET /monitor/metrics`, `/monitor/metrics/{name}` and `/health/alerts`, as ipfs-cluster has
//! them.

use auscult_core::id::{SignalName, TargetId};
use auscult_core::peer_metric::{Kept, Validity};
use auscult_core::time::Instant;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::extract::Named;
use super::super::json::Json;
use super::super::views::Time;
use crate::clock::Clock;
use crate::peer_metrics::{Metric, PeerEvent, lifetime};

/// Alerts that are shown: the newest, as there.
const ALERTS_SHOWN_MAX: usize = 1_000;

/// A metric as ipfs-cluster shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeedMetric {
    /// Its name.
    #[schema(example = "ping")]
    name: String,
    /// The peer.
    peer: String,
    /// The value; empty when there never was one.
    value: String,
    /// When it is good no more: nanoseconds since 1970, by the monitor's clock.
    expire: i64,
    /// Whether there is a value.
    valid: bool,
    /// How much the value counts.
    weight: i64,
    /// Always false: metrics are not partitioned here.
    partitionable: bool,
    /// When it arrived: nanoseconds since 1970, by the monitor's clock; 0 when nothing ever did.
    received_at: i64,
}

/// An alert as ipfs-cluster shows it: the last metric, and when it failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeedAlert {
    #[serde(flatten)]
    metric: SeedMetric,
    /// When it failed.
    triggered_at: Time,
}

impl SeedMetric {
    fn new(clock: &Clock, name: &SignalName, peer: &TargetId, reading: &Kept) -> Self {
        let (arrived, over) = lifetime(clock, reading);
        Self {
            name: name.to_string(),
            peer: peer.to_string(),
            value: reading.value.to_string(),
            expire: nanos(over),
            valid: reading.valid == Validity::Valid,
            weight: reading.weight,
            partitionable: false,
            received_at: nanos(arrived),
        }
    }

    fn never_reported(clock: &Clock, name: &SignalName, peer: &TargetId, due: Instant) -> Self {
        Self {
            name: name.to_string(),
            peer: peer.to_string(),
            value: String::new(),
            expire: nanos(clock.wall(due)),
            valid: false,
            weight: 0,
            partitionable: false,
            received_at: 0,
        }
    }
}

fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

/// Lists the names of metrics as ipfs-cluster does.
#[utoipa::path(get, path = "/monitor/metrics", tag = "seeds",
    responses((status = 200, description = "The names of metrics", body = Vec<String>)))]
pub(crate) async fn names(State(state): State<ApiState>) -> Json<Vec<String>> {
    let names = state.peer_metrics().metric_names();
    Json(names.iter().map(ToString::to_string).collect())
}

/// Shows the latest valid metric of each present peer as ipfs-cluster does. An unknown name has
/// none.
#[utoipa::path(get, path = "/monitor/metrics/{name}", tag = "seeds",
    params(("name" = String, Path, description = "The metric, percent-encoded as one segment")),
    responses((status = 200, description = "The metrics", body = Vec<SeedMetric>)))]
pub(crate) async fn metrics(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Json<Vec<SeedMetric>> {
    let monitor = state.peer_metrics();
    let metrics = monitor.last_metrics(&name);
    let seed = |metric: &Metric| {
        SeedMetric::new(monitor.clock(), &metric.name, &metric.peer, &metric.reading)
    };
    Json(metrics.iter().map(seed).collect())
}

/// Lists what failed of late as ipfs-cluster does, the newest first: those that are over, too.
#[utoipa::path(get, path = "/health/alerts", tag = "seeds",
    responses((status = 200, description = "At most 1000 alerts", body = Vec<SeedAlert>)))]
pub(crate) async fn alerts(State(state): State<ApiState>) -> Json<Vec<SeedAlert>> {
    let monitor = state.peer_metrics();
    let clock = monitor.clock();
    let failures = monitor.recent_failures(ALERTS_SHOWN_MAX);
    let seed = |event: &PeerEvent| match event {
        PeerEvent::Failed {
            peer,
            metric,
            at,
            last,
            ..
        } => Some(SeedAlert {
            metric: match last {
                Some(reading) => SeedMetric::new(clock, metric, peer, reading),
                None => SeedMetric::never_reported(clock, metric, peer, *at),
            },
            triggered_at: Time::of(clock, *at),
        }),
        PeerEvent::Recovered { .. } | PeerEvent::Released { .. } | PeerEvent::Departed { .. } => {
            None
        }
    };
    Json(
        failures
            .iter()
            .filter_map(|logged| seed(&logged.event))
            .collect(),
    )
}
