//! The side that asks, over connections that are kept.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout as within;

use super::super::rpc::{Ask, CallError, Network, Reply, Request};
use super::{
    BODY_BYTES_MAX, CONNECT_TIMEOUT, LARGE_BYTES, NoMessage, PATH, apart, decode, encode_request,
};

/// Connections to one monitor that are kept while nobody uses them.
const IDLE_MAX: usize = 8;

/// The largest description of a group.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// How long looking a group up may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

type Connection = SendRequest<Full<Bytes>>;

/// Asks other monitors over HTTP.
#[derive(Debug, Default)]
pub struct HttpNetwork {
    idle: Mutex<BTreeMap<String, Vec<Connection>>>,
}

impl Network for HttpNetwork {
    fn call<'a>(
        &'a self,
        to: &'a str,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Reply, CallError>> {
        Box::pin(async move {
            let asked = within(timeout, self.ask(to, request)).await;
            asked.unwrap_or_else(|_| Err(broken("it takes too long")))
        })
    }

    fn lookup<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async move {
            let found = within(LOOKUP_TIMEOUT, self.find(address)).await;
            match found {
                Ok(Some(found)) if !found.is_empty() => found,
                Ok(_) | Err(_) => vec![address.to_owned()],
            }
        })
    }
}

impl HttpNetwork {
    async fn ask(&self, to: &str, request: Request) -> Result<Reply, CallError> {
        let unreadable = |NoMessage(text)| broken(&text);
        let size = size(&request.ask);
        let body = apart(size, move || encode_request(request)).await;
        let body = body.and_then(|body| body).map_err(unreadable)?;
        if body.len() > BODY_BYTES_MAX {
            return Err(broken("it is larger than monitors take"));
        }
        let post = hyper::Request::post(PATH)
            .header(HOST, to)
            .header(CONTENT_LENGTH, body.len())
            .body(Full::new(body))
            .map_err(|error| broken(&error.to_string()))?;
        let (status, bytes) = self.send(to, post, BODY_BYTES_MAX).await?;
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(&bytes);
            return Err(broken(&format!("{status}: {}", text.trim_end())));
        }
        let decoded = decode::<Reply>(&bytes).map_err(unreadable)?;
        Ok(decoded.0)
    }

    async fn send(
        &self,
        to: &str,
        request: hyper::Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let mut request = request;
        loop {
            let (mut connection, is_new) = match self.take(to) {
                Some(connection) => (connection, false),
                None => (connect(to).await?, true),
            };
            let response = match connection.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    // The other side had closed it, and heard nothing.
                    Some(unsent) if !is_new => {
                        request = unsent;
                        continue;
                    }
                    Some(_) => return Err(CallError::Unreachable(error.error().to_string())),
                    None => return Err(broken(&error.error().to_string())),
                },
            };
            let status = response.status();
            let body = Limited::new(response.into_body(), bytes_max);
            let body = body.collect().await;
            let body = body.map_err(|error| broken(&error.to_string()))?;
            self.keep(to, connection);
            return Ok((status, body.to_bytes()));
        }
    }

    fn take(&self, to: &str) -> Option<Connection> {
        let mut idle = self.idle.lock();
        let connections = idle.get_mut(to)?;
        loop {
            let connection = connections.pop()?;
            if connection.is_ready() {
                return Some(connection);
            }
        }
    }

    fn keep(&self, to: &str, connection: Connection) {
        let mut idle = self.idle.lock();
        let connections = idle.entry(to.to_owned()).or_default();
        connections.retain(|kept| !kept.is_closed());
        if connections.len() < IDLE_MAX {
            connections.push(connection);
        }
    }

    /// Where the monitors are of which an address for clients tells.
    async fn find(&self, address: &str) -> Option<Vec<String>> {
        let get = hyper::Request::builder()
            .method(Method::GET)
            .uri("/v1/cluster")
            .header(HOST, address)
            .body(Full::default())
            .ok()?;
        let (status, bytes) = self.send(address, get, GROUP_BYTES_MAX).await.ok()?;
        if status != StatusCode::OK {
            return None;
        }
        let group: Value = serde_json::from_slice(&bytes).ok()?;
        let monitors = group.get("monitors")?.as_array()?;
        let addresses = monitors.iter().filter_map(|monitor| {
            let address = monitor.get("raft")?.as_str()?;
            (!address.is_empty()).then(|| address.to_owned())
        });
        Some(addresses.collect())
    }
}

async fn connect(to: &str) -> Result<Connection, CallError> {
    let unreachable = |error: &dyn std::error::Error| CallError::Unreachable(error.to_string());
    let stream = match within(CONNECT_TIMEOUT, TcpStream::connect(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(unreachable(&error)),
        Err(_) => return Err(CallError::Unreachable("it does not answer".to_owned())),
    };
    // Only slower without.
    let _best_effort = stream.set_nodelay(true);
    let (connection, driver) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(&error))?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "a connection to another monitor broke");
        }
    });
    Ok(connection)
}

/// About how many bytes it will be.
fn size(ask: &Ask) -> usize {
    match ask {
        Ask::Append(append) if !append.entries.is_empty() => LARGE_BYTES,
        Ask::Change(command) if command.0.edits.len() > 100 => LARGE_BYTES,
        Ask::Snapshot(_) => LARGE_BYTES,
        Ask::Append(_)
        | Ask::Change(_)
        | Ask::Vote(_)
        | Ask::Canvass { .. }
        | Ask::Confirm
        | Ask::Invite
        | Ask::Summon { .. }
        | Ask::Join { .. }
        | Ask::Promote { .. }
        | Ask::Remove { .. }
        | Ask::Transfer { .. }
        | Ask::Observe(_)
        | Ask::Campaign => 0,
    }
}

fn broken(text: &str) -> CallError {
    CallError::Broken(text.to_owned())
}
