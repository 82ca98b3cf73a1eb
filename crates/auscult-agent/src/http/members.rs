//! The members of the group over HTTP, with the evidence against suspects.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::swim::{Accuser, Deadline, Link, MemberId, State, WatchRefusal};
use auscult_core::time::Instant;
use axum::extract::{FromRef, State as Shared};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Named, Params, bad_value};
use super::group::{Group, unknown_member};
use super::json::Json;
use super::links;
use super::problem::{Kind, Problem};
use super::time::{Time, millis};
use crate::clock::Clock;
use crate::handle::{AgentHandle, Refused};
use crate::members::{Member, Members};

/// The routes about the group: for an agent, and for a monitor that is a member.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Group: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(watch, unwatch))
        .routes(routes!(links::read))
}

/// All members, as this one knows them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberList {
    /// This member's clock.
    now: Time,
    /// The name of this member.
    #[schema(example = "web-1")]
    name: String,
    /// Grows with each change.
    revision: u64,
    /// Members that are alive or suspect, this one included.
    live: usize,
    /// A digest of the live members and their incarnations: the same at all who agree.
    #[schema(example = "00f3a8c2d94e5b17")]
    view: String,
    /// direct: all exchange heartbeats; gossip: members are probed.
    #[schema(example = "direct")]
    mode: &'static str,
    /// The members, by name.
    members: Vec<MemberView>,
}

/// A member, as this one knows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberView {
    /// Its name.
    #[schema(example = "web-2")]
    name: String,
    /// What stands for its name in messages.
    #[schema(example = "5d41402abc4b2a76")]
    id: String,
    /// Where it listens, or did.
    #[schema(example = "10.0.0.2:7946")]
    address: String,
    /// alive, suspect, dead or left.
    #[schema(example = "alive")]
    state: &'static str,
    /// Since when, by the time at which it was heard of here.
    since: Time,
    /// In which incarnation.
    incarnation: u64,
    /// Whether it is this member itself.
    me: bool,
    /// When a datagram of it arrived last.
    #[schema(required)]
    heard_at: Option<Time>,
    /// How long ago that was.
    #[schema(required)]
    age_ms: Option<f64>,
    /// What a round trip to it takes on average.
    #[schema(required)]
    rtt_ms: Option<f64>,
    /// Both directions between it and this member.
    link: LinkView,
    /// How suspicious its silence is, while direct heartbeats are exchanged with it.
    #[schema(required)]
    level: Option<f64>,
    /// Whether direct heartbeats with it were asked for, however large the group is.
    watched: bool,
    /// The case against it, while it is suspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicion: Option<SuspicionView>,
}

/// A member with the clock by which its ages are told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberDetail {
    /// This member's clock.
    now: Time,
    #[serde(flatten)]
    member: MemberView,
    /// What it tells of itself. Bytes that are no text are written in hexadecimal after `0x`.
    metadata: BTreeMap<String, String>,
}

/// The two directions between a member and this one: unknown, passes, or blocked (though the way
/// back passes).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct LinkView {
    /// Whether this member hears it.
    #[schema(example = "passes")]
    pub(super) hears: &'static str,
    /// Whether it hears this member.
    #[schema(example = "passes")]
    pub(super) heard: &'static str,
}

/// Why a member is suspected, and how long it has to contradict.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct SuspicionView {
    /// Since when.
    since: Time,
    /// When it is dead, as things stand.
    until: Time,
    /// How long that is from now.
    left_ms: f64,
    /// Who accuses it, the first one first.
    accusers: Vec<AccuserView>,
    /// Others who agree with the first accuser.
    confirmations: u32,
    /// How many of them bring its time down to the least.
    needed: u32,
    /// The time that it has while nobody agrees.
    most_ms: f64,
    /// The time that it has once as many agree as are needed.
    least_ms: f64,
    /// Live members when the suspicion began.
    members: usize,
    /// What was added for times in which this process did not run.
    stalled_ms: f64,
    /// The arithmetic in words.
    #[schema(example = "4.2 s, between 2.1 s and 12.8 s, as 1 of 3 agree in a group of 25")]
    arithmetic: String,
}

/// Who accuses a member.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct AccuserView {
    /// Its id.
    pub(super) id: String,
    /// Its name, if it is known here.
    #[schema(required)]
    pub(super) name: Option<String>,
}

/// Lists the members, by name.
#[utoipa::path(get, path = "/v1/members", tag = "members",
    params(("state" = Option<String>, Query,
        description = "Only these states: alive, suspect, dead, left; separated by commas")),
    responses(
        (status = 200, description = "The members, as this one knows them", body = MemberList),
        (status = 400, description = "The query cannot be used", body = Problem),
        (status = 404, description = "This process is no member of a group", body = Problem),
    ))]
