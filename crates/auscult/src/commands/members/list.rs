//! `auscult members`: one line per member.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::Value;

use crate::render::Ink;
use crate::render::Screen;
use crate::render::table::{self, Cell, Column};
use crate::render::time::{ago, moment, span_ms};

const COLUMNS: [Column; 7] = [
    Column::left("MEMBER"),
    Column::left("STATE"),
    Column::right("FOR"),
    Column::left("ADDRESS"),
    Column::right("HEARD"),
    Column::right("RTT"),
    Column::left("NOTE"),
];

/// Prints what `GET /v1/members` answers.
pub(super) fn print(out: &mut dyn Write, screen: Screen, answer: &Value) -> io::Result<()> {
    let now = moment(&answer["now"]);
    let members = answer["members"].as_array().map_or(&[][..], Vec::as_slice);
    if members.is_empty() {
        return writeln!(out, "no members");
    }
    let rows: Vec<Vec<Cell>> = members.iter().map(|member| row(member, now)).collect();
    table::print(&mut &mut *out, screen, &COLUMNS, &rows)
}

fn row(member: &Value, now: Option<Timestamp>) -> Vec<Cell> {
    let text = |name: &str| member[name].as_str().unwrap_or_default();
    let state = text("state");
    let is_me = member["me"] == true;
    let heard = match member["age_ms"].as_f64() {
        _ if is_me => String::new(),
        Some(age) => span_ms(age) + " ago",
        None => "never".into(),
    };
    vec![
        Cell::new(text("name")),
        Cell::inked(ink(state), state),
        Cell::new(ago(&member["since"], now).unwrap_or_default()),
        Cell::new(text("address")),
        Cell::new(heard),
        Cell::new(round_trip(member).unwrap_or_default()),
        Cell::inked(Ink::Quiet, note(member)),
    ]
}

/// The colour of a state.
pub(super) fn ink(state: &str) -> Ink {
    match state {
        "alive" => Ink::Good,
        "suspect" => Ink::Warning,
        "dead" => Ink::Bad,
        "left" => Ink::Quiet,
        _ => Ink::Plain,
    }
}

/// What a round trip takes: with a digit behind the point below 10 ms.
pub(super) fn round_trip(of: &Value) -> Option<String> {
    let millis = of["rtt_ms"].as_f64()?;
    Some(match millis {
        millis if millis < 10.0 => format!("{millis:.1} ms"),
        millis => format!("{millis:.0} ms"),
    })
}

/// What is worth saying besides.
fn note(member: &Value) -> String {
    let mut notes = Vec::new();
    if member["me"] == true {
        notes.push("this agent".to_owned());
    }
    if member["watched"] == true {
        notes.push("watched".into());
    }
    let suspicion = &member["suspicion"];
    if let Some(left) = suspicion["left_ms"].as_f64() {
        let accusers = names(&suspicion["accusers"]);
        let (agree, needed) = (&suspicion["confirmations"], &suspicion["needed"]);
        notes.push(format!(
            "dead in {} unless it contradicts; accused by {accusers}; {agree} of {needed} agree",
            span_ms(left)
        ));
    }
    let blocked = |direction: &str| member["link"][direction] == "blocked";
    match (blocked("hears"), blocked("heard")) {
        (true, true) => notes.push("neither hears the other".into()),
        (true, false) => notes.push("not heard from here".into()),
        (false, true) => notes.push("does not hear us".into()),
        (false, false) => {}
    }
    notes.join("; ")
}

/// A list of names in words.
pub(super) fn names(list: &Value) -> String {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let name = |one: &Value| {
        let known = one["name"].as_str().or_else(|| one["id"].as_str());
        known.or_else(|| one.as_str()).map(str::to_owned)
    };
    let names: Vec<String> = list.iter().filter_map(name).collect();
    match names.as_slice() {
        [] => "nobody known here".into(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_says_who_is_well_and_what_becomes_of_the_others() {
        let answer = json!({
            "now": "2026-11-21T09:00:10.000Z",
            "members": [
                {
                    "name": "web-1", "me": true, "state": "alive", "address": "127.0.0.1:7946",
                    "since": "2026-11-21T09:00:00.000Z", "age_ms": null, "rtt_ms": null,
                    "link": { "hears": "unknown", "heard": "unknown" },
                },
                {
                    "name": "web-2", "me": false, "state": "suspect", "address": "127.0.0.1:7947",
                    "since": "2026-11-21T09:00:09.000Z", "age_ms": 3100.0, "rtt_ms": 0.31,
                    "link": { "hears": "passes", "heard": "blocked" },
                    "suspicion": {
                        "left_ms": 2400.0, "confirmations": 1, "needed": 3,
                        "accusers": [{ "id": "7", "name": "web-3" }, { "id": "9", "name": null }],
                    },
                },
            ],
        });
        let expected = "\
MEMBER  STATE      FOR  ADDRESS            HEARD     RTT  NOTE
web-1   alive     10 s  127.0.0.1:7946                    this agent
web-2   suspect  1.0 s  127.0.0.1:7947  3.1 s ago  0.3 ms  dead in 2.4 s unless it contradicts; \
            accused by web-3, 9; 1 of 3 agree; does not hear us
";
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&printed(&answer)), squeeze(expected));
        assert_eq!(printed(&json!({ "members": [] })), "no members\n");
    }

    fn printed(answer: &Value) -> String {
        let mut out = Vec::new();
        print(&mut out, Screen::PIPE, answer).unwrap();
        String::from_utf8(out).unwrap()
    }
}
