//! What one check found.

use std::fmt;
use std::time::Duration;

use auscult_core::monitor::Failure;
use auscult_core::time::Instant;
use jiff::Timestamp;

/// One check, from its start to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckReport {
    /// When it began.
    pub started_at: Instant,
    /// When its verdict was known.
    pub finished_at: Instant,
    /// How long after its scheduled moment it began.
    pub lateness: Duration,
    /// Where the time went, in the last request made.
    pub phases: Phases,
    /// What it found.
    pub outcome: Result<Answer, CheckError>,
}

impl CheckReport {
    /// How long the check took.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.finished_at.since(self.started_at)
    }
}

/// How long each part of a check took. A part that was not needed (a literal address, a kept
/// connection, no TLS) or not finished is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// From a name to addresses.
    pub resolve: Option<Duration>,
    /// To an established TCP connection.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the request to the head of the answer.
    pub first_byte: Option<Duration>,
    /// From the head of the answer to its end.
    pub body: Option<Duration>,
}

/// A good answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code; absent for TCP.
    pub status: Option<u16>,
    /// `1.0`, `1.1` or `2`; absent for TCP.
    pub http_version: Option<&'static str>,
    /// When the server's certificate expires; absent without TLS.
    pub tls_expires_at: Option<Timestamp>,
}

/// A failed check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckError {
    /// Its class.
    pub failure: Failure,
    /// What happened, for people: `no answer within 10s (connected after 3ms)`.
    pub text: String,
}

impl CheckError {
    pub(crate) fn new(failure: Failure, text: impl Into<String>) -> Self {
        Self {
            failure,
            text: text.into(),
        }
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CheckError {}
