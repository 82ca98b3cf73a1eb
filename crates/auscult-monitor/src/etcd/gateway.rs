//! etcd's requests as its gateway takes them: JSON over HTTP/1.1, of etcd 3.4 and later.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::access::{Access, Login, NoAccess};
use super::place::{Place, Scheme};
use crate::base64;

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long one request may take: etcd itself gives up after 5 s and more.
const REQUEST_MAX: Duration = Duration::from_secs(3);

/// Bytes of one answer. What is read by the page stays far below that.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Bytes of one piece of a stream: a notice of a key whose value is small.
const NOTICE_BYTES_MAX: usize = 4 << 20;

/// Why a request was not answered as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No member of the cluster could be asked, or none leads. State: nothing was done.
    Away(String),
    /// No answer came, or none that says so. State: it may have been done, or may be yet.
    Unclear(String),
    /// The cluster does not remember the asked for revision any more. State: nothing was done.
    Compacted,
    /// The cluster has no room. State: nothing was done.
    Full,
    /// The cluster wants a login, or knows of ours no more. State: nothing was done.
    LoggedOut(String),
    /// The cluster said no. State: nothing was done.
    Refused(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(text) => write!(f, "etcd cannot be asked: {text}"),
            Self::Unclear(text) => write!(f, "etcd did not answer: {text}"),
            Self::Compacted => f.write_str("etcd has forgotten what was being read"),
            Self::Full => f.write_str("etcd has no room"),
            Self::LoggedOut(text) => write!(
                f,
                "etcd wants a login ({text}): name who logs in with --settings-user"
            ),
            Self::Refused(text) => write!(f, "etcd refuses: {text}"),
        }
    }
}

type Sender = SendRequest<Full<Bytes>>;

/// Asks the members of a cluster, one after the other until one answers. Keeps one connection.
pub(super) struct Gateway {
    endpoints: Vec<String>,
    tls: Option<TlsConnector>,
    login: Option<Login>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Which endpoint is asked first.
    endpoint: usize,
    connection: Option<Sender>,
    /// What etcd gave for the login; good at all members, until it ends.
    token: Option<String>,
}

impl Gateway {
    pub(super) fn new(place: &Place, access: &Access) -> Result<Self, NoAccess> {
        let tls = match place.scheme {
            Scheme::Plain => None,
            Scheme::Tls => Some(access.connector()?),
        };
        Ok(Self {
            endpoints: place.endpoints.clone(),
            tls,
            login: access.login.clone(),
            kept: Mutex::default(),
        })
    }

