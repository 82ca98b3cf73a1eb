//! Two processes with one name: one of them gives it up.
//!
//! What is said of a member's address may be a record of its earlier run, so it is contradicted.
//! Where that comes back again and again another process may say so. It is asked, directly: who
//! answers a ping there with this member's name is another process that runs, and then this one
//! has lost the name. It says nothing more, not even goodbye, since that would be of the other one.
//!
//! **Who gives it up.** A process that began not long ago does after two contradictions, an older
//! one after more, so that the one that came second goes, as operators expect who started a member
//! twice by mistake. Where both began at about the same time, or both long ago on the two sides of
//! a partition, the one that was contradicted more often does; while it waits for the answer it is
//! silent, so the other one is not contradicted meanwhile and does not go too.
//!
//! **What others see.** They hear one contradiction after the other, each with a greater
//! incarnation, so to them a member moves to and fro. A member that was moved by its operator moves
//! once, so who sees it come back to where it just was, and go again, says that there are two
//! ([`Moves`]).
//!
//! A process that was started anew elsewhere keeps its name, as nobody answers at the address of
//! the one that ended. In a group without keys whoever can send datagrams can also pretend to be
//! another process of that name; sealed datagrams keep strangers from it.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use core::time::Duration;

use super::event::{EventKind, Output, Reject};
use super::member::Claim;
use super::members::{ME, Slot};
use super::message::{Asker, Body, Sequence, ViewTag};
use super::{Stage, Swim};
use crate::time::Instant;

/// Whether another process that uses the name is known to run.
#[derive(Debug)]
pub(super) struct Namesake {
    born: Instant,
    /// How often others said that this member was elsewhere.
    overtaken: u32,
    asked: Option<Asked>,
    /// Who has the name now.
    winner: Option<SocketAddr>,
}

/// A ping to where another process may be.
#[derive(Clone, Copy, Debug)]
struct Asked {
    address: SocketAddr,
    sequence: Sequence,
    until: Instant,
}

impl Namesake {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            born: now,
            overtaken: 0,
            asked: None,
            winner: None,
        }
    }

    /// Contradictions after which the other process is looked for.
    fn patience(&self, now: Instant) -> u32 {
        if now.since(self.born) < YOUTH {
            PATIENCE_OF_THE_YOUNG
        } else {
            PATIENCE_OF_THE_OLD
        }
    }
}

/// Other members that moved lately, at most [`MOVES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Moves {
    moves: BTreeMap<Slot, Move>,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    left: SocketAddr,
    at: Instant,
    /// How often in a row it went back to the address that it had left.
    returns: u8,
}

impl Moves {
    /// A member left one address for another one. Says whether two processes must be using its
    /// name, once for each time that they begin to.
    pub(super) fn note(
        &mut self,
        slot: Slot,
        left: SocketAddr,
        to: SocketAddr,
        now: Instant,
    ) -> bool {
        self.moves.retain(|_, old| now.since(old.at) < YOUTH);
        let returns = match self.moves.get(&slot) {
            Some(old) if old.left == to => old.returns.saturating_add(1),
            Some(_) => 0,
            None if self.moves.len() >= MOVES_MAX => return false,
            None => 0,
        };
        let at = now;
        self.moves.insert(slot, Move { left, at, returns });
        returns == RETURNS_OF_TWO
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        self.moves.remove(&slot);
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.moves.len() <= MOVES_MAX);
    }
}

impl Swim {
    /// Where the other process listens to which this one lost its name; it is gone then, as after
    /// [`Output::Gone`]. The process should end, and say that it needs a name of its own.
    #[must_use]
    pub const fn name_lost_to(&self) -> Option<SocketAddr> {
        self.namesake.winner
    }

    /// Others say that this member is elsewhere. Says whether to wait, without a word, for the
    /// answer of whoever may be there.
    pub(super) fn wait_for_namesake(&mut self, address: SocketAddr, theirs: Claim) -> bool {
        if let Some(asked) = self.namesake.asked
            && asked.address == address
        {
            if self.now < asked.until {
                return true;
            }
            // Nobody is there: a record of an earlier run.
            self.namesake.asked = None;
            return false;
        }
        let me = self.members.entry(ME);
        // Of two that say the same at the same time, one is contradicted.
        if theirs.overrides(me.claim()) || address < self.members.address(ME) {
            self.namesake.overtaken = self.namesake.overtaken.saturating_add(1);
        }
        if self.namesake.overtaken < self.namesake.patience(self.now) {
            return false;
        }
        self.say(ME, EventKind::NameConflict { address });
        let sequence = self.probes.next_sequence();
        self.namesake.asked = Some(Asked {
            address,
            sequence,
            until: self.now.after(self.config.params().probe_timeout),
        });
        let round = self.probes.round;
        self.send_bare(address, Body::Ping { sequence, round });
        true
    }

    /// A datagram in this member's own name: its own, which came back, or another process's.
    pub(super) fn hear_namesake(&mut self, from: SocketAddr, body: &Body) {
        let asked = self.namesake.asked;
        match *body {
            Body::Ping { sequence, .. } => {
                if asked.is_some_and(|asked| asked.sequence == sequence) {
                    // The address leads to this very process.
                    self.namesake.asked = None;
                } else {
                    let ack = Body::Ack {
                        sequence,
                        view: ViewTag(self.members.view() as u16),
                        metadata: self.metadata_tag(sequence),
                        asker: Asker::Known,
                    };
                    self.send_bare(from, ack);
                }
            }
            Body::Ack { sequence, .. } => {
                if let Some(asked) = asked
                    && (asked.sequence, asked.address) == (sequence, from)
                {
                    self.give_up_name(from);
                    return;
                }
            }
            Body::Gossip
            | Body::AskPing { .. }
            | Body::RelayPing { .. }
            | Body::RelayAck { .. }
            | Body::Relayed { .. }
            | Body::Nack { .. }
            | Body::Refused(_)
            | Body::Heartbeat { .. }
            | Body::Watch { .. }
            | Body::Watching { .. } => {}
        }
        self.reject(from, Reject::Myself);
    }

    fn give_up_name(&mut self, winner: SocketAddr) {
        self.namesake.winner = Some(winner);
        self.say(ME, EventKind::NameConflict { address: winner });
        self.stage = Stage::Gone;
        self.outputs.push_back(Output::Gone);
    }
}

/// Who began not longer ago than this was started by somebody who is still looking.
const YOUTH: Duration = Duration::from_secs(60);
/// The first one may be a record of an earlier run.
const PATIENCE_OF_THE_YOUNG: u32 = 2;
/// The other one had its two contradictions, and some that were records.
const PATIENCE_OF_THE_OLD: u32 = 6;
/// Back where it was, and away again. Who tries another port and returns moves back once.
const RETURNS_OF_TWO: u8 = 2;
/// More than that do not move within a minute but where all do, and then by their operator.
const MOVES_MAX: usize = 64;
