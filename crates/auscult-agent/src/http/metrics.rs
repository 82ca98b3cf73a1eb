//! `GET /metrics` of an agent.

use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::AgentState;
use super::connections::ConnectionCounters;
use super::exposition::{Exposition, Format};
use super::figures::{HttpFigures, MembershipFigures, write_http, write_membership, write_process};
use super::guard::RequestCounters;
use super::log::Streams;

/// The format that a scraper asks for.
#[must_use]
pub fn format_of(headers: &HeaderMap) -> Format {
    let accept: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    Format::negotiate(&accept.join(","))
}

/// Says in which format the answer is.
pub fn mark(response: &mut Response, format: Format) {
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    headers.insert(VARY, HeaderValue::from_static("accept"));
}

impl HttpFigures {
    /// Reads what counts.
    #[must_use]
    pub fn read(
        connections: &ConnectionCounters,
        requests: &RequestCounters,
        streams: &Streams,
    ) -> Self {
        let accepted = connections.accepted.load(Relaxed);
        let ended = connections.ended.load(Relaxed);
        Self {
            responses: requests.classes().collect(),
            problems: requests.problems().collect(),
            open: accepted.saturating_sub(ended),
            accepted,
            broken: connections.broken.load(Relaxed),
            write_timeouts: connections.write_timeouts.load(Relaxed),
            streams: streams.open(),
            events_missed: streams.missed(),
        }
    }
}

/// Shows all figures.
///
/// OpenMetrics 1.0 where `Accept` asks for it, classic text otherwise. `api/metrics.md` lists the
/// families.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "Figures", content(
        (String = "text/plain"), (String = "application/openmetrics-text")))))]
pub(super) async fn metrics(State(state): State<AgentState>, headers: HeaderMap) -> Response {
    let format = format_of(&headers);
    let mut out = Exposition::new(format, TEXT_BYTES);
    write_membership(&mut out, &MembershipFigures::read(state.agent()));
    let http = HttpFigures::read(state.connections(), state.requests(), state.streams());
    write_http(&mut out, &http);
    write_process(&mut out, env!("CARGO_PKG_VERSION"));
    let mut response = out.finish().into_response();
    mark(&mut response, format);
    response
}

/// What the text takes, roughly.
const TEXT_BYTES: usize = 16_384;
