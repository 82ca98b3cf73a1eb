//! `/v1/targets/{id}/availability`: how much of a window a target was there.

use std::time::Duration;

use auscult_core::history::{Availability, Objective, Rollup};
use auscult_core::monitor::Status;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::blocking::blocking;
use super::super::extract::{Named, Params, bad_value};
use super::super::json::Json;
use super::super::problem::Problem;
use super::super::views::Time;
use super::query::window_of;
use super::view::time_ms;
use super::{of, unreadable};
use crate::events::sentence;
use crate::history::History;

/// How much of a window a target was there. Time that nobody can judge is left out: not watched,
/// `unknown` and `paused`; `late` counts as there.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct AvailabilityView {
    target: String,
    /// The window, at most 10 s longer at its beginning than asked for; by more where finer
    /// roll-ups are gone. It ends with what is on the disk, some seconds ago.
    since: Time,
    until: Time,
    /// Percent of the judged time in which it was not down; null when nothing was judged.
    #[schema(required, example = 99.973)]
    availability_percent: Option<f64>,
    /// What it shall be.
    slo_percent: f64,
    /// Whether it is; null when nothing was judged.
    #[schema(required)]
    met: Option<bool>,
    /// Seconds with a verdict: up, late and down.
    judged_seconds: f64,
    up_seconds: f64,
    late_seconds: f64,
    down_seconds: f64,
    /// Seconds left out: what is not known, by whatever fault.
    unknown_seconds: f64,
    /// Seconds left out: an operator asked not to judge it.
    paused_seconds: f64,
    /// Seconds left out: it was not watched, or nothing is kept of them.
    unwatched_seconds: f64,
    /// Seconds that it may be down in the judged time.
    error_budget_seconds: f64,
    /// Seconds left of it; below 0 when it was down for longer.
    error_budget_left_seconds: f64,
    /// Outages, one that the window began with included.
    outages: u64,
    /// Mean time between failures: time there per outage; null without one.
    #[schema(required)]
    mean_between_failures_seconds: Option<f64>,
    /// Mean time to recover: time down per outage; null without one.
    #[schema(required)]
    mean_to_recover_seconds: Option<f64>,
    /// Mean time from the last sign of life to the verdict; null when no silence was one. Where
    /// several monitors observe, those tell it that observe the target.
    #[schema(required)]
    detection_mean_seconds: Option<f64>,
    /// The longest such time.
    #[schema(required)]
    detection_max_seconds: Option<f64>,
    /// Roll-ups of 10 s, 5 min and 1 h that this was made of.
    rollups: [u64; 3],
    /// What of the window is left out and why, as sentences.
    #[schema(example = json!(["nothing is known of 29d 23h 59m of the window: it was not watched, \
        or this monitor was not running. That time counts neither as there nor as down"]))]
    notes: Vec<String>,
}

/// Tells how much of a window a target was there, and what that leaves of its error budget.
#[utoipa::path(get, path = "/v1/targets/{id}/availability", tag = "targets",
    params(
        ("id" = String, Path,
            description = "The target's name, percent-encoded as one segment"),
        ("window" = Option<String>, Query, description = "A span up to now; default `30d`"),
        ("slo" = Option<f64>, Query,
            description = "Percent of the time that it shall be there, above 0 and below 100; \
                default 99.9"),
    ),
    responses(
        (status = 200, description = "Its availability", body = AvailabilityView),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 404, description = "No such target, or no past is kept", body = Problem),
        (status = 503, description = "The past cannot be read now", body = Problem),
    ))]
