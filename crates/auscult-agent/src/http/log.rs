//! An event log over HTTP: pages of JSON, and a stream of server-sent events that resumes where it
//! broke off. The same for the events of a monitor and those of an agent.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::header::{ACCEPT, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::ToSchema;

use super::extract::{Params, whole_number};
use super::json::Json;
use super::problem::{Kind, Problem};
use super::stop::Stop;
use crate::clock::Clock;
use crate::events::{EventLog, Gap, LoggedEvent};

/// Events in a page when nothing is said, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// Streams at a time. Each holds a connection and a page of events.
pub const STREAMS_MAX: usize = 256;

/// Events that a stream reads from the log at a time.
const STREAM_PAGE: usize = 64;

/// Silence after which a stream says that it lives: below the idle time-outs of usual proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How events are shown over HTTP: as functions, since events and what shows them may belong to
/// different crates.
#[derive(Debug)]
pub struct Show<E, V> {
    /// The JSON; moments are told by the clock.
    pub view: fn(&Clock, &LoggedEvent<E>) -> V,
    /// The stable code of a kind: the type of a server-sent event.
    pub code: fn(&E) -> &'static str,
    /// Whether it is about the target, or the member, of this name.
    pub is_about: fn(&E, &str) -> bool,
}

impl<E, V> Clone for Show<E, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, V> Copy for Show<E, V> {}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage<V> {
    /// The events, oldest first.
    pub events: Vec<V>,
    /// What to give as `since` to go on after this page.
    pub next: u64,
    /// Events after `since` that are no longer kept; null when `since` is not a number of this run
    /// of the process, so that nobody knows.
    #[schema(required)]
    pub missed: Option<u64>,
}

/// What a reader wants.
#[derive(Debug, Default, PartialEq)]
struct Wish {
    since: Option<u64>,
    limit: Option<usize>,
    about: Option<String>,
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
                _ => wish.about = Some(value),
            }
        }
        Ok(wish)
    }

    fn wants<E>(&self, event: &LoggedEvent<E>, is_about: fn(&E, &str) -> bool) -> bool {
        match &self.about {
            None => true,
            Some(wanted) => is_about(&event.event, wanted),
        }
    }
}

/// A log that is served.
#[derive(Debug)]
pub struct ServedLog<'a, E, V> {
    /// How its events are shown.
    pub show: Show<E, V>,
    /// The log.
    pub log: &'a EventLog<E>,
    /// Tells its moments.
    pub clock: &'a Clock,
    /// Counts its streams.
    pub streams: &'a Streams,
    /// Ends them.
    pub stop: &'a Stop,
}

impl<E, V> ServedLog<'_, E, V>
where
    E: Send + Sync + 'static,
    V: Serialize + 'static,
{
    /// Answers a request for a page, or for a stream if it accepts one.
    ///
    /// # Errors
    /// The query cannot be used, or there are too many streams.
    pub fn list(&self, params: Params, headers: &HeaderMap) -> Result<Response, Problem> {
        let wish = Wish::read(params)?;
        let accepts_stream = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("text/event-stream"));
        if accepts_stream {
            return self.open(wish, headers);
        }
        Ok(Json(self.page(&wish)).into_response())
    }

    /// Answers a request for a stream.
    ///
    /// # Errors
    /// The query cannot be used, or there are too many streams.
    pub fn stream(&self, params: Params, headers: &HeaderMap) -> Result<Response, Problem> {
        self.open(Wish::read(params)?, headers)
    }

    fn page(&self, wish: &Wish) -> EventPage<V> {
        let limit = wish.limit.unwrap_or(LIMIT_DEFAULT);
        let read = self.log.since(wish.since.unwrap_or(0), usize::MAX);
        let newest = self.log.newest_id();
        let wanted = || {
            read.events
                .iter()
                .filter(|event| wish.wants(event, self.show.is_about))
        };
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
                .map(|event| (self.show.view)(self.clock, event))
                .collect(),
            next,
            missed: match read.gap {
                Gap::None => Some(0),
                Gap::Missed(count) => Some(count),
                Gap::OtherRun => None,
            },
        }
    }

    fn open(&self, mut wish: Wish, headers: &HeaderMap) -> Result<Response, Problem> {
        if let Some(last) = headers.get(HeaderName::from_static("last-event-id")) {
            // What is no number was never ours: the reader is told that nobody knows what it
            // missed.
            let last = last.to_str().ok().and_then(|text| text.parse().ok());
            wish.since = Some(last.unwrap_or(u64::MAX));
        }
        let permit = self.streams.admit().map_err(|full| {
            Problem::new(Kind::Busy)
                .detail(full)
                .hint("read GET /v1/events from time to time instead")
        })?;
        let log = self.log.clone();
        let follower = Follower {
            show: self.show,
            clock: self.clock.clone(),
            changed: log.subscribe(),
            seen: wish.since.unwrap_or_else(|| log.newest_id()),
            log,
            wish,
            ready: VecDeque::new(),
            stop: self.stop.clone(),
            missed: Arc::clone(&self.streams.missed),
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
}

/// The streams that are open.
#[derive(Debug)]
pub struct Streams {
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
    /// Room for one more, which is held as long as the permit is.
    ///
    /// # Errors
    /// There is none, in words.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, String> {
        let permit = Arc::clone(&self.room).try_acquire_owned();
        permit.map_err(|_full| format!("{STREAMS_MAX} streams of events are open already"))
    }

    /// Counts events that a reader was too slow for.
    pub fn note_missed(&self, count: u64) {
        self.missed.fetch_add(count, Ordering::Relaxed);
    }

    /// Streams that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        (STREAMS_MAX - self.room.available_permits().min(STREAMS_MAX)) as u64
    }

    /// Events that readers were too slow for.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// One stream: reads from the log at its reader's pace.
struct Follower<E, V> {
    show: Show<E, V>,
    clock: Clock,
    log: EventLog<E>,
    changed: watch::Receiver<u64>,
    /// The number of the event that was read last.
    seen: u64,
    wish: Wish,
    ready: VecDeque<sse::Event>,
    stop: Stop,
    missed: Arc<AtomicU64>,
    _permit: OwnedSemaphorePermit,
}

impl<E, V> Follower<E, V>
where
    E: Send + Sync + 'static,
    V: Serialize + 'static,
{
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
            for event in &page.events {
                if self.wish.wants(event, self.show.is_about) {
                    let sent = sent(self.show, &self.clock, event);
                    self.ready.push_back(sent);
                }
            }
            if !self.ready.is_empty() {
                return;
            }
        }
    }
}

fn sent<E, V: Serialize>(show: Show<E, V>, clock: &Clock, logged: &LoggedEvent<E>) -> sse::Event {
    let view = (show.view)(clock, logged);
    let event = sse::Event::default()
        .id(logged.id.to_string())
        .event((show.code)(&logged.event));
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
