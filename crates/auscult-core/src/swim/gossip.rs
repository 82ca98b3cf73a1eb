//! News to be sent on: what was sent least goes first, and is dropped when it was sent often
//! enough.
//!
//! A datagram takes news about members first, then about their metadata, then broadcasts, each as
//! far as there is space left.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::SocketAddr;

use super::event::Output;
use super::member::MemberId;
use super::members::{ME, Slot, died_after};
use super::message::{BODY_BYTES_MAX, Body, Packet, Update};
use super::metadata::MetadataNews;
use super::{Stage, Swim};

/// Something that is said about one member, where what is newer takes the place of what is older.
pub(super) trait News: Clone {
    /// Whom it is about.
    fn about(&self) -> MemberId;
    /// The bytes that it takes in a datagram, at most.
    fn bytes_max(&self) -> usize;
}

impl News for Update {
    fn about(&self) -> MemberId {
        self.member()
    }

    fn bytes_max(&self) -> usize {
        self.bytes_max()
    }
}

impl News for MetadataNews {
    fn about(&self) -> MemberId {
        self.member()
    }

    fn bytes_max(&self) -> usize {
        self.bytes_max()
    }
}

/// What is sent first: fewest transmissions, and the newest among those.
type Rank = (u32, Reverse<u64>);

/// The queue of news, at most one about each member: newer news replaces older.
#[derive(Debug)]
pub(super) struct Queue<T> {
    news: BTreeMap<Rank, T>,
    ranks: BTreeMap<MemberId, Rank>,
    added: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            news: BTreeMap::new(),
            ranks: BTreeMap::new(),
            added: 0,
        }
    }
}

impl<T: News> Queue<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.news.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.news.len()
    }

    pub(super) fn has(&self, member: MemberId) -> bool {
        self.ranks.contains_key(&member)
    }

    pub(super) fn about(&self, member: MemberId) -> Option<&T> {
        self.news.get(self.ranks.get(&member)?)
    }

    /// Adds news in place of what there was about the same member.
    pub(super) fn add(&mut self, news: T) {
        self.drop_about(news.about());
        self.added += 1;
        let rank = (0, Reverse(self.added));
        self.ranks.insert(news.about(), rank);
        self.news.insert(rank, news);
    }

    /// Drops the news about a member.
    pub(super) fn drop_about(&mut self, member: MemberId) {
        if let Some(rank) = self.ranks.remove(&member) {
            self.news.remove(&rank);
        }
    }

    /// Takes what fits into `bytes` besides what is said already, and counts that it was sent;
    /// what was sent `sent_max` times is dropped. Says how many bytes are left.
    pub(super) fn take(&mut self, bytes: usize, sent_max: u32, out: &mut Vec<T>) -> usize {
        let mut left = bytes.saturating_sub(out.iter().map(News::bytes_max).sum());
        if self.news.is_empty() {
            return left;
        }
        let said = out.len();
        let mut taken = Vec::new();
        let mut passed_over = 0;
        for (&rank, news) in &self.news {
            let size = news.bytes_max();
            if size > left {
                passed_over += 1;
                if passed_over == PASSED_OVER_MAX {
                    break;
                }
                continue;
            }
            taken.push(rank);
            if !out[..said].iter().any(|said| said.about() == news.about()) {
                left -= size;
                out.push(news.clone());
            }
        }
        for rank in taken {
            let Some(news) = self.news.remove(&rank) else {
                continue;
            };
            let (sent, order) = rank;
            if sent + 1 >= sent_max {
                self.ranks.remove(&news.about());
            } else {
                self.ranks.insert(news.about(), (sent + 1, order));
                self.news.insert((sent + 1, order), news);
            }
        }
        left
    }

    /// # Panics
    /// When the parts do not agree, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.news.len(), self.ranks.len());
        for (rank, news) in &self.news {
            assert_eq!(self.ranks.get(&news.about()), Some(rank));
        }
    }
}

