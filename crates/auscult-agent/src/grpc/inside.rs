//! What the services share: the agent behind them, and who is meant by what callers write.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::swim::{
    Claim, Event, EventKind, Label, MemberId, MemberName, Record, Request, Stamp, State,
};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tonic::Status;

use super::generated::swim::failure_detector_client::FailureDetectorClient;
use super::generated::swim::{IndirectPingRequest, PingRequest};
use super::guests::Guests;
use super::node::{self, NodeId};
use super::register;
use super::sentences::{self, Component};
use super::{Access, Speech, Spelling, Tls};
use crate::events::Reading;
use crate::handle::{AgentHandle, WeakHandle};
use crate::members::{Member, Members};

/// What the services of one agent share.
#[derive(Debug)]
pub(super) struct Inside {
    /// Serving does not keep an agent alive.
    pub(super) agent: WeakHandle,
    pub(super) node: String,
    pub(super) label: Label,
    pub(super) spelling: Spelling,
    pub(super) members: Vec<String>,
    pub(super) speech: Speech,
    pub(super) access: Access,
    pub(super) tls: Option<Tls>,
    /// Where this member serves `swim.FailureDetector`, if that is not where it listens.
    pub(super) detector: Option<SocketAddr>,
    pub(super) reached: Reached,
    pub(super) guests: Guests,
}

/// Where members serve `swim.FailureDetector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Where they listen as members.
    AsMembers,
    /// Where their metadata says.
    AsTheySay,
}

/// Who is meant by what a caller wrote.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Member(Box<Member>),
    Guest(GuestAt),
    Nobody,
}

/// A guest of this member or another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GuestAt {
    pub(super) id: String,
    /// Where it serves.
    pub(super) at: String,
}

impl Inside {
    pub(super) fn agent(&self) -> Result<AgentHandle, Status> {
        let agent = self.agent.upgrade();
        agent.ok_or_else(|| Status::unavailable("the member has stopped"))
    }

    /// Changes what members think of each other only for those who may.
    pub(super) fn check_access(&self) -> Result<(), Status> {
        match self.access {
            Access::Open => Ok(()),
            Access::AskOnly => Err(Status::permission_denied(
                "the members of this cluster seal what they say: only callers with a certificate \
                 (mutual TLS) may join, or say that a member failed",
            )),
        }
    }

    /// Finds a member or a guest by its address, its number or its name.
    pub(super) async fn find(&self, text: &str) -> Result<Found, Status> {
        let members = self.agent()?.members();
        let by_name = members.get(text);
        if let Some(member) = by_name.or_else(|| members.get(&NodeId::name_of(text))) {
            return Ok(Found::Member(Box::new(member.clone())));
        }
        let guests = self.all_guests(&members);
        let mut named = guests.iter();
        if let Some(guest) = named.find(|guest| guest.id == text || guest.at == text) {
            return Ok(Found::Guest(guest.clone()));
        }
        if !text.contains(':') {
            return Ok(Found::Nobody);
        }
        let address = match self.spelling.knows(text) {
            Some(address) => Some(address),
            None => node::resolve(text).await,
        };
        let Some(address) = address else {
            return Ok(Found::Nobody);
        };
        let mut all = members.members.iter();
        let is_there = |member: &&Member| {
            member.address == address || register::detector(member) == Some(address)
        };
        if let Some(member) = all.find(is_there) {
            return Ok(Found::Member(Box::new(member.clone())));
        }
        let guest = self.guests.find(address);
        Ok(guest.map_or(Found::Nobody, Found::Guest))
    }

    /// The guests of this member and of all others that live.
    fn all_guests(&self, members: &Members) -> Vec<GuestAt> {
        let mut all = self.guests.all();
        let others = members.members.iter();
        for member in others.filter(|member| !member.is_me && member.state.is_live()) {
            for (id, at) in register::guests(member) {
                if all.iter().all(|known| known.id != id) {
                    all.push(GuestAt { id, at });
                }
            }
        }
        all
    }

