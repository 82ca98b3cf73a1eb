//! `POST /v1/metrics-log`: peers say what they measured.

use auscult_core::peer_metric::{Rejection, Sender};
use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::reading::{NotTaken, Written};
use crate::api::ApiState;
use crate::api::json::{self, Json};
use crate::api::problem::{Fault, Kind, Problem};
use crate::api::who::By;

/// A thousand readings with values of a kilobyte.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Readings that are published in one request.
const READINGS_MAX: usize = 1_000;

/// Faults that are told of one request; the others are counted.
const FAULTS_TOLD_MAX: usize = 100;

/// How many readings were taken.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Taken {
    /// All of them.
    taken: usize,
}

/// A reading as a peer publishes it.
#[expect(
    dead_code,
    reason = "it describes what is read field by field, so that all faults are told"
)]
#[derive(ToSchema)]
pub(in crate::api) struct PublishedMetric {
    /// The metric.
    #[schema(example = "freespace")]
    name: String,
    /// Whose; may be left out with a token that is bound to a peer.
    #[schema(example = "node-1")]
    peer: Option<String>,
    /// The value, at most 4096 bytes: a text, or a number or truth value, which is kept as text.
    #[schema(value_type = String, example = "93412")]
    value: String,
    /// How long it is good for, counted by the monitor's clock from its arrival: `30s`, or a
    /// number of seconds.
    #[schema(value_type = String, example = "30s")]
    ttl: String,
    /// Whether there is a value; false says that the peer lives and cannot tell it. Default true.
    valid: Option<bool>,
    /// How much the value counts beside those of others. Default 0.
    weight: Option<i64>,
    /// Any number that differs between the runs of the sender: with another one a new window
    /// begins, so that the pause of a restart is no interval.
    epoch: Option<u64>,
}

/// One or many.
#[expect(
    dead_code,
    reason = "it describes what is read field by field, so that all faults are told"
)]
#[derive(ToSchema)]
#[serde(untagged)]
pub(in crate::api) enum Published {
    /// One.
    One(PublishedMetric),
    /// Many, at most 1000.
    Many(Vec<PublishedMetric>),
}

/// Publishes metrics of peers: one as an object, or up to 1000 as a list.
///
/// Of a list, those are taken that are right; when some are not, the answer is a problem that says
/// which and how many were taken. Where there are tokens, one that is bound to a peer may publish
/// metrics of that peer whatever its role, and of nobody else; one that is not needs the role
/// `write`, and may speak for every peer.
#[utoipa::path(post, path = "/v1/metrics-log", tag = "metrics",
    request_body = Published,
    responses(
        (status = 200, description = "All were taken", body = Taken),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 403, description = "Not the peer that the token speaks for, or no token where \
            heartbeats must be signed", body = Problem),
        (status = 404, description = "No such peer", body = Problem),
        (status = 409, description = "No room for more", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 422, description = "A name, value or time to live is not valid", body = Problem),
    ))]
pub(in crate::api) async fn publish(
    State(state): State<ApiState>,
    by: By,
    request: Request,
) -> Result<Json<Taken>, Problem> {
    if !by.shows_token() && state.registry().key().load().is_some() {
        return Err(Problem::new(Kind::Unsigned)
            .detail("this monitor takes signed heartbeats only, and metrics are not signed")
            .hint("make a token that is bound to the peer, and send it"));
    }
    let body = json::read_json(request, BODY_BYTES_MAX).await;
    let body = body.inspect_err(|_| state.peer_metrics().refuse(Rejection::Malformed))?;
    let list = body.as_array();
    let items = list.map_or(std::slice::from_ref(&body), Vec::as_slice);
    if items.len() > READINGS_MAX {
        state.peer_metrics().refuse(Rejection::Malformed);
        return Err(Problem::new(Kind::BodyTooLarge)
            .detail(format!(
                "{} readings are more than {READINGS_MAX}",
                items.len()
            ))
            .hint("send them in several requests"));
    }
    let mut taken = 0;
    let mut wrong = Wrong::default();
    for (at, item) in items.iter().enumerate() {
        let place = list.map_or_else(String::new, |_| format!("/{at}"));
        match take(&state, by.peer.as_deref(), item) {
            Ok(()) => taken += 1,
            Err(refused) => wrong.add(&place, refused),
        }
    }
    match wrong.problem(taken, items.len()) {
        None => Ok(Json(Taken { taken })),
        Some(problem) => Err(problem),
    }
}

