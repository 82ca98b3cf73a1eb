//! `/v1/settings`: what the monitors share, read, planned and changed.

mod body;
mod fresh;
pub(super) mod history;
mod view;

use std::sync::Arc;

use auscult_core::monitor::registry::{Expect, Key, Kind as SettingKind, Revision};
use axum::extract::{Path, Request, State};
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use self::body::Body;
use self::fresh::{Fresh, Options};
use self::view::{ChangeView, PlanView, SettingPage, SettingView, TokenView};
use super::ApiState;
use super::blocking::blocking;
use super::extract::{Params, bad_value, whole_number};
use super::json::{self, Json};
use super::problem::{Kind, Problem};
use super::targets::encode;
use super::who::By;
use crate::registry::tokens::Role;
use crate::registry::{Made, Prune, Wanted};
use crate::settings::documents::{Sheet, Written, document, kind_of, plural};

/// A document, and room around it.
const DOCUMENT_BODY_MAX: usize = 256 * 1024;

/// As long as a file of settings may be.
const SHEET_BODY_MAX: usize = 64 << 20;

/// Settings on one page, where nobody says otherwise, and at most.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1000;

/// Lists settings, by kind and name.
#[utoipa::path(get, path = "/v1/settings", tag = "settings",
    params(
        ("kind" = Option<String>, Query,
            description = "Only these: defaults, groups, targets, receivers, silences, tokens, \
                pauses or values"),
        ("limit" = Option<u64>, Query, description = "Settings at most: 1 to 1000, default 100"),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
        ("consistency" = Option<String>, Query,
            description = "`linearizable`: everything acknowledged before is seen. `local` \
                (default): what is known here, with its age"),
        ("after_revision" = Option<u64>, Query,
            description = "Answers only when this revision, or a later one, is known here"),
        ("wait" = Option<String>, Query,
            description = "How long to wait for that, in milliseconds: at most 60000, default 10000"),
    ),
    responses(
        (status = 200, description = "Settings", body = SettingPage),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "No leader, or not known here in time", body = Problem),
    ))]
pub(super) async fn list(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<SettingPage>, Problem> {
    page(state, None, params).await
}

/// Lists the settings of a kind, by name.
#[utoipa::path(get, path = "/v1/settings/{kind}", tag = "settings",
    params(
        ("kind" = String, Path, description = "targets, groups, receivers and so on"),
        ("limit" = Option<u64>, Query, description = "Settings at most: 1 to 1000, default 100"),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
        ("consistency" = Option<String>, Query, description = "`linearizable` or `local`"),
        ("after_revision" = Option<u64>, Query, description = "As for all settings"),
        ("wait" = Option<String>, Query, description = "As for all settings"),
    ),
    responses(
        (status = 200, description = "Settings", body = SettingPage),
        (status = 404, description = "No such kind", body = Problem),
        (status = 503, description = "No leader, or not known here in time", body = Problem),
    ))]
pub(super) async fn list_kind(
    State(state): State<ApiState>,
    Path(kind): Path<String>,
    params: Params,
) -> Result<Json<SettingPage>, Problem> {
    let kind = known_kind(&kind)?;
    page(state, Some(kind), params).await
}

async fn page(
    state: ApiState,
    kind: Option<SettingKind>,
    params: Params,
) -> Result<Json<SettingPage>, Problem> {
    let (options, rest) = Options::take(params.known(&[
        "kind",
        "limit",
        "cursor",
        "consistency",
        "after_revision",
        "wait",
    ])?)?;
    let (mut kind, mut limit, mut cursor) = (kind, PAGE, None);
    for (name, value) in rest {
        match name.as_str() {
            "kind" => {
                let known = kind_of(&value);
                kind = Some(known.ok_or_else(|| bad_value("kind", unknown_kind(&value)))?);
            }
            "limit" => limit = whole_number("limit", &value, 1..=PAGE_MAX)?,
            _ => cursor = Some(view::read_cursor(&value)?),
        }
    }
    let fresh = options.reached(&state).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    blocking(move || Json(view::page(&state, fresh, kind, cursor.as_ref(), limit))).await
}