/// How often one piece of news is sent, by each member: enough that all hear it with a
/// probability that does not fall with the size of the group. [SWIM 4.1]
pub(super) fn transmissions(multiplier: u32, members: usize) -> u32 {
    let logarithm = libm::ceil(libm::log10(members as f64 + 1.0)).max(1.0);
    multiplier * logarithm as u32
}

impl Swim {
    /// Queues news, and sees to it that it is sent.
    pub(super) fn spread(&mut self, update: Update) {
        self.queue.add(update);
        self.keep_gossiping();
    }

    /// Sees to it that what is queued is sent: at once when nothing was sent for an interval, so
    /// that what nobody knows yet reaches all in a few round trips, and the rounds after that are
    /// for what was lost.
    pub(super) fn keep_gossiping(&mut self) {
        if self.gossip_at.is_none() {
            let soonest = self.gossiped_at.after(self.config.params().gossip_interval);
            self.gossip_at = Some(self.now.max(soonest));
        }
    }

    fn has_news(&self) -> bool {
        !(self.queue.is_empty() && self.metadata_news.is_empty() && self.broadcasts.is_empty())
    }

    /// Puts as much news as fits into a datagram.
    pub(super) fn pack(&mut self, to: SocketAddr, packet: &mut Packet) {
        let params = self.config.params();
        let room = params.datagram_bytes - BODY_BYTES_MAX;
        let most = transmissions(params.retransmit_multiplier, self.members.live());
        let left = self.queue.take(room, most, &mut packet.updates);
        let left = self.metadata_news.take(left, most, &mut packet.metadata);
        self.pack_broadcasts(to, left, packet);
        self.rest();
    }

    /// Without news nothing is sent. Who leaves looks once more whether its goodbye was said.
    pub(super) fn rest(&mut self) {
        if !self.has_news() && self.stage == Stage::Running {
            self.gossip_at = None;
        }
    }

    /// Sends news on: to some members at random, to the next one on the ring if it is to be told
    /// of a broadcast, and now and then to one that died not long ago.
    pub(super) fn gossip(&mut self) {
        let params = self.config.params();
        let (interval, fanout) = (params.gossip_interval, params.gossip_fanout);
        self.gossip_at = Some(self.now.after(interval));
        self.gossiped_at = self.now;
        let mut chosen = self.members.sample(&mut self.rng, fanout, |_| true);
        chosen.extend(self.recently_dead());
        if self.broadcasts.owes_next()
            && let Some(next) = self.next_on_ring()
            && !chosen.contains(&next)
        {
            chosen.insert(0, next);
        }
        let alone = chosen.is_empty();
        for slot in chosen {
            if !self.has_news() {
                break;
            }
            let (to, accusation) = (self.members.entry(slot).address, self.accusation_of(slot));
            self.send(to, Body::Gossip, accusation);
        }
        self.rest();
        let said = alone || !self.queue.has(self.me);
        if self.stage == Stage::Leaving && said {
            self.stage = Stage::Gone;
            self.outputs.push_back(Output::Gone);
        }
    }

    /// Now and then one of those that died not long ago.
    fn recently_dead(&mut self) -> Option<Slot> {
        let earliest = self.now.before(self.config.params().gossip_to_dead);
        let (live, gone) = (self.members.live(), self.members.gone());
        let drawn = self.rng.below((live + gone.len()) as u64) as usize;
        let slot = *gone.get(drawn.checked_sub(live)?)?;
        (slot != ME && died_after(self.members.entry(slot), earliest)).then_some(slot)
    }

    /// The live member after this one on the ring.
    pub(super) fn next_on_ring(&self) -> Option<Slot> {
        let place = self.members.place(self.me)?;
        let next = self.members.further(place, 1)?;
        (next != ME).then_some(next)
    }
}

/// Probes in a row that show another view before all is compared: what was just told needs a
/// little time to come round.
pub(super) const DISAGREEMENTS_BEFORE_SYNC: u32 = 3;

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
