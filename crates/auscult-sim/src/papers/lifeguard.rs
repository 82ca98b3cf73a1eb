//! Lifeguard's grid [LG 5]: members that cannot send and receive for a while, again and again.
//!
//! 128 members; `C` of them are affected in lock-step. In the *interval* experiment they are
//! blocked for `D` and let go for `I`, until 120 s are over. In the *threshold* experiment they
//! are blocked once, which says how soon that is found. A false positive (FP) is a failure event
//! about a member that is not affected, raised anywhere; FP- is one raised at a member that is not
//! affected either.
//!
//! Blocked is [`Stall::Sending`]: a worker goes on until it wants to send. When it is let go, its
//! timers are over before it reads. The paper's agents were Consul's, so an affected member of
//! theirs divides its work as memberlist does ([`Workers::Many`]): while the worker that sends news
//! on waits, the one that probes begins a probe, which can only fail. It sends news at a beat, and
//! tells an accused only in a ping to it. What the paper does not say is how much such a member
//! reads while it is let go, which decides where that is for a millisecond: one datagram in
//! [`Grid::each`], of which the default was measured with Serf.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{
    Buddy, EventKind, FirstGossip, Params, ProbeOrder, SuspicionRule, Timing,
};
use auscult_core::time::Instant;

use super::{found, lan, or_dash, quantile, seconds};
use crate::deed::{Deed, Stall};
use crate::net::Delay;
use crate::observation::{Interest, Observed};
use crate::workers::Workers;
use crate::world::{World, WorldConfig};

/// A machine that the paper compares, or ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Nothing of Lifeguard: alpha 5, beta 1.
    Swim,
    /// Local health for probes.
    Probe,
    /// Suspicions that others shorten: beta 6.
    Suspicion,
    /// The accused are told.
    Buddy,
    /// All three.
    Lifeguard,
    /// Our own parameters for a machine room, without direct heartbeats.
    Ours,
}

impl Setting {
    /// Every setting, in the order of the paper's table.
    pub const ALL: [Self; 6] = [
        Self::Swim,
        Self::Probe,
        Self::Suspicion,
        Self::Buddy,
        Self::Lifeguard,
        Self::Ours,
    ];

