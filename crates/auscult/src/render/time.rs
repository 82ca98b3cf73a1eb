//! Spans and moments as people say them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// A span with two units at most: `420 ms`, `3.2 s`, `2m 05s`, `3h 07m`, `12d 4h`.
pub(crate) fn span(span: Duration) -> String {
    let millis = span.as_millis();
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        1..10 => format!("{:.1} s", (millis / 100) as f64 / 10.0),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A span given in milliseconds, as the API gives them.
pub(crate) fn span_ms(millis: f64) -> String {
    span(Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::ZERO))
}

/// How long ago a moment of the API was, by the clock of the one who answered.
pub(crate) fn ago(at: &Value, now: Option<Timestamp>) -> Option<String> {
    let since = now?.duration_since(moment(at)?);
    Some(span(since.try_into().unwrap_or_default()))
}

/// A moment as the API writes it.
pub(crate) fn moment(at: &Value) -> Option<Timestamp> {
    at.as_str()?.parse().ok()
}

/// The time of day where we are, to the millisecond.
pub(crate) fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        zoned.hour(),
        zoned.minute(),
        zoned.second(),
        zoned.millisecond()
    )
}

/// The date and the time of day where we are, to the millisecond.
pub(crate) fn date_and_time(at: Timestamp, zone: &TimeZone) -> String {
    format!(
        "{} {}",
        at.to_zoned(zone.clone()).date(),
        time_of_day(at, zone)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_precision_that_matters() {
        check(0, "0 ms");
        check(999, "999 ms");
        check(1_000, "1.0 s");
        check(9_999, "9.9 s");
        check(59_999, "59 s");
        check(125_000, "2m 05s");
        check(11_220_000, "3h 07m");
        check(1_051_200_000, "12d 4h");
    }

    fn check(millis: u64, expected: &str) {
        assert_eq!(span(Duration::from_millis(millis)), expected);
    }

    #[test]
    fn moments_are_told_in_the_zone_asked_for() {
        let at = Timestamp::from_millisecond(1_780_000_000_123).unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(date_and_time(at, &zone), "2026-05-28 22:26:40.123");
    }
}
