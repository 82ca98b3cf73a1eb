//! A target's past as a picture: its level over time, its status as a band, outages and each
//! transition as marks, and below it how long checks took. It is light or dark, as whoever looks
//! has it. SVG, written by hand: shapes and texts alone, nothing to load.
//!
//! A level is far below 1 while all is well, a few at the thresholds, and hundreds in an outage: so
//! the axis is that of the logarithm, unless nothing was ever high.

mod axis;

use std::fmt::Write as _;

use serde_json::Value;

use self::axis::{Axis, moments, whole_label};
use super::length_seconds;
use crate::render::time::moment;

const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 88.0;
const TOP: f64 = 56.0;
/// Where the axis begins.
const GROUND: f64 = 276.0;
/// The band of statuses below it.
const BAND: f64 = 286.0;
const BAND_HEIGHT: f64 = 24.0;
/// Where times are written.
const TIMES: f64 = BAND + BAND_HEIGHT + 18.0;
/// The panel of response times, where there are any.
const PANEL: f64 = TIMES + 46.0;
const PANEL_HEIGHT: f64 = 84.0;
/// From one line of text to the next.
const LINE_HEIGHT: f64 = 14.0;
/// What the legend needs below everything else.
const LEGEND: f64 = 52.0;

const STYLE: &str = ".b{fill:#fff}text{font:12px system-ui,sans-serif;fill:#444}\
    .t{font-size:16px;font-weight:600;fill:#111}.g{stroke:#e4e4e4}.l{fill:none;stroke:#1f5fa8;stroke-width:1.5}\
    .m{fill:none;stroke:#7fa8d6;stroke-width:1}.up{fill:#3a9a5b}.late{fill:#e0a11b}\
    .down{fill:#c8352b}.unknown{fill:#9aa3ad}.paused{fill:#c9b6e4}\
    .o{fill:#c8352b;opacity:.12}.h{stroke-dasharray:6 4;fill:none}\
    .late.h{stroke:#b57e0c}.down.h{stroke:#c8352b}.n{fill:#888;font-size:14px}\
    @media(prefers-color-scheme:dark){.b{fill:#15181d}text{fill:#b4bac3}.t{fill:#f1f3f5}\
    .g{stroke:#2d333b}.l{stroke:#7ab4f5}.m{stroke:#5f8cc4}.up{fill:#4cb071}.late{fill:#e8b13c}\
    .down{fill:#e5534b}.unknown{fill:#636c76}.paused{fill:#8c76b0}.o{fill:#e5534b;opacity:.18}\
    .h{fill:none}.late.h{stroke:#e8b13c}.down.h{stroke:#e5534b}}";

/// Marks of transitions at most: more of them would be a wall.
const MARKS_MAX: usize = 400;

/// Statuses in the band, from its upper edge to its lower one.
const STATUSES: [&str; 5] = ["up", "paused", "unknown", "late", "down"];

struct Plot<'a> {
    past: &'a Value,
    since: f64,
    until: f64,
    length: f64,
    axis: Axis,
    /// Of response times in milliseconds, where there are any.
    times: Option<Axis>,
    svg: String,
}

