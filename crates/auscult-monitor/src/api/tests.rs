//! The routes, asked as a client asks them.

mod alerts;
mod compat;
mod connections;
mod contract;
mod heartbeats;
mod history;
mod metrics_log;
mod operation;
mod settings;
mod streams;
mod tokens;
mod watch;
mod watched;

use std::path::PathBuf;

use auscult_core::monitor::{Failure, MonitorConfig, SignalKey};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::check::{RunnerConfig, Sink};
use crate::registry::FileTargets;
use crate::registry::memory::Memory;

/// A monitor without a network.
struct Bench {
    router: Router,
    events: EventLog,
    stopper: Stopper,
    peers: PeerMonitor,
    shared: Arc<Memory>,
    history: Option<History>,
}

/// Forgets what checks say: here they are not made, but told.
struct Nowhere;

impl Sink for Nowhere {
    fn arrival(&self, _key: SignalKey, _at: Instant) {}
    fn failed(&self, _key: SignalKey, _at: Instant, _failure: Failure) {}
}

impl Bench {
    fn new() -> Self {
        Self::with_settings(None)
    }

    fn with_settings(file: Option<PathBuf>) -> Self {
        Self::build(file, None)
    }

    /// A monitor that keeps a history in this folder.
    fn remembering(folder: &std::path::Path) -> Self {
        Self::build(None, Some(folder))
    }

    fn build(file: Option<PathBuf>, folder: Option<&std::path::Path>) -> Self {
        let clock = Clock::new();
        let events = EventLog::keeping(8, clock.clone());
        let config = MonitorConfig::server();
        let engine = Engine::start(config, clock.clone(), events.clone()).expect("an engine");
        let runner = RunnerConfig {
            threads: 1,
            sockets_max: 8,
        };
        let checks = Arc::new(CheckRunner::start(Nowhere, clock, runner).expect("a runner"));
        let shared = Arc::new(Memory::new());
        let registry = Registry::new(
            engine.clone(),
            Arc::clone(&checks),
            shared.clone(),
            file,
            FileTargets::Own,
        );
        let registry = Arc::new(registry);
        registry.reload().expect("settings");
        let (stopper, stop) = Stop::channel();
        let history = folder.map(|folder| History::new(folder, &engine));
        if let Some(history) = &history {
            let (checks, registry) = (Arc::clone(&checks), Arc::clone(&registry));
            history
                .start(engine.clone(), checks, registry)
                .expect("a thread");
        }
        let alerts = AlertDesk::new(engine.clock().clone(), &registry.settings().alerts, None);
        alerts.start(engine.clone(), Arc::clone(&registry), None, stop.clone());
        let config = registry.settings().peer_metrics.config.clone();
        let peer_metrics = PeerMonitor::start(config, engine.clock().clone());
        peer_metrics.follow(&alerts, Arc::clone(&registry), None, None, &stop);
        let state = ApiState::new(ApiParts {
            engine,
            registry,
            checks,
            udp: None,
            stop,
            connections: Arc::default(),
            agent: None,
            node: None,
            observatory: None,
            alerts,
            peer_metrics: peer_metrics.clone(),
            history: history.clone(),
        });
        Self {
            router: router(state),
            peers: peer_metrics,
            events,
            stopper,
            shared,
            history,
        }
    }

    /// Adds a target that is heard by heartbeats.
    async fn add(&self, id: &str) {
        let path = format!("/v1/targets/{}", targets::encode(id));
        let body = r#"{"push": {"interval": "1s"}}"#;
        let answer = self.ask(Method::PUT, &path, &[], body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let response = self.open(method, path, headers, body).await;
        Answer::read(response).await
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body.to_owned()))
            .expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer")
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// Asserts that this is a problem of that status and kind, and returns its detail.
    fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["type"], format!("urn:auscult:problem:{kind}"));
        assert_eq!(json["status"], status);
        assert!(json["title"].is_string());
        json["detail"].as_str().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let bench = Bench::new();
    let detail = bench
        .get("/nothing/here")
        .await
        .problem(404, "unknown_route");
    assert_eq!(detail, "/nothing/here is not an address here");
    let answer = bench.ask(Method::DELETE, "/-/healthy", &[], "").await;
    let detail = answer.problem(405, "method_not_allowed");
    assert_eq!(detail, "/-/healthy does not take DELETE");
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing() {
    let bench = Bench::new();
    let foreign: [&[(&str, &str)]; 4] = [
        &[
            ("sec-fetch-site", "cross-site"),
            ("host", "a:1"),
            ("origin", "http://a:1"),
        ],
        &[("sec-fetch-site", "same-site")],
        &[
            ("origin", "http://evil.example"),
            ("host", "localhost:8000"),
        ],
        &[("origin", "null"), ("host", "localhost:8000")],
    ];
    for headers in foreign {
        let answer = bench.ask(Method::POST, "/-/healthy", headers, "").await;
        answer.problem(403, "foreign_origin");
        let answer = bench.ask(Method::GET, "/-/healthy", headers, "").await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "reading is for everyone, but without CORS"
        );
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let own: [&[(&str, &str)]; 4] = [
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[
            ("origin", "http://localhost:8000"),
            ("host", "localhost:8000"),
        ],
    ];
    for headers in own {
        let answer = bench.ask(Method::POST, "/-/healthy", headers, "").await;
        answer.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn the_page_is_small_closed_and_asked_for_again_cheaply() {
    let bench = Bench::new();
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/auscult.js", "text/javascript; charset=utf-8"),
        ("/assets/auscult.css", "text/css; charset=utf-8"),
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), media_type);
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'")
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(
            !answer.body.contains("http://") || !answer.body.contains("src=\"http"),
            "{path}"
        );
        let tag = answer.header("etag").to_owned();
        let again = bench
            .ask(Method::GET, path, &[("if-none-match", &tag)], "")
            .await;
        assert_eq!(
            (again.status, again.body.as_str()),
            (StatusCode::NOT_MODIFIED, "")
        );
    }
}
