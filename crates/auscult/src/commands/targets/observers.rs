//! What each of several monitors sees of a target.

use std::io::{self, Write};

use serde_json::Value;

use crate::render::table::{self, Cell, Column};
use crate::render::time::span_ms;
use crate::render::{Ink, Screen, printable};

const COLUMNS: [Column; 5] = [
    Column::left("OBSERVER"),
    Column::left("SEES"),
    Column::right("LEVEL"),
    Column::right("FOR"),
    Column::left("HEARD"),
];

/// The verdict and who found it; nothing where one monitor observes alone.
pub(super) fn facts(target: &Value) -> Vec<(&'static str, String)> {
    let Some(verdict) = target["verdict"].as_str() else {
        return Vec::new();
    };
    let owner = printable(target["owner"].as_str().unwrap_or_default());
    let mut facts = vec![(
        "verdict",
        format!("{}, found by {owner}", printable(verdict).replace('_', " ")),
    )];
    if let Some(key) = target["ruling"]["key"].as_str() {
        facts.push(("key", printable(key)));
    }
    facts
}

/// One row for each observer; nothing where one monitor observes alone.
pub(super) fn print(out: &mut impl Write, screen: Screen, target: &Value) -> io::Result<()> {
    let observers = target["observers"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if observers.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows: Vec<Vec<Cell>> = observers.iter().map(row).collect();
    table::print(out, screen, &COLUMNS, &rows)?;
    for observer in observers {
        if let Some(why) = observer["why"].as_str() {
            let name = printable(observer["monitor"].as_str().unwrap_or_default());
            writeln!(out, "{name}: {}", printable(why))?;
        }
    }
    Ok(())
}

fn row(observer: &Value) -> Vec<Cell> {
    let text = |name: &str| printable(observer[name].as_str().unwrap_or_default());
    let span = |name: &str| observer[name].as_f64().map(span_ms);
    let status = match observer["status"].as_str() {
        Some(status) => Cell::inked(Ink::of_name(status), printable(status)),
        None => Cell::new("nothing yet"),
    };
    let heard = match (observer["isolated"] == true, observer["fresh"] == true) {
        (true, _) => "isolated: it does not count".to_owned(),
        (false, true) => "now".to_owned(),
        (false, false) => match span("age_ms") {
            Some(age) => format!("{age} ago: it does not count"),
            None => "never: it does not count".to_owned(),
        },
    };
    let level = observer["level"].as_f64();
    vec![
        Cell::new(text("monitor")),
        status,
        Cell::new(level.map_or_else(String::new, |level| format!("{level:.1}"))),
        Cell::new(span("since_ms").unwrap_or_default()),
        Cell::new(heard),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_observer_is_shown_with_what_it_sees() {
        let target = json!({
            "verdict": "partially_reachable", "owner": "m1",
            "ruling": { "key": "web#1.2.partially_reachable" },
            "observers": [
                { "monitor": "m1", "status": "up", "level": 0.25, "since_ms": 60000.0,
                  "age_ms": 0.0, "fresh": true, "isolated": false, "why": "beat is heard" },
                { "monitor": "m2", "status": "down", "level": 17.5, "since_ms": 2500.0,
                  "age_ms": 4000.0, "fresh": false, "isolated": false, "why": null },
                { "monitor": "m3", "status": null, "level": null, "since_ms": null,
                  "age_ms": null, "fresh": false, "isolated": false, "why": null },
            ],
        });
        let mut out = Vec::new();
        print(&mut out, Screen::PIPE, &target).unwrap();
        let expected = "
OBSERVER  SEES         LEVEL     FOR  HEARD
m1        up             0.2  1m 00s  now
m2        down          17.5   2.5 s  4.0 s ago: it does not count
m3        nothing yet                 never: it does not count
m1: beat is heard
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let verdict = "partially reachable, found by m1".to_owned();
        assert_eq!(facts(&target)[0], ("verdict", verdict));
    }
}
