//! Parameters of the membership machine: plain values outside, valid by construction inside.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::member::Label;
use crate::bounds::{
    ACCUSERS_MAX, MEMBERSHIP_DATAGRAM_BYTES_MAX, MEMBERSHIP_DATAGRAM_BYTES_MIN,
    RELAYS_PER_PROBE_MAX,
};

/// A rule that parameters break: the field, and the values with the inequality they violate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as it is named in code.
    pub field: &'static str,
    /// The values and the rule, for example `700ms must be at most probe_interval (500ms)`.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

/// How the machine behaves: plain values, to be turned into a [`Config`]. Begin with a preset,
/// there is no default for all networks.
///
/// | field | [`local`](Self::local) | [`lan`](Self::lan) | [`wan`](Self::wan) |
/// |---|---|---|---|
/// | `probe_interval` | 1 s | 1 s | 5 s |
/// | `probe_timeout` | 200 ms | 500 ms | 2.5 s |
/// | `probe_timeout_least` | 20 ms | 50 ms | 300 ms |
/// | `indirect_probes` | 3 | 3 | 3 |
/// | `suspicion_multiplier` | 3 | 4 | 6 |
/// | `suspicion_max_multiplier` | 6 | 6 | 6 |
/// | `confirmations` | 3 | 3 | 3 |
/// | `health_max` | 8 | 8 | 8 |
/// | `buddy` | on | on | on |
/// | `gossip_interval`, `gossip_fanout` | 100 ms, 3 | 200 ms, 3 | 500 ms, 4 |
/// | `retransmit_multiplier` | 4 | 4 | 4 |
/// | `gossip_to_dead` | 15 s | 30 s | 60 s |
/// | `direct_limit`, `heartbeat_interval` | 100, 500 ms | 100, 500 ms | 100, 2 s |
/// | `sync_interval` | 30 s | 30 s | 60 s |
/// | `heal_interval` | 5 s | 10 s | 30 s |
/// | `stream_timeout` | 1 s | 5 s | 10 s |
/// | `dead_retention`, `left_retention` | 24 h, 1 h | 24 h, 1 h | 72 h, 1 h |
///
/// The numbers are those that memberlist's users have had for ten years, but for these: `local`
/// sends news as often as `lan` (with half of it joins wait for a sync, measured at 25 s for 25
/// members), and asks three others, as loopback is where processes stall most.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// The name of the cluster. Members of another one are refused.
    pub label: Label,
    /// One member is probed every so often. Above 0.
    pub probe_interval: Duration,
    /// How long a direct probe may take before others are asked, where no round-trip time is
    /// known or [`timing`](Self::timing) is fixed. Above 0 and at most half of the interval, so
    /// that others have as long.
    pub probe_timeout: Duration,
    /// The least time for a direct probe with measured round trips: what a busy scheduler adds.
    pub probe_timeout_least: Duration,
    /// Whether measured round trips shorten the time for a direct probe.
    pub timing: Timing,
    /// Whom to probe next.
    pub order: ProbeOrder,
    /// Others asked to probe in our place: 0 to [`RELAYS_PER_PROBE_MAX`]. [SWIM 3.1: k]
    pub indirect_probes: usize,
    /// Whether a probe is tried over a stream too, while others are asked.
    pub stream_probe: StreamProbe,
    /// How long a suspect has to contradict.
    pub suspicion: SuspicionRule,
    /// alpha [LG]: the least time of a suspect is this many probe intervals, times the decimal
    /// logarithm of the number of members. With [`SuspicionRule::Refutation`] it is the upper
    /// bound of the least time. 1 to 100.
    pub suspicion_multiplier: u32,
    /// beta [LG]: the time of a suspect that nobody else suspects, as a multiple of the least. 1
    /// to 100; 1 is plain SWIM.
    pub suspicion_max_multiplier: u32,
    /// K [LG]: others who must agree until a suspect has the least time. 0 to [`ACCUSERS_MAX`] - 1.
    pub confirmations: u32,
    /// S [LG]: how slow a member may think itself to be: its intervals and time-outs grow up to 1
    /// + S times. 0 switches that off; at most 20.
    pub health_max: u8,
    /// Whether whoever is accused hears so first.
    pub buddy: Buddy,
    /// How often news is sent while there is any. Above 0.
    pub gossip_interval: Duration,
    /// When that begins for news that finds nothing else to be sent.
    pub first_gossip: FirstGossip,
    /// To how many members at a time: 1 to 16.
    pub gossip_fanout: usize,
    /// How often one piece of news is sent, as a multiple of `ceil(log10(n + 1))`. 1 to 100.
    pub retransmit_multiplier: u32,
    /// How long after its death a member is still sent news, so that it can contradict.
    pub gossip_to_dead: Duration,
    /// Up to so many live members, this one included, everyone sends heartbeats to everyone and
    /// judges by them; above, members are only probed. 0: never; `usize::MAX`: always. Back again
    /// at nine tenths of it. 100: with a heartbeat twice a second that is 200 datagrams and 9 kB a
    /// second, for a verdict in half the time.
    pub direct_limit: usize,
    /// How often direct heartbeats are sent. 1 ms to 60 s.
    pub heartbeat_interval: Duration,
    /// How often views are compared with another member, at least; with more than 32 members the
    /// interval grows with the logarithm of their number. Above 0.
    pub sync_interval: Duration,
    /// How often a dead member, and a seed that is no member, is asked whether it is back. Above 0.
    pub heal_interval: Duration,
    /// How long a stream may take. Above 0.
    pub stream_timeout: Duration,
    /// How long the record of a dead member is kept, with its address.
    pub dead_retention: Duration,
    /// How long the record of a member that left is kept: no stale news must bring it back.
    pub left_retention: Duration,
    /// Called later than asked by more than this, the process did not run: nobody is convicted
    /// for that time. Above 0.
    pub stall_tolerance: Duration,
    /// Bytes of a datagram, its headers not counted: 1,400 passes everywhere. From
    /// [`MEMBERSHIP_DATAGRAM_BYTES_MIN`] to [`MEMBERSHIP_DATAGRAM_BYTES_MAX`]. What outer layers
    /// add is to be taken off.
    pub datagram_bytes: usize,
}

