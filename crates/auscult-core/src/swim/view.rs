//! What can be asked of the machine. Reading changes nothing.

use core::net::SocketAddr;

use super::counters::Counters;
use super::event::{Accuser, Deadline, Direction, Link};
use super::member::{Incarnation, MemberId, MemberName, State};
use super::members::{Entry, ME, Slot};
use super::metadata::Metadata;
use super::round_trip::RoundTrip;
use super::{Config, Swim};
use crate::detector::Level;
use crate::time::Instant;

/// One member, as this member knows it.
#[derive(Clone, Copy, Debug)]
pub struct MemberView<'a> {
    swim: &'a Swim,
    slot: Slot,
    entry: &'a Entry,
}

impl<'a> MemberView<'a> {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'a MemberName {
        &self.entry.name
    }

    /// What stands for its name in messages.
    #[must_use]
    pub const fn id(&self) -> MemberId {
        self.entry.id
    }

    /// Where it listens, or did.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.swim.members.address(self.slot)
    }

    /// What it is said to be.
    #[must_use]
    pub const fn state(&self) -> State {
        self.entry.claim().state
    }

    /// Since when, by the time at which it was heard of here.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.swim.members.since(self.slot)
    }

    /// In which incarnation.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.entry.claim().incarnation
    }

    /// Whether it is this member itself.
    #[must_use]
    pub const fn is_me(&self) -> bool {
        self.slot == ME
    }

    /// When a datagram of it arrived last.
    #[must_use]
    pub fn heard_at(&self) -> Option<Instant> {
        self.entry.heard_at()
    }

    /// What round trips to it take.
    #[must_use]
    pub const fn round_trip(&self) -> RoundTrip {
        self.entry.round_trip
    }

    /// Both directions between it and this member. That something passed says nothing once a
    /// member is dead or has left; that it was blocked may be why it is dead.
    #[must_use]
    pub fn link(&self) -> Link {
        let Link { hears, heard } = self.entry.link;
        let known = |direction| match direction {
            Direction::Passes if !self.state().is_live() => Direction::Unknown,
            Direction::Passes | Direction::Blocked | Direction::Unknown => direction,
        };
        Link {
            hears: known(hears),
            heard: known(heard),
        }
    }

    /// Its metadata, as far as it is known here, in the order of the keys. What a member that just
    /// joined tells of itself arrives shortly after [`EventKind::Joined`](super::EventKind), with
    /// an [`EventKind::Updated`](super::EventKind).
    pub fn metadata(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let metadata = self.swim.members.metadata(self.slot);
        metadata.into_iter().flat_map(Metadata::iter)
    }

    /// How often it changed its metadata since its process began, as far as is known here.
    #[must_use]
    pub fn metadata_version(&self) -> u64 {
        self.swim.members.stamp(self.slot).version
    }

    /// Whether its heartbeats are asked for whatever the size of the group.
    #[must_use]
    pub fn watched(&self) -> bool {
        self.swim.direct.watches(self.slot)
    }

    /// How suspicious the silence since its last heartbeat is; `None` while it sends none.
    #[must_use]
    pub fn level(&self, now: Instant) -> Option<Level> {
        let pulse = self.swim.members.pulse(self.slot)?;
        Some(pulse.level(&self.swim.direct, now))
    }

    /// How long it has to contradict, while it is suspected.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        let suspicion = self.swim.suspicions.get(self.slot)?;
        Some(suspicion.deadline())
    }

    /// Who suspects it, the first one first; nobody, while it is not suspected.
    pub fn accusers(&self) -> impl Iterator<Item = Accuser> + use<'a> {
        let swim = self.swim;
        let suspicion = swim.suspicions.get(self.slot);
        let accusers = suspicion.map_or(&[][..], |suspicion| &suspicion.accusers);
        accusers.iter().map(|&id| Accuser {
            id,
            name: swim.member_by_id(id).map(|member| member.name().clone()),
        })
    }
}

impl Swim {
    /// This member.
    #[must_use]
    pub fn me(&self) -> MemberView<'_> {
        self.view(ME, self.members.entry(ME))
    }

    /// A member by its name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<MemberView<'_>> {
        let view = self.member_by_id(MemberId::of(name))?;
        (view.name().as_str() == name).then_some(view)
    }

    /// A member by its id.
    #[must_use]
    pub fn member_by_id(&self, id: MemberId) -> Option<MemberView<'_>> {
        let slot = self.members.find(id)?;
        Some(self.view(slot, self.members.entry(slot)))
    }

    /// All members that are remembered, this one included: the live ones in the order of their
    /// ids, then the others.
    pub fn members(&self) -> impl Iterator<Item = MemberView<'_>> {
        let entries = self.members.entries();
        entries.map(|(slot, entry)| self.view(slot, entry))
    }

    /// How many members are remembered, this one included, the dead and those that left too.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.members.len()
    }

    /// Live members, this one included while it has not left.
    #[must_use]
    pub fn live(&self) -> usize {
        self.members.live()
    }

    /// A digest of the live members and their incarnations: the same for all who agree.
    #[must_use]
    pub const fn view_digest(&self) -> u64 {
        self.members.view()
    }

    /// A digest of the live members' metadata: the same for all who have the same.
    #[must_use]
    pub const fn metadata_digest(&self) -> u64 {
        self.members.metadata_digest()
    }

    /// How slow this member thinks itself to be: 0 is well.
    #[must_use]
    pub const fn local_health(&self) -> u8 {
        self.health.score()
    }

    /// The round of probes that it is in.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.probes.round
    }

    /// Pieces of news that are still to be sent, those of metadata and broadcasts included.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.queue.len() + self.metadata_news.len() + self.broadcasts.len()
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    const fn view<'a>(&'a self, slot: Slot, entry: &'a Entry) -> MemberView<'a> {
        MemberView {
            swim: self,
            slot,
            entry,
        }
    }
}
