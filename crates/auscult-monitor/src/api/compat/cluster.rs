//! `POST /cluster/join/`, as phi-accrual-multi-monitor has it. Unlike there, any monitor takes it,
//! and one that is to join is not counted before it takes part.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::cluster;
use super::super::json::{self, Json};

/// An address.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// It belongs to the group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Joined {
    message: &'static str,
}

/// Takes the monitor at `address` (where the others of a group reach it) into this one's group.
#[utoipa::path(post, path = "/cluster/join/", tag = "seeds", request_body = Object,
    responses(
        (status = 200, description = "It belongs to the group", body = Joined),
        (status = 400, description = "`{\"error\": ...}`: no address", body = Object),
        (status = 500, description = "`{\"error\": ...}`: it does not join", body = Object),
    ))]
pub(crate) async fn join(State(state): State<ApiState>, request: Request) -> Response {
    let body = json::read_json(request, BODY_BYTES_MAX).await;
    let address = body
        .ok()
        .and_then(|body| Some(body["address"].as_str()?.to_owned()));
    let Some(address) = address.filter(|address| !address.is_empty()) else {
        return refuse(StatusCode::BAD_REQUEST, "Invalid request body");
    };
    let Ok(node) = cluster::node(&state) else {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "Failed to add voter");
    };
    match node.summon(&address).await {
        Ok(()) => Json(Joined {
            message: "Successfully joined the cluster",
        })
        .into_response(),
        Err(why) => {
            let text = format!("Failed to add voter: {why}");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, &text)
        }
    }
}

fn refuse(status: StatusCode, text: &str) -> Response {
    json::answer(status, &json!({ "error": text }))
}
