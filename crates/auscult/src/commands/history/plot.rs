//! A target's past as a picture: its level over time, its status as a band, each transition as a
//! mark. SVG, written by hand: shapes and texts alone, nothing to load.

use std::fmt::Write as _;

use serde_json::Value;

use crate::render::time::moment;

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
/// Where the level is 0.
const GROUND: f64 = 270.0;
/// The band of statuses below it.
const BAND: f64 = 282.0;
const BAND_HEIGHT: f64 = 16.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#444}.t{font-size:16px;fill:#111}\
    .g{stroke:#ddd}.l{fill:none;stroke:#1f5fa8;stroke-width:1.5}.m{stroke:#1f5fa8;opacity:.25}\
    .up{fill:#3a9a5b}.late{fill:#e0a11b}.down{fill:#c8352b}.unknown{fill:#9aa3ad}\
    .paused{fill:#c9b6e4}.x{stroke:#c8352b;stroke-dasharray:3 3}";

/// Marks of transitions at most: more of them would be a wall.
const MARKS_MAX: usize = 400;

struct Plot<'a> {
    past: &'a Value,
    since: f64,
    until: f64,
    length: f64,
    level_max: f64,
    svg: String,
}

/// Draws what `GET /v1/targets/ID/history` answers.
pub(super) fn draw(past: &Value) -> String {
    let at = |name: &str| seconds(&past[name]).unwrap_or(0.0);
    let length = match past["resolution"].as_str() {
        Some("10s") => 10.0,
        Some("5m") => 300.0,
        Some(_) | None => 3_600.0,
    };
    let rows = past["rollups"].as_array().into_iter().flatten();
    let highest = rows
        .filter_map(|row| row["level_max"].as_f64())
        .fold(0.0, f64::max);
    let mut plot = Plot {
        past,
        since: at("since"),
        until: at("until").max(at("since") + 1.0),
        length,
        level_max: nice(highest.max(1.0)),
        svg: String::new(),
    };
    plot.frame();
    plot.band();
    plot.level();
    plot.marks();
    plot.legend();
    plot.svg.push_str("</svg>\n");
    plot.svg
}

impl Plot<'_> {
    fn put(&mut self, piece: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.svg, "{piece}");
    }

    fn x(&self, at: f64) -> f64 {
        let share = (at - self.since) / (self.until - self.since);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, level: f64) -> f64 {
        GROUND - (level / self.level_max).clamp(0.0, 1.0) * (GROUND - TOP)
    }

    fn rows(&self) -> impl Iterator<Item = (f64, &Value)> {
        let rows = self.past["rollups"].as_array().into_iter().flatten();
        rows.filter_map(|row| Some((seconds(&row["at"])?, row)))
    }

    fn frame(&mut self) {
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\"><style>{STYLE}</style>\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
        ));
        let target = escaped(self.past["target"].as_str().unwrap_or_default());
        let resolution = escaped(self.past["resolution"].as_str().unwrap_or_default());
        self.put(format_args!(
            "<text class=\"t\" x=\"{LEFT}\" y=\"24\">{target}</text>\
             <text x=\"{LEFT}\" y=\"41\">highest and mean level in each {resolution}</text>"
        ));
        for n in 0..=4 {
            let level = self.level_max * f64::from(n) / 4.0;
            let (y, right) = (self.y(level), WIDTH - RIGHT);
            self.put(format_args!(
                "<line class=\"g\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{level}</text>",
                LEFT - 8.0,
                y + 4.0
            ));
        }
        for n in 0..=4 {
            let at = self.since + (self.until - self.since) * f64::from(n) / 4.0;
            let anchor = match n {
                0 => "start",
                4 => "end",
                _ => "middle",
            };
            let (x, y, text) = (self.x(at), BAND + BAND_HEIGHT + 18.0, label(at));
            self.put(format_args!(
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
            ));
        }
    }

    /// The worst status of each roll-up.
    fn band(&mut self) {
        let mut pieces: Vec<(&str, f64, f64)> = Vec::new();
        for (at, row) in self.rows() {
            let worst = ["down", "late", "unknown", "up", "paused"];
            let there = |name: &&&str| row[format!("{name}_ms")].as_u64() > Some(0);
            let Some(status) = worst.iter().find(there) else {
                continue;
            };
            let end = at + self.length;
            match pieces.last_mut() {
                Some((before, _, until)) if before == status && *until >= at => *until = end,
                _ => pieces.push((status, at, end)),
            }
        }
        for (status, from, until) in pieces {
            let (x, end) = (self.x(from), self.x(until));
            let width = (end - x).max(0.5);
            self.put(format_args!(
                "<rect class=\"{status}\" x=\"{x:.1}\" y=\"{BAND}\" width=\"{width:.1}\" \
                 height=\"{BAND_HEIGHT}\"/>"
            ));
        }
    }

    /// The highest level as a line that breaks where nothing is known, and the mean as a shade.
    fn level(&mut self) {
        for (field, class) in [("level_mean", "m"), ("level_max", "l")] {
            let mut path = String::new();
            let mut before = f64::NEG_INFINITY;
            for (at, row) in self.rows() {
                let Some(level) = row[field].as_f64() else {
                    continue;
                };
                let (x, end, y) = (self.x(at), self.x(at + self.length), self.y(level));
                let step = if at - before > self.length * 1.5 {
                    'M'
                } else {
                    'L'
                };
                before = at;
                let _ = match class {
                    "m" => write!(path, "M{x:.1} {GROUND}V{y:.1}"),
                    _ => write!(path, "{step}{x:.1} {y:.1}H{end:.1}"),
                };
            }
            self.put(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }

    fn marks(&mut self) {
        let list = self.past["transitions"].as_array();
        let list = list.map_or(&[] as &[Value], Vec::as_slice);
        let kept = |row: &&Value| row["kind"] != "removed" && row["to"] != row["from"];
        let marks: Vec<(f64, String, String)> = list
            .iter()
            .filter(kept)
            .rev()
            .take(MARKS_MAX)
            .filter_map(|row| {
                let text = row["text"].as_str().unwrap_or_default();
                let to = row["to"].as_str()?.to_owned();
                Some((seconds(&row["at"])?, to, escaped(text)))
            })
            .collect();
        for (at, to, text) in marks {
            let x = self.x(at);
            let tip = TOP - 2.0;
            if to == "down" {
                self.put(format_args!(
                    "<line class=\"x\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BAND}\"/>"
                ));
            }
            self.put(format_args!(
                "<path class=\"{}\" d=\"M{x:.1} {tip}l-4 -7h8z\"><title>{text}</title></path>",
                escaped(&to)
            ));
        }
    }

    fn legend(&mut self) {
        let mut x = LEFT;
        let y = HEIGHT - 18.0;
        for status in ["up", "late", "down", "unknown", "paused"] {
            self.put(format_args!(
                "<rect class=\"{status}\" x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\"/>\
                 <text x=\"{}\" y=\"{}\">{status}</text>",
                x + 17.0,
                y + 10.5
            ));
            x += 90.0;
        }
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{}\">a triangle is a transition; a dashed line, one to down</text>",
            y + 10.5
        ));
    }
}

