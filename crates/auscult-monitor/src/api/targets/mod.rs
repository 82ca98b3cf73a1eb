//! `/v1/targets`: what is watched, read and changed.

mod query;
pub(super) mod reading;
pub(super) mod verdict;
mod view;
mod why;

use std::collections::BTreeMap;

use auscult_core::id::check_name;
use auscult_core::monitor::Status;
use auscult_core::monitor::registry::{Document, Key, Kind as SettingKind};
use axum::extract::{Request, State};
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use self::query::{Candidate, Query};
use self::view::{TargetDetail, TargetSummary};
use super::ApiState;
use super::blocking::blocking;
use super::extract::{Named, Params};
use super::json::{self, Json};
use super::page::fingerprint;
use super::problem::{Fault, Kind, Problem};
use super::refused::no_name;
use super::views::Time;
use super::who::By;
use crate::registry::{OnlyIf, Put, Watched};
use crate::settings::documents::{Written, document};
use crate::settings::{Problems, TargetSpec};

/// A target's description: far above what one needs, far below what hurts.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A page of targets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TargetPage {
    /// The targets, in the order asked for.
    targets: Vec<TargetSummary>,
    /// How many there are by status, `status` itself not counted among the filters.
    counts: BTreeMap<&'static str, usize>,
    /// How many targets the filters let through, on all pages.
    matched: usize,
    /// What to give as `cursor` for the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
    /// The monitor's clock.
    now: Time,
    /// Whether the monitor suspects itself instead of its targets.
    observer_suspects_itself: bool,
}

/// Lists targets, the worst first.
#[utoipa::path(get, path = "/v1/targets", tag = "targets",
    params(
        ("status" = Option<String>, Query,
            description = "Statuses, separated by commas: down, late, unknown, up, paused"),
        ("label" = Option<Vec<String>>, Query,
            description = "`name:value`, or `name` for any value; may stand several times"),
        ("group" = Option<String>, Query, description = "The group"),
        ("q" = Option<String>, Query,
            description = "A text in the name, the group or a label, in any case"),
        ("sort" = Option<String>, Query,
            description = "`worst` (default): by status, then latest change first; or `id`"),
        ("limit" = Option<u64>, Query, description = "Targets at most: 1 to 1000, default 100"),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses(
        (status = 200, description = "Targets", body = TargetPage),
        (status = 400, description = "The query cannot be used", body = Problem),
    ))]
pub(super) async fn list(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<TargetPage>, Problem> {
    let query = Query::read(params)?;
    blocking(move || Json(page(&state, &query))).await
}

fn page(state: &ApiState, query: &Query) -> TargetPage {
    let mut counts: BTreeMap<&str, usize> = Status::ALL.map(|s| (s.as_str(), 0)).into();
    let mut candidates = Vec::new();
    for candidate in candidates_of(state) {
        if query.needs_spec() {
            let spec = state.registry().spec(&candidate.id);
            if !query.matches(&candidate.id, spec.as_deref()) {
                continue;
            }
        }
        *counts.entry(candidate.status.as_str()).or_default() += 1;
        if query.shows(candidate.status) {
            candidates.push(candidate);
        }
    }
    let matched = candidates.len();
    let (ids, next) = query.page(candidates);
    let (now, observer_suspects_itself) = state
        .engine()
        .read(|monitor, now| (now, monitor.observer_suspects_itself()));
    TargetPage {
        targets: ids
            .iter()
            .filter_map(|id| TargetSummary::read(state, id))
            .collect(),
        counts,
        matched,
        next,
        now: Time::of(state.clock(), now),
        observer_suspects_itself,
    }
}

/// Every target, read in pieces.
fn candidates_of(state: &ApiState) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    state.for_each_target(|target, _| {
        candidates.push(Candidate {
            id: target.id().to_string(),
            status: target.status(),
            since: target.since(),
        });
    });
    candidates
}