fn take(state: &ApiState, bound: Option<&str>, item: &Value) -> Result<(), NotTaken> {
    let monitor = state.peer_metrics();
    let unreadable = |error: &NotTaken| monitor.refuse(error.reason);
    let written = Written::read(item).inspect_err(unreadable)?;
    let reading = written.reading(bound).inspect_err(unreadable)?;
    let sender = bound.map_or(Sender::Trusted, Sender::Peer);
    let logged = monitor.publish(sender, &reading);
    logged.map_err(|reason| NotTaken::new(reason, field_of(reason), reason.to_string()))
}

const fn field_of(reason: Rejection) -> &'static str {
    match reason {
        Rejection::ForeignPeer | Rejection::UnknownPeer | Rejection::TooManyPeers => "peer",
        Rejection::Value | Rejection::TooManyBytes => "value",
        Rejection::Ttl => "ttl",
        Rejection::TooManyNames => "name",
        Rejection::Malformed | Rejection::Name | Rejection::Stale | Rejection::TooManySeries => "",
    }
}

const fn kind_of(reason: Rejection) -> Kind {
    match reason {
        Rejection::Malformed => Kind::Malformed,
        Rejection::Name | Rejection::Value | Rejection::Ttl => Kind::Invalid,
        Rejection::ForeignPeer => Kind::Forbidden,
        Rejection::UnknownPeer => Kind::UnknownName,
        Rejection::Stale => Kind::Stale,
        Rejection::TooManyNames
        | Rejection::TooManyPeers
        | Rejection::TooManySeries
        | Rejection::TooManyBytes => Kind::Full,
    }
}

const fn hint_of(reason: Rejection) -> &'static str {
    match reason {
        Rejection::Malformed => "a reading is {name, peer, value, ttl, valid, weight, epoch}",
        Rejection::Name => "a name has at most 128 letters, digits and - _ . : @ / ~ +",
        Rejection::ForeignPeer => "leave peer out: the token says whose it is",
        Rejection::UnknownPeer => {
            "name it under peer_metrics.peers in the settings, or set peer_metrics.create"
        }
        Rejection::Value => "publish a summary, and the address of the rest",
        Rejection::Ttl => "see peer_metrics.ttl_min and ttl_max in the settings",
        Rejection::Stale => "send the readings of one metric one after the other",
        Rejection::TooManyNames
        | Rejection::TooManyPeers
        | Rejection::TooManySeries
        | Rejection::TooManyBytes => {
            "forget what is not needed with DELETE /v1/metrics-log?peer=..., or raise the limit in \
             the settings"
        }
    }
}

/// What was wrong with a request.
#[derive(Default)]
struct Wrong {
    first: Option<Rejection>,
    count: usize,
    faults: Vec<Fault>,
}

impl Wrong {
    fn add(&mut self, place: &str, refused: NotTaken) {
        self.first.get_or_insert(refused.reason);
        self.count += 1;
        if self.faults.len() < FAULTS_TOLD_MAX {
            let pointer = match refused.field {
                "" => place.to_owned(),
                field => format!("{place}/{field}"),
            };
            self.faults.push(Fault {
                pointer,
                detail: refused.detail,
                hint: None,
            });
        }
    }

    fn problem(self, taken: usize, all: usize) -> Option<Problem> {
        let first = self.first?;
        let detail = match (all, self.faults.first()) {
            (1, Some(fault)) => fault.detail.clone(),
            _ => format!(
                "{} of {all} readings are wrong, and {taken} were taken",
                self.count
            ),
        };
        let problem = Problem::new(kind_of(first)).detail(detail);
        Some(problem.hint(hint_of(first)).errors(self.faults))
    }
}
