//! The machine of a monitor that observes targets together with others: reports in, verdicts out.
//!
//! # How it works
//! 1. **Observers.** The monitors of a target stand in the order of their
//!    [weights](rendezvous::weight); the first [`observers`](ObserversConfig::observers) of those
//!    that live observe it, and the first of them owns it.
//! 2. **Reports.** Every monitor tells every other one what it sees, when that changes, and at
//!    every beat that all it told still stands ([`Batch`]). A report is fresh while its observer
//!    is heard and does not say that it is itself at fault.
//! 3. **Verdict.** The owner takes the majority of the fresh reports. At a tie, and when not more
//!    than half of the observers have fresh ones, the last verdict stands ([`Held`]).
//! 4. **Ruling.** A new verdict gets the next number. The owner announces it to all monitors, and
//!    tells it to the world when most of the group have it (of a group that is split in halves: all
//!    who live). So one that is cut off tells nothing, and what was told is known to most.
//! 5. **Takeover.** A new owner asks what the others know: who knows a later ruling, or another one
//!    of the same number, refuses that of the new owner, who takes theirs. A ruling that was
//!    announced and perhaps not told is told again under the same [key](Ruling::key).
//!
//! A monitor that starts, was cut off or did not run owns nothing until it has been there for
//! [`return_delay`](ObserversConfig::return_delay); when nobody owns anything yet, it begins as
//! soon as it has heard everybody who lives.
//!
//! # Whose fault it is
//! - A monitor that hears less than half of its group is *isolated*: it says so, and tells nothing.
//! - An observer that calls down most of what others reach is isolated from its targets: its
//!   reports do not count, and it is not counted among the observers.
//!
//! # Use
//! Call [`tick`](Observers::tick) some times per beat. Ask [`poll_batch`](Observers::poll_batch)
//! for each other monitor after every call, and bring back what became of the batch. Take what it
//! has to say with [`poll_output`](Observers::poll_output).

pub mod config;
mod faults;
pub mod message;
mod panel;
pub mod rendezvous;
mod rulings;
mod session;
#[cfg(test)]
mod tests;
mod traffic;
pub mod verdict;
mod view;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::bounds::MONITORS_MAX;
use crate::id::TargetId;
use crate::time::Instant;
use panel::Panel;
use session::{Incoming, Outgoing};

pub use config::ObserversConfig;
pub use message::{Announced, Batch, Item, Reply, Report};
pub use panel::Seen;
pub use verdict::{Held, MonitorName, Ruling, Turn, Verdict};
pub use view::{Lineup, ObserverView, PanelView, Standing};

/// Observes with others. See the [module](self) for its use.
#[derive(Clone, Debug)]
pub struct Observers {
    config: ObserversConfig,
    /// Milliseconds of the wall clock at the origin of `now`.
    epoch: u64,
    now: Instant,
    /// This monitor first; a slot is never given to another name.
    peers: Vec<Peer>,
    panels: BTreeMap<TargetId, Panel>,
    /// Targets with a verdict that must last a while.
    settling: BTreeSet<TargetId>,
    presence: Presence,
    /// Until then it may be that others were not heard because they are new here.
    patient_until: Instant,
    health: Health,
    isolated: bool,
    /// Who counts, as of the last look.
    arrangement: Arrangement,
    outputs: VecDeque<Output>,
    counters: ObserversCounters,
}

/// A monitor of the group, as the settings name it and the agent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its name.
    pub name: MonitorName,
    /// Whether it is there.
    pub liveness: Liveness,
}

/// Whether a monitor is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It is alive, or at least not known to be dead.
    Live,
    /// It is dead, or has left.
    Gone,
}

/// What an observer thinks of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// What it sees is so.
    Well,
    /// It suspects itself: what it sees proves nothing.
    AtFault,
}

/// Something to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A ruling is told: by this monitor, or by another one that told this one.
    Told {
        /// The target.
        target: TargetId,
        /// What was found.
        ruling: Ruling,
        /// Whose word it is.
        teller: Teller,
    },
    /// This monitor hears too few of its group: it tells nothing until it hears enough.
    Isolated {
        /// Monitors heard, this one included.
        heard: usize,
        /// Monitors in the group.
        of: usize,
    },
    /// It hears enough of them again.
    Rejoined {
        /// Monitors heard, this one included.
        heard: usize,
        /// Monitors in the group.
        of: usize,
    },
    /// An observer calls down most of what others reach; its reports do not count.
    ObserverIsolated {
        /// The observer; it may be this one.
        observer: MonitorName,
        /// Targets that it calls down and others reach.
        down: usize,
        /// Targets that others reach.
        reached: usize,
    },
    /// It sees again what others see.
    ObserverRejoined {
        /// The observer.
        observer: MonitorName,
    },
}

