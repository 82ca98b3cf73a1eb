//! What readers see of the members: a snapshot that nobody locks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::swim::{
    Accuser, Deadline, Incarnation, Link, MemberId, MemberName, MemberView, Mode, State, Swim,
};
use auscult_core::time::Instant;

/// All members, as one member knew them at one moment.
#[derive(Clone, Debug)]
pub struct Members {
    /// Grows with each snapshot.
    pub revision: u64,
    /// When it was taken.
    pub at: Instant,
    /// Members that are alive or suspect, this one included.
    pub live: usize,
    /// A digest of the live members and their incarnations: the same for all who agree.
    pub view: u64,
    /// How failures are found: by direct heartbeats, or by probes and gossip.
    pub mode: Mode,
    /// All that are remembered, this one included, in the order of their ids.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: MemberName,
    /// What stands for its name in messages.
    pub id: MemberId,
    /// Where it listens, or did.
    pub address: SocketAddr,
    /// What it is said to be.
    pub state: State,
    /// Since when, by the time at which it was heard of here.
    pub since: Instant,
    /// In which incarnation.
    pub incarnation: Incarnation,
    /// Whether it is this member itself.
    pub is_me: bool,
    /// When a datagram of it arrived last.
    pub heard_at: Option<Instant>,
    /// What a round trip to it takes on average.
    pub round_trip: Option<Duration>,
    /// Both directions between it and this member.
    pub link: Link,
    /// How often it changed its metadata since its process began, as far as is known here.
    pub metadata_version: u64,
    /// Its metadata, as far as it is known here, in the order of the keys. Snapshots share it
    /// while it does not change.
    pub metadata: Arc<[(String, Vec<u8>)]>,
    /// Whether its heartbeats are asked for whatever the size of the group.
    pub watched: bool,
    /// How suspicious the silence since its last heartbeat was when the snapshot was taken;
    /// `None` while it sends none.
    pub level: Option<Level>,
    /// How long it has to contradict, while it is suspected.
    pub deadline: Option<Deadline>,
    /// Who suspects it, the first one first.
    pub accusers: Vec<Accuser>,
}

impl Members {
    /// Nobody, at the beginning of time.
    pub(crate) const fn none() -> Self {
        Self {
            revision: 0,
            at: Instant::ORIGIN,
            live: 0,
            view: 0,
            mode: Mode::Gossip,
            members: Vec::new(),
        }
    }

    /// Reads the machine.
    pub(crate) fn read(swim: &Swim, now: Instant, before: &Self) -> Self {
        let members = swim.members();
        let mut members: Vec<_> = members
            .map(|view| Member::read(&view, now, before))
            .collect();
        // The machine tells of those who are gone after the others.
        members.sort_by_key(|member| member.id);
        Self {
            revision: before.revision + 1,
            at: now,
            live: swim.live(),
            view: swim.view_digest(),
            mode: swim.mode(),
            members,
        }
    }

    /// A member by what stands for its name.
    #[must_use]
    pub fn by_id(&self, id: MemberId) -> Option<&Member> {
        let at = self.members.binary_search_by_key(&id, |member| member.id);
        Some(&self.members[at.ok()?])
    }

    /// A member by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Member> {
        let member = self.by_id(MemberId::of(name))?;
        (member.name.as_str() == name).then_some(member)
    }

    /// This member.
    #[must_use]
    pub fn me(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.is_me)
    }
}

impl Member {
    fn read(view: &MemberView<'_>, now: Instant, before: &Members) -> Self {
        let metadata_version = view.metadata_version();
        let same = before.by_id(view.id()).filter(|before| {
            let known = before.metadata.iter();
            let known = known.map(|(key, value)| (key.as_str(), value.as_slice()));
            known.eq(view.metadata())
        });
        let read = || {
            let items = view.metadata();
            let owned = |(key, value): (&str, &[u8])| (key.to_owned(), value.to_vec());
            items.map(owned).collect()
        };
        Self {
            metadata_version,
            metadata: same.map_or_else(read, |before| Arc::clone(&before.metadata)),
            name: view.name().clone(),
            id: view.id(),
            address: view.address(),
            state: view.state(),
            since: view.since(),
            incarnation: view.incarnation(),
            is_me: view.is_me(),
            heard_at: view.heard_at(),
            round_trip: view.round_trip().mean(),
            link: view.link(),
            watched: view.watched(),
            level: view.level(now),
            deadline: view.deadline(),
            accusers: view.accusers().collect(),
        }
    }
}