/// Reads a setting.
#[utoipa::path(get, path = "/v1/settings/{kind}/{name}", tag = "settings",
    params(
        ("kind" = String, Path, description = "targets, groups, receivers and so on"),
        ("name" = String, Path, description = "Its name, percent-encoded as one segment"),
        ("consistency" = Option<String>, Query, description = "`linearizable` or `local`"),
        ("after_revision" = Option<u64>, Query, description = "As for all settings"),
        ("wait" = Option<String>, Query, description = "As for all settings"),
    ),
    responses(
        (status = 200, description = "The setting", body = SettingView,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 400, description = "This is no name", body = Problem),
        (status = 404, description = "No such setting", body = Problem),
        (status = 503, description = "No leader, or not known here in time", body = Problem),
    ))]
pub(super) async fn read(
    State(state): State<ApiState>,
    Path((kind, name)): Path<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    let key = key(&kind, &name)?;
    let known = params.known(&["consistency", "after_revision", "wait"])?;
    let (options, _) = Options::take(known)?;
    let fresh = options.reached(&state).await?;
    one(&state, &key, fresh, StatusCode::OK)
}

/// Makes a setting say something, or plans it.
///
/// The body is the document, as JSON or YAML; it may leave out the name. Putting what is there
/// changes nothing. `If-Match` makes it conditional on the `ETag` of a read, and `If-None-Match: *`
/// on its absence.
#[utoipa::path(put, path = "/v1/settings/{kind}/{name}", tag = "settings",
    params(
        ("kind" = String, Path, description = "targets, groups, receivers and so on"),
        ("name" = String, Path, description = "Its name, percent-encoded as one segment"),
        ("plan" = Option<bool>, Query, description = "`true`: only tell what would be done"),
        ("If-Match" = Option<String>, Header, description = "Only what has this ETag"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only add"),
    ),
    request_body = Object,
    responses(
        (status = 200, description = "It says so", body = SettingView,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 201, description = "Added", body = SettingView,
            headers(("Location" = String), ("ETag" = String))),
        (status = 400, description = "The body cannot be read, or this is no name",
            body = Problem),
        (status = 403, description = "The token does not allow it", body = Problem),
        (status = 404, description = "No such kind", body = Problem),
        (status = 409, description = "The settings forbid it", body = Problem),
        (status = 412, description = "It has changed meanwhile", body = Problem),
        (status = 422, description = "It is not valid", body = Problem),
        (status = 503, description = "No leader: nothing was changed", body = Problem),
    ))]
pub(super) async fn put(
    State(state): State<ApiState>,
    Path((kind, name)): Path<(String, String)>,
    by: By,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let key = key(&kind, &name)?;
    administers(&by, key.kind())?;
    let plan = only_plan(params)?;
    let expect = condition(request.headers())?;
    let body = Body::read(request, DOCUMENT_BODY_MAX).await?;
    let (key, document) = document(key.kind(), Some(key.name()), body.written()?)
        .map_err(|problems| super::refused::of_document(Some(&key), &problems))?;
    let wanted = Wanted::put(key.clone(), document).expecting(key.clone(), expect);
    if plan {
        return planned(state, wanted).await;
    }
    let made = state.registry().make_shared_as(&by.author, wanted).await?;
    let status = match made.outcome.created {
        0 => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    one(&state, &key, Fresh::now(&state), status)
}

/// Removes a setting. What is not there is no error.
#[utoipa::path(delete, path = "/v1/settings/{kind}/{name}", tag = "settings",
    params(
        ("kind" = String, Path, description = "targets, groups, receivers and so on"),
        ("name" = String, Path, description = "Its name, percent-encoded as one segment"),
        ("plan" = Option<bool>, Query, description = "`true`: only tell what would be done"),
        ("If-Match" = Option<String>, Header, description = "Only what has this ETag"),
    ),
    responses(
        (status = 200, description = "It is gone", body = ChangeView),
        (status = 400, description = "This is no name", body = Problem),
        (status = 403, description = "The token does not allow it", body = Problem),
        (status = 404, description = "No such kind", body = Problem),
        (status = 409, description = "Others refer to it", body = Problem),
        (status = 412, description = "It has changed meanwhile", body = Problem),
        (status = 503, description = "No leader: nothing was changed", body = Problem),
    ))]