/// Draws what `GET /v1/targets/ID/history` answers, with the thresholds of the target where it has
/// some.
pub(super) fn draw(past: &Value, thresholds: &Value) -> String {
    let at = |name: &str| seconds(&past[name]).unwrap_or(0.0);
    let rows = past["rollups"].as_array().into_iter().flatten();
    let highest = rows
        .filter_map(|row| row["level_max"].as_f64())
        .fold(0.0, f64::max);
    let marks = ["late", "down"].map(|name| thresholds[name].as_f64().unwrap_or(0.0));
    let mut plot = Plot {
        past,
        since: at("since"),
        until: at("until").max(at("since") + 1.0),
        length: length_seconds(past) as f64,
        axis: Axis::reaching(marks.into_iter().fold(highest, f64::max)),
        times: of_times(past),
        svg: String::new(),
    };
    plot.frame();
    plot.outages();
    plot.thresholds(marks);
    plot.band();
    plot.level();
    plot.marks();
    plot.response_times();
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
        GROUND - self.axis.share(level) * (GROUND - TOP)
    }

    fn rows(&self) -> impl Iterator<Item = (f64, &Value)> {
        let rows = self.past["rollups"].as_array().into_iter().flatten();
        rows.filter_map(|row| Some((seconds(&row["at"])?, row)))
    }

    fn transitions(&self) -> &[Value] {
        let list = self.past["transitions"].as_array();
        list.map_or(&[], Vec::as_slice)
    }

    /// Where the picture ends.
    fn height(&self) -> f64 {
        let panel = self.times.map_or(TIMES, |_| PANEL + PANEL_HEIGHT);
        panel + LEGEND
    }

    fn frame(&mut self) {
        let height = self.height();
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\"><style>{STYLE}</style>\
             <rect class=\"b\" width=\"100%\" height=\"100%\"/>"
        ));
        let target = escaped(self.past["target"].as_str().unwrap_or_default());
        let resolution = escaped(self.past["resolution"].as_str().unwrap_or_default());
        let scale = self.axis.name();
        self.put(format_args!(
            "<text class=\"t\" x=\"{LEFT}\" y=\"22\">{target}</text>\
             <text x=\"{LEFT}\" y=\"39\">level of suspicion: highest (thick) and mean in each \
             {resolution}, {scale}</text>"
        ));
        for level in self.axis.ticks() {
            let (y, right) = (self.y(level), WIDTH - RIGHT);
            self.put(format_args!(
                "<line class=\"g\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{level}</text>",
                LEFT - 8.0,
                y + 4.0
            ));
        }
        self.moments();
        if self.rows().next().is_none() && self.transitions().is_empty() {
            let (x, y) = (
                f64::midpoint(LEFT, WIDTH - RIGHT),
                f64::midpoint(TOP, GROUND),
            );
            self.put(format_args!(
                "<text class=\"n\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">nothing is kept \
                 of this time</text>"
            ));
        }
    }

    /// Times below the band, and the whole span at the top.
    fn moments(&mut self) {
        let [from, to] = [self.since, self.until].map(whole_label);
        self.put(format_args!(
            "<text x=\"{}\" y=\"39\" text-anchor=\"end\">{from} to {to} UTC</text>",
            WIDTH - RIGHT
        ));
        let bottom = BAND + BAND_HEIGHT;
        for (at, text) in moments(self.since, self.until) {
            let x = self.x(at);
            self.put(format_args!(
                "<path class=\"g\" d=\"M{x:.1} {bottom}v5\"/>\
                 <text x=\"{x:.1}\" y=\"{TIMES:.1}\" text-anchor=\"middle\">{text}</text>"
            ));
        }
    }

    /// The times in which it was down, behind everything else. One that nobody saw the end of ends
    /// with what is known.
    fn outages(&mut self) {
        let mut spans = Vec::new();
        let mut began = None;
        for row in self.transitions() {
            let Some(at) = seconds(&row["at"]) else {
                continue;
            };
            match (row["to"].as_str(), began) {
                (Some("down"), None) => began = Some(at),
                (Some("down"), Some(_)) => {}
                (_, Some(from)) => {
                    spans.push((from, at));
                    began = None;
                }
                (_, None) if row["from"] == "down" => spans.push((self.since, at)),
                (_, None) => {}
            }
        }
        if let Some(from) = began {
            spans.push((from, self.until));
        }
        for (from, to) in spans {
            for (from, to) in self.known(from, to) {
                let (x, end) = (self.x(from), self.x(to));
                let (width, height) = ((end - x).max(1.5), BAND - TOP);
                self.put(format_args!(
                    "<rect class=\"o\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" \
                     height=\"{height}\"/>"
                ));
            }
        }
    }

    /// The parts of a span of which something is kept, and the time since the last roll-up ended.
    fn known(&self, from: f64, to: f64) -> Vec<(f64, f64)> {
        let mut parts: Vec<(f64, f64)> = Vec::new();
        for (at, _) in self.rows() {
            match parts.last_mut() {
                Some((_, end)) if at - *end < self.length / 2.0 => *end = at + self.length,
                _ => parts.push((at, at + self.length)),
            }
        }
        if let Some((_, end)) = parts.last_mut()
            && self.until - *end < self.length * 1.5
        {
            *end = self.until;
        }
        let cut = parts.iter().map(|(a, b)| (a.max(from), b.min(to)));
        cut.filter(|(a, b)| b > a).collect()
    }

    fn thresholds(&mut self, [late, down]: [f64; 2]) {
        // Names of lines that are near each other stand apart.
        let near = (LINE_HEIGHT - (self.y(late) - self.y(down))).max(0.0) / 2.0;
        for (name, level, shift) in [("late", late, near), ("down", down, -near)] {
            if level <= 0.0 || (name == "late" && level >= down) {
                continue;
            }
            let shift = if late > 0.0 && late < down {
                shift
            } else {
                0.0
            };
            let (y, right) = (self.y(level), WIDTH - RIGHT);
            self.put(format_args!(
                "<path class=\"{name} h\" d=\"M{LEFT} {y:.1}H{right}\"/>\
                 <text x=\"{}\" y=\"{:.1}\">{name} {level}</text>",
                right + 6.0,
                y + shift + 4.0
            ));
        }
    }

    /// Each roll-up as a column that is divided as its time was.
    fn band(&mut self) {
        // Neighbours that are alike are one piece.
        let mut pieces: Vec<([u64; STATUSES.len()], f64, f64)> = Vec::new();
        for (at, row) in self.rows() {
            let spans = STATUSES.map(|name| row[format!("{name}_ms")].as_u64().unwrap_or(0));
            let whole = spans.iter().sum::<u64>();
            if whole == 0 {
                continue;
            }
            let shares = spans.map(|span| span * 1_000 / whole);
            let end = at + self.length;
            match pieces.last_mut() {
                Some((before, _, until)) if *before == shares && *until >= at => *until = end,
                _ => pieces.push((shares, at, end)),
            }
        }
        for (shares, from, until) in pieces {
            let (x, end) = (self.x(from), self.x(until));
            let width = (end - x).max(0.5);
            let mut y = BAND;
            for (status, share) in STATUSES.into_iter().zip(shares) {
                if share == 0 {
                    continue;
                }
                let height = share as f64 * BAND_HEIGHT / 1_000.0;
                // What is short is to be seen all the same.
                let shown = height.max(2.0);
                let top = y.min(BAND + BAND_HEIGHT - shown);
                self.put(format_args!(
                    "<rect class=\"{status}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                     height=\"{shown:.1}\"/>"
                ));
                y += height;
            }
        }
    }

    fn level(&mut self) {
        self.line("level_mean", "m", |plot, level| plot.y(level));
        self.line("level_max", "l", |plot, level| plot.y(level));
    }

    /// How long checks took, below everything else.
    fn response_times(&mut self) {
        let Some(axis) = self.times else {
            return;
        };
        let bottom = PANEL + PANEL_HEIGHT;
        self.put(format_args!(
            "<text x=\"{LEFT}\" y=\"{}\">response time of checks in milliseconds: longest \
             (thick) and mean, {}</text>",
            PANEL - 10.0,
            axis.name()
        ));
        for time in axis.ticks().into_iter().step_by(2) {
            let (y, right) = (bottom - axis.share(time) * PANEL_HEIGHT, WIDTH - RIGHT);
            self.put(format_args!(
                "<line class=\"g\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{time}</text>",
                LEFT - 8.0,
                y + 4.0
            ));
        }
        let height = move |_: &Self, time: f64| bottom - axis.share(time) * PANEL_HEIGHT;
        self.line("latency_mean_ms", "m", height);
        self.line("latency_max_ms", "l", height);
    }

    /// A figure of the roll-ups as a line that breaks where nothing is known.
    fn line(&mut self, field: &str, class: &str, height: impl Fn(&Self, f64) -> f64) {
        let mut path = String::new();
        let mut before = f64::NEG_INFINITY;
        for (at, row) in self.rows() {
            let Some(value) = row[field].as_f64() else {
                continue;
            };
            let (x, end) = (self.x(at), self.x(at + self.length));
            let y = height(self, value);
            let step = if at - before > self.length * 1.5 {
                'M'
            } else {
                'L'
            };
            before = at;
            let _ = write!(path, "{step}{x:.1} {y:.1}H{end:.1}");
        }
        self.put(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    fn marks(&mut self) {
        let kept = |row: &&Value| row["kind"] != "removed" && row["to"] != row["from"];
        let mut marks: Vec<(f64, String, String)> = self
            .transitions()
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
        // What is worse is not hidden behind what is better.
        marks.sort_by_key(|(_, to, _)| STATUSES.iter().position(|status| status == to));
        let tip = TOP - 2.0;
        for (at, to, text) in marks {
            let x = self.x(at);
            self.put(format_args!(
                "<path class=\"{}\" d=\"M{x:.1} {tip}l-4 -7h8z\"><title>{text}</title></path>",
                escaped(&to)
            ));
        }
    }

    fn legend(&mut self) {
        let mut x = LEFT;
        let y = self.height() - 24.0;
        for status in ["up", "late", "down", "unknown", "paused"] {
            self.put(format_args!(
                "<rect class=\"{status}\" x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\"/>\
                 <text x=\"{}\" y=\"{}\">{status}</text>",
                x + 17.0,
                y + 10.5
            ));
            x += 84.0;
        }
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{}\">a triangle is a transition; red behind the level, an \
             outage; no band, nothing is known</text>",
            y + 10.5
        ));
    }
}

