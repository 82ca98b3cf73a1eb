//! Durations as people write them: `500ms`, `1s`, `2m`, `1h30m`, `1d`.

use std::fmt::Write as _;
use std::time::Duration;

/// The units, from the largest to the smallest, in nanoseconds.
const UNITS: [(&str, u128); 8] = [
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The longest duration: what a `u64` of nanoseconds holds in whole years, as the core counts.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(500 * 365 * 86_400);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DurationError {
    /// A number without a unit.
    NoUnit,
    /// Something else than numbers with units.
    Form,
    /// Not one of the units.
    Unit(String),
    /// The same or a larger unit after a smaller one.
    Order,
    /// More than [`DURATION_MAX`].
    TooLong,
}

impl DurationError {
    /// What is wrong with `text`, and what to do.
    pub(super) fn explain(&self, text: &str) -> (String, String) {
        let units = "the units are ms, s, m, h, d and w: `500ms`, `10s`, `1h30m`";
        match self {
            Self::NoUnit => (
                format!("the duration `{text}` has no unit"),
                format!("write `{text}s` for seconds or `{text}ms` for milliseconds"),
            ),
            Self::Form => (format!("`{text}` is no duration"), units.into()),
            Self::Unit(unit) => (
                format!("`{unit}` is no unit of time"),
                match unit.to_lowercase().as_str() {
                    "sec" | "secs" | "second" | "seconds" => "seconds are `s`".into(),
                    "min" | "mins" | "minute" | "minutes" => "minutes are `m`".into(),
                    "msec" | "millis" | "milliseconds" => "milliseconds are `ms`".into(),
                    "hr" | "hrs" | "hour" | "hours" => "hours are `h`".into(),
                    "day" | "days" => "days are `d`".into(),
                    "y" | "year" | "years" | "mo" | "month" | "months" => {
                        "months and years differ in length: count in days (`d`)".into()
                    }
                    _ => units.into(),
                },
            ),
            Self::Order => (
                format!("the units of `{text}` are not in order"),
                "the larger unit comes first, each only once: `1h30m`".into(),
            ),
            Self::TooLong => (
                format!("the duration `{text}` is too long"),
                "500 years are the most".into(),
            ),
        }
    }
}

/// Reads a duration: numbers with units, the larger unit first; the number may have a fraction
/// (`1.5s`).
pub(super) fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let mut nanos = 0_u128;
    let mut unit_before = u128::MAX;
    if rest.is_empty() {
        return Err(DurationError::Form);
    }
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_while(after, |c| c.is_alphabetic());
        if number.is_empty() {
            return Err(DurationError::Form);
        }
        if unit.is_empty() {
            let bare =
                after.is_empty() && unit_before == u128::MAX && number.parse::<f64>().is_ok();
            return Err(match bare {
                true => DurationError::NoUnit,
                false => DurationError::Form,
            });
        }
        let found = UNITS.iter().find(|(name, _)| *name == unit);
        // The micro sign, for those who have it on their keyboard.
        let found = found.or_else(|| ["µs", "μs"].contains(&unit).then_some(&UNITS[6]));
        let &(_, size) = found.ok_or_else(|| DurationError::Unit(unit.into()))?;
        if size >= unit_before {
            return Err(DurationError::Order);
        }
        unit_before = size;
        nanos = nanos.saturating_add(scaled(number, size)?);
        rest = after;
    }
    if nanos > DURATION_MAX.as_nanos() {
        return Err(DurationError::TooLong);
    }
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| DurationError::TooLong)
}

/// `number` times `size`, exactly; what is below a nanosecond is cut off.
fn scaled(number: &str, size: u128) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || number.ends_with('.') {
        return Err(DurationError::Form);
    }
    if whole.trim_start_matches('0').len() > 20 {
        return Err(DurationError::TooLong);
    }
    let whole: u128 = whole.parse().map_err(|_| DurationError::TooLong)?;
    // Twenty digits of the smallest fraction of a week are below a nanosecond.
    let fraction = &fraction[..fraction.len().min(18)];
    let digits = u32::try_from(fraction.len()).unwrap_or(0);
    let part: u128 = match fraction {
        "" => 0,
        digits => digits.parse().map_err(|_| DurationError::Form)?,
    };
    let part = part * size / 10_u128.pow(digits);
    Ok(whole.saturating_mul(size).saturating_add(part))
}

fn split_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !wanted(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// Writes a duration so that [`parse`] reads it back: `1h30m`, `500ms`, `1s500ms`, `0s`.
pub(super) fn format(span: Duration) -> String {
    let mut rest = span.as_nanos();
    let mut text = String::new();
    // A week is for reading only: `7d` is what people say.
    for (unit, size) in &UNITS[1..] {
        if rest >= *size {
            let _ = write!(text, "{}{unit}", rest / size);
            rest %= size;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let good: [(&str, u64); 12] = [
            ("500ms", 500_000_000),
            ("1s", 1_000_000_000),
            ("2m", 120_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1d", 86_400_000_000_000),
            ("1w", 604_800_000_000_000),
            ("1.5s", 1_500_000_000),
            ("0.1s", 100_000_000),
            ("1m0.25s", 60_250_000_000),
            ("5µs", 5_000),
            ("0s", 0),
            (" 7ns ", 7),
        ];
        for (text, nanos) in good {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn says_why_a_text_is_no_duration() {
        for (text, error) in [
            ("500", DurationError::NoUnit),
            ("0", DurationError::NoUnit),
            ("1.5", DurationError::NoUnit),
            ("", DurationError::Form),
            ("-1s", DurationError::Form),
            ("soon", DurationError::Form),
            ("1s 500ms", DurationError::Form),
            ("1s5", DurationError::Form),
            ("1.2.3s", DurationError::Form),
            (".5s", DurationError::Form),
            ("1.s", DurationError::Form),
            ("5sec", DurationError::Unit("sec".into())),
            ("1S", DurationError::Unit("S".into())),
            ("1s1m", DurationError::Order),
            ("1s1s", DurationError::Order),
            ("600000d", DurationError::TooLong),
            ("99999999999999999999999999999s", DurationError::TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn writes_the_shortest_common_form() {
        for text in ["500ms", "1h30m", "1d", "1s500ms", "0s", "10d12h", "1us"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(nanos in 0..=(DURATION_MAX.as_nanos() as u64)) {
            let span = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(span)), Ok(span));
        }

        #[test]
        fn no_text_makes_it_fail(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_number_makes_it_fail(text in "[0-9.]{0,40}(ms|s|w)") {
            let _ = parse(&text);
        }
    }
}