/// Whether measured round trips shorten the time for a direct probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timing {
    /// They do: mean and four deviations, from `probe_timeout_least` to `probe_timeout`. A probe
    /// is decided after `probe_timeout`, or twice the time for a direct probe if that is more.
    Measured,
    /// They do not: `probe_timeout` for all, and a probe is decided at the end of the interval
    /// [SWIM].
    Fixed,
}

/// Whom to probe next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbeOrder {
    /// All members take the same order in a round, so that each member is probed by exactly one
    /// other. While views differ, each takes its own.
    Shared,
    /// Each member takes its own [SWIM 4.3].
    Own,
}

/// Whether a probe is tried over a stream too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamProbe {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Whether whoever is accused hears so first [LG: buddy].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Buddy {
    /// Its accuser tells it at once, and whatever is sent to it says so.
    On,
    /// A ping to it says so [LG], and nothing else does.
    Pings,
    /// It hears of it when it comes round, as everyone does.
    Off,
}

/// When news is sent that finds nothing else to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FirstGossip {
    /// At once, if nothing was sent for an interval.
    AtOnce,
    /// When the interval comes round, as with memberlist.
    AtTheBeat,
}

/// How long a suspect has to contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SuspicionRule {
    /// `suspicion_multiplier * log10(n) * probe_interval` [LG]. Each accuser says so once.
    Logarithmic,
    /// What it takes to tell the suspect and to be told in return, or what refutations were
    /// measured to take if that is more; never more than the logarithmic rule gives. And those
    /// next to the suspect in the shared order probe it at once, so that agreement, or an answer,
    /// does not wait for their turn.
    ///
    /// The suspect is told in one datagram by the accuser, in one more by each of those who probe
    /// it, and whenever it asks anybody itself: `probe_timeout` is enough for one of these. The
    /// way back is gossip. Who hears news sends it on at once, so without losses it is everywhere
    /// after a few round trips; where datagrams get lost, each `gossip_interval` at least doubles
    /// those who know. So the least time is
    ///
    /// `probe_timeout + gossip_interval * (1 + ceil(log2(n + 1)))`,
    ///
    /// with [`Params::lan`] 1.7 s for 25 members, 1.9 s for 50, 2.3 s for 128. A crash is then
    /// known to the last survivor after about 0.6 periods until the first probe, `probe_timeout`
    /// until that has failed, as much until the neighbours' probes have, within the least time,
    /// and the least time itself: 2.9 s, 3.2 s and 3.6 s, and more where the order of probes is
    /// unlucky. In virtual time (`swim_cluster`, round trips of 1 ms) the median is 2.9 s at 25
    /// members, 3.7 s at 50 and 4.2 s at 128, the worst of some 3.7 s, 4.2 s and 4.8 s.
    ///
    /// Who is paused for longer than that, and `probe_timeout`, and the wait for the probe, is
    /// convicted, and comes back with a contradiction when it runs again.
    Refutation,
}