/// The axis of response times, if anything was answered. Some long answers among many short ones
/// would make a linear one show nothing but themselves.
fn of_times(past: &Value) -> Option<Axis> {
    let rows = || past["rollups"].as_array().into_iter().flatten();
    let longest = rows().filter_map(|row| row["latency_max_ms"].as_f64());
    let longest = longest.reduce(f64::max)?;
    let means = rows().filter_map(|row| row["latency_mean_ms"].as_f64());
    let mut means: Vec<f64> = means.collect();
    means.sort_by(f64::total_cmp);
    let median = means.get(means.len() / 2).copied().unwrap_or(longest);
    match longest > 20.0 * median {
        true => Some(Axis::reaching(longest)),
        false => Some(Axis::linear(longest)),
    }
}

fn seconds(at: &Value) -> Option<f64> {
    Some(moment(at)?.as_millisecond() as f64 / 1_000.0)
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

    fn outage() -> Value {
        json!({
            "target": "<script>", "resolution": "10s",
            "since": "2026-11-21T09:00:00Z", "until": "2026-11-21T09:01:00Z",
            "rollups": [
                { "at": "2026-11-21T09:00:10Z", "up_ms": 6_000, "down_ms": 4_000,
                    "level_max": 400.0, "level_mean": 0.2 },
                { "at": "2026-11-21T09:00:40Z", "up_ms": 10_000, "level_max": 0.4 },
            ],
            "transitions": [{ "at": "2026-11-21T09:00:16Z", "kind": "transition", "from": "up",
                "to": "down", "text": "a < \"b\"" }],
        })
    }

    fn is_whole(svg: &str) {
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_picture() {
        let svg = draw(&outage(), &json!({ "late": 8.0, "down": 16.0 }));
        let safe = svg.contains("&lt;script&gt;") && !svg.contains("<script");
        assert!(safe, "{svg}");
        assert!(svg.contains("a &lt; &quot;b&quot;"));
        is_whole(&svg);
    }

    #[test]
    fn an_outage_is_shaded_where_something_is_known_and_the_band_is_divided_by_time() {
        let svg = draw(&outage(), &json!({ "late": 8.0, "down": 16.0 }));
        let shades: Vec<&str> = svg
            .lines()
            .filter(|it| it.contains("class=\"o\""))
            .collect();
        // From the 16th to the 20th second, and from the 40th to the 50th.
        assert_eq!(shades.len(), 2, "{svg}");
        let scale = (WIDTH - LEFT - RIGHT) / 60.0;
        let expected = format!("x=\"{:.1}\"", LEFT + 16.0 * scale);
        assert!(shades[0].contains(&expected), "{shades:?}");
        let shown = BAND_HEIGHT * 0.4;
        assert!(svg.contains(&format!("height=\"{shown:.1}\"")), "{svg}");
        for text in ["late 8", "down 16", "logarithmic", ">100<", ">0.1<"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }

    #[test]
    fn a_past_without_high_levels_has_an_axis_from_nothing_on() {
        let mut past = outage();
        past["rollups"][0]["level_max"] = json!(1.2);
        let svg = draw(&past, &json!({ "late": 1.0, "down": 2.0 }));
        assert!(svg.contains("linear") && svg.contains(">0.5<"), "{svg}");
        is_whole(&svg);
    }

    /// A target that is checked has a second panel, and one that sends heartbeats has none.
    #[test]
    fn response_times_have_a_panel_of_their_own() {
        let pushed = draw(&outage(), &Value::Null);
        assert!(!pushed.contains("milliseconds"), "{pushed}");
        let mut past = outage();
        past["rollups"][1]["latency_max_ms"] = json!(182.5);
        past["rollups"][1]["latency_mean_ms"] = json!(12.25);
        let checked = draw(&past, &Value::Null);
        for text in [
            "milliseconds",
            ">200<",
            ">100<",
            "prefers-color-scheme:dark",
        ] {
            assert!(checked.contains(text), "{text}: {checked}");
        }
        is_whole(&checked);
        assert!(checked.contains("mean, linear"), "{checked}");
        // A check that hung does not hide how the others were.
        past["rollups"][0]["latency_max_ms"] = json!(3_000.0);
        past["rollups"][0]["latency_mean_ms"] = json!(3_000.0);
        let other = past["rollups"][1].clone();
        past["rollups"].as_array_mut().unwrap().push(other);
        let hung = draw(&past, &Value::Null);
        assert!(hung.contains("mean, logarithmic"), "{hung}");
        past["rollups"][1]["latency_max_ms"] = json!(1e300);
        is_whole(&draw(&past, &Value::Null));
    }

    #[test]
    fn an_empty_past_says_that_it_is_one() {
        for past in [
            json!({ "target": "web" }),
            json!({ "target": "web", "rollups": [], "transitions": [] }),
        ] {
            let svg = draw(&past, &Value::Null);
            assert!(svg.contains("nothing is kept"), "{svg}");
            is_whole(&svg);
        }
    }
}
