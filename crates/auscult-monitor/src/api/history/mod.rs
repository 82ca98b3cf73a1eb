//! `/v1/targets/{id}/history` and `/v1/targets/{id}/availability`: the past of a target.

pub(super) mod arrivals;
pub(super) mod availability;
mod csv;
mod query;
mod view;

use auscult_core::history::Resolution;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use self::query::{Cursor, Format, Part, Query};
use self::view::{ChangeView, RollupView};
use super::ApiState;
use super::blocking::blocking;
use super::extract::{Named, Params};
use super::json;
use super::problem::{Kind, Problem};
use super::targets::unknown_target;
use super::views::Time;
use crate::history::{Bookmark, History, Past};
use crate::store::StoreError;

/// Where a CSV page goes on.
const NEXT: HeaderName = HeaderName::from_static("x-auscult-next");

/// A page of a target's past.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryPage {
    target: String,
    /// The window asked for.
    since: Time,
    until: Time,
    /// How long the time is that one roll-up tells of: 10s, 5m or 1h.
    #[schema(example = "5m")]
    resolution: &'static str,
    /// Changes of status, oldest first.
    transitions: Vec<ChangeView>,
    /// Roll-ups, oldest first. Times of which nothing is known have none.
    rollups: Vec<RollupView>,
    /// What to give as `cursor` for the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// Reads the past of a target: changes of status with their evidence, and roll-ups.
///
/// Without `resolution` the finest one with no more than `limit` roll-ups in the window. `limit`
/// counts each of the two lists; a list that is complete stays empty on the next page. A target
/// that is not watched any more has a past as long as something is kept of it.
#[utoipa::path(get, path = "/v1/targets/{id}/history", tag = "targets",
    params(
        ("id" = String, Path,
            description = "The target's name, percent-encoded as one segment"),
        ("since" = Option<String>, Query,
            description = "RFC 3339, or a span before `until`: `24h` (default), `30d`"),
        ("until" = Option<String>, Query,
            description = "RFC 3339, or a span before now; default now"),
        ("resolution" = Option<String>, Query, description = "10s, 5m or 1h"),
        ("part" = Option<String>, Query,
            description = "`transitions` or `rollups`: only these; default both, in CSV `rollups`"),
        ("limit" = Option<u64>, Query,
            description = "Rows of each list at most: 1 to 10000, default 1000"),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
        ("format" = Option<String>, Query,
            description = "`json` or `csv`; goes before `Accept: text/csv`"),
    ),
    responses(
        (status = 200, description = "The past. In CSV the next page's cursor stands in the header \
            X-Auscult-Next", content((HistoryPage = "application/json"), (String = "text/csv"))),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 404, description = "No such target, or no past is kept", body = Problem),
        (status = 503, description = "The past cannot be read now", body = Problem),
    ))]
pub(super) async fn past(
    State(state): State<ApiState>,
    Named(id): Named,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let history = of(&state, &id)?;
    let query = Query::read(params, &headers, history.now_ms())?;
    blocking(move || page(&history, id, &query)).await?
}

/// The history, if one is kept and the target has a place in it or is watched.
fn of(state: &ApiState, id: &str) -> Result<History, Problem> {
    let Some(history) = state.history() else {
        return Err(Problem::new(Kind::NoHistory)
            .detail("this monitor has no data folder")
            .hint("start it with --datadir"));
    };
    let watched = state
        .engine()
        .read(|monitor, _| monitor.target(id).is_some());
    if !watched && !history.knows(id) {
        return Err(unknown_target(id));
    }
    Ok(history.clone())
}

fn page(history: &History, target: String, query: &Query) -> Result<Response, Problem> {
    let Cursor { changes, rollups } = query.cursor;
    let found = match changes.filter(|_| query.part != Part::Rollups) {
        Some(after) => history.changes(&target, after, query.until_ms, query.limit),
        None => Ok(nothing()),
    };
    let found = found.map_err(|error| unreadable(&error))?;
    let rows = match rollups.filter(|_| query.part != Part::Transitions) {
        Some(from) => {
            let window = (from, query.until_ms);
            history.rollups(&target, query.resolution, window, query.limit)
        }
        None => Ok(nothing()),
    };
    let rows = rows.map_err(|error| unreadable(&error))?;
    let next = next(&found, &rows, query.resolution).map(|cursor| cursor.to_string());
    if query.format == Format::Csv {
        return Ok(as_csv(&csv::write(&found.rows, &rows.rows, query), next));
    }
    let page = HistoryPage {
        target,
        since: view::time_ms(query.since_ms),
        until: view::time_ms(query.until_ms),
        resolution: query.resolution.as_str(),
        transitions: found.rows.iter().map(ChangeView::new).collect(),
        rollups: rows
            .rows
            .iter()
            .map(|(at, row)| RollupView::new(*at, row))
            .collect(),
        next,
    };
    Ok(json::Json(page).into_response())
}

fn nothing<T>() -> Past<T> {
    Past {
        rows: Vec::new(),
        more: false,
    }
}

/// Where the page behind this one begins.
fn next(
    changes: &Past<crate::history::Change>,
    rollups: &Past<(u64, auscult_core::history::Rollup)>,
    resolution: Resolution,
) -> Option<Cursor> {
    let after = changes.rows.last().filter(|_| changes.more);
    let from = rollups.rows.last().filter(|_| rollups.more);
    let cursor = Cursor {
        changes: after.map(|change| Bookmark {
            at_nanos: change.at_nanos,
            id: change.id,
        }),
        rollups: from.map(|(at, _)| at + resolution.millis()),
    };
    (changes.more || rollups.more).then_some(cursor)
}

fn as_csv(text: &str, next: Option<String>) -> Response {
    let mut response = text.to_owned().into_response();
    let media = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    response.headers_mut().insert(CONTENT_TYPE, media);
    if let Some(next) = next.and_then(|next| HeaderValue::try_from(next).ok()) {
        response.headers_mut().insert(NEXT, next);
    }
    response
}

fn unreadable(error: &StoreError) -> Problem {
    Problem::new(Kind::Busy)
        .detail(format!("the past cannot be read now: {error}"))
        .hint("`GET /v1/monitor` says how the history is doing")
}
