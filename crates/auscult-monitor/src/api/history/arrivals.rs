//! `/v1/targets/{id}/arrivals`: raw arrivals of a target, as they reach the monitor.

use auscult_core::id::SignalName;
use auscult_core::monitor::SignalKey;
use auscult_core::time::Instant;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::extract::{Named, Params, whole_number};
use super::super::json::Json;
use super::super::problem::{Kind, Problem};
use super::super::targets::unknown_target;
use super::super::views::Time;
use crate::history::arrivals::{Heard, HeardAs, TARGETS_MAX};
use crate::settings::TargetSpec;

/// Raw arrivals of a target.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ArrivalsPage {
    target: String,
    /// The monitor's clock, which `at_ns` counts on: nanoseconds since its start.
    now_ns: u64,
    now: Time,
    /// How the target is judged: as `PUT /v1/targets/{id}` takes it. On the first page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    spec: Option<std::sync::Arc<TargetSpec>>,
    /// What the detectors remember from before the recording. On the first page only.
    remembered: Vec<RememberedView>,
    /// What reached the monitor, the oldest first.
    arrivals: Vec<ArrivalView>,
    /// How many before them are lost, as nobody read them in time.
    missed: u64,
    /// What to give as `since` for what comes next.
    next: u64,
}

/// What the detector of a signal remembers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct RememberedView {
    signal: String,
    /// The last arrival.
    #[schema(required)]
    last_arrival_ns: Option<u64>,
    /// Intervals before it, newest first, without outages.
    intervals_ns: Vec<u64>,
}

/// Something that reached the monitor.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ArrivalView {
    /// Its number; they grow by one.
    number: u64,
    signal: String,
    at_ns: u64,
    /// The sender's number, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    /// A check that failed, and is no arrival: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "timeout")]
    failure: Option<String>,
}

/// Reads raw arrivals, and records them for another minute.
///
/// The first request begins the recording; what is read with `since` is not kept any longer. At
/// most 64 targets are recorded at a time, 16,384 arrivals each.
#[utoipa::path(get, path = "/v1/targets/{id}/arrivals", tag = "targets",
    params(
        ("id" = String, Path,
            description = "The target's name, percent-encoded as one segment"),
        ("since" = Option<u64>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u64>, Query, description = "Arrivals at most: 1 to 10000, default 1000"),
    ),
    responses(
        (status = 200, description = "Arrivals", body = ArrivalsPage),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 404, description = "No such target", body = Problem),
        (status = 503, description = "Too many targets are recorded", body = Problem),
    ))]
pub(in crate::api) async fn read(
    State(state): State<ApiState>,
    Named(id): Named,
    params: Params,
) -> Result<Json<ArrivalsPage>, Problem> {
    let (mut since, mut limit) = (None, 1_000);
    for (key, value) in params.known(&["since", "limit"])? {
        match key.as_str() {
            "since" => since = Some(whole_number(&key, &value, 0..=u64::MAX)?),
            _ => limit = whole_number(&key, &value, 1..=10_000)?,
        }
    }
    let look = state.engine().read(|monitor, now| {
        let target = monitor.target(&id)?;
        let mut signals: Vec<(SignalKey, SignalName)> = Vec::new();
        let mut remembered = Vec::new();
        for signal in target.signals() {
            signals.push((signal.key(), signal.name().clone()));
            let intervals = signal.recent_intervals();
            remembered.push(RememberedView {
                signal: signal.name().to_string(),
                last_arrival_ns: signal.last_arrival().map(Instant::as_nanos),
                intervals_ns: intervals
                    .map(|span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
                    .collect(),
            });
        }
        Some((target.id().clone(), signals, remembered, now))
    });
    let Some((target, signals, remembered, now)) = look else {
        return Err(unknown_target(&id));
    };
    let window = (since.unwrap_or(0), usize::try_from(limit).unwrap_or(1_000));
    let recordings = state.engine().recordings();
    let heard = recordings.read(now, &target, signals, window);
    let heard = heard.map_err(|_| {
        Problem::new(Kind::Busy)
            .detail(format!("{TARGETS_MAX} targets are being recorded"))
            .hint("a recording ends a minute after it was read last")
    })?;
    Ok(Json(ArrivalsPage {
        now_ns: now.as_nanos(),
        now: Time::of(state.clock(), now),
        spec: match since {
            None => state.registry().spec(&target),
            Some(_) => None,
        },
        remembered: if since.is_none() {
            remembered
        } else {
            Vec::new()
        },
        arrivals: heard.heard.iter().map(ArrivalView::new).collect(),
        missed: heard.missed,
        next: heard.next,
        target: id,
    }))
}

impl ArrivalView {
    fn new(heard: &Heard) -> Self {
        let (sequence, failure) = match heard.what {
            HeardAs::Arrival(sequence) => (sequence, None),
            HeardAs::Failure(failure) => (None, Some(failure.to_string())),
        };
        Self {
            number: heard.number,
            signal: heard.signal.to_string(),
            at_ns: heard.at.as_nanos(),
            sequence,
            failure,
        }
    }
}