    /// Has a request answered by the first member that can.
    pub(super) async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        request: &Value,
    ) -> Result<T, Failure> {
        let body = Bytes::from(request.to_string());
        let mut kept = self.kept.lock().await;
        let mut last = Failure::Away("it has no endpoints".to_owned());
        for _ in &self.endpoints {
            match self.ask_one(&mut kept, path, body.clone()).await {
                Ok(bytes) => {
                    let read = serde_json::from_slice(&bytes);
                    return read.map_err(|error| Failure::Unclear(error.to_string()));
                }
                Err(failure) => {
                    let next = matches!(failure, Failure::Away(_) | Failure::Unclear(_));
                    let again = matches!(failure, Failure::Away(_));
                    last = failure;
                    if next {
                        kept.connection = None;
                        kept.endpoint = (kept.endpoint + 1) % self.endpoints.len();
                    }
                    if !again {
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    /// Asks one member. Logs in before, and again when the login has ended.
    async fn ask_one(&self, kept: &mut Kept, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        let Some(login) = &self.login else {
            // To somebody who shows a certificate it says so in other words.
            return match self.send(kept, path, body).await {
                Err(Failure::Refused(text)) if text.contains("permission denied") => {
                    Err(Failure::LoggedOut(text))
                }
                outcome => outcome,
            };
        };
        if kept.token.is_some() {
            match self.send(kept, path, body.clone()).await {
                Err(Failure::LoggedOut(_)) => {}
                outcome => return outcome,
            }
        }
        kept.token = None;
        kept.token = Some(self.log_in(kept, login).await?);
        self.send(kept, path, body).await
    }

    async fn log_in(&self, kept: &mut Kept, login: &Login) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Authenticated {
            token: String,
        }
        let password = login.password.read().map_err(Failure::Refused)?;
        let ask = json!({ "name": login.user, "password": password });
        let ask = Bytes::from(ask.to_string());
        let answer = match self.send(kept, "auth/authenticate", ask).await {
            Err(Failure::Refused(text)) if text.contains("invalid user ID or password") => {
                let user = &login.user;
                let text = format!("the login as {user:?}: name or password is wrong");
                return Err(Failure::Refused(text));
            }
            answer => answer?,
        };
        let read: Result<Authenticated, _> = serde_json::from_slice(&answer);
        // Without the text: it may hold the token.
        let unread = |_| Failure::Refused("the answer to a login has no token".to_owned());
        Ok(read.map_err(unread)?.token)
    }

    async fn send(&self, kept: &mut Kept, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        let endpoint = &self.endpoints[kept.endpoint];
        let away = |text: String| Failure::Away(format!("{endpoint}: {text}"));
        let unclear = |text: String| Failure::Unclear(format!("{endpoint}: {text}"));
        let mut sender = match kept.connection.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect(endpoint).await.map_err(away)?,
        };
        let request = post(endpoint, path, kept.token.as_deref(), body);
        let request = request.map_err(|error| away(error.to_string()))?;
        let answered = timeout(REQUEST_MAX, async {
            let answer = sender.send_request(request).await;
            let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>((head.status, body))
        });
        let answered = answered
            .await
            .map_err(|_| unclear("timed out".to_owned()))?;
        let (status, bytes) = answered.map_err(unclear)?;
        kept.connection = Some(sender);
        if status.is_success() {
            return Ok(bytes);
        }
        let other = || {
            let text = String::from_utf8_lossy(&bytes);
            let text = format!("{status}: {}", text.lines().next().unwrap_or_default());
            match status.is_client_error() {
                true => Failure::Refused(text),
                false => unclear(text),
            }
        };
        Err(failure_in(&bytes).unwrap_or_else(other))
    }

    /// Reads the keys of a range, a page of them, as they were at a revision of the cluster.
    pub(super) async fn range(&self, range: &Range) -> Result<Found, Failure> {
        self.ask("kv/range", &range.to_json()).await
    }

    /// Makes all operations if all comparisons hold.
    pub(super) async fn transact(
        &self,
        compare: &[Value],
        make: &[Value],
    ) -> Result<Made, Failure> {
        let request = json!({ "compare": compare, "success": make });
        self.ask("kv/txn", &request).await
    }

    /// Tells of each change of a key, until the stream breaks.
    pub(super) async fn watch(&self, key: &str, mut notice: impl FnMut()) -> Failure {
        let (endpoint, token) = {
            let kept = self.kept.lock().await;
            (self.endpoints[kept.endpoint].clone(), kept.token.clone())
        };
        let watched = self.watch_at(&endpoint, token.as_deref(), key, &mut notice);
        match watched.await {
            Ok(()) => Failure::Away(format!("{endpoint}: the stream ended")),
            Err(text) => Failure::Away(format!("{endpoint}: {text}")),
        }
    }

    async fn connect(&self, endpoint: &str) -> Result<Sender, String> {
        let connecting = async {
            let stream = TcpStream::connect(endpoint).await;
            let stream = stream.map_err(|error| error.to_string())?;
            let set = stream.set_nodelay(true);
            set.map_err(|error| error.to_string())?;
            let Some(tls) = &self.tls else {
                return speak(stream).await;
            };
            let name = ServerName::try_from(host_of(endpoint).to_owned());
            let name = name.map_err(|error| error.to_string())?;
            let stream = tls.connect(name, stream).await;
            speak(stream.map_err(|error| error.to_string())?).await
        };
        match timeout(CONNECT_MAX, connecting).await {
            Ok(sender) => sender,
            Err(_) => Err("no connection in time".to_owned()),
        }
    }

    async fn watch_at(
        &self,
        endpoint: &str,
        token: Option<&str>,
        key: &str,
        notice: &mut impl FnMut(),
    ) -> Result<(), String> {
        let mut sender = self.connect(endpoint).await?;
        let request = json!({ "create_request": { "key": text(key) } });
        let request = post(endpoint, "watch", token, Bytes::from(request.to_string()));
        let request = request.map_err(|error| error.to_string())?;
        let answer = timeout(REQUEST_MAX, sender.send_request(request));
        let answer = answer.await.map_err(|_| "timed out")?;
        let mut body: Incoming = answer.map_err(|error| error.to_string())?.into_body();
        let mut pending = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| error.to_string())?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            pending.extend_from_slice(&data);
            if pending.len() > NOTICE_BYTES_MAX {
                return Err("a notice is too long".to_owned());
            }
            while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let told: Value =
                    serde_json::from_slice(&line).map_err(|error| error.to_string())?;
                if told.get("error").is_some() || told.pointer("/result/canceled").is_some() {
                    return Err(told.to_string());
                }
                notice();
            }
        }
        Ok(())
    }
}