impl Params {
    /// For processes on one machine.
    #[must_use]
    pub const fn local(label: Label) -> Self {
        let mut params = Self::lan(label);
        params.probe_timeout = Duration::from_millis(200);
        params.probe_timeout_least = Duration::from_millis(20);
        params.suspicion_multiplier = 3;
        params.gossip_interval = Duration::from_millis(100);
        params.gossip_to_dead = Duration::from_secs(15);
        params.heal_interval = Duration::from_secs(5);
        params.stream_timeout = Duration::from_secs(1);
        params
    }

    /// For machines in one data centre.
    #[must_use]
    pub const fn lan(label: Label) -> Self {
        Self {
            label,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            probe_timeout_least: Duration::from_millis(50),
            timing: Timing::Measured,
            order: ProbeOrder::Shared,
            indirect_probes: 3,
            stream_probe: StreamProbe::On,
            suspicion: SuspicionRule::Refutation,
            suspicion_multiplier: 4,
            suspicion_max_multiplier: 6,
            confirmations: 3,
            health_max: 8,
            buddy: Buddy::On,
            gossip_interval: Duration::from_millis(200),
            first_gossip: FirstGossip::AtOnce,
            gossip_fanout: 3,
            retransmit_multiplier: 4,
            gossip_to_dead: Duration::from_secs(30),
            direct_limit: 100,
            heartbeat_interval: Duration::from_millis(500),
            sync_interval: Duration::from_secs(30),
            heal_interval: Duration::from_secs(10),
            stream_timeout: Duration::from_secs(5),
            dead_retention: Duration::from_secs(24 * 3_600),
            left_retention: Duration::from_secs(3_600),
            stall_tolerance: Duration::from_millis(250),
            datagram_bytes: 1_400,
        }
    }

    /// For machines all over the world.
    #[must_use]
    pub const fn wan(label: Label) -> Self {
        let mut params = Self::lan(label);
        params.probe_interval = Duration::from_secs(5);
        params.probe_timeout = Duration::from_millis(2_500);
        params.probe_timeout_least = Duration::from_millis(300);
        params.suspicion_multiplier = 6;
        params.gossip_interval = Duration::from_millis(500);
        params.gossip_fanout = 4;
        params.heartbeat_interval = Duration::from_secs(2);
        params.gossip_to_dead = Duration::from_secs(60);
        params.sync_interval = Duration::from_secs(60);
        params.heal_interval = Duration::from_secs(30);
        params.stream_timeout = Duration::from_secs(10);
        params.dead_retention = Duration::from_secs(72 * 3_600);
        params.stall_tolerance = Duration::from_secs(1);
        params
    }
}

/// Valid parameters. Cheap to clone, and the clones share them.
#[derive(Clone, Debug, PartialEq)]
pub struct Config(Arc<Params>);

impl Config {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Every violated rule. State: nothing was changed.
    pub fn new(params: Params) -> Result<Self, Vec<Violation>> {
        let mut rules = Rules(Vec::new());
        rules.check_spans(&params);
        rules.check_counts(&params);
        if rules.0.is_empty() {
            Ok(Self(Arc::new(params)))
        } else {
            Err(rules.0)
        }
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.0
    }
}

struct Rules(Vec<Violation>);

