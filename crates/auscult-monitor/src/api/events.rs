//! The event log over HTTP: pages of JSON, and a stream of server-sent events that resumes where it
//! broke off.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{ACCEPT, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::ToSchema;

use super::ApiState;
use super::extract::{Params, whole_number};
use super::json::Json;
use super::problem::{Kind, Problem};
use super::stop::Stop;
use super::views::EventView;
use crate::clock::Clock;
use crate::events::{EventLog, Gap, LoggedEvent};

/// Events in a page when nothing is said, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// Streams at a time. Each holds a connection and a page of events.
pub(super) const STREAMS_MAX: usize = 256;

/// Events that a stream reads from the log at a time.
const STREAM_PAGE: usize = 64;

/// Silence after which a stream says that it lives: below the idle time-outs of usual proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    /// The events, oldest first.
    events: Vec<EventView>,
    /// What to give as `since` to go on after this page.
    next: u64,
    /// Events after `since` that are no longer kept; null when `since` is not a number of this run
    /// of the monitor, so that nobody knows.
    #[schema(required)]
    missed: Option<u64>,
}

/// What a reader wants.
#[derive(Debug, Default, PartialEq)]
struct Wish {
    since: Option<u64>,
    limit: Option<usize>,
    target: Option<String>,
}

impl Wish {
    fn read(params: Params) -> Result<Self, Problem> {
        let mut wish = Self::default();
        for (key, value) in params.known(&["since", "limit", "target"])? {
            match key.as_str() {
                "since" => wish.since = Some(whole_number("since", &value, 0..=u64::MAX)?),
                "limit" => {
                    let limit = whole_number("limit", &value, 1..=LIMIT_MAX as u64)?;
                    wish.limit = usize::try_from(limit).ok();
                }
                _ => wish.target = Some(value),
            }
        }
        Ok(wish)
    }

    fn wants(&self, event: &LoggedEvent) -> bool {
        match &self.target {
            None => true,
            Some(wanted) => event.event.target.as_deref() == Some(wanted),
        }
    }
}

/// Reads events.
///
/// Without `since` the newest ones, with it those after it; oldest first in both cases. With
/// `Accept: text/event-stream` it is the stream of `/v1/events/stream`.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        ("since" = Option<u64>, Query,
            description = "The number of the event seen last; 0 for the oldest one kept"),
        ("limit" = Option<u64>, Query, description = "Events at most: 1 to 1000, default 100"),
        ("target" = Option<String>, Query, description = "Events of this target only"),
    ),
    responses(
        (status = 200, description = "Events", body = EventPage),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "Too many streams", body = Problem),
    ))]
pub(super) async fn list(
    State(state): State<ApiState>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wish = Wish::read(params)?;
    let accepts_stream = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/event-stream"));
    if accepts_stream {
        return open_stream(&state, wish, &headers);
    }
    Ok(Json(page(state.clock(), state.events(), &wish)).into_response())
}

/// Follows events as they happen.
///
/// Server-sent events: the type is the event's kind, the data its JSON, the id its number.
/// `Last-Event-ID`, or `since`, resumes; without them the stream begins with what happens next. An
/// event `lagged` with `{"lost": n}` (null: unknown) stands in the place of events that are no
/// longer kept. Comments keep the connection alive.
#[utoipa::path(get, path = "/v1/events/stream", tag = "events",
    params(
        ("since" = Option<u64>, Query,
            description = "The number of the event seen last; 0 for the oldest one kept"),
        ("target" = Option<String>, Query, description = "Events of this target only"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Goes before `since`"),
    ),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "Too many streams", body = Problem),
    ))]
pub(super) async fn stream(
    State(state): State<ApiState>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    open_stream(&state, Wish::read(params)?, &headers)
}

fn page(clock: &Clock, log: &EventLog, wish: &Wish) -> EventPage {
    let limit = wish.limit.unwrap_or(LIMIT_DEFAULT);
    let read = log.since(wish.since.unwrap_or(0), usize::MAX);
    let newest = log.newest_id();
    let wanted = || read.events.iter().filter(|event| wish.wants(event));
    let skipped = match wish.since {
        Some(_) => 0,
        None => wanted().count().saturating_sub(limit),
    };
    let events: Vec<_> = wanted().skip(skipped).take(limit).collect();
    let next = match events.last() {
        Some(last) if events.len() == limit => last.id,
        Some(_) | None => read.events.last().map_or(newest, |last| last.id),
    };
    EventPage {
        events: events
            .iter()
            .map(|event| EventView::new(clock, event))
            .collect(),
        next,
        missed: match read.gap {
            Gap::None => Some(0),
            Gap::Missed(count) => Some(count),
            Gap::OtherRun => None,
        },
    }
}

