//! JSON out, with a line feed at the end for terminals, and JSON in, within a limit of bytes and
//! time.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::{Kind, Problem};

/// The longest wait for a body: a slow client holds a connection and its buffer, nothing else.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers with `value`.
pub fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    let mut body = match serde_json::to_vec(value) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    body.push(b'\n');
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A 200 answer with a JSON body.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, &self.0)
    }
}

/// Reads a body of at most `bytes_max` bytes.
pub async fn read_body(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(Kind::BodyTooLarge)
            .detail(format!("the body may have at most {bytes_max} bytes"))
            .hint("send it in parts")
    };
    if declared_length(request.headers()).is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large());
    }
    let read = to_bytes(request.into_body(), bytes_max);
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(error)) => {
            Err(Problem::new(Kind::Malformed).detail(format!("the body broke off: {error}")))
        }
        Err(_elapsed) => Err(Problem::new(Kind::BodyTimeout).detail(format!(
            "the body did not arrive within {} s",
            BODY_TIMEOUT.as_secs()
        ))),
    }
}

/// Reads a JSON body. `curl -d` says that it sends a form, so that is taken for JSON as well: our
/// own bodies are never forms.
pub async fn read_json(request: Request, bytes_max: usize) -> Result<Value, Problem> {
    check_media_type(request.headers())?;
    let body = read_body(request, bytes_max).await?;
    parse(&body)
}

/// Parses JSON, naming line and column of a fault.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::new(Kind::Malformed)
            .detail("the body is empty")
            .hint("send JSON, for example with curl -d '{...}'"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("the body is not valid JSON: {error}");
        Problem::new(Kind::Malformed).detail(detail)
    })
}

/// Refuses a body that says to be something else than JSON.
pub fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(found) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = found.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let json = essence == "application/json" || essence.ends_with("+json");
    let curl = essence == "application/x-www-form-urlencoded";
    if json || curl || essence == "text/plain" || essence.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Kind::UnsupportedMediaType)
        .detail(format!("a body of type {essence} is not taken"))
        .hint("send application/json"))
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = inner.source();
    }
    false
}
