//! What to check: the settings of a signal's source, if it is one that is checked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::settings::{HttpCheck, SourceSpec, StatusRanges, TcpCheck};

/// One check of one signal.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckSpec {
    /// Over HTTP or HTTPS.
    Http(Arc<HttpCheck>),
    /// A TCP connection that is made and closed at once.
    Tcp(TcpCheck),
}

impl CheckSpec {
    /// The check that a source asks for; `None` when its arrivals are sent to us.
    #[must_use]
    pub fn from_source(source: &SourceSpec) -> Option<Self> {
        match source {
            SourceSpec::Http(check) => Some(Self::Http(check.clone())),
            SourceSpec::Tcp(check) => Some(Self::Tcp(check.clone())),
            SourceSpec::Push { .. } | SourceSpec::Membership => None,
        }
    }

    /// From one check to the next.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match self {
            Self::Http(check) => check.interval,
            Self::Tcp(check) => check.interval,
        }
    }

    /// How long a whole check may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Http(check) => check.timeout,
            Self::Tcp(check) => check.timeout,
        }
    }
}

/// Why a check cannot be made at all. State: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidCheck {
    /// The field at fault, as the settings name it.
    pub field: &'static str,
    /// What is wrong with it.
    pub text: String,
}

impl fmt::Display for InvalidCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

impl std::error::Error for InvalidCheck {}

/// Status ranges as people write them: `2xx, 301, 404-410`.
pub(super) struct Expected<'a>(pub(super) &'a StatusRanges);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, &(first, last)) in self.0.ranges().iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else if first % 100 == 0 && last == first + 99 {
                write!(f, "{}xx", first / 100)?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_statuses_read_as_people_write_them() {
        let ranges = StatusRanges::new(vec![(200, 299), (301, 301), (404, 410)]);
        assert_eq!(Expected(&ranges).to_string(), "2xx, 301, 404-410");
    }
}
