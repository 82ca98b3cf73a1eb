//! The table of members: by id, around the ring, and the digest of the view.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::broadcast::Heard;
use super::direct::Pulse;
use super::event::{Direction, Link};
use super::index::Index;
use super::member::{Claim, Incarnation, MemberId, MemberName, State};
use super::message::Record;
use super::metadata::{self, Metadata};
use super::round_trip::RoundTrip;
use crate::bounds::{INCARNATION_MAX, MEMBERS_MAX, METADATA_WEIGHT_MAX};
use crate::rng::{Rng, mix};
use crate::time::Instant;

/// What is known of one member. What is looked at for each datagram stands in the first line of
/// memory: in a large group no other line of most members is touched for hours.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Entry {
    pub(super) id: MemberId,
    claim: PackedClaim,
    /// When a datagram of it arrived last; [`Instant::FAR_FUTURE`] if none ever did.
    heard_at: Instant,
    pub(super) round_trip: RoundTrip,
    pub(super) address: SocketAddr,
    pub(super) link: Link,
    pub(super) name: MemberName,
    /// Since when it is in its state.
    since: Instant,
    metadata: Metadata,
    /// Which of its broadcasts arrived, once one did.
    pub(super) heard: Option<Box<Heard>>,
    /// Its heartbeats, while they are awaited.
    pub(super) pulse: Option<Box<Pulse>>,
}

/// A claim in eight bytes: the incarnation, which takes 62 bits, and the state.
#[derive(Clone, Copy, Debug)]
struct PackedClaim(u64);

const _: () = assert!(INCARNATION_MAX <= u64::MAX >> PackedClaim::STATE_BITS);

impl PackedClaim {
    const STATE_BITS: u32 = 2;

    const fn new(claim: Claim) -> Self {
        let state = match claim.state {
            State::Alive => 0,
            State::Suspect => 1,
            State::Dead => 2,
            State::Left => 3,
        };
        Self(claim.incarnation.number() << Self::STATE_BITS | state)
    }

    const fn get(self) -> Claim {
        let state = State::ALL[(self.0 & 3) as usize];
        let incarnation = match Incarnation::new(self.0 >> Self::STATE_BITS) {
            Some(incarnation) => incarnation,
            None => Incarnation::FIRST,
        };
        Claim::new(incarnation, state)
    }
}

impl Entry {
    pub(super) const fn claim(&self) -> Claim {
        self.claim.get()
    }

    /// When a datagram of it arrived last.
    pub(super) fn heard_at(&self) -> Option<Instant> {
        (self.heard_at != Instant::FAR_FUTURE).then_some(self.heard_at)
    }

    pub(super) const fn hear(&mut self, now: Instant) {
        self.heard_at = now;
    }

    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    pub(super) const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_fingerprint(&self) -> u64 {
        if self.claim().state.is_live() {
            metadata::fingerprint(self.id, self.metadata.stamp())
        } else {
            0
        }
    }

    pub(super) fn record(&self) -> Record {
        Record {
            name: self.name.clone(),
            address: self.address,
            claim: self.claim(),
            metadata: self.metadata.stamp(),
        }
    }
}

/// Stands for a member while it is in the table.
pub(super) type Slot = u32;

/// The slot of the member itself: it is added first and never removed.
pub(super) const ME: Slot = 0;

/// All members that are known, this one included.
#[derive(Debug)]
pub(super) struct Members {
    entries: Vec<Option<Entry>>,
    free: Vec<Slot>,
    index: Index,
    /// Sorted.
    by_id: Vec<(MemberId, Slot)>,
    /// The live ones, sorted.
    ring: Vec<(MemberId, Slot)>,
    /// Where on the ring this member itself stands.
    my_place: Option<usize>,
    /// The others, in any order.
    gone: Vec<Slot>,
    view: u64,
    /// A digest of what the copies of the live members' metadata are worth.
    metadata: u64,
    /// What all copies weigh.
    metadata_weight: usize,
}

/// Why a member is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAdded {
    Full,
    /// Another name has its id.
    Name,
}

impl Members {
    /// A table without members. Nobody else should know the key.
    pub(super) const fn new(key: u64) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            index: Index::new(key),
            by_id: Vec::new(),
            ring: Vec::new(),
            my_place: None,
            gone: Vec::new(),
            view: 0,
            metadata: 0,
            metadata_weight: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Live members, this one included while it has not left.
    pub(super) fn live(&self) -> usize {
        self.ring.len()
    }

    /// A digest of the live members and their incarnations, the same in whatever order they came.
    pub(super) const fn view(&self) -> u64 {
        self.view
    }

    /// A digest of the live members' metadata, the same in whatever order it came.
    pub(super) const fn metadata_digest(&self) -> u64 {
        self.metadata
    }

    pub(super) fn find(&self, id: MemberId) -> Option<Slot> {
        self.index.find(id, |slot| id_at(&self.entries, slot))
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }

    /// # Panics
    /// For a slot without a member, which is a bug of the machine.
    pub(super) fn entry(&self, slot: Slot) -> &Entry {
        match self.get(slot) {
            Some(entry) => entry,
            None => panic!("slot {slot} holds no member"),
        }
    }

