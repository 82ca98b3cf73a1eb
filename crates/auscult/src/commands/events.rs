//! `auscult events`: what happened, and with `--follow` what happens, without a gap across
//! reconnects.

use std::io::{self, Write as _};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderName, HeaderValue};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::interrupt::Interrupts;
use crate::args::{EventsArgs, Output};
use crate::client::sse::{Parser, ServerEvent};
use crate::client::{Ask, Client, encode};
use crate::exit::{Exit, Stop};
use crate::render::Screen;
use crate::render::event::{EventLine, Moment};

/// Events that are asked for at a time; the API gives no more.
const PAGE: u64 = 1000;

/// The pause before a connection is tried again, at first and at most.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A connection that is silent for longer than this is dead: the monitor says every 15 s that it
/// lives.
const SILENCE_MAX: Duration = Duration::from_secs(45);

pub(crate) async fn run(args: &EventsArgs) -> Result<(), Stop> {
    let client = Client::new(&args.client.url)?;
    let printer = Printer {
        output: args.client.output,
        screen: Screen::stdout(),
        zone: TimeZone::system(),
    };
    let mut interrupts = Interrupts::install()?;
    tokio::select! {
        () = interrupts.next() => Ok(()),
        done = print(args, &client, &printer) => done,
    }
}

async fn print(args: &EventsArgs, client: &Client, printer: &Printer) -> Result<(), Stop> {
    let mut since = args.since;
    let mut left = args
        .limit
        .unwrap_or(if since.is_some() { u64::MAX } else { 20 });
    while left > 0 {
        let limit = left.min(PAGE);
        let page = page(args, client, since, limit).await?;
        printer.missed(page.missed)?;
        for event in &page.events {
            printer.print(event.get())?;
        }
        since = Some(page.next);
        left -= limit;
        if (page.events.len() as u64) < limit {
            break;
        }
    }
    if args.follow {
        follow(args, client, printer, since).await?;
    }
    Ok(())
}

/// What `GET /v1/events` answers.
#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    next: u64,
    missed: Option<u64>,
}

async fn page(
    args: &EventsArgs,
    client: &Client,
    since: Option<u64>,
    limit: u64,
) -> Result<Page, Stop> {
    let mut path = format!("/v1/events?limit={limit}");
    if let Some(since) = since {
        path += &format!("&since={since}");
    }
    if let Some(target) = &args.target {
        path = path + "&target=" + &encode(target);
    }
    let answer = client.ask(Ask::new(Method::GET, &path)).await?;
    client.read(&answer)
}

async fn follow(
    args: &EventsArgs,
    client: &Client,
    printer: &Printer,
    mut since: Option<u64>,
) -> Result<(), Stop> {
    let mut retry = RETRY_FIRST;
    let mut connection = Connection::Held;
    loop {
        let broken = match stream(args, client, since).await {
            Ok(body) => {
                if connection == Connection::Lost {
                    writeln!(io::stderr(), "auscult: connected again")?;
                }
                connection = Connection::Held;
                retry = RETRY_FIRST;
                let mut parser = Parser::default();
                let broken = drain(body, &mut parser, printer).await?;
                let last = parser.last_id().and_then(|id| id.parse().ok());
                since = last.or(since);
                broken.to_owned()
            }
            Err(stop) if stop.is(Exit::Unreachable) => stop.to_string(),
            Err(stop) => return Err(stop),
        };
        // Said once: a monitor that is away for a night is not worth ten thousand lines.
        if connection == Connection::Held {
            writeln!(
                io::stderr(),
                "auscult: {broken}; trying again until it is back"
            )?;
        }
        connection = Connection::Lost;
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(RETRY_MAX);
    }
}

/// Whether the monitor was there the last time that we looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    Held,
    Lost,
}

async fn stream(args: &EventsArgs, client: &Client, since: Option<u64>) -> Result<Incoming, Stop> {
    let mut path = "/v1/events/stream".to_owned();
    if let Some(target) = &args.target {
        path = path + "?target=" + &encode(target);
    }
    let mut ask = Ask::new(Method::GET, &path);
    let accept = HeaderValue::from_static("text/event-stream");
    ask.headers.insert(ACCEPT, accept);
    if let Some(since) = since {
        let last_id = HeaderName::from_static("last-event-id");
        ask.headers.insert(last_id, since.into());
    }
    Ok(client.open(ask).await?.into_body())
}

/// Prints what comes until the connection ends, and says how it ended.
async fn drain(
    mut body: Incoming,
    parser: &mut Parser,
    printer: &Printer,
) -> Result<&'static str, Stop> {
    loop {
        let Ok(frame) = tokio::time::timeout(SILENCE_MAX, body.frame()).await else {
            return Ok("the monitor is silent");
        };
        let Some(Ok(frame)) = frame else {
            return Ok("the connection to the monitor has ended");
        };
        let bytes = frame.into_data().unwrap_or_default();
        let Ok(events) = parser.feed(&bytes) else {
            return Ok("the monitor sends more than an event");
        };
        for event in events {
            printer.server_event(&event)?;
        }
    }
}

/// How events are printed.
struct Printer {
    output: Output,
    screen: Screen,
    zone: TimeZone,
}

impl Printer {
    fn server_event(&self, event: &ServerEvent) -> Result<(), Stop> {
        if event.name != "lagged" {
            return self.print(&event.data);
        }
        let lost: Value = serde_json::from_str(&event.data).unwrap_or_default();
        self.missed(lost["lost"].as_u64())
    }

    fn print(&self, json: &str) -> Result<(), Stop> {
        let line = match self.output {
            Output::Json => json.to_owned(),
            Output::Table => {
                let event: Value = serde_json::from_str(json).unwrap_or_default();
                match EventLine::of_json(&event) {
                    Some(line) => line.render(self.screen, &self.zone, Moment::DateAndTime),
                    None => return Ok(()),
                }
            }
        };
        Ok(writeln!(io::stdout(), "{line}")?)
    }

    /// Says that there is a hole before what follows: nothing when it is empty.
    fn missed(&self, lost: Option<u64>) -> Result<(), Stop> {
        match (self.output, lost) {
            (_, Some(0)) => Ok(()),
            (Output::Json, lost) => {
                let line = serde_json::json!({ "kind": "lagged", "lost": lost });
                Ok(writeln!(io::stdout(), "{line}")?)
            }
            (Output::Table, Some(lost)) => {
                let text = format!("auscult: {lost} events before these are no longer kept");
                Ok(writeln!(io::stderr(), "{text}")?)
            }
            (Output::Table, None) => {
                let text = "auscult: the monitor was restarted; events before that may be missing";
                Ok(writeln!(io::stderr(), "{text}")?)
            }
        }
    }
}
