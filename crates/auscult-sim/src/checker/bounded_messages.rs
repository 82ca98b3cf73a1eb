//! Nobody sends more than its parameters allow: every datagram has a cause, and a cause has so many
//! datagrams at most.
//!
//! | datagram | at most |
//! |---|---|
//! | ping | one a probe interval, heal interval, suspicion, silence and missed probe, 73 a detour |
//! | heartbeat | four in a heartbeat interval to each member |
//! | request to ping | `indirect_probes` for each ping |
//! | ack | one for each ping received |
//! | relayed ping | one for each request received; two answers to the one who asked |
//! | gossip | `gossip_fanout` + 2 in a gossip interval, one a suspicion, one for each received |
//!
//! Counted over windows of five probe intervals of the member's own clock. What was received in the
//! window before counts too, as answers may be late; a window in which a member stalled goes on
//! until it runs again, as it sends then what it could not before.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::swim::{Params, Swim};
use auscult_core::time::Instant;

use super::{Checker, Finding, Findings};
use crate::deed::Deed;
use crate::member::Power;
use crate::observation::{Interest, Observation, Observed, Payload};
use crate::world::World;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct BoundedMessages {
    windows: Vec<Window>,
    found: Findings,
}

/// What one member did.
#[derive(Debug, Default)]
struct Window {
    /// By the member's own clock.
    since: Instant,
    sent: BTreeMap<Payload, u64>,
    received: BTreeMap<Payload, u64>,
    received_before: BTreeMap<Payload, u64>,
    sent_before: BTreeMap<Payload, u64>,
    /// How often it said something of itself, which it tells at once.
    news: u64,
    /// The counters when the window began.
    suspicions: u64,
    detours: u64,
    /// The same when the window before began.
    detours_before: u64,
    /// Probes that nobody answered, when the window before began.
    missed: u64,
    missed_before: u64,
    /// When it went on after a stall, by the world's clock: it sends then what it could not.
    resumed: Instant,
}

const NAME: &str = "bounded_messages";
const PERIODS: u32 = 5;
/// What a link is pinged with at most, and what its other end is asked by way of others then.
const LINK_PINGS: u64 = 64 + 1 + 8;

impl Checker for BoundedMessages {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::EVENTS | Interest::DEEDS | Interest::SENT | Interest::DELIVERED
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        while self.windows.len() < world.len() {
            let since = world.clock(self.windows.len());
            self.windows.push(Window {
                since,
                ..Window::default()
            });
        }
        let member = match &observation.kind {
            Observed::Sent { from, what, .. } => {
                *self.windows[*from].sent.entry(*what).or_default() += 1;
                *from
            }
            Observed::Delivered { to, what, .. } => {
                *self.windows[*to].received.entry(*what).or_default() += 1;
                *to
            }
            Observed::Event { observer, .. } => *observer,
            Observed::Persisted { member, .. } => {
                self.windows[*member].news += 1;
                *member
            }
            Observed::Deed(Deed::Restart { member, .. }) => {
                self.windows[*member] = Window {
                    since: world.clock(*member),
                    // What is on its way to the new process was caused by the old one.
                    received_before: std::mem::take(&mut self.windows[*member].received),
                    news: 1,
                    ..Window::default()
                };
                return;
            }
            Observed::Deed(Deed::Resume { member }) => {
                self.windows[*member].resumed = observation.at;
                return;
            }
            Observed::Dropped { .. }
            | Observed::Joined { .. }
            | Observed::Gone { .. }
            | Observed::Broadcast { .. }
            | Observed::ModeChanged { .. }
            | Observed::Refused { .. }
            | Observed::Rejected { .. }
            | Observed::Deed(_) => return,
        };
        self.close(world, observation.at, member);
    }

    fn finish(&mut self, _: &World) -> Vec<Finding> {
        self.found.take()
    }
}

impl BoundedMessages {
    /// Ends the window of a member, if it is long enough.
    fn close(&mut self, world: &World, at: Instant, member: usize) {
        let swim = world.member(member);
        let params = swim.config().params();
        let now = world.clock(member);
        let span = now.since(self.windows[member].since);
        let window = &mut self.windows[member];
        let stalls = world.power(member) != Power::Runs || at <= window.resumed;
        if span < params.probe_interval * PERIODS || stalls {
            return;
        }
        for (what, sent, allowed) in window.excesses(params, swim, span) {
            let text = format!(
                "{member} sent {sent} of {} in {span:?}, where {allowed} are allowed",
                what.as_str()
            );
            self.found.add(NAME, at, text);
        }
        window.begin_next(swim, now);
    }
}

impl Window {
    fn sent(&self, what: Payload) -> u64 {
        self.sent.get(&what).copied().unwrap_or(0)
    }

    fn heard(&self, what: Payload) -> u64 {
        let now = self.received.get(&what).copied().unwrap_or(0);
        now + self.received_before.get(&what).copied().unwrap_or(0)
    }

    fn heard_of_all(&self) -> u64 {
        self.received.values().sum::<u64>() + self.received_before.values().sum::<u64>()
    }

    fn suspicions(&self, swim: &Swim) -> u64 {
        swim.counters().suspicions.saturating_sub(self.suspicions)
    }

    /// What was sent too often.
    fn excesses(&self, params: &Params, swim: &Swim, span: Duration) -> Vec<(Payload, u64, u64)> {
        let times = |interval: Duration| span.as_nanos().div_ceil(interval.as_nanos()) as u64 + 1;
        let suspicions = self.suspicions(swim);
        let members = swim.remembered() as u64;
        let pings =
            self.sent(Payload::Ping) + self.sent_before.get(&Payload::Ping).copied().unwrap_or(0);
        let asked = self.heard(Payload::AskPing);
        let allowed = [
            (
                Payload::Ping,
                // Whoever is silent is asked once, until it is heard again.
                times(params.probe_interval)
                    + times(params.heal_interval)
                    + suspicions
                    + (swim.counters().detours.saturating_sub(self.detours_before)) * LINK_PINGS
                    + swim
                        .counters()
                        .probes_failed
                        .saturating_sub(self.missed_before)
                    + self.heard(Payload::Heartbeat).max(members),
            ),
            (
                Payload::Heartbeat,
                // News hurries them to a quarter of the interval.
                times(params.heartbeat_interval / 4) * members,
            ),
            (Payload::AskPing, pings * params.indirect_probes as u64),
            (Payload::Ack, self.heard(Payload::Ping)),
            (Payload::RelayPing, asked),
            (Payload::RelayAck, self.heard(Payload::RelayPing)),
            (Payload::Relayed, asked),
            (Payload::Nack, asked),
            (Payload::Refused, self.heard(Payload::Ping)),
            (
                Payload::Gossip,
                // The next on the ring and one of the dead are told besides, and contradictions at
                // once.
                (times(params.gossip_interval) + self.news) * (params.gossip_fanout as u64 + 2)
                    + suspicions
                    + self.heard_of_all(),
            ),
        ];
        let counted = allowed.map(|(what, allowed)| (what, self.sent(what), allowed));
        counted
            .into_iter()
            .filter(|&(_, sent, allowed)| sent > allowed)
            .collect()
    }

    fn begin_next(&mut self, swim: &Swim, now: Instant) {
        *self = Self {
            since: now,
            received_before: std::mem::take(&mut self.received),
            sent_before: std::mem::take(&mut self.sent),
            suspicions: swim.counters().suspicions,
            detours: swim.counters().detours,
            detours_before: self.detours,
            missed: swim.counters().probes_failed,
            missed_before: self.missed,
            ..Self::default()
        };
    }
}
