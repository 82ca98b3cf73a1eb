//! What every request passes: foreign pages are kept out, problems are counted, answers are
//! labelled.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::{Kind, Problem};

/// Heartbeats are sent from anywhere, and change nothing but the time of the last arrival.
const HEARTBEATS: &str = "/v1/heartbeats/";

/// Refuses changes that a page of another site asks a browser to make. There is no authentication
/// yet, and a browser on this machine reaches the loopback address, so the browser's own word about
/// the origin is what keeps a visited page from changing what is watched. Programs send neither
/// header.
pub async fn same_origin(request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads || request.uri().path().starts_with(HEARTBEATS) {
        return next.run(request).await;
    }
    if is_foreign(request.headers()) {
        return Problem::new(Kind::ForeignOrigin)
            .detail("the request comes from a page of another origin")
            .hint("use the API from a program, or the page that this server has itself")
            .into_response();
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let fetch_site = HeaderName::from_static("sec-fetch-site");
    if let Some(site) = headers.get(fetch_site) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let authority = origin
        .as_bytes()
        .strip_prefix(b"http://")
        .or_else(|| origin.as_bytes().strip_prefix(b"https://"));
    authority.is_none() || authority != host
}

/// Counts answers and problems, and adds the headers that every answer has.
pub async fn label(
    State(counters): State<Arc<RequestCounters>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    counters.count(response.status(), response.extensions().get::<Kind>());
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// For an address that is none of ours.
pub async fn unknown_route(request: Request) -> Problem {
    Problem::new(Kind::UnknownRoute)
        .detail(format!("{} is not an address here", request.uri().path()))
        .hint("GET /v1/openapi.json lists them")
}

/// For an address of ours with a method it does not take; the `Allow` header names those it takes.
pub async fn unknown_method(request: Request) -> Problem {
    Problem::new(Kind::MethodNotAllowed).detail(format!(
        "{} does not take {}",
        request.uri().path(),
        request.method()
    ))
}

/// Counts of answers by class of status, and of problems by kind.
#[derive(Debug)]
pub struct RequestCounters {
    classes: [AtomicU64; 5],
    problems: [AtomicU64; Kind::ALL.len()],
}

impl Default for RequestCounters {
    fn default() -> Self {
        Self {
            classes: Default::default(),
            problems: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl RequestCounters {
    fn count(&self, status: StatusCode, problem: Option<&Kind>) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.classes.get(class) {
            counter.fetch_add(1, Relaxed);
        }
        if let Some(&kind) = problem
            && let Some(counter) = self.problems.get(kind as usize)
        {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Answers by class of status.
    pub fn classes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let counts = self.classes.iter().map(|count| count.load(Relaxed));
        names.into_iter().zip(counts)
    }

    /// Problems by kind.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.problems.iter().map(|count| count.load(Relaxed));
        Kind::ALL.iter().map(|kind| kind.as_str()).zip(counts)
    }
}
