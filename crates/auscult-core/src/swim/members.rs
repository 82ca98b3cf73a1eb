//! The table of members: by id, around the ring, and the digest of the view.
//!
//! A group of ten thousand in one process has a hundred million entries, so an entry is small: 64
//! bytes, and some 9 to find it. What most members never have stands apart ([`Extra`]).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::broadcast::Heard;
use super::direct::Pulse;
use super::event::{Direction, Link};
use super::index::Index;
use super::member::{Claim, Incarnation, MemberId, MemberName, State};
use super::message::Record;
use super::metadata::{self, Delta, Metadata, Stamp};
use super::pages::Pages;
use super::round_trip::RoundTrip;
use crate::bounds::{INCARNATION_MAX, MEMBERS_MAX, METADATA_WEIGHT_MAX};
use crate::rng::{Rng, mix};
use crate::time::Instant;

/// What is known of every member: one line of memory.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Entry {
    pub(super) id: MemberId,
    claim: PackedClaim,
    /// When a datagram of it arrived last; [`Instant::FAR_FUTURE`] if none ever did.
    heard_at: Instant,
    pub(super) round_trip: RoundTrip,
    pub(super) name: MemberName,
    /// Since when it is in its state.
    since: Instant,
    /// Its address; [`ELSEWHERE`] where [`Extra::v6`] has it.
    v4: Ipv4Addr,
    port: u16,
    pub(super) link: Link,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Option<Entry>>() == 64);

/// Says that an address is not here. A member that claims to be there has it in its [`Extra`] as
/// well, or has none, and is there.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::BROADCAST;

/// What is known of a member besides, if anything is.
#[derive(Debug, Default)]
struct Extra {
    metadata: Told,
    contact: Option<Box<Contact>>,
    /// Its address, where that is of the sixth version of the protocol.
    v6: Option<Box<SocketAddrV6>>,
}

impl Extra {
    /// Whether it says nothing.
    const fn is_empty(&self) -> bool {
        let untold = matches!(self.metadata, Told::Nothing(Incarnation::FIRST));
        untold && self.contact.is_none() && self.v6.is_none()
    }
}

/// A copy of a member's metadata.
#[derive(Debug)]
enum Told {
    /// The member never said anything in this epoch; most members never do.
    Nothing(Incarnation),
    Held(Box<Metadata>),
}

impl Default for Told {
    fn default() -> Self {
        Self::Nothing(Incarnation::FIRST)
    }
}

impl Told {
    fn stamp(&self) -> Stamp {
        match self {
            Self::Nothing(epoch) => Stamp {
                epoch: *epoch,
                version: 0,
            },
            Self::Held(metadata) => metadata.stamp(),
        }
    }

    fn held(&self) -> Option<&Metadata> {
        match self {
            Self::Nothing(_) => None,
            Self::Held(metadata) => Some(metadata),
        }
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut Metadata) -> R) -> R {
        let changed = match self {
            Self::Nothing(epoch) => {
                let mut metadata = Box::new(Metadata::new(*epoch));
                let changed = change(&mut metadata);
                *self = Self::Held(metadata);
                changed
            }
            Self::Held(metadata) => change(metadata),
        };
        let stamp = self.stamp();
        if stamp.version == 0 {
            *self = Self::Nothing(stamp.epoch);
        }
        changed
    }
}

/// What a member sends besides answers.
#[derive(Debug, Default)]
struct Contact {
    /// Which of its broadcasts arrived, once one did.
    heard: Option<Heard>,
    /// Its heartbeats, while they are awaited.
    pulse: Option<Pulse>,
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
}

/// Stands for a member while it is in the table.
pub(super) type Slot = u32;

/// A slot in two bytes.
type PackedSlot = u16;

const _: () = assert!(MEMBERS_MAX <= PackedSlot::MAX as usize + 1);

/// The slot of the member itself: it is added first and never removed.
pub(super) const ME: Slot = 0;

