//! `/v1/metrics-log`: metrics that peers publish, each with a time to live.

pub(super) mod publish;
pub(crate) mod reading;
mod view;

use auscult_core::peer_metric::Standing;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use self::view::{FailingView, MetricView, decision};
use super::ApiState;
use super::extract::{Named, Params, bad_value, whole_number};
use super::json::Json;
use super::problem::{Kind, Problem};
use super::views::Time;

/// The metrics of which there is anything.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricNames {
    /// The metrics, by name.
    metrics: Vec<MetricSummary>,
    /// The monitor's clock.
    now: Time,
}

/// One metric, over all peers.
#[derive(Debug, Serialize, ToSchema)]
struct MetricSummary {
    /// Its name.
    name: String,
    /// When it has failed: ttl, accrual or both.
    decision: &'static str,
    /// Present peers of which it is expected, or that published it.
    peers: usize,
    /// Those of them with a good reading.
    good: usize,
    /// Those of which it has failed.
    failing: usize,
}

/// Lists the metrics that peers publish.
#[utoipa::path(get, path = "/v1/metrics-log", tag = "metrics",
    responses((status = 200, description = "The metrics", body = MetricNames)))]
pub(super) async fn list(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<MetricNames>, Problem> {
    params.known(&[])?;
    let monitor = state.peer_metrics();
    let names = monitor.read(|log, now| {
        let summary = |name: &auscult_core::id::SignalName| {
            let (mut peers, mut good, mut failing) = (0, 0, 0);
            for view in log.metric(name) {
                match view.standing() {
                    Standing::Departed => continue,
                    Standing::Failed { .. } => failing += 1,
                    Standing::Awaited | Standing::Fresh => {}
                }
                peers += 1;
                good += usize::from(view.current(now).is_some());
            }
            MetricSummary {
                name: name.to_string(),
                decision: decision(log.config().rule(name)),
                peers,
                good,
                failing,
            }
        };
        MetricNames {
            metrics: log.metric_names().map(summary).collect(),
            now: Time::of(monitor.clock(), now),
        }
    });
    Ok(Json(names))
}

/// A metric of all peers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricPage {
    /// Its name.
    name: String,
    /// When it has failed: ttl, accrual or both.
    decision: &'static str,
    /// The latest good reading of each present peer that has one, by peer.
    metrics: Vec<MetricView>,
    /// The peers of which it has failed.
    failing: Vec<FailingView>,
    /// What to give as `cursor` for the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
    /// The monitor's clock.
    now: Time,
}

/// Reads a metric: the latest good reading of each present peer, and the peers of which it has
/// failed.
#[utoipa::path(get, path = "/v1/metrics-log/{name}", tag = "metrics",
    params(
        ("name" = String, Path, description = "The metric, percent-encoded as one segment"),
        ("history" = Option<String>, Query,
            description = "1: the readings before it, too, newest first"),
        ("peer" = Option<String>, Query, description = "That of this peer only"),
        ("limit" = Option<u64>, Query, description = "Peers at most: 1 to 10000, default 1000"),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses(
        (status = 200, description = "The metric", body = MetricPage),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 404, description = "Nobody published it", body = Problem),
    ))]
pub(super) async fn read(
    State(state): State<ApiState>,
    Named(name): Named,
    params: Params,
) -> Result<Json<MetricPage>, Problem> {
    let query = Query::read(params)?;
    let monitor = state.peer_metrics();
    let page = monitor.read(|log, now| {
        let clock = monitor.clock();
        let chosen = log.metric(&name).filter(|view| {
            let peer = view.peer().as_str();
            view.standing() != Standing::Departed
                && query.peer.as_deref().is_none_or(|wanted| wanted == peer)
                && query.cursor.as_deref().is_none_or(|cursor| peer > cursor)
        });
        let mut chosen: Vec<_> = chosen.take(query.limit + 1).collect();
        let more = chosen.len() > query.limit;
        chosen.truncate(query.limit);
        let next = chosen.last().filter(|_| more);
        MetricPage {
            decision: decision(log.config().rule(&name)),
            next: next.map(|view| view.peer().to_string()),
            metrics: chosen
                .iter()
                .filter_map(|view| MetricView::current(clock, view, now, query.history))
                .collect(),
            failing: chosen
                .iter()
                .filter_map(|view| FailingView::new(clock, view, query.history))
                .collect(),
            now: Time::of(clock, now),
            name: name.clone(),
        }
    });
    if page.metrics.is_empty() && page.failing.is_empty() {
        let known = monitor.read(|log, _| log.metric(&name).next().is_some());
        if !known {
            return Err(Problem::new(Kind::UnknownName)
                .detail(format!("there is no metric {name:?} of any peer"))
                .hint("GET /v1/metrics-log lists those that there are"));
        }
    }
    Ok(Json(page))
}

/// Whether readings before the last one are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum History {
    Shown,
    Hidden,
}

struct Query {
    history: History,
    peer: Option<String>,
    limit: usize,
    cursor: Option<String>,
}

impl Query {
    fn read(params: Params) -> Result<Self, Problem> {
        let mut query = Self {
            history: History::Hidden,
            peer: None,
            limit: 1_000,
            cursor: None,
        };
        for (key, value) in params.known(&["history", "peer", "limit", "cursor"])? {
            match key.as_str() {
                "history" => {
                    query.history = match value.as_str() {
                        "1" | "true" => History::Shown,
                        "0" | "false" => History::Hidden,
                        _ => return Err(bad_value(&key, format!("{value:?} must be 1 or 0"))),
                    }
                }
                "peer" => query.peer = Some(value),
                "limit" => {
                    let limit = whole_number(&key, &value, 1..=10_000)?;
                    query.limit = usize::try_from(limit).unwrap_or(10_000);
                }
                _ => query.cursor = Some(value),
            }
        }
        Ok(query)
    }
}

/// Forgets what a peer published, or one metric of it. An alert of that is over.
///
/// A peer that is still known and publishes again begins anew.
#[utoipa::path(delete, path = "/v1/metrics-log", tag = "metrics",
    params(
        ("peer" = String, Query, description = "The peer"),
        ("name" = Option<String>, Query, description = "The metric; else all of the peer's"),
    ),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 404, description = "Nothing of that kind is kept", body = Problem),
    ))]
pub(super) async fn forget(
    State(state): State<ApiState>,
    params: Params,
) -> Result<StatusCode, Problem> {
    let (mut peer, mut name) = (None, None);
    for (key, value) in params.known(&["peer", "name"])? {
        match key.as_str() {
            "peer" => peer = Some(value),
            _ => name = Some(value),
        }
    }
    let peer = peer.ok_or_else(|| bad_value("peer", "it is missing"))?;
    let monitor = state.peer_metrics();
    let kept = monitor.read(|log, _| match &name {
        Some(name) => log.series(name, &peer).is_some(),
        None => log.has_of(&peer),
    });
    if !kept {
        return Err(Problem::new(Kind::UnknownName)
            .detail(format!("nothing of that kind is kept of a peer {peer:?}")));
    }
    monitor.forget_everywhere(&peer, name.as_deref());
    Ok(StatusCode::NO_CONTENT)
}