pub(super) async fn list(
    Shared(group): Shared<Group>,
    params: Params,
) -> Result<Json<MemberList>, Problem> {
    let wanted = states(params)?;
    let agent = group.agent()?;
    let heartbeats = Heartbeats::read(agent).await;
    let members = agent.members();
    let clock = agent.clock();
    let now = clock.now();
    let mut list: Vec<&Member> = members
        .members
        .iter()
        .filter(|member| wanted.contains(&member.state))
        .collect();
    list.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    let Members {
        revision,
        live,
        view,
        ..
    } = *members;
    Ok(Json(MemberList {
        now: Time::of(clock, now),
        name: agent.name().to_string(),
        revision,
        live,
        view: format!("{view:016x}"),
        mode: heartbeats.mode,
        members: list
            .iter()
            .map(|member| MemberView::new(clock, member, &heartbeats, now))
            .collect(),
    }))
}

/// Reads one member, with what it tells of itself.
#[utoipa::path(get, path = "/v1/members/{name}", tag = "members",
    params(("name" = String, Path,
            description = "The member's name, percent-encoded as one segment")),
    responses(
        (status = 200, description = "The member, as this one knows it", body = MemberDetail),
        (status = 404, description = "No such member, or no group", body = Problem),
    ))]
pub(super) async fn read(
    Shared(group): Shared<Group>,
    Named(name): Named,
) -> Result<Json<MemberDetail>, Problem> {
    let agent = group.agent()?;
    let heartbeats = Heartbeats::read(agent).await;
    let members = agent.members();
    let member = members.get(&name).ok_or_else(|| unknown_member(&name))?;
    let clock = agent.clock();
    let now = clock.now();
    Ok(Json(MemberDetail {
        now: Time::of(clock, now),
        member: MemberView::new(clock, member, &heartbeats, now),
        metadata: member
            .metadata
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
    }))
}

/// What changes all the time, as it is now: a snapshot is only as fresh as its last reader asked.
#[derive(Debug, Default)]
struct Heartbeats {
    mode: &'static str,
    pulses: BTreeMap<MemberId, Pulse>,
}

/// Those of one member.
#[derive(Clone, Copy, Debug)]
struct Pulse {
    level: Option<f64>,
    watched: bool,
    heard_at: Option<Instant>,
    round_trip: Option<Duration>,
}

impl Heartbeats {
    async fn read(agent: &AgentHandle) -> Self {
        let read = agent.view(|swim, now| Self {
            mode: swim.mode().as_str(),
            pulses: swim
                .members()
                .map(|member| {
                    let pulse = Pulse {
                        level: member.level(now).map(Level::get),
                        watched: member.watched(),
                        heard_at: member.heard_at(),
                        round_trip: member.round_trip().mean(),
                    };
                    (member.id(), pulse)
                })
                .collect(),
        });
        // An agent that has stopped hears nobody.
        read.await.unwrap_or_default()
    }
}

/// Asks a member for direct heartbeats, whatever the size of the group.
#[utoipa::path(post, path = "/v1/members/{name}/watch", tag = "members",
    params(("name" = String, Path,
            description = "The member's name, percent-encoded as one segment")),
    responses(
        (status = 204, description = "It is watched, until that is ended"),
        (status = 404, description = "No such member, or no group", body = Problem),
        (status = 409, description = "It is this member itself, or there are too many",
            body = Problem),
    ))]
pub(super) async fn watch(
    Shared(group): Shared<Group>,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    let watched = group.agent()?.watch(&name).await;
    watched.map_err(|refused| match refused {
        Refused::Refused(WatchRefusal::Unknown) => unknown_member(&name),
        Refused::Refused(refusal) => Problem::new(Kind::Unwatchable).detail(refusal.to_string()),
        Refused::Stopped => Problem::new(Kind::Stopped),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// No longer asks for a member's heartbeats.
#[utoipa::path(delete, path = "/v1/members/{name}/watch", tag = "members",
    params(("name" = String, Path,
            description = "The member's name, percent-encoded as one segment")),
    responses(
        (status = 204, description = "It is not watched"),
        (status = 404, description = "No such member, or no group", body = Problem),
    ))]
pub(super) async fn unwatch(
    Shared(group): Shared<Group>,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    let agent = group.agent()?;
    if agent.members().get(&name).is_none() {
        return Err(unknown_member(&name));
    }
    let unwatched = agent.unwatch(&name).await;
    unwatched.map_err(|_stopped| Problem::new(Kind::Stopped))?;
    Ok(StatusCode::NO_CONTENT)
}

fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let bytes = value.iter().map(|byte| format!("{byte:02x}"));
            std::iter::once("0x".to_owned()).chain(bytes).collect()
        }
    }
}

