//! `GET /status/all` and `GET /status/{id}`, as pulse has them.

use std::collections::BTreeMap;

use auscult_agent::http::pulse::{PulseState, PulseStatus};
use axum::extract::State;

use super::super::ApiState;
use super::super::blocking::blocking;
use super::super::extract::Named;
use super::super::json::Json;
use super::super::problem::Problem;
use super::super::targets::{reading::Reading, unknown_target};
use super::super::views::Time;
use auscult_core::monitor::Status;

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
        let read_one = |id: String| Some((id.clone(), read(&state, &id)?));
        Json(ids.into_iter().filter_map(read_one).collect())
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
    let status = read(&state, &id);
    status.map(Json).ok_or_else(|| unknown_target(&id))
}

fn read(state: &ApiState, id: &str) -> Option<PulseStatus> {
    let reading = Reading::take(state, id)?;
    let shown = match reading.status {
        Status::Up => PulseState::Alive,
        Status::Down => PulseState::Dead,
        Status::Unknown | Status::Paused => PulseState::Pending,
        Status::Late => PulseState::Suspect,
    };
    let signals = reading.signals.iter();
    let checks = signals.filter_map(|signal| signal.last_check.as_ref());
    let slowest = checks.map(|check| check.duration()).max();
    let heard_at = reading.last_arrival();
    let heard_at = heard_at.map(|at| Time::of(state.clock(), at));
    Some(PulseStatus::new(id.to_owned(), shown, slowest, heard_at))
}
