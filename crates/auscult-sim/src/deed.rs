//! What can be done to a world, as values: a script, a schedule made from a seed and a test do the
//! same things, and what was done can be told.

use std::time::Duration;

use auscult_core::swim::{Label, MemberName};

use crate::clock::Step;
use crate::ways::Rule;

/// Something done to a world. Members are named by their places: the first one added has 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// A member is started that knows nobody.
    Add {
        /// Its name.
        name: MemberName,
        /// Its cluster, where that is not the world's.
        label: Option<Label>,
    },
    /// A member is told to join through others.
    Join {
        /// Who.
        member: usize,
        /// Through whom.
        seeds: Vec<usize>,
    },
    /// A member is told to leave; its process ends when it has said goodbye.
    Leave {
        /// Who.
        member: usize,
    },
    /// A member ends without a word.
    Crash {
        /// Who.
        member: usize,
        /// What remains of it.
        crash: Crash,
    },
    /// A member is started once more, with nobody that it knows. If it runs, it is killed first.
    Restart {
        /// Who.
        member: usize,
        /// What it remembers.
        memory: Memory,
        /// Where it listens.
        place: Place,
    },
    /// A member stops for a while.
    Stall {
        /// Who.
        member: usize,
        /// What stops.
        stall: Stall,
    },
    /// A member that stopped goes on.
    Resume {
        /// Who.
        member: usize,
    },
    /// A member takes this long for each thing that it handles; zero is as fast as can be.
    Slow {
        /// Who.
        member: usize,
        /// How long.
        each: Duration,
    },
    /// A member's clock gains so many millionths, or loses them.
    ClockRate {
        /// Whose.
        member: usize,
        /// How many; from -999,000 to 9,000,000.
        gained_ppm: i32,
    },
    /// A member's clock is set.
    ClockStep {
        /// Whose.
        member: usize,
        /// By how much.
        by: Step,
    },
    /// A member tells something of itself, or no more.
    SetMetadata {
        /// Who.
        member: usize,
        /// Under which key.
        key: String,
        /// What; `None` removes it.
        value: Option<Vec<u8>>,
    },
    /// A member's user tells all others something.
    Broadcast {
        /// Who.
        member: usize,
        /// What it is about: it takes the place of what the member said with this key before.
        key: Option<String>,
        /// What.
        payload: Vec<u8>,
    },
    /// A member asks another one for heartbeats, whatever the size of the group.
    Watch {
        /// Who asks.
        member: usize,
        /// Whom.
        peer: usize,
    },
    /// A member no longer asks another one for heartbeats.
    Unwatch {
        /// Who asked.
        member: usize,
        /// Whom.
        peer: usize,
    },
    /// Up to how many members a member sends heartbeats to all.
    SetDirectLimit {
        /// Who.
        member: usize,
        /// How many; 0 for probes alone.
        limit: usize,
    },
    /// A rule for some ways of the network begins to hold.
    Impose {
        /// The rule.
        rule: Rule,
    },
    /// A rule is taken away.
    Lift {
        /// Which: they are counted from 0 in the order in which they were imposed.
        rule: RuleId,
    },
    /// All rules are taken away.
    Heal,
}

/// Stands for a rule that was imposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// What remains of a member that crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Its machine, which refuses connections at once.
    Process,
    /// Nothing: who connects waits in vain.
    Host,
}

/// What a process that is started once more remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The incarnation that it had, from its disk.
    Kept,
    /// Nothing: it begins with the first incarnation.
    Lost,
}

/// Where a process that is started once more listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it did before.
    Same,
    /// At another port.
    OtherPort,
    /// At another host.
    OtherHost,
}

/// What stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// Everything, as with SIGSTOP: nothing is read, sent, or noticed in time. What arrives waits.
    Process,
    /// Sending and receiving: what it wants to send waits just before, what arrives waits just
    /// after. Its timers go on, so it does not notice.
    Messages,
    /// Each of its workers, from the first thing on that it wants to send: with one worker that is
    /// everything. What arrives waits from the beginning. This is the anomaly of [LG 5.1].
    Sending,
}
