//! What the users of members tell each other: small messages for all who are members now.
//!
//! # What is promised
//! - A broadcast travels in the space that news about members leaves, and as often as they do.
//!   What arrives is delivered at most once by each member, as [`Output::Broadcast`], and not by
//!   its sender.
//! - Who passes it on tells the next member on the ring as well as some at random. So without
//!   loss it reaches all who know its sender; with loss, all with the probability that news has.
//!   Nothing repairs what was lost: what must arrive belongs into metadata.
//! - *Order*: of two broadcasts of one member with the same key, the earlier one is never
//!   delivered after the later one, and where the later one is known the earlier one is not sent
//!   on any more. There is no order else.
//! - *Bounds*: [`BROADCASTS_QUEUED_MAX`] wait to be sent on. When there are more, the one that was
//!   sent most often goes, the oldest among those, and is counted. One that was not sent at all
//!   does not go: a new one of this member is refused then, and one of others is delivered but not
//!   passed on, and counted.
//! - Each is known by its sender, the incarnation in which the sender's process began, and a
//!   number. A member remembers the last [`BROADCAST_WINDOW`] numbers of every other one for as
//!   long as it remembers that; what is older, or of a member that it does not know, is not
//!   delivered.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use super::event::{Output, Reject};
use super::member::{Incarnation, MemberId};
use super::members::ME;
use super::message::{BODY_BYTES_MAX, Packet};
use super::metadata::Key;
use super::{Stage, Swim, gossip};
use crate::bounds::{BROADCAST_WINDOW, BROADCASTS_QUEUED_MAX, ID_BYTES_MAX};
use crate::id::IdError;
use crate::time::Instant;

/// A message of a member's user to all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// Who sent it first.
    pub origin: MemberId,
    /// The incarnation in which the origin's process began.
    pub epoch: Incarnation,
    /// Counts the origin's broadcasts, from 1.
    pub number: u64,
    /// What it is about: a later one with the same key takes its place.
    pub key: Option<Key>,
    /// What it says.
    pub payload: Arc<[u8]>,
}

impl Broadcast {
    /// The bytes that it takes in a datagram, at most: every codec keeps to it.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.as_str().len());
        HEAD_BYTES_MAX + key + self.payload.len()
    }

    fn supersedes(&self, other: &Self) -> bool {
        self.key.is_some()
            && self.key == other.key
            && self.origin == other.origin
            && (self.epoch, self.number) > (other.epoch, other.number)
    }
}

/// Why a broadcast is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BroadcastRefusal {
    /// It is no key. State: unchanged.
    Key(IdError),
    /// Key and payload do not fit a datagram. State: unchanged.
    TooLong {
        /// How many bytes they have.
        bytes: usize,
        /// How many they may have.
        most: usize,
    },
    /// [`BROADCASTS_QUEUED_MAX`] wait to be sent for the first time. State: unchanged.
    Full,
    /// The member leaves, or has left. State: unchanged.
    Leaving,
}

impl fmt::Display for BroadcastRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(_) => write!(f, "the key of the broadcast is no name"),
            Self::TooLong { bytes, most } => write!(
                f,
                "a broadcast has at most {most} bytes, this one has {bytes}"
            ),
            Self::Full => write!(f, "{BROADCASTS_QUEUED_MAX} broadcasts wait to be sent"),
            Self::Leaving => write!(f, "the member leaves the cluster"),
        }
    }
}

impl core::error::Error for BroadcastRefusal {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::TooLong { .. } | Self::Full | Self::Leaving => None,
        }
    }
}

/// Who gets a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    /// The next member on the ring, who is told of every broadcast.
    Next,
    Any,
}

#[derive(Debug)]
struct Queued {
    broadcast: Broadcast,
    sent: u32,
    next_told: bool,
}

/// Broadcasts to be sent on, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Broadcasts {
    queue: VecDeque<Queued>,
    /// Of this member's own last one.
    number: u64,
}

impl Broadcasts {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether the next member on the ring has not been told of one.
    pub(super) fn owes_next(&self) -> bool {
        self.queue.iter().any(|queued| !queued.next_told)
    }

