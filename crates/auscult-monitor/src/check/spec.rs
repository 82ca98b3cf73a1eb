//! What to check, as the settings say it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// One check of one signal.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckSpec {
    /// Over HTTP or HTTPS.
    Http(HttpCheck),
    /// A TCP connection that is made and closed at once.
    Tcp(TcpCheck),
}

impl CheckSpec {
    /// From one check to the next.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        match self {
            Self::Http(check) => check.interval,
            Self::Tcp(check) => check.interval,
        }
    }

    /// How long a whole check may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        match self {
            Self::Http(check) => check.timeout,
            Self::Tcp(check) => check.timeout,
        }
    }
}

/// A check over HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// `http://` or `https://`, host, and what follows.
    pub url: String,
    /// `GET` by default.
    pub method: String,
    /// Sent with every request, beside those that HTTP needs.
    pub headers: BTreeMap<String, String>,
    /// Sent with every request.
    pub body: Option<String>,
    /// Status codes that count as good: 2xx by default.
    pub expect_status: StatusRanges,
    /// A regular expression that the body must match.
    pub expect_body: Option<String>,
    /// How many redirects are followed: 5 by default.
    pub redirects: u8,
    /// Which HTTP to speak.
    pub version: HttpVersion,
    /// Whether a connection serves many checks.
    pub connection: Connection,
    /// How TLS is verified.
    pub tls: TlsSpec,
    /// From one check to the next: 1 s by default.
    pub interval: Duration,
    /// How long the whole check may take: 10 s by default.
    pub timeout: Duration,
}

/// A TCP connection that is made and closed at once.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpCheck {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// From one check to the next: 1 s by default.
    pub interval: Duration,
    /// How long the whole check may take: 10 s by default.
    pub timeout: Duration,
}

/// Which HTTP to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// What the server prefers over TLS, HTTP/1.1 without it.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS with prior knowledge.
    Http2,
}

/// Whether a connection serves many checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Kept alive: cheap, and finds a hung process as well.
    Reuse,
    /// A new one for each check: also finds a listener or a certificate that went away.
    Fresh,
}

/// How TLS is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    /// `false` accepts any certificate.
    pub verify: bool,
    /// PEM file with the authorities to trust, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name to ask for and to verify, in place of the URL's host.
    pub server_name: Option<String>,
    /// The check fails when the certificate has less than this to live.
    pub expires_within: Option<Duration>,
}

impl Default for TlsSpec {
    fn default() -> Self {
        Self {
            verify: true,
            ca_file: None,
            server_name: None,
            expires_within: None,
        }
    }
}

/// Status codes that count as good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRanges(pub Vec<RangeInclusive<u16>>);

impl StatusRanges {
    /// Tells whether `code` is among them.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|range| range.contains(&code))
    }
}

impl Default for StatusRanges {
    fn default() -> Self {
        Self(vec![200..=299])
    }
}

impl fmt::Display for StatusRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, range) in self.0.iter().enumerate() {
            let (low, high) = (*range.start(), *range.end());
            let separator = if position == 0 { "" } else { ", " };
            match () {
                () if low == high => write!(f, "{separator}{low}")?,
                () if low % 100 == 0 && high == low + 99 => {
                    write!(f, "{separator}{}xx", low / 100)?;
                }
                () => write!(f, "{separator}{low}-{high}")?,
            }
        }
        Ok(())
    }
}

/// Why a check cannot be made at all: the settings let something through that is no check.
/// State: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidCheck {
    /// The field at fault.
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
