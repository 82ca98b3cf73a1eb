//! Who asks, and what they may do.
//!
//! As long as there is no token, everybody who reaches the address may do everything. The first
//! token has the role `admin`; from then on each request shows one, but for the page's own files,
//! health and metrics. A browser sends the token as the password of its user.

use std::convert::Infallible;
use std::sync::Arc;

use auscult_core::monitor::registry::Author;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ApiState;
use super::problem::{Kind, Problem};
use crate::base64;
use crate::registry::tokens::{Bearer, Role};

/// Says who makes a change, for the history.
const AUTHOR: &str = "x-auscult-author";

/// Who makes a change where nobody says so.
const NOBODY: &str = "api";

/// The longest name of an author that is kept.
const AUTHOR_CHARS_MAX: usize = 128;

/// What everybody may read: it says how the monitor is, and nothing of what it watches but figures.
const OPEN: [&str; 6] = [
    "/",
    "/assets/auscult.js",
    "/assets/auscult.css",
    "/-/healthy",
    "/-/ready",
    "/metrics",
];

/// Where reading is changing.
const HEARTBEATS: &str = "/v1/heartbeats/";

/// Where peers publish what they measure.
const METRICS: &str = "/v1/metrics-log";

/// Where programs follow what happens.
const WATCH: &str = "/auscult.v1.Monitor/";

/// Where only an administrator may change something: the group of monitors, and its keys.
const GROUP: [&str; 3] = ["/v1/cluster", "/cluster/", "/v1/keys"];

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct By {
    /// As whom they are written down.
    pub(super) author: Author,
    /// What they may do; nothing where there are no tokens, so everything.
    role: Option<Role>,
    /// The peer that they speak for, if they speak for one only.
    pub(super) peer: Option<Arc<str>>,
}

impl By {
    /// Whether a token was shown that is in force.
    pub(super) const fn shows_token(&self) -> bool {
        self.role.is_some()
    }

    /// Refuses whoever may not do what this role may.
    pub(super) fn needs(&self, role: Role) -> Result<(), Problem> {
        match self.role {
            Some(has) if has < role => Err(forbidden(has, role)),
            Some(_) | None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let said = parts
            .headers
            .get(AUTHOR)
            .and_then(|name| name.to_str().ok());
        let said: String = said
            .unwrap_or_default()
            .trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(AUTHOR_CHARS_MAX)
            .collect();
        let bearer = parts.extensions.get::<Bearer>();
        let author = match (bearer, said.as_str()) {
            (None, "") => NOBODY.to_owned(),
            (None, said) => said.to_owned(),
            (Some(bearer), "") => bearer.name.to_string(),
            (Some(bearer), said) => format!("{}/{said}", bearer.name),
        };
        Ok(Self {
            author: Author::new(&author),
            role: bearer.map(|bearer| bearer.role),
            peer: bearer.and_then(|bearer| bearer.peer.clone()),
        })
    }
}

/// Lets a request through that shows a token which allows it.
pub(super) async fn authorize(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let tokens = state.registry().tokens();
    if tokens.is_empty() || is_open(&request) {
        return next.run(request).await;
    }
    let Some(secret) = secret(request.headers()) else {
        return Problem::new(Kind::Unauthorized)
            .detail("there are tokens, and the request shows none")
            .hint("send `Authorization: Bearer TOKEN`; for the command line, set AUSCULT_TOKEN")
            .into_response();
    };
    let Some(bearer) = tokens.bearer(&secret) else {
        return Problem::new(Kind::Unauthorized)
            .detail("nobody has this token")
            .hint("it may have been replaced or deleted")
            .into_response();
    };
    let needed = match &bearer.peer {
        // It says who speaks, and the route takes nothing of others then.
        Some(_) if request.method() == Method::POST && request.uri().path() == METRICS => {
            Role::Read
        }
        Some(_) | None => needed(&request),
    };
    if bearer.role < needed {
        return forbidden(bearer.role, needed).into_response();
    }
    request.extensions_mut().insert(bearer);
    next.run(request).await
}

fn is_open(request: &Request) -> bool {
    reads(request.method()) && OPEN.contains(&request.uri().path())
}

const fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn needed(request: &Request) -> Role {
    let path = request.uri().path();
    match reads(request.method()) {
        true if path.starts_with(HEARTBEATS) => Role::Write,
        true => Role::Read,
        // Every call of gRPC is a `POST`.
        false if path.starts_with(WATCH) => Role::Read,
        false if GROUP.iter().any(|prefix| path.starts_with(prefix)) => Role::Admin,
        false => Role::Write,
    }
}

fn forbidden(has: Role, needed: Role) -> Problem {
    let (has, needed) = (has.as_str(), needed.as_str());
    Problem::new(Kind::Forbidden).detail(format!("the token may {has}; this needs {needed}"))
}

/// The token of a request: as a bearer, or as the password of a browser's user.
fn secret(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(base64::decode(rest)?).ok()?;
    pair.split_once(':')
        .map(|(_, password)| password.to_owned())
}
