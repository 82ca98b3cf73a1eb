//! The machine that tells people: from statuses to messages, once, and again when it is over.
//!
//! # Use
//! 1. Build [`Alerts`] from rules and receivers, and from what an earlier process wrote down.
//! 2. Tell it every change of a signal's status ([`Input::Observed`]), and which subjects are not
//!    watched any more ([`Input::Gone`]). It remembers only what is not well: after
//!    [`Alerts::configure`], tell it again of every signal that is not up.
//! 3. Take what it has to say with [`Alerts::poll_output`]: make each [`Output::Write`] outlive the
//!    process and say so, send each [`Output::Send`] and say what came of it.
//! 4. Ask [`Alerts::poll_timeout`] when to call again, and do so then with [`Input::Tick`].
//!
//! Its moments must mean the same after a restart, so their origin is the Unix epoch, or any other
//! that outlives the process.
//!
//! # An alert
//! There is one for each subject, signal and rule ([`AlertKey`]). It is *pending* while its
//! condition is met for less than [`hold`](Rule::hold), then it *fires*, and it is *resolved* when
//! the condition was not met for [`keep_firing`](Rule::keep_firing). Each time that it fires is an
//! *episode* with a number. A status that says nothing (`unknown`) leaves everything as it is. One
//! that comes and goes too often is one episode until it is steady ([`Flapping`]).
//!
//! # Who is told
//! Nothing waits in a channel. For each alert and receiver the machine keeps what the receiver
//! knows, and from that and from what happened it finds at any time what is owed. So a receiver
//! that is away for a week costs one entry for each alert, and is told how things are when it is
//! back. Silences, parents that have alerts, and acknowledgements hinder that a beginning or a
//! reminder is told. Nothing hinders the end: who may have been told that an alert fires is told
//! that it is over, also when its subject or rule is gone, or the rule is for other receivers now.
//!
//! An episode that was over before a receiver could be told is told as an end alone. When the next
//! one begins before that, it is only counted in the next notice ([`Notice::skipped`]).
//!
//! # In a group
//! Of monitors that observe the same targets, each keeps the alerts of all of them, and one, the
//! owner of the target, tells of them ([`Duty`]). An episode is called by the ruling that began it,
//! so all give it the same name. The one that has the duty tells the others what it told
//! ([`Alerts::poll_letter`]): they take its word for how things are. What is told is the state of
//! an alert, not its history, so a letter may be lost, repeated or come late. Who comes to have
//! the duty is told by the others what they know, and joins it with what it knows itself, so that
//! nothing that anybody may have been told of is forgotten.
//!
//! On peers nobody rules ([`Concern::Unruled`]). There each monitor sees for itself; the one that
//! has the duty says when an episode begins and ends, and tells nobody before most of the group
//! know the episode by its name, or [`ANNOUNCE_PATIENCE`] is over. What the others see counts when
//! the duty comes to them.
//!
//! # Crashes
//! A message is handed out when everything that it tells is written down, with the mark that the
//! receiver may know of it from now on; and what it confirmed is written down, too. Thus nothing is
//! lost, and a notice can come twice only if the process ended after the message was handed out and
//! before the confirmation was on the disk. The two have the same [`Notice::dedup_key`].
//!
//! When the disk does not take a write, or takes longer than [`WRITE_PATIENCE`], messages are
//! handed out all the same, and counted ([`Counters::unwritten`]).

mod counters;
mod episodes;
mod group;
mod input;
mod invariants;
mod join;
mod key;
mod lane;
mod matcher;
mod message;
mod owed;
mod record;
mod rule;
mod sending;
mod view;
mod writing;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::bounds::SILENCES_MAX;
use crate::id::{ReceiverName, SilenceName, TargetId};
use crate::monitor::observers::MonitorName;
use crate::rng::Rng;
use crate::time::Instant;
use episodes::Row;
use group::Outbox;
use lane::Lane;
use sending::InFlight;
use writing::Writing;

pub use counters::Counters;
pub use group::{ANNOUNCE_PATIENCE, Concern, Duty, Letter, Shared, Taken};
pub use input::{Change, Input, Observation, Output, Phase, Refusal, Sent, Wake};
pub use key::{AlertId, AlertKey, Episode, Subject};
pub use lane::{Breaker, LaneCounters};
pub use matcher::{Matcher, MatcherError, Origin, Silence, Test};
pub use message::{Message, News, Notice, Occasion};
pub use record::{Acknowledgement, Delivery, Ending, Exposed, Past, Record, Scope, Write};
pub use rule::{
    AlertConfig, AlertParams, Fault, Flapping, Receiver, Refresh, Rule, Severity, When,
};
pub use view::{AlertView, LaneView, Suppression};