impl Rules {
    fn check_spans(&mut self, params: &Params) {
        for (field, span) in [
            ("probe_interval", params.probe_interval),
            ("probe_timeout", params.probe_timeout),
            ("probe_timeout_least", params.probe_timeout_least),
            ("gossip_interval", params.gossip_interval),
            ("sync_interval", params.sync_interval),
            ("heal_interval", params.heal_interval),
            ("stream_timeout", params.stream_timeout),
            ("stall_tolerance", params.stall_tolerance),
            ("heartbeat_interval", params.heartbeat_interval),
        ] {
            self.check(field, !span.is_zero(), || "must be above 0".into());
            self.check(field, span <= SPAN_MAX, || {
                format!("{span:?} must be at most {SPAN_MAX:?}")
            });
        }
        let millis = params.heartbeat_interval.as_millis();
        self.check("heartbeat_interval", (1..=60_000).contains(&millis), || {
            format!("{:?} must be from 1ms to 60s", params.heartbeat_interval)
        });
        self.at_most("dead_retention", params.dead_retention, "a year", YEAR);
        self.at_most("left_retention", params.left_retention, "a year", YEAR);
        self.at_most(
            "gossip_to_dead",
            params.gossip_to_dead,
            "dead_retention",
            params.dead_retention,
        );
        self.at_most(
            "probe_timeout",
            params.probe_timeout,
            "half of probe_interval",
            params.probe_interval / 2,
        );
        self.at_most(
            "probe_timeout_least",
            params.probe_timeout_least,
            "probe_timeout",
            params.probe_timeout,
        );
    }

    fn check_counts(&mut self, params: &Params) {
        self.within(
            "indirect_probes",
            params.indirect_probes,
            0,
            RELAYS_PER_PROBE_MAX,
        );
        self.within(
            "suspicion_multiplier",
            params.suspicion_multiplier as usize,
            1,
            100,
        );
        self.within(
            "suspicion_max_multiplier",
            params.suspicion_max_multiplier as usize,
            1,
            100,
        );
        self.within(
            "confirmations",
            params.confirmations as usize,
            0,
            ACCUSERS_MAX - 1,
        );
        self.within("health_max", usize::from(params.health_max), 0, 20);
        self.within("gossip_fanout", params.gossip_fanout, 1, 16);
        self.within(
            "retransmit_multiplier",
            params.retransmit_multiplier as usize,
            1,
            100,
        );
        self.within(
            "datagram_bytes",
            params.datagram_bytes,
            MEMBERSHIP_DATAGRAM_BYTES_MIN,
            MEMBERSHIP_DATAGRAM_BYTES_MAX,
        );
    }

    fn check(&mut self, field: &'static str, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            let text = text();
            self.0.push(Violation { field, text });
        }
    }

    fn at_most(&mut self, field: &'static str, span: Duration, other: &str, most: Duration) {
        self.check(field, span <= most, || {
            format!("{span:?} must be at most {other} ({most:?})")
        });
    }

    fn within(&mut self, field: &'static str, count: usize, least: usize, most: usize) {
        self.check(field, (least..=most).contains(&count), || {
            format!("{count} must be from {least} to {most}")
        });
    }
}

/// Beyond a day nobody would call it membership.
const SPAN_MAX: Duration = Duration::from_secs(24 * 3_600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        Label::new("test").unwrap()
    }

    #[test]
    fn presets_are_valid() {
        for params in [
            Params::local(label()),
            Params::lan(label()),
            Params::wan(label()),
        ] {
            Config::new(params).unwrap();
        }
    }

    #[test]
    fn all_violations_are_reported_with_their_values() {
        let mut params = Params::lan(label());
        params.probe_timeout = Duration::from_millis(700);
        params.gossip_fanout = 0;
        params.stall_tolerance = Duration::ZERO;
        let violations = Config::new(params).unwrap_err();
        let fields: Vec<_> = violations.iter().map(|found| found.field).collect();
        assert_eq!(
            fields,
            ["stall_tolerance", "probe_timeout", "gossip_fanout"]
        );
        assert_eq!(
            violations[1].text,
            "700ms must be at most half of probe_interval (500ms)"
        );
    }
}
