//! The HTTP face of the monitor: REST, server-sent events, metrics, the page, and the seeds' own
//! routes.

mod alerts;
mod blocking;
mod cluster;
mod compat;
mod events;
mod health;
mod heartbeats;
mod history;
mod metrics;
pub(crate) mod metrics_log;
mod page;
mod refused;
mod settings;
mod targets;
#[cfg(test)]
mod tests;
mod views;
mod watch;
mod who;

use std::sync::Arc;

use auscult_core::monitor::TargetView;
use auscult_core::time::Instant;
use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alerts::AlertDesk;
use crate::check::CheckRunner;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::events::EventLog;
use crate::history::History;
use crate::ingest::UdpReceiver;
use crate::observers::Observatory;
use crate::peer_metrics::PeerMonitor;
use crate::registry::Registry;
use crate::replication::Node;

use auscult_agent::AgentHandle;
use auscult_agent::http::group::Group;
use auscult_agent::http::{extract, guard, json, log, members, problem};

pub use auscult_agent::http::connections::{ConnectionCounters, ConnectionLimits, serve};
pub use auscult_agent::http::stop::{Stop, Stopper};

/// Everything that the routes read and change.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The parts of an [`ApiState`].
pub struct ApiParts {
    /// What judges.
    pub engine: Engine,
    /// What is watched.
    pub registry: Arc<Registry>,
    /// What checks.
    pub checks: Arc<CheckRunner>,
    /// What takes heartbeats over UDP, if anything does.
    pub udp: Option<Arc<UdpReceiver>>,
    /// Ends streams when the server ends.
    pub stop: Stop,
    /// Counted by [`serve`], read by the metrics.
    pub connections: Arc<ConnectionCounters>,
    /// What makes it a member of a group, if it is one.
    pub agent: Option<AgentHandle>,
    /// Its part of a group of monitors, if it takes part in one.
    pub node: Option<Node>,
    /// What observes together with other monitors, if there can be any.
    pub observatory: Option<Observatory>,
    /// What decides what people are told.
    pub alerts: AlertDesk,
    /// What keeps the metrics of peers.
    pub peer_metrics: PeerMonitor,
    /// The past, if it is kept.
    pub history: Option<History>,
}

/// Targets that are read under one lock: some 50 us.
const TARGETS_AT_ONCE: usize = 256;

struct Shared {
    parts: ApiParts,
    requests: Arc<guard::RequestCounters>,
    streams: log::Streams,
    scrapes: Arc<Semaphore>,
}

impl ApiState {
    /// Joins the parts.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        Self(Arc::new(Shared {
            parts,
            requests: Arc::default(),
            streams: log::Streams::default(),
            scrapes: Arc::new(Semaphore::new(metrics::SCRAPES_MAX)),
        }))
    }

    fn engine(&self) -> &Engine {
        &self.0.parts.engine
    }

    fn clock(&self) -> &Clock {
        self.engine().clock()
    }

    fn events(&self) -> &EventLog {
        self.engine().events()
    }

    fn registry(&self) -> &Arc<Registry> {
        &self.0.parts.registry
    }

    fn checks(&self) -> &CheckRunner {
        &self.0.parts.checks
    }

    fn udp(&self) -> Option<&UdpReceiver> {
        self.0.parts.udp.as_deref()
    }

    fn connections(&self) -> &ConnectionCounters {
        &self.0.parts.connections
    }

    /// Reads every target, some at a time: the machine goes on in between, so a target that comes
    /// or goes meanwhile may be there or not.
    fn for_each_target(&self, mut read: impl FnMut(&TargetView<'_>, Instant)) {
        let mut next = Some(0);
        while let Some(from) = next {
            next = self.engine().read(|monitor, now| {
                let mut targets = monitor.targets_from(from);
                for target in targets.by_ref().take(TARGETS_AT_ONCE) {
                    read(&target, now);
                }
                targets.next().map(|target| target.slot())
            });
        }
    }

    fn agent(&self) -> Option<&AgentHandle> {
        self.0.parts.agent.as_ref()
    }

    fn node(&self) -> Option<&Node> {
        self.0.parts.node.as_ref()
    }

    fn observatory(&self) -> Option<&Observatory> {
        self.0.parts.observatory.as_ref()
    }

    fn alerts(&self) -> &AlertDesk {
        &self.0.parts.alerts
    }

    fn peer_metrics(&self) -> &PeerMonitor {
        &self.0.parts.peer_metrics
    }

    fn history(&self) -> Option<&History> {
        self.0.parts.history.as_ref()
    }

    fn stop(&self) -> &Stop {
        &self.0.parts.stop
    }

    fn streams(&self) -> &log::Streams {
        &self.0.streams
    }

    fn scrapes(&self) -> &Arc<Semaphore> {
        &self.0.scrapes
    }

    fn requests(&self) -> &Arc<guard::RequestCounters> {
        &self.0.requests
    }
}