/// The streams that are open.
#[derive(Debug)]
pub(super) struct Streams {
    room: Arc<Semaphore>,
    missed: Arc<AtomicU64>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(STREAMS_MAX)),
            missed: Arc::default(),
        }
    }
}

impl Streams {
    /// Streams that are open now.
    pub(super) fn open(&self) -> u64 {
        (STREAMS_MAX - self.room.available_permits().min(STREAMS_MAX)) as u64
    }

    /// Events that readers were too slow for.
    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

fn open_stream(state: &ApiState, mut wish: Wish, headers: &HeaderMap) -> Result<Response, Problem> {
    if let Some(last) = headers.get(HeaderName::from_static("last-event-id")) {
        // What is no number was never ours: the reader is told that nobody knows what it missed.
        let last = last.to_str().ok().and_then(|text| text.parse().ok());
        wish.since = Some(last.unwrap_or(u64::MAX));
    }
    let streams = state.streams();
    let permit = Arc::clone(&streams.room)
        .try_acquire_owned()
        .map_err(|_full| {
            Problem::new(Kind::Busy)
                .detail(format!("{STREAMS_MAX} streams of events are open already"))
                .hint("read GET /v1/events from time to time instead")
        })?;
    let log = state.events().clone();
    let follower = Follower {
        clock: state.clock().clone(),
        changed: log.subscribe(),
        seen: wish.since.unwrap_or_else(|| log.newest_id()),
        log,
        wish,
        ready: VecDeque::new(),
        stop: state.stop(),
        missed: Arc::clone(&streams.missed),
        _permit: permit,
    };
    let alive = KeepAlive::new().interval(KEEP_ALIVE).text("alive");
    let mut response = Sse::new(follower.into_stream())
        .keep_alive(alive)
        .into_response();
    // Proxies that buffer answers would hold events back.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

/// One stream: reads from the log at its reader's pace.
struct Follower {
    clock: Clock,
    log: EventLog,
    changed: watch::Receiver<u64>,
    /// The number of the event that was read last.
    seen: u64,
    wish: Wish,
    ready: VecDeque<sse::Event>,
    stop: Stop,
    missed: Arc<AtomicU64>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        futures_util::stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.changed.mark_unchanged();
            self.read();
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = self.stop.clone().stopped() => return None,
            }
        }
    }

    /// Reads until there is something to send, or nothing more to read.
    fn read(&mut self) {
        loop {
            let page = self.log.since(self.seen, STREAM_PAGE);
            match page.gap {
                Gap::None => {}
                Gap::Missed(lost) => {
                    self.missed.fetch_add(lost, Ordering::Relaxed);
                    self.ready.push_back(lagged(Some(lost)));
                }
                Gap::OtherRun => self.ready.push_back(lagged(None)),
            }
            let Some(last) = page.events.last() else {
                if page.gap == Gap::OtherRun {
                    self.seen = self.log.newest_id();
                }
                return;
            };
            self.seen = last.id;
            for event in page.events.iter().filter(|event| self.wish.wants(event)) {
                self.ready
                    .push_back(sent(&EventView::new(&self.clock, event), event.id));
            }
            if !self.ready.is_empty() {
                return;
            }
        }
    }
}

fn sent(view: &EventView, id: u64) -> sse::Event {
    let event = sse::Event::default().id(id.to_string()).event(view.kind());
    event.json_data(view).unwrap_or_else(|error| {
        tracing::error!(%error, "an event could not be written as JSON");
        sse::Event::default().comment("an event could not be written")
    })
}

fn lagged(lost: Option<u64>) -> sse::Event {
    let lost = lost.map_or_else(|| "null".to_owned(), |lost| lost.to_string());
    sse::Event::default()
        .event("lagged")
        .data(format!("{{\"lost\":{lost}}}"))
}
