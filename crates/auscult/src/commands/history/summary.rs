//! The past of a target for people: how much of the time it was there, how quickly it answered,
//! what happened.

use std::io::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::length_seconds;
use crate::exit::Stop;
use crate::render::table::{self, Cell, Column};
use crate::render::time::{date_and_time, moment, span_ms};
use crate::render::{Ink, Screen, printable};

/// Cells of the strip: one for each twenty minutes of a day.
const CELLS: usize = 72;

/// Writes what `/availability` and `/history` answer.
pub(super) fn write(window: &str, found: &Value, past: &Value) -> Result<(), Stop> {
    let summary = Summary {
        found,
        past,
        screen: Screen::stdout(),
        zone: TimeZone::system(),
    };
    let mut out = io::stdout().lock();
    summary.head(&mut out, window)?;
    summary.figures(&mut out)?;
    writeln!(out)?;
    summary.strip(&mut out)?;
    writeln!(out)?;
    summary.transitions(&mut out)
}

struct Summary<'a> {
    found: &'a Value,
    past: &'a Value,
    screen: Screen,
    zone: TimeZone,
}

impl Summary<'_> {
    fn seconds(&self, name: &str) -> Option<f64> {
        self.found[name].as_f64()
    }

    /// A span of the answer, as people say it.
    fn span(&self, name: &str) -> Option<String> {
        self.seconds(name).map(|it| span_ms(it.max(0.0) * 1_000.0))
    }

    fn head(&self, out: &mut impl io::Write, window: &str) -> Result<(), Stop> {
        let target = printable(self.found["target"].as_str().unwrap_or_default());
        let edge = |name: &str| {
            let at = moment(&self.found[name])?;
            let text = date_and_time(at, &self.zone);
            // Of 2026-11-22 01:18:54.264.
            Some(text.get(..19)?.to_owned())
        };
        let (since, until) = (edge("since"), edge("until"));
        let (since, until) = (since.unwrap_or_default(), until.unwrap_or_default());
        let zone = zone_name(&self.zone, moment(&self.found["until"]));
        Ok(writeln!(
            out,
            "{target}, the last {window}: {since} to {until} ({zone})"
        )?)
    }

    fn figures(&self, out: &mut impl io::Write) -> Result<(), Stop> {
        let judged = self.span("judged_seconds").unwrap_or_default();
        match self.seconds("availability_percent") {
            None => writeln!(out, "availability   nothing was judged in this time")?,
            Some(percent) => {
                let ink = match self.found["met"].as_bool() {
                    Some(true) => Ink::Good,
                    Some(false) | None => Ink::Bad,
                };
                let percent = self.screen.paint(ink, &format!("{percent:.4} %"));
                let slo = self.seconds("slo_percent").unwrap_or_default();
                writeln!(
                    out,
                    "availability   {percent} of {judged} judged; objective {slo} %"
                )?;
                writeln!(out, "error budget   {}", self.budget())?;
                writeln!(out, "outages        {}", self.outages())?;
            }
        }
        if let Some(times) = self.response_times() {
            writeln!(out, "response time  {times}")?;
        }
        let left_out = [
            ("not watched", "unwatched_seconds"),
            ("unknown", "unknown_seconds"),
            ("paused", "paused_seconds"),
        ];
        let left_out: Vec<String> = left_out
            .into_iter()
            .filter(|(_, name)| self.seconds(name).is_some_and(|it| it >= 0.001))
            .filter_map(|(why, name)| Some(format!("{} {why}", self.span(name)?)))
            .collect();
        if !left_out.is_empty() {
            writeln!(out, "not judged     {}", left_out.join(", "))?;
        }
        Ok(())
    }

    fn budget(&self) -> String {
        let whole = self.span("error_budget_seconds").unwrap_or_default();
        let left = self.seconds("error_budget_left_seconds").unwrap_or(0.0);
        let over = span_ms(left.abs() * 1_000.0);
        match left < 0.0 {
            true => format!("{whole} may be down; overdrawn by {over}"),
            false => format!("{whole} may be down; {over} left"),
        }
    }

    fn outages(&self) -> String {
        let outages = self.found["outages"].as_u64().unwrap_or(0);
        if outages == 0 {
            return "none".to_owned();
        }
        let mut text = format!("{outages}");
        for (name, what) in [
            ("mean_between_failures_seconds", "there between failures"),
            ("mean_to_recover_seconds", "to recover"),
        ] {
            if let Some(span) = self.span(name) {
                text += &format!("; {span} {what}");
            }
        }
        let detection = self.span("detection_mean_seconds");
        if let Some((mean, most)) = detection.zip(self.span("detection_max_seconds")) {
            text += &format!("; {mean} to notice, {most} at most");
        }
        text + if outages == 1 { "" } else { " (means)" }
    }

    /// Of checks: heartbeats that are pushed have none.
    fn response_times(&self) -> Option<String> {
        let (mut sum, mut count, mut most) = (0.0, 0.0, 0.0_f64);
        for row in self.past["rollups"].as_array()? {
            if let Some(mean) = row["latency_mean_ms"].as_f64() {
                let weight = row["arrivals"].as_f64().unwrap_or(0.0).max(1.0);
                sum += mean * weight;
                count += weight;
            }
            most = most.max(row["latency_max_ms"].as_f64().unwrap_or(0.0));
        }
        let precise = |ms: f64| match ms < 10.0 {
            true => format!("{ms:.1} ms"),
            false => span_ms(ms),
        };
        (count > 0.0).then(|| format!("mean {}, at most {}", precise(sum / count), precise(most)))
    }

    /// The window as a row of cells, each as bad as the worst that happened in it.
    fn strip(&self, out: &mut impl io::Write) -> Result<(), Stop> {
        let cells = cells(self.past);
        let mut line = String::new();
        for cell in cells {
            let (sign, ink) = match cell {
                Some(Worst::Up) => ("|", Ink::Good),
                Some(Worst::Late) => ("~", Ink::Warning),
                Some(Worst::Down) => ("X", Ink::Bad),
                Some(Worst::Unknown) => ("?", Ink::Quiet),
                None => (".", Ink::Quiet),
            };
            line += &self.screen.paint(ink, sign);
        }
        writeln!(out, "{line}")?;
        Ok(writeln!(
            out,
            "| up  ~ late  X down  ? unknown or paused  . nothing is kept"
        )?)
    }

    fn transitions(&self, out: &mut impl io::Write) -> Result<(), Stop> {
        let list = self.past["transitions"].as_array();
        let list = list.map_or(&[] as &[Value], Vec::as_slice);
        if list.is_empty() {
            return Ok(writeln!(out, "no transitions")?);
        }
        let rows: Vec<Vec<Cell>> = list
            .iter()
            .map(|row| {
                let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                let at = moment(&row["at"]).map(|at| date_and_time(at, &self.zone));
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
        Ok(table::print(out, self.screen, &columns, &rows)?)
    }
}

/// The worst that happened in a cell of the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worst {
    Unknown,
    Up,
    Late,
    Down,
}