/// All members that are known, this one included.
#[derive(Debug)]
pub(super) struct Members {
    entries: Pages<Entry>,
    /// Of those members of whom there is something to say.
    extras: BTreeMap<Slot, Extra>,
    free: Vec<Slot>,
    index: Index,
    /// The slots of the live ones, in the order of their ids.
    ring: Vec<PackedSlot>,
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
            entries: Pages::new(),
            extras: BTreeMap::new(),
            free: Vec::new(),
            index: Index::new(key),
            ring: Vec::new(),
            my_place: None,
            gone: Vec::new(),
            view: 0,
            metadata: 0,
            metadata_weight: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.index.len()
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
        self.entries.get(slot as usize)
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
        match self.entries.get_mut(slot as usize) {
            Some(entry) => entry,
            None => panic!("slot {slot} holds no member"),
        }
    }

    fn extra(&self, slot: Slot) -> Option<&Extra> {
        self.extras.get(&slot)
    }

    /// Changes what is known of a member besides, and keeps it if there is something left.
    fn change_extra<R>(&mut self, slot: Slot, change: impl FnOnce(&mut Extra) -> R) -> R {
        let extra = self.extras.entry(slot).or_default();
        let changed = change(extra);
        if extra.is_empty() {
            self.extras.remove(&slot);
        }
        changed
    }

    /// Where a member is.
    pub(super) fn address(&self, slot: Slot) -> SocketAddr {
        let entry = self.entry(slot);
        if entry.v4 == ELSEWHERE
            && let Some(v6) = self.extra(slot).and_then(|extra| extra.v6.as_deref())
        {
            return SocketAddr::V6(*v6);
        }
        SocketAddr::V4(SocketAddrV4::new(entry.v4, entry.port))
    }

    /// Whether a member is there.
    pub(super) fn is_at(&self, slot: Slot, address: SocketAddr) -> bool {
        let entry = self.entry(slot);
        match address {
            SocketAddr::V4(v4) if entry.v4 != ELSEWHERE => {
                (entry.v4, entry.port) == (*v4.ip(), v4.port())
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => self.address(slot) == address,
        }
    }

    /// A member is there from now on.
    pub(super) fn move_to(&mut self, slot: Slot, address: SocketAddr) {
        let was_elsewhere = self.entry(slot).v4 == ELSEWHERE;
        let entry = self.entry_mut(slot);
        let v6 = match address {
            SocketAddr::V4(v4) => {
                (entry.v4, entry.port) = (*v4.ip(), v4.port());
                None
            }
            SocketAddr::V6(v6) => {
                (entry.v4, entry.port) = (ELSEWHERE, v6.port());
                Some(Box::new(v6))
            }
        };
        if v6.is_some() || was_elsewhere {
            self.change_extra(slot, |extra| extra.v6 = v6);
        }
    }

    /// The live ones in the order of their ids, then the others.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        let live = self.ring.iter().map(|&slot| Slot::from(slot));
        let slots = live.chain(self.gone.iter().copied());
        slots.map(|slot| (slot, self.entry(slot)))
    }

    pub(super) fn gone(&self) -> &[Slot] {
        &self.gone
    }

    /// Since when a member is in its state.
    pub(super) fn since(&self, slot: Slot) -> Instant {
        self.entry(slot).since
    }

    /// What goes over a stream about a member.
    pub(super) fn record(&self, slot: Slot) -> Record {
        let entry = self.entry(slot);
        Record {
            name: entry.name.clone(),
            address: self.address(slot),
            claim: entry.claim(),
            metadata: self.stamp(slot),
        }
    }

    /// A member's heartbeats, while they are awaited.
    pub(super) fn pulse(&self, slot: Slot) -> Option<&Pulse> {
        self.extra(slot)?.contact.as_ref()?.pulse.as_ref()
    }

    pub(super) fn pulse_mut(&mut self, slot: Slot) -> Option<&mut Pulse> {
        let extra = self.extras.get_mut(&slot)?;
        extra.contact.as_mut()?.pulse.as_mut()
    }

    /// A member's heartbeats, which are awaited from now on.
    pub(super) fn pulse_or(&mut self, slot: Slot, first: impl FnOnce() -> Pulse) -> &mut Pulse {
        let extra = self.extras.entry(slot).or_default();
        let contact = extra.contact.get_or_insert_default();
        contact.pulse.get_or_insert_with(first)
    }

    pub(super) fn take_pulse(&mut self, slot: Slot) -> Option<Pulse> {
        if !self.extras.contains_key(&slot) {
            return None;
        }
        self.change_extra(slot, |extra| {
            let contact = extra.contact.as_mut()?;
            let pulse = contact.pulse.take();
            if contact.heard.is_none() {
                extra.contact = None;
            }
            pulse
        })
    }

    /// Which of a member's broadcasts arrived.
    pub(super) fn heard_mut(&mut self, slot: Slot) -> &mut Heard {
        let extra = self.extras.entry(slot).or_default();
        let contact = extra.contact.get_or_insert_default();
        contact.heard.get_or_insert_default()
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, more: usize) {
        let more = more.min(MEMBERS_MAX.saturating_sub(self.entries.len()));
        self.ring.reserve_exact(more);
    }

    /// Adds a member.
    pub(super) fn add(&mut self, record: Record, now: Instant) -> Result<Slot, NotAdded> {
        let id = record.name.id();
        if self.find(id).is_some() {
            return Err(NotAdded::Name);
        }
        if self.len() >= MEMBERS_MAX {
            return Err(NotAdded::Full);
        }
        let claim = record.claim;
        let entry = Entry {
            id,
            name: record.name,
            claim: PackedClaim::new(claim),
            heard_at: Instant::FAR_FUTURE,
            round_trip: RoundTrip::default(),
            since: now,
            v4: Ipv4Addr::UNSPECIFIED,
            port: 0,
            link: Link {
                hears: Direction::Unknown,
                heard: Direction::Unknown,
            },
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.entries.set(slot as usize, Some(entry));
            slot
        } else {
            self.entries.push(entry);
            (self.entries.len() - 1) as Slot
        };
        self.move_to(slot, record.address);
        let epoch = record.metadata.epoch;
        if epoch != Incarnation::FIRST {
            self.change_extra(slot, |extra| extra.metadata = Told::Nothing(epoch));
        }
        self.index
            .insert(id, slot, |slot| id_at(&self.entries, slot));
        self.file(slot, id, claim);
        Ok(slot)
    }

    /// What the copy of a member's metadata is worth.
    pub(super) fn stamp(&self, slot: Slot) -> Stamp {
        let extra = self.extra(slot);
        extra.map_or_else(Stamp::default, |extra| extra.metadata.stamp())
    }

    /// The copy of a member's metadata, if it ever said anything.
    pub(super) fn metadata(&self, slot: Slot) -> Option<&Metadata> {
        self.extra(slot)?.metadata.held()
    }

    /// What a copy of this worth lacks of a member's metadata.
    pub(super) fn delta(&self, slot: Slot, copy: Stamp) -> Delta {
        let id = self.entry(slot).id;
        match self.metadata(slot) {
            None => Metadata::new(self.stamp(slot).epoch).delta(id, copy),
            Some(metadata) => metadata.delta(id, copy),
        }
    }

    fn metadata_fingerprint(&self, slot: Slot) -> u64 {
        let entry = self.entry(slot);
        if entry.claim().state.is_live() {
            metadata::fingerprint(entry.id, self.stamp(slot))
        } else {
            0
        }
    }

    /// Changes what is known of a member's metadata.
    pub(super) fn change_metadata<R>(
        &mut self,
        slot: Slot,
        change: impl FnOnce(&mut Metadata) -> R,
    ) -> R {
        let print = self.metadata_fingerprint(slot);
        let weight = self.weight(slot);
        let changed = self.change_extra(slot, |extra| extra.metadata.change(change));
        self.metadata ^= print ^ self.metadata_fingerprint(slot);
        self.metadata_weight = self.metadata_weight - weight + self.weight(slot);
        changed
    }

    /// What a member's metadata may weigh, as things stand.
    pub(super) fn metadata_room(&self, slot: Slot) -> usize {
        let others = self.metadata_weight - self.weight(slot);
        METADATA_WEIGHT_MAX.saturating_sub(others)
    }

    /// What the copy of a member's metadata weighs.
    fn weight(&self, slot: Slot) -> usize {
        self.metadata(slot).map_or(0, Metadata::weight)
    }

    /// Changes what is said of a member.
    pub(super) fn set_claim(&mut self, slot: Slot, claim: Claim, now: Instant) {
        let print = self.metadata_fingerprint(slot);
        let entry = self.entry_mut(slot);
        let (id, before) = (entry.id, entry.claim());
        entry.claim = PackedClaim::new(claim);
        self.metadata ^= print ^ self.metadata_fingerprint(slot);
        if before.state != claim.state {
            self.entry_mut(slot).since = now;
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
        self.metadata ^= self.metadata_fingerprint(slot);
        self.metadata_weight -= self.weight(slot);
        self.unfile(slot, id, claim);
        self.index.remove(id, |slot| id_at(&self.entries, slot));
        self.entries.set(slot as usize, None);
        self.extras.remove(&slot);
        self.free.push(slot);
    }

    fn file(&mut self, slot: Slot, id: MemberId, claim: Claim) {
        if !claim.state.is_live() {
            self.gone.push(slot);
        } else if let Err(at) = self.search(id) {
            // There is a slot for each of at most 65,536 members.
            self.ring.insert(at, slot as PackedSlot);
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
        } else if let Ok(at) = self.search(id) {
            self.ring.remove(at);
            match &mut self.my_place {
                _ if slot == ME => self.my_place = None,
                Some(mine) if at < *mine => *mine -= 1,
                Some(_) | None => {}
            }
            self.view ^= fingerprint(id, claim.incarnation);
        }
    }

    /// Whether this is the slot of a live member.
    pub(super) fn is_live(&self, slot: Slot) -> bool {
        self.get(slot)
            .is_some_and(|entry| entry.claim().state.is_live())
    }

    /// Whether a member was convicted and not long ago.
    pub(super) fn died_after(&self, slot: Slot, earliest: Instant) -> bool {
        self.entry(slot).claim().state == State::Dead && self.since(slot) >= earliest
    }

    /// Where on the ring a live member stands.
    pub(super) fn place(&self, id: MemberId) -> Option<usize> {
        self.search(id).ok()
    }

    /// Where on the ring this member itself stands, while it is live.
    pub(super) const fn my_place(&self) -> Option<usize> {
        self.my_place
    }

    /// Who stands `offset` further on than `place`.
    pub(super) fn further(&self, place: usize, offset: u32) -> Option<Slot> {
        let at = (place + offset as usize).checked_rem(self.ring.len())?;
        Some(Slot::from(self.ring[at]))
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
            let slot = Slot::from(self.ring[rng.below(others) as usize]);
            if slot != ME && !chosen.contains(&slot) && wanted(self.entry(slot)) {
                chosen.push(slot);
            }
        }
        chosen
    }

    /// # Panics
    /// When the parts of the table do not agree, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        let id_of = |&slot: &PackedSlot| id_at(&self.entries, Slot::from(slot));
        assert!(self.ring.is_sorted_by_key(id_of));
        assert_eq!(self.ring.len() + self.gone.len(), self.len());
        assert_eq!(self.len() + self.free.len(), self.entries.len());
        for (&slot, extra) in &self.extras {
            assert!(self.get(slot).is_some() && !extra.is_empty(), "{slot}");
        }
        let (mut view, mut prints, mut weight) = (0, 0, 0);
        for (slot, entry) in self.entries() {
            let id = entry.id;
            assert_eq!(self.find(id), Some(slot));
            assert_eq!(entry.name.id(), id);
            let live = entry.claim().state.is_live();
            assert_eq!(live, self.place(id).is_some(), "{}", entry.name);
            assert_eq!(live, !self.gone.contains(&slot), "{}", entry.name);
            if let Some(metadata) = self.metadata(slot) {
                metadata.check_invariants();
            }
            assert!(self.stamp(slot).epoch <= entry.claim().incarnation);
            prints ^= self.metadata_fingerprint(slot);
            weight += self.weight(slot);
            let contact = self.extra(slot).and_then(|extra| extra.contact.as_ref());
            if let Some(heard) = contact.and_then(|all| all.heard.as_ref()) {
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
        let mut ring = self.ring.iter();
        let mine = ring.position(|&slot| Slot::from(slot) == ME);
        assert_eq!(mine, self.my_place);
    }

    fn search(&self, id: MemberId) -> Result<usize, usize> {
        search(&self.ring, |slot| id_at(&self.entries, slot), id)
    }
}

