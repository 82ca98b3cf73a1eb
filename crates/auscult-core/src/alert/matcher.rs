//! Conditions on labels, and silences made of them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::key::AlertKey;
use super::rule::Severity;
use crate::bounds::{MATCHER_BYTES_MAX, MATCHERS_MAX};
use crate::id::SilenceName;
use crate::monitor::Labels;
use crate::time::Instant;

/// One condition on a label of an alert.
///
/// The labels of an alert are those of its subject, and these, which come first: `target` or
/// `peer`, `signal`, `rule` and `severity`. A label that is not there has the empty value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub label: Box<str>,
    /// How it is compared.
    pub test: Test,
    /// What it is compared with.
    pub value: Box<str>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// `=`: it is the value.
    Is,
    /// `!=`: it is anything but the value.
    IsNot,
    /// `=~`: it has the shape of the value, in which `*` stands for any text, also for none.
    Like,
    /// `!~`: it does not have that shape.
    Unlike,
}

impl Test {
    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Like => "=~",
            Self::Unlike => "!~",
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.label, self.test.as_str(), self.value)
    }
}

/// Why a text is no condition. State: nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatcherError {
    /// It has none of `=`, `!=`, `=~`, `!~` after a label.
    NoTest,
    /// It is longer than [`MATCHER_BYTES_MAX`].
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

impl fmt::Display for MatcherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTest => f.write_str(
                "a condition is written label=value, label!=value, label=~shape* or label!~shape*",
            ),
            Self::TooLong { bytes } => write!(
                f,
                "a condition has at most {MATCHER_BYTES_MAX} bytes, this one has {bytes}"
            ),
        }
    }
}

impl core::error::Error for MatcherError {}

impl Matcher {
    /// Reads a condition as people write it: `env=prod`, `target=~db-*`.
    ///
    /// # Errors
    /// Why it is none. State: nothing was changed.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        if text.len() > MATCHER_BYTES_MAX {
            return Err(MatcherError::TooLong { bytes: text.len() });
        }
        let at = text.find(['=', '!']).ok_or(MatcherError::NoTest)?;
        let (label, rest) = text.split_at(at);
        let tests = [Test::IsNot, Test::Unlike, Test::Like, Test::Is];
        let read = |test: &Test| Some((*test, rest.strip_prefix(test.as_str())?));
        let (test, value) = tests.iter().find_map(read).ok_or(MatcherError::NoTest)?;
        if label.trim().is_empty() {
            return Err(MatcherError::NoTest);
        }
        Ok(Self {
            label: label.trim().into(),
            test,
            value: value.trim().into(),
        })
    }

    fn holds(&self, value: &str) -> bool {
        match self.test {
            Test::Is => value == &*self.value,
            Test::IsNot => value != &*self.value,
            Test::Like => has_shape(value, &self.value),
            Test::Unlike => !has_shape(value, &self.value),
        }
    }
}

/// What conditions look at.
#[derive(Clone, Copy)]
pub(super) struct Labelled<'a> {
    pub(super) key: &'a AlertKey,
    pub(super) severity: Severity,
    pub(super) labels: &'a Labels,
}

impl<'a> Labelled<'a> {
    /// The value of a label; empty where it has none.
    pub(super) fn get(&self, label: &str) -> &'a str {
        match label {
            "signal" => self.key.signal.as_str(),
            "rule" => self.key.rule.as_str(),
            "severity" => self.severity.as_str(),
            _ if label == self.key.subject.kind() => self.key.subject.name().as_str(),
            _ => self.labels.get(label).map_or("", |value| value),
        }
    }

    pub(super) fn satisfies(&self, matchers: &[Matcher]) -> bool {
        matchers.iter().all(|m| m.holds(self.get(&m.label)))
    }
}

/// A time in which nobody is told that something fires. What was told before is still told to be
/// over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its name.
    pub name: SilenceName,
    /// Which alerts: all these hold. At least one, at most [`MATCHERS_MAX`].
    pub matchers: Vec<Matcher>,
    /// From when.
    pub from: Instant,
    /// Until when.
    pub until: Instant,
    /// Whether a person asked for it, or a calendar.
    pub origin: Origin,
    /// Who made it.
    pub by: Box<str>,
    /// Why.
    pub comment: Box<str>,
}

/// Where a silence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody asked for it.
    Request,
    /// A maintenance window of the settings.
    Maintenance,
}

impl Silence {
    pub(super) fn is_active(&self, now: Instant) -> bool {
        self.from <= now && now < self.until
    }

    pub(super) fn covers(&self, alert: &Labelled<'_>, now: Instant) -> bool {
        self.is_active(now) && alert.satisfies(&self.matchers)
    }
}

/// What is wrong with conditions, if anything is.
pub(super) fn check_matchers(matchers: &[Matcher]) -> Option<String> {
    if matchers.len() > MATCHERS_MAX {
        let found = matchers.len();
        return Some(format!("{found} conditions must be at most {MATCHERS_MAX}"));
    }
    let long = |m: &&Matcher| m.label.len() + m.value.len() > MATCHER_BYTES_MAX;
    let matcher = matchers.iter().find(long)?;
    let bytes = matcher.label.len() + matcher.value.len();
    Some(format!(
        "{bytes} bytes of a condition must be at most {MATCHER_BYTES_MAX}"
    ))
}

/// Whether `text` has the shape of `pattern`, in which `*` stands for any text. Goes back to the
/// last `*` alone, so it takes at most the product of the two lengths.
fn has_shape(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        if pattern.get(place) == Some(&b'*') {
            star = Some((place, at));
            place += 1;
        } else if pattern.get(place) == Some(&text[at]) {
            place += 1;
            at += 1;
        } else if let Some((star_place, star_at)) = star {
            place = star_place + 1;
            at = star_at + 1;
            star = Some((star_place, at));
        } else {
            return false;
        }
    }
    pattern[place..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn conditions_are_read_as_people_write_them() {
        for (text, label, test, value) in [
            ("env=prod", "env", Test::Is, "prod"),
            ("env != prod", "env", Test::IsNot, "prod"),
            ("target=~db-*", "target", Test::Like, "db-*"),
            ("team!~a*", "team", Test::Unlike, "a*"),
            ("url=http://x/?a=b", "url", Test::Is, "http://x/?a=b"),
            ("empty=", "empty", Test::Is, ""),
        ] {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!((&*matcher.label, matcher.test), (label, test), "{text}");
            assert_eq!(&*matcher.value, value, "{text}");
            assert_eq!(Matcher::parse(&matcher.to_string()), Ok(matcher));
        }
        for text in ["", "env", "=prod", "env!", " =a"] {
            assert_eq!(Matcher::parse(text), Err(MatcherError::NoTest), "{text}");
        }
        let long = "x=".to_string() + &"y".repeat(MATCHER_BYTES_MAX);
        let bytes = long.len();
        assert_eq!(Matcher::parse(&long), Err(MatcherError::TooLong { bytes }));
    }

    /// The dumb twin: by recursion over everything that a star may stand for.
    fn has_shape_slowly(text: &[u8], pattern: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => {
                (0..=text.len()).any(|skipped| has_shape_slowly(&text[skipped..], rest))
            }
            Some((byte, rest)) => text.first() == Some(byte) && has_shape_slowly(&text[1..], rest),
        }
    }

    proptest! {
        #[test]
        fn a_shape_means_what_its_stars_say(text in "[ab]{0,8}", pattern in "[ab*]{0,8}") {
            let expected = has_shape_slowly(text.as_bytes(), pattern.as_bytes());
            prop_assert_eq!(has_shape(&text, &pattern), expected);
        }
    }
}
