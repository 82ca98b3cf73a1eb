//! What a supervisor and an operator ask: alive, ready, reload, and what this monitor is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::blocking::blocking;
use super::json::Json;
use super::problem::{Fault, Kind, Problem};
use super::targets::faults;
use super::views::Time;
use crate::history::History;
use crate::peer_metrics::Keeping;
use crate::registry::{ReloadError, Reloaded};
use crate::settings::LoadError;

/// Tells that the process runs and answers.
#[utoipa::path(get, path = "/-/healthy", tag = "operation",
    responses((status = 200, description = "The process runs and answers", body = String)))]
pub(super) async fn healthy() -> &'static str {
    "auscult is healthy.\n"
}

/// Tells that the settings were taken and verdicts fall.
#[utoipa::path(get, path = "/-/ready", tag = "operation",
    responses(
        (status = 200, description = "Settings were taken", body = String),
        (status = 503, description = "Not yet", body = Problem),
    ))]
pub(super) async fn ready(State(state): State<ApiState>) -> Result<&'static str, Problem> {
    if state.registry().reload_status().succeeded == 0 {
        return Err(Problem::new(Kind::Busy).detail("the settings have not been taken yet"));
    }
    Ok("auscult is ready.\n")
}

/// What new settings did to the targets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReloadView {
    /// Targets that are watched now and were not.
    added: usize,
    /// Targets that are watched differently.
    changed: usize,
    /// Targets that are watched no longer.
    removed: usize,
    /// Targets that are watched as before, with their history.
    unchanged: usize,
}

/// Reads the settings file again. A bad file changes nothing.
#[utoipa::path(post, path = "/-/reload", tag = "operation",
    responses(
        (status = 200, description = "The settings are in force", body = ReloadView),
        (status = 422, description = "The file is wrong; the settings before stay",
            body = Problem),
        (status = 500, description = "The file cannot be read; the settings before stay",
            body = Problem),
    ))]
pub(super) async fn reload(State(state): State<ApiState>) -> Result<Json<ReloadView>, Problem> {
    let registry = Arc::clone(state.registry());
    let Reloaded {
        added,
        changed,
        removed,
        unchanged,
    } = blocking(move || registry.reload()).await??;
    Ok(Json(ReloadView {
        added,
        changed,
        removed,
        unchanged,
    }))
}

impl From<ReloadError> for Problem {
    fn from(error: ReloadError) -> Self {
        let text = error.to_string();
        match error {
            ReloadError::Settings(LoadError::Io { source, .. }) => {
                Self::new(Kind::Unreadable).detail(format!("{text}: {source}"))
            }
            ReloadError::Settings(LoadError::Problems(problems)) => Self::new(Kind::Invalid)
                .detail("the settings file is wrong; the settings before stay in force")
                .hint("auscult check-config shows the lines")
                .errors(faults(&problems)),
            ReloadError::Key(_) => Self::new(Kind::Invalid)
                .detail("the key for heartbeats cannot be used; the settings before stay in force")
                .errors(vec![Fault {
                    pointer: "/heartbeats/key_file".to_owned(),
                    detail: text,
                    hint: None,
                }]),
            ReloadError::Refused(refused) => refused.into(),
        }
    }
}

/// What this monitor is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MonitorView {
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// When the process began to watch.
    started_at: Time,
    /// Its clock.
    now: Time,
    targets: usize,
    signals: usize,
    /// Whether it suspects itself instead of its targets.
    observer_suspects_itself: bool,
    /// The number of the newest event.
    newest_event: u64,
    /// Its name in the group of members, if it is in one: then there are `/v1/members` and
    /// `/v1/links`.
    #[schema(required)]
    member: Option<String>,
    /// How the history is doing; null where none is kept.
    #[schema(required)]
    history: Option<HistoryHealth>,
    /// How the file is doing that keeps what peers published over a restart.
    peer_metrics: KeepingHealth,
}

/// How the file is doing that keeps what peers published over a restart.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeepingHealth {
    /// off (there is no data folder), writing or failing.
    #[schema(example = "writing")]
    state: &'static str,
    /// What keeps it from being written, and what to do about it.
    #[schema(required)]
    problem: Option<String>,
}

impl From<Keeping> for KeepingHealth {
    fn from(keeping: Keeping) -> Self {
        Self {
            state: keeping.state.as_str(),
            problem: keeping.problem,
        }
    }
}

/// How the history is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryHealth {
    /// opening, writing, slow, failing or off.
    #[schema(example = "writing")]
    state: &'static str,
    /// What keeps it from being written, and what to do about it.
    #[schema(required)]
    problem: Option<String>,
    /// Transitions and roll-ups that are lost, as the disk was too slow or full.
    lost: u64,
    /// The length of its file.
    file_bytes: u64,
}

impl HistoryHealth {
    fn of(history: &History) -> Self {
        let status = history.status();
        Self {
            state: status.state.as_str(),
            problem: status.problem,
            lost: status.changes_lost + status.rollups_lost,
            file_bytes: status.file_bytes,
        }
    }
}

/// Tells what this monitor is.
#[utoipa::path(get, path = "/v1/monitor", tag = "operation",
    responses((status = 200, description = "This monitor", body = MonitorView)))]
pub(super) async fn monitor(State(state): State<ApiState>) -> Json<MonitorView> {
    let clock = state.clock();
    let origin = auscult_core::time::Instant::ORIGIN;
    let view = state.engine().read(|monitor, now| MonitorView {
        version: env!("CARGO_PKG_VERSION"),
        started_at: Time::of(clock, origin),
        now: Time::of(clock, now),
        targets: monitor.counters().targets,
        signals: monitor.counters().signals,
        observer_suspects_itself: monitor.observer_suspects_itself(),
        newest_event: state.events().newest_id(),
        member: state.agent().map(|agent| agent.name().to_string()),
        history: state.history().map(HistoryHealth::of),
        peer_metrics: state.peer_metrics().keeping().into(),
    });
    Json(view)
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn description() -> impl IntoResponse {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], super::openapi_json())
}
