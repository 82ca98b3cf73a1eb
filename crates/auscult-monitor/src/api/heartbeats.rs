//! Heartbeats over HTTP: what a cron job's curl sends. Each is stamped when its head was read,
//! before its body.

use auscult_core::id::check_name;
use auscult_core::monitor::{Arrival, Rejection, Source};
use auscult_core::time::Instant;
use auscult_core::wire::heartbeat::{Heartbeat, Received, decode};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ApiState;
use super::extract::{Named, Params};
use super::json;
use super::problem::{Fault, Kind, Problem};
use super::views::Time;
use crate::ingest::{Admission, Admitted};

/// A note that comes with a heartbeat, such as the output of a job: read, not kept.
const BODY_BYTES_MAX: usize = 64 * 1024;

const KEYS: &[&str] = &["signal", "seq", "interval", "mac"];

/// What a heartbeat was taken for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeartbeatTaken {
    /// The target.
    target: String,
    /// When it arrived.
    received_at: Time,
    /// Whether it was there already, sent again: it counts once.
    duplicate: bool,
}

/// Says 'I am here' for a target, with nothing but an address.
///
/// Answers `OK`, or JSON where `Accept` asks for it.
#[utoipa::path(get, path = "/v1/heartbeats/{target}", tag = "heartbeats",
    params(
        ("target" = String, Path,
            description = "The target's name, percent-encoded as one segment"),
        ("signal" = Option<String>, Query, description = "One of its signals; else the first"),
        ("seq" = Option<u64>, Query, description = "The number of this heartbeat; must grow"),
        ("interval" = Option<String>, Query,
            description = "When the next one comes, such as `30s` or `1d`"),
        ("mac" = Option<String>, Query, description = "With a key: HMAC-SHA256 over \
            `TARGET [signal=S] [seq=N] [interval=I]`, as api/wire.md says"),
    ),
    responses(
        (status = 200, description = "Taken",
            content((String = "text/plain"), (HeartbeatTaken = "application/json"))),
        (status = 400, description = "It cannot be read", body = Problem),
        (status = 403, description = "It is not signed as it must be", body = Problem),
        (status = 404, description = "No such target or signal", body = Problem),
        (status = 409, description = "Its number is too old, or no more targets are created",
            body = Problem),
    ))]
pub(super) async fn get(
    State(state): State<ApiState>,
    Named(target): Named,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let received_at = state.clock().now();
    let fields = Fields::of_query(params)?;
    take(&state, &target, &fields, received_at, &headers)
}

/// Says 'I am here' for a target.
///
/// The fields stand in the query, or in a JSON object as the body. A body of any other kind is a
/// note; it is not kept.
#[utoipa::path(post, path = "/v1/heartbeats/{target}", tag = "heartbeats",
    params(
        ("target" = String, Path,
            description = "The target's name, percent-encoded as one segment"),
        ("signal" = Option<String>, Query, description = "One of its signals; else the first"),
        ("seq" = Option<u64>, Query, description = "The number of this heartbeat; must grow"),
        ("interval" = Option<String>, Query,
            description = "When the next one comes, such as `30s` or `1d`"),
        ("mac" = Option<String>, Query, description = "With a key: HMAC-SHA256 over \
            `TARGET [signal=S] [seq=N] [interval=I]`, as api/wire.md says"),
    ),
    request_body(content = Option<Fields>, content_type = "application/json"),
    responses(
        (status = 200, description = "Taken",
            content((String = "text/plain"), (HeartbeatTaken = "application/json"))),
        (status = 400, description = "It cannot be read", body = Problem),
        (status = 403, description = "It is not signed as it must be", body = Problem),
        (status = 404, description = "No such target or signal", body = Problem),
        (status = 409, description = "Its number is too old, or no more targets are created",
            body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
    ))]
pub(super) async fn post(
    State(state): State<ApiState>,
    Named(target): Named,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let received_at = state.clock().now();
    let mut fields = Fields::of_query(params)?;
    let headers = request.headers().clone();
    let body = json::read_body(request, BODY_BYTES_MAX).await?;
    fields.add_body(&body)?;
    take(&state, &target, &fields, received_at, &headers)
}

/// What a heartbeat says beside its target.
#[derive(Debug, Default, ToSchema)]
pub(super) struct Fields {
    /// One of the target's signals; else the first.
    signal: Option<String>,
    /// The number of this heartbeat; must grow.
    #[schema(value_type = Option<u64>)]
    seq: Option<String>,
    /// When the next one comes, such as `30s` or `1d`.
    interval: Option<String>,
    /// With a key: the code.
    mac: Option<String>,
}

impl Fields {
    fn of_query(params: Params) -> Result<Self, Problem> {
        let mut fields = Self::default();
        for (key, value) in params.known(KEYS)? {
            fields.set(&key, value)?;
        }
        Ok(fields)
    }

    fn set(&mut self, key: &str, value: String) -> Result<(), Problem> {
        if value.is_empty() || value.chars().any(char::is_whitespace) {
            return Err(malformed(
                key,
                format!("{key} is empty or has blanks in it"),
            ));
        }
        let field = match key {
            "signal" => &mut self.signal,
            "seq" => &mut self.seq,
            "interval" => &mut self.interval,
            _ => &mut self.mac,
        };
        *field = Some(value);
        Ok(())
    }

