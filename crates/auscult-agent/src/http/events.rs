//! The events of members as JSON.

use auscult_core::swim::{Accusation, Attempt, Event, EventKind, Outcome, Path};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::AgentState;
use super::extract::Params;
use super::log::{EventPage, ServedLog, Show};
use super::members::{AccuserView, LinkView, SuspicionView};
use super::problem::Problem;
use super::time::{Time, millis};
use crate::clock::Clock;
use crate::event::AgentEvent;
use crate::events::LoggedEvent;

/// Something that happened to a member, or that an operator should know of this one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberEvent {
    /// Its number; to be given as `since` or `Last-Event-ID`.
    id: u64,
    /// When it happened.
    at: Time,
    /// What happened: joined, updated, suspected, refuted, failed, left, forgotten, link_changed,
    /// name_conflict, rejected or mode_changed.
    #[schema(example = "suspected")]
    kind: &'static str,
    /// The member it is about; absent where it is about what this one takes or does.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    /// What happened, as one sentence.
    text: String,
    /// Joined, updated: where it listens. Name conflict: where the other one does. Rejected: where
    /// the last one came from, unless a stream brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Joined, updated, refuted, suspected, failed: in which incarnation.
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<u64>,
    /// Joined, forgotten: what it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<&'static str>,
    /// Updated: keys of its metadata that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    /// Suspected, failed: the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseView>,
    /// Failed: whose time for it was over first.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<AccuserView>,
    /// Refuted: how long after the suspicion.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<f64>,
    /// Refuted: who had suspected it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accusers: Vec<AccuserView>,
    /// Link changed: both directions, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<LinkView>,
    /// Rejected: messages since the last event of this reason, and why they were not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<RejectedView>,
    /// Mode changed: direct or gossip.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
}

/// Messages that were not taken.
#[derive(Debug, Serialize, ToSchema)]
struct RejectedView {
    /// Which layer refused them: seal or machine.
    #[schema(example = "seal")]
    layer: &'static str,
    /// Why, as `auscult_swim_rejected_total` has it.
    #[schema(example = "unknown_key")]
    reason: &'static str,
    /// How many there were since the last event of this reason.
    count: u64,
}

/// Who accused a member, on what evidence.
#[derive(Debug, Serialize, ToSchema)]
struct CaseView {
    /// Who accused it, the first one first.
    accusers: Vec<AccuserView>,
    /// How it was asked, where this member is an accuser itself.
    attempts: Vec<AttemptView>,
    /// How slow this member thought itself to be then: 0 is well.
    local_health: u8,
    /// How its time is computed; absent where another member convicted it and this one had not
    /// heard of the suspicion.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<SuspicionView>,
}

/// One way by which a member was asked, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
struct AttemptView {
    /// direct, heartbeats, relay or stream.
    #[schema(example = "relay")]
    path: &'static str,
    /// The id of the member that asked for us.
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<String>,
    /// Heartbeats: how suspicious their absence was.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<f64>,
    /// Heartbeats: from which level it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    /// silence, nack (the relay is well, but got no answer), unreachable, timed_out or malformed.
    #[schema(example = "nack")]
    outcome: &'static str,
}

/// Reads events of members.
///
/// Without `since` the newest ones, with it those after it; oldest first in both cases. With
/// `Accept: text/event-stream` it is the stream of `/v1/events/stream`.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        ("since" = Option<u64>, Query,
            description = "The number of the event seen last; 0 for the oldest one kept"),
        ("limit" = Option<u64>, Query, description = "Events at most: 1 to 1000, default 100"),
        ("target" = Option<String>, Query, description = "Events of this member only"),
    ),
    responses(
        (status = 200, description = "Events", body = EventPage<MemberEvent>),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "Too many streams", body = Problem),
    ))]
pub(super) async fn list(
    State(state): State<AgentState>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    served(&state).list(params, &headers)
}

/// Follows events of members as they happen.
///
/// Server-sent events: the type is the event's kind, the data its JSON, the id its number.
/// `Last-Event-ID`, or `since`, resumes; without them the stream begins with what happens next. An
/// event `lagged` with `{"lost": n}` (null: unknown) stands in the place of events that are no
/// longer kept. Comments keep the connection alive.
#[utoipa::path(get, path = "/v1/events/stream", tag = "events",
    params(
        ("since" = Option<u64>, Query,
            description = "The number of the event seen last; 0 for the oldest one kept"),
        ("target" = Option<String>, Query, description = "Events of this member only"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Goes before `since`"),
    ),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 503, description = "Too many streams", body = Problem),
    ))]