    /// Where a member serves `swim.FailureDetector`, if it does.
    pub(super) fn reach(&self, member: &Member) -> Option<String> {
        let address = match self.reached {
            Reached::AsMembers => Some(member.address),
            Reached::AsTheySay => register::detector(member),
        };
        Some(self.spelling.of(address?))
    }

    /// Somebody says that a member failed: a suspicion, which the member can contradict. Tells
    /// whether there is such a member.
    pub(super) async fn accuse(
        &self,
        accuser: &str,
        failed: &str,
        from: SocketAddr,
    ) -> Result<bool, Status> {
        self.check_access()?;
        let member = match self.find(failed).await? {
            Found::Member(member) => member,
            Found::Guest(guest) => {
                // Whoever let it in finds out itself, and at once.
                self.guests.check(&guest.id);
                return Ok(true);
            }
            Found::Nobody => return Ok(false),
        };
        let by = match self.find(accuser).await? {
            Found::Member(known) if !known.is_me && known.id != member.id => known.id,
            Found::Member(_) | Found::Guest(_) | Found::Nobody => STRANGER,
        };
        let records = vec![Record {
            name: member.name.clone(),
            address: member.address,
            claim: Claim::new(member.incarnation, State::Dead),
            metadata: Stamp::default(),
        }];
        let label = self.label.clone();
        let push = Request::Push {
            label,
            from: by,
            records,
        };
        let agent = self.agent()?;
        let taken = agent.take_request(from, push).await;
        taken.map_err(|_| Status::unavailable("the member has stopped"))?;
        Ok(true)
    }

    /// Live members and guests, as callers ping them, in an order that people expect.
    pub(super) fn membership(&self) -> Result<Vec<String>, Status> {
        let members = self.agent()?.members();
        let mut live: Vec<&Member> = members.members.iter().collect();
        live.retain(|member| member.state.is_live());
        live.sort_by_key(|member| sentences::people_order(&member.name));
        let addresses = live.iter().map(|member| {
            let reached = self.reach(member);
            reached.unwrap_or_else(|| self.spelling.of(member.address))
        });
        let guests = self.all_guests(&members).into_iter().map(|guest| guest.at);
        Ok(addresses.chain(guests).collect())
    }

    /// Asks a member or a guest whether it is there, at most for this long.
    pub(super) async fn ping(&self, at: &str, id: &str, time: Duration) -> bool {
        self.say(|| {
            let (here, there) = (self.detector(&self.node), self.detector(id));
            sentences::sends(here, "Ping", there)
        });
        let request = PingRequest {
            sender_id: self.node.clone(),
            target_id: at.to_owned(),
        };
        let asked = async {
            let mut client = self.detector_at(at).await?;
            let answer = client.ping(request).await.ok()?;
            Some(answer.into_inner().is_alive)
        };
        tokio::time::timeout(time, asked).await == Ok(Some(true))
    }