impl FromRef<ApiState> for Group {
    fn from_ref(state: &ApiState) -> Self {
        Self(state.0.parts.agent.clone())
    }
}

/// What the OpenAPI document says of all routes together.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "auscult",
        description = "Tells, quickly and rarely wrongly, which processes are alive.\n\n\
            Names in a path are one percent-encoded segment. Times are RFC 3339 in UTC; spans are \
            numbers with their unit last in the name on output, and texts such as `500ms` on \
            input. Errors are problem documents (RFC 9457). As long as there is no token, \
            whoever reaches the address may do everything; from the first token on (`POST \
            /v1/settings/tokens`, role `admin`) each request needs `Authorization: Bearer`, but for \
            the page's files, `/-/healthy`, `/-/ready` and `/metrics`. `X-Auscult-Author` names who \
            makes a change."
    ),
    tags(
        (name = "targets", description = "What is watched"),
        (name = "settings", description = "What all monitors of a group share"),
        (name = "heartbeats", description = "'I am here'"),
        (name = "metrics", description = "What peers publish, each with a time to live"),
        (name = "members", description = "The group that the monitor belongs to"),
        (name = "cluster", description = "The monitors that share settings"),
        (name = "alerts", description = "What people are told"),
        (name = "events", description = "What happened"),
        (name = "operation", description = "The monitor itself"),
        (name = "seeds", description = "Routes of programs that this one follows")
    )
)]
struct Description;

/// The OpenAPI document: `api/openapi.json`.
#[must_use]
pub fn openapi_json() -> String {
    let document = described().into_openapi();
    // Maps of texts and numbers can always be written.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    let (router, _description) = described().split_for_parts();
    router
        .merge(page::routes())
        .merge(watch::routes(&state))
        .fallback(guard::unknown_route)
        .method_not_allowed_fallback(guard::unknown_method)
        .layer(from_fn_with_state(state.clone(), who::authorize))
        .layer(from_fn(guard::same_origin))
        .layer(from_fn(watch::say_in_grpc))
        .layer(from_fn_with_state(
            Arc::clone(state.requests()),
            guard::label,
        ))
        .with_state(state)
}

/// Every route with its description: whatever is served is described.
fn described() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(targets::list, targets::create))
        .routes(routes!(targets::read, targets::replace, targets::remove))
        .routes(routes!(targets::pause))
        .routes(routes!(targets::resume))
        .routes(routes!(history::past))
        .routes(routes!(history::availability::read))
        .routes(routes!(history::arrivals::read))
        .routes(routes!(settings::list, settings::apply))
        .routes(routes!(settings::history::history))
        .routes(routes!(settings::list_kind, settings::make_token))
        .routes(routes!(settings::read, settings::put, settings::remove))
        .routes(routes!(heartbeats::get, heartbeats::post))
        .routes(routes!(
            metrics_log::list,
            metrics_log::publish::publish,
            metrics_log::forget
        ))
        .routes(routes!(metrics_log::read))
        .merge(members::routes())
        .routes(routes!(cluster::read))
        .routes(routes!(cluster::join))
        .routes(routes!(cluster::leave))
        .routes(routes!(cluster::transfer))
        .routes(routes!(cluster::remove))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::read))
        .routes(routes!(alerts::acknowledge, alerts::withdraw))
        .routes(routes!(alerts::silences::list, alerts::silences::create))
        .routes(routes!(alerts::silences::remove))
        .routes(routes!(alerts::receivers::list))
        .routes(routes!(alerts::receivers::test))
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
        .routes(routes!(health::monitor))
        .routes(routes!(health::description))
        .routes(routes!(metrics::metrics))
        .routes(routes!(health::healthy))
        .routes(routes!(health::ready))
        .routes(routes!(health::reload))
        .routes(routes!(compat::peer_monitor::names))
        .routes(routes!(compat::peer_monitor::metrics))
        .routes(routes!(compat::peer_monitor::alerts))
        .routes(routes!(compat::status::all))
        .routes(routes!(compat::status::one))
        .routes(routes!(
            compat::config::read,
            compat::config::replace,
            compat::config::patch
        ))
        .routes(routes!(compat::cluster::join))
        .routes(routes!(compat::keys::read, compat::keys::write))
}

/// Compares a file of `api/` with what the code says, or writes it when `UPDATE_API` is set.
#[cfg(test)]
pub(crate) fn promise(name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../api")
        .join(name);
    if std::env::var_os("UPDATE_API").is_some() {
        std::fs::write(&path, expected).expect("api/ can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "api/{name} does not say what the code does; \
         UPDATE_API=1 cargo test -p auscult-monitor writes it anew"
    );
}
