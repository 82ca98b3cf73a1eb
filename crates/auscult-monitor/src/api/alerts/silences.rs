//! `/v1/silences`: times in which nobody is told that certain alerts fire.

use std::time::Duration;

use auscult_core::alert::{Matcher, Origin, Refusal, Silence};
use auscult_core::bounds::SILENCES_MAX;
use auscult_core::id::SilenceName;
use auscult_core::monitor::registry::{Key, Kind};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{body, invalid, refused};
use crate::alerts::{AlertDesk, SilenceDocument};
use crate::api::ApiState;
use crate::api::extract::Named;
use crate::api::json::{self, Json};
use crate::api::problem::{Kind as ProblemKind, Problem};
use crate::api::views::Time;
use crate::api::who::By;
use crate::registry::Wanted;
use crate::settings::documents::{Written, document};

/// The longest silence that is asked for by its length.
const HOURS_MAX: f64 = 24.0 * 366.0;

/// How long a silence that is over stays in the shared settings.
const KEPT: Duration = Duration::from_secs(86_400);

/// All silences.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct SilencePage {
    /// Those that are not over, by name.
    silences: Vec<SilenceView>,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct SilenceView {
    /// Its name.
    name: String,
    /// The conditions, all of which must hold: `env=prod`, `team!=web`, `target=~db-*`.
    matchers: Vec<String>,
    /// From when.
    from: Time,
    /// Until when.
    until: Time,
    /// Whether it holds by now.
    active: bool,
    /// Where it comes from: request, or maintenance for a window of the settings file.
    origin: &'static str,
    /// Who made it.
    by: String,
    /// Why.
    comment: String,
    /// Alerts that fire and that it covers.
    alerts: usize,
}

/// What to be silent about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct SilenceBody {
    /// Its name; one is made up without.
    name: Option<String>,
    /// The conditions, all of which must hold: `env=prod`, `team!=web`, `target=~db-*`.
    matchers: Vec<String>,
    /// From when, as RFC 3339; now without.
    from: Option<String>,
    /// Until when, as RFC 3339.
    until: Option<String>,
    /// In the place of `until`: for how long.
    hours: Option<f64>,
    /// Who wants it.
    by: Box<str>,
    /// Why.
    comment: Box<str>,
}

/// Lists silences that are not over.
#[utoipa::path(get, path = "/v1/silences", tag = "alerts",
    responses((status = 200, description = "Silences", body = SilencePage)))]
pub(in crate::api) async fn list(State(state): State<ApiState>) -> Json<SilencePage> {
    let desk = state.alerts();
    let silences = desk.read(|alerts, _| alerts.silences().cloned().collect::<Vec<_>>());
    let silences = silences.iter().map(|silence| view(desk, silence));
    Json(SilencePage {
        silences: silences.collect(),
    })
}

/// Begins a silence, or replaces the one of that name.
///
/// Nobody is told that an alert fires which it covers; when it ends, what still fires is told.
/// That an alert is over is always told to those who know of it.
#[utoipa::path(post, path = "/v1/silences", tag = "alerts",
    request_body = SilenceBody,
    responses(
        (status = 201, description = "It holds from then on", body = SilenceView),
        (status = 400, description = "The body is no JSON", body = Problem),
        (status = 409, description = "There are too many", body = Problem),
        (status = 422, description = "It is not valid", body = Problem),
    ))]
pub(in crate::api) async fn create(
    State(state): State<ApiState>,
    by: By,
    request: Request,
) -> Result<Response, Problem> {
    let body: SilenceBody = body(request).await?;
    let desk = state.alerts();
    let silence = silence(desk, body)?;
    let wanted = wanted(&state, &silence)?;
    state.registry().make_shared_as(&by.author, wanted).await?;
    desk.take_silences(state.registry());
    Ok(json::answer(StatusCode::CREATED, &view(desk, &silence)))
}

