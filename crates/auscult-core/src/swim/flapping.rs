//! Members that are suspected and contradict, again and again.
//!
//! Of a member that loses four fifths of what it sends every third probe fails. It hears that it is
//! suspected, and what it says against that arrives in the end, as it says so often: it is never
//! convicted, but each time the whole group is told twice, and all views change. So a member that
//! contradicted lately has to miss more probes in a row before it is accused again: one more for
//! each contradiction after the first, and [`PATIENCE_MAX`] at most. Those probes follow each other
//! at once. What it contradicted fades when nothing followed for [`MEMORY`] periods.
//!
//! **Harm.** Nobody is accused for this who would not be otherwise, only later: by so many probes,
//! each of which takes at most a period. Others who did suspect a member meanwhile find this one
//! agree as soon as ever. When more than [`FLAPS_MAX`] contradict, what is wrong is not with them,
//! and nobody has more patience with the others.

use alloc::collections::BTreeMap;

use super::config::Params;
use super::members::Slot;
use crate::time::Instant;

/// Who contradicted lately, at most [`FLAPS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Flapping {
    flaps: BTreeMap<Slot, Flap>,
}

#[derive(Clone, Copy, Debug)]
struct Flap {
    /// Contradictions that followed each other.
    contradictions: u8,
    /// When the last one came.
    at: Instant,
    /// Probes missed in a row since then.
    missed: u8,
}

/// What follows when a member misses a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// It is accused.
    Accuse,
    /// It is asked once more.
    AskAgain,
}

impl Flapping {
    /// A member contradicted a suspicion.
    pub(super) fn note_contradiction(&mut self, slot: Slot, now: Instant, params: &Params) {
        let memory = params.probe_interval * MEMORY;
        if self.flaps.len() >= FLAPS_MAX && !self.flaps.contains_key(&slot) {
            self.flaps.retain(|_, flap| now.since(flap.at) < memory);
            if self.flaps.len() >= FLAPS_MAX {
                return;
            }
        }
        let flap = self.flaps.entry(slot).or_insert(Flap {
            contradictions: 0,
            at: now,
            missed: 0,
        });
        if now.since(flap.at) >= memory {
            flap.contradictions = 0;
        }
        flap.contradictions = flap.contradictions.saturating_add(1);
        flap.at = now;
        flap.missed = 0;
    }

    /// A member missed a probe that nobody else has accused it for.
    pub(super) fn note_missed(&mut self, slot: Slot, now: Instant, params: &Params) -> Missed {
        let memory = params.probe_interval * MEMORY;
        let Some(flap) = self.flaps.get_mut(&slot) else {
            return Missed::Accuse;
        };
        if now.since(flap.at) >= memory {
            self.flaps.remove(&slot);
            return Missed::Accuse;
        }
        let patience = flap.contradictions.saturating_sub(1).min(PATIENCE_MAX);
        if flap.missed >= patience {
            flap.missed = 0;
            return Missed::Accuse;
        }
        flap.missed += 1;
        Missed::AskAgain
    }

    /// A member answered a probe.
    pub(super) fn note_answer(&mut self, slot: Slot) {
        if let Some(flap) = self.flaps.get_mut(&slot) {
            flap.missed = 0;
        }
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        self.flaps.remove(&slot);
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.flaps.len() <= FLAPS_MAX);
        let missed = self.flaps.values().map(|flap| flap.missed);
        assert!(missed.max().unwrap_or(0) <= PATIENCE_MAX);
    }
}

/// Four probes of which each fails in one of three cases all fail once in eighty: a member that was
/// suspected every three seconds is once in a minute or two.
const PATIENCE_MAX: u8 = 3;
/// Longer than it takes such a member to be suspected with all patience.
const MEMORY: u32 = 150;
/// A hundredth of some thousands.
const FLAPS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swim::member::Label;
    use alloc::vec::Vec;
    use core::time::Duration;

    fn lan() -> Params {
        Params::lan(Label::new("test").unwrap())
    }

    /// How many probes in a row a member misses until it is accused.
    fn misses(flapping: &mut Flapping, now: Instant) -> usize {
        let mut count = 1;
        while flapping.note_missed(7, now, &lan()) == Missed::AskAgain {
            count += 1;
            flapping.check_invariants();
        }
        count
    }

    #[test]
    fn patience_grows_with_contradictions_and_ends() {
        let mut flapping = Flapping::default();
        let mut now = Instant::from_secs(100);
        assert_eq!(misses(&mut flapping, now), 1);
        let mut found = Vec::new();
        for _ in 0..6 {
            now = now.after(Duration::from_secs(3));
            flapping.note_contradiction(7, now, &lan());
            found.push(misses(&mut flapping, now));
        }
        assert_eq!(found, [1, 2, 3, 4, 4, 4]);
        // An answer in between makes it begin anew.
        assert_eq!(flapping.note_missed(7, now, &lan()), Missed::AskAgain);
        flapping.note_answer(7);
        assert_eq!(misses(&mut flapping, now), 4);
        now = now.after(lan().probe_interval * MEMORY);
        assert_eq!(misses(&mut flapping, now), 1);
    }

    /// When everybody contradicts, as after a partition, nobody has more patience with anybody new.
    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut flapping = Flapping::default();
        let now = Instant::from_secs(100);
        for slot in 0..1_000 {
            flapping.note_contradiction(slot, now, &lan());
            flapping.note_contradiction(slot, now, &lan());
            flapping.check_invariants();
        }
        assert_eq!(flapping.note_missed(0, now, &lan()), Missed::AskAgain);
        assert_eq!(flapping.note_missed(999, now, &lan()), Missed::Accuse);
        // Those are forgotten in time.
        let later = now.after(lan().probe_interval * MEMORY);
        flapping.note_contradiction(999, later, &lan());
        flapping.note_contradiction(999, later, &lan());
        assert_eq!(flapping.note_missed(999, later, &lan()), Missed::AskAgain);
    }
}
