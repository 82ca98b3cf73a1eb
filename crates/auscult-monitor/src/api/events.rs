//! The event log of the monitor over HTTP.

use auscult_agent::http::log::{EventPage, ServedLog, Show};
use auscult_core::monitor::Event;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::ApiState;
use super::extract::Params;
use super::problem::Problem;
use super::views::{EventView, code};

/// Reads events.
///
/// Without `since` the newest ones, with it those after it; oldest first in both cases. With
/// `Accept: text/event-stream` it is the stream of `/v1/events/stream`.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        ("since" = Option<u64>, Query,
            description = "The number of the event seen last; 0 for the oldest one kept"),
        ("limit" = Option<u64>, Query, description = "Events at most: 1 to 1000, default 100"),
        ("target" = Option<String>, Query, description = "Events of this target only"),
    ),
    responses(
        (status = 200, description = "Events", body = EventPage<EventView>),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "Too many streams", body = Problem),
    ))]
pub(super) async fn list(
    State(state): State<ApiState>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    served(&state).list(params, &headers)
}

/// Follows events as they happen.
///
/// Server-sent events: the type is the event's kind, the data its JSON, the id its number.
/// `Last-Event-ID`, or `since`, resumes; without them the stream begins with what happens next. An
/// event `lagged` with `{"lost": n}` (null: unknown) stands in the place of events that are no
/// longer kept. Comments keep the connection alive.
#[utoipa::path(get, path = "/v1/events/stream", tag = "events",
    params(
        ("since" = Option<u64>, Query,
            description = "The number of the event seen last; 0 for the oldest one kept"),
        ("target" = Option<String>, Query, description = "Events of this target only"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Goes before `since`"),
    ),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "Too many streams", body = Problem),
    ))]
pub(super) async fn stream(
    State(state): State<ApiState>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    served(&state).stream(params, &headers)
}

fn served(state: &ApiState) -> ServedLog<'_, Event, EventView> {
    ServedLog {
        show: Show {
            view: EventView::new,
            code: |event| code(&event.kind),
            is_about: |event, name| event.target.as_deref() == Some(name),
        },
        log: state.events(),
        clock: state.clock(),
        streams: state.streams(),
        stop: state.stop(),
    }
}
