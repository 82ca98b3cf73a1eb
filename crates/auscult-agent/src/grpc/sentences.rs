//! The log of the demonstrator, sentence for sentence: one before each call and one on its arrival.
//!
//! The machine's messages stand for its calls: a ping for `Ping`, a request to ask for
//! `IndirectPing`, and news of a death for `Disseminate`.

use std::net::SocketAddr;

use auscult_core::swim::{
    Body, Event, EventKind, MemberId, MemberName, Packet, Sequence, Swim, Update,
};
use tracing::info;

use super::node::NodeId;

/// One of the programs that the demonstrator consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    FailureDetector,
    Dissemination,
    NewNode,
}

impl Component {
    const fn as_str(self) -> &'static str {
        match self {
            Self::FailureDetector => "FailureDetector",
            Self::Dissemination => "Dissemination",
            Self::NewNode => "NewNode",
        }
    }
}

/// Speaks for one member.
#[derive(Clone, Debug)]
pub(crate) struct Sentences {
    node: String,
    /// Addresses as the configuration writes them.
    spelling: super::Spelling,
    /// The probe for which others were asked last.
    asked: Option<Sequence>,
}

const fn detector(node: &str) -> (Component, &str) {
    (Component::FailureDetector, node)
}

/// "A calls B", said by A.
pub(crate) fn sends(from: (Component, &str), call: &str, to: (Component, &str)) -> String {
    format!(
        "Component {} of Node {} sends RPC {call} to Component {} of Node {}",
        from.0.as_str(),
        from.1,
        to.0.as_str(),
        to.1
    )
}

/// "A calls B", said by B.
pub(crate) fn runs(at: (Component, &str), call: &str, by: (Component, &str)) -> String {
    format!(
        "Component {} of Node {} runs RPC {call} called by Component {} of Node {}",
        at.0.as_str(),
        at.1,
        by.0.as_str(),
        by.1
    )
}

impl Sentences {
    pub(crate) const fn new(node: String, spelling: super::Spelling) -> Self {
        Self {
            node,
            spelling,
            asked: None,
        }
    }

    /// A datagram goes out.
    pub(crate) fn sent(&mut self, swim: &Swim, to: SocketAddr, packet: &Packet) {
        let peer = || self.at(swim, to);
        match packet.body {
            Body::Ping { .. } => {
                info!("Node {} pinging {}...", self.node, self.spelling.of(to));
                info!("{}", self.calls("Ping", &peer()));
            }
            Body::RelayPing { .. } => info!("{}", self.calls("Ping", &peer())),
            Body::AskPing { sequence, target } => {
                if self.asked.replace(sequence) != Some(sequence) {
                    let target = self.address_of(swim, target);
                    info!("Node {target} did not respond, trying indirect probe...");
                }
                info!("{}", self.calls("IndirectPing", &self.at(swim, to)));
            }
            Body::Gossip
            | Body::Ack { .. }
            | Body::RelayAck { .. }
            | Body::Relayed { .. }
            | Body::Nack { .. }
            | Body::Heartbeat { .. }
            | Body::Watch { .. }
            | Body::Watching { .. }
            | Body::Refused(_) => {}
        }
        if tells_of_a_death(packet) {
            let here = detector(&self.node);
            let peer = self.at(swim, to);
            let to = (Component::Dissemination, peer.as_str());
            info!("{}", sends(here, "Disseminate", to));
        }
    }

    /// A datagram arrived.
    pub(crate) fn received(&self, swim: &Swim, packet: &Packet) {
        let sender = || node_of(swim, packet.from);
        match packet.body {
            Body::Ping { .. } | Body::RelayPing { .. } => {
                info!(
                    "{}",
                    runs(detector(&self.node), "Ping", detector(&sender()))
                );
            }
            Body::AskPing { .. } => {
                let (here, by) = (detector(self.node.as_str()), sender());
                info!("{}", runs(here, "IndirectPing", detector(&by)));
            }
            Body::Ack { .. } => info!("Node Alive, checked with Direct Ping"),
            Body::Relayed { .. } => info!("Indirect Ping was success, Node Alive"),
            Body::Gossip
            | Body::RelayAck { .. }
            | Body::Nack { .. }
            | Body::Heartbeat { .. }
            | Body::Watch { .. }
            | Body::Watching { .. }
            | Body::Refused(_) => {}
        }
        if tells_of_a_death(packet) {
            let here = (Component::Dissemination, self.node.as_str());
            info!("{}", runs(here, "Disseminate", detector(&sender())));
        }
    }

    /// Something happened to a member.
    pub(crate) fn happened(&self, swim: &Swim, event: &Event) {
        let EventKind::Failed { by, .. } = &event.kind else {
            return;
        };
        let failed = self.address_of(swim, event.member.id());
        if by.id == swim.me().id() {
            info!("Node {failed} is marked as failed!");
        } else {
            info!("Node {} detected failure of node {failed}", self.node);
        }
        let live = swim.members().filter(|member| member.state().is_live());
        let mut live: Vec<_> = live.collect();
        live.sort_by_key(|member| people_order(member.name()));
        let live = live.iter().map(|member| self.spelling.of(member.address()));
        info!("{}", removed(&failed, live));
    }

    fn calls(&self, call: &str, peer: &str) -> String {
        sends(detector(self.node.as_str()), call, detector(peer))
    }

    /// The id of the member that listens there.
    fn at(&self, swim: &Swim, address: SocketAddr) -> String {
        let member = swim.members().find(|member| member.address() == address);
        member.map_or_else(
            || self.spelling.of(address),
            |member| NodeId::of(member.name()).to_owned(),
        )
    }

    fn address_of(&self, swim: &Swim, member: MemberId) -> String {
        swim.member_by_id(member).map_or_else(
            || format!("{member:?}"),
            |member| self.spelling.of(member.address()),
        )
    }
}

fn node_of(swim: &Swim, member: MemberId) -> String {
    swim.member_by_id(member).map_or_else(
        || format!("{member:?}"),
        |member| NodeId::of(member.name()).to_owned(),
    )
}

fn tells_of_a_death(packet: &Packet) -> bool {
    let mut updates = packet.updates.iter();
    updates.any(|update| matches!(update, Update::Dead { .. }))
}

/// What the list of those who are left is.
pub(super) fn removed(failed: &str, left: impl Iterator<Item = String>) -> String {
    let left: Vec<String> = left.map(|address| format!("'{address}'")).collect();
    let left = left.join(", ");
    format!("Membership updated: removed failed node {failed}. New membership: [{left}]")
}

/// Sorts node10 behind node9.
pub(super) fn people_order(name: &MemberName) -> (usize, MemberName) {
    (name.len(), name.clone())
}