/// How long messages wait for a write. A disk that takes longer is as good as none.
pub const WRITE_PATIENCE: Duration = Duration::from_secs(5);

/// Decides what people are told. See the [module](self) for its use.
pub struct Alerts {
    config: AlertConfig,
    rng: Rng,
    /// The time of the last call.
    now: Instant,
    rows: BTreeMap<AlertId, Row>,
    subjects: BTreeMap<Subject, BTreeSet<AlertId>>,
    /// For each target, the alerts of those that depend on it.
    dependants: BTreeMap<TargetId, BTreeSet<AlertId>>,
    silences: BTreeMap<SilenceName, Silence>,
    /// When the next silence begins or ends.
    silence_edge: Option<Instant>,
    lanes: BTreeMap<ReceiverName, Lane>,
    messages: BTreeMap<u64, InFlight>,
    next_message: u64,
    /// Alerts of which something changed since they were last looked at.
    unsettled: BTreeSet<AlertId>,
    /// Receivers to which something may be sent now.
    stirred: BTreeSet<ReceiverName>,
    timers: BTreeSet<(Instant, Timer)>,
    writing: Writing,
    /// What the other monitors of the group are still to be told.
    outboxes: BTreeMap<MonitorName, Outbox>,
    /// Tells this process from those before it.
    session: u64,
    outputs: VecDeque<Output>,
    counters: Counters,
}

/// What is to be done at a moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Alert(AlertId),
    Lane(ReceiverName),
    Overdue(u64),
    Silence,
    Write,
}

impl Timer {
    const fn reason(&self) -> Wake {
        match self {
            Self::Alert(_) => Wake::Alert,
            Self::Lane(_) => Wake::Receiver,
            Self::Overdue(_) => Wake::Overdue,
            Self::Silence => Wake::Silence,
            Self::Write => Wake::Write,
        }
    }
}

/// What an earlier process wrote down, by the last write of each.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// The alerts.
    pub alerts: Vec<Record>,
    /// The silences.
    pub silences: Vec<Silence>,
}

impl Alerts {
    /// A machine that knows what is saved. Outputs may wait already. The seed spreads attempts to
    /// send, and tells this process from those before it to other monitors.
    #[must_use]
    pub fn new(config: AlertConfig, seed: u64, now: Instant, saved: Saved) -> Self {
        let mut alerts = Self {
            config,
            rng: Rng::new(seed),
            now,
            rows: BTreeMap::new(),
            subjects: BTreeMap::new(),
            dependants: BTreeMap::new(),
            silences: BTreeMap::new(),
            silence_edge: None,
            lanes: BTreeMap::new(),
            messages: BTreeMap::new(),
            next_message: 1,
            unsettled: BTreeSet::new(),
            stirred: BTreeSet::new(),
            timers: BTreeSet::new(),
            writing: Writing::default(),
            outboxes: BTreeMap::new(),
            session: seed,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        };
        for silence in saved.silences {
            alerts.silences.insert(silence.name.clone(), silence);
        }
        for record in saved.alerts {
            alerts.restore(record);
        }
        alerts.adopt_config();
        alerts.end();
        alerts
    }

    /// Takes other rules and receivers. Alerts whose rule is gone, or is for others now, are over.
    pub fn configure(&mut self, now: Instant, config: AlertConfig) {
        self.begin(now);
        self.config = config;
        self.adopt_config();
        self.end();
    }

    /// Does what an operator asks for.
    ///
    /// # Errors
    /// Why not. State: alerts and silences are as before; that time passed counts all the same.
    pub fn apply(&mut self, now: Instant, change: Change) -> Result<(), Refusal> {
        self.begin(now);
        let applied = self.change(change);
        self.end();
        applied
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.begin(now);
        match input {
            Input::Observed(observation) => self.observe(&observation),
            Input::Gone(subject) => self.forget_subject(subject),
            Input::Duty { subject, duty } => self.set_duty(subject, duty),
            Input::Sent { message, outcome } => self.take_outcome(message, outcome),
            Input::Written(number) => self.take_written(number),
            Input::NotWritten(number) => self.take_not_written(number),
            Input::Tick => {}
        }
        self.end();
    }

