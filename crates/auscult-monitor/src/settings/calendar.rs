//! Maintenance windows: `maintenance`.

use std::time::Duration;

use auscult_core::alert::Matcher;
use auscult_core::id::SilenceName;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::report::Report;
use super::section::Section;

/// Days after which every window has opened once.
const DAYS: i64 = 8;

/// A window that opens on certain days.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The name of its silence.
    pub name: SilenceName,
    /// For which alerts it is.
    pub matchers: Vec<Matcher>,
    /// On which days it opens; none: on all.
    pub days: Vec<Weekday>,
    /// When.
    pub at: Time,
    /// How long it is open; a week at most.
    pub open: Duration,
    /// The time zone of its clock.
    pub timezone: TimeZone,
    /// Why.
    pub comment: Box<str>,
}

impl Window {
    pub(super) fn read(report: &mut Report<'_>, section: &Section) -> Option<Self> {
        let mut matchers = Vec::new();
        for text in section.names("matchers") {
            match Matcher::parse(text) {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => report.value(section.at("matchers"), error.to_string(), None),
            }
        }
        if section.says("matchers") && section.names("matchers").is_empty() {
            let message = "without a matcher it would hold for everything".to_owned();
            report.value(section.at("matchers"), message, None);
        }
        let mut days = Vec::new();
        for word in section.names("days") {
            match weekday(word) {
                Some(day) => days.push(day),
                None => {
                    let message = format!("`{word}` is no day");
                    let hint = "the days are mon, tue, wed, thu, fri, sat and sun".to_owned();
                    report.value(section.at("days"), message, Some(hint));
                }
            }
        }
        let at = section.text("at").and_then(|text| {
            let at = clock_time(&text);
            if at.is_none() {
                let message = format!("`{text}` is no time of the day");
                report.value(section.at("at"), message, Some("write `02:30`".to_owned()));
            }
            at
        });
        let zone = section.text("timezone").unwrap_or_default();
        let timezone = match TimeZone::get(&zone) {
            Ok(timezone) => Some(timezone),
            Err(_) if &*zone == "UTC" => Some(TimeZone::UTC),
            Err(_) => {
                let message = format!("there is no time zone `{zone}` on this host");
                report.value(section.at("timezone"), message, None);
                None
            }
        };
        let name = format!("maintenance/{}", section.text("name")?);
        Some(Self {
            name: SilenceName::new(&name).ok()?,
            matchers,
            days,
            at: at?,
            open: section.duration("for")?,
            timezone: timezone?,
            comment: section.text("comment").unwrap_or_default(),
        })
    }

    /// From when until when it is open, now or the next time. Where its clock shows its time twice
    /// on a day, the first one counts, and where it never does, what comes after it. Where it opens
    /// again when it closes, as on both days of a weekend, that is one span.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let today = now.to_zoned(self.timezone.clone()).date();
        // One that lasts a week may have opened a week ago.
        let dates = (-DAYS..=DAYS).filter_map(|days| today.checked_add(days.days()).ok());
        let fits = |day: &Weekday| self.days.is_empty() || self.days.contains(day);
        let mut spans = dates
            .filter(|date| fits(&date.weekday()))
            .filter_map(|date| {
                let opens = date.to_datetime(self.at).to_zoned(self.timezone.clone());
                let from = opens.ok()?.timestamp();
                Some((from, from.checked_add(self.open).ok()?))
            });
        let (from, mut until) = spans.find(|(_, until)| *until > now)?;
        for (opens, closes) in spans {
            if opens > until {
                break;
            }
            until = until.max(closes);
        }
        Some((from, until))
    }
}

