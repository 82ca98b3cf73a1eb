//! News to be sent on: what was sent least goes first, and is dropped when it was sent often
//! enough.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::member::MemberId;
use super::message::Update;

/// What is sent first: fewest transmissions, and the newest among those.
type Rank = (u32, Reverse<u64>);

/// The queue of news, at most one about each member: newer news replaces older.
#[derive(Debug, Default)]
pub(super) struct Queue {
    news: BTreeMap<Rank, Update>,
    ranks: BTreeMap<MemberId, Rank>,
    added: u64,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.news.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.news.len()
    }

    pub(super) fn has(&self, member: MemberId) -> bool {
        self.ranks.contains_key(&member)
    }

    /// Adds news in place of what there was about the same member.
    pub(super) fn add(&mut self, update: Update) {
        self.drop_about(update.member());
        self.added += 1;
        let rank = (0, Reverse(self.added));
        self.ranks.insert(update.member(), rank);
        self.news.insert(rank, update);
    }

    /// Drops the news about a member.
    pub(super) fn drop_about(&mut self, member: MemberId) {
        if let Some(rank) = self.ranks.remove(&member) {
            self.news.remove(&rank);
        }
    }

    /// Takes what fits into `bytes` besides what is in `updates` already, and counts that it was
    /// sent; what was sent `transmissions_max` times is dropped.
    pub(super) fn take(&mut self, bytes: usize, transmissions_max: u32, updates: &mut Vec<Update>) {
        if self.news.is_empty() {
            return;
        }
        let mut left = bytes.saturating_sub(updates.iter().map(Update::bytes_max).sum());
        let said = updates.len();
        let mut taken = Vec::new();
        let mut passed_over = 0;
        for (&rank, update) in &self.news {
            let size = update.bytes_max();
            if size > left {
                passed_over += 1;
                if passed_over == PASSED_OVER_MAX {
                    break;
                }
                continue;
            }
            left -= size;
            taken.push(rank);
            if !updates[..said]
                .iter()
                .any(|said| said.member() == update.member())
            {
                updates.push(update.clone());
            }
        }
        for rank in taken {
            let Some(update) = self.news.remove(&rank) else {
                continue;
            };
            let (sent, order) = rank;
            if sent + 1 >= transmissions_max {
                self.ranks.remove(&update.member());
            } else {
                self.ranks.insert(update.member(), (sent + 1, order));
                self.news.insert((sent + 1, order), update);
            }
        }
    }

    /// # Panics
    /// When the parts do not agree, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.news.len(), self.ranks.len());
        for (rank, update) in &self.news {
            assert_eq!(self.ranks.get(&update.member()), Some(rank));
        }
    }
}

/// How often one piece of news is sent, by each member: enough that all hear it with a
/// probability that does not fall with the size of the group. [SWIM 4.1]
pub(super) fn transmissions(multiplier: u32, members: usize) -> u32 {
    let logarithm = libm::ceil(libm::log10(members as f64 + 1.0)).max(1.0);
    multiplier * logarithm as u32
}

/// Pieces of news that do not fit before the search for one that does is given up.
const PASSED_OVER_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swim::member::Incarnation;
    use proptest::prelude::*;

    fn left(member: u64, incarnation: u64) -> Update {
        Update::Left {
            member: MemberId::from_bits(member),
            incarnation: Incarnation::new(incarnation).unwrap(),
        }
    }

    /// memberlist's rule: `multiplier * ceil(log10(n + 1))`.
    #[test]
    fn budget_grows_with_the_logarithm_of_the_group() {
        assert_eq!(transmissions(4, 1), 4);
        assert_eq!(transmissions(4, 9), 4);
        assert_eq!(transmissions(4, 10), 8);
        assert_eq!(transmissions(4, 1_000), 16);
    }

    /// What was said besides is not said twice, but counts as sent.
    #[test]
    fn news_about_whom_the_packet_speaks_already_is_not_repeated() {
        let mut queue = Queue::default();
        queue.add(left(1, 0));
        let mut updates = [left(1, 5)].into();
        queue.take(1_000, 1, &mut updates);
        assert_eq!(updates, [left(1, 5)]);
        assert!(queue.is_empty());
    }

    proptest! {
        /// The dumb twin: a list, sorted by transmissions and age before each use.
        #[test]
        fn agrees_with_a_sorted_list(
            steps in proptest::collection::vec((0..8_u64, 0..4_u8, 1..6_usize), 1..100),
        ) {
            let mut queue = Queue::default();
            let mut twin: Vec<(u32, Reverse<u64>, Update)> = Vec::new();
            for (number, (member, step, room)) in steps.into_iter().enumerate() {
                if step < 2 {
                    let update = left(member, number as u64);
                    twin.retain(|(_, _, known)| known.member() != update.member());
                    twin.push((0, Reverse(number as u64), update.clone()));
                    queue.add(update);
                } else {
                    let mut found = Vec::new();
                    queue.take(room * left(0, 0).bytes_max(), 3, &mut found);
                    twin.sort_by_key(|&(sent, order, _)| (sent, order));
                    let count = room.min(twin.len());
                    let expected: Vec<_> =
                        twin[..count].iter().map(|(_, _, update)| update.clone()).collect();
                    prop_assert_eq!(found, expected);
                    for entry in &mut twin[..count] {
                        entry.0 += 1;
                    }
                    twin.retain(|&(sent, _, _)| sent < 3);
                }
                queue.check_invariants();
                prop_assert_eq!(queue.len(), twin.len());
            }
        }
    }
}