/// Who told a ruling to the world, and so to those who are to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// This monitor: whoever is to be told of it is to be told here.
    Here,
    /// Another one: it is known here, and nothing more is to be done.
    Elsewhere,
}

/// What was counted. All counters start at 0 and wrap after centuries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObserversCounters {
    /// Messages given to be sent.
    pub batches_sent: u64,
    /// Messages of others that were taken.
    pub batches_taken: u64,
    /// Messages of others that were older than what was known.
    pub batches_old: u64,
    /// Messages that were not answered.
    pub batches_lost: u64,
    /// Sessions begun anew because something was missing, on either side.
    pub resyncs: u64,
    /// Targets told of in messages that were sent.
    pub items_sent: u64,
    /// Targets told of in messages that were taken.
    pub items_taken: u64,
    /// Rulings that this monitor told.
    pub told: u64,
    /// Rulings of others that were not taken because another one was known.
    pub refused: u64,
    /// Targets that this monitor took over.
    pub taken_over: u64,
    /// Targets of others that found no room.
    pub over_limit: u64,
}

/// Whether this monitor may own targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// Not before it has been there for a while, counted from this moment.
    Arriving(Instant),
    Serving,
}

#[derive(Clone, Debug)]
struct Peer {
    name: MonitorName,
    in_group: bool,
    live: bool,
    serving: bool,
    at_fault: bool,
    /// Calls down most of what others reach.
    isolated: bool,
    /// Targets that it calls down.
    downs: usize,
    incoming: Incoming,
    outgoing: Outgoing,
}

/// Who counts and in which order, but for the target's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Arrangement {
    /// Those whose reports are fresh, as bits by slot.
    fresh: u64,
    /// Those who live and may own.
    serving: u64,
    /// Those who live and may not yet.
    arriving: u64,
    /// Those whose reports are known to be wrong.
    isolated: u64,
    /// All monitors of the group.
    group: u64,
}

impl Peer {
    fn new(name: MonitorName, session: u64) -> Self {
        Self {
            name,
            in_group: false,
            live: false,
            serving: false,
            at_fault: false,
            isolated: false,
            downs: 0,
            incoming: Incoming::default(),
            outgoing: Outgoing {
                session,
                ..Outgoing::default()
            },
        }
    }
}

impl Observers {
    /// A machine that observes nothing, alone. `epoch` is what the wall clock shows at the origin
    /// of `now`, in milliseconds: sessions and rulings of a process that was restarted are greater
    /// than those before by it.
    #[must_use]
    pub fn new(config: ObserversConfig, me: MonitorName, epoch: u64, now: Instant) -> Self {
        let patience = config.fresh * 2;
        let mut me = Peer::new(me, 0);
        me.in_group = true;
        me.live = true;
        let mut machine = Self {
            config,
            epoch,
            now,
            peers: Vec::from([me]),
            panels: BTreeMap::new(),
            settling: BTreeSet::new(),
            presence: Presence::Arriving(now),
            patient_until: now.after(patience),
            health: Health::Well,
            isolated: false,
            arrangement: Arrangement::default(),
            outputs: VecDeque::new(),
            counters: ObserversCounters::default(),
        };
        machine.arrangement = machine.arrange();
        machine
    }

    /// Says who belongs to the group and who of them is there. This monitor belongs to it in any
    /// case. Beyond [`MONITORS_MAX`] names that were ever told, the rest is left out.
    pub fn set_roster(&mut self, now: Instant, seats: &[Seat]) {
        self.begin(now);
        let before = self.group();
        for peer in &mut self.peers[1..] {
            peer.in_group = false;
            peer.live = false;
        }
        for seat in seats {
            let Some(slot) = self.slot_or_new(&seat.name) else {
                continue;
            };
            let peer = &mut self.peers[slot];
            peer.in_group = true;
            peer.live |= seat.liveness == Liveness::Live || slot == ME;
        }
        if self.group() & !before != 0 {
            self.be_patient();
        }
        self.settle();
    }

