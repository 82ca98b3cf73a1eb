//! Whom to probe in a round, without a list that would have to be shuffled.
//!
//! Members stand on a ring, in the order of their ids. In a round everybody probes the one that
//! stands `offset` further on, so each member is probed by exactly one other, if all share the
//! offset and the ring. The offsets of `n - 1` rounds in a row are a permutation of `1..n`, so
//! each member probes each other one exactly once in that time, which bounds the time to a first
//! probe [SWIM 4.3]. The permutation is affine, with a multiplier and a shift that the key and
//! the epoch of `n - 1` rounds give: nothing is stored.

use crate::rng::mix;

/// An order: one for the cluster, keyed by its label, and one for this member alone, keyed by its
/// seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    key: u64,
    cached: Epoch,
}

#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    others: u32,
    number: u64,
    multiplier: u32,
    shift: u32,
}

impl Order {
    pub(super) fn new(key: u64) -> Self {
        Self {
            key,
            cached: Epoch::default(),
        }
    }

    /// How much further the member to be probed stands: 1 to `others`, for a ring of `others +
    /// 1`; at least 1.
    pub(super) fn offset(&mut self, round: u64, others: u32) -> u32 {
        let others = others.max(1);
        let number = round / u64::from(others);
        if self.cached.others != others || self.cached.number != number {
            self.cached = Epoch::new(self.key, others, number);
        }
        self.cached.offset(round)
    }

    /// The same for a round of the epoch that was asked for last; `None` for any other.
    pub(super) fn offset_now(&self, round: u64, others: u32) -> Option<u32> {
        let cached = self.cached;
        let same = cached.others == others && others > 0;
        (same && round / u64::from(others) == cached.number).then(|| cached.offset(round))
    }
}

impl Epoch {
    fn offset(&self, round: u64) -> u32 {
        let others = u64::from(self.others);
        let place = round % others * u64::from(self.multiplier) + u64::from(self.shift);
        1 + (place % others) as u32
    }

    fn new(key: u64, others: u32, number: u64) -> Self {
        let mut random = mix(key ^ mix(number ^ u64::from(others) << 40));
        let shift = (random % u64::from(others)) as u32;
        // Two in three numbers have no common factor with another one, so this takes a try or two.
        let multiplier = loop {
            random = mix(random.wrapping_add(1));
            let candidate = (random % u64::from(others)) as u32;
            if common_factor(candidate, others) == 1 {
                break candidate;
            }
        };
        Self {
            others,
            number,
            multiplier,
            shift,
        }
    }
}

const fn common_factor(mut a: u32, mut b: u32) -> u32 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// [SWIM 4.3] Against the dumb twin, a set of those already probed: nobody is probed twice in
    /// an epoch.
    #[test]
    fn each_other_member_has_its_turn_once_in_an_epoch() {
        for others in [1, 2, 3, 4, 16, 17, 127, 999] {
            let mut order = Order::new(42);
            for epoch in 0..5_u64 {
                let rounds = epoch * u64::from(others)..(epoch + 1) * u64::from(others);
                let offsets: BTreeSet<_> =
                    rounds.map(|round| order.offset(round, others)).collect();
                let expected: BTreeSet<_> = (1..=others).collect();
                assert_eq!(offsets, expected, "{others}");
                let last = (epoch + 1) * u64::from(others) - 1;
                let offset = order.offset(last, others);
                assert_eq!(order.offset_now(last, others), Some(offset));
                assert_eq!(order.offset_now(last + 1, others), None);
            }
        }
    }

    #[test]
    fn keys_and_epochs_give_different_orders() {
        let take = |key, epoch: u64| -> std::vec::Vec<u32> {
            let mut order = Order::new(key);
            (epoch * 31..(epoch + 1) * 31)
                .map(|round| order.offset(round, 31))
                .collect()
        };
        assert_ne!(take(1, 0), take(2, 0));
        assert_ne!(take(1, 0), take(1, 1));
        assert_eq!(take(1, 7), take(1, 7));
    }
}
