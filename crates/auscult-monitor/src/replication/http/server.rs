//! The side that answers.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http_body_util::{BodyExt as _, Limited};
use parking_lot::RwLock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::rpc::{Callee, Reply};
use super::{BODY_BYTES_MAX, NoMessage, PATH, apart, decode_request, encode};

/// Bodies are counted in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// What all bodies that are being read may hold together.
const PIECES_MAX: usize = 2 * BODY_BYTES_MAX / PIECE_BYTES;

/// Requests of other monitors. Clones are the same one.
#[derive(Clone)]
pub struct Calls(Arc<Parts>);

struct Parts {
    /// Nobody until the monitor takes part.
    callee: RwLock<Option<Arc<dyn Callee>>>,
    room: Arc<Semaphore>,
}

impl Calls {
    /// Answers nothing until it is told who [answers](Self::answer).
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Parts {
            callee: RwLock::default(),
            room: Arc::new(Semaphore::new(PIECES_MAX)),
        }))
    }

    /// From now on this one answers.
    pub fn answer(&self, callee: Arc<dyn Callee>) {
        *self.0.callee.write() = Some(callee);
    }

    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes / PIECE_BYTES + 1).ok()?;
        let room = Arc::clone(&self.0.room);
        room.acquire_many_owned(pieces).await.ok()
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self::new()
    }
}

/// The route.
pub fn routes(calls: Calls) -> Router {
    Router::new().route(PATH, post(ask)).with_state(calls)
}

async fn ask(State(calls): State<Calls>, request: HttpRequest) -> Response {
    let Some(callee) = calls.0.callee.read().clone() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "it does not take part yet");
    };
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let Some(length) = length else {
        return refuse(StatusCode::LENGTH_REQUIRED, "it must say how long it is");
    };
    if length > BODY_BYTES_MAX {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "it is too large");
    }
    let Some(_room) = calls.room(length).await else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the process ends");
    };
    let Ok(body) = Limited::new(request.into_body(), length).collect().await else {
        return refuse(StatusCode::BAD_REQUEST, "it ends too early");
    };
    let body = body.to_bytes();
    let decoded = apart(body.len(), move || decode_request(&body)).await;
    let request = match decoded.and_then(|decoded| decoded) {
        Ok(request) => request,
        Err(NoMessage(text)) => return refuse(StatusCode::BAD_REQUEST, &text),
    };
    // Given up by the other side, it is answered all the same: openraft must not lose its place.
    let answered = tokio::spawn(async move { callee.answer(request).await }).await;
    match answered {
        Ok(reply) => respond(&reply),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the process ends"),
    }
}

fn respond(reply: &Reply) -> Response {
    match encode(reply, &[]) {
        Ok(bytes) => Body::from(bytes).into_response(),
        Err(NoMessage(text)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &text),
    }
}

fn refuse(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}
