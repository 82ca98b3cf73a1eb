//! News to be sent on: what was sent least goes first, and is dropped when it was sent often
//! enough.
//!
//! A datagram takes news about members first, then about their metadata, then broadcasts, each as
//! far as there is space left.
//!
//! At most [`NEWS_QUEUED_MAX`] pieces of each kind wait. A member that hears of more at once, as
//! when it joins a large group, drops what it sent most often, and the oldest of that. Those who
//! lack it get it when they compare what they know with somebody who does not.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::config::FirstGossip;
use super::event::Output;
use super::index::Index;
use super::member::MemberId;
use super::members::{ME, Slot};
use super::message::{BODY_BYTES_MAX, Body, Packet, Update};
use super::metadata::MetadataNews;
use super::{Stage, Swim};
use crate::bounds::NEWS_QUEUED_MAX;

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

/// The queue of news, at most one about each member: newer news replaces older. What was sent least
/// often goes first, and the newest of that.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items: Vec<Option<Item<T>>>,
    free: Vec<u32>,
    index: Index,
    /// What was sent so many times, the newest last.
    levels: Vec<Vec<Waiting>>,
    added: u64,
    /// What is being taken; empty between calls.
    taken: Vec<(usize, Waiting)>,
}

/// One piece of news.
#[derive(Debug)]
struct Item<T> {
    about: MemberId,
    order: u64,
    bytes: u32,
    sent: u32,
    news: T,
}

/// Stands for a piece of news.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Greater where it was added later.
    order: u64,
    item: u32,
}

