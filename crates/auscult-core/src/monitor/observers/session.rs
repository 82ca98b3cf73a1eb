//! Both ends of a session.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::verdict::{Turn, Verdict};
use crate::id::TargetId;
use crate::time::Instant;

/// What is to be told to another monitor.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    pub(super) session: u64,
    pub(super) sequence: u64,
    pub(super) answered: u64,
    /// Targets of which the other one does not know everything.
    pub(super) dirty: BTreeSet<TargetId>,
    /// Targets to be told of again with the next beat.
    pub(super) later: BTreeSet<TargetId>,
    pub(super) flight: Option<Flight>,
    pub(super) sent_at: Option<Instant>,
}

/// A message without an answer yet.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) sequence: u64,
    /// The targets in it, with the ruling that was announced.
    pub(super) items: Vec<(TargetId, Option<(Turn, Verdict)>)>,
}

impl Outgoing {
    /// Begins anew: the other one knows nothing.
    pub(super) fn restart(&mut self, everything: Vec<TargetId>) {
        self.session += 1;
        self.sequence = 0;
        self.answered = 0;
        self.flight = None;
        self.sent_at = None;
        self.later.clear();
        self.dirty = everything.into_iter().collect();
    }

    /// No answer came: what was in the message is to be sent again.
    pub(super) fn lose(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.dirty
                .extend(flight.items.into_iter().map(|(id, _)| id));
        }
    }
}

/// What is known from another monitor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Incoming {
    session: u64,
    taken: u64,
    /// It has told everything once.
    pub(super) complete: bool,
    pub(super) heard_at: Option<Instant>,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Take it; nothing from before stands.
    First,
    Next,
    Old,
    Gap,
}

impl Incoming {
    /// Notes a message, and tells what to do with it.
    pub(super) fn note(&mut self, session: u64, sequence: u64, answered: u64) -> Order {
        let order = match () {
            () if session < self.session => Order::Old,
            () if session > self.session && answered > 0 => Order::Gap,
            () if session > self.session => Order::First,
            () if answered > self.taken => Order::Gap,
            () if sequence <= self.taken => Order::Old,
            () => Order::Next,
        };
        match order {
            Order::First => {
                *self = Self {
                    session,
                    taken: sequence,
                    complete: false,
                    heard_at: self.heard_at,
                };
            }
            Order::Next => self.taken = sequence,
            Order::Old | Order::Gap => {}
        }
        order
    }

    /// Nothing that was told counts until it is told anew.
    pub(super) const fn silence(&mut self) {
        self.heard_at = None;
    }
}
