//! The HTTP face of an agent, and what a monitor's shares with it.
//!
//! An agent serves it where it is asked to ([`serve_agent`]); a monitor that is a member of a group
//! mounts [`members::routes`] among its own.

mod compat;
pub mod connections;
mod events;
pub mod exposition;
pub mod extract;
pub mod families;
pub mod figures;
pub mod group;
pub mod guard;
mod health;
pub mod json;
mod links;
pub mod log;
pub mod members;
pub mod metrics;
pub mod problem;
mod process;
pub mod pulse;
pub mod stop;
#[cfg(test)]
mod tests;
pub mod time;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handle::AgentHandle;
use connections::{ConnectionCounters, ConnectionLimits};
use group::Group;
use guard::RequestCounters;
use log::Streams;
use stop::Stop;

/// Everything that the routes of an agent read.
#[derive(Clone, Debug)]
pub struct AgentState(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    agent: AgentHandle,
    company: Company,
    stop: Stop,
    connections: Arc<ConnectionCounters>,
    requests: Arc<RequestCounters>,
    streams: Streams,
}

/// Whether an agent was told whom to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// It was: it is ready once somebody is there.
    Expected,
    /// It was not: others come to it.
    Unexpected,
}

impl AgentState {
    /// The state of an agent's routes, until `stop`.
    #[must_use]
    pub fn new(agent: AgentHandle, company: Company, stop: Stop) -> Self {
        Self(Arc::new(Parts {
            agent,
            company,
            stop,
            connections: Arc::default(),
            requests: Arc::default(),
            streams: Streams::default(),
        }))
    }

    fn agent(&self) -> &AgentHandle {
        &self.0.agent
    }

    fn wants_company(&self) -> bool {
        self.0.company == Company::Expected
    }

    fn stop(&self) -> &Stop {
        &self.0.stop
    }

    fn connections(&self) -> &ConnectionCounters {
        &self.0.connections
    }

    fn requests(&self) -> &RequestCounters {
        &self.0.requests
    }

    fn streams(&self) -> &Streams {
        &self.0.streams
    }
}

impl FromRef<AgentState> for Group {
    fn from_ref(state: &AgentState) -> Self {
        Self(Some(state.agent().clone()))
    }
}

/// Serves the routes of an agent on `listener`, until it is told to stop.
pub async fn serve_agent(listener: TcpListener, state: AgentState) {
    let (stop, counters) = (state.stop().clone(), Arc::clone(&state.0.connections));
    let limits = ConnectionLimits {
        // A few programs and people read an agent; it stays small whoever else comes.
        connections_max: 64,
        ..ConnectionLimits::default()
    };
    connections::serve(listener, router(state), limits, counters, stop).await;
}

/// What the OpenAPI document says of all routes together.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "auscult agent",
        description = "A member of a group, and what it knows of the others.\n\n\
            Names in a path are one percent-encoded segment. Times are RFC 3339 in UTC; spans are \
            numbers with their unit last in the name. Errors are problem documents (RFC 9457). \
            There is no authentication: bind to an address that only those reach who may know who \
            is there."
    ),
    tags(
        (name = "members", description = "Who is in the group, and who hears whom"),
        (name = "events", description = "What happened"),
        (name = "operation", description = "The agent itself"),
        (name = "seeds", description = "Routes of programs that this one follows")
    )
)]
struct Description;

/// The OpenAPI document of an agent: `api/openapi-agent.json`.
#[must_use]
pub fn openapi_json() -> String {
    // Maps of texts and numbers can always be written.
    let mut text = described()
        .into_openapi()
        .to_pretty_json()
        .unwrap_or_default();
    text.push('\n');
    text
}

/// All routes of an agent.
pub fn router(state: AgentState) -> Router {
    let (router, _description) = described().split_for_parts();
    router
        .fallback(guard::unknown_route)
        .method_not_allowed_fallback(guard::unknown_method)
        .layer(from_fn(guard::same_origin))
        .layer(from_fn_with_state(
            Arc::clone(&state.0.requests),
            guard::label,
        ))
        .with_state(state)
}

/// Every route with its description: whatever is served is described.
fn described() -> OpenApiRouter<AgentState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(members::routes())
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
        .routes(routes!(health::status))
        .routes(routes!(health::description))
        .routes(routes!(health::healthy))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(compat::all))
        .routes(routes!(compat::one))
}
