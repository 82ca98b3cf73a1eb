//! What is watched, as a user describes it: fully resolved, with every default filled in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Labels, Signal, SignalConfig, Target};
use hyper::{HeaderMap, Method, Uri};
use regex_lite::{Regex, RegexBuilder};

/// A target with everything that defaults and groups say about it.
///
/// Two are equal when they are watched alike: the line does not count, so that a reload of a file
/// with a new comment on top finds every target unchanged.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Its name.
    pub id: TargetId,
    /// The `server_name` label of the metrics that seed 000 has: the id, or `server10` for a
    /// numeric id in its form.
    pub server_name: Box<str>,
    /// The group it was listed in.
    pub group: Option<Box<str>>,
    /// What an operator says about it.
    pub labels: Labels,
    /// Its streams of arrivals; at least one, with distinct names.
    pub signals: Vec<SignalSpec>,
    /// The line of the settings file at which it begins, counted from 1. `None` when it came over
    /// the API.
    pub line: Option<usize>,
}

impl PartialEq for TargetSpec {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            id,
            server_name,
            group,
            labels,
            signals,
            line: _,
        } = self;
        *id == other.id
            && *server_name == other.server_name
            && *group == other.group
            && *labels == other.labels
            && *signals == other.signals
    }
}

impl TargetSpec {
    /// What the machine needs to know of it.
    #[must_use]
    pub fn to_target(&self) -> Target {
        let signal = |spec: &SignalSpec| Signal {
            name: spec.name.clone(),
            config: spec.config.clone(),
        };
        Target {
            id: self.id.clone(),
            labels: self.labels.clone(),
            signals: self.signals.iter().map(signal).collect(),
        }
    }
}

/// One stream of arrivals: where they come from and how they are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalSpec {
    /// Its name, unique within the target.
    pub name: SignalName,
    /// Where its arrivals come from.
    pub source: SourceSpec,
    /// How they are judged.
    pub config: SignalConfig,
}

/// Where the arrivals of a signal come from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceSpec {
    /// We ask over HTTP.
    Http(Arc<HttpCheck>),
    /// We connect over TCP.
    Tcp(TcpCheck),
    /// They are sent to us, as datagrams or over HTTP.
    Push {
        /// How often, where the user says so.
        interval: Option<Duration>,
    },
    /// The group of members that this monitor belongs to judges it.
    Membership,
}

/// A check over HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// Absolute, with scheme `http` or `https` and a host, without user information.
    pub url: Uri,
    /// The request's method.
    pub method: Method,
    /// Headers to send beside our own.
    pub headers: HeaderMap,
    /// The request's body.
    pub body: Option<Arc<str>>,
    /// The status codes that count as an answer.
    pub expect_status: StatusRanges,
    /// What the answer's body must contain.
    pub expect_body: Option<Pattern>,
    /// Redirects that are followed at most; with 0 a redirect is the answer.
    pub redirects: u8,
    /// The HTTP version to speak.
    pub version: HttpVersion,
    /// What happens to the connection after a check.
    pub connection: Connection,
    /// How the other side proves who it is.
    pub tls: TlsSpec,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// How long a whole check may take, redirects included.
    pub timeout: Duration,
}

/// A check that connects over TCP and closes the connection again.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpCheck {
    /// A host name or an address (IPv6 without brackets).
    pub host: Box<str>,
    /// The port.
    pub port: u16,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// How long a check may take.
    pub timeout: Duration,
}

impl TcpCheck {
    /// The address as a URL: `tcp://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        let Self { host, port, .. } = self;
        match host.contains(':') {
            true => format!("tcp://[{host}]:{port}"),
            false => format!("tcp://{host}:{port}"),
        }
    }
}

/// The HTTP version that a check speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// What TLS negotiates; HTTP/1.1 without TLS.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only, with prior knowledge where there is no TLS.
    Http2,
}

impl SourceSpec {
    /// How often arrivals are expected, where that is known.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        match self {
            Self::Http(check) => Some(check.interval),
            Self::Tcp(check) => Some(check.interval),
            Self::Push { interval } => *interval,
            Self::Membership => None,
        }
    }
}

impl HttpVersion {
    /// The version of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Http1, Self::Http2]
            .into_iter()
            .find(|version| version.as_str() == name)
    }

    /// The name used in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}

/// What happens to a check's connection afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It is kept for the next check.
    Reuse,
    /// It is closed: every check also tests name resolution, connecting and the TLS handshake.
    Fresh,
}

impl Connection {
    /// The one of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Reuse, Self::Fresh]
            .into_iter()
            .find(|connection| connection.as_str() == name)
    }

    /// The name used in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reuse => "reuse",
            Self::Fresh => "fresh",
        }
    }
}

/// How the other side of a TLS connection proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    /// Whether its certificate must be valid. When false, anything is accepted.
    pub verify: bool,
    /// A PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name to ask for and verify instead of the URL's host.
    pub server_name: Option<Box<str>>,
    /// A certificate that expires sooner than this counts as a failure.
    pub expires_within: Option<Duration>,
}

/// Status codes as inclusive ranges: sorted, apart from each other, within 100 to 599.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRanges(Vec<(u16, u16)>);

impl StatusRanges {
    /// Sorts and joins `ranges`, each from its first to its last code.
    #[must_use]
    pub fn new(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    /// Tells whether `status` is among them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= status);
        after > 0 && status <= self.0[after - 1].1
    }

    /// The ranges, in order.
    #[must_use]
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }
}

/// A regular expression that knows its text. Equal when the texts are.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// Why it is no regular expression, or that it needs too much memory.
    pub fn new(text: &str) -> Result<Self, regex_lite::Error> {
        const COMPILED_BYTES_MAX: usize = 1 << 20;
        let mut builder = RegexBuilder::new(text);
        Ok(Self {
            text: text.into(),
            regex: builder.size_limit(COMPILED_BYTES_MAX).build()?,
        })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether it matches somewhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_ranges_join_and_answer_at_their_edges() {
        let ranges = StatusRanges::new(vec![(301, 301), (200, 249), (250, 299), (201, 210)]);
        assert_eq!(ranges.ranges(), &[(200, 299), (301, 301)]);
        let inside: Vec<u16> = (100..600).filter(|&s| ranges.contains(s)).collect();
        let expected: Vec<u16> = (200..300).chain([301]).collect();
        assert_eq!(inside, expected);
        assert!(!StatusRanges::new(Vec::new()).contains(200));
    }
}
