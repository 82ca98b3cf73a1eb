//! `auscult history`: the past of a target, as a summary, as data, as a picture, and for a
//! Prometheus.

mod export;
mod plot;
mod remote;
mod summary;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use auscult_monitor::settings::parse_duration;
use hyper::Method;
use serde_json::{Value, json};

use crate::args::{HistoryArgs, HistoryCommand, HistoryOutput, PastArgs};
use crate::client::{Ask, Client, encode};
use crate::exit::{Exit, Stop, in_words};
use crate::render::time::moment;

/// Rows that are asked for at a time; the API gives no more.
const PAGE: usize = 10_000;

/// Roll-ups of a window, where nobody says how long they shall be.
const ROLLUPS: usize = 1_000;

pub(crate) async fn run(args: &HistoryArgs) -> Result<(), Stop> {
    if let Some(HistoryCommand::Export { targets, past, to }) = &args.command {
        check_window(&past.window)?;
        return export::run(targets, past, to).await;
    }
    check_window(&args.past.window)?;
    if !(args.slo > 0.0 && args.slo < 100.0) {
        let message = format!("--slo {}: it is above 0 and below 100", args.slo);
        return Err(Stop::new(Exit::Usage, message));
    }
    let target = args.target.as_deref().unwrap_or_default();
    let client = Client::new(&args.past.url)?;
    let past = read(&client, target, &args.past).await?;
    if let Some(path) = &args.plot {
        // One that is not watched any more has no thresholds, and a picture all the same.
        let target = format!("/v1/targets/{}", encode(target));
        let watched = client.ask(Ask::new(Method::GET, &target)).await;
        let watched: Value = watched.and_then(|it| client.read(&it)).unwrap_or_default();
        let picture = plot::draw(&past, &watched["thresholds"]);
        write_file(path, picture.as_bytes())?;
    }
    match args.output {
        HistoryOutput::Json => Ok(writeln!(io::stdout(), "{past}")?),
        HistoryOutput::Csv => csv(&client, target, &past).await,
        HistoryOutput::Table => {
            let window = encode(&args.past.window);
            let path = format!(
                "/v1/targets/{}/availability?window={window}&slo={}",
                encode(target),
                args.slo
            );
            let answer = client.ask(Ask::new(Method::GET, &path)).await?;
            let found: Value = client.read(&answer)?;
            summary::write(&args.past.window, &found, &past)
        }
    }
}

/// Everything that the window has, of all pages.
async fn read(client: &Client, target: &str, args: &PastArgs) -> Result<Value, Stop> {
    let window = encode(&args.window);
    let fixed = match &args.resolution {
        Some(resolution) => encode(resolution),
        None => {
            // Asked with a small limit, the monitor says what fits; with a large one it gives more.
            let path = format!(
                "/v1/targets/{}/history?since={window}&limit={ROLLUPS}&part=transitions",
                encode(target)
            );
            let answer = client.ask(Ask::new(Method::GET, &path)).await?;
            let page: Value = client.read(&answer)?;
            page["resolution"].as_str().unwrap_or("1h").to_owned()
        }
    };
    let path = format!(
        "/v1/targets/{}/history?since={window}&limit={PAGE}&resolution={fixed}",
        encode(target)
    );
    let answer = client.ask(Ask::new(Method::GET, &path)).await?;
    let mut past: Value = client.read(&answer)?;
    // What happens meanwhile belongs to no page of this window.
    let until = past["until"].as_str().map(encode).unwrap_or_default();
    let since = past["since"].as_str().map(encode).unwrap_or_default();
    while let Some(cursor) = past["next"].as_str() {
        let path = format!(
            "/v1/targets/{}/history?since={since}&until={until}&limit={PAGE}&resolution={fixed}\
             &cursor={}",
            encode(target),
            encode(cursor)
        );
        let answer = client.ask(Ask::new(Method::GET, &path)).await?;
        let mut page: Value = client.read(&answer)?;
        for list in ["transitions", "rollups"] {
            if let (Some(all), Some(more)) = (past[list].as_array_mut(), page[list].as_array_mut())
            {
                all.append(more);
            }
        }
        past["next"] = page["next"].take();
    }
    Ok(past)
}

/// The same roll-ups, as the monitor writes them.
async fn csv(client: &Client, target: &str, past: &Value) -> Result<(), Stop> {
    let text = |name: &str| past[name].as_str().map(encode).unwrap_or_default();
    let mut from = text("since");
    let mut out = io::stdout().lock();
    let mut first = true;
    loop {
        let path = format!(
            "/v1/targets/{}/history?format=csv&since={from}&until={}&limit={PAGE}&resolution={}",
            encode(target),
            text("until"),
            text("resolution")
        );
        let answer = client.ask(Ask::new(Method::GET, &path)).await?;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let lines: Vec<&str> = body.lines().collect();
        let skip = usize::from(!first);
        for line in lines.iter().skip(skip) {
            writeln!(out, "{line}")?;
        }
        first = false;
        // The page behind it begins with the last row again, which is told once.
        let rows = lines.len().saturating_sub(1);
        let last = lines.last().and_then(|line| line.split(',').next());
        match last {
            Some(at) if rows >= PAGE => from = encode(&after(at, past)),
            Some(_) | None => return Ok(()),
        }
    }
}

/// The moment at which the roll-up behind the one at `at` begins.
fn after(at: &str, past: &Value) -> String {
    let length = jiff::SignedDuration::from_secs(length_seconds(past));
    let at = moment(&json!(at)).and_then(|at| at.checked_add(length).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// How long each roll-up is.
fn length_seconds(past: &Value) -> i64 {
    match past["resolution"].as_str() {
        Some("10s") => 10,
        Some("5m") => 300,
        Some(_) | None => 3_600,
    }
}

/// A window is a span: what else the API takes as a beginning is no window.
fn check_window(window: &str) -> Result<(), Stop> {
    match parse_duration(window) {
        Ok(span) if !span.is_zero() => Ok(()),
        Ok(_) => Err(Stop::new(Exit::Usage, "--window: it must be longer than 0")),
        Err(why) => Err(Stop::new(Exit::Usage, format!("--window: {why}"))),
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    fs::write(path, bytes).map_err(|error| {
        let message = format!("{} cannot be written: {}", path.display(), in_words(&error));
        Stop::new(Exit::Cannot, message)
    })
}
