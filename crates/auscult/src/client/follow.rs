//! Following the events of a monitor or an agent, without a gap across reconnects.

use std::io::{self, Write as _};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderName, HeaderValue};

use super::sse::{Parser, ServerEvent};
use super::{Ask, Client};
use crate::exit::{Exit, Stop};

/// The pause before a connection is tried again, at first and at most.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A connection that is silent for longer than this is dead: the other side says every 15 s that it
/// lives.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Reads `GET /v1/events/stream`, for ever.
pub(crate) struct Follow<'a> {
    client: &'a Client,
    path: String,
    since: Option<u64>,
    open: Option<(Incoming, Parser)>,
    retry: Duration,
    connection: Connection,
}

/// Whether the other side was there the last time that we looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    Held,
    Lost,
}

impl<'a> Follow<'a> {
    /// Goes on after the event with the number `since`; without one, with what happens next. The
    /// path may carry a query.
    pub(crate) fn new(client: &'a Client, path: String, since: Option<u64>) -> Self {
        Self {
            client,
            path,
            since,
            open: None,
            retry: RETRY_FIRST,
            connection: Connection::Held,
        }
    }

    /// The next events, at least one. A connection that breaks is opened again; that is said on
    /// stderr. An error is a refusal.
    pub(crate) async fn next(&mut self) -> Result<Vec<ServerEvent>, Stop> {
        loop {
            let broken = match self.read().await {
                Ok(events) if events.is_empty() => continue,
                Ok(events) => return Ok(events),
                Err(Broken::Refused(stop)) => return Err(stop),
                Err(Broken::Ended(how)) => how,
            };
            self.open = None;
            // Said once: a monitor that is away for a night is not worth ten thousand lines.
            if self.connection == Connection::Held {
                writeln!(
                    io::stderr(),
                    "auscult: {broken}; trying again until it is back"
                )?;
            }
            self.connection = Connection::Lost;
            tokio::time::sleep(self.retry).await;
            self.retry = (self.retry * 2).min(RETRY_MAX);
        }
    }

    async fn read(&mut self) -> Result<Vec<ServerEvent>, Broken> {
        let (body, parser) = match &mut self.open {
            Some(open) => open,
            None => {
                let body = self.connect().await?;
                self.open.insert((body, Parser::default()))
            }
        };
        let Ok(frame) = tokio::time::timeout(SILENCE_MAX, body.frame()).await else {
            return Err(self.ended("is silent"));
        };
        let Some(Ok(frame)) = frame else {
            return Err(self.ended("has ended the connection"));
        };
        let bytes = frame.into_data().unwrap_or_default();
        let Ok(events) = parser.feed(&bytes) else {
            return Err(self.ended("sends more than an event"));
        };
        let last = parser.last_id().and_then(|id| id.parse().ok());
        self.since = last.or(self.since);
        Ok(events)
    }

    async fn connect(&mut self) -> Result<Incoming, Broken> {
        let mut ask = Ask::new(Method::GET, &self.path);
        let accept = HeaderValue::from_static("text/event-stream");
        ask.headers.insert(ACCEPT, accept);
        if let Some(since) = self.since {
            let last_id = HeaderName::from_static("last-event-id");
            ask.headers.insert(last_id, since.into());
        }
        let response = match self.client.open(ask).await {
            Ok(response) => response,
            Err(stop) if stop.is(Exit::Unreachable) => return Err(Broken::Ended(stop.to_string())),
            Err(stop) => return Err(Broken::Refused(stop)),
        };
        if self.connection == Connection::Lost {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(io::stderr(), "auscult: connected again");
        }
        self.connection = Connection::Held;
        self.retry = RETRY_FIRST;
        Ok(response.into_body())
    }

    fn ended(&self, how: &str) -> Broken {
        Broken::Ended(format!("the {} {how}", self.client.server().noun()))
    }
}

/// Why there are no more events.
enum Broken {
    /// The connection ended, or there was none.
    Ended(String),
    /// The other side will not tell.
    Refused(Stop),
}
