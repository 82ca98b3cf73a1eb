//! How a simulated server behaves, and how a control request changes it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value};

/// The longest delay, in seconds: an hour looks like for ever to any check.
const DELAY_MAX: f64 = 3600.0;

/// How a simulated server behaves. Every value is one that can be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Behaviour {
    delay: f64,
    status: StatusCode,
    drop: f64,
}

impl Behaviour {
    /// Answers `OK` at once.
    pub(crate) const STEADY: Self = Self {
        delay: 0.0,
        status: StatusCode::OK,
        drop: 0.0,
    };

    /// Checks the three values: `delay` in seconds, the `status` code, the fraction to `drop`.
    ///
    /// # Errors
    /// A sentence that names the first bad one.
    pub(crate) fn new(delay: f64, status: u16, drop: f64) -> Result<Self, String> {
        let steady = Self::STEADY;
        let mut fields = Map::new();
        // NaN and infinity become null, which is refused like any other value that is no number.
        fields.insert("delay".into(), delay.into());
        fields.insert("status".into(), status.into());
        fields.insert("drop".into(), drop.into());
        steady.with(&fields)
    }

    /// The behaviour after a control request with this body.
    ///
    /// # Errors
    /// A sentence that says what is wrong. Nothing is to be changed then.
    pub(crate) fn changed(self, body: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => self.with(&fields),
            Ok(_) => Err(r#"the body must be an object such as {"delay":10}"#.into()),
            Err(error) => Err(format!(
                r#"the body must be JSON such as {{"delay":10}}: {error}"#
            )),
        }
    }

    fn with(mut self, fields: &Map<String, Value>) -> Result<Self, String> {
        for (name, value) in fields {
            match name.as_str() {
                "delay" => self.delay = number(name, value, DELAY_MAX, "a number of seconds")?,
                "drop" => self.drop = number(name, value, 1.0, "a fraction")?,
                "status" => self.status = status(value)?,
                _ => {
                    return Err(format!(
                        "there is no {name:?}: delay, status and drop can be set"
                    ));
                }
            }
        }
        Ok(self)
    }

    /// How long to wait before each answer.
    pub(crate) fn delay(self) -> Duration {
        Duration::from_secs_f64(self.delay)
    }

    /// The status code of the answers.
    pub(crate) fn status(self) -> StatusCode {
        self.status
    }

    /// Whether to close this request's connection without an answer: by chance, as often as set.
    pub(crate) fn drops(self) -> bool {
        // A freshly keyed hasher is std's only source of chance, and good enough for this.
        let chance = RandomState::new().hash_one(0u8) >> 11;
        (chance as f64) / ((1u64 << 53) as f64) < self.drop
    }

    /// As JSON; whole numbers without a fraction, as they were probably written.
    pub(crate) fn to_json(self) -> String {
        let Self {
            delay,
            status,
            drop,
        } = self;
        let status = status.as_u16();
        format!(r#"{{"delay":{delay},"status":{status},"drop":{drop}}}"#)
    }
}

fn number(name: &str, value: &Value, max: f64, what: &str) -> Result<f64, String> {
    match value.as_f64() {
        // Adding zero turns -0 into 0.
        Some(number) if (0.0..=max).contains(&number) => Ok(number + 0.0),
        _ => Err(format!(
            "{name} must be {what} from 0 to {max}, not {value}"
        )),
    }
}

fn status(value: &Value) -> Result<StatusCode, String> {
    value
        .as_u64()
        .filter(|code| (200..=599).contains(code))
        .and_then(|code| StatusCode::from_u16(code as u16).ok())
        .ok_or_else(|| format!("status must be a code from 200 to 599, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_changes_only_what_it_names() {
        check(
            r#"{"delay":10}"#,
            Ok(r#"{"delay":10,"status":200,"drop":0}"#),
        );
        check(
            r#" {"delay":0.25, "drop":1}"#,
            Ok(r#"{"delay":0.25,"status":200,"drop":1}"#),
        );
        check(
            r#"{"status":503}"#,
            Ok(r#"{"delay":0,"status":503,"drop":0}"#),
        );
        check(
            r#"{"delay":-0.0}"#,
            Ok(r#"{"delay":0,"status":200,"drop":0}"#),
        );
        check("{}", Ok(r#"{"delay":0,"status":200,"drop":0}"#));
    }

    #[test]
    fn a_bad_request_is_answered_with_a_sentence() {
        check("", Err("must be JSON"));
        check("delay=10", Err("must be JSON"));
        check("[10]", Err("must be an object"));
        check(
            r#"{"delay":"10"}"#,
            Err(r#"delay must be a number of seconds from 0 to 3600, not "10""#),
        );
        check(r#"{"delay":-1}"#, Err("not -1"));
        check(r#"{"delay":1e9}"#, Err("not 1000000000.0"));
        check(
            r#"{"drop":1.5}"#,
            Err("drop must be a fraction from 0 to 1, not 1.5"),
        );
        check(
            r#"{"status":42}"#,
            Err("status must be a code from 200 to 599, not 42"),
        );
        check(r#"{"status":200.5}"#, Err("not 200.5"));
        check(r#"{"dealy":1}"#, Err(r#"there is no "dealy""#));
    }

    #[test]
    fn values_that_are_no_numbers_are_refused() {
        assert!(Behaviour::new(f64::NAN, 200, 0.0).is_err());
        assert!(Behaviour::new(0.0, 200, f64::INFINITY).is_err());
        assert!(Behaviour::new(1.5, 404, 0.5).is_ok());
    }

    #[test]
    fn drops_about_as_often_as_set() {
        let count = |drop| {
            let behaviour = Behaviour::new(0.0, 200, drop).unwrap();
            (0..4000).filter(|_| behaviour.drops()).count()
        };
        assert_eq!(count(0.0), 0);
        assert_eq!(count(1.0), 4000);
        let half = count(0.5);
        // Seven standard deviations (31.6) around 2000: wrong once in 10^11 runs.
        assert!((1779..2222).contains(&half), "{half}");
    }

    fn check(body: &str, expected: Result<&str, &str>) {
        let changed = Behaviour::STEADY.changed(body.as_bytes());
        match (changed, expected) {
            (Ok(changed), Ok(expected)) => assert_eq!(changed.to_json(), expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{body}: {error}"),
            (found, _) => panic!("{body}: {found:?}"),
        }
    }
}