    /// Asks others to ping somebody, all at once. Tells whether one of them got an answer.
    pub(super) async fn ping_through(
        &self,
        proxies: &[(String, String)],
        requester: &str,
        target: &str,
        time: Duration,
    ) -> bool {
        let asks = proxies.iter().map(|(at, id)| async move {
            self.say(|| {
                let (here, there) = (self.detector(&self.node), self.detector(id));
                sentences::sends(here, "IndirectPing", there)
            });
            let request = IndirectPingRequest {
                requester_id: requester.to_owned(),
                target_id: target.to_owned(),
                // The one that is asked pings itself, and asks nobody in turn.
                proxy_nodes: vec![at.clone()],
            };
            let mut client = self.detector_at(at).await?;
            let answer = client.indirect_ping(request).await.ok()?;
            Some(answer.into_inner().success)
        });
        let mut asks: FuturesUnordered<_> = asks.collect();
        let any = async {
            while let Some(answer) = asks.next().await {
                if answer == Some(true) {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(time, any).await == Ok(true)
    }

    async fn detector_at(
        &self,
        at: &str,
    ) -> Option<FailureDetectorClient<tonic::transport::Channel>> {
        let endpoint = super::endpoint(self.tls.as_ref(), at).ok()?;
        let channel = endpoint.connect().await.ok()?;
        Some(FailureDetectorClient::new(channel))
    }

    /// Says a sentence of the demonstrator, if those are wanted.
    pub(super) fn say(&self, sentence: impl FnOnce() -> String) {
        if self.speech == Speech::Spoken {
            tracing::info!("{}", sentence());
        }
    }

    /// A detector in a sentence.
    #[expect(clippy::unused_self, reason = "it reads as what this member says")]
    pub(super) const fn detector<'a>(&self, node: &'a str) -> (Component, &'a str) {
        (Component::FailureDetector, node)
    }

    /// Tells the guests of what happens to members and other guests, for as long as the agent runs.
    pub(super) async fn follow(self: Arc<Self>) {
        self.spelling.learn(&self.members).await;
        let mut elsewhere = BTreeMap::new();
        let Ok(agent) = self.agent() else {
            return;
        };
        let mut reader = agent.events().read_after(agent.events().newest_id());
        if let Some(at) = self.detector {
            let at = at.to_string();
            let told = agent.set_metadata(register::DETECTOR_KEY, Some(at.as_bytes()));
            if let Err(error) = told.await {
                tracing::warn!("members are not told where gRPC is served: {error}");
            }
        }
        drop(agent);
        loop {
            let reading = reader.next().await;
            let Some(agent) = self.agent.upgrade() else {
                return;
            };
            let Reading::Event(logged) = reading else {
                continue;
            };
            let Some(event) = logged.event.of_member() else {
                continue;
            };
            if matches!(event.kind, EventKind::Joined { .. }) {
                // Names of members may have got an address, or another one.
                self.spelling.learn(&self.members).await;
            }
            self.hear(&agent, event, &mut elsewhere).await;
        }
    }

    /// What an event means for guests: `elsewhere` are those of others, by host.
    async fn hear(
        self: &Arc<Self>,
        agent: &AgentHandle,
        event: &Event,
        elsewhere: &mut BTreeMap<MemberName, BTreeMap<String, String>>,
    ) {
        let members = agent.members();
        let Some(member) = members.get(&event.member).filter(|member| !member.is_me) else {
            return;
        };
        if matches!(event.kind, EventKind::Failed { .. } | EventKind::Left) {
            let reached = self.reach(member);
            let gone = reached.unwrap_or_else(|| self.spelling.of(member.address));
            self.guests.tell(self, &gone);
            let orphans = elsewhere.remove(&member.name).unwrap_or_default();
            if first_of(&members).is_some_and(|first| first.is_me) {
                for (id, at) in orphans {
                    // One that has no address any more is given up with its host.
                    let _given_up = self.guests.admit(self, &id, &at).await;
                }
            }
        } else if member.state.is_live() {
            let now = register::guests(member);
            let before = elsewhere.insert(member.name.clone(), now.clone());
            for (id, at) in before.unwrap_or_default() {
                let moved = || self.all_guests(&members).iter().any(|guest| guest.id == id);
                if !now.contains_key(&id) && !moved() {
                    self.guests.tell(self, &at);
                }
            }
        }
    }
}

/// The live member that takes over what one that is gone has left.
fn first_of(members: &Members) -> Option<&Member> {
    let live = members
        .members
        .iter()
        .filter(|member| member.state.is_live());
    live.min_by_key(|member| sentences::people_order(&member.name))
}

/// Who accuses, where it is no member: all such callers are one, so that they cannot confirm each
/// other.
const STRANGER: MemberId = MemberId::of("swim.Dissemination");