    /// Queues one in place of what it supersedes. Says how many were dropped for want of room,
    /// the new one perhaps.
    fn add(&mut self, broadcast: Broadcast) -> u64 {
        self.queue
            .retain(|old| !broadcast.supersedes(&old.broadcast));
        let dropped = u64::from(self.queue.len() >= BROADCASTS_QUEUED_MAX);
        if dropped == 0 || self.make_room() {
            self.queue.push_back(Queued {
                broadcast,
                sent: 0,
                next_told: false,
            });
        }
        dropped
    }

    /// Drops the one that was sent most often, if one was sent at all.
    fn make_room(&mut self) -> bool {
        let sent = self.queue.iter().map(|queued| queued.sent);
        let most = sent.max().unwrap_or(0);
        let at = self.queue.iter().position(|queued| queued.sent == most);
        match at.filter(|_| most > 0) {
            Some(at) => self.queue.remove(at).is_some(),
            None => false,
        }
    }

    /// Takes what fits into `bytes`, what was sent least first, and counts that it was sent; what
    /// was sent `sent_max` times, once of them to the next one on the ring, is dropped.
    pub(super) fn take(
        &mut self,
        mut bytes: usize,
        sent_max: u32,
        to: Recipient,
        out: &mut Vec<Broadcast>,
    ) {
        let mut order: Vec<usize> = (0..self.queue.len()).collect();
        order.sort_by_key(|&at| {
            let queued = &self.queue[at];
            (queued.next_told && to == Recipient::Next, queued.sent)
        });
        for at in order {
            let queued = &mut self.queue[at];
            let size = queued.broadcast.bytes_max();
            let wanted = match to {
                Recipient::Next => !queued.next_told || queued.sent < sent_max,
                Recipient::Any => queued.sent < sent_max,
            };
            if !wanted || size > bytes {
                continue;
            }
            bytes -= size;
            queued.sent += 1;
            queued.next_told |= to == Recipient::Next;
            out.push(queued.broadcast.clone());
        }
        self.queue
            .retain(|queued| queued.sent < sent_max || !queued.next_told);
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.queue.len() <= BROADCASTS_QUEUED_MAX);
        for (at, one) in self.queue.iter().enumerate() {
            let superseded = |other: &Queued| other.broadcast.supersedes(&one.broadcast);
            assert!(!self.queue.iter().skip(at + 1).any(superseded));
        }
    }
}

/// Which broadcasts of one member arrived, of the last [`BROADCAST_WINDOW`].
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    epoch: Incarnation,
    highest: u64,
    /// One bit for each number of the window, at the number's place modulo the window.
    seen: [u64; (BROADCAST_WINDOW / 64) as usize],
    /// The highest number of each key, of those in the window.
    keys: Vec<(Key, u64)>,
}

impl Heard {
    /// Whether this one is to be delivered; if so, it is noted.
    fn note(&mut self, broadcast: &Broadcast) -> bool {
        let number = broadcast.number;
        if broadcast.epoch > self.epoch {
            let epoch = broadcast.epoch;
            *self = Self {
                epoch,
                ..Self::default()
            };
        }
        let too_old = number.saturating_add(BROADCAST_WINDOW) <= self.highest;
        if broadcast.epoch < self.epoch || number == 0 || too_old {
            return false;
        }
        self.advance(number);
        let (word, bit) = (number % BROADCAST_WINDOW / 64, 1 << (number % 64));
        let word = &mut self.seen[word as usize];
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        let Some(key) = &broadcast.key else {
            return true;
        };
        match self.keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, latest)) if *latest > number => return false,
            Some((_, latest)) => *latest = number,
            None => self.keys.push((key.clone(), number)),
        }
        true
    }

    /// Moves the window up to a number.
    fn advance(&mut self, number: u64) {
        if number <= self.highest {
            return;
        }
        for passed in 1..=(number - self.highest).min(BROADCAST_WINDOW) {
            let place = (self.highest + passed) % BROADCAST_WINDOW;
            self.seen[(place / 64) as usize] &= !(1 << (place % 64));
        }
        self.highest = number;
        let oldest = number.saturating_sub(BROADCAST_WINDOW);
        self.keys.retain(|&(_, latest)| latest > oldest);
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.keys.len() as u64 <= BROADCAST_WINDOW);
    }
}