/// Speaks HTTP over a connection.
async fn speak<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: T,
) -> Result<Sender, String> {
    let (sender, connection) =
        (handshake(TokioIo::new(stream)).await).map_err(|error| error.to_string())?;
    // Ends when the sender is dropped, or the other side closes it.
    tokio::spawn(connection);
    Ok(sender)
}

/// The name that a certificate must have.
fn host_of(endpoint: &str) -> &str {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

fn post(
    endpoint: &str,
    path: &str,
    token: Option<&str>,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::post(format!("/v3/{path}"))
        .header("host", endpoint)
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    request.body(Full::new(body))
}

/// What the gateway's error means. Its codes are those of gRPC.
fn failure_in(bytes: &[u8]) -> Option<Failure> {
    // Trailers of gRPC may follow the object.
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let value = values.next()?.ok()?;
    // It says the same under two names, and versions differ in which.
    let text = value
        .get("error")
        .or_else(|| value.get("message"))?
        .as_str()?
        .to_owned();
    let code = value.get("code").and_then(Value::as_u64)?;
    Some(match code {
        11 if text.contains("compacted") => Failure::Compacted,
        8 if text.contains("space") => Failure::Full,
        8 => Failure::Away(text),
        14 if text.contains("no leader") || text.contains("not capable") => Failure::Away(text),
        16 => Failure::LoggedOut(text),
        // These come with the code of a malformed request.
        3 if text.contains("user name is empty") || text.contains("auth store is old") => {
            Failure::LoggedOut(text)
        }
        1 | 2 | 4 | 13 | 14 => Failure::Unclear(text),
        _ => Failure::Refused(text),
    })
}

/// A range of keys to read.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) from: String,
    /// The first key that is no part of it; without it, `from` alone is.
    pub(super) to: Option<String>,
    /// How many at most; 0: all.
    pub(super) limit: u32,
    /// As of which revision of the cluster; 0: the newest, by asking its leader.
    pub(super) revision: u64,
    pub(super) values: Values,
}

/// What is read of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    With,
    Without,
}

impl Range {
    pub(super) fn to_json(&self) -> Value {
        let mut range = json!({
            "key": text(&self.from),
            "limit": self.limit.to_string(),
            "revision": self.revision.to_string(),
            "keys_only": self.values == Values::Without,
        });
        if let Some(to) = &self.to {
            range["range_end"] = Value::String(text(to));
        }
        range
    }
}

/// A text as the gateway has bytes.
pub(super) fn text(text: &str) -> String {
    base64::encode(text.as_bytes())
}

/// Puts a value under a key.
pub(super) fn put(key: &str, value: &[u8]) -> Value {
    json!({ "request_put": { "key": text(key), "value": base64::encode(value) } })
}

/// Deletes the keys of a range.
pub(super) fn delete(from: &str, to: &str) -> Value {
    json!({ "request_delete_range": { "key": text(from), "range_end": text(to) } })
}

/// That a key was last changed at this revision of the cluster; 0: that there is none.
pub(super) fn is_at(key: &str, revision: u64) -> Value {
    json!({
        "key": text(key), "target": "MOD", "result": "EQUAL",
        "mod_revision": revision.to_string(),
    })
}

/// That there is such a key.
pub(super) fn is_there(key: &str) -> Value {
    json!({ "key": text(key), "target": "VERSION", "result": "GREATER", "version": "0" })
}

/// Keys that were found.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Found {
    #[serde(default)]
    pub(super) kvs: Vec<KeyValue>,
    /// Whether there are more behind them.
    #[serde(default)]
    pub(super) more: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Header {
    /// The cluster's revision.
    #[serde(default, deserialize_with = "number")]
    pub(super) revision: u64,
    /// How many elections the cluster had.
    #[serde(default, deserialize_with = "number")]
    pub(super) raft_term: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct KeyValue {
    #[serde(deserialize_with = "name")]
    pub(super) key: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) mod_revision: u64,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) value: Vec<u8>,
}

/// What came of a transaction.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Made {
    pub(super) header: Header,
    /// Whether the comparisons held, and everything was made.
    #[serde(default)]
    pub(super) succeeded: bool,
    #[serde(default)]
    pub(super) responses: Vec<Response>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Response {
    pub(super) response_range: Option<Found>,
}

/// The gateway writes numbers of 64 bits as texts.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    base64::decode(&text).ok_or_else(|| serde::de::Error::custom("not base64"))
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::from_utf8(bytes(from)?).map_err(serde::de::Error::custom)
}
