//! Routes of programs that this one follows: `GET /status/all` and `GET /status/{id}`, as pulse has
//! them.

use std::collections::BTreeMap;

use auscult_core::swim::State as MemberState;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::AgentState;
use super::extract::Named;
use super::group::unknown_member;
use super::json::Json;
use super::problem::Problem;
use super::time::Time;
use crate::clock::Clock;
use crate::members::Member;

/// A member as pulse shows a node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PulseStatus {
    /// Its name.
    id: String,
    /// 0 alive, 1 dead, 2 pending, 3 suspect.
    state: u8,
    /// The state in words: Alive, Dead, Pending, Suspect.
    #[schema(example = "Alive")]
    state_name: &'static str,
    /// What a round trip to it takes, in seconds; null before the first one.
    #[serde(rename = "RTT")]
    #[schema(required)]
    rtt: Option<f64>,
    /// When it was heard last.
    #[schema(required)]
    last_connected: Option<Time>,
}

/// Shows all other members as pulse does.
#[utoipa::path(get, path = "/status/all", tag = "seeds",
    responses((status = 200, description = "All other members by name",
        body = BTreeMap<String, PulseStatus>)))]
pub(super) async fn all(State(state): State<AgentState>) -> Json<BTreeMap<String, PulseStatus>> {
    let agent = state.agent();
    let members = agent.members();
    let others = members.members.iter().filter(|member| !member.is_me);
    let shown = others
        .filter_map(|member| PulseStatus::of(agent.clock(), member))
        .map(|status| (status.id.clone(), status));
    Json(shown.collect())
}

/// Shows one member as pulse does.
#[utoipa::path(get, path = "/status/{id}", tag = "seeds",
    params(("id" = String, Path,
            description = "The member's name, percent-encoded as one segment")),
    responses(
        (status = 200, description = "The member", body = PulseStatus),
        (status = 404, description = "No such member", body = Problem),
    ))]
pub(super) async fn one(
    State(state): State<AgentState>,
    Named(id): Named,
) -> Result<Json<PulseStatus>, Problem> {
    let agent = state.agent();
    let members = agent.members();
    let status = members
        .get(&id)
        .and_then(|member| PulseStatus::of(agent.clock(), member));
    status.map(Json).ok_or_else(|| unknown_member(&id))
}

impl PulseStatus {
    /// None for one that left: pulse forgets those.
    fn of(clock: &Clock, member: &Member) -> Option<Self> {
        let (state, state_name) = match member.state {
            MemberState::Alive if member.heard_at.is_none() && !member.is_me => (2, "Pending"),
            MemberState::Alive => (0, "Alive"),
            MemberState::Suspect => (3, "Suspect"),
            MemberState::Dead => (1, "Dead"),
            MemberState::Left => return None,
        };
        Some(Self {
            id: member.name.to_string(),
            state,
            state_name,
            rtt: member.round_trip.map(|span| span.as_secs_f64()),
            last_connected: member.heard_at.map(|at| Time::of(clock, at)),
        })
    }
}