impl<T: News> Queue<T> {
    /// An empty one. Nobody else should know the key.
    pub(super) const fn new(key: u64) -> Self {
        Self {
            items: Vec::new(),
            free: Vec::new(),
            index: Index::new(key),
            levels: Vec::new(),
            added: 0,
            taken: Vec::new(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.index.len() == 0
    }

    pub(super) const fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn has(&self, member: MemberId) -> bool {
        self.find(member).is_some()
    }

    pub(super) fn about(&self, member: MemberId) -> Option<&T> {
        let item = self.items[self.find(member)? as usize].as_ref()?;
        Some(&item.news)
    }

    fn find(&self, member: MemberId) -> Option<u32> {
        self.index.find(member, |item| about(&self.items, item))
    }

    /// Adds news in place of what there was about the same member. Says how many pieces had to go
    /// for it: 0 or 1.
    pub(super) fn add(&mut self, news: T) -> u64 {
        let (about_whom, bytes) = (news.about(), news.bytes_max() as u32);
        self.drop_about(about_whom);
        let dropped = self.make_room();
        self.added += 1;
        let order = self.added;
        let added = Some(Item {
            about: about_whom,
            bytes,
            sent: 0,
            order,
            news,
        });
        let item = if let Some(item) = self.free.pop() {
            self.items[item as usize] = added;
            item
        } else {
            self.items.push(added);
            (self.items.len() - 1) as u32
        };
        self.index
            .insert(about_whom, item, |item| about(&self.items, item));
        self.wait(0, Waiting { order, item });
        dropped
    }

    /// Drops what was sent most often, the oldest of it, if there is no room for more.
    fn make_room(&mut self) -> u64 {
        if self.len() < NEWS_QUEUED_MAX {
            return 0;
        }
        let oldest = self.levels.iter().rev().find_map(|level| level.first());
        let Some(&Waiting { item, .. }) = oldest else {
            return 0;
        };
        self.drop_about(about(&self.items, item));
        1
    }

    /// Drops the news about a member.
    pub(super) fn drop_about(&mut self, member: MemberId) {
        let removed = self.index.remove(member, |item| about(&self.items, item));
        let Some(place) = removed else {
            return;
        };
        self.free.push(place);
        if let Some(item) = self.items[place as usize].take() {
            let level = &mut self.levels[item.sent as usize];
            if let Ok(at) = level.binary_search_by_key(&item.order, |waiting| waiting.order) {
                level.remove(at);
            }
        }
        self.give_back();
    }

    /// Takes what fits into `bytes` besides what is said already, and counts that it was sent;
    /// what was sent `sent_max` times is dropped. Says how many bytes are left.
    pub(super) fn take(&mut self, bytes: usize, sent_max: u32, out: &mut Vec<T>) -> usize {
        let left = bytes.saturating_sub(out.iter().map(News::bytes_max).sum());
        if self.is_empty() {
            return left;
        }
        let mut taken = core::mem::take(&mut self.taken);
        let left = self.choose(left, &mut taken, out);
        for of_level in taken.chunk_by(|(one, _), (other, _)| one == other) {
            self.count_sent(of_level, sent_max as usize);
        }
        taken.clear();
        self.taken = taken;
        self.give_back();
        left
    }

    /// After a burst of news, as when a group comes together, its memory is given back.
    fn give_back(&mut self) {
        if self.is_empty() && self.items.len() > ITEMS_KEPT {
            *self = Self {
                index: self.index.emptied(),
                added: self.added,
                ..Self::new(0)
            };
        }
    }

    fn choose(
        &self,
        mut left: usize,
        taken: &mut Vec<(usize, Waiting)>,
        out: &mut Vec<T>,
    ) -> usize {
        let said = out.len();
        out.reserve(self.len().min(left / BYTES_EXPECTED));
        let mut passed_over = 0;
        let levels = self.levels.iter().enumerate();
        for (level, waiting) in levels.flat_map(|(level, all)| {
            let newest_first = all.iter().rev();
            newest_first.map(move |&waiting| (level, waiting))
        }) {
            let Some(item) = &self.items[waiting.item as usize] else {
                continue;
            };
            if item.bytes as usize > left {
                passed_over += 1;
                if passed_over == PASSED_OVER_MAX {
                    break;
                }
                continue;
            }
            taken.push((level, waiting));
            if !out[..said].iter().any(|said| said.about() == item.about) {
                left -= item.bytes as usize;
                out.push(item.news.clone());
            }
        }
        left
    }

    /// These, which are of one level, the newest first, were sent once more.
    fn count_sent(&mut self, taken: &[(usize, Waiting)], sent_max: usize) {
        let (Some(&(level, _)), Some(&(_, oldest))) = (taken.first(), taken.last()) else {
            return;
        };
        for (_, waiting) in taken {
            if let Some(item) = &mut self.items[waiting.item as usize] {
                item.sent = (level + 1) as u32;
            }
        }
        let mut all = core::mem::take(&mut self.levels[level]);
        let first = all.partition_point(|waiting| waiting.order < oldest.order);
        let mut kept = first;
        for at in first..all.len() {
            let waiting = all[at];
            let item = self.items[waiting.item as usize].as_ref();
            if item.is_some_and(|item| item.sent as usize == level) {
                all[kept] = waiting;
                kept += 1;
            }
        }
        all.truncate(kept);
        // News passes through all levels: each would keep room for all of it.
        if all.capacity() > 3 * kept + ITEMS_KEPT {
            all.shrink_to(kept + kept / 2);
        }
        self.levels[level] = all;
        for &(_, waiting) in taken.iter().rev() {
            if level + 1 < sent_max {
                self.wait(level + 1, waiting);
            } else {
                let member = about(&self.items, waiting.item);
                self.index.remove(member, |item| about(&self.items, item));
                self.items[waiting.item as usize] = None;
                self.free.push(waiting.item);
            }
        }
    }

    fn wait(&mut self, level: usize, waiting: Waiting) {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        let level = &mut self.levels[level];
        match level.last() {
            Some(newest) if newest.order > waiting.order => {
                let at = level.partition_point(|other| other.order < waiting.order);
                level.insert(at, waiting);
            }
            Some(_) | None => level.push(waiting),
        }
    }

    /// # Panics
    /// When the parts do not agree, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.len() <= NEWS_QUEUED_MAX);
        let waiting = self.levels.iter().map(Vec::len).sum::<usize>();
        assert_eq!(self.len(), waiting);
        assert_eq!(self.len() + self.free.len(), self.items.len());
        for (level, all) in self.levels.iter().enumerate() {
            assert!(all.is_sorted_by_key(|waiting| waiting.order));
            for waiting in all {
                let item = self.items[waiting.item as usize].as_ref();
                assert!(item.is_some_and(|item| {
                    (item.sent as usize, item.order) == (level, waiting.order)
                        && self.find(item.about) == Some(waiting.item)
                }));
            }
        }
    }
}

fn about<T>(items: &[Option<Item<T>>], item: u32) -> MemberId {
    match &items[item as usize] {
        Some(item) => item.about,
        None => panic!("place {item} holds no news"),
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
        self.counters.news_dropped += self.queue.add(update);
        self.keep_gossiping();
    }

    /// Sees to it that what is queued is sent: at once when nothing was sent for an interval, so
    /// that what nobody knows yet reaches all in a few round trips, and the rounds after that are
    /// for what was lost. With a beat it waits until that comes round.
    pub(super) fn keep_gossiping(&mut self) {
        if self.gossip_at.is_none() {
            let params = self.config.params();
            let interval = params.gossip_interval;
            let wait = match params.first_gossip {
                FirstGossip::AtOnce => Duration::ZERO,
                FirstGossip::AtTheBeat => self.rng.span_below(interval),
            };
            let soonest = self.gossiped_at.after(interval);
            self.gossip_at = Some(self.now.after(wait).max(soonest));
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
            let (to, accusation) = (self.members.address(slot), self.accusation_of(slot));
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
        (slot != ME && self.members.died_after(slot, earliest)).then_some(slot)
    }

    /// The live member after this one on the ring.
    pub(super) fn next_on_ring(&self) -> Option<Slot> {
        let place = self.members.my_place()?;
        let next = self.members.further(place, 1)?;
        (next != ME).then_some(next)
    }
}

/// Probes in a row that show another view before all is compared: what was just told needs a
/// little time to come round.
pub(super) const DISAGREEMENTS_BEFORE_SYNC: u32 = 3;

/// A little less than what a piece of news takes.
const BYTES_EXPECTED: usize = 24;

/// Room for the news of a day like any other.
const ITEMS_KEPT: usize = 64;

/// Pieces of news that do not fit before the search for one that does is given up.
const PASSED_OVER_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swim::member::Incarnation;
    use core::cmp::Reverse;
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
        let mut queue = Queue::new(5);
        queue.add(left(1, 0));
        let mut updates = [left(1, 5)].into();
        queue.take(1_000, 1, &mut updates);
        assert_eq!(updates, [left(1, 5)]);
        assert!(queue.is_empty());
    }