fn id_at(entries: &Pages<Entry>, slot: Slot) -> MemberId {
    match entries.get(slot as usize) {
        Some(entry) => entry.id,
        None => panic!("slot {slot} holds no member"),
    }
}

/// Where an id stands on a ring, or would.
///
/// Ids are as evenly spread as random numbers, so an id says itself about where it stands. Looking
/// from there on, with steps that double, touches a few lines of memory where halving the ring
/// touches one for each half; and no ring takes longer than halving, times two.
fn search(
    ring: &[PackedSlot],
    id_of: impl Fn(Slot) -> MemberId,
    id: MemberId,
) -> Result<usize, usize> {
    let id_of = |&slot: &PackedSlot| id_of(Slot::from(slot));
    let before = |at: usize| ring.get(at).is_some_and(|slot| id_of(slot) < id);
    let guess = ((u128::from(id.to_bits()) * ring.len() as u128) >> u64::BITS) as usize;
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
    let high = (high + 1).min(ring.len());
    let found = ring[low..high].binary_search_by_key(&id, id_of);
    found.map(|at| low + at).map_err(|at| low + at)
}

/// Twice the deviation of a guess among 60.
const FIRST_STEP: usize = 8;

fn fingerprint(id: MemberId, incarnation: Incarnation) -> u64 {
    mix(id.to_bits() ^ mix(incarnation.number().wrapping_add(1)))
}

/// In a group of two with one wanted, half of the tries miss: one choice in four thousand is not
/// made.
const TRIES_PER_CHOICE: usize = 12;

#[cfg(test)]
mod tests;
