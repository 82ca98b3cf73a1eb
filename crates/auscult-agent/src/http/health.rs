//! What a supervisor and an operator ask: alive, ready, and what this agent is.

use auscult_core::time::Instant;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::AgentState;
use super::json::Json;
use super::problem::{Kind, Problem};
use super::time::Time;

/// Tells that the process runs and answers.
#[utoipa::path(get, path = "/-/healthy", tag = "operation",
    responses((status = 200, description = "The process runs and answers", body = String)))]
pub(super) async fn healthy() -> &'static str {
    "auscult is healthy.\n"
}

/// Tells that the agent is a member of its group: alone, if it was told of nobody else.
#[utoipa::path(get, path = "/-/ready", tag = "operation",
    responses(
        (status = 200, description = "It is a member", body = String),
        (status = 503, description = "Nobody that it was told to join has answered yet",
            body = Problem),
    ))]
pub(super) async fn ready(State(state): State<AgentState>) -> Result<&'static str, Problem> {
    let alone = state.agent().members().live <= 1;
    if alone && state.wants_company() {
        return Err(Problem::new(Kind::Busy).detail("nobody has let this member in yet"));
    }
    Ok("auscult is ready.\n")
}

/// What this agent is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AgentView {
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Its name in the group.
    #[schema(example = "web-1")]
    name: String,
    /// Where others reach it.
    #[schema(example = "10.0.0.1:7946")]
    address: String,
    /// The group's label.
    #[schema(example = "shop")]
    label: String,
    /// When the process began.
    started_at: Time,
    /// Its clock.
    now: Time,
    /// Its incarnation: grows whenever it contradicts what is said of it.
    incarnation: u64,
    /// Members that are alive or suspect, itself included.
    live: usize,
    /// Members that it remembers, those that failed or left included.
    known: usize,
    /// A digest of the live members and their incarnations: the same at all who agree.
    view: String,
    /// direct: all exchange heartbeats; gossip: members are probed.
    #[schema(example = "direct")]
    mode: &'static str,
    /// How slow it thinks itself to be: 0 is well.
    local_health: u8,
    /// The round of probes that it is in.
    round: u64,
    /// Pieces of news that are still to be sent.
    backlog: usize,
    /// The number of the newest event.
    newest_event: u64,
}

/// Tells what this agent is.
#[utoipa::path(get, path = "/v1/status", tag = "operation",
    responses(
        (status = 200, description = "This agent", body = AgentView),
        (status = 503, description = "It has left its group", body = Problem),
    ))]
pub(super) async fn status(State(state): State<AgentState>) -> Result<Json<AgentView>, Problem> {
    let agent = state.agent();
    let clock = agent.clock();
    let address = agent.address().to_string();
    let name = agent.name().to_string();
    let newest_event = agent.events().newest_id();
    let started_at = Time::of(clock, Instant::ORIGIN);
    let now = Time::of(clock, clock.now());
    let read = agent.view(move |swim, _now| AgentView {
        version: env!("CARGO_PKG_VERSION"),
        name,
        address,
        label: swim.config().params().label.as_str().to_owned(),
        started_at,
        now,
        incarnation: swim.me().incarnation().number(),
        live: swim.live(),
        known: swim.members().count(),
        view: format!("{:016x}", swim.view_digest()),
        mode: swim.mode().as_str(),
        local_health: swim.local_health(),
        round: swim.round(),
        backlog: swim.backlog(),
        newest_event,
    });
    let view = read.await.map_err(|_| Problem::new(Kind::Stopped))?;
    Ok(Json(view))
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn description() -> impl IntoResponse {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], super::openapi_json())
}