/// Reads a target with its evidence.
#[utoipa::path(get, path = "/v1/targets/{id}", tag = "targets",
    params(("id" = String, Path,
            description = "The target's name, percent-encoded as one segment")),
    responses(
        (status = 200, description = "The target", body = TargetDetail,
            headers(("ETag" = String, description = "Changes with the target's settings"))),
        (status = 404, description = "No such target", body = Problem),
    ))]
pub(super) async fn read(
    State(state): State<ApiState>,
    Named(id): Named,
) -> Result<Response, Problem> {
    detail(&state, &id, StatusCode::OK)
}

/// Adds a target.
#[utoipa::path(post, path = "/v1/targets", tag = "targets",
    request_body = TargetSpec,
    responses(
        (status = 201, description = "Added", body = TargetDetail,
            headers(("Location" = String), ("ETag" = String))),
        (status = 400, description = "The body is no JSON", body = Problem),
        (status = 409, description = "It exists already", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 422, description = "It is not valid", body = Problem),
    ))]
pub(super) async fn create(
    State(state): State<ApiState>,
    by: By,
    request: Request,
) -> Result<Response, Problem> {
    let body = json::read_json(request, BODY_BYTES_MAX).await?;
    let target = parse(None, &body)?;
    let spec = state.registry().create(&by.author, target).await?;
    created(&state, &spec)
}

/// Adds a target, or replaces the one of that name.
///
/// What stays the same keeps its history. `If-Match` makes it conditional on the `ETag` of a read,
/// and `If-None-Match: *` on its absence.
#[utoipa::path(put, path = "/v1/targets/{id}", tag = "targets",
    params(
        ("id" = String, Path,
            description = "The target's name, percent-encoded as one segment"),
        ("If-Match" = Option<String>, Header, description = "Replace only what has this ETag"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only add"),
    ),
    request_body = TargetSpec,
    responses(
        (status = 200, description = "Replaced", body = TargetDetail,
            headers(("ETag" = String))),
        (status = 201, description = "Added", body = TargetDetail,
            headers(("Location" = String), ("ETag" = String))),
        (status = 400, description = "The body is no JSON, or this is no name", body = Problem),
        (status = 409, description = "It is defined in the settings file", body = Problem),
        (status = 412, description = "It has changed meanwhile", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 422, description = "It is not valid", body = Problem),
    ))]
pub(super) async fn replace(
    State(state): State<ApiState>,
    Named(id): Named,
    by: By,
    request: Request,
) -> Result<Response, Problem> {
    check_name(&id).map_err(|error| no_name(&id, error))?;
    let only_if = Condition::only_if(request.headers());
    let body = json::read_json(request, BODY_BYTES_MAX).await?;
    let target = parse(Some(&id), &body)?;
    let replaced = state.registry().replace(&by.author, target, only_if);
    match replaced.await? {
        (Put::Added, spec) => created(&state, &spec),
        (Put::Replaced, spec) => detail(&state, &spec.id, StatusCode::OK),
    }
}

/// Removes a target.
#[utoipa::path(delete, path = "/v1/targets/{id}", tag = "targets",
    params(
        ("id" = String, Path,
            description = "The target's name, percent-encoded as one segment"),
        ("If-Match" = Option<String>, Header, description = "Remove only what has this ETag"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "No such target", body = Problem),
        (status = 409, description = "It is defined in the settings file", body = Problem),
        (status = 412, description = "It has changed meanwhile", body = Problem),
    ))]
pub(super) async fn remove(
    State(state): State<ApiState>,
    Named(id): Named,
    by: By,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let only_if = Condition::only_if(&headers);
    state.registry().remove(&by.author, &id, only_if).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Stops judging a target until it is resumed. Its arrivals are still taken.
#[utoipa::path(post, path = "/v1/targets/{id}/pause", tag = "targets",
    params(("id" = String, Path,
            description = "The target's name, percent-encoded as one segment")),
    responses(
        (status = 200, description = "Paused", body = TargetDetail),
        (status = 404, description = "No such target", body = Problem),
    ))]
pub(super) async fn pause(
    State(state): State<ApiState>,
    Named(id): Named,
    by: By,
) -> Result<Response, Problem> {
    state.registry().pause(&by.author, &id).await?;
    detail(&state, &id, StatusCode::OK)
}

