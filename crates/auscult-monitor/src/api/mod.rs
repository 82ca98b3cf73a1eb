//! The HTTP face of the monitor: REST, server-sent events, metrics, the page, and the seeds' own routes.

mod connections;
mod events;
#[expect(dead_code, reason = "the routes of targets follow")]
mod extract;
mod guard;
mod health;
#[expect(dead_code, reason = "the routes that use all of it follow")]
mod json;
mod page;
#[expect(dead_code, reason = "the routes that use all of it follow")]
mod problem;
mod stop;
#[cfg(test)]
mod tests;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::events::EventLog;

pub use connections::{ConnectionCounters, ConnectionLimits, serve};
pub use stop::{Stop, Stopper};

/// Everything that the routes read and change.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The parts of an [`ApiState`].
pub struct ApiParts {
    /// The process's clock.
    pub clock: Clock,
    /// What happened.
    pub events: EventLog,
    /// Ends streams when the server ends.
    pub stop: Stop,
    /// Counted by [`serve`], read by the metrics.
    pub connections: Arc<ConnectionCounters>,
}

struct Shared {
    parts: ApiParts,
    requests: guard::RequestCounters,
    streams: events::Streams,
}

impl ApiState {
    /// Joins the parts.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        Self(Arc::new(Shared {
            parts,
            requests: guard::RequestCounters::default(),
            streams: events::Streams::default(),
        }))
    }

    fn clock(&self) -> &Clock {
        &self.0.parts.clock
    }

    fn events(&self) -> &EventLog {
        &self.0.parts.events
    }

    fn stop(&self) -> Stop {
        self.0.parts.stop.clone()
    }

    fn streams(&self) -> &events::Streams {
        &self.0.streams
    }

    fn requests(&self) -> &guard::RequestCounters {
        &self.0.requests
    }
}

#[derive(OpenApi)]
#[openapi(info(title = "auscult"))]
struct Description;

/// All routes.
pub fn router(state: ApiState) -> Router {
    let (router, _description) = described().split_for_parts();
    router
        .merge(page::routes())
        .fallback(guard::unknown_route)
        .method_not_allowed_fallback(guard::unknown_method)
        .layer(from_fn(guard::same_origin))
        .layer(from_fn_with_state(state.clone(), guard::label))
        .with_state(state)
}

fn described() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health::healthy))
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
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
        "api/{name} does not say what the code does; UPDATE_API=1 cargo test -p auscult-monitor writes it anew"
    );
}