fn states(params: Params) -> Result<Vec<State>, Problem> {
    let mut wanted = Vec::new();
    for (_state, value) in params.known(&["state"])? {
        for word in value.split(',').map(str::trim) {
            let state = State::ALL.into_iter().find(|state| state.as_str() == word);
            let unknown = || {
                let names = State::ALL.map(State::as_str).join(", ");
                bad_value("state", format!("{word:?} must be one of {names}"))
            };
            wanted.push(state.ok_or_else(unknown)?);
        }
    }
    if wanted.is_empty() {
        wanted.extend(State::ALL);
    }
    Ok(wanted)
}

impl MemberView {
    fn new(clock: &Clock, member: &Member, heartbeats: &Heartbeats, now: Instant) -> Self {
        let suspicion = member.deadline.as_ref();
        let pulse = heartbeats.pulses.get(&member.id);
        let heard_at = pulse.map_or(member.heard_at, |pulse| pulse.heard_at);
        let round_trip = pulse.map_or(member.round_trip, |pulse| pulse.round_trip);
        Self {
            name: member.name.to_string(),
            id: format!("{:016x}", member.id.to_bits()),
            address: member.address.to_string(),
            state: member.state.as_str(),
            since: Time::of(clock, member.since),
            incarnation: member.incarnation.number(),
            me: member.is_me,
            heard_at: heard_at.map(|at| Time::of(clock, at)),
            age_ms: heard_at.map(|at| millis(now.since(at))),
            rtt_ms: round_trip.map(millis),
            link: LinkView::new(member.link),
            level: pulse.and_then(|pulse| pulse.level),
            watched: pulse.is_some_and(|pulse| pulse.watched),
            suspicion: suspicion.map(|deadline| {
                let accusers = member.accusers.iter().map(AccuserView::new).collect();
                SuspicionView::new(clock, deadline, accusers, now)
            }),
        }
    }
}

impl LinkView {
    pub(super) const fn new(link: Link) -> Self {
        Self {
            hears: link.hears.as_str(),
            heard: link.heard.as_str(),
        }
    }
}

impl AccuserView {
    pub(super) fn new(accuser: &Accuser) -> Self {
        Self {
            id: format!("{:016x}", accuser.id.to_bits()),
            name: accuser.name.as_ref().map(ToString::to_string),
        }
    }
}

impl SuspicionView {
    pub(super) fn new(
        clock: &Clock,
        deadline: &Deadline,
        accusers: Vec<AccuserView>,
        now: Instant,
    ) -> Self {
        Self {
            since: Time::of(clock, deadline.since),
            until: Time::of(clock, deadline.at),
            left_ms: millis(deadline.at.since(now)),
            accusers,
            confirmations: deadline.confirmations,
            needed: deadline.needed,
            most_ms: millis(deadline.most),
            least_ms: millis(deadline.least),
            members: deadline.members,
            stalled_ms: millis(deadline.stalled),
            arithmetic: arithmetic(deadline),
        }
    }
}

/// How the time of a suspect was computed: for people.
#[must_use]
pub fn arithmetic(deadline: &Deadline) -> String {
    let Deadline {
        since,
        at,
        least,
        most,
        confirmations,
        needed,
        members,
        stalled,
    } = *deadline;
    let seconds = |span: Duration| format!("{:.1} s", span.as_secs_f64());
    let mut text = format!(
        "{}, between {} and {}, as {confirmations} of {needed} agree in a group of {members}",
        seconds(at.since(since)),
        seconds(least),
        seconds(most),
    );
    if !stalled.is_zero() {
        text += &format!(
            "; {} of that because this process did not run",
            seconds(stalled)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_says_how_it_was_computed() {
        let deadline = Deadline {
            since: Instant::from_secs(10),
            at: Instant::from_secs(14),
            least: Duration::from_secs(2),
            most: Duration::from_secs(12),
            confirmations: 1,
            needed: 3,
            members: 25,
            stalled: Duration::ZERO,
        };
        assert_eq!(
            arithmetic(&deadline),
            "4.0 s, between 2.0 s and 12.0 s, as 1 of 3 agree in a group of 25"
        );
    }

    #[test]
    fn metadata_is_text_where_it_can_be() {
        assert_eq!(text("größe".as_bytes()), "größe");
        assert_eq!(text(&[0xff, 0x00]), "0xff00");
    }
}
