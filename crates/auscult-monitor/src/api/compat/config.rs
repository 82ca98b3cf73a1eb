//! `GET`, `POST` and `PUT /config`, as phi-accrual-multi-monitor has them, in JSON instead of Go's
//! gob.

use std::sync::Arc;

use auscult_core::monitor::registry::{Document, Key, Kind as SettingKind};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::blocking::blocking;
use super::super::json::{self, Json};
use super::super::problem::{Fault, Kind, Problem};
use super::super::targets::{faults, invalid};
use super::super::who::By;
use crate::settings::TargetSpec;
use crate::settings::documents::{Written, document, seed_document};

/// Some ten thousand targets.
const CONFIG_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One target.
const TARGET_BYTES_MAX: usize = 256 * 1024;

/// All targets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Config {
    /// In the form that `PUT /v1/targets/{id}` takes, and `POST /config`.
    #[schema(value_type = Vec<TargetSpec>)]
    #[serde(serialize_with = "each")]
    targets: Vec<Arc<TargetSpec>>,
}

fn each<S: Serializer>(specs: &[Arc<TargetSpec>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(specs.iter().map(|spec| &**spec))
}

/// A change was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    status: &'static str,
}

/// Shows all targets.
#[utoipa::path(get, path = "/config", tag = "seeds",
    responses((status = 200, description = "All targets", body = Config)))]
pub(crate) async fn read(State(state): State<ApiState>) -> Result<Json<Config>, Problem> {
    blocking(move || {
        let mut ids = Vec::new();
        state.for_each_target(|target, _| ids.push(target.id().to_string()));
        ids.sort_unstable();
        let targets = ids
            .iter()
            .filter_map(|id| state.registry().spec(id))
            .collect();
        Json(Config { targets })
    })
    .await
}

/// Replaces all targets that came over the API, or changes nothing.
///
/// The body has `targets`, as `GET /config` shows them, or `servers`, as the seed's file has them.
/// Targets of the settings file may stand among them as they are there; they stay.
#[utoipa::path(post, path = "/config", tag = "seeds",
    request_body = Config,
    responses(
        (status = 200, description = "Replaced", body = Done),
        (status = 400, description = "`{\"error\": ...}`; nothing was changed", body = Object),
    ))]
pub(crate) async fn replace(State(state): State<ApiState>, by: By, request: Request) -> Response {
    let replaced = async {
        let body = json::read_json(request, CONFIG_BYTES_MAX).await?;
        let targets = targets(body)?;
        let made = state.registry().replace_all(&by.author, targets).await;
        made.map_err(Problem::from)
    };
    match replaced.await {
        Ok(_) => Json(Done {
            status: "Config updated",
        })
        .into_response(),
        Err(problem) => refused(&problem, "Failed to update config"),
    }
}

/// Adds or replaces one target.
///
/// The body is a target as the seed has it, `{"id":10,"url":"http://...","monitor":{...}}`; what is
/// missing has the seed's defaults.
#[utoipa::path(put, path = "/config", tag = "seeds",
    request_body = Object,
    responses(
        (status = 200, description = "Added or replaced", body = Done),
        (status = 400, description = "`{\"error\": ...}`; nothing was changed", body = Object),
        (status = 500, description = "`{\"error\": ...}`; nothing was changed", body = Object),
    ))]
pub(crate) async fn patch(State(state): State<ApiState>, by: By, request: Request) -> Response {
    let patched = async {
        let body = json::read_json(request, TARGET_BYTES_MAX).await?;
        let target = seed_document(&body).map_err(|problems| invalid(&problems))?;
        let replaced = state.registry().replace(&by.author, target, None).await;
        replaced.map_err(Problem::from)
    };
    match patched.await {
        Ok(_) => Json(Done {
            status: "Config patched successfully",
        })
        .into_response(),
        Err(problem) => refused(&problem, "Failed to patch config"),
    }
}

/// Targets from either form. All faults of all of them are told at once.
fn targets(body: Value) -> Result<Vec<(Key, Document)>, Problem> {
    let shape = || {
        let expected = "the body must be {\"targets\": [...]} or {\"servers\": [...]}";
        Problem::new(Kind::Invalid).detail(expected)
    };
    let Value::Object(mut fields) = body else {
        return Err(shape());
    };
    let native = |body: &Value| document(SettingKind::Target, None, Written::Json(body));
    let (targets, servers) = (fields.remove("targets"), fields.remove("servers"));
    let (key, bodies, parse): (_, _, fn(&Value) -> _) = match (targets, servers) {
        _ if !fields.is_empty() => return Err(shape()),
        (Some(Value::Array(targets)), None) => ("targets", targets, native),
        (None, Some(Value::Array(servers))) => ("servers", servers, seed_document),
        _ => return Err(shape()),
    };
    let mut documents = Vec::with_capacity(bodies.len());
    let mut found = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        match parse(body) {
            Ok(target) => documents.push(target),
            Err(problems) => found.extend(faults(&problems).into_iter().map(|fault| Fault {
                pointer: format!("/{key}/{index}{}", fault.pointer),
                ..fault
            })),
        }
    }
    if found.is_empty() {
        return Ok(documents);
    }
    let detail = format!("{} of the targets' values are wrong", found.len());
    Err(Problem::new(Kind::Invalid).detail(detail).errors(found))
}

/// The seed's form of an error, with ours beside it.
fn refused(problem: &Problem, failed: &'static str) -> Response {
    let ours = problem.code().status();
    let (status, error) = if ours.is_client_error() {
        let status = match ours {
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => ours,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, "Invalid request")
    } else if problem.code() == Kind::NoLeader {
        (ours, "No leader available")
    } else {
        (StatusCode::INTERNAL_SERVER_ERROR, failed)
    };
    let body = json!({ "error": error, "detail": problem.sentence() });
    let mut response = json::answer(status, &body);
    response.extensions_mut().insert(problem.code());
    response
}
