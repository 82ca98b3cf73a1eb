//! How long a suspect has to contradict [LG], and who suspects it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::config::{Params, SuspicionRule};
use super::event::{Attempt, Deadline};
use super::member::{Incarnation, MemberId};
use super::members::Slot;
use crate::bounds::ACCUSERS_MAX;
use crate::time::Instant;

/// The time that a suspect has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Allowance {
    /// Once `needed` others agree.
    pub(super) least: Duration,
    /// While nobody does.
    pub(super) most: Duration,
    pub(super) needed: u32,
    pub(super) members: usize,
}

impl Allowance {
    /// For a suspect in a group of `members`; `refutations` is what refutations were measured to
    /// take, in the worst of usual cases.
    pub(super) fn new(params: &Params, members: usize, refutations: Option<Duration>) -> Self {
        let logarithm = libm::log10(members as f64).max(1.0);
        let logarithmic = params
            .probe_interval
            .mul_f64(logarithm)
            .saturating_mul(params.suspicion_multiplier);
        let least = match params.suspicion {
            SuspicionRule::Logarithmic => logarithmic,
            SuspicionRule::Refutation => {
                let back = params.gossip_interval * (1 + gossip_rounds(members));
                let expected = params.probe_timeout + back;
                expected
                    .max(refutations.unwrap_or_default())
                    .min(logarithmic)
            }
        };
        // The suspect and the first accuser cannot confirm.
        let others = members.saturating_sub(2) as u32;
        Self {
            least,
            most: least.saturating_mul(params.suspicion_max_multiplier),
            needed: params.confirmations.min(others),
            members,
        }
    }

    /// For a suspect whose heartbeats were awaited: who is well sends the next one, and
    /// contradicts, to all at once, so nobody has to wait for gossip to come round. What measured
    /// refutations take is left to it all the same.
    pub(super) fn with_heartbeats(self, params: &Params, refutations: Option<Duration>) -> Self {
        let expected = params.heartbeat_interval + params.probe_timeout;
        let least = expected
            .max(refutations.unwrap_or_default())
            .min(self.least);
        Self {
            least,
            most: least.saturating_mul(params.suspicion_max_multiplier),
            ..self
        }
    }

    /// [LG: LHA-Suspicion] `max - (max - min) * log(C + 1) / log(K + 1)`, at least `min`.
    pub(super) fn time(&self, confirmations: u32) -> Duration {
        if confirmations >= self.needed {
            return self.least;
        }
        let share =
            libm::log(f64::from(confirmations) + 1.0) / libm::log(f64::from(self.needed) + 1.0);
        let shrunk = self.most - (self.most - self.least).mul_f64(share);
        shrunk.max(self.least)
    }
}

/// Rounds of gossip until everyone has heard, when those who have heard tell others in each.
fn gossip_rounds(members: usize) -> u32 {
    usize::BITS - members.leading_zeros()
}

/// One member's being suspected.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    pub(super) incarnation: Incarnation,
    pub(super) since: Instant,
    /// Different from each other, the first one first, at most [`ACCUSERS_MAX`].
    pub(super) accusers: Vec<MemberId>,
    /// How this member asked, if it is an accuser itself.
    pub(super) attempts: Vec<Attempt>,
    /// Local health when it began.
    pub(super) health: u8,
    pub(super) allowance: Allowance,
    /// Time in which this process did not run.
    stalled: Duration,
    /// It is not over before this.
    reprieve: Instant,
    /// Who convicted the suspect first, when that is to count here unless the suspect contradicts.
    condemned_by: Option<MemberId>,
    /// How often this member asked the suspect for its last word, and until when it waits.
    asked: u8,
    asked_until: Instant,
}

impl Suspicion {
    pub(super) fn deadline(&self) -> Deadline {
        let confirmations = self.confirmations();
        let time = self.allowance.time(confirmations);
        Deadline {
            since: self.since,
            at: match self.condemned_by {
                None => self.since.after(self.stalled).after(time),
                Some(_) => self.since,
            }
            .max(self.reprieve),
            least: self.allowance.least,
            most: self.allowance.most,
            confirmations,
            needed: self.allowance.needed,
            members: self.allowance.members,
            stalled: self.stalled,
        }
    }

    fn confirmations(&self) -> u32 {
        self.accusers.len().saturating_sub(1) as u32
    }

    /// Whether so many others found the same, and the suspect had all the time to contradict while
    /// this process ran.
    pub(super) fn is_settled(&self, confirmations: u32, by: Instant) -> bool {
        self.confirmations() >= confirmations
            && self.stalled.is_zero()
            && self.since.after(self.allowance.least) <= by
    }
}

/// Whether a suspect had its last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastWord {
    /// It is to be asked now.
    ToBeAsked,
    /// It was asked, and has until then.
    Awaited(Instant),
    /// This member asked it in vain, for a last word or before.
    Had,
}

