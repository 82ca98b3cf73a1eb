//! Tells the machine how each signal is, from the event log.
//!
//! The machine is told of statuses, not of changes, so whoever misses events (a slow reader, other
//! settings, a start) tells it of everything anew.
//!
//! Where several monitors observe a target, what this one sees of it is a report and no alert: the
//! verdict is, and it is one for the whole target. So a target of one signal has alerts of that
//! signal, and one of several has alerts of a signal that is called [`VERDICT`]: which of its
//! signals is worst may differ from monitor to monitor, and all are to speak of the same alert.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::events::Reading;
use auscult_agent::http::stop::Stop;
use auscult_core::alert::{Concern, Duty, Input, Observation, Subject};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Event, EventKind, Labels, Status, TargetView};
use auscult_core::time::Instant;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::office::{News, Office};
use super::{AlertDesk, Call};
use crate::engine::Engine;
use crate::events::LoggedEvent;
use crate::observers::Observatory;
use crate::registry::{Origin, Registry};

/// Targets that are read under one lock.
const TARGETS_AT_ONCE: usize = 256;

/// The label that names the targets on which one depends.
const PARENT: &str = "parent";

/// The signal of which a target of several has alerts, where several monitors observe it.
const VERDICT: &str = "verdict";

/// How often it is looked whether others tell of alerts by now.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How a target is.
struct Seen {
    id: TargetId,
    labels: Labels,
    signals: Vec<(SignalName, Status)>,
    /// What several monitors found of it.
    found: Option<Found>,
}

/// What several monitors found of a target.
struct Found {
    at: Instant,
    ruling: (u64, u64),
    reason: Arc<str>,
}

impl Seen {
    fn of(target: &TargetView<'_>) -> Self {
        let signals = target.signals();
        Self {
            id: target.id().clone(),
            labels: target.labels().clone(),
            signals: signals.map(|s| (s.name().clone(), s.status())).collect(),
            found: None,
        }
    }

    /// How the group sees it, in the place of how this monitor does.
    fn found_by(mut self, group: &Observatory) -> Self {
        let standing = group.read(|machine| machine.standing(&self.id));
        let signal = match &self.signals[..] {
            [(name, _)] => Some(name.clone()),
            _ => SignalName::new(VERDICT).ok(),
        };
        let status = standing
            .as_ref()
            .map_or(Status::Unknown, |it| it.verdict.status());
        self.signals = signal.map(|name| (name, status)).into_iter().collect();
        self.found = Some(match standing {
            Some(it) => Found {
                at: it.at,
                ruling: (it.turn.epoch, it.turn.number),
                reason: it.text,
            },
            // Nobody asked the others yet.
            None => Found {
                at: Instant::ORIGIN,
                ruling: (0, 0),
                reason: Arc::default(),
            },
        });
        self
    }
}

/// What is told of, and by whom.
pub(super) struct Feed {
    pub(super) desk: AlertDesk,
    pub(super) engine: Engine,
    pub(super) registry: Arc<Registry>,
    /// Where this monitor can observe with others.
    pub(super) observatory: Option<Observatory>,
    /// Who tells of what, as the machine was told last.
    pub(super) office: Arc<Mutex<Office>>,
}

/// Follows what happens until `stop`.
pub(super) async fn follow(feed: Arc<Feed>, mut called: mpsc::Receiver<Call>, stop: Stop) {
    let mut taken = feed.registry.taken();
    let events = feed.engine.events();
    let mut reader = events.read_after(events.newest_id());
    let mut revisions = feed.registry.shared().revisions();
    revisions.mark_changed();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Settings may have been taken between the start and now.
    taken.mark_changed();
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            // Other settings come first: what they say about an event holds for it.
            biased;
            () = &mut stopped => return,
            changed = taken.changed() => {
                if changed.is_err() {
                    return;
                }
                feed.desk.configure(&feed.registry.settings().alerts);
                feed.tell_all();
            }
            Ok(()) = revisions.changed() => {
                if feed.desk.take_receivers(&**feed.registry.shared()) {
                    feed.tell_all();
                }
            }
            _ = looks.tick(), if feed.observatory.is_some() => feed.look(),
            Some(call) = called.recv() => {
                feed.engine.read(|_, _| {});
                // Who does not wait any more was told by that.
                let _late = call.send(());
            }
            reading = reader.next() => match reading {
                Reading::Event(event) => feed.tell_event(&event),
                Reading::Lagged(_) | Reading::OtherRun => feed.tell_all(),
            },
        }
    }
}

