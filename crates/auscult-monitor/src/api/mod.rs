//! The HTTP face of the monitor: REST, server-sent events, metrics, the page, and the seeds' own routes.

mod connections;
mod guard;
mod health;
#[expect(dead_code, reason = "the routes that use all of it follow")]
mod json;
#[expect(dead_code, reason = "the routes that use all of it follow")]
mod problem;
mod stop;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use connections::{ConnectionCounters, ConnectionLimits, serve};
pub use stop::{Stop, Stopper};

/// Everything that the routes read and change.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The parts of an [`ApiState`].
pub struct ApiParts {
    /// Ends streams when the server ends.
    pub stop: Stop,
    /// Counted by [`serve`], read by the metrics.
    pub connections: Arc<ConnectionCounters>,
}

struct Shared {
    #[expect(dead_code, reason = "the routes that read them follow")]
    parts: ApiParts,
    requests: guard::RequestCounters,
}

impl ApiState {
    /// Joins the parts.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        Self(Arc::new(Shared {
            parts,
            requests: guard::RequestCounters::default(),
        }))
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
        .fallback(guard::unknown_route)
        .method_not_allowed_fallback(guard::unknown_method)
        .layer(from_fn(guard::same_origin))
        .layer(from_fn_with_state(state.clone(), guard::label))
        .with_state(state)
}

fn described() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Description::openapi()).routes(routes!(health::healthy))
}
