//! Who hears whom in the whole group. Each member knows only its own links, so they are asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::bounds::MEMBERS_MAX;
use auscult_core::swim::{Answer, Direction, Label, Link, MemberId, MemberName, Refusal};
use auscult_core::time::Instant;
use auscult_core::wire::swim;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::timeout;

use crate::handle::{AgentHandle, Shared};
use crate::members::{Member, Members};
use crate::stream::{Broken, Opener};

/// The first byte of every message about links.
pub(crate) const MAGIC: u8 = 0xB3;

/// What one member says of its links.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkRow {
    /// The member.
    pub observer: MemberName,
    /// When it said so, or was given up.
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
    /// It was not asked: asking the others took all the time.
    Unasked,
    /// No connection, no answer, or none in time.
    Unanswered,
    /// It does not talk to this member: another label, or another key.
    Refused,
    /// What it answered is not understood.
    Malformed,
}

impl LinkError {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
        }
    }
}

impl From<Broken> for LinkError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Unreachable | Broken::TimedOut => Self::Unanswered,
            Broken::Malformed | Broken::Layer(_) => Self::Malformed,
            Broken::Refused(_) => Self::Refused,
        }
    }
}

/// Asks all live members for their links: a row for each, by their names.
pub async fn collect(agent: &AgentHandle) -> Vec<LinkRow> {
    agent.links().collect().await
}

/// The links of a running agent, and through it those of its group.
#[derive(Debug)]
pub(crate) struct Links {
    label: Label,
    shared: Arc<Shared>,
    opener: Opener,
}

/// A member, as it is asked.
struct Asked {
    name: MemberName,
    address: SocketAddr,
    is_me: bool,
}

impl Links {
    pub(crate) fn of(label: &Label, opener: &Opener, shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            label: label.clone(),
            shared: Arc::clone(shared),
            opener: opener.clone(),
        })
    }

    /// What is answered to a message that came over a stream.
    pub(crate) fn answer(&self, request: &[u8]) -> Result<Vec<u8>, Broken> {
        let [MAGIC, REQUEST, label @ ..] = request else {
            return Err(Broken::Malformed);
        };
        let mut out = Vec::new();
        if label == self.label.as_str().as_bytes() {
            let members = self.shared.members();
            encode_answer(peers(&members).map(|one| (one.id, one.link)), &mut out);
        } else {
            swim::encode_answer(&Answer::Refused(Refusal::Label), &mut out);
        }
        Ok(out)
    }

    async fn collect(&self) -> Vec<LinkRow> {
        let members = self.shared.members();
        let begun = self.shared.clock.now();
        let mut asked: Vec<Asked> = live(&members)
            .map(|member| Asked {
                name: member.name.clone(),
                address: member.address,
                is_me: member.is_me,
            })
            .collect();
        asked.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        let rows = asked
            .into_iter()
            .map(|member| self.row(member, Arc::clone(&members), begun));
        stream::iter(rows).buffered(ASKED_MAX).collect().await
    }

    async fn row(&self, asked: Asked, members: Arc<Members>, begun: Instant) -> LinkRow {
        let clock = &self.shared.clock;
        let links = if asked.is_me {
            Ok(own(&members))
        } else if clock.now().since(begun) >= COLLECT_TIME {
            Err(LinkError::Unasked)
        } else {
            let answer = timeout(ANSWER_TIME, self.ask(asked.address)).await;
            let links = answer.unwrap_or(Err(LinkError::Unanswered));
            links.map(|links| named(&links, &members))
        };
        LinkRow {
            observer: asked.name,
            at: clock.now(),
            links,
        }
    }

    async fn ask(&self, address: SocketAddr) -> Result<Vec<(MemberId, Link)>, LinkError> {
        let request = [&[MAGIC, REQUEST], self.label.as_str().as_bytes()].concat();
        let answer = self.opener.ask(address, &request).await?;
        decode_answer(&answer.bytes)
    }
}

fn live(members: &Members) -> impl Iterator<Item = &Member> {
    members
        .members
        .iter()
        .filter(|member| member.state.is_live())
}

fn peers(members: &Members) -> impl Iterator<Item = &Member> {
    live(members).filter(|member| !member.is_me)
}

/// This member's own links.
fn own(members: &Members) -> Vec<PeerLink> {
    peers(members)
        .map(|member| PeerLink {
            peer: member.name.clone(),
            link: member.link,
        })
        .collect()
}

/// Links with the names of the other ones. One that is not known here has no name, and is left out.
fn named(links: &[(MemberId, Link)], members: &Members) -> Vec<PeerLink> {
    let known = links.iter().filter_map(|(id, link)| {
        let peer = members.by_id(*id)?.name.clone();
        Some(PeerLink { peer, link: *link })
    });
    known.collect()
}