/// Judges a paused target again, with a new grace.
#[utoipa::path(post, path = "/v1/targets/{id}/resume", tag = "targets",
    params(("id" = String, Path,
            description = "The target's name, percent-encoded as one segment")),
    responses(
        (status = 200, description = "Resumed", body = TargetDetail),
        (status = 404, description = "No such target", body = Problem),
    ))]
pub(super) async fn resume(
    State(state): State<ApiState>,
    Named(id): Named,
    by: By,
) -> Result<Response, Problem> {
    state.registry().resume(&by.author, &id).await?;
    detail(&state, &id, StatusCode::OK)
}

/// The document of a target from a body, which may leave out the name that the path has.
fn parse(id: Option<&str>, body: &Value) -> Result<(Key, Document), Problem> {
    let read = document(SettingKind::Target, id, Written::Json(body));
    read.map_err(|problems| invalid(&problems))
}

fn created(state: &ApiState, spec: &TargetSpec) -> Result<Response, Problem> {
    let mut response = detail(state, &spec.id, StatusCode::CREATED)?;
    let location = format!("/v1/targets/{}", encode(&spec.id));
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn detail(state: &ApiState, id: &str, status: StatusCode) -> Result<Response, Problem> {
    let watched = state.registry().watched(id);
    let found = watched.and_then(|watched| Some((TargetDetail::read(state, &watched)?, watched)));
    let Some((detail, watched)) = found else {
        return Err(unknown_target(id));
    };
    let mut response = json::answer(status, &detail);
    if let Ok(tag) = HeaderValue::try_from(entity_tag(&watched.spec)) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

pub(super) fn unknown_target(id: &str) -> Problem {
    Problem::new(Kind::UnknownTarget)
        .detail(format!("there is no target named {id:?}"))
        .hint("GET /v1/targets lists them")
}

/// A tag that changes with the settings of a target.
fn entity_tag(spec: &TargetSpec) -> String {
    let text = serde_json::to_vec(spec).unwrap_or_default();
    format!("\"{:016x}\"", fingerprint(&text))
}

/// What must hold for a change to be made.
#[derive(Debug)]
struct Condition {
    matches: Option<String>,
    absent: bool,
}

impl Condition {
    /// The condition of a request, if it has one.
    fn only_if(headers: &HeaderMap) -> Option<OnlyIf> {
        let condition = Self::of(headers);
        let any = condition.matches.is_some() || condition.absent;
        any.then(|| -> OnlyIf { Box::new(move |watched| condition.holds(watched)) })
    }

    fn of(headers: &HeaderMap) -> Self {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        Self {
            matches: text(IF_MATCH).map(str::to_owned),
            absent: text(IF_NONE_MATCH).is_some_and(|value| value.trim() == "*"),
        }
    }

    fn holds(&self, watched: Option<&Watched>) -> bool {
        if self.absent && watched.is_some() {
            return false;
        }
        match (&self.matches, watched) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(watched)) => {
                let tag = entity_tag(&watched.spec);
                wanted
                    .split(',')
                    .any(|one| one.trim() == "*" || one.trim() == tag)
            }
        }
    }
}

/// A name as one segment of a path.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Everything that is wrong with the description of a target.
pub(super) fn invalid(problems: &Problems) -> Problem {
    Problem::new(Kind::Invalid)
        .detail(match problems.count() {
            1 => "the target has a fault".to_owned(),
            count => format!("the target has {count} faults"),
        })
        .errors(faults(problems))
}

/// Problems of settings as faults of a body, or of a file with their places.
pub(super) fn faults(problems: &Problems) -> Vec<Fault> {
    let fault = |problem: &crate::settings::Problem| Fault {
        pointer: match (&problems.file, problem.span) {
            (Some(file), Some(span)) => format!("{file}:{}:{}", span.line, span.column),
            (Some(file), None) => file.clone(),
            (None, _) => problem.path.clone(),
        },
        detail: problem.message.clone(),
        hint: problem.hint.clone(),
    };
    problems.list.iter().map(fault).collect()
}
