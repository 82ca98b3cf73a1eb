//! Probes that this member makes in another's place.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Swim;
use super::config::Timing;
use super::member::MemberId;
use super::message::{Body, Hearsay, Sequence};
use crate::bounds::RELAYED_PROBES_MAX;
use crate::time::Instant;

#[derive(Clone, Debug)]
struct Relay {
    /// Of the ping that this member sent.
    sequence: Sequence,
    target: MemberId,
    origin: SocketAddr,
    /// Of the request.
    asked: Sequence,
    /// When the origin is told that nothing came; `None` once it is.
    nack_at: Option<Instant>,
    until: Instant,
}

impl Relay {
    fn due(&self) -> Instant {
        self.nack_at.unwrap_or(self.until)
    }
}

/// All of them, at most [`RELAYED_PROBES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Relays(Vec<Relay>);

impl Relays {
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().map(Relay::due).min()
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.0.len() <= RELAYED_PROBES_MAX);
    }
}

impl Swim {
    /// Another member asks us to ask.
    pub(super) fn relay(
        &mut self,
        from: SocketAddr,
        asker: MemberId,
        asked: Sequence,
        target: MemberId,
    ) {
        let known = self.members.find(target).filter(|_| target != self.me);
        let Some(slot) = known.filter(|_| self.relays.0.len() < RELAYED_PROBES_MAX) else {
            self.send(from, Body::Nack { sequence: asked }, None);
            return;
        };
        let params = self.config.params();
        let patience = match params.timing {
            Timing::Measured => self.direct_time(slot),
            Timing::Fixed => params.probe_timeout,
        };
        // The nack must be back before the origin decides. [LG: 80 % of the time-out]
        let patience = patience.min(params.probe_timeout * 4 / 5);
        let sequence = self.probes.next_sequence();
        self.relays.0.push(Relay {
            sequence,
            target,
            origin: from,
            asked,
            nack_at: Some(self.now.after(patience)),
            until: self.now.after(params.probe_interval),
        });
        let (to, accusation) = (self.members.address(slot), self.accusation_of(slot));
        let origin = asker;
        self.send(to, Body::RelayPing { sequence, origin }, accusation);
    }

    /// The one we asked in another's place answers. Late answers are passed on too.
    pub(super) fn take_relay_ack(
        &mut self,
        by: MemberId,
        sequence: Sequence,
        origin: Hearsay,
    ) -> bool {
        let found = |relay: &Relay| relay.sequence == sequence && relay.target == by;
        let Some(at) = self.relays.0.iter().position(found) else {
            return false;
        };
        let relay = self.relays.0.swap_remove(at);
        let sequence = relay.asked;
        self.send(relay.origin, Body::Relayed { sequence, origin }, None);
        true
    }

    /// Tells those who asked that nothing came so far, and forgets what is too late in any case.
    pub(super) fn give_up_relays(&mut self) {
        let now = self.now;
        let mut nacks = Vec::new();
        for relay in &mut self.relays.0 {
            if relay.nack_at.is_some_and(|at| at <= now) {
                relay.nack_at = None;
                nacks.push((relay.origin, relay.asked));
            }
        }
        self.relays.0.retain(|relay| relay.due() > now);
        for (to, sequence) in nacks {
            self.send(to, Body::Nack { sequence }, None);
        }
    }
}
