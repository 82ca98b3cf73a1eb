//! `auscult targets list`: one line per target, worst first.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::Value;

use crate::render::table::{self, Cell, Column};
use crate::render::time::{ago, moment, span_ms};
use crate::render::{Ink, Screen};

const COLUMNS: [Column; 6] = [
    Column::left("TARGET"),
    Column::left("STATUS"),
    Column::right("FOR"),
    Column::right("LEVEL"),
    Column::right("HEARD"),
    Column::left("WHY"),
];

/// Prints what `GET /v1/targets` answers.
pub(super) fn print(out: &mut impl Write, screen: Screen, list: &Value) -> io::Result<()> {
    let now = moment(&list["now"]);
    let targets = list["targets"].as_array().map_or(&[][..], Vec::as_slice);
    if targets.is_empty() {
        return writeln!(out, "no targets");
    }
    let rows: Vec<Vec<Cell>> = targets.iter().map(|target| row(target, now)).collect();
    table::print(out, screen, &COLUMNS, &rows)
}

fn row(target: &Value, now: Option<Timestamp>) -> Vec<Cell> {
    let text = |name: &str| target[name].as_str().unwrap_or_default();
    let status = text("status");
    let mut why = text("why").to_owned();
    if target["flapping"] == true {
        why = "flapping; ".to_owned() + &why;
    }
    vec![
        Cell::new(text("id")),
        Cell::inked(Ink::of_name(status), status),
        Cell::new(ago(&target["since"], now).unwrap_or_default()),
        Cell::new(level(&target["level"])),
        Cell::new(heard(target)),
        Cell::inked(Ink::Quiet, why),
    ]
}

/// How long ago the last arrival was.
pub(super) fn heard(of: &Value) -> String {
    match of["age_ms"].as_f64() {
        Some(age) => span_ms(age) + " ago",
        None => "never".into(),
    }
}

/// A level with the precision that matters: whole from 100 on.
pub(super) fn level(level: &Value) -> String {
    match level.as_f64() {
        Some(level) if level >= 100.0 => format!("{level:.0}"),
        Some(level) => format!("{level:.1}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_reads_well_in_a_pipe() {
        let list = json!({
            "now": "2026-11-21T09:00:10.000Z",
            "targets": [
                {
                    "id": "server6", "status": "down", "since": "2026-11-21T09:00:07.500Z",
                    "level": 123.4, "age_ms": 8000.25,
                    "why": "nothing arrived for 5.5 s", "flapping": true,
                },
                {
                    "id": "db", "status": "unknown", "since": "2026-11-21T08:00:00.000Z",
                    "level": 0.04, "age_ms": null, "why": "",
                },
            ],
        });
        let expected = "\
TARGET   STATUS      FOR  LEVEL      HEARD  WHY
server6  down      2.5 s    123  8.0 s ago  flapping; nothing arrived for 5.5 s
db       unknown  1h 00m    0.0      never
";
        assert_eq!(printed(&list), expected);
        assert_eq!(printed(&json!({ "targets": [] })), "no targets\n");
    }

    fn printed(list: &Value) -> String {
        let mut out = Vec::new();
        print(&mut out, Screen::PIPE, list).unwrap();
        String::from_utf8(out).unwrap()
    }
}
