//! The simulated server: answers `GET /heartbeat`, and misbehaves as `/control` tells it.
//!
//! It speaks hyper directly rather than through a router, because closing a connection without an
//! answer is part of what it is for.

mod behaviour;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_monitor::clock::Clock;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

pub(crate) use behaviour::Behaviour;

/// What a control request may weigh: the three fields with room for odd white space.
const CONTROL_BYTES_MAX: usize = 4096;

/// Connections at once, so that a flood of them cannot exhaust the process; more wait in the
/// kernel.
const CONNECTIONS_MAX: usize = 4096;

/// A simulated server that answers while [`serve`](Self::serve) is polled.
pub(crate) struct Pulser {
    listener: TcpListener,
    addr: SocketAddr,
    state: State,
}

/// What its connections share.
struct State {
    clock: Clock,
    behaviour: watch::Sender<Behaviour>,
}

impl Pulser {
    /// Listens at `addr`; port 0 takes a free one.
    pub(crate) async fn bind(addr: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        Ok(Self {
            addr: listener.local_addr()?,
            listener,
            state: State {
                clock: Clock::new(),
                behaviour: watch::Sender::new(behaviour),
            },
        })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers requests, for ever.
    pub(crate) async fn serve(self) -> Infallible {
        let state = Arc::new(self.state);
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = Arc::clone(&connections).acquire_owned().await;
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, or the caller has gone already: both pass.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let _permit = permit;
                serve_connection(stream, &state).await;
            });
        }
    }
}

async fn serve_connection(stream: TcpStream, state: &State) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, state));
    // The time-out (30 s by default) is what the timer is for: it ends idle and slow clients.
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

/// The request is dropped: hyper closes the connection without an answer.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

async fn answer(
    request: Request<Incoming>,
    state: &State,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let behaviour = &state.behaviour;
    let path = request.uri().path();
    match (path, request.method()) {
        ("/heartbeat", &Method::GET | &Method::HEAD) => heartbeat(state).await,
        ("/control", &Method::GET | &Method::HEAD) => Ok(current(behaviour)),
        ("/control", &Method::POST) => Ok(control(request, behaviour).await),
        ("/heartbeat", _) => Ok(not_allowed("GET, HEAD")),
        ("/control", _) => Ok(not_allowed("GET, HEAD, POST")),
        _ => {
            let text = "there is GET /heartbeat, GET /control and POST /control";
            Ok(refusal(StatusCode::NOT_FOUND, text))
        }
    }
}

/// Waits, drops or answers. A waiting request notices a change, so a delay that is taken back ends
/// at once.
async fn heartbeat(state: &State) -> Result<Response<Full<Bytes>>, Dropped> {
    let arrived_at = state.clock.now();
    let mut changes = state.behaviour.subscribe();
    let now = loop {
        let now = *changes.borrow_and_update();
        let due = state.clock.std(arrived_at.after(now.delay()));
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(due.into()) => break now,
            // The sender lives as long as this connection, so this is never an error.
            _ = changes.changed() => {}
        }
    };
    if now.drops() {
        return Err(Dropped);
    }
    let status = now.status();
    let text = if status.is_success() {
        "OK".to_owned()
    } else {
        status.to_string()
    };
    Ok(respond(status, "text/plain; charset=utf-8", text))
}

fn current(behaviour: &watch::Sender<Behaviour>) -> Response<Full<Bytes>> {
    let text = behaviour.borrow().to_json();
    respond(StatusCode::OK, "application/json", text)
}

async fn control(
    request: Request<Incoming>,
    behaviour: &watch::Sender<Behaviour>,
) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), CONTROL_BYTES_MAX);
    let Ok(body) = body.collect().await else {
        let text = format!("the body must be at most {CONTROL_BYTES_MAX} bytes, and whole");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, &text);
    };
    let changed = behaviour.borrow().changed(&body.to_bytes());
    match changed {
        Ok(changed) => {
            behaviour.send_replace(changed);
            tracing::info!(behaviour = changed.to_json(), "control");
            current(behaviour)
        }
        Err(text) => refusal(StatusCode::BAD_REQUEST, &text),
    }
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let text = format!("only {allowed} here");
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, &text);
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn refusal(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "error": text }).to_string();
    respond(status, "application/json", body)
}

fn respond(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text + "\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
