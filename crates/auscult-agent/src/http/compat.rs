//! Routes of programs that this one follows: `GET /status/all` and `GET /status/{id}`, as pulse has
//! them.

use std::collections::BTreeMap;

use auscult_core::swim::State as MemberState;
use axum::extract::State;

use super::AgentState;
use super::extract::Named;
use super::group::unknown_member;
use super::json::Json;
use super::problem::Problem;
use super::pulse::{PulseState, PulseStatus};
use super::time::Time;
use crate::clock::Clock;
use crate::members::Member;

/// Shows all other members as pulse does.
#[utoipa::path(get, path = "/status/all", tag = "seeds",
    responses((status = 200, description = "All other members by name",
        body = BTreeMap<String, PulseStatus>)))]
pub(super) async fn all(State(state): State<AgentState>) -> Json<BTreeMap<String, PulseStatus>> {
    let agent = state.agent();
    let members = agent.members();
    let others = members.members.iter().filter(|member| !member.is_me);
    let nodes = others
        .filter_map(|member| shown(agent.clock(), member))
        .map(|status| (status.id().to_owned(), status));
    Json(nodes.collect())
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
        .and_then(|member| shown(agent.clock(), member));
    status.map(Json).ok_or_else(|| unknown_member(&id))
}

/// None for one that left: pulse forgets those.
fn shown(clock: &Clock, member: &Member) -> Option<PulseStatus> {
    let state = match member.state {
        MemberState::Alive if member.heard_at.is_none() && !member.is_me => PulseState::Pending,
        MemberState::Alive => PulseState::Alive,
        MemberState::Suspect => PulseState::Suspect,
        MemberState::Dead => PulseState::Dead,
        MemberState::Left => return None,
    };
    let heard_at = member.heard_at.map(|at| Time::of(clock, at));
    let name = member.name.to_string();
    Some(PulseStatus::new(name, state, member.round_trip, heard_at))
}
