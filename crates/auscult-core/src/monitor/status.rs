//! What the monitor says of a target.

use core::fmt;

/// The verdict about a signal or a target. A target has the worst status of its signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// An operator asked not to judge it.
    Paused,
    /// Heard in time.
    Up,
    /// Nothing can be said: never heard and still within its grace, or the observer suspects
    /// itself.
    Unknown,
    /// The level crossed the first threshold.
    Late,
    /// The level crossed the second threshold, or it was never heard within its grace.
    Down,
}

impl Status {
    /// Every status, from best to worst.
    pub const ALL: [Self; 5] = [
        Self::Paused,
        Self::Up,
        Self::Unknown,
        Self::Late,
        Self::Down,
    ];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::Late => "late",
            Self::Down => "down",
        }
    }

    /// The rank among statuses: the larger, the worse.
    #[must_use]
    pub const fn severity(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a check was not answered as it should be. A failed check is no arrival: it is kept as
/// evidence, and the silence it stands for is what raises the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The other side refused the connection.
    Refused,
    /// No answer within the check's time-out.
    Timeout,
    /// No way to the other side, or the connection broke.
    Unreachable,
    /// The name did not resolve.
    Dns,
    /// The TLS handshake or the certificate was not accepted.
    Tls,
    /// The answer had a status code that was not expected.
    Status(u16),
    /// The body did not match.
    Body,
    /// The answer broke the protocol.
    Protocol,
    /// We ourselves could not make the check (no sockets or ports left): says nothing about the
    /// target.
    Local,
}

impl Failure {
    /// The stable code used in metrics and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Status(_) => "status",
            Self::Body => "body",
            Self::Protocol => "protocol",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "status {code}"),
            Self::Refused
            | Self::Timeout
            | Self::Unreachable
            | Self::Dns
            | Self::Tls
            | Self::Body
            | Self::Protocol
            | Self::Local => f.write_str(self.as_str()),
        }
    }
}