/// What the shared settings are to say: the silence, and nothing of those that are long over.
fn wanted(state: &ApiState, silence: &Silence) -> Result<Wanted, Problem> {
    let (desk, now) = (state.alerts(), state.alerts().clock().now());
    if silence.matchers.is_empty() {
        return Err(refused(&Refusal::NoMatchers));
    }
    if silence.until <= silence.from || silence.until <= now {
        return Err(refused(&Refusal::EmptySpan));
    }
    let others = desk.read(|alerts, _| {
        alerts
            .silences()
            .filter(|it| it.name != silence.name)
            .count()
    });
    if others >= SILENCES_MAX {
        return Err(refused(&Refusal::TooManySilences));
    }
    let clock = desk.clock();
    let body = SilenceDocument {
        matchers: silence.matchers.iter().map(ToString::to_string).collect(),
        from: Some(clock.wall(silence.from).to_string()),
        until: clock.wall(silence.until).to_string(),
        author: Some(silence.by.clone()),
        comment: silence.comment.clone(),
    };
    let body = serde_json::to_value(&body).map_err(|error| invalid(error.to_string()))?;
    let document = document(
        Kind::Silence,
        Some(silence.name.as_str()),
        Written::Json(&body),
    );
    let (key, document) = document.map_err(|problems| invalid(problems.to_string()))?;
    let mut wanted = Wanted::put(key, document);
    let long_ago = clock.wall(now.before(KEPT));
    state.registry().shared().read(&mut |settings, _| {
        for (key, setting) in settings.of_kind(Kind::Silence) {
            let body = serde_json::from_str::<SilenceDocument>(setting.document.body());
            if body.is_ok_and(|body| body.ends() < Some(long_ago)) {
                wanted.sheet.delete.insert(key.clone());
            }
        }
    });
    let put: Vec<Key> = wanted.sheet.put.keys().cloned().collect();
    wanted.sheet.delete.retain(|key| !put.contains(key));
    Ok(wanted)
}

/// Ends a silence.
#[utoipa::path(delete, path = "/v1/silences/{name}", tag = "alerts",
    params(("name" = String, Path, description = "The silence's name")),
    responses(
        (status = 204, description = "It is over"),
        (status = 404, description = "No such silence", body = Problem),
    ))]
pub(in crate::api) async fn remove(
    State(state): State<ApiState>,
    by: By,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    let unknown =
        || Problem::new(ProblemKind::UnknownName).detail(format!("no silence is named {name}"));
    let key = Key::new(Kind::Silence, &name).map_err(|_| unknown())?;
    let mut is_known = false;
    state.registry().shared().read(&mut |settings, _| {
        is_known = settings.get(&key).is_some();
    });
    if !is_known {
        return Err(unknown());
    }
    let wanted = Wanted::delete(key);
    state.registry().make_shared_as(&by.author, wanted).await?;
    state.alerts().take_silences(state.registry());
    Ok(StatusCode::NO_CONTENT)
}

fn silence(desk: &AlertDesk, body: SilenceBody) -> Result<Silence, Problem> {
    let now = desk.clock().now();
    let moment = |text: &str| {
        let time: Result<Timestamp, _> = text.parse();
        let wrong = |error| invalid(format!("`{text}` is no time: {error}"));
        time.map(|time| desk.clock().moment(time)).map_err(wrong)
    };
    let from = body.from.as_deref().map_or(Ok(now), moment)?;
    let until = match (body.until.as_deref(), body.hours) {
        (Some(until), None) => moment(until)?,
        (None, Some(hours)) if hours > 0.0 && hours <= HOURS_MAX => {
            from.after(Duration::from_secs_f64(hours * 3_600.0))
        }
        (None, Some(_)) => {
            return Err(invalid(format!(
                "`hours` is above 0 and at most {HOURS_MAX}"
            )));
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(invalid("it needs one of `until` and `hours`"));
        }
    };
    let matchers = body.matchers.iter().map(|text| {
        let wrong = |error| invalid(format!("`{text}`: {error}"));
        Matcher::parse(text).map_err(wrong)
    });
    let name = body
        .name
        .unwrap_or_else(|| format!("s-{:x}", now.as_nanos() / 1_000));
    Ok(Silence {
        name: SilenceName::new(&name).map_err(|error| invalid(error.to_string()))?,
        matchers: matchers.collect::<Result<_, _>>()?,
        from,
        until,
        origin: Origin::Request,
        by: body.by,
        comment: body.comment,
    })
}

fn view(desk: &AlertDesk, silence: &Silence) -> SilenceView {
    let clock = desk.clock();
    let (now, alerts) = desk.read(|alerts, now| (now, alerts.covered_by(&silence.name)));
    SilenceView {
        name: silence.name.to_string(),
        matchers: silence.matchers.iter().map(ToString::to_string).collect(),
        from: Time(clock.wall(silence.from)),
        until: Time(clock.wall(silence.until)),
        active: silence.from <= now && now < silence.until,
        origin: match silence.origin {
            Origin::Request => "request",
            Origin::Maintenance => "maintenance",
        },
        by: silence.by.to_string(),
        comment: silence.comment.to_string(),
        alerts,
    }
}
