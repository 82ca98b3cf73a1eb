//! `GET` and `POST /keys/{key}/`, as phi-accrual-multi-monitor has them: bytes that programs keep
//! under a name. The key `config` is the monitors' own and can only be read.

use auscult_core::monitor::registry::{Key, Kind as SettingKind};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::json::{self, Json};
use super::super::problem::{Kind, Problem};
use super::super::refused::of_document;
use super::super::who::By;
use super::config;
use crate::base64;
use crate::registry::Wanted;
use crate::settings::documents::{Written, document};

/// The key under which the seed keeps its targets.
const CONFIG: &str = "config";

/// A value in base64, and room around it.
const VALUE_BYTES_MAX: usize = 128 * 1024;

/// A value.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kept {
    /// In base64.
    #[schema(example = "aGVsbG8=")]
    value: String,
}

/// Reads a value. Under `config` stands what `GET /config` answers.
#[utoipa::path(get, path = "/keys/{key}/", tag = "seeds",
    params(("key" = String, Path, description = "The name, percent-encoded as one segment")),
    responses(
        (status = 200, description = "The value", body = Kept),
        (status = 404, description = "No such key", body = Problem),
    ))]
pub(crate) async fn read(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Json<Kept>, Problem> {
    if name == CONFIG {
        let config = config::read(State(state)).await?;
        let text = serde_json::to_vec(&config.0).unwrap_or_default();
        let value = base64::encode(&text);
        return Ok(Json(Kept { value }));
    }
    let unknown = || {
        Problem::new(Kind::UnknownSetting)
            .detail(format!("there is no key {name:?}"))
            .hint("POST /keys/{key}/ with {\"value\": \"...\"} makes it")
    };
    let key = Key::new(SettingKind::Value, &name).map_err(|_| unknown())?;
    let mut value = None;
    state.registry().shared().read(&mut |shared, _| {
        let setting = shared.get(&key);
        let body = setting.and_then(|it| serde_json::from_str(it.document.body()).ok());
        value = body.and_then(|body: Value| body["value"].as_str().map(str::to_owned));
    });
    value.map(|value| Json(Kept { value })).ok_or_else(unknown)
}

/// Keeps a value, on all monitors. `config` is refused: `POST /config` replaces the targets.
#[utoipa::path(post, path = "/keys/{key}/", tag = "seeds",
    params(("key" = String, Path, description = "The name, percent-encoded as one segment")),
    request_body = Object,
    responses(
        (status = 200, description = "Kept", body = Kept),
        (status = 400, description = "The body cannot be read, or is no base64", body = Object),
        (status = 409, description = "The key is the monitors' own", body = Object),
        (status = 503, description = "No leader: nothing was changed", body = Object),
    ))]
pub(crate) async fn write(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    by: By,
    request: Request,
) -> Response {
    match keep(&state, &name, &by, request).await {
        Ok(value) => Json(Kept { value }).into_response(),
        Err(problem) => refused(&problem),
    }
}

async fn keep(state: &ApiState, name: &str, by: &By, request: Request) -> Result<String, Problem> {
    if name == CONFIG {
        return Err(Problem::new(Kind::Refused)
            .detail("the key config is the monitors' own")
            .hint("POST /config replaces the targets"));
    }
    let body = json::read_json(request, VALUE_BYTES_MAX).await?;
    let value = body["value"].as_str().unwrap_or_default().to_owned();
    let (key, document) = document(SettingKind::Value, Some(name), Written::Json(&body))
        .map_err(|problems| of_document(None, &problems))?;
    let wanted = Wanted::put(key, document);
    state.registry().make_shared_as(&by.author, wanted).await?;
    Ok(value)
}

/// The seed's form of an error: a code and a text.
fn refused(problem: &Problem) -> Response {
    let ours = problem.code();
    let error = match ours == Kind::NoLeader {
        true => "only leader can write to the storage, and there is none now".to_owned(),
        false => problem.sentence(),
    };
    let status = match ours.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    let body = json!({ "code": ours.as_str(), "error": error });
    let mut response = json::answer(status, &body);
    response.extensions_mut().insert(ours);
    response
}
