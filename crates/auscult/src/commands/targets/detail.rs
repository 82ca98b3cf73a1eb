//! `auscult targets get`: one target with the evidence for its status.

use std::io::{self, Write};

use serde_json::Value;

use super::list::{heard, level};
use super::observers;
use crate::render::table::{self, Cell, Column};
use crate::render::time::{ago, moment, span_ms};
use crate::render::{Ink, Screen, printable};

/// The last intervals that are shown: enough to see a rhythm.
const INTERVALS_SHOWN: usize = 8;

const COLUMNS: [Column; 8] = [
    Column::left("SIGNAL"),
    Column::left("SOURCE"),
    Column::left("STATUS"),
    Column::right("LEVEL"),
    Column::right("LATE"),
    Column::right("DOWN"),
    Column::right("HEARD"),
    Column::left("EXPECTED"),
];

/// Prints what `GET /v1/targets/{id}` answers.
pub(super) fn print(out: &mut impl Write, screen: Screen, target: &Value) -> io::Result<()> {
    let status = text(&target["status"]);
    let since = ago(&target["since"], moment(&target["now"])).unwrap_or_default();
    let (id, painted) = (
        text(&target["id"]),
        screen.paint(Ink::of_name(&status), &status),
    );
    writeln!(
        out,
        "{} is {painted} for {since}",
        screen.paint(Ink::Strong, &id)
    )?;
    for (name, value) in facts(target) {
        writeln!(out, "  {name:<9} {value}")?;
    }
    writeln!(out)?;
    let signals = target["signals"].as_array().map_or(&[][..], Vec::as_slice);
    let rows: Vec<Vec<Cell>> = signals.iter().map(row).collect();
    table::print(out, screen, &COLUMNS, &rows)?;
    observers::print(out, screen, target)?;
    for signal in signals {
        let name = text(&signal["name"]);
        for (what, value) in evidence(signal) {
            writeln!(out, "{name}, {what}: {value}")?;
        }
    }
    Ok(())
}

fn facts(target: &Value) -> Vec<(&'static str, String)> {
    let mut facts = vec![("why", text(&target["why"])), ("heard", heard(target))];
    facts.extend(observers::facts(target));
    let changes = target["transitions"].as_u64().unwrap_or_default();
    let plural = if changes == 1 { "" } else { "s" };
    let score = target["flap_score"].as_f64().unwrap_or_default();
    let flapping = if target["flapping"] == true {
        ": flapping"
    } else {
        ""
    };
    facts.push((
        "changes",
        format!("{changes} change{plural} of status, flap score {score:.2}{flapping}"),
    ));
    if target["group"].is_string() {
        facts.push(("group", text(&target["group"])));
    }
    let labels: Vec<String> = target["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{}={}", printable(name), text(value)))
        .collect();
    if !labels.is_empty() {
        facts.push(("labels", labels.join(", ")));
    }
    let origin = &target["origin"];
    let defined = match (origin["kind"].as_str(), origin["line"].as_u64()) {
        (Some("file"), Some(line)) => format!("in line {line} of the settings file"),
        (Some("file"), None) => "in the settings file".into(),
        (Some("heartbeat"), _) => "by its own heartbeats".into(),
        (Some("api"), _) => "in the shared settings".into(),
        _ => return facts,
    };
    facts.push(("defined", defined));
    facts
}

fn row(signal: &Value) -> Vec<Cell> {
    let status = text(&signal["status"]);
    let threshold = |name: &str| {
        let threshold = signal["thresholds"][name].as_f64();
        threshold.map_or_else(String::new, |level| level.to_string())
    };
    let expected = &signal["expected"];
    let spread = |name: &str| span_ms(expected[name].as_f64().unwrap_or_default());
    let samples = expected["samples"].as_u64().unwrap_or_default();
    vec![
        Cell::new(text(&signal["name"])),
        Cell::new(text(&signal["source"])),
        Cell::inked(Ink::of_name(&status), &status),
        Cell::new(level(&signal["level"])),
        Cell::new(threshold("late")),
        Cell::new(threshold("down")),
        Cell::new(heard(signal)),
        Cell::new(match samples {
            0 => "not learnt yet".to_owned(),
            samples => format!(
                "every {} +- {} ({samples} intervals)",
                spread("mean_ms"),
                spread("std_deviation_ms")
            ),
        }),
    ]
}

/// What speaks for the status of a signal, beyond its row.
fn evidence(signal: &Value) -> Vec<(&'static str, String)> {
    let mut evidence = Vec::new();
    let intervals: Vec<String> = signal["recent_intervals_ms"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_f64)
        .take(INTERVALS_SHOWN)
        .map(span_ms)
        .collect();
    if !intervals.is_empty() {
        evidence.push(("last intervals", intervals.join(", ")));
    }
    let check = &signal["last_check"];
    if let Some(duration) = check["duration_ms"].as_f64() {
        let outcome = match (check["text"].as_str(), check["http_status"].as_u64()) {
            (Some(failure), _) => format!("failed after {duration:.1} ms: {}", printable(failure)),
            (None, Some(status)) => format!("status {status} after {duration:.1} ms"),
            (None, None) => format!("answered after {duration:.1} ms"),
        };
        evidence.push(("last check", outcome));
    }
    evidence
}

fn text(value: &Value) -> String {
    printable(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_target_is_told_with_its_evidence() {
        let target = json!({
            "id": "shop", "status": "down", "since": "2026-11-21T09:00:07.500Z",
            "now": "2026-11-21T09:00:10.000Z", "why": "nothing arrived for 8.0 s",
            "age_ms": 8000.25, "transitions": 1, "flapping": false, "flap_score": 0.1,
            "group": "web", "labels": { "team": "a\nb" },
            "origin": { "kind": "file", "line": 7 },
            "signals": [{
                "name": "http", "source": "http", "status": "down", "level": 17.25,
                "thresholds": { "late": 8.0, "down": 16.5 }, "age_ms": 8000.25,
                "expected": { "mean_ms": 1000.0, "std_deviation_ms": 500.0, "samples": 42 },
                "recent_intervals_ms": [1000.0, 999.5],
                "last_check": { "duration_ms": 0.31, "text": "connection refused" },
            }],
        });
        let expected = "\
shop is down for 2.5 s
  why       nothing arrived for 8.0 s
  heard     8.0 s ago
  changes   1 change of status, flap score 0.10
  group     web
  labels    team=a\u{fffd}b
  defined   in line 7 of the settings file

SIGNAL  SOURCE  STATUS  LEVEL  LATE  DOWN      HEARD  EXPECTED
http    http    down     17.2     8  16.5  8.0 s ago  every 1.0 s +- 500 ms (42 intervals)
http, last intervals: 1.0 s, 999 ms
http, last check: failed after 0.3 ms: connection refused
";
        let mut out = Vec::new();
        print(&mut out, Screen::PIPE, &target).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
