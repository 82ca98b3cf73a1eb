//! Whether the others are silent, or this monitor is deaf.
//!
//! A member whose network is cut off finds all others dead, one after the other. None of that is
//! news of them. So where nobody at all is heard, of two or more who were there a moment before,
//! what the group says counts for nothing: its members are `unknown`. One that was alone with one
//! other cannot tell, and calls it down.

use std::time::Duration;

use auscult_agent::{Member, Members};
use auscult_core::swim::State;
use auscult_core::time::Instant;

/// Follows one agent.
#[derive(Debug)]
pub(super) struct Isolation {
    /// Silence of all others from which on the fault is here: two periods of probes, in which each
    /// of them would have been heard by its own probe or by the answer to one.
    patience: Duration,
    span: Option<Span>,
}

/// A time in which nobody was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// When somebody was heard last.
    since: Instant,
    /// When somebody was heard again.
    until: Option<Instant>,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// So many others, and nobody is heard any more.
    Isolated(usize),
    /// Somebody is heard again.
    Back,
}

impl Isolation {
    pub(super) const fn new(probe_interval: Duration) -> Self {
        Self {
            patience: probe_interval.saturating_mul(2),
            span: None,
        }
    }

    /// Looks at the members as they are now.
    pub(super) fn look(&mut self, now: Instant, members: &Members) -> Option<Turn> {
        let others = || members.members.iter().filter(|member| !member.is_me);
        let heard_at = members.members.iter().map(heard_at).max()?;
        let deaf = now.since(heard_at) >= self.patience;
        match self.span {
            Some(Span { until: None, since }) if !deaf => {
                let until = Some(now);
                self.span = Some(Span { since, until });
                Some(Turn::Back)
            }
            Some(Span { until: None, .. }) => None,
            Some(Span {
                until: Some(until), ..
            }) if !deaf && now.since(until) >= RECOVERY => {
                self.span = None;
                None
            }
            Some(Span { until: Some(_), .. }) | None if deaf => {
                let lost = |member: &&Member| match member.state {
                    State::Alive | State::Suspect => true,
                    State::Dead => member.since >= heard_at,
                    State::Left => false,
                };
                let lost = others().filter(lost).count();
                if lost < 2 {
                    return None;
                }
                let (since, until) = (heard_at, None);
                self.span = Some(Span { since, until });
                Some(Turn::Isolated(lost))
            }
            Some(Span { until: Some(_), .. }) | None => None,
        }
    }

    /// Whether nothing can be said of a member.
    pub(super) fn doubts(&self, member: &Member) -> bool {
        match self.span {
            None => false,
            Some(Span { until: None, .. }) => !member.is_me,
            // It was accused by the deaf, and has had no time to say otherwise.
            Some(Span { since, .. }) => {
                let accused = matches!(member.state, State::Suspect | State::Dead);
                accused && member.since >= since
            }
        }
    }

    /// Whether time alone may change what it says.
    pub(super) const fn is_over(&self) -> bool {
        self.span.is_none()
    }
}

/// When a sign of life of a member came last, as far as that can be told. For this one itself: when
/// it began.
fn heard_at(member: &Member) -> Instant {
    let joined_at = match member.state {
        State::Alive => member.since,
        State::Suspect | State::Dead | State::Left => Instant::ORIGIN,
    };
    member.heard_at.unwrap_or(joined_at).max(joined_at)
}

/// Those who were convicted meanwhile are asked again now and then; who has not answered in this
/// time is down.
const RECOVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use auscult_core::swim::{Direction, Incarnation, Link, MemberName, Mode};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(500);

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN.after(Duration::from_millis(millis))
    }

    fn member(name: &str, state: State, since: u64, heard: u64) -> Member {
        let name = MemberName::new(name).unwrap();
        let (hears, heard_by) = (Direction::Unknown, Direction::Unknown);
        Member {
            id: name.id(),
            is_me: name.as_str() == "me",
            name,
            address: ([127, 0, 0, 1], 1).into(),
            state,
            since: at(since),
            incarnation: Incarnation::FIRST,
            heard_at: Some(at(heard)),
            round_trip: None,
            link: Link {
                hears,
                heard: heard_by,
            },
            metadata_version: 0,
            metadata: Arc::default(),
            watched: false,
            level: None,
            deadline: None,
            accusers: Vec::new(),
        }
    }

    fn members(others: Vec<Member>) -> Members {
        let mut members = vec![member("me", State::Alive, 0, 0)];
        members.extend(others);
        Members {
            revision: 1,
            at: at(0),
            live: members.len(),
            view: 0,
            mode: Mode::Gossip,
            members,
        }
    }

    #[test]
    fn one_that_dies_while_others_are_heard_is_down() {
        let mut isolation = Isolation::new(PERIOD);
        let dead = member("a", State::Dead, 5_000, 1_000);
        let seen = members(vec![dead.clone(), member("b", State::Alive, 0, 4_900)]);
        assert_eq!(isolation.look(at(5_000), &seen), None);
        assert!(!isolation.doubts(&dead));
    }

    #[test]
    fn the_only_other_one_is_down_when_it_is_silent() {
        let mut isolation = Isolation::new(PERIOD);
        let dead = member("a", State::Dead, 5_000, 1_000);
        assert_eq!(
            isolation.look(at(5_000), &members(vec![dead.clone()])),
            None
        );
        assert!(!isolation.doubts(&dead));
        let old = member("b", State::Dead, 500, 400);
        let seen = members(vec![dead, old]);
        assert_eq!(isolation.look(at(5_000), &seen), None, "b was dead before");
    }

    #[test]
    fn the_deaf_doubt_all_verdicts_until_the_convicted_had_time_to_answer() {
        let mut isolation = Isolation::new(PERIOD);
        let first = member("a", State::Dead, 5_000, 1_000);
        let second = member("b", State::Suspect, 4_000, 1_000);
        let seen = members(vec![first.clone(), second.clone()]);
        assert_eq!(isolation.look(at(5_000), &seen), Some(Turn::Isolated(2)));
        assert_eq!(isolation.look(at(6_000), &seen), None, "it is said once");
        assert!(isolation.doubts(&first) && isolation.doubts(&second));
        assert!(!isolation.doubts(&seen.members[0]), "it knows of itself");

        let back = member("b", State::Alive, 9_000, 9_000);
        let seen = members(vec![first.clone(), back.clone()]);
        assert_eq!(isolation.look(at(9_000), &seen), Some(Turn::Back));
        assert!(isolation.doubts(&first) && !isolation.doubts(&back));
        let later = members(vec![
            first.clone(),
            member("b", State::Alive, 9_000, 69_000),
        ]);
        assert_eq!(isolation.look(at(69_000), &later), None);
        assert!(!isolation.doubts(&first) && isolation.is_over());
    }
}