/// Writes links in the order of the other ones' ids.
fn encode_answer(links: impl Iterator<Item = (MemberId, Link)>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[MAGIC, ANSWER]);
    for (id, link) in links {
        out.extend_from_slice(&id.to_bits().to_le_bytes());
        out.push(code(link.hears) | code(link.heard) << 4);
    }
}

fn decode_answer(bytes: &[u8]) -> Result<Vec<(MemberId, Link)>, LinkError> {
    let [MAGIC, ANSWER, links @ ..] = bytes else {
        return Err(match swim::decode_answer(bytes) {
            Ok(Answer::Refused(_)) => LinkError::Refused,
            Ok(_) | Err(_) => LinkError::Malformed,
        });
    };
    let (links, rest) = links.as_chunks::<LINK_BYTES>();
    if !rest.is_empty() || links.len() > MEMBERS_MAX {
        return Err(LinkError::Malformed);
    }
    let read = links.iter().map(|[id @ .., both]| {
        let link = Link {
            hears: direction(both & 0x0F)?,
            heard: direction(both >> 4)?,
        };
        Ok((MemberId::from_bits(u64::from_le_bytes(*id)), link))
    });
    let read = read.collect::<Result<Vec<_>, LinkError>>()?;
    match read.is_sorted_by(|one, other| one.0 < other.0) {
        true => Ok(read),
        false => Err(LinkError::Malformed),
    }
}

const fn code(direction: Direction) -> u8 {
    match direction {
        Direction::Unknown => 0,
        Direction::Passes => 1,
        Direction::Blocked => 2,
    }
}

const fn direction(code: u8) -> Result<Direction, LinkError> {
    match code {
        0 => Ok(Direction::Unknown),
        1 => Ok(Direction::Passes),
        2 => Ok(Direction::Blocked),
        _ => Err(LinkError::Malformed),
    }
}

const REQUEST: u8 = 0x00;
const ANSWER: u8 = 0x20;
/// An id, and both directions in one byte.
const LINK_BYTES: usize = 9;
/// Members that are asked at a time.
const ASKED_MAX: usize = 32;
/// How long a member may take to answer: it reads a snapshot.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// After this, no other member is asked: who waits for the rows would give up.
const COLLECT_TIME: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Direction; 3] = [Direction::Unknown, Direction::Passes, Direction::Blocked];

    fn written(links: &[(MemberId, Link)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_answer(links.iter().copied(), &mut bytes);
        bytes
    }

    fn numbered(count: u64) -> Vec<(MemberId, Link)> {
        let directions = (0..count).map(|number| {
            let at = |number: u64| ALL[number as usize % ALL.len()];
            let (hears, heard) = (at(number), at(number / 3));
            (MemberId::from_bits(number << 40), Link { hears, heard })
        });
        directions.collect()
    }

    #[test]
    fn answers_are_written_and_read() {
        for count in [0, 9, MEMBERS_MAX as u64] {
            let links = numbered(count);
            assert_eq!(decode_answer(&written(&links)), Ok(links));
        }
        let hears = Direction::Blocked;
        let heard = Direction::Passes;
        let golden = written(&[(MemberId::of("web"), Link { hears, heard })]);
        let id = MemberId::of("web").to_bits().to_le_bytes();
        assert_eq!(golden, [&[0xB3, 0x20], &id[..], &[0x12]].concat());
    }

    #[test]
    fn what_is_too_long_twice_or_cut_is_malformed() {
        let malformed = Err(LinkError::Malformed);
        let long = written(&numbered(MEMBERS_MAX as u64 + 1));
        assert_eq!(decode_answer(&long), malformed);
        let one = numbered(1)[0];
        assert_eq!(decode_answer(&written(&[one, one])), malformed);
        let mut cut = written(&[one]);
        cut.pop();
        assert_eq!(decode_answer(&cut), malformed);
        for both in [0x03, 0x30] {
            let unknown = [&cut[..], &[both]].concat();
            assert_eq!(decode_answer(&unknown), malformed);
        }
        assert_eq!(decode_answer(&[]), malformed);
    }

    #[test]
    fn a_refusal_is_told_from_bytes_of_no_meaning() {
        let mut bytes = Vec::new();
        swim::encode_answer(&Answer::Refused(Refusal::Sealed), &mut bytes);
        assert_eq!(decode_answer(&bytes), Err(LinkError::Refused));
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode_answer(&bytes);
            let bytes = [&[MAGIC, ANSWER], &bytes[..]].concat();
            if let Ok(links) = decode_answer(&bytes) {
                prop_assert_eq!(written(&links), bytes);
            }
        }
    }
}