pub(super) async fn remove(
    State(state): State<ApiState>,
    Path((kind, name)): Path<(String, String)>,
    by: By,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = key(&kind, &name)?;
    administers(&by, key.kind())?;
    let plan = only_plan(params)?;
    let expect = condition(&headers)?;
    let wanted = Wanted::delete(key.clone()).expecting(key, expect);
    match plan {
        true => planned(state, wanted).await,
        false => changed(&state, &by, wanted).await,
    }
}

/// Makes a token, and shows its secret this once.
///
/// The body is `{"name": "ci", "role": "write"}`. The first token must have the role `admin`: from
/// then on every request needs a token. `PUT` takes a token whose hash is known already.
#[utoipa::path(post, path = "/v1/settings/{kind}", tag = "settings",
    params(("kind" = String, Path, description = "`tokens`; everything else is put by name")),
    request_body = Object,
    responses(
        (status = 201, description = "Made", body = TokenView),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 403, description = "The token does not allow it", body = Problem),
        (status = 409, description = "It would be the first, and is no admin", body = Problem),
        (status = 412, description = "There is one of that name", body = Problem),
        (status = 422, description = "It is not valid", body = Problem),
        (status = 503, description = "No leader: nothing was changed", body = Problem),
    ))]
pub(super) async fn make_token(
    State(state): State<ApiState>,
    Path(kind): Path<String>,
    by: By,
    request: Request,
) -> Result<Response, Problem> {
    let kind = known_kind(&kind)?;
    if kind != SettingKind::Token {
        let kind = plural(kind);
        return Err(Problem::new(Kind::MethodNotAllowed)
            .detail(format!("{kind} are put by name"))
            .hint(format!("PUT /v1/settings/{kind}/NAME")));
    }
    by.needs(Role::Admin)?;
    let mut body = json::read_json(request, DOCUMENT_BODY_MAX).await?;
    let secret = state.registry().new_secret()?;
    if let Some(fields) = body.as_object_mut() {
        let hash = crate::registry::tokens::hash(&secret);
        fields.insert("sha256".to_owned(), hash.into());
    }
    let (key, document) = document(SettingKind::Token, None, Written::Json(&body))
        .map_err(|problems| super::refused::of_document(None, &problems))?;
    let wanted = Wanted::put(key.clone(), document).expecting(key.clone(), Expect::Nothing);
    state.registry().make_shared_as(&by.author, wanted).await?;
    let token = TokenView::new(&key, secret);
    Ok(json::answer(StatusCode::CREATED, &token))
}

/// Makes everything that a file says so, at once or not at all, or plans it.
///
/// The body is what `auscult apply` takes, as YAML or JSON: `defaults`, `groups`, `targets`,
/// `servers`, `receivers`, `silences`, and `delete` with names by kind. What it does not name
/// stays, but with `prune=true`, which deletes what is missing in the lists that it has. `If-Match`
/// with a plan's revision makes it do what the plan showed, or nothing.
#[utoipa::path(post, path = "/v1/settings", tag = "settings",
    params(
        ("plan" = Option<bool>, Query, description = "`true`: only tell what would be done"),
        ("prune" = Option<bool>, Query,
            description = "`true`: delete what the lists of the body no longer name"),
        ("If-Match" = Option<String>, Header,
            description = "Only if this is still the last revision of all settings"),
    ),
    request_body = Object,
    responses(
        (status = 200, description = "It is so; with `plan=true` what would be done",
            body = ChangeView),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 409, description = "The settings forbid it", body = Problem),
        (status = 412, description = "The settings have changed meanwhile", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 422, description = "It is not valid", body = Problem),
        (status = 503, description = "No leader: nothing was changed", body = Problem),
    ))]