    /// The next thing to say, in the order in which they happened.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call again, and why; `None` when there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        let (at, timer) = self.timers.first()?;
        Some((*at, timer.reason()))
    }

    fn begin(&mut self, now: Instant) {
        if now < self.now {
            self.counters.clock_regressions += 1;
        }
        self.now = self.now.max(now);
    }

    /// What every call ends with: all that is due is done, and then written down.
    fn end(&mut self) {
        loop {
            if let Some(id) = self.unsettled.pop_first() {
                self.settle(id);
            } else if let Some(receiver) = self.stirred.pop_first() {
                self.send_what_waits(&receiver);
            } else if let Some(timer) = self.pop_timer() {
                self.on_timer(timer);
            } else {
                break;
            }
        }
        self.share();
        self.write();
    }

    fn pop_timer(&mut self) -> Option<Timer> {
        let (at, _) = self.timers.first()?;
        if *at > self.now {
            return None;
        }
        self.timers.pop_first().map(|(_, timer)| timer)
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Alert(id) => {
                if let Some(row) = self.rows.get_mut(&id) {
                    row.wake = None;
                }
                self.unsettled.insert(id);
            }
            Timer::Lane(receiver) => {
                if let Some(lane) = self.lanes.get_mut(&receiver) {
                    lane.wake = None;
                }
                self.stirred.insert(receiver);
            }
            Timer::Overdue(message) => {
                self.counters.overdue += 1;
                self.take_outcome(message, Sent::Failed { retry_after: None });
            }
            Timer::Silence => {
                self.silence_edge = None;
                self.on_silences_changed();
            }
            Timer::Write => self.on_write_timer(),
        }
    }

    /// Makes what is there agree with the rules and receivers.
    fn adopt_config(&mut self) {
        let receivers = &self.config.receivers;
        let gone = self
            .lanes
            .iter()
            .filter(|(name, _)| !receivers.contains_key(*name));
        for (name, lane) in gone {
            if let Some(at) = lane.wake {
                self.timers.remove(&(at, Timer::Lane(name.clone())));
            }
        }
        self.lanes.retain(|name, _| receivers.contains_key(name));
        for name in receivers.keys() {
            self.lanes.entry(name.clone()).or_default();
            self.stirred.insert(name.clone());
        }
        self.end_what_has_no_rule();
        self.on_silences_changed();
        self.unsettled.extend(self.rows.keys());
    }

    fn change(&mut self, change: Change) -> Result<(), Refusal> {
        match change {
            Change::Acknowledge { alert, by, comment } => {
                let at = self.now;
                let acknowledged = Acknowledgement { by, comment, at };
                self.set_acknowledged(alert, Some(acknowledged))
            }
            Change::Withdraw(alert) => self.set_acknowledged(alert, None),
            Change::Silence(silence) => self.put_silence(silence),
            Change::EndSilence(name) => {
                if self.silences.remove(&name).is_none() {
                    return Err(Refusal::UnknownSilence(name));
                }
                self.writing.silences.insert(name);
                self.on_silences_changed();
                Ok(())
            }
        }
    }

    fn set_acknowledged(
        &mut self,
        id: AlertId,
        acknowledged: Option<Acknowledgement>,
    ) -> Result<(), Refusal> {
        let row = self.rows.get_mut(&id).ok_or(Refusal::UnknownAlert(id))?;
        if !row.record.fires() {
            return Err(Refusal::NotFiring(id));
        }
        row.record.acknowledged = acknowledged;
        row.record.acknowledgements = row.record.acknowledgements.saturating_add(1);
        self.writing.note(id);
        self.share_with_all(id);
        self.unsettled.insert(id);
        Ok(())
    }

    fn put_silence(&mut self, silence: Silence) -> Result<(), Refusal> {
        if silence.matchers.is_empty() {
            return Err(Refusal::NoMatchers);
        }
        if let Some(text) = matcher::check_matchers(&silence.matchers) {
            return Err(Refusal::Matchers(text));
        }
        if silence.until <= silence.from || silence.until <= self.now {
            return Err(Refusal::EmptySpan);
        }
        let known = self.silences.contains_key(&silence.name);
        if !known && self.silences.len() >= SILENCES_MAX {
            return Err(Refusal::TooManySilences);
        }
        self.writing.silences.insert(silence.name.clone());
        self.silences.insert(silence.name.clone(), silence);
        self.on_silences_changed();
        Ok(())
    }

    /// Forgets silences that are over, notes when the next one begins or ends, and looks at all
    /// alerts that fire again.
    fn on_silences_changed(&mut self) {
        let now = self.now;
        let over = self.silences.iter().filter(|(_, s)| s.until <= now);
        let over: Vec<SilenceName> = over.map(|(name, _)| name.clone()).collect();
        for name in over {
            self.silences.remove(&name);
            self.writing.silences.insert(name);
        }
        let edges = self.silences.values().flat_map(|s| [s.from, s.until]);
        let edge = edges.filter(|&at| at > now).min();
        if let Some(at) = self.silence_edge.take() {
            self.timers.remove(&(at, Timer::Silence));
        }
        if let Some(at) = edge {
            self.silence_edge = edge;
            self.timers.insert((at, Timer::Silence));
        }
        let firing = self.rows.iter().filter(|(_, row)| row.record.fires());
        self.unsettled.extend(firing.map(|(&id, _)| id));
    }
}