impl Feed {
    /// Tells of everything that is not well, and of everything that has an alert. Of peers another
    /// feed tells.
    fn tell_all(&self) {
        let is_target = |subject: &&Subject| matches!(subject, Subject::Target(_));
        let alerting: BTreeSet<Subject> = self
            .desk
            .read(|alerts, _| alerts.subjects().filter(is_target).cloned().collect());
        let in_company = self.office.lock().is_shared();
        let mut present = BTreeSet::new();
        let mut next = Some(0);
        while let Some(from) = next {
            let mut seen = Vec::new();
            next = self.engine.read(|monitor, _| {
                let mut targets = monitor.targets_from(from);
                for target in targets.by_ref().take(TARGETS_AT_ONCE) {
                    let subject = Subject::Target(target.id().clone());
                    let known = alerting.contains(&subject);
                    if known {
                        present.insert(subject);
                    }
                    // How others see it is looked up where nothing else waits.
                    if known || in_company || target.status() != Status::Up {
                        seen.push(Seen::of(&target));
                    }
                }
                targets.next().map(|target| target.slot())
            });
            for seen in seen {
                let seen = self.judged(seen);
                let known = alerting.contains(&Subject::Target(seen.id.clone()));
                if known {
                    self.end_signals_that_are_gone(&seen);
                }
                if known || seen.signals.iter().any(|(_, status)| *status != Status::Up) {
                    self.tell(&seen, None);
                }
            }
        }
        for subject in alerting.difference(&present) {
            self.desk.handle(Input::Gone(subject));
        }
    }

    fn tell_event(&self, logged: &LoggedEvent) {
        let Event { at, target, kind } = &logged.event;
        let Some(id) = target else {
            // What this monitor says of targets that it shares is another thing now.
            if matches!(
                kind,
                EventKind::Isolated { .. } | EventKind::Rejoined { .. }
            ) {
                self.tell_all();
            }
            return;
        };
        match kind {
            EventKind::Removed => {
                let subject = Subject::Target(id.clone());
                // It may be there again by now.
                let present = self.engine.read(|monitor, _| monitor.target(id).is_some());
                if !present {
                    self.desk.handle(Input::Gone(&subject));
                }
            }
            EventKind::Transition { to, evidence, .. }
            | EventKind::SignalTransition { to, evidence, .. } => {
                let told = Told {
                    at: *at,
                    signal: &evidence.signal,
                    status: *to,
                    reason: &logged.text,
                };
                if let Some(seen) = self.see(id) {
                    self.tell(&seen, Some(&told));
                }
            }
            EventKind::Replaced => {
                if let Some(seen) = self.see(id) {
                    self.end_signals_that_are_gone(&seen);
                    self.tell(&seen, None);
                }
            }
            EventKind::Verdict { .. } => {
                self.look();
                if let Some(seen) = self.see(id) {
                    self.tell(&seen, None);
                }
            }
            EventKind::Added
            | EventKind::Observed { .. }
            | EventKind::Isolated { .. }
            | EventKind::Rejoined { .. }
            | EventKind::ObserverIsolated { .. }
            | EventKind::ObserverRejoined { .. }
            | EventKind::FlappingStarted { .. }
            | EventKind::FlappingStopped { .. }
            | EventKind::Relearnt { .. }
            | EventKind::ObserverSuspectsItself { .. }
            | EventKind::ObserverTrustsItself { .. }
            | EventKind::Membership { .. }
            | EventKind::Stalled { .. } => {}
        }
    }

    fn see(&self, id: &TargetId) -> Option<Seen> {
        let seen = self
            .engine
            .read(|monitor, _| monitor.target(id).map(|target| Seen::of(&target)));
        seen.map(|seen| self.judged(seen))
    }

    /// A target as it is judged: by the group, where it is the group's affair.
    fn judged(&self, seen: Seen) -> Seen {
        let is_shared = match self.registry.origin(&seen.id) {
            Some(Origin::File { .. } | Origin::Membership) => false,
            Some(Origin::Api | Origin::Heartbeat) | None => self.office.lock().is_shared(),
        };
        match &self.observatory {
            Some(group) if is_shared => seen.found_by(group),
            Some(_) | None => seen,
        }
    }