    /// The name used on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Swim => "swim",
            Self::Probe => "lha-probe",
            Self::Suspicion => "lha-suspicion",
            Self::Buddy => "buddy",
            Self::Lifeguard => "lifeguard",
            Self::Ours => "ours",
        }
    }

    /// Its parameters.
    #[must_use]
    pub fn params(self) -> Params {
        let mut params = lan();
        params.direct_limit = 0;
        // Independent suspicions count, and are sent on, with LHA-Suspicion only.
        let (health, (beta, confirmations), buddy) = match self {
            Self::Ours => return params,
            Self::Swim => (0, (1, 0), Buddy::Off),
            Self::Probe => (8, (1, 0), Buddy::Off),
            Self::Suspicion => (0, (6, 3), Buddy::Off),
            Self::Buddy => (0, (1, 0), Buddy::Pings),
            Self::Lifeguard => (8, (6, 3), Buddy::Pings),
        };
        params.health_max = health;
        params.suspicion_max_multiplier = beta;
        params.confirmations = confirmations;
        params.buddy = buddy;
        params.suspicion_multiplier = 5;
        params.suspicion = SuspicionRule::Logarithmic;
        params.timing = Timing::Fixed;
        params.order = ProbeOrder::Own;
        params.first_gossip = FirstGossip::AtTheBeat;
        params.stream_timeout = Duration::from_secs(10);
        // Neither noticed its own stalls.
        params.stall_tolerance = Duration::from_secs(24 * 3_600);
        // Serf asks one of the failed every half a minute whether it is back.
        params.heal_interval = Duration::from_secs(30);
        params
    }

    /// Our agent has one loop, memberlist has a worker for each thing.
    const fn workers(self) -> Workers {
        match self {
            Self::Ours => Workers::One,
            Self::Swim | Self::Probe | Self::Suspicion | Self::Buddy | Self::Lifeguard => {
                Workers::Many {
                    waiting_max: SOCKET_DATAGRAMS,
                }
            }
        }
    }

    /// What the paper's Table IV says, as a percentage of SWIM: FP, FP-, messages. It has nothing
    /// of ours.
    const fn published(self) -> Option<[f64; 3]> {
        match self {
            Self::Swim => Some([100.0, 100.0, 100.0]),
            Self::Probe => Some([67.72, 32.88, 98.46]),
            Self::Suspicion => Some([3.00, 6.71, 111.31]),
            Self::Buddy => Some([94.08, 44.57, 100.07]),
            Self::Lifeguard => Some([1.53, 1.89, 110.59]),
            Self::Ours => None,
        }
    }

    /// What the paper's Fig. 2 says: FP of ten repetitions by 1, 4, 8, 12, 16, 20, 24, 28 and 32
    /// affected members.
    const fn published_by_affected(self) -> Option<[u32; 9]> {
        match self {
            Self::Swim => Some([
                908, 5_973, 11_278, 23_111, 34_432, 45_379, 58_810, 76_843, 81_425,
            ]),
            Self::Probe => Some([
                513, 3_210, 7_225, 15_183, 21_889, 36_400, 41_739, 50_151, 52_793,
            ]),
            Self::Suspicion => Some([49, 312, 143, 583, 1_343, 1_121, 1_765, 2_894, 1_980]),
            Self::Buddy => Some([
                952, 6_388, 8_473, 20_159, 34_667, 46_337, 58_288, 71_535, 71_366,
            ]),
            Self::Lifeguard => Some([18, 144, 111, 225, 575, 753, 844, 1_337, 1_199]),
            Self::Ours => None,
        }
    }

    /// What the paper's Table V says: median, 99 and 99.9 % of first detection, in seconds.
    const fn published_first(self) -> Option<[f64; 3]> {
        match self {
            Self::Swim => Some([12.44, 16.96, 19.40]),
            Self::Probe => Some([12.42, 17.75, 20.10]),
            Self::Suspicion => Some([12.42, 17.47, 25.41]),
            Self::Buddy => Some([12.45, 17.12, 19.16]),
            Self::Lifeguard => Some([12.45, 17.90, 21.20]),
            Self::Ours => None,
        }
    }
}

/// A part of the grid, or all of it.
#[derive(Clone, Debug)]
pub struct Grid {
    /// How many are affected: C.
    pub affected: Vec<usize>,
    /// For how long, in milliseconds: D.
    pub spans_ms: Vec<u64>,
    /// And for how long they are let go, in milliseconds: I.
    pub gaps_ms: Vec<u64>,
    /// How long an affected member takes to read one message.
    pub each: Duration,
    /// Decides who is affected.
    pub seed: u64,
}

impl Grid {
    /// The paper's.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            affected: PAPER_AFFECTED.to_vec(),
            spans_ms: vec![128, 512, 2_048, 8_192, 16_384, 32_768],
            gaps_ms: vec![1, 4, 16, 64, 256, 1_024, 4_096, 16_384],
            each: SERF_READS_ONE,
            seed: 1,
        }
    }
}

/// What was seen of one setting.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// By number of affected members: FP and FP-.
    pub false_positives: BTreeMap<usize, (u64, u64)>,
    /// The same by D and I, in milliseconds.
    pub cells: BTreeMap<(u64, u64), (u64, u64)>,
    /// Datagrams sent in the interval experiment.
    pub messages: u64,
    /// Seconds from the block to the first failure event about an affected member, for those that
    /// were found.
    pub first: Vec<f64>,
    /// Seconds until every member that is not affected said so.
    pub full: Vec<f64>,
}

impl Row {
    fn sums(&self) -> (u64, u64) {
        let rows = self.false_positives.values();
        rows.fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1))
    }
}

/// What was seen of all settings.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By setting.
    pub rows: BTreeMap<Setting, Row>,
}

