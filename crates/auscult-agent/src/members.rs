//! What readers see of the members: a snapshot that nobody locks.

use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::swim::{
    Deadline, Incarnation, Link, MemberId, MemberName, MemberView, State, Swim,
};
use auscult_core::time::Instant;

/// All members, as one member knew them at one moment.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Grows with each snapshot.
    pub revision: u64,
    /// When it was taken.
    pub at: Instant,
    /// Members that are alive or suspect, this one included.
    pub live: usize,
    /// A digest of the live members and their incarnations: the same for all who agree.
    pub view: u64,
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
    /// How long it has to contradict, while it is suspected.
    pub deadline: Option<Deadline>,
}

impl Members {
    /// Reads the machine.
    pub(crate) fn read(swim: &Swim, now: Instant, revision: u64) -> Self {
        Self {
            revision,
            at: now,
            live: swim.live(),
            view: swim.view_digest(),
            members: swim.members().map(|view| Member::read(&view)).collect(),
        }
    }

    /// A member by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Member> {
        let id = MemberId::of(name);
        let at = self.members.binary_search_by_key(&id, |member| member.id);
        let member = &self.members[at.ok()?];
        (member.name.as_str() == name).then_some(member)
    }

    /// This member.
    #[must_use]
    pub fn me(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.is_me)
    }
}

impl Member {
    fn read(view: &MemberView<'_>) -> Self {
        Self {
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
            deadline: view.deadline(),
        }
    }
}