/// What happened in each part of the window; `None` where nothing is kept.
fn cells(past: &Value) -> [Option<Worst>; CELLS] {
    let mut cells = [None; CELLS];
    let millis = |at: &Value| moment(at).map(Timestamp::as_millisecond);
    let (Some(since), Some(until)) = (millis(&past["since"]), millis(&past["until"])) else {
        return cells;
    };
    let length = length_seconds(past) as f64 * 1_000.0;
    let width = ((until - since) as f64 / CELLS as f64).max(1.0);
    for row in past["rollups"].as_array().into_iter().flatten() {
        let Some(at) = millis(&row["at"]) else {
            continue;
        };
        let has = |name: &str| row[name].as_u64().unwrap_or(0) > 0;
        let worst = [
            ("down_ms", Worst::Down),
            ("late_ms", Worst::Late),
            ("up_ms", Worst::Up),
            ("unknown_ms", Worst::Unknown),
            ("paused_ms", Worst::Unknown),
        ];
        let Some((_, worst)) = worst.into_iter().find(|(name, _)| has(name)) else {
            continue;
        };
        let from = ((at - since) as f64 / width).max(0.0) as usize;
        let to = (((at - since) as f64 + length) / width).ceil().max(0.0) as usize;
        for cell in cells.iter_mut().take(to.max(from + 1)).skip(from) {
            *cell = (*cell).max(Some(worst));
        }
    }
    cells
}

/// A zone by its name, or by its distance from UTC.
fn zone_name(zone: &TimeZone, at: Option<Timestamp>) -> String {
    if let Some(name) = zone.iana_name() {
        return match name {
            "Etc/UTC" | "Etc/Unknown" => "UTC".to_owned(),
            name => name.to_owned(),
        };
    }
    match at.map(|at| zone.to_offset(at)) {
        None => "UTC".to_owned(),
        Some(offset) if offset.seconds() == 0 => "UTC".to_owned(),
        Some(offset) => format!("UTC{offset}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_cell_is_as_bad_as_the_worst_in_it() {
        let past = json!({
            "resolution": "10s",
            "since": "2026-11-21T09:00:00Z", "until": "2026-11-21T10:12:00Z",
            "rollups": [
                { "at": "2026-11-21T09:00:00Z", "up_ms": 9_000, "late_ms": 1_000 },
                { "at": "2026-11-21T09:00:10Z", "up_ms": 9_000, "down_ms": 1_000 },
                { "at": "2026-11-21T09:01:00Z", "up_ms": 10_000 },
                { "at": "2026-11-21T09:02:00Z", "up_ms": 0, "paused_ms": 10_000 },
                { "at": "2026-11-21T10:11:50Z", "up_ms": 9_000, "late_ms": 1_000 },
            ],
        });
        let cells = cells(&past);
        // A minute each.
        let expected = [
            Some(Worst::Down),
            Some(Worst::Up),
            Some(Worst::Unknown),
            None,
        ];
        assert_eq!(cells[..4], expected);
        assert_eq!(cells[CELLS - 1], Some(Worst::Late));
        assert!(cells[4..CELLS - 1].iter().all(Option::is_none));
    }

    #[test]
    fn an_answer_that_makes_no_sense_has_no_cells() {
        for past in [
            json!({}),
            json!({ "since": "x", "until": "y" }),
            json!({ "resolution": "10s", "since": "2026-11-21T09:00:00Z",
                "until": "2026-11-21T08:00:00Z", "rollups": [{ "at": "1000-11-21T09:00:00Z" }] }),
        ] {
            assert!(cells(&past).iter().all(Option::is_none), "{past}");
        }
    }

    #[test]
    fn the_zone_is_named() {
        assert_eq!(zone_name(&TimeZone::UTC, None), "UTC");
        let east = TimeZone::fixed(jiff::tz::offset(2));
        let name = zone_name(&east, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(name, "UTC+02");
    }
}