fn clock_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
    Time::new(digits(hour)?, digits(minute)?, 0, 0).ok()
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[Weekday], at: &str, hours: u64, zone: &str) -> Window {
        Window {
            name: SilenceName::new("maintenance/x").unwrap(),
            matchers: vec![Matcher::parse("env=prod").unwrap()],
            days: days.to_vec(),
            at: clock_time(at).unwrap(),
            open: Duration::from_secs(hours * 3_600),
            timezone: TimeZone::get(zone).unwrap(),
            comment: "".into(),
        }
    }

    /// On these days, at that time, for so many hours, in that zone; and what is next at a moment.
    type Span = (
        &'static [Weekday],
        &'static str,
        u64,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    );

    const SPANS: &[Span] = &[
        // Every night, UTC: open now, and not yet.
        (
            &[],
            "02:00",
            2,
            "UTC",
            "2026-01-01T03:59:59Z",
            "2026-01-01T02:00:00Z",
            "2026-01-01T04:00:00Z",
        ),
        (
            &[],
            "02:00",
            2,
            "UTC",
            "2026-01-01T04:00:00Z",
            "2026-01-02T02:00:00Z",
            "2026-01-02T04:00:00Z",
        ),
        // Over midnight.
        (
            &[],
            "23:00",
            3,
            "UTC",
            "2026-01-01T01:00:00Z",
            "2025-12-31T23:00:00Z",
            "2026-01-01T02:00:00Z",
        ),
        // Sundays in Berlin, in winter and in summer.
        (
            &[Weekday::Sunday],
            "01:00",
            1,
            "Europe/Berlin",
            "2026-01-01T00:00:00Z",
            "2026-01-04T00:00:00Z",
            "2026-01-04T01:00:00Z",
        ),
        (
            &[Weekday::Sunday],
            "01:00",
            1,
            "Europe/Berlin",
            "2026-07-01T00:00:00Z",
            "2026-07-04T23:00:00Z",
            "2026-07-05T00:00:00Z",
        ),
        // The clock never shows half past two on the day on which summer begins.
        (
            &[Weekday::Sunday],
            "02:30",
            1,
            "Europe/Berlin",
            "2026-03-28T00:00:00Z",
            "2026-03-29T01:30:00Z",
            "2026-03-29T02:30:00Z",
        ),
        // It shows half past two twice on the day on which summer ends: the first one counts.
        (
            &[Weekday::Sunday],
            "02:30",
            1,
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
        ),
        // Open for two hours as they pass, though the clock goes back in between.
        (
            &[Weekday::Sunday],
            "02:30",
            2,
            "Europe/Berlin",
            "2026-10-25T02:29:59Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:30:00Z",
        ),
        // A weekend is one span, and a day on which it is 25 hours long leaves an hour of it.
        (
            &[Weekday::Saturday, Weekday::Sunday],
            "00:00",
            24,
            "UTC",
            "2026-06-06T12:00:00Z",
            "2026-06-06T00:00:00Z",
            "2026-06-08T00:00:00Z",
        ),
        (
            &[Weekday::Sunday],
            "00:00",
            24,
            "Europe/Berlin",
            "2026-10-25T12:00:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T22:00:00Z",
        ),
        // It is Sunday in Auckland and in Los Angeles at different times.
        (
            &[Weekday::Sunday],
            "00:30",
            1,
            "Pacific/Auckland",
            "2026-06-06T00:00:00Z",
            "2026-06-06T12:30:00Z",
            "2026-06-06T13:30:00Z",
        ),
        (
            &[Weekday::Sunday],
            "23:30",
            1,
            "America/Los_Angeles",
            "2026-06-06T00:00:00Z",
            "2026-06-08T06:30:00Z",
            "2026-06-08T07:30:00Z",
        ),
    ];

    #[test]
    fn a_window_opens_by_the_clock_of_its_zone_on_its_days() {
        for &(days, at, hours, zone, now, from, until) in SPANS {
            let window = window(days, at, hours, zone);
            let time = |text: &str| text.parse::<Timestamp>().unwrap();
            assert_eq!(
                window.next(time(now)),
                Some((time(from), time(until))),
                "{now}"
            );
        }
    }

    #[test]
    fn what_is_no_window_is_told_with_its_place() {
        use crate::settings::Settings;
        let text = "maintenance:\n- {name: night, matchers: [env=prod], days: [mon, fry], at: 2am, for: 2h, \
                    timezone: Mars/Olympus}\n";
        let problems = Settings::from_yaml(text, "a.yml").unwrap_err().to_string();
        for part in [
            "`fry` is no day",
            "`2am` is no time of the day",
            "no time zone `Mars/Olympus`",
        ] {
            assert!(problems.contains(part), "{problems}");
        }
        let good = text
            .replace("fry", "fri")
            .replace("2am", "\"02:00\"")
            .replace("Mars/Olympus", "UTC");
        let settings = Settings::from_yaml(&good, "a.yml").unwrap();
        assert_eq!(settings.alerts.windows.len(), 1);
    }
}
