//! Rows of the past as CSV (RFC 4180), one table of them.

use std::fmt::Write as _;

use auscult_core::history::{Figure, Rollup};
use auscult_core::monitor::Status;
use jiff::Timestamp;

use super::query::{Part, Query};
use crate::history::Change;

const ROLLUPS: &str = "at,resolution,availability,up_ms,late_ms,down_ms,unknown_ms,paused_ms,\
    transitions,failures,arrivals,level_mean,level_max,latency_mean_ms,latency_max_ms\r\n";

const CHANGES: &str = "at,id,kind,from,to,signal,cause,level,threshold,silence_ms,text\r\n";

/// One of the two lists, with a line of names: transitions when they alone were asked for.
pub(super) fn write(changes: &[Change], rollups: &[(u64, Rollup)], query: &Query) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    match query.part {
        Part::Transitions => {
            text.push_str(CHANGES);
            for change in changes {
                let _ = write_change(&mut text, change);
            }
        }
        Part::Both | Part::Rollups => {
            text.push_str(ROLLUPS);
            for (at, row) in rollups {
                let _ = write_rollup(&mut text, *at, row, query.resolution.as_str());
            }
        }
    }
    text
}

fn write_rollup(text: &mut String, at_ms: u64, row: &Rollup, resolution: &str) -> std::fmt::Result {
    write!(
        text,
        "{},{resolution},",
        moment(at_ms.saturating_mul(1_000_000))
    )?;
    if let Some(availability) = row.availability() {
        write!(text, "{availability}")?;
    }
    let statuses = [
        Status::Up,
        Status::Late,
        Status::Down,
        Status::Unknown,
        Status::Paused,
    ];
    for status in statuses {
        write!(text, ",{}", row.span_ms(status))?;
    }
    let Rollup {
        transitions,
        failures,
        arrivals,
        ..
    } = row;
    write!(text, ",{transitions},{failures},{arrivals}")?;
    for figure in [&row.level, &row.latency] {
        write_figure(text, figure)?;
    }
    text.push_str("\r\n");
    Ok(())
}

/// Its mean and maximum in whole units; nothing of nothing.
fn write_figure(text: &mut String, figure: &Figure) -> std::fmt::Result {
    match figure.mean() {
        Some(mean) => {
            let max = figure.max as f64 / 1_000.0;
            write!(text, ",{},{max}", mean / 1_000.0)
        }
        None => write!(text, ",,"),
    }
}

fn write_change(text: &mut String, change: &Change) -> std::fmt::Result {
    let at = moment(change.at_nanos);
    let (kind, from, to) = (change.what.as_str(), change.from, change.to);
    write!(text, "{at},{},{kind},{from},{to},", change.id)?;
    match &change.grounds {
        Some(grounds) => {
            text.push_str(&quoted(&grounds.signal));
            let silence_ms = grounds.silence.as_secs_f64() * 1_000.0;
            let (cause, level, threshold) = (grounds.cause, grounds.level, grounds.threshold);
            write!(text, ",{cause},{level},{threshold},{silence_ms}")?;
        }
        None => text.push_str(",,,,"),
    }
    write!(text, ",{}\r\n", quoted(&change.text))
}

fn moment(at_nanos: u64) -> String {
    let at = Timestamp::from_nanosecond(i128::from(at_nanos)).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

/// A field that may hold anything. What a spreadsheet would take for a formula is text there.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}
