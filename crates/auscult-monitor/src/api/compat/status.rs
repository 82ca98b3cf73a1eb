//! `GET /status/all` and `GET /status/{id}`, as pulse has them.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::blocking::blocking;
use super::super::extract::Named;
use super::super::json::Json;
use super::super::problem::Problem;
use super::super::targets::{reading::Reading, unknown_target};
use super::super::views::Time;
use auscult_core::monitor::Status;

/// A target as pulse shows a node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PulseStatus {
    /// Its name.
    id: String,
    /// 0 alive, 1 dead, 2 pending, 3 suspect.
    state: u8,
    /// The state in words: Alive, Dead, Pending, Suspect.
    #[schema(example = "Alive")]
    state_name: &'static str,
    /// How long the last check took, in seconds; null where nothing is checked.
    #[serde(rename = "RTT")]
    #[schema(required)]
    rtt: Option<f64>,
    /// The last arrival.
    #[schema(required)]
    last_connected: Option<Time>,
}

/// Shows all targets as pulse does.
#[utoipa::path(get, path = "/status/all", tag = "seeds",
    responses((status = 200, description = "All targets by name",
        body = BTreeMap<String, PulseStatus>)))]
pub(crate) async fn all(
    State(state): State<ApiState>,
) -> Result<Json<BTreeMap<String, PulseStatus>>, Problem> {
    blocking(move || {
        let mut ids = Vec::new();
        state.for_each_target(|target, _| ids.push(target.id().to_string()));
        let read = |id: String| Some((id.clone(), PulseStatus::read(&state, &id)?));
        Json(ids.into_iter().filter_map(read).collect())
    })
    .await
}

/// Shows one target as pulse does.
#[utoipa::path(get, path = "/status/{id}", tag = "seeds",
    params(("id" = String, Path,
            description = "The target's name, percent-encoded as one segment")),
    responses(
        (status = 200, description = "The target", body = PulseStatus),
        (status = 404, description = "No such target", body = Problem),
    ))]
pub(crate) async fn one(
    State(state): State<ApiState>,
    Named(id): Named,
) -> Result<Json<PulseStatus>, Problem> {
    PulseStatus::read(&state, &id)
        .map(Json)
        .ok_or_else(|| unknown_target(&id))
}

impl PulseStatus {
    fn read(state: &ApiState, id: &str) -> Option<Self> {
        let reading = Reading::take(state, id)?;
        let (code, name) = match reading.status {
            Status::Up => (0, "Alive"),
            Status::Down => (1, "Dead"),
            Status::Unknown | Status::Paused => (2, "Pending"),
            Status::Late => (3, "Suspect"),
        };
        let checks = reading
            .signals
            .iter()
            .filter_map(|signal| signal.last_check.as_ref());
        Some(Self {
            id: id.to_owned(),
            state: code,
            state_name: name,
            rtt: checks
                .map(|check| check.duration().as_secs_f64())
                .reduce(f64::max),
            last_connected: reading.last_arrival().map(|at| Time::of(state.clock(), at)),
        })
    }
}
