//! `/v1/receivers`: those who are told.

use auscult_core::alert::Breaker;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::alerts::SendError;
use crate::api::ApiState;
use crate::api::extract::Named;
use crate::api::json::Json;
use crate::api::problem::{Kind, Problem};
use crate::api::views::Time;

/// All receivers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ReceiverPage {
    /// The receivers, by name.
    receivers: Vec<ReceiverView>,
}

/// A receiver.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ReceiverView {
    /// Its name.
    name: String,
    /// Alerts of which there is something to tell.
    queued: usize,
    /// Messages on their way.
    in_flight: usize,
    /// Failures since its last answer.
    failures: u32,
    /// Whether it is taken to be there: closed, open (it failed too often and is left alone) or
    /// half_open (one message tries whether it is back).
    breaker: &'static str,
    /// Open: until when it is left alone.
    #[schema(required)]
    open_until: Option<Time>,
}

/// Lists receivers.
#[utoipa::path(get, path = "/v1/receivers", tag = "alerts",
    responses((status = 200, description = "Receivers", body = ReceiverPage)))]
pub(in crate::api) async fn list(State(state): State<ApiState>) -> Json<ReceiverPage> {
    let desk = state.alerts();
    let receivers = desk.read(|alerts, _| {
        let lanes = alerts.lanes().map(|lane| ReceiverView {
            name: lane.receiver.name.to_string(),
            queued: lane.queued,
            in_flight: lane.in_flight,
            failures: lane.failures,
            breaker: lane.breaker.as_str(),
            open_until: match lane.breaker {
                Breaker::Open { until } => Some(Time(desk.clock().wall(until))),
                Breaker::Closed | Breaker::HalfOpen => None,
            },
        });
        lanes.collect()
    });
    Json(ReceiverPage { receivers })
}

/// What a receiver was sent as a test.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct TestView {
    /// The receiver.
    receiver: String,
    /// The subject, of a mail.
    #[schema(required)]
    subject: Option<String>,
    /// What was posted, mailed, logged, or written to the program.
    sent: String,
}

/// Sends a message that says it is a test, at once and past the queue.
#[utoipa::path(post, path = "/v1/receivers/{name}/test", tag = "alerts",
    params(("name" = String, Path, description = "The receiver's name")),
    responses(
        (status = 200, description = "It was delivered", body = TestView),
        (status = 404, description = "No such receiver", body = Problem),
        (status = 503, description = "It was not delivered; the problem says why, and what was sent",
            body = Problem),
    ))]
pub(in crate::api) async fn test(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Result<Json<TestView>, Problem> {
    let not_told = |error: &SendError, sent: &str| {
        let shown: String = sent.chars().take(SHOWN_CHARACTERS_MAX).collect();
        Problem::new(Kind::Busy).detail(format!("the receiver was not told: {error}{shown}"))
    };
    let tested = match state.alerts().test(&name).await {
        Ok(tested) => tested,
        Err(SendError::UnknownReceiver) => return Err(unknown(&state, &name)),
        Err(error) => return Err(not_told(&error, "")),
    };
    if let Err(error) = &tested.result {
        return Err(not_told(error, &format!("; it was sent: {}", tested.body)));
    }
    Ok(Json(TestView {
        receiver: name,
        subject: tested.subject,
        sent: tested.body,
    }))
}

fn unknown(state: &ApiState, name: &str) -> Problem {
    let known: Vec<String> = state.alerts().read(|alerts, _| {
        let lanes = alerts.lanes().take(NAMED_MAX);
        lanes.map(|lane| lane.receiver.name.to_string()).collect()
    });
    let hint = match known.is_empty() {
        true => "there are none; write `receivers` into the settings".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    let problem = Problem::new(Kind::UnknownName);
    problem
        .detail(format!("there is no receiver named {name:?}"))
        .hint(hint)
}

/// Receivers that are named to one who names another.
const NAMED_MAX: usize = 20;

/// What is shown of a message that was not taken.
const SHOWN_CHARACTERS_MAX: usize = 2_000;