impl Swim {
    /// Tells all members something. With a key, it takes the place of what this member said with
    /// the same key before; see the machine's [module](crate::swim) for what is promised.
    ///
    /// # Errors
    /// Why it is not sent. State: nothing was queued.
    pub fn broadcast(
        &mut self,
        now: Instant,
        key: Option<&str>,
        payload: &[u8],
    ) -> Result<(), BroadcastRefusal> {
        self.begin(now);
        let queued = self.queue_broadcast(key, payload);
        self.end();
        queued
    }

    /// The most bytes that the key and the payload of a broadcast may have together.
    #[must_use]
    pub fn broadcast_bytes_max(&self) -> usize {
        self.config.params().datagram_bytes - BODY_BYTES_MAX - HEAD_BYTES_MAX
    }

    fn queue_broadcast(
        &mut self,
        key: Option<&str>,
        payload: &[u8],
    ) -> Result<(), BroadcastRefusal> {
        if self.stage != Stage::Running {
            return Err(BroadcastRefusal::Leaving);
        }
        let key = key.map(Key::new).transpose();
        let key = key.map_err(BroadcastRefusal::Key)?;
        let bytes = key.as_ref().map_or(0, |key| key.as_str().len()) + payload.len();
        let most = self.broadcast_bytes_max();
        if bytes > most {
            return Err(BroadcastRefusal::TooLong { bytes, most });
        }
        let broadcast = Broadcast {
            origin: self.me,
            epoch: self.members.stamp(ME).epoch,
            number: self.broadcasts.number + 1,
            key,
            payload: payload.into(),
        };
        let unsent = self
            .broadcasts
            .queue
            .iter()
            .filter(|queued| queued.sent == 0 && !broadcast.supersedes(&queued.broadcast));
        if unsent.count() >= BROADCASTS_QUEUED_MAX {
            return Err(BroadcastRefusal::Full);
        }
        self.broadcasts.number += 1;
        self.counters.broadcasts_dropped += self.broadcasts.add(broadcast);
        self.keep_gossiping();
        Ok(())
    }

    /// Another member passes a broadcast on.
    pub(super) fn take_broadcast(&mut self, from: SocketAddr, broadcast: Broadcast) {
        if broadcast.origin == self.me {
            let epoch = self.members.stamp(ME).epoch;
            if (broadcast.epoch, broadcast.number) > (epoch, self.broadcasts.number) {
                // An earlier run said it, or another process: others would take what this member
                // says next for something old.
                self.begin_epoch_after(broadcast.epoch);
            }
            return;
        }
        let Some(slot) = self.members.find(broadcast.origin) else {
            return;
        };
        if broadcast.epoch > self.members.entry(slot).claim().incarnation {
            return;
        }
        if !self.members.heard_mut(slot).note(&broadcast) {
            return;
        }
        self.outputs.push_back(Output::Broadcast {
            from: self.members.entry(slot).name.clone(),
            key: broadcast.key.clone(),
            payload: broadcast.payload.to_vec(),
        });
        if broadcast.bytes_max() > self.config.params().datagram_bytes - BODY_BYTES_MAX {
            // From a member that is configured for larger datagrams than this one.
            self.reject(from, Reject::TooLong);
            return;
        }
        self.counters.broadcasts_dropped += self.broadcasts.add(broadcast);
        self.keep_gossiping();
    }

    /// Puts broadcasts into the space that is left.
    pub(super) fn pack_broadcasts(&mut self, to: SocketAddr, left: usize, packet: &mut Packet) {
        if self.broadcasts.is_empty() {
            return;
        }
        let next = self.next_on_ring();
        let to_next = next.is_some_and(|slot| self.members.is_at(slot, to));
        let recipient = if to_next {
            Recipient::Next
        } else {
            Recipient::Any
        };
        let multiplier = self.config.params().retransmit_multiplier;
        let most = gossip::transmissions(multiplier, self.members.live());
        self.broadcasts
            .take(left, most, recipient, &mut packet.broadcasts);
    }
}

/// A kind, an id, an epoch, a number, and the lengths of a key and a payload.
const HEAD_BYTES_MAX: usize = 1 + 8 + 9 + 10 + 1 + 2;

const _: () = assert!(
    ID_BYTES_MAX + HEAD_BYTES_MAX + BODY_BYTES_MAX <= crate::bounds::MEMBERSHIP_DATAGRAM_BYTES_MIN
);

#[cfg(test)]
mod tests;