/// One datagram may be lost.
const LAST_WORDS: u8 = 2;

/// Whether an accuser was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// It is, and others should hear of it too.
    News,
    /// It is not, or enough others agree already.
    Known,
}

/// All suspicions, by member and by deadline.
#[derive(Debug, Default)]
pub(super) struct Suspicions {
    by_slot: BTreeMap<Slot, Suspicion>,
    due: BTreeSet<(Instant, Slot)>,
}

impl Suspicions {
    pub(super) fn len(&self) -> usize {
        self.by_slot.len()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Suspicion> {
        self.by_slot.get(&slot)
    }

    /// Whom this accuser suspects, and in which incarnation.
    pub(super) fn accused_by(
        &self,
        accuser: MemberId,
    ) -> impl Iterator<Item = (Slot, Incarnation)> {
        let all = self.by_slot.iter();
        all.filter(move |(_, suspicion)| suspicion.accusers.contains(&accuser))
            .map(|(&slot, suspicion)| (slot, suspicion.incarnation))
    }

    /// Whom this accuser suspects and nobody else does, and in which incarnation.
    pub(super) fn accused_alone_by(
        &self,
        accuser: MemberId,
    ) -> impl Iterator<Item = (Slot, Incarnation)> {
        let all = self.by_slot.iter();
        all.filter(move |(_, suspicion)| suspicion.accusers == [accuser])
            .map(|(&slot, suspicion)| (slot, suspicion.incarnation))
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<(Instant, Slot)> {
        self.due.first().copied()
    }

    pub(super) fn begin(
        &mut self,
        slot: Slot,
        now: Instant,
        incarnation: Incarnation,
        accuser: MemberId,
        health: u8,
        allowance: Allowance,
    ) {
        self.end(slot);
        let suspicion = Suspicion {
            incarnation,
            since: now,
            accusers: [accuser].into(),
            attempts: Vec::new(),
            health,
            allowance,
            stalled: Duration::ZERO,
            reprieve: Instant::ORIGIN,
            condemned_by: None,
            asked: 0,
            asked_until: Instant::ORIGIN,
        };
        self.due.insert((suspicion.deadline().at, slot));
        self.by_slot.insert(slot, suspicion);
    }

    pub(super) fn end(&mut self, slot: Slot) -> Option<Suspicion> {
        let suspicion = self.by_slot.remove(&slot)?;
        self.due.remove(&(suspicion.deadline().at, slot));
        Some(suspicion)
    }

    /// Another member suspects it too. Only so many count as are needed, so only so many are
    /// news. [LG]
    pub(super) fn confirm(&mut self, slot: Slot, accuser: MemberId) -> Confirmed {
        let Some(suspicion) = self.by_slot.get_mut(&slot) else {
            return Confirmed::Known;
        };
        let enough = suspicion.confirmations() >= suspicion.allowance.needed;
        let known = suspicion.accusers.contains(&accuser);
        if enough || known || suspicion.accusers.len() >= ACCUSERS_MAX {
            return Confirmed::Known;
        }
        let before = suspicion.deadline().at;
        suspicion.accusers.push(accuser);
        let after = suspicion.deadline().at;
        self.due.remove(&(before, slot));
        self.due.insert((after, slot));
        Confirmed::News
    }

    /// The suspect's time is not over before `until`.
    pub(super) fn defer(&mut self, slot: Slot, until: Instant) {
        if let Some(suspicion) = self.by_slot.get_mut(&slot) {
            self.due.remove(&(suspicion.deadline().at, slot));
            suspicion.reprieve = until;
            self.due.insert((suspicion.deadline().at, slot));
        }
    }

    /// Another member convicted the suspect: it has until then, and no longer. Says whether that
    /// is new.
    pub(super) fn condemn(&mut self, slot: Slot, by: MemberId, until: Instant) -> bool {
        let Some(suspicion) = self.by_slot.get_mut(&slot) else {
            return false;
        };
        self.due.remove(&(suspicion.deadline().at, slot));
        let is_new = suspicion.condemned_by.replace(by).is_none();
        suspicion.reprieve = until;
        self.due.insert((suspicion.deadline().at, slot));
        is_new
    }

    /// Who convicted the suspect first, if it was another member.
    pub(super) fn condemned_by(&self, slot: Slot) -> Option<MemberId> {
        self.by_slot.get(&slot)?.condemned_by
    }

    /// Whether the suspect is still to have its last word here.
    pub(super) fn last_word(&self, slot: Slot, now: Instant) -> LastWord {
        match self.by_slot.get(&slot) {
            Some(suspicion) if suspicion.attempts.is_empty() => {
                if suspicion.asked_until > now {
                    LastWord::Awaited(suspicion.asked_until)
                } else if suspicion.asked < LAST_WORDS {
                    LastWord::ToBeAsked
                } else {
                    LastWord::Had
                }
            }
            Some(_) | None => LastWord::Had,
        }
    }

    /// The suspect is asked for its last word, and has until then.
    pub(super) fn note_asked(&mut self, slot: Slot, until: Instant) {
        if let Some(suspicion) = self.by_slot.get_mut(&slot) {
            suspicion.asked += 1;
            suspicion.asked_until = until;
        }
    }

    /// Notes how this member asked the suspect itself.
    pub(super) fn note_attempts(&mut self, slot: Slot, attempts: Vec<Attempt>) {
        if let Some(suspicion) = self.by_slot.get_mut(&slot) {
            suspicion.attempts = attempts;
        }
    }

    /// The process did not run for so long: that time is nobody's fault.
    pub(super) fn postpone(&mut self, span: Duration) {
        self.due.clear();
        for (&slot, suspicion) in &mut self.by_slot {
            suspicion.stalled += span;
            suspicion.reprieve = suspicion.reprieve.after(span);
            suspicion.asked_until = suspicion.asked_until.after(span);
            self.due.insert((suspicion.deadline().at, slot));
        }
    }

    /// # Panics
    /// When the parts do not agree, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.by_slot.len(), self.due.len());
        for (&slot, suspicion) in &self.by_slot {
            assert!(self.due.contains(&(suspicion.deadline().at, slot)));
            assert!((1..=ACCUSERS_MAX).contains(&suspicion.accusers.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swim::member::Label;

    const SECOND: Duration = Duration::from_secs(1);

    fn lan() -> Params {
        Params::lan(Label::new("test").unwrap())
    }

    fn lifeguard() -> Params {
        let mut params = lan();
        params.suspicion = SuspicionRule::Logarithmic;
        params.suspicion_multiplier = 5;
        params
    }

    /// [LG] The first detection of 128 members is at 12.4 s, of which alpha * log10(n) is 10.5 s.
    #[test]
    fn least_time_is_alpha_times_the_logarithm_of_the_group() {
        let allowance = Allowance::new(&lifeguard(), 128, None);
        assert!((allowance.least.as_secs_f64() - 10.536).abs() < 0.001);
        assert_eq!(allowance.most, allowance.least * 6);
    }

    /// [LG] `max(min, max - (max - min) log(C + 1) / log(K + 1))` with K = 3: half the way at one.
    #[test]
    fn time_shrinks_with_independent_confirmations() {
        let allowance = Allowance {
            least: SECOND,
            most: 6 * SECOND,
            needed: 3,
            members: 10,
        };
        let seconds = |confirmations| allowance.time(confirmations).as_secs_f64();
        assert_eq!(seconds(0), 6.0);
        assert!((seconds(1) - 3.5).abs() < 1e-9);
        assert!((seconds(2) - 2.037).abs() < 1e-3);
        assert_eq!((seconds(3), seconds(30)), (1.0, 1.0));
    }

    /// Those who cannot confirm are not waited for.
    #[test]
    fn a_group_of_two_has_the_least_time_at_once() {
        let allowance = Allowance::new(&lan(), 2, None);
        assert_eq!(allowance.time(0), allowance.least);
    }

    #[test]
    fn refutation_rule_is_bounded_by_the_logarithmic_one() {
        let least = |members, measured| Allowance::new(&lan(), members, measured).least;
        assert_eq!(least(25, None), Duration::from_millis(1_700));
        assert_eq!(least(50, None), Duration::from_millis(1_900));
        assert_eq!(least(128, None), Duration::from_millis(2_300));
        assert_eq!(least(25, Some(3 * SECOND)), 3 * SECOND);
        let logarithmic = 4.0 * libm::log10(25.0);
        let slow = least(25, Some(100 * SECOND)).as_secs_f64();
        assert!((slow - logarithmic).abs() < 1e-6);
    }

    /// A stall moves the deadline by its length, and an accuser counts once.
    #[test]
    fn deadlines_follow_confirmations_and_stalls() {
        let mut suspicions = Suspicions::default();
        let allowance = Allowance::new(&lan(), 100, None);
        let id = MemberId::from_bits;
        let start = Instant::from_secs(10);
        suspicions.begin(1, start, Incarnation::FIRST, id(1), 0, allowance);
        suspicions.check_invariants();
        assert_eq!(suspicions.next(), Some((start.after(allowance.most), 1)));
        assert_eq!(suspicions.confirm(1, id(1)), Confirmed::Known);
        for accuser in 2..=4 {
            assert_eq!(suspicions.confirm(1, id(accuser)), Confirmed::News);
        }
        assert_eq!(suspicions.confirm(1, id(5)), Confirmed::Known);
        assert_eq!(suspicions.next(), Some((start.after(allowance.least), 1)));
        suspicions.postpone(SECOND);
        suspicions.check_invariants();
        let at = start.after(allowance.least).after(SECOND);
        assert_eq!(suspicions.next(), Some((at, 1)));
        assert!(suspicions.end(1).is_some());
        assert_eq!(suspicions.next(), None);
    }
}
