//! What the services share: the agent behind them, and who is meant by what callers write.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::swim::{Claim, EventKind, Label, MemberId, Record, Request, Stamp, State};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tonic::Status;

use super::generated::swim::failure_detector_client::FailureDetectorClient;
use super::generated::swim::{IndirectPingRequest, PingRequest};
use super::guests::Guests;
use super::node::{self, NodeId};
use super::sentences::{self, Component};
use super::{Access, Speech, Spelling, Tls};
use crate::events::Reading;
use crate::handle::{AgentHandle, WeakHandle};
use crate::members::Member;

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
    pub(super) guests: Guests,
}

/// Who is meant by what a caller wrote.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Member(Box<Member>),
    /// A guest, by its id.
    Guest(String),
    Nobody,
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
        if let Some(id) = self.guests.find(text, None) {
            return Ok(Found::Guest(id));
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
        if let Some(member) = all.find(|member| member.address == address) {
            return Ok(Found::Member(Box::new(member.clone())));
        }
        let guest = self.guests.find(text, Some(address));
        Ok(guest.map_or(Found::Nobody, Found::Guest))
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
            Found::Guest(id) => {
                // Whoever let it in finds out itself, and at once.
                self.guests.check(&id);
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
            claim: Claim::new(member.incarnation, State::Suspect),
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
        let addresses = live.iter().map(|member| self.spelling.of(member.address));
        Ok(addresses.chain(self.guests.addresses()).collect())
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

    /// Tells the guests of what happens to members, for as long as the agent runs.
    pub(super) async fn follow(self: Arc<Self>) {
        self.spelling.learn(&self.members).await;
        let Ok(agent) = self.agent() else {
            return;
        };
        let mut reader = agent.events().read_after(agent.events().newest_id());
        drop(agent);
        loop {
            let reading = reader.next().await;
            if self.agent.upgrade().is_none() {
                return;
            }
            let Reading::Event(logged) = reading else {
                continue;
            };
            let kind = &logged.event.kind;
            if matches!(kind, EventKind::Joined { .. }) {
                // Names of members may have got an address, or another one.
                self.spelling.learn(&self.members).await;
            }
            if matches!(kind, EventKind::Failed { .. } | EventKind::Left)
                && let Ok(Found::Member(gone)) = self.find(&logged.event.member).await
            {
                self.guests.tell(&self, &self.spelling.of(gone.address));
            }
        }
    }
}

/// Who accuses, where it is no member: all such callers are one, so that they cannot confirm each
/// other.
const STRANGER: MemberId = MemberId::of("swim.Dissemination");
