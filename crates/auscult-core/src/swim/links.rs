//! Whether datagrams pass between this member and another one, each way by itself.
//!
//! That a direct probe got no answer, while one by way of others did, may be a link that blocks or
//! a datagram that got lost. So the member is then pinged some times more, eight times in a probe
//! interval, until one is answered or so many are not that losses cannot explain it. How many that
//! takes follows from the share of direct probes to all members that fail at present: `q` of them
//! (and what it may really be, at two deviations) in `k` pings give `q^k`, which has to be at most
//! [`DOUBT`]. `q` counts as 0.3 at least, as losses may have begun just now. That is 18 pings at up
//! to 10 % of loss each way (2.6 s with the wait for the last answer), and 41 at 30 % (5.5 s).
//! Where more than 64 would be needed nothing is said of links at all.
//!
//! **False rate.** A direct probe begins a false verdict at most once in 10^9 probes, if losses are
//! independent: once in 30 years for a member that probes once a second. Losses in bursts that are
//! longer than the pings are taken for a blocked link, and one that passes again says so with the
//! next datagram.
//!
//! Which way is blocked the other member tells by way of others: whether it heard any of the pings.

use alloc::vec::Vec;

use super::event::{Direction, EventKind, Link};
use super::members::Slot;
use super::message::{Body, Hearsay, Sequence};
use super::probes::{Probe, Purpose};
use super::{Stage, Swim};
use crate::time::Instant;

/// What is known of losses, and the links that are being looked at.
#[derive(Debug)]
pub(super) struct Links {
    /// The share of direct probes that fail.
    failing: f64,
    checks: Vec<Check>,
    /// Who is asked by way of others what it heard, and how often in vain.
    asked: Vec<(Slot, u8)>,
}

/// Pings to one member, to find whether they pass.
#[derive(Debug)]
struct Check {
    slot: Slot,
    sent: Vec<Sequence>,
    needed: usize,
    /// When the next ping is sent, or the last one is given up.
    next_at: Instant,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            failing: FAILING_LEAST,
            checks: Vec::new(),
            asked: Vec::new(),
        }
    }
}

impl Links {
    pub(super) fn next(&self) -> Option<Instant> {
        self.checks.iter().map(|check| check.next_at).min()
    }

    /// The process did not run: what came meanwhile was not counted.
    pub(super) fn clear(&mut self) {
        self.checks.clear();
        self.asked.clear();
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        self.checks.retain(|check| check.slot != slot);
        self.asked.retain(|&(asked, _)| asked != slot);
    }

    fn note_passed(&mut self) {
        self.failing -= self.failing / SAMPLES;
    }

    fn note_failed(&mut self) {
        self.failing += (1.0 - self.failing) / SAMPLES;
    }

    /// Failures in a row that losses cannot explain; `None` when that takes too many.
    fn needed(&self) -> Option<usize> {
        let deviation = libm::sqrt(self.failing * (1.0 - self.failing) / (2.0 * SAMPLES));
        let share = (self.failing + 2.0 * deviation).max(FAILING_LEAST);
        let needed = libm::ceil(libm::log(DOUBT) / libm::log(share.min(0.99)));
        (needed <= PINGS_MAX).then_some(needed as usize)
    }

    /// Whether this is a ping of a check; that is over then.
    fn answered(&mut self, slot: Slot, sequence: Sequence) -> Option<()> {
        let of = |check: &Check| check.slot == slot && check.sent.contains(&sequence);
        let at = self.checks.iter().position(of)?;
        self.checks.swap_remove(at);
        Some(())
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.checks.len() <= CHECKS_MAX);
        assert!((0.0..=1.0).contains(&self.failing));
    }
}

impl Swim {
    /// A member answered a direct ping.
    pub(super) fn note_direct_way(&mut self, slot: Slot, probe: &Probe) {
        if probe.purpose == Purpose::Period {
            self.links.note_passed();
        }
        self.links.forget(slot);
        self.set_link(slot, PASSES);
    }

    /// An answer to none of the probes: that a link passes, if it answers a ping of a check.
    pub(super) fn note_link_ping(&mut self, slot: Slot, sequence: Sequence) -> Option<()> {
        self.links.answered(slot, sequence)?;
        self.set_link(slot, PASSES);
        Some(())
    }

    /// A datagram came from where a member is: it is heard.
    pub(super) fn note_heard(&mut self, slot: Slot) {
        let link = self.members.entry(slot).link;
        if link.hears != Direction::Passes {
            let hears = Direction::Passes;
            self.set_link(slot, Link { hears, ..link });
        }
    }

    /// A member answered by way of others, and not on the direct way.
    pub(super) fn note_detour(&mut self, slot: Slot, probe: &Probe, origin: Option<Hearsay>) {
        let link = self.members.entry(slot).link;
        let blocked = link.hears == Direction::Blocked || link.heard == Direction::Blocked;
        if probe.purpose == Purpose::Link {
            self.conclude(slot, origin);
            return;
        }
        if blocked {
            return;
        }
        if probe.purpose == Purpose::Period {
            self.links.note_failed();
        }
        let known = self.links.checks.iter().any(|check| check.slot == slot);
        if known || self.links.checks.len() >= CHECKS_MAX || self.stage != Stage::Running {
            return;
        }
        if let Some(needed) = self.links.needed() {
            self.links.checks.push(Check {
                slot,
                sent: Vec::new(),
                needed,
                next_at: self.now,
            });
        }
    }