/// Runs both experiments for one setting. `tell` hears after each number of affected members.
pub fn run(setting: Setting, grid: &Grid, mut tell: impl FnMut(usize, (u64, u64))) -> Row {
    let mut row = Row::default();
    for &affected in &grid.affected {
        let mut counts = (0, 0);
        for &span in &grid.spans_ms {
            for &gap in &grid.gaps_ms {
                let mut stage = Stage::new(setting, grid, [affected as u64, span, gap]);
                stage.block_again_and_again(millis(span), millis(gap));
                counts.0 += stage.false_positives;
                counts.1 += stage.at_healthy;
                let cell = row.cells.entry((span, gap)).or_default();
                cell.0 += stage.false_positives;
                cell.1 += stage.at_healthy;
                row.messages += stage.world.traffic().sent - stage.sent_before;
            }
            let mut stage = Stage::new(setting, grid, [affected as u64, span, 0]);
            stage.block_once(millis(span), &mut row);
        }
        tell(affected, counts);
        row.false_positives.insert(affected, counts);
    }
    row
}

const MEMBERS: usize = 128;

const PAPER_AFFECTED: [usize; 9] = [1, 4, 8, 12, 16, 20, 24, 28, 32];

/// The paper's 128 processes ran on one machine.
const LOOPBACK: Delay = Delay::Uniform {
    least: Duration::from_micros(50),
    most: Duration::from_micros(150),
};

/// Serf 0.8.2 takes 73 us of a core for a datagram with six suspicions and 101 us for one with
/// twelve, so a worker has a datagram off the socket in some 45 us; with a ping, which it answers
/// itself, it takes longer.
const SERF_READS_ONE: Duration = Duration::from_micros(50);

/// memberlist asks for a larger buffer than Linux gives: it has `net.core.rmem_max`, 212,992 bytes,
/// twice. A datagram of the paper's mean size, 368 bytes, takes 1,280 of them with what the kernel
/// keeps beside it.
const SOCKET_DATAGRAMS: usize = 2 * 212_992 / 1_280;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A group in which all is well, and those who will be affected.
struct Stage {
    world: World,
    affected: Vec<usize>,
    began: Instant,
    sent_before: u64,
    false_positives: u64,
    at_healthy: u64,
    /// By affected member: when it was first said to have failed, and by how many healthy ones.
    found: BTreeMap<usize, (Instant, usize, Instant)>,
}

impl Stage {
    fn new(setting: Setting, grid: &Grid, [count, span, gap]: [u64; 3]) -> Self {
        let seed = grid.seed ^ (count << 40 | span << 20 | gap);
        let mut config = WorldConfig::new(setting.params(), seed);
        config.net.delay = LOOPBACK;
        let mut world = World::new(config);
        let agreed = found(&mut world, MEMBERS, Duration::from_secs(120));
        assert!(agreed.is_some(), "{MEMBERS} members do not agree");
        world.run_for(Duration::from_secs(15));
        let mut rng = Rng::new(seed);
        let mut places: Vec<usize> = (0..MEMBERS).collect();
        for at in 0..count as usize {
            let other = at + rng.below((MEMBERS - at) as u64) as usize;
            places.swap(at, other);
        }
        let affected = places[..count as usize].to_vec();
        for &member in &affected {
            let each = grid.each;
            world.perform(Deed::Slow { member, each });
            world.set_workers(member, setting.workers());
        }
        world.listen(Interest::EVENTS);
        Self {
            began: world.now(),
            sent_before: world.traffic().sent,
            world,
            affected,
            false_positives: 0,
            at_healthy: 0,
            found: BTreeMap::new(),
        }
    }

    fn block(&mut self) {
        for &member in &self.affected {
            self.world.stall(member, Stall::Sending);
        }
    }

    fn let_go(&mut self) {
        for &member in &self.affected {
            self.world.resume(member);
        }
    }

    fn pass(&mut self, span: Duration) {
        self.world.run_for(span);
        while let Some(observation) = self.world.poll_observation() {
            let Observed::Event { observer, event } = observation.kind else {
                continue;
            };
            let EventKind::Failed { .. } = event.kind else {
                continue;
            };
            let Some(subject) = self.world.place_of(&event.member) else {
                continue;
            };
            let healthy = !self.affected.contains(&observer);
            if !self.affected.contains(&subject) {
                self.false_positives += 1;
                self.at_healthy += u64::from(healthy);
            } else if healthy {
                let at = observation.at;
                let found = self.found.entry(subject).or_insert((at, 0, at));
                found.1 += 1;
                found.2 = at;
            }
        }
    }

