//! `/v1/alerts`: what people are told, and who looks after it.

pub(super) mod receivers;
pub(super) mod silences;
mod view;

use auscult_core::alert::{AlertId, Change, Phase, Refusal};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use self::view::AlertView;
use super::ApiState;
use super::extract::{Named, Params, bad_value, whole_number};
use super::json::{self, Json};
use super::problem::{Kind, Problem};
use super::views::Time;

/// What an operator says is short.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertPage {
    /// The alerts, in the order of their ids.
    alerts: Vec<AlertView>,
    /// What to give as `cursor` for the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
    /// The monitor's clock.
    now: Time,
}

/// Lists alerts: those that are pending or fire, and those that were over lately.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts",
    params(
        ("phase" = Option<String>, Query,
            description = "Phases, separated by commas: pending, firing, resolved"),
        ("subject" = Option<String>, Query, description = "Alerts of this target or peer only"),
        ("limit" = Option<u64>, Query, description = "Alerts at most: 1 to 1000, default 100"),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses(
        (status = 200, description = "Alerts", body = AlertPage),
        (status = 400, description = "The query cannot be used", body = Problem),
    ))]
pub(super) async fn list(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<AlertPage>, Problem> {
    let query = Query::read(params)?;
    let desk = state.alerts();
    let page = desk.read(|alerts, now| {
        let after = query.cursor.map_or(0, |id| id.to_bits().saturating_add(1));
        let chosen = alerts.alerts().filter(|alert| {
            let name = alert.record().key.subject.name().as_str();
            alert.id().to_bits() >= after
                && (query.phases.is_empty() || query.phases.contains(&alert.phase()))
                && query
                    .subject
                    .as_deref()
                    .is_none_or(|subject| subject == name)
        });
        let mut views: Vec<AlertView> = chosen
            .take(query.limit + 1)
            .map(|alert| AlertView::new(desk.clock(), &alert))
            .collect();
        let more = views.len() > query.limit;
        views.truncate(query.limit);
        AlertPage {
            next: views.last().filter(|_| more).map(|view| view.id.clone()),
            alerts: views,
            now: Time(desk.clock().wall(now)),
        }
    });
    Ok(Json(page))
}

struct Query {
    phases: Vec<Phase>,
    subject: Option<String>,
    limit: usize,
    cursor: Option<AlertId>,
}

impl Query {
    fn read(params: Params) -> Result<Self, Problem> {
        let mut query = Self {
            phases: Vec::new(),
            subject: None,
            limit: 100,
            cursor: None,
        };
        for (key, value) in params.known(&["phase", "subject", "limit", "cursor"])? {
            match key.as_str() {
                "phase" => {
                    let all = [Phase::Pending, Phase::Firing, Phase::Resolved];
                    for word in value.split(',') {
                        let phase = all.into_iter().find(|phase| phase.as_str() == word);
                        let unknown = || bad_value(&key, format!("`{word}` is no phase"));
                        query.phases.push(phase.ok_or_else(unknown)?);
                    }
                }
                "subject" => query.subject = Some(value),
                "limit" => {
                    let limit = whole_number(&key, &value, 1..=1000)?;
                    query.limit = usize::try_from(limit).unwrap_or(1000);
                }
                _ => query.cursor = Some(id(&value)?),
            }
        }
        Ok(query)
    }
}

/// Reads an alert.
#[utoipa::path(get, path = "/v1/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id: 32 hexadecimal digits")),
    responses(
        (status = 200, description = "The alert", body = AlertView),
        (status = 404, description = "No such alert", body = Problem),
    ))]
pub(super) async fn read(
    State(state): State<ApiState>,
    Named(text): Named,
) -> Result<Json<AlertView>, Problem> {
    view(&state, id(&text)?).map(Json)
}

/// Who looks after an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcknowledgeBody {
    /// Who.
    by: Box<str>,
    /// What they say.
    #[serde(default)]
    comment: Box<str>,
}

/// Says that somebody looks after an alert.
///
/// Nobody is reminded of it until it is over. That it is over is told all the same.
#[utoipa::path(post, path = "/v1/alerts/{id}/ack", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id: 32 hexadecimal digits")),
    request_body = AcknowledgeBody,
    responses(
        (status = 200, description = "Acknowledged", body = AlertView),
        (status = 400, description = "The body is no JSON", body = Problem),
        (status = 404, description = "No such alert", body = Problem),
        (status = 409, description = "It does not fire", body = Problem),
        (status = 422, description = "The body is not valid", body = Problem),
    ))]
pub(super) async fn acknowledge(
    State(state): State<ApiState>,
    Named(text): Named,
    request: Request,
) -> Result<Json<AlertView>, Problem> {
    let alert = id(&text)?;
    let AcknowledgeBody { by, comment } = body(request).await?;
    let change = Change::Acknowledge { alert, by, comment };
    state
        .alerts()
        .apply(change)
        .map_err(|refusal| refused(&refusal))?;
    view(&state, alert).map(Json)
}

/// Says that nobody looks after an alert any more.
#[utoipa::path(delete, path = "/v1/alerts/{id}/ack", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id: 32 hexadecimal digits")),
    responses(
        (status = 204, description = "Nobody does"),
        (status = 404, description = "No such alert", body = Problem),
        (status = 409, description = "It does not fire", body = Problem),
    ))]
pub(super) async fn withdraw(
    State(state): State<ApiState>,
    Named(text): Named,
) -> Result<StatusCode, Problem> {
    let change = Change::Withdraw(id(&text)?);
    state
        .alerts()
        .apply(change)
        .map_err(|refusal| refused(&refusal))?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(state: &ApiState, id: AlertId) -> Result<AlertView, Problem> {
    let desk = state.alerts();
    let view = desk.read(|alerts, _| {
        let alert = alerts.alert(id)?;
        Some(AlertView::new(desk.clock(), &alert))
    });
    view.ok_or_else(|| refused(&Refusal::UnknownAlert(id)))
}

fn id(text: &str) -> Result<AlertId, Problem> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bits = u128::from_str_radix(text, 16).ok().filter(|_| digits);
    let problem = || Problem::new(Kind::UnknownAlert).detail("an id has 32 hexadecimal digits");
    bits.map(AlertId::from_bits).ok_or_else(problem)
}

async fn body<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let json: Value = json::read_json(request, BODY_BYTES_MAX).await?;
    serde_json::from_value(json).map_err(|error| invalid(error.to_string()))
}

fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(Kind::Invalid).detail(text)
}

fn refused(refusal: &Refusal) -> Problem {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the core may have other refusals later, and all of those say what is invalid"
    )]
    let kind = match refusal {
        Refusal::UnknownAlert(_) => Kind::UnknownAlert,
        Refusal::UnknownSilence(_) => Kind::UnknownName,
        Refusal::NotFiring(_) => Kind::NotFiring,
        Refusal::TooManySilences => Kind::Full,
        _ => Kind::Invalid,
    };
    Problem::new(kind).detail(refusal.to_string())
}