    /// The next pings are due.
    pub(super) fn check_links(&mut self) {
        let params = self.config.params();
        let (spacing, wait) = (
            params.probe_interval / PINGS_PER_INTERVAL,
            params.probe_timeout,
        );
        let now = self.now;
        // More may be lost than when they began.
        let needed = self.links.needed().unwrap_or(usize::MAX);
        let mut pings = Vec::new();
        let mut unanswered = Vec::new();
        let mut given_up = Vec::new();
        for check in &mut self.links.checks {
            if check.next_at > now {
                continue;
            }
            check.needed = check.needed.max(needed).min(PINGS_MAX as usize + 1);
            if check.sent.len() > PINGS_MAX as usize {
                given_up.push(check.slot);
                continue;
            }
            if check.sent.len() >= check.needed {
                unanswered.push(check.slot);
                continue;
            }
            let sequence = self.probes.next_sequence();
            check.sent.push(sequence);
            let last = check.sent.len() == check.needed;
            check.next_at = now.after(if last { wait } else { spacing });
            pings.push((check.slot, sequence));
        }
        for slot in given_up {
            self.links.forget(slot);
        }
        let round = self.probes.round;
        for (slot, sequence) in pings {
            let to = self.members.address(slot);
            self.send(to, Body::Ping { sequence, round }, None);
        }
        for slot in unanswered {
            self.links.forget(slot);
            // Others are asked at once, and the member says by way of them what it heard.
            self.links.asked.push((slot, 0));
            self.probe(slot, Purpose::Link);
        }
    }

    /// Those who were asked to ask did not answer either.
    pub(super) fn ask_again_of_link(&mut self, slot: Slot) {
        let mut asked = self.links.asked.iter_mut();
        let Some((_, times)) = asked.find(|(asked, _)| *asked == slot) else {
            return;
        };
        *times += 1;
        if *times < ASKED_MAX {
            self.probe(slot, Purpose::Link);
        } else {
            self.links.forget(slot);
        }
    }

    fn conclude(&mut self, slot: Slot, origin: Option<Hearsay>) {
        self.links.forget(slot);
        let lately = self.now.before(self.config.params().probe_interval);
        let entry = self.members.entry(slot);
        let heard_lately = entry.heard_at().is_some_and(|at| at >= lately);
        let mut link = entry.link;
        match origin {
            Some(Hearsay::Heard) => {
                link.heard = Direction::Passes;
                link.hears = Direction::Blocked;
            }
            Some(Hearsay::NotHeard) => {
                link.heard = Direction::Blocked;
                if heard_lately {
                    link.hears = Direction::Passes;
                }
            }
            // Only a stream passes, so nobody can tell.
            None => {}
        }
        self.set_link(slot, link);
    }

    fn set_link(&mut self, slot: Slot, link: Link) {
        let entry = self.members.entry_mut(slot);
        let before = core::mem::replace(&mut entry.link, link);
        let was_blocked = before.hears == Direction::Blocked || before.heard == Direction::Blocked;
        let is_blocked = link.hears == Direction::Blocked || link.heard == Direction::Blocked;
        // That a link works is news only where it did not.
        if before != link && (was_blocked || is_blocked) {
            self.say(slot, EventKind::LinkChanged { link });
        }
    }
}

const PASSES: Link = Link {
    hears: Direction::Passes,
    heard: Direction::Passes,
};
/// How improbable a blocked link must be if it is none.
const DOUBT: f64 = 1e-9;
/// Probes over which the share of failures fades: a minute.
const SAMPLES: f64 = 64.0;
/// Losses of a sixth each way may begin at any moment, before the share has followed.
const FAILING_LEAST: f64 = 0.3;
/// Pings in a probe interval, while a link is looked at.
const PINGS_PER_INTERVAL: u32 = 8;
/// Above it, at losses beyond 40 %, nobody can tell a link from an accident in useful time.
const PINGS_MAX: f64 = 64.0;
/// How often it is asked by way of others.
const ASKED_MAX: u8 = 8;
/// Links that are looked at at a time.
const CHECKS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the module's documentation.
    #[test]
    fn the_more_is_lost_the_more_it_takes() {
        let needed = |loss: f64| {
            let failing = 1.0 - (1.0 - loss) * (1.0 - loss);
            let links = Links {
                failing,
                ..Links::default()
            };
            links.needed()
        };
        assert_eq!(needed(0.0), Some(18));
        assert_eq!(needed(0.1), Some(18));
        assert_eq!(needed(0.3), Some(41));
        assert_eq!(needed(0.5), None);
    }

    #[test]
    fn the_share_of_failures_follows_them() {
        let mut links = Links::default();
        for round in 0..2_000 {
            if round % 5 == 0 {
                links.note_failed();
            } else {
                links.note_passed();
            }
        }
        assert!((0.15..0.25).contains(&links.failing), "{}", links.failing);
    }
}
