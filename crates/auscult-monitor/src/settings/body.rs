//! The JSON of a target: what the API answers with, and what it takes back unchanged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use auscult_core::detector::{DetectorParams, History};
use serde::{Serialize, Serializer};

use super::duration;
use super::target::{HttpCheck, SignalSpec, SourceSpec, StatusRanges, TargetSpec};

impl Serialize for TargetSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TargetBody::of(self).serialize(serializer)
    }
}

/// Every value is said, so that reading it back depends on no default; `null` says that there is
/// none.
#[derive(Serialize)]
struct TargetBody<'a> {
    id: &'a str,
    server_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    labels: BTreeMap<&'a str, &'a str>,
    signals: Vec<SignalBody<'a>>,
}

#[derive(Serialize)]
struct SignalBody<'a> {
    name: &'a str,
    #[serde(flatten)]
    source: SourceBody<'a>,
    detector: DetectorBody,
    grace: Span,
    recovery_arrivals: u32,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SourceBody<'a> {
    Check {
        url: String,
        interval: Span,
        timeout: Span,
        #[serde(skip_serializing_if = "Option::is_none")]
        http: Option<Box<HttpBody<'a>>>,
    },
    Push {
        push: PushBody,
    },
    Membership {
        membership: MembershipBody,
    },
}

/// Nothing to say: everything is the group's.
#[derive(Serialize)]
struct MembershipBody {}

#[derive(Serialize)]
struct PushBody {
    interval: Option<Span>,
}

#[derive(Serialize)]
struct HttpBody<'a> {
    method: &'a str,
    headers: BTreeMap<&'a str, String>,
    body: Option<&'a str>,
    expect_status: &'a StatusRanges,
    expect_body: Option<&'a str>,
    redirects: u8,
    version: &'static str,
    connection: &'static str,
    tls: TlsBody<'a>,
}

#[derive(Serialize)]
struct TlsBody<'a> {
    verify: bool,
    ca_file: Option<&'a Path>,
    server_name: Option<&'a str>,
    expires_within: Option<Span>,
}

#[derive(Serialize)]
struct DetectorBody {
    #[serde(flatten)]
    params: ParamsBody,
    late: f64,
    down: f64,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum ParamsBody {
    Phi {
        distribution: &'static str,
        #[serde(flatten)]
        history: HistoryBody,
        min_std_deviation: Span,
        acceptable_pause: Span,
        first_heartbeat_estimate: Span,
    },
    Chen {
        interval: Span,
        margin: Span,
        window: usize,
    },
    Bertier {
        interval: Span,
        window: usize,
        beta: f64,
        phi: f64,
        gamma: f64,
        min_margin: Span,
    },
    Deadline {
        timeout: Span,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum HistoryBody {
    Window(usize),
    Decay(usize),
}

/// A duration as text.
struct Span(Duration);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration::format(self.0))
    }
}

impl Serialize for StatusRanges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Item {
            Code(u16),
            Codes(String),
        }
        serializer.collect_seq(self.ranges().iter().map(|&(first, last)| {
            if first == last {
                Item::Code(first)
            } else if first % 100 == 0 && last == first + 99 {
                Item::Codes(format!("{}xx", first / 100))
            } else {
                Item::Codes(format!("{first}-{last}"))
            }
        }))
    }
}

impl<'a> TargetBody<'a> {
    fn of(spec: &'a TargetSpec) -> Self {
        Self {
            id: spec.id.as_str(),
            server_name: &spec.server_name,
            group: spec.group.as_deref(),
            labels: spec.labels.iter().map(|(n, v)| (&**n, &**v)).collect(),
            signals: spec.signals.iter().map(SignalBody::of).collect(),
        }
    }
}

impl<'a> SignalBody<'a> {
    fn of(spec: &'a SignalSpec) -> Self {
        Self {
            name: spec.name.as_str(),
            source: SourceBody::of(&spec.source),
            detector: DetectorBody {
                params: ParamsBody::of(spec.config.detector().params()),
                late: spec.config.late().get(),
                down: spec.config.down().get(),
            },
            grace: Span(spec.config.grace()),
            recovery_arrivals: spec.config.recovery_arrivals(),
        }
    }
}

impl<'a> SourceBody<'a> {
    fn of(source: &'a SourceSpec) -> Self {
        match source {
            SourceSpec::Http(check) => Self::Check {
                url: check.url.to_string(),
                interval: Span(check.interval),
                timeout: Span(check.timeout),
                http: Some(Box::new(HttpBody::of(check))),
            },
            SourceSpec::Tcp(check) => Self::Check {
                url: check.url(),
                interval: Span(check.interval),
                timeout: Span(check.timeout),
                http: None,
            },
            SourceSpec::Push { interval } => Self::Push {
                push: PushBody {
                    interval: interval.map(Span),
                },
            },
            SourceSpec::Membership => Self::Membership {
                membership: MembershipBody {},
            },
        }
    }
}

impl<'a> HttpBody<'a> {
    fn of(check: &'a HttpCheck) -> Self {
        let header =
            |(name, value): (&'a hyper::header::HeaderName, &hyper::header::HeaderValue)| {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str(), text)
            };
        Self {
            method: check.method.as_str(),
            headers: check.headers.iter().map(header).collect(),
            body: check.body.as_deref(),
            expect_status: &check.expect_status,
            expect_body: check.expect_body.as_ref().map(|pattern| pattern.as_str()),
            redirects: check.redirects,
            version: check.version.as_str(),
            connection: check.connection.as_str(),
            tls: TlsBody {
                verify: check.tls.verify,
                ca_file: check.tls.ca_file.as_deref(),
                server_name: check.tls.server_name.as_deref(),
                expires_within: check.tls.expires_within.map(Span),
            },
        }
    }
}

impl ParamsBody {
    fn of(params: &DetectorParams) -> Self {
        match params {
            DetectorParams::Phi(phi) => Self::Phi {
                distribution: phi.distribution.as_str(),
                history: match phi.history {
                    History::Window { samples } => HistoryBody::Window(samples),
                    History::Decayed { samples } => HistoryBody::Decay(samples),
                },
                min_std_deviation: Span(phi.min_std_deviation),
                acceptable_pause: Span(phi.acceptable_pause),
                first_heartbeat_estimate: Span(phi.first_heartbeat_estimate),
            },
            DetectorParams::Chen(chen) => Self::Chen {
                interval: Span(chen.interval),
                margin: Span(chen.margin),
                window: chen.window,
            },
            DetectorParams::Bertier(bertier) => Self::Bertier {
                interval: Span(bertier.interval),
                window: bertier.window,
                beta: bertier.beta,
                phi: bertier.phi,
                gamma: bertier.gamma,
                min_margin: Span(bertier.min_margin),
            },
            DetectorParams::Deadline(deadline) => Self::Deadline {
                timeout: Span(deadline.timeout),
            },
        }
    }
}