    /// Looks who tells of alerts, and says what changed.
    pub(super) fn look(&self) {
        let Some(observatory) = &self.observatory else {
            return;
        };
        let now = self.engine.clock().now();
        let news = self.office.lock().look(now, observatory);
        match news {
            News::Nothing => {}
            News::Lost => self.hand_over(),
            News::Gained => {
                self.tell_all();
                self.desk.say_handed();
            }
        }
        if news != News::Nothing {
            let colleagues = self.office.lock().colleagues();
            self.desk.set_colleagues(&colleagues);
        }
    }

    /// Says who tells of alerts of which this monitor does not tell any more. What it tells instead
    /// comes later, when the others had time to say what they know.
    fn hand_over(&self) {
        let subjects: Vec<Subject> = self
            .desk
            .read(|alerts, _| alerts.subjects().cloned().collect());
        for subject in &subjects {
            let duty = self.office.lock().duty_of(subject);
            if duty != Duty::Here {
                let duty = &duty;
                self.desk.handle(Input::Duty { subject, duty });
            }
        }
    }

    /// Says how a subject is of which another monitor told first, and who tells of it.
    pub(super) fn introduce(&self, subject: &Subject) {
        if let Subject::Peer(peer) = subject {
            self.desk.introduce_peer(peer);
            return;
        }
        let duty = &self.office.lock().duty(subject.name());
        self.desk.handle(Input::Duty { subject, duty });
        if let Some(seen) = self.see(subject.name()) {
            self.end_signals_that_are_gone(&seen);
            self.tell(&seen, None);
        }
    }

    /// A target with one signal has the status that the event says, however short it was; of one
    /// with several, each has the one that it has by now.
    fn tell(&self, seen: &Seen, told: Option<&Told<'_>>) {
        let mut labels = seen.labels.clone();
        if let Some(group) = self
            .registry
            .spec(&seen.id)
            .and_then(|spec| spec.group.clone())
        {
            labels.entry("group".into()).or_insert(group);
        }
        let parents = labels.get(PARENT).map_or("", |parents| parents).split(',');
        let parents = parents.filter_map(|name| TargetId::new(name.trim()).ok());
        let parents: Arc<[TargetId]> = parents.filter(|parent| *parent != seen.id).collect();
        let labels = Arc::new(labels);
        let subject = Subject::Target(seen.id.clone());
        let now = self.engine.clock().now();
        let duty = self.office.lock().duty(&seen.id);
        let concern = seen
            .found
            .as_ref()
            .map_or(Concern::Own, |found| Concern::Group {
                ruling: found.ruling,
                duty: &duty,
            });
        for (signal, status) in &seen.signals {
            let about = told.filter(|told| told.signal == signal && seen.found.is_none());
            let (at, reason) = match (about, &seen.found) {
                (Some(told), _) => (told.at, told.reason.to_owned()),
                (None, Some(found)) => (found.at, format!("{status}: {}", found.reason)),
                (None, None) => (now, format!("{signal} is {status}")),
            };
            let status = match about {
                Some(told) if seen.signals.len() == 1 => told.status,
                Some(_) | None => *status,
            };
            self.desk.handle(Input::Observed(Observation {
                subject: &subject,
                signal,
                concern,
                at: self.desk.clock().of(at),
                status,
                labels: &labels,
                parents: &parents,
                reason: &reason,
            }));
        }
    }

    /// A signal that a target has no more is well: nobody judges it.
    fn end_signals_that_are_gone(&self, seen: &Seen) {
        let subject = Subject::Target(seen.id.clone());
        let alerting: BTreeSet<SignalName> = self.desk.read(|alerts, _| {
            let of_subject = alerts.alerts().map(|alert| &alert.record().key);
            let of_subject = of_subject.filter(|key| key.subject == subject);
            of_subject.map(|key| key.signal.clone()).collect()
        });
        let labels = Arc::new(seen.labels.clone());
        let duty = self.office.lock().duty(&seen.id);
        let concern = match &seen.found {
            Some(found) => Concern::Group {
                ruling: found.ruling,
                duty: &duty,
            },
            None => Concern::Own,
        };
        let present: BTreeSet<&SignalName> = seen.signals.iter().map(|(name, _)| name).collect();
        for signal in alerting.iter().filter(|name| !present.contains(name)) {
            self.desk.handle(Input::Observed(Observation {
                subject: &subject,
                signal,
                concern,
                at: self.desk.clock().now(),
                status: Status::Paused,
                labels: &labels,
                parents: &Arc::from([]),
                reason: "the target has no such signal any more",
            }));
        }
    }
}

/// What an event says of one signal.
struct Told<'a> {
    at: Instant,
    signal: &'a SignalName,
    status: Status,
    reason: &'a str,
}