pub(in crate::api) async fn read(
    State(state): State<ApiState>,
    Named(id): Named,
    params: Params,
) -> Result<Json<AvailabilityView>, Problem> {
    let history = of(&state, &id)?;
    let (mut window, mut slo) = ("30d".to_owned(), 99.9);
    for (key, value) in params.known(&["window", "slo"])? {
        match key.as_str() {
            "window" => window = value,
            _ => {
                let number = value.parse::<f64>().ok();
                let problem = || bad_value(&key, format!("{value:?} is no percentage"));
                slo = number.ok_or_else(problem)?;
            }
        }
    }
    let window = window_of("window", &window, history.now_ms())?;
    let objective = Objective::from_percent(slo);
    let objective = objective.ok_or_else(|| bad_value("slo", "it is above 0 and below 100"))?;
    let is_watched = |id: &str| {
        state
            .engine()
            .read(|monitor, _| monitor.target(id).is_some())
    };
    let watched = match is_watched(&id) {
        true => Watched::Now,
        false => Watched::NoMore,
    };
    blocking(move || view(&history, id, window, objective, watched)).await?
}

/// Whether the target is watched at present.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    Now,
    NoMore,
}

fn view(
    history: &History,
    target: String,
    (since_ms, until_ms): (u64, u64),
    objective: Objective,
    watched: Watched,
) -> Result<Json<AvailabilityView>, Problem> {
    let segments = history.cover(since_ms, until_ms);
    let segments = segments.map_err(|error| unreadable(&error))?;
    let sum = history.sum(&target, &segments);
    let sum = sum.map_err(|error| unreadable(&error))?;
    let found = Availability::of(&sum, objective);
    let since_ms = segments.first().map_or(since_ms, |first| first.since_ms);
    let until_ms = segments.last().map_or(until_ms, |last| last.until_ms);
    let until_ms = until_ms.min(history.kept_until_ms()).max(since_ms);
    let mut rollups = [0; 3];
    for segment in &segments {
        rollups[segment.resolution as usize] += segment.rows();
    }
    let seconds = |status| sum.span_ms(status) as f64 / 1_000.0;
    let unwatched_ms = until_ms
        .saturating_sub(since_ms)
        .saturating_sub(sum.watched_ms());
    let in_seconds = |millis: Option<f64>| millis.map(|millis| millis / 1_000.0);
    Ok(Json(AvailabilityView {
        target,
        since: time_ms(since_ms),
        until: time_ms(until_ms),
        availability_percent: found.ratio.map(|ratio| ratio * 100.0),
        slo_percent: objective.percent(),
        met: found.ratio.map(|_| found.budget_left_ms >= 0.0),
        judged_seconds: found.judged_ms as f64 / 1_000.0,
        up_seconds: seconds(Status::Up),
        late_seconds: seconds(Status::Late),
        down_seconds: seconds(Status::Down),
        unknown_seconds: seconds(Status::Unknown),
        paused_seconds: seconds(Status::Paused),
        unwatched_seconds: unwatched_ms as f64 / 1_000.0,
        error_budget_seconds: found.budget_ms / 1_000.0,
        error_budget_left_seconds: found.budget_left_ms / 1_000.0,
        outages: found.outages,
        mean_between_failures_seconds: in_seconds(found.between_failures_ms),
        mean_to_recover_seconds: in_seconds(found.to_recover_ms),
        detection_mean_seconds: in_seconds(found.detection_ms),
        detection_max_seconds: in_seconds(found.detection_max_ms.map(|millis| millis as f64)),
        rollups,
        notes: notes(&sum, unwatched_ms, watched),
    }))
}

/// Why not all of the window is judged.
fn notes(sum: &Rollup, unwatched_ms: u64, watched: Watched) -> Vec<String> {
    let mut notes = Vec::new();
    let mut left_out = |millis: u64, why: &str| {
        if millis > 0 {
            let span = sentence::seconds(Duration::from_millis(millis));
            notes.push(format!("{span} of the window are left out: {why}"));
        }
    };
    left_out(
        unwatched_ms,
        "nothing is known of them, as it was not watched or this monitor was not running. What is \
         not known counts neither as there nor as down",
    );
    left_out(
        sum.span_ms(Status::Unknown),
        "it was watched and nothing could be said of it: not heard yet, or the monitor doubted itself",
    );
    left_out(sum.span_ms(Status::Paused), "an operator had paused it");
    if watched == Watched::NoMore {
        notes.push("it is not watched any more".to_owned());
    }
    notes
}
