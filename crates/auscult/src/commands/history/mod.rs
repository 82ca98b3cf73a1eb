//! `auscult history`: the past of a target, as a summary, as data, as a picture, and for a
//! Prometheus.

mod export;
mod plot;
mod remote;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use hyper::Method;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::args::{HistoryArgs, HistoryCommand, HistoryOutput, PastArgs};
use crate::client::{Ask, Client, encode};
use crate::exit::{Exit, Stop, in_words};
use crate::render::table::{self, Cell, Column};
use crate::render::time::{date_and_time, moment, span_ms};
use crate::render::{Ink, Screen, printable};

/// Rows that are asked for at a time; the API gives no more.
const PAGE: usize = 10_000;

/// Roll-ups of a window, where nobody says how long they shall be.
const ROLLUPS: usize = 1_000;

pub(crate) async fn run(args: &HistoryArgs) -> Result<(), Stop> {
    if let Some(HistoryCommand::Export { targets, past, to }) = &args.command {
        return export::run(targets, past, to).await;
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
            summary(&found)?;
            transitions(&past)
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

fn summary(found: &Value) -> Result<(), Stop> {
    let screen = Screen::stdout();
    let mut out = io::stdout().lock();
    let span = |name: &str| {
        let seconds = found[name].as_f64();
        seconds.map_or_else(|| "-".to_owned(), |it| span_ms(it.max(0.0) * 1_000.0))
    };
    let availability = match found["availability_percent"].as_f64() {
        Some(percent) => {
            let ink = match found["met"].as_bool() {
                Some(true) => Ink::Good,
                Some(false) | None => Ink::Bad,
            };
            screen.paint(ink, &format!("{percent:.4} %"))
        }
        None => "nothing was judged".to_owned(),
    };
    let (since, until) = (found["since"].as_str(), found["until"].as_str());
    let target = printable(found["target"].as_str().unwrap_or_default());
    let (since, until) = (since.unwrap_or_default(), until.unwrap_or_default());
    writeln!(out, "{target}  {since} to {until}")?;
    let slo = found["slo_percent"].as_f64().unwrap_or_default();
    writeln!(out, "availability     {availability} (objective {slo} %)")?;
    let left = found["error_budget_left_seconds"].as_f64().unwrap_or(0.0);
    let over = span_ms(left.abs() * 1_000.0);
    let budget = match left < 0.0 {
        true => format!("overdrawn by {over}"),
        false => format!("{over} left"),
    };
    writeln!(
        out,
        "error budget     {} , {budget}",
        span("error_budget_seconds")
    )?;
    let outages = found["outages"].as_u64().unwrap_or(0);
    writeln!(
        out,
        "outages          {outages}; mean {} between failures, {} to recover",
        span("mean_between_failures_seconds"),
        span("mean_to_recover_seconds")
    )?;
    writeln!(
        out,
        "detection        mean {}, at most {}",
        span("detection_mean_seconds"),
        span("detection_max_seconds")
    )?;
    writeln!(
        out,
        "not judged       unknown {}, paused {}, not watched {}\n",
        span("unknown_seconds"),
        span("paused_seconds"),
        span("unwatched_seconds")
    )?;
    Ok(())
}

fn transitions(past: &Value) -> Result<(), Stop> {
    let list = past["transitions"].as_array();
    let list = list.map_or(&[] as &[Value], Vec::as_slice);
    if list.is_empty() {
        return Ok(writeln!(io::stdout(), "no transitions")?);
    }
    let zone = TimeZone::system();
    let rows: Vec<Vec<Cell>> = list
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let at = moment(&row["at"]).map(|at| date_and_time(at, &zone));
            let ink = match row["to"].as_str() {
                Some("up") => Ink::Good,
                Some("late") => Ink::Warning,
                Some("down") => Ink::Bad,
                Some(_) | None => Ink::Quiet,
            };
            vec![
                Cell::new(at.unwrap_or_default()),
                Cell::new(text("kind")),
                Cell::inked(ink, text("to")),
                Cell::inked(Ink::Quiet, text("text")),
            ]
        })
        .collect();
    let columns = ["AT", "KIND", "TO", "WHY"].map(Column::left);
    Ok(table::print(
        &mut io::stdout(),
        Screen::stdout(),
        &columns,
        &rows,
    )?)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    fs::write(path, bytes).map_err(|error| {
        let message = format!("{} cannot be written: {}", path.display(), in_words(&error));
        Stop::new(Exit::Cannot, message)
    })
}
