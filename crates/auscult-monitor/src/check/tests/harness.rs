//! A runner whose results can be waited for.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use auscult_core::monitor::{Failure, SignalKey};
use auscult_core::time::Instant;
use hyper::{HeaderMap, Method};

use super::super::{CheckReport, CheckRunner, CheckSpec, RunnerConfig, Sink};
use crate::clock::Clock;
use crate::settings::{Connection, HttpCheck, HttpVersion, StatusRanges, TcpCheck, TlsSpec};

/// What a sink was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    pub(super) key: SignalKey,
    pub(super) at: Instant,
    pub(super) failure: Option<Failure>,
}

struct Postbox(Sender<News>);

impl Sink for Postbox {
    fn arrival(&self, key: SignalKey, at: Instant) {
        let failure = None;
        let _ = self.0.send(News { key, at, failure });
    }

    fn failed(&self, key: SignalKey, at: Instant, failure: Failure) {
        let failure = Some(failure);
        let _ = self.0.send(News { key, at, failure });
    }
}

pub(super) struct Checking {
    pub(super) runner: CheckRunner,
    pub(super) clock: Clock,
    news: Receiver<News>,
}

pub(super) const KEY: SignalKey = key(0);

pub(super) const fn key(slot: u32) -> SignalKey {
    SignalKey::from_bits((slot as u64) << 32)
}

/// Long enough for a busy machine; no test that passes waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

impl Checking {
    pub(super) fn start() -> Self {
        Self::with_sockets(100)
    }

    pub(super) fn with_sockets(sockets_max: usize) -> Self {
        let (sender, news) = channel();
        let clock = Clock::new();
        let config = RunnerConfig {
            threads: 1,
            sockets_max,
        };
        let runner = CheckRunner::start(Postbox(sender), clock.clone(), config).unwrap();
        Self {
            runner,
            clock,
            news,
        }
    }

    pub(super) fn news(&self) -> News {
        self.news.recv_timeout(PATIENCE).expect("a check ends")
    }

    /// The report of the next check that ends.
    pub(super) fn report(&self) -> Arc<CheckReport> {
        let news = self.news();
        self.runner
            .last(news.key)
            .expect("a check that ended has a report")
    }

    pub(super) fn set(&self, spec: impl Into<CheckSpec>) {
        self.runner.set(KEY, spec.into()).unwrap();
    }
}

/// Makes one check.
pub(super) fn once(spec: impl Into<CheckSpec>) -> Arc<CheckReport> {
    let checking = Checking::start();
    checking.set(spec);
    checking.report()
}

/// Makes one check, which must fail, and tells how.
pub(super) fn failure(spec: impl Into<CheckSpec>) -> (Failure, String) {
    let error = once(spec).outcome.clone().expect_err("the check must fail");
    (error.failure, error.text)
}

/// A check with the defaults, but with more patience than a busy machine needs and quick
/// repetition.
pub(super) fn http(url: &str) -> HttpCheck {
    HttpCheck {
        url: url.parse().unwrap(),
        method: Method::GET,
        headers: HeaderMap::new(),
        body: None,
        expect_status: StatusRanges::new(vec![(200, 299)]),
        expect_body: None,
        redirects: 5,
        version: HttpVersion::Auto,
        connection: Connection::Reuse,
        tls: TlsSpec {
            verify: true,
            ca_file: None,
            server_name: None,
            expires_within: None,
        },
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(10),
    }
}

pub(super) fn tcp(host: &str, port: u16) -> TcpCheck {
    TcpCheck {
        host: host.into(),
        port,
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(10),
    }
}

impl From<HttpCheck> for CheckSpec {
    fn from(check: HttpCheck) -> Self {
        Self::Http(Arc::new(check))
    }
}

impl From<TcpCheck> for CheckSpec {
    fn from(check: TcpCheck) -> Self {
        Self::Tcp(check)
    }
}