fn seconds(at: &Value) -> Option<f64> {
    Some(moment(at)?.as_millisecond() as f64 / 1_000.0)
}

/// The next number that people count in: 1, 2 or 5 and zeros.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

fn label(at: f64) -> String {
    let moment = jiff::Timestamp::from_second(at as i64).unwrap_or(jiff::Timestamp::MAX);
    let text = moment.to_string();
    // 2026-11-21T09:15:00Z, without the seconds.
    text.get(..16)
        .map_or(text.clone(), |short| short.replace('T', " "))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_cannot_leave_its_place_in_the_picture() {
        let past = json!({
            "target": "<script>", "resolution": "10s",
            "since": "2026-11-21T09:00:00Z", "until": "2026-11-21T10:00:00Z",
            "rollups": [{ "at": "2026-11-21T09:00:10Z", "up_ms": 10_000, "level_max": 0.4,
                "level_mean": 0.2 }],
            "transitions": [{ "at": "2026-11-21T09:00:10Z", "kind": "transition", "from": "up",
                "to": "down", "text": "a < \"b\"" }],
        });
        let svg = draw(&past);
        assert!(
            svg.contains("&lt;script&gt;") && !svg.contains("<script"),
            "{svg}"
        );
        assert!(svg.contains("a &lt; &quot;b&quot;"));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn an_empty_past_is_an_empty_picture() {
        let svg = draw(&json!({ "target": "web" }));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