    /// A flood pushes out what was told already, before what nobody heard yet.
    #[test]
    fn beyond_its_bound_it_drops_what_was_sent_most_often_and_of_that_the_oldest() {
        let mut queue = Queue::new(5);
        let all = NEWS_QUEUED_MAX as u64;
        for member in 0..all {
            assert_eq!(queue.add(left(member, 0)), 0);
        }
        let room = left(0, 0).bytes_max();
        let mut sent = Vec::new();
        queue.take(room, 3, &mut sent);
        queue.take(room, 3, &mut Vec::new());
        assert_eq!(sent, [left(all - 1, 0)]);
        // In place of what was known: nothing has to go.
        assert_eq!(queue.add(left(5, 1)), 0);
        assert_eq!(queue.add(left(all, 0)), 1);
        assert_eq!(queue.add(left(all + 1, 0)), 1);
        assert_eq!(queue.add(left(all + 2, 0)), 1);
        queue.check_invariants();
        assert_eq!(queue.len(), NEWS_QUEUED_MAX);
        let gone: Vec<u64> = (0..all + 3)
            .filter(|&member| !queue.has(MemberId::from_bits(member)))
            .collect();
        assert_eq!(gone, [0, all - 2, all - 1]);
    }

    proptest! {
        /// The dumb twin: a list, sorted by transmissions and age before each use.
        #[test]
        fn agrees_with_a_sorted_list(
            steps in proptest::collection::vec((0..8_u64, 0..4_u8, 1..6_usize), 1..100),
        ) {
            let mut queue = Queue::new(5);
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