    /// # Panics
    /// For a slot without a member, which is a bug of the machine.
    pub(super) fn entry_mut(&mut self, slot: Slot) -> &mut Entry {
        match self.entries.get_mut(slot as usize).and_then(Option::as_mut) {
            Some(entry) => entry,
            None => panic!("slot {slot} holds no member"),
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        let slots = self.by_id.iter().map(|&(_, slot)| slot);
        slots.map(|slot| (slot, self.entry(slot)))
    }

    pub(super) fn gone(&self) -> &[Slot] {
        &self.gone
    }

    /// Adds a member.
    pub(super) fn add(&mut self, record: Record, now: Instant) -> Result<Slot, NotAdded> {
        let id = record.name.id();
        let at = match search(&self.by_id, id) {
            Ok(_) => return Err(NotAdded::Name),
            Err(_) if self.len() >= MEMBERS_MAX => return Err(NotAdded::Full),
            Err(at) => at,
        };
        let claim = record.claim;
        let entry = Entry {
            id,
            name: record.name,
            address: record.address,
            claim: PackedClaim::new(claim),
            since: now,
            heard_at: Instant::FAR_FUTURE,
            round_trip: RoundTrip::default(),
            link: Link {
                hears: Direction::Unknown,
                heard: Direction::Unknown,
            },
            metadata: Metadata::new(record.metadata.epoch),
            heard: None,
            pulse: None,
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.entries[slot as usize] = Some(entry);
            slot
        } else {
            self.entries.push(Some(entry));
            (self.entries.len() - 1) as Slot
        };
        self.index
            .insert(id, slot, |slot| id_at(&self.entries, slot));
        self.by_id.insert(at, (id, slot));
        self.file(slot, id, claim);
        Ok(slot)
    }

    /// Changes what is known of a member's metadata.
    pub(super) fn change_metadata<R>(
        &mut self,
        slot: Slot,
        change: impl FnOnce(&mut Metadata) -> R,
    ) -> R {
        let entry = self.entry_mut(slot);
        let (print, weight) = (entry.metadata_fingerprint(), entry.metadata.weight());
        let changed = change(&mut entry.metadata);
        let (print_now, weight_now) = (entry.metadata_fingerprint(), entry.metadata.weight());
        self.metadata ^= print ^ print_now;
        self.metadata_weight = self.metadata_weight - weight + weight_now;
        changed
    }

    /// What a member's metadata may weigh, as things stand.
    pub(super) fn metadata_room(&self, slot: Slot) -> usize {
        let others = self.metadata_weight - self.entry(slot).metadata.weight();
        METADATA_WEIGHT_MAX.saturating_sub(others)
    }

    /// Changes what is said of a member.
    pub(super) fn set_claim(&mut self, slot: Slot, claim: Claim, now: Instant) {
        let entry = self.entry_mut(slot);
        let (id, before) = (entry.id, entry.claim());
        let print = entry.metadata_fingerprint();
        entry.claim = PackedClaim::new(claim);
        let print_now = entry.metadata_fingerprint();
        self.metadata ^= print ^ print_now;
        let entry = self.entry_mut(slot);
        if before.state != claim.state {
            entry.since = now;
        }
        if before.state.is_live() == claim.state.is_live() {
            if claim.state.is_live() {
                self.view ^= fingerprint(id, before.incarnation);
                self.view ^= fingerprint(id, claim.incarnation);
            }
            return;
        }
        self.unfile(slot, id, before);
        self.file(slot, id, claim);
    }

    /// Forgets a member.
    pub(super) fn remove(&mut self, slot: Slot) {
        let entry = self.entry(slot);
        let (id, claim) = (entry.id, entry.claim());
        let (print, weight) = (entry.metadata_fingerprint(), entry.metadata.weight());
        self.metadata ^= print;
        self.metadata_weight -= weight;
        self.unfile(slot, id, claim);
        if let Ok(at) = search(&self.by_id, id) {
            self.by_id.remove(at);
        }
        self.index.remove(id, |slot| id_at(&self.entries, slot));
        self.entries[slot as usize] = None;
        self.free.push(slot);
    }

    fn file(&mut self, slot: Slot, id: MemberId, claim: Claim) {
        if !claim.state.is_live() {
            self.gone.push(slot);
        } else if let Err(at) = search(&self.ring, id) {
            self.ring.insert(at, (id, slot));
            match &mut self.my_place {
                _ if slot == ME => self.my_place = Some(at),
                Some(mine) if at <= *mine => *mine += 1,
                Some(_) | None => {}
            }
            self.view ^= fingerprint(id, claim.incarnation);
        }
    }

    fn unfile(&mut self, slot: Slot, id: MemberId, claim: Claim) {
        if !claim.state.is_live() {
            self.gone.retain(|&other| other != slot);
        } else if let Ok(at) = search(&self.ring, id) {
            self.ring.remove(at);
            match &mut self.my_place {
                _ if slot == ME => self.my_place = None,
                Some(mine) if at < *mine => *mine -= 1,
                Some(_) | None => {}
            }
            self.view ^= fingerprint(id, claim.incarnation);
        }
    }

    /// Where on the ring a live member stands.
    pub(super) fn place(&self, id: MemberId) -> Option<usize> {
        search(&self.ring, id).ok()
    }

    /// Where on the ring this member itself stands, while it is live.
    pub(super) const fn my_place(&self) -> Option<usize> {
        self.my_place
    }

    /// Who stands `offset` further on than `place`.
    pub(super) fn further(&self, place: usize, offset: u32) -> Option<Slot> {
        let at = (place + offset as usize).checked_rem(self.ring.len())?;
        Some(self.ring[at].1)
    }

    /// Up to `count` different live members at random, this one not among them, for which
    /// `wanted` holds.
    pub(super) fn sample(
        &self,
        rng: &mut Rng,
        count: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Vec<Slot> {
        let mut chosen = Vec::with_capacity(count);
        let others = self.ring.len() as u64;
        // Enough tries to find one among few, and no pass over all.
        for _ in 0..count * TRIES_PER_CHOICE {
            if chosen.len() == count || others == 0 {
                break;
            }
            let slot = self.ring[rng.below(others) as usize].1;
            if slot != ME && !chosen.contains(&slot) && wanted(self.entry(slot)) {
                chosen.push(slot);
            }
        }
        chosen
    }

    /// # Panics
    /// When the parts of the table do not agree, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.by_id.is_sorted() && self.ring.is_sorted());
        assert_eq!(self.ring.len() + self.gone.len(), self.by_id.len());
        assert_eq!(self.by_id.len() + self.free.len(), self.entries.len());
        let (mut view, mut prints, mut weight) = (0, 0, 0);
        for &(id, slot) in &self.by_id {
            let entry = self.entry(slot);
            assert_eq!(self.find(id), Some(slot));
            assert_eq!((entry.id, entry.name.id()), (id, id));
            let live = entry.claim().state.is_live();
            assert_eq!(live, self.place(id).is_some(), "{}", entry.name);
            assert_eq!(live, !self.gone.contains(&slot), "{}", entry.name);
            entry.metadata.check_invariants();
            assert!(entry.metadata.stamp().epoch <= entry.claim().incarnation);
            prints ^= entry.metadata_fingerprint();
            weight += entry.metadata.weight();
            if let Some(heard) = &entry.heard {
                heard.check_invariants();
            }
            if live {
                view ^= fingerprint(id, entry.claim().incarnation);
            }
        }
        assert_eq!(view, self.view);
        assert_eq!(prints, self.metadata);
        assert_eq!(weight, self.metadata_weight);
        assert!(self.get(ME).is_some());
        assert_eq!(self.index.len(), self.by_id.len());
        let on_ring = |&(_, slot): &(MemberId, Slot)| slot == ME;
        assert_eq!(self.ring.iter().position(on_ring), self.my_place);
    }
}

fn id_at(entries: &[Option<Entry>], slot: Slot) -> MemberId {
    match &entries[slot as usize] {
        Some(entry) => entry.id,
        None => panic!("slot {slot} holds no member"),
    }
}

/// Where an id stands in a sorted list, or would.
///
/// Ids are as evenly spread as random numbers, so an id says itself about where it stands. Looking
/// from there on, with steps that double, touches two or three lines of memory where halving the
/// list touches one for each half; and no list takes longer than halving, times two.
fn search(list: &[(MemberId, Slot)], id: MemberId) -> Result<usize, usize> {
    let guess = ((u128::from(id.to_bits()) * list.len() as u128) >> u64::BITS) as usize;
    let before = |at: usize| list.get(at).is_some_and(|&(other, _)| other < id);
    let (mut low, mut high) = (guess, guess);
    let mut step = FIRST_STEP;
    if before(guess) {
        low += 1;
        high = low + step;
        while before(high) {
            low = high + 1;
            step *= 2;
            high = low + step;
        }
    } else {
        low = low.saturating_sub(step);
        while low > 0 && !before(low) {
            high = low;
            step *= 2;
            low = low.saturating_sub(step);
        }
    }
    // What stands below `low` is less, and what stands at `high` or above is not.
    let high = (high + 1).min(list.len());
    let found = list[low..high].binary_search_by_key(&id, |&(id, _)| id);
    found.map(|at| low + at).map_err(|at| low + at)
}

/// Two lines of memory; twice the deviation of a guess among 60.
const FIRST_STEP: usize = 8;

fn fingerprint(id: MemberId, incarnation: Incarnation) -> u64 {
    mix(id.to_bits() ^ mix(incarnation.number().wrapping_add(1)))
}

/// In a group of two with one wanted, half of the tries miss: one choice in four thousand is not
/// made.
const TRIES_PER_CHOICE: usize = 12;

/// Whether a member that is in this state was convicted and not long ago.
pub(super) fn died_after(entry: &Entry, earliest: Instant) -> bool {
    entry.claim().state == State::Dead && entry.since >= earliest
}

#[cfg(test)]
mod tests;