    fn block_again_and_again(&mut self, span: Duration, gap: Duration) {
        let end = self.began.after(RUN);
        loop {
            self.block();
            self.pass(span);
            self.let_go();
            if self.world.now() >= end {
                break;
            }
            self.pass(gap);
            if self.world.now() >= end {
                break;
            }
        }
        self.pass(Duration::ZERO);
    }

    fn block_once(&mut self, span: Duration, row: &mut Row) {
        self.block();
        self.pass(span);
        self.let_go();
        self.pass(millis(100));
        while !self.world.agreed() && self.world.now() < self.began.after(RUN) {
            self.pass(Duration::from_secs(1));
        }
        let healthy = MEMBERS - self.affected.len();
        for &(first, count, last) in self.found.values() {
            row.first.push(seconds(self.began, first));
            if count >= healthy {
                row.full.push(seconds(self.began, last));
            }
        }
    }
}

/// Detection in seconds: median, 99 %, 99.9 % (the paper's); until all know: median, 99.9 %.
const HEAD: &str = "setting             FP   % SWIM    paper    FP-   % SWIM    paper   messages  \
                    % SWIM   paper  first detection (paper); full";

const RUN: Duration = Duration::from_secs(120);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        let base = self.rows.get(&Setting::Swim);
        for (&setting, row) in &self.rows {
            let (fp, healthy) = row.sums();
            let share = |value: u64, of: fn(&Row) -> u64| {
                let base = base.map(of).filter(|&base| base > 0)?;
                Some(value as f64 / base as f64 * 100.0)
            };
            let published = setting.published();
            let paper = |at: usize| or_dash(published.map(|row| row[at]));
            let (mut first, mut full) = (row.first.clone(), row.full.clone());
            let paper_first = setting
                .published_first()
                .map_or_else(String::new, |[a, b, c]| {
                    format!(" ({a:.2}, {b:.2}, {c:.2})")
                });
            writeln!(
                f,
                "{:<14}{fp:>8}{:>9}{:>9}{healthy:>7}{:>9}{:>9}{:>11}{:>8}{:>8}  {}, {}, {}{}; {}, {}",
                setting.as_str(),
                or_dash(share(fp, |row| row.sums().0)),
                paper(0),
                or_dash(share(healthy, |row| row.sums().1)),
                paper(1),
                row.messages,
                or_dash(share(row.messages, |row| row.messages)),
                paper(2),
                or_dash(quantile(&mut first, 0.5)),
                or_dash(quantile(&mut first, 0.99)),
                or_dash(quantile(&mut first, 0.999)),
                paper_first,
                or_dash(quantile(&mut full, 0.5)),
                or_dash(quantile(&mut full, 0.999)),
            )?;
        }
        self.show_by_affected(f)?;
        self.show_by(f, "blocked for", |(span, _)| span)?;
        self.show_by(f, "let go for", |(_, gap)| gap)
    }
}

/// Where the false positives come from.
impl Report {
    fn show_by_affected(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nFP by affected members (a repetition of the paper's)")?;
        for (setting, row) in &self.rows {
            write!(f, "{:<14}", setting.as_str())?;
            let published = setting.published_by_affected();
            for (&affected, &(fp, _)) in &row.false_positives {
                let place = PAPER_AFFECTED.iter().position(|&one| one == affected);
                let paper = published.and_then(|row| Some(f64::from(row[place?]) / 10.0));
                let paper = paper.map_or_else(String::new, |paper| format!(" ({paper:.0})"));
                write!(f, "  {affected}: {fp}{paper}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn show_by(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        key: fn((u64, u64)) -> u64,
    ) -> fmt::Result {
        writeln!(f, "\nFP by milliseconds that members are {what}")?;
        for (setting, row) in &self.rows {
            let mut sums: BTreeMap<u64, u64> = BTreeMap::new();
            for (&cell, &(fp, _)) in &row.cells {
                *sums.entry(key(cell)).or_default() += fp;
            }
            write!(f, "{:<14}", setting.as_str())?;
            for (millis, fp) in sums {
                write!(f, "  {millis}: {fp}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