    fn add_body(&mut self, body: &[u8]) -> Result<(), Problem> {
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Ok(());
        }
        let Value::Object(fields) = json::parse(body)? else {
            return Ok(());
        };
        for (key, value) in fields {
            if !KEYS.contains(&key.as_str()) {
                let hint = format!("it takes {}", KEYS.join(", "));
                let problem = malformed(&key, format!("the heartbeat has no field {key}"));
                return Err(problem.hint(hint));
            }
            match value {
                Value::Null => {}
                Value::String(text) => self.set(&key, text)?,
                Value::Number(number) => self.set(&key, number.to_string())?,
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(malformed(&key, format!("{key} must be a text or a number")));
                }
            }
        }
        Ok(())
    }

    /// The heartbeat in the text form of datagrams, so that there is one reading of it, and one
    /// code over it.
    fn line(&self, target: &str) -> String {
        let mut line = target.to_owned();
        for (key, value) in [
            ("signal", &self.signal),
            ("seq", &self.seq),
            ("interval", &self.interval),
            ("mac", &self.mac),
        ] {
            if let Some(value) = value {
                line = line + " " + key + "=" + value;
            }
        }
        line
    }
}

fn take(
    state: &ApiState,
    target: &str,
    fields: &Fields,
    received_at: Instant,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    if check_name(target).is_err() {
        return Err(unknown_target(target));
    }
    let line = fields.line(target);
    let received = match decode(line.as_bytes()).next() {
        Some(Ok(received)) => received,
        Some(Err(error)) => return Err(malformed("", error.to_string())),
        None => return Err(malformed("", "it is empty".to_owned())),
    };
    verify(state, &received)?;
    let heartbeat = received.heartbeat;
    let arrival = Arrival {
        source: Source::Name {
            target: heartbeat.target,
            signal: heartbeat.signal,
        },
        received_at,
        sequence: heartbeat.sequence,
        interval_hint: heartbeat.interval_hint,
    };
    let duplicate = match give(state, arrival) {
        Err(Rejection::UnknownTarget) => {
            admit(state, target, &arrival)?;
            outcome(&heartbeat, give(state, arrival))?
        }
        other => outcome(&heartbeat, other)?,
    };
    let json = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    let mut response = if json {
        let taken = HeartbeatTaken {
            target: target.to_owned(),
            received_at: Time::of(state.clock(), received_at),
            duplicate,
        };
        json::answer(StatusCode::OK, &taken)
    } else {
        let mut response = "OK\n".into_response();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        response
    };
    // A cache that answers for us would keep a dead program alive.
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    Ok(response)
}

/// With a key, only what is signed and numbered is taken, as over UDP.
fn verify(state: &ApiState, received: &Received<'_>) -> Result<(), Problem> {
    let key = state.registry().key();
    let Some(key) = key.load_full() else {
        return Ok(());
    };
    let unsigned = |detail: &str| {
        Err(Problem::new(Kind::Unsigned)
            .detail(detail)
            .hint("sign it as api/wire.md says, with the key of the settings"))
    };
    match &received.mac {
        None => unsigned("this monitor takes signed heartbeats only, and mac is missing"),
        Some(mac) if !key.verify(mac) => unsigned("mac is wrong"),
        Some(_) if received.heartbeat.sequence.is_none() => {
            unsigned("a signed heartbeat needs seq, or it could be recorded and sent again")
        }
        Some(_) => Ok(()),
    }
}

fn give(state: &ApiState, arrival: Arrival<'_>) -> Result<(), Rejection> {
    let tally = state.engine().heartbeats(&[arrival]);
    tally
        .rejections()
        .next()
        .map_or(Ok(()), |(reason, _)| Err(reason))
}

/// Creates the target of a heartbeat, where the settings say so.
fn admit(state: &ApiState, target: &str, arrival: &Arrival<'_>) -> Result<(), Problem> {
    let registry = state.registry();
    if !registry.is_open() {
        return Err(unknown_target(target));
    }
    match registry.admit(arrival) {
        Admitted::Created => Ok(()),
        Admitted::Refused => Err(unknown_target(target)),
        Admitted::Full => Err(Problem::new(Kind::Full)
            .detail("as many targets as allowed were created by heartbeats already")
            .hint("raise heartbeats.targets_max in the settings, or describe the target there")),
    }
}

/// Whether it was there already, or why it was not taken.
fn outcome(heartbeat: &Heartbeat<'_>, given: Result<(), Rejection>) -> Result<bool, Problem> {
    match given {
        Ok(()) => Ok(false),
        // Sent again because the answer got lost: the sender did right.
        Err(Rejection::Duplicate) => Ok(true),
        Err(Rejection::UnknownTarget) => Err(unknown_target(heartbeat.target)),
        Err(Rejection::UnknownSignal | Rejection::StaleKey) => {
            let signal = heartbeat.signal.unwrap_or_default();
            let target = heartbeat.target;
            Err(Problem::new(Kind::UnknownSignal)
                .detail(format!("{target} has no signal named {signal:?}"))
                .hint("leave signal out for the first one"))
        }
        Err(Rejection::Told) => Err(Problem::new(Kind::IsMember)
            .detail(format!("the group of members judges {}", heartbeat.target))
            .hint("send heartbeats of another target")),
        Err(Rejection::Stale) => Err(Problem::new(Kind::Stale)
            .detail("seq is smaller than that of the last heartbeat")
            .hint("begin with the wall clock after a restart, for example seq=$(date +%s%N)")),
    }
}

fn unknown_target(target: &str) -> Problem {
    Problem::new(Kind::UnknownTarget)
        .detail(format!("there is no target named {target:?}"))
        .hint("add it first, or set heartbeats.create in the settings")
}

fn malformed(field: &str, detail: String) -> Problem {
    let pointer = if field.is_empty() {
        String::new()
    } else {
        format!("/{field}")
    };
    Problem::new(Kind::Malformed)
        .detail(format!("the heartbeat cannot be read: {detail}"))
        .errors(vec![Fault {
            pointer,
            detail,
            hint: None,
        }])
}
