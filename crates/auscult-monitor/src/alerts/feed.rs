//! Tells the machine how each signal is, from the event log.
//!
//! The machine is told of statuses, not of changes, so whoever misses events (a slow reader, other
//! settings, a start) tells it of everything anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use auscult_agent::events::Reading;
use auscult_agent::http::stop::Stop;
use auscult_core::alert::{Input, Observation, Subject};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Event, EventKind, Labels, Status, TargetView};
use auscult_core::time::Instant;

use super::AlertDesk;
use crate::engine::Engine;
use crate::events::LoggedEvent;
use crate::registry::Registry;

/// Targets that are read under one lock.
const TARGETS_AT_ONCE: usize = 256;

/// The label that names the targets on which one depends.
const PARENT: &str = "parent";

/// How a target is.
struct Seen {
    id: TargetId,
    labels: Labels,
    signals: Vec<(SignalName, Status)>,
}

impl Seen {
    fn of(target: &TargetView<'_>) -> Self {
        let signals = target.signals();
        Self {
            id: target.id().clone(),
            labels: target.labels().clone(),
            signals: signals.map(|s| (s.name().clone(), s.status())).collect(),
        }
    }
}

struct Feed {
    desk: AlertDesk,
    engine: Engine,
    registry: Arc<Registry>,
}

/// Follows what happens until `stop`.
pub(super) async fn follow(desk: AlertDesk, engine: Engine, registry: Arc<Registry>, stop: Stop) {
    let mut taken = registry.taken();
    let mut reader = engine.events().read_after(engine.events().newest_id());
    let feed = Feed {
        desk,
        engine,
        registry,
    };
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
                    if known || target.status() != Status::Up {
                        seen.push(Seen::of(&target));
                    }
                }
                targets.next().map(|target| target.slot())
            });
            for seen in seen {
                self.tell(&seen, None);
            }
        }
        for subject in alerting.difference(&present) {
            self.desk.handle(Input::Gone(subject));
        }
    }

    fn tell_event(&self, logged: &LoggedEvent) {
        let Event { at, target, kind } = &logged.event;
        let Some(id) = target else {
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
            EventKind::Added
            | EventKind::Observed { .. }
            | EventKind::Verdict { .. }
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
        self.engine
            .read(|monitor, _| monitor.target(id).map(|target| Seen::of(&target)))
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
        for (signal, status) in &seen.signals {
            let about = told.filter(|told| told.signal == signal);
            let (at, reason) = match about {
                Some(told) => (told.at, told.reason.to_owned()),
                None => (now, format!("{signal} is {status}")),
            };
            let status = match about {
                Some(told) if seen.signals.len() == 1 => told.status,
                Some(_) | None => *status,
            };
            self.desk.handle(Input::Observed(Observation {
                subject: &subject,
                signal,
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
        let present: BTreeSet<&SignalName> = seen.signals.iter().map(|(name, _)| name).collect();
        for signal in alerting.iter().filter(|name| !present.contains(name)) {
            self.desk.handle(Input::Observed(Observation {
                subject: &subject,
                signal,
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
