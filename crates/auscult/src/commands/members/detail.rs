//! `auscult members get`: everything that one agent knows of a member.

use std::io::{self, Write};

use serde_json::Value;

use super::list::{ink, names, round_trip};
use crate::render::time::{ago, moment, span_ms};
use crate::render::{Screen, printable};

/// Prints what `GET /v1/members/{name}` answers.
pub(super) fn print(out: &mut dyn Write, screen: Screen, member: &Value) -> io::Result<()> {
    let text = |name: &str| printable(member[name].as_str().unwrap_or_default());
    let now = moment(&member["now"]);
    let state = text("state");
    let since = ago(&member["since"], now).unwrap_or_default();
    let painted = screen.paint(ink(&state), &state);
    writeln!(out, "{} is {painted} for {since}", text("name"))?;
    let mut line = |title: &str, value: Option<String>| match value {
        Some(value) => writeln!(out, "  {title:<12} {value}"),
        None => Ok(()),
    };
    line("address", Some(text("address")))?;
    line("id", Some(text("id")))?;
    line("incarnation", Some(member["incarnation"].to_string()))?;
    let heard = member["age_ms"].as_f64();
    line("heard", heard.map(|age| span_ms(age) + " ago"))?;
    line("round trip", round_trip(member))?;
    if member["me"] != true {
        let link = &member["link"];
        let direction = |name: &str| link[name].as_str().unwrap_or("unknown").to_owned();
        line("from it", Some(direction("hears")))?;
        line("to it", Some(direction("heard")))?;
    }
    line("level", member["level"].as_f64().map(|l| format!("{l:.1}")))?;
    let watched = (member["watched"] == true).then(|| "by direct heartbeats".to_owned());
    line("watched", watched)?;
    let suspicion = &member["suspicion"];
    if suspicion.is_object() {
        line("accused by", Some(names(&suspicion["accusers"])))?;
        let left = suspicion["left_ms"].as_f64().map(span_ms);
        line("time left", left)?;
        let arithmetic = suspicion["arithmetic"].as_str().map(printable);
        line("because", arithmetic)?;
    }
    // The case was closed with the verdict, and is kept among the events.
    let case = (state == "dead").then(|| format!("auscult events --member {}", text("name")));
    line("why", case)?;
    for (key, value) in member["metadata"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), printable);
        line("metadata", Some(format!("{} = {value}", printable(key))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_suspect_is_shown_with_its_case() {
        let member = json!({
            "now": "2026-11-21T09:00:10.000Z", "since": "2026-11-21T09:00:08.000Z",
            "name": "b", "state": "suspect", "address": "127.0.0.1:9", "id": "00ff",
            "incarnation": 7, "me": false, "age_ms": 2500.0, "rtt_ms": 12.3,
            "link": { "hears": "passes", "heard": "unknown" }, "watched": false,
            "metadata": { "role": "db" },
            "suspicion": {
                "accusers": [{ "id": "1", "name": "c" }], "left_ms": 900.0,
                "arithmetic": "3.0 s for 0 of 1 who agree",
            },
        });
        let mut out = Vec::new();
        print(&mut out, Screen::PIPE, &member).unwrap();
        let expected = "\
b is suspect for 2.0 s
  address      127.0.0.1:9
  id           00ff
  incarnation  7
  heard        2.5 s ago
  round trip   12 ms
  from it      passes
  to it        unknown
  accused by   c
  time left    900 ms
  because      3.0 s for 0 of 1 who agree
  metadata     role = db
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
