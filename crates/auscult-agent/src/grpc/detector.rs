//! `swim.FailureDetector`: who asks whether a member is there, or says that it is not.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::swim::State;
use tonic::{Request, Response, Status};

use super::generated::swim::failure_detector_server::FailureDetector;
use super::generated::swim::{
    IndirectPingRequest, IndirectPingResponse, MembershipUpdateRequest, MembershipUpdateResponse,
    PingRequest, PingResponse,
};
use super::inside::{Found, GuestAt, Inside};
use super::link::remote;
use super::node::NodeId;
use super::sentences::{self, Component};

/// The service.
#[derive(Debug)]
pub(super) struct Detector(pub(super) Arc<Inside>);

#[tonic::async_trait]
impl FailureDetector for Detector {
    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let PingRequest {
            sender_id,
            target_id,
        } = request.into_inner();
        self.hear("Ping", &sender_id);
        let agent = self.0.agent()?;
        // Where one member took over another one's address, the other one is not alive for it.
        let is_alive = match self.0.find(&target_id).await? {
            Found::Member(member) => member.name == *agent.name(),
            Found::Guest(_) => false,
            Found::Nobody => true,
        };
        Ok(Response::new(PingResponse { is_alive }))
    }

    async fn indirect_ping(
        &self,
        request: Request<IndirectPingRequest>,
    ) -> Result<Response<IndirectPingResponse>, Status> {
        let IndirectPingRequest {
            requester_id,
            target_id,
            proxy_nodes,
        } = request.into_inner();
        self.hear("IndirectPing", &requester_id);
        let success = match self.0.find(&target_id).await? {
            // Nobody has calls made where he likes.
            Found::Nobody => {
                return Err(Status::not_found("the target is no member"));
            }
            Found::Member(member) if member.is_me => true,
            Found::Member(member) => match self.0.reach(&member) {
                Some(at) => {
                    let id = NodeId::of(&member.name);
                    self.ask(&requester_id, &at, id, &proxy_nodes).await?
                }
                // It serves nothing, so what other members think of it has to do.
                None => member.state == State::Alive,
            },
            Found::Guest(GuestAt { id, at }) => {
                self.ask(&requester_id, &at, &id, &proxy_nodes).await?
            }
        };
        Ok(Response::new(IndirectPingResponse { success }))
    }

    async fn update_membership(
        &self,
        request: Request<MembershipUpdateRequest>,
    ) -> Result<Response<MembershipUpdateResponse>, Status> {
        let from = remote(&request)?;
        let failed = request.into_inner().failed_node_id;
        self.0.say(|| {
            let (here, by) = (self.0.detector(&self.0.node), Component::Dissemination);
            sentences::runs(here, "UpdateMembership", (by, &self.0.node))
        });
        let success = self.0.accuse("", &failed, from).await?;
        Ok(Response::new(MembershipUpdateResponse { success }))
    }
}

impl Detector {
    fn hear(&self, call: &str, sender: &str) {
        self.0.say(|| {
            let sender = shown(sender);
            let (here, by) = (self.0.detector(&self.0.node), self.0.detector(&sender));
            sentences::runs(here, call, by)
        });
    }

    /// Pings the target itself, where it is among the proxies or there are none, and otherwise
    /// through them, all at once.
    async fn ask(
        &self,
        requester: &str,
        at: &str,
        id: &str,
        proxies: &[String],
    ) -> Result<bool, Status> {
        let mut others = Vec::new();
        for proxy in proxies.iter().take(PROXIES_MAX) {
            match self.0.find(proxy).await? {
                Found::Member(member) if member.is_me => {
                    return Ok(self.0.ping(at, id, PING_TIMEOUT).await);
                }
                Found::Member(member) => {
                    if let Some(proxy) = self.0.reach(&member) {
                        others.push((proxy, NodeId::of(&member.name).to_owned()));
                    }
                }
                Found::Guest(_) | Found::Nobody => {}
            }
        }
        if proxies.is_empty() {
            return Ok(self.0.ping(at, id, PING_TIMEOUT).await);
        }
        let time = 2 * PING_TIMEOUT;
        Ok(self.0.ping_through(&others, requester, at, time).await)
    }
}

/// What a caller wrote, as it may stand in a log.
pub(super) fn shown(text: &str) -> String {
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(SHOWN_CHARS_MAX).collect()
}

/// How long a member has to answer a ping over gRPC.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Members that are asked to ping in another one's place, at a time. [SWIM 4.1]
pub(super) const PROXIES_MAX: usize = 3;
const SHOWN_CHARS_MAX: usize = 128;