    /// Says how many monitors observe a target, at least 1; all of them where there are no more.
    pub fn set_observers(&mut self, now: Instant, observers: usize) {
        self.begin(now);
        if self.config.observers != observers {
            self.config.observers = observers;
            self.evaluate_all();
        }
        self.settle();
    }

    /// Observes a target from now on, with what this monitor sees of it.
    pub fn watch(&mut self, now: Instant, target: &TargetId, seen: Option<Seen>) {
        self.begin(now);
        if let Some(panel) = self.panel(target) {
            panel.watched = true;
        }
        self.note_own(target, seen);
        self.evaluate(target);
        self.settle();
    }

    /// Observes a target no longer, and forgets what was found.
    pub fn unwatch(&mut self, now: Instant, target: &TargetId) {
        self.begin(now);
        self.note_own(target, None);
        if let Some(panel) = self.panels.get_mut(target) {
            panel.watched = false;
            panel.candidate = None;
        }
        self.drop_if_idle(target);
        self.settle();
    }

    /// Notes what this monitor sees of a target; none when it does not look.
    pub fn see(&mut self, now: Instant, target: &TargetId, seen: Option<Seen>) {
        self.begin(now);
        self.note_own(target, seen);
        self.evaluate(target);
        self.settle();
    }

    /// Notes what this monitor thinks of itself.
    pub fn set_health(&mut self, now: Instant, health: Health) {
        self.begin(now);
        if self.health != health {
            self.health = health;
            self.beat_now();
        }
        self.settle();
    }

    /// Lets time pass: to be called some times per beat.
    pub fn tick(&mut self, now: Instant) {
        self.begin(now);
        self.look_for_isolated();
        for target in self.settling.clone() {
            self.evaluate(&target);
        }
        self.settle();
    }

