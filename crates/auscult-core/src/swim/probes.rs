//! Probes under way, and when each of them is overdue.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::Params;
use super::event::{Attempt, Outcome, Path};
use super::input::{ExchangeId, StreamFailure, Wake};
use super::member::MemberId;
use super::members::Slot;
use super::message::Sequence;
use super::order::Order;
use crate::bounds::PROBES_MAX;
use crate::rng::Rng;
use crate::time::Instant;

/// Why somebody is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is its turn.
    Period,
    /// Another member suspects it.
    Confirm,
    /// Its heartbeats do not come.
    Silence,
    /// Datagrams may not pass between it and this member.
    Link,
    /// It is about to be convicted.
    LastWord,
    /// It is dead, and may be back.
    Heal,
}

/// One probe.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) target: MemberId,
    /// Where the target stood when it was asked.
    pub(super) slot: Slot,
    pub(super) sequence: Sequence,
    pub(super) purpose: Purpose,
    pub(super) began: Instant,
    /// When others are asked; `None` once they are.
    pub(super) indirect_at: Option<Instant>,
    pub(super) verdict_at: Instant,
    pub(super) relays: Vec<(MemberId, Outcome)>,
    pub(super) stream: Option<(ExchangeId, Outcome)>,
}

impl Probe {
    /// How the target was asked.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        let direct = Attempt {
            path: Path::Direct,
            outcome: Outcome::Silence,
        };
        let relays = self.relays.iter().map(|&(relay, outcome)| Attempt {
            path: Path::Relay(relay),
            outcome,
        });
        let stream = self.stream.map(|(_, outcome)| Attempt {
            path: Path::Stream,
            outcome,
        });
        core::iter::once(direct)
            .chain(relays)
            .chain(stream)
            .collect()
    }

    /// Relays from which nothing came at all.
    pub(super) fn missed_nacks(&self) -> usize {
        let silent = |&&(_, outcome): &&(MemberId, Outcome)| outcome == Outcome::Silence;
        self.relays.iter().filter(silent).count()
    }
}

/// All probes of this member, and whose turn it is.
#[derive(Debug)]
pub(super) struct Probes {
    under_way: Vec<Probe>,
    pub(super) next_period: Instant,
    sequence: Sequence,
    /// Of the period that runs.
    pub(super) round: u64,
    /// The greatest one that others told of.
    pub(super) heard_round: u64,
    pub(super) shared: Order,
    pub(super) own: Order,
    /// Counts the rounds of the own order, so that it is a permutation whatever the shared one
    /// does.
    pub(super) own_round: u64,
}

impl Probes {
    pub(super) fn new(params: &Params, rng: &mut Rng, now: Instant) -> Self {
        Self {
            under_way: Vec::new(),
            next_period: now.after(rng.span_below(params.probe_interval)),
            sequence: Sequence(rng.next_u64() as u16),
            round: 0,
            heard_round: 0,
            shared: Order::new(params.label.digest()),
            own: Order::new(rng.next_u64()),
            own_round: 0,
        }
    }

    pub(super) const fn next_sequence(&mut self) -> Sequence {
        self.sequence = Sequence(self.sequence.0.wrapping_add(1));
        self.sequence
    }

    /// Begins the next round: the one after the last, or the greatest that others are in. A
    /// member that is in a later part of the same period than the first one so takes the same
    /// round.
    pub(super) fn advance(&mut self) {
        self.round = self.heard_round.max(self.round.saturating_add(1));
    }

    pub(super) fn hear_round(&mut self, round: u64) {
        self.heard_round = self.heard_round.max(round.min(ROUND_MAX));
    }

    pub(super) fn add(&mut self, probe: Probe) {
        if self.under_way.len() < PROBES_MAX {
            self.under_way.push(probe);
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.under_way.len() >= PROBES_MAX
    }

    pub(super) fn is_probing(&self, target: MemberId) -> bool {
        self.under_way.iter().any(|probe| probe.target == target)
    }

    /// What is overdue first.
    pub(super) fn next(&self) -> Option<(Instant, Wake)> {
        let due = |probe: &Probe| match probe.indirect_at {
            Some(at) if at < probe.verdict_at => (at, Wake::Indirect),
            Some(_) | None => (probe.verdict_at, Wake::Verdict),
        };
        self.under_way.iter().map(due).min()
    }

    pub(super) fn find_mut(&mut self, sequence: Sequence) -> Option<&mut Probe> {
        self.under_way
            .iter_mut()
            .find(|probe| probe.sequence == sequence)
    }

    /// Where the target of a probe stood when it was asked.
    pub(super) fn slot_of(&self, sequence: Sequence) -> Option<Slot> {
        let mut probes = self.under_way.iter();
        let probe = probes.find(|probe| probe.sequence == sequence)?;
        Some(probe.slot)
    }

    /// Takes the probe that this answers.
    pub(super) fn answered(&mut self, sequence: Sequence, by: MemberId) -> Option<Probe> {
        self.take(|probe| probe.sequence == sequence && probe.target == by)
    }

    /// Takes the probe that was answered by way of this relay.
    pub(super) fn relayed(&mut self, sequence: Sequence, relay: MemberId) -> Option<Probe> {
        self.take(|probe| {
            probe.sequence == sequence && probe.relays.iter().any(|&(asked, _)| asked == relay)
        })
    }

    /// Takes the probe that was answered over this stream.
    pub(super) fn streamed(&mut self, exchange: ExchangeId, by: MemberId) -> Option<Probe> {
        self.take(|probe| {
            probe.target == by && probe.stream.is_some_and(|(asked, _)| asked == exchange)
        })
    }

    fn take(&mut self, wanted: impl Fn(&Probe) -> bool) -> Option<Probe> {
        let at = self.under_way.iter().position(wanted)?;
        Some(self.under_way.swap_remove(at))
    }

    /// The relay is well, but hears nothing.
    pub(super) fn nacked(&mut self, sequence: Sequence, relay: MemberId) {
        let probes = self.under_way.iter_mut();
        let relays = probes
            .filter(|probe| probe.sequence == sequence)
            .flat_map(|probe| &mut probe.relays);
        for (asked, outcome) in relays {
            if *asked == relay {
                *outcome = Outcome::Nack;
            }
        }
    }

    pub(super) fn broken(&mut self, exchange: ExchangeId, failure: StreamFailure) {
        for probe in &mut self.under_way {
            if let Some((asked, outcome)) = &mut probe.stream
                && *asked == exchange
            {
                *outcome = Outcome::Broken(failure);
            }
        }
    }

    /// The next probe whose time for the direct way is over; it is not given a second time.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<&mut Probe> {
        let probe = self
            .under_way
            .iter_mut()
            .find(|probe| probe.indirect_at.is_some_and(|at| at <= now))?;
        probe.indirect_at = None;
        Some(probe)
    }

    /// Takes the next probe whose time is over.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Probe> {
        self.take(|probe| probe.verdict_at <= now)
    }

    pub(super) fn postpone(&mut self, span: Duration) {
        for probe in &mut self.under_way {
            probe.indirect_at = probe.indirect_at.map(|at| at.after(span));
            probe.verdict_at = probe.verdict_at.after(span);
        }
    }

    pub(super) fn clear(&mut self) {
        self.under_way.clear();
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.under_way.len() <= PROBES_MAX);
    }
}

/// A round that no cluster reaches: 8,000 years of a period a millisecond. Greater ones are not
/// believed.
const ROUND_MAX: u64 = 1 << 48;
