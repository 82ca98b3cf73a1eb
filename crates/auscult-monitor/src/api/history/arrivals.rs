//! `/v1/targets/{id}/arrivals`: raw arrivals of a target, as they reach the monitor.

use std::time::Duration;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{SignalKey, SignalView};
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
    /// What it waits for: `first` arrival, `next` one, `late` one, `enough` of them in a row, or it
    /// is judged `elsewhere`.
    waits: &'static str,
    /// When its next verdict is due, if there is one to come.
    #[schema(required)]
    due_ns: Option<u64>,
    /// Arrivals in a row while it is down.
    streak: u8,
    /// Intervals in a row that were outages.
    outages: u8,
    /// All that its detector has learnt, for `auscult replay`.
    learnt: Vec<u64>,
}

impl RememberedView {
    fn new(signal: &SignalView<'_>) -> Self {
        let memory = signal.memory();
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self {
            signal: signal.name().to_string(),
            last_arrival_ns: signal.last_arrival().map(Instant::as_nanos),
            intervals_ns: signal.recent_intervals().map(nanos).collect(),
            waits: memory.waits.as_str(),
            due_ns: memory.due.map(Instant::as_nanos),
            streak: memory.streak,
            outages: memory.outages,
            learnt: memory.learnt,
        }
    }
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
    let Some(Look {
        target,
        signals,
        now,
    }) = look(&state, &id)
    else {
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
    // Read behind the beginning of the recording, so that no arrival is in neither; one that is in
    // both is not newer than the last one that is remembered.
    let (now, remembered) = match since {
        None => remembered(&state, &id, now),
        Some(_) => (now, Vec::new()),
    };
    Ok(Json(ArrivalsPage {
        now_ns: now.as_nanos(),
        now: Time::of(state.clock(), now),
        spec: match since {
            None => state.registry().spec(&target),
            Some(_) => None,
        },
        remembered,
        arrivals: heard.heard.iter().map(ArrivalView::new).collect(),
        missed: heard.missed,
        next: heard.next,
        target: id,
    }))
}

/// A target, and its signals as the engine knows them.
struct Look {
    target: TargetId,
    signals: Vec<(SignalKey, SignalName)>,
    now: Instant,
}

fn look(state: &ApiState, id: &str) -> Option<Look> {
    state.engine().read(|monitor, now| {
        let target = monitor.target(id)?;
        let signals = target.signals();
        let signals = signals.map(|signal| (signal.key(), signal.name().clone()));
        Some(Look {
            target: target.id().clone(),
            signals: signals.collect(),
            now,
        })
    })
}

/// What a target's signals remember, and when; nothing of one that is just gone.
fn remembered(state: &ApiState, id: &str, before: Instant) -> (Instant, Vec<RememberedView>) {
    let found = state.engine().read(|monitor, now| {
        let signals = monitor.target(id)?.signals();
        let all = signals.map(|signal| RememberedView::new(&signal));
        Some((now, all.collect()))
    });
    found.unwrap_or((before, Vec::new()))
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