    /// The next thing to say, in the order in which they were found.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &ObserversCounters {
        &self.counters
    }

    /// This monitor.
    #[must_use]
    pub fn me(&self) -> &MonitorName {
        &self.peers[ME].name
    }

    /// Whether there are other monitors in the group.
    #[must_use]
    pub const fn has_company(&self) -> bool {
        self.arrangement.group.count_ones() > 1
    }

    /// What every call begins with. A monitor that did not run for a while does not know what
    /// others said meanwhile.
    fn begin(&mut self, now: Instant) {
        let stalled = now.since(self.now) > self.config.fresh / 2;
        self.now = self.now.max(now);
        if stalled {
            for peer in &mut self.peers {
                peer.incoming.silence();
            }
            self.presence = Presence::Arriving(self.now);
            self.be_patient();
            self.beat_now();
        }
    }

    fn be_patient(&mut self) {
        self.patient_until = self.now.after(self.config.fresh * 2);
    }

    /// The monitors of the group, as bits by slot.
    fn group(&self) -> u64 {
        let all = self.peers.iter().enumerate();
        let bits = all
            .filter(|(_, peer)| peer.in_group)
            .map(|(slot, _)| 1 << slot);
        bits.sum()
    }

    /// What every call ends with: who counts may have changed.
    fn settle(&mut self) {
        self.find_isolation();
        self.find_presence();
        let arrangement = self.arrange();
        if arrangement != self.arrangement {
            self.arrangement = arrangement;
            self.evaluate_all();
        }
    }

    fn evaluate_all(&mut self) {
        let targets: Vec<TargetId> = self.panels.keys().cloned().collect();
        for target in targets {
            self.evaluate(&target);
        }
    }

    fn arrange(&self) -> Arrangement {
        let mut found = Arrangement::default();
        for (slot, peer) in self.peers.iter().enumerate() {
            let bit = 1 << slot;
            if !peer.in_group {
                continue;
            }
            found.group |= bit;
            if !peer.live {
                continue;
            }
            if peer.isolated {
                found.isolated |= bit;
            } else if self.is_fresh(slot) {
                found.fresh |= bit;
            }
            if self.is_serving(slot) {
                found.serving |= bit;
            } else {
                found.arriving |= bit;
            }
        }
        found
    }

    fn is_serving(&self, slot: usize) -> bool {
        match slot {
            ME => self.presence == Presence::Serving,
            _ => self.peers[slot].serving,
        }
    }

    fn is_fresh(&self, slot: usize) -> bool {
        if slot == ME {
            return self.health == Health::Well && !self.isolated;
        }
        let peer = &self.peers[slot];
        !peer.at_fault && peer.incoming.complete && self.is_heard(slot)
    }

    /// Whether a word of it came lately.
    fn is_heard(&self, slot: usize) -> bool {
        let heard_at = self.peers[slot].incoming.heard_at;
        slot == ME || heard_at.is_some_and(|at| self.now.since(at) <= self.config.fresh)
    }

    /// The observers of a target, its owner first.
    fn observers_of(&self, target: &str) -> Vec<usize> {
        let mut observers = self.arranged(target, self.arrangement.serving);
        let enough = self.config.observers.max(1);
        if observers.len() < enough {
            observers.extend(self.arranged(target, self.arrangement.arriving));
        }
        observers.truncate(enough);
        observers
    }

    fn arranged(&self, target: &str, of: u64) -> Vec<usize> {
        let mut slots: Vec<usize> = self.slots(of).collect();
        rendezvous::arrange(target, &mut slots, |&slot| &self.peers[slot].name);
        slots
    }

    fn slots(&self, of: u64) -> impl Iterator<Item = usize> + use<> {
        (0..self.peers.len()).filter(move |slot| of >> slot & 1 == 1)
    }

    fn slot(&self, name: &MonitorName) -> Option<usize> {
        self.peers.iter().position(|peer| peer.name == *name)
    }

    fn slot_or_new(&mut self, name: &MonitorName) -> Option<usize> {
        let known = self.slot(name);
        if known.is_none() && self.peers.len() < MONITORS_MAX {
            let session = self.epoch.saturating_add(self.millis());
            let mut peer = Peer::new(name.clone(), session);
            peer.outgoing.restart(self.sayable());
            self.peers.push(peer);
            return Some(self.peers.len() - 1);
        }
        known
    }

    fn millis(&self) -> u64 {
        self.now.as_nanos() / 1_000_000
    }

    /// What is kept of a target; none where there is no room.
    fn panel(&mut self, target: &TargetId) -> Option<&mut Panel> {
        if !self.panels.contains_key(target) {
            if self.panels.len() >= self.config.targets_max {
                self.counters.over_limit += 1;
                return None;
            }
            let ruling = Ruling::none(self.me().clone(), self.now);
            self.panels.insert(target.clone(), Panel::new(ruling));
        }
        self.panels.get_mut(target)
    }

    fn put_report(&mut self, slot: usize, target: &TargetId, seen: Option<Seen>) {
        if seen.is_none() && !self.panels.contains_key(target) {
            return;
        }
        let is_down = panel::is_down(seen.as_ref());
        let Some(panel) = self.panel(target) else {
            return;
        };
        let was_down = panel::is_down(panel.put(slot, seen).as_ref());
        let downs = &mut self.peers[slot].downs;
        *downs = *downs + usize::from(is_down) - usize::from(was_down);
    }

    /// Keeps what this monitor sees. The others are told of it, unless it said nothing before and
    /// says nothing now: that is what they take it for while they hear nothing of the target.
    fn note_own(&mut self, target: &TargetId, seen: Option<Seen>) {
        let said = self.panels.get(target).is_some_and(Panel::says_something);
        self.put_report(ME, target, seen);
        if said || self.panels.get(target).is_some_and(Panel::says_something) {
            self.tell_all(target);
        }
    }

    /// The targets of which there is something to say to one that knows nothing.
    fn sayable(&self) -> Vec<TargetId> {
        let sayable = self.panels.iter().filter(|(_, it)| it.says_something());
        sayable.map(|(target, _)| target.clone()).collect()
    }

    fn drop_if_idle(&mut self, target: &TargetId) {
        let idle = |panel: &Panel| !panel.watched && panel.reports.is_empty();
        if self.panels.get(target).is_some_and(idle) {
            self.panels.remove(target);
            self.settling.remove(target);
        }
    }

    /// Notes that everybody is to be told of a target.
    fn tell_all(&mut self, target: &TargetId) {
        for peer in &mut self.peers[1..] {
            let dirty = &mut peer.outgoing.dirty;
            if peer.in_group && !dirty.contains(target) {
                dirty.insert(target.clone());
            }
        }
    }

    /// Notes that everybody is to hear of this monitor at once.
    fn beat_now(&mut self) {
        for peer in &mut self.peers[1..] {
            peer.outgoing.sent_at = None;
        }
    }
}

/// The slot of this monitor.
const ME: usize = 0;
