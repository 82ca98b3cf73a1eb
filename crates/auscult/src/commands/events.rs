//! `auscult events`: what happened, and with `--follow` what happens, without a gap across
//! reconnects.

use std::io::{self, Write as _};

use hyper::Method;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::interrupt::Interrupts;
use crate::args::{EventsArgs, Output};
use crate::client::follow::Follow;
use crate::client::sse::ServerEvent;
use crate::client::{Ask, Client, encode};
use crate::exit::Stop;
use crate::render::Screen;
use crate::render::event::{EventLine, Moment};

/// Events that are asked for at a time; the API gives no more.
const PAGE: u64 = 1000;

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

/// Prints what happens from now on, for ever.
async fn follow(
    args: &EventsArgs,
    client: &Client,
    printer: &Printer,
    since: Option<u64>,
) -> Result<(), Stop> {
    let mut path = "/v1/events/stream".to_owned();
    if let Some(target) = &args.target {
        path = path + "?target=" + &encode(target);
    }
    let mut follow = Follow::new(client, path, since);
    loop {
        for event in follow.next().await? {
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
                let text = "auscult: it was restarted; events before that may be missing";
                Ok(writeln!(io::stderr(), "{text}")?)
            }
        }
    }
}