pub(super) async fn stream(
    State(state): State<AgentState>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    served(&state).stream(params, &headers)
}

fn served(state: &AgentState) -> ServedLog<'_, AgentEvent, MemberEvent> {
    ServedLog {
        show: Show {
            view: MemberEvent::new,
            code: AgentEvent::as_str,
            is_about: |event, name| {
                let event = event.of_member();
                event.is_some_and(|event| event.member.as_str() == name)
            },
        },
        log: state.agent().events(),
        clock: state.agent().clock(),
        streams: state.streams(),
        stop: state.stop(),
    }
}

impl MemberEvent {
    fn new(clock: &Clock, logged: &LoggedEvent<AgentEvent>) -> Self {
        let mut view = Self {
            id: logged.id,
            at: Time(logged.at),
            kind: logged.event.as_str(),
            member: None,
            text: logged.text.clone(),
            address: None,
            incarnation: None,
            was: None,
            keys: Vec::new(),
            case: None,
            by: None,
            after_ms: None,
            accusers: Vec::new(),
            link: None,
            rejected: None,
            mode: None,
        };
        match &logged.event {
            AgentEvent::Member(event) => view.fill(clock, event),
            AgentEvent::Rejected(rejection) => {
                view.address = rejection.from.map(|from| from.to_string());
                view.rejected = Some(RejectedView {
                    layer: rejection.reason.layer(),
                    reason: rejection.reason.as_str(),
                    count: rejection.count,
                });
            }
            AgentEvent::ModeChanged { mode, .. } => view.mode = Some(mode.as_str()),
        }
        view
    }

    fn fill(&mut self, clock: &Clock, event: &Event) {
        self.member = Some(event.member.to_string());
        match &event.kind {
            EventKind::Joined {
                address,
                incarnation,
                before,
            } => {
                self.address = Some(address.to_string());
                self.incarnation = Some(incarnation.number());
                self.was = before.map(auscult_core::swim::State::as_str);
            }
            EventKind::Updated {
                before: _,
                address,
                incarnation,
                keys,
            } => {
                self.address = Some(address.to_string());
                self.incarnation = Some(incarnation.number());
                self.keys = keys.iter().map(ToString::to_string).collect();
            }
            EventKind::Suspected(accusation) => {
                self.incarnation = Some(accusation.incarnation.number());
                self.case = Some(CaseView::new(clock, event, accusation));
            }
            EventKind::Failed { by, accusation } => {
                self.incarnation = Some(accusation.incarnation.number());
                self.by = Some(AccuserView::new(by));
                self.case = Some(CaseView::new(clock, event, accusation));
            }
            EventKind::Refuted {
                incarnation,
                after,
                accusers,
            } => {
                self.incarnation = Some(incarnation.number());
                self.after_ms = Some(millis(*after));
                self.accusers = accusers.iter().map(AccuserView::new).collect();
            }
            EventKind::Forgotten { was } => self.was = Some(was.as_str()),
            EventKind::LinkChanged { link } => self.link = Some(LinkView::new(*link)),
            EventKind::NameConflict { address } => self.address = Some(address.to_string()),
            // The enum may grow; kind and text say what it is.
            EventKind::Left | _ => {}
        }
    }
}

impl CaseView {
    fn new(clock: &Clock, event: &Event, accusation: &Accusation) -> Self {
        let accusers: Vec<AccuserView> = accusation.accusers.iter().map(AccuserView::new).collect();
        let deadline = accusation.deadline.as_ref();
        Self {
            attempts: accusation.attempts.iter().map(AttemptView::new).collect(),
            local_health: accusation.local_health,
            deadline: deadline
                .map(|deadline| SuspicionView::new(clock, deadline, accusers.clone(), event.at)),
            accusers,
        }
    }
}

impl AttemptView {
    fn new(attempt: &Attempt) -> Self {
        let mut view = Self {
            path: "direct",
            relay: None,
            level: None,
            threshold: None,
            outcome: match attempt.outcome {
                Outcome::Silence => "silence",
                Outcome::Nack => "nack",
                Outcome::Broken(failure) => failure.as_str(),
            },
        };
        match &attempt.path {
            Path::Direct => {}
            Path::Heartbeats { level, threshold } => {
                view.path = "heartbeats";
                view.level = Some(level.get());
                view.threshold = Some(threshold.get());
            }
            Path::Relay(relay) => {
                view.path = "relay";
                view.relay = Some(format!("{:016x}", relay.to_bits()));
            }
            Path::Stream => view.path = "stream",
        }
        view
    }
}