pub(super) async fn apply(
    State(state): State<ApiState>,
    by: By,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let (mut plan, mut prune) = (false, Prune::Keep);
    for (name, value) in params.known(&["plan", "prune"])? {
        match (name.as_str(), flag(&name, &value)?) {
            ("plan", said) => plan = said,
            (_, true) => prune = Prune::Listed,
            (_, false) => prune = Prune::Keep,
        }
    }
    let revision = match condition(request.headers())? {
        Expect::Revision(revision) => Some(revision),
        Expect::Anything | Expect::Something | Expect::Nothing => None,
    };
    let body = Body::read(request, SHEET_BODY_MAX).await?;
    let sheet = blocking(move || {
        let sheet = Sheet::read(body.written()?);
        sheet.map_err(|problems| super::refused::of_document(None, &problems))
    });
    let wanted = Wanted {
        prune,
        revision,
        ..Wanted::of(sheet.await??)
    };
    match plan {
        true => planned(state, wanted).await,
        false => changed(&state, &by, wanted).await,
    }
}

async fn planned(state: ApiState, wanted: Wanted) -> Result<Response, Problem> {
    let registry = Arc::clone(state.registry());
    let plan = blocking(move || {
        registry
            .plan_shared(&wanted)
            .map(|plan| PlanView::of(&plan))
    });
    let plan = plan.await??;
    let tag = tag(plan.revision());
    let mut response = json::answer(StatusCode::OK, &plan);
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

async fn changed(state: &ApiState, by: &By, wanted: Wanted) -> Result<Response, Problem> {
    let made = state.registry().make_shared_as(&by.author, wanted).await?;
    let Made { outcome, plan } = made;
    Ok(Json(ChangeView::of(outcome, &plan)).into_response())
}

fn one(state: &ApiState, key: &Key, fresh: Fresh, status: StatusCode) -> Result<Response, Problem> {
    let Some(view) = SettingView::read(state, key, fresh) else {
        return Err(Problem::new(Kind::UnknownSetting)
            .detail(format!("there is no {key}"))
            .hint(format!(
                "GET /v1/settings/{} lists them",
                plural(key.kind())
            )));
    };
    let tag = tag(view.revision());
    let mut response = json::answer(status, &view);
    response.headers_mut().insert(ETAG, tag);
    if status == StatusCode::CREATED {
        let kind = plural(key.kind());
        let location = format!("/v1/settings/{kind}/{}", encode(key.name()));
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
    }
    Ok(response)
}

fn tag(revision: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Tokens are changed by administrators.
fn administers(by: &By, kind: SettingKind) -> Result<(), Problem> {
    match kind {
        SettingKind::Token => by.needs(Role::Admin),
        SettingKind::Defaults
        | SettingKind::Group
        | SettingKind::Target
        | SettingKind::Receiver
        | SettingKind::Silence
        | SettingKind::Pause
        | SettingKind::Value => Ok(()),
    }
}

fn only_plan(params: Params) -> Result<bool, Problem> {
    let mut plan = false;
    for (name, value) in params.known(&["plan"])? {
        plan = flag(&name, &value)?;
    }
    Ok(plan)
}

fn flag(name: &str, value: &str) -> Result<bool, Problem> {
    match value {
        "true" | "" => Ok(true),
        "false" => Ok(false),
        _ => Err(bad_value(name, format!("{value:?} must be true or false"))),
    }
}

/// What the headers of a request ask to be found.
fn condition(headers: &HeaderMap) -> Result<Expect, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(IF_NONE_MATCH).is_some_and(|value| value.trim() == "*") {
        return Ok(Expect::Nothing);
    }
    match text(IF_MATCH).map(str::trim) {
        None => Ok(Expect::Anything),
        Some("*") => Ok(Expect::Something),
        Some(tag) => {
            let number = tag.trim_start_matches("W/").trim_matches('"').parse();
            let number = number.map_err(|_| {
                Problem::new(Kind::Malformed)
                    .detail(format!("If-Match: {tag} is no revision"))
                    .hint("send the ETag of a read as it is")
            })?;
            Ok(Expect::Revision(Revision::new(number)))
        }
    }
}

fn known_kind(kind: &str) -> Result<SettingKind, Problem> {
    kind_of(kind).ok_or_else(|| Problem::new(Kind::UnknownRoute).detail(unknown_kind(kind)))
}

fn unknown_kind(kind: &str) -> String {
    let all = SettingKind::ALL.map(plural).join(", ");
    format!("there are no settings of kind {kind:?}; there are {all}")
}

fn key(kind: &str, name: &str) -> Result<Key, Problem> {
    Key::new(known_kind(kind)?, name).map_err(|error| super::refused::no_name(name, error))
}
