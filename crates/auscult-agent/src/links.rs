//! Who hears whom in the whole group. Each member knows only its own links, so they are asked.

use auscult_core::swim::{Link, MemberName};
use auscult_core::time::Instant;

use crate::handle::AgentHandle;
use crate::members::{Member, Members};

/// What one member says of its links.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkRow {
    /// The member.
    pub observer: MemberName,
    /// When it said so.
    pub at: Instant,
    /// Its links to live members, or why it did not say.
    pub links: Result<Vec<PeerLink>, LinkError>,
}

/// Both directions between a member and another one.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerLink {
    /// The other one.
    pub peer: MemberName,
    /// Both directions, as the member that is asked sees them.
    pub link: Link,
}

/// Why a member did not say what its links are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// It was not asked.
    Unasked,
}

impl LinkError {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
        }
    }
}

/// Asks all live members for their links: a row for each, by their names.
pub async fn collect(agent: &AgentHandle) -> Vec<LinkRow> {
    let members = agent.members();
    let at = agent.clock().now();
    let mut rows: Vec<LinkRow> = live(&members)
        .map(|member| LinkRow {
            observer: member.name.clone(),
            at,
            links: if member.is_me {
                Ok(own(&members))
            } else {
                Err(LinkError::Unasked)
            },
        })
        .collect();
    rows.sort_by(|one, other| one.observer.as_str().cmp(other.observer.as_str()));
    std::future::ready(rows).await
}

fn live(members: &Members) -> impl Iterator<Item = &Member> {
    members
        .members
        .iter()
        .filter(|member| member.state.is_live())
}

/// This member's own links.
fn own(members: &Members) -> Vec<PeerLink> {
    live(members)
        .filter(|member| !member.is_me)
        .map(|member| PeerLink {
            peer: member.name.clone(),
            link: member.link,
        })
        .collect()
}
