//! What this monitor sees: taken from its event log, and at the start, and whenever the log was too
//! short, from the machine that judges.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::http::stop::Stop;
use auscult_core::id::TargetId;
use auscult_core::monitor::observers::Seen;
use auscult_core::monitor::{EventKind, Evidence, Status};
use auscult_core::time::Instant;

use super::{HANDED_AT_ONCE, Observatory, wire};
use crate::events::{Company, EventLog, Gap, LoggedEvent, sentence};
use crate::registry::Origin;

/// Events read at a time.
const EVENTS_AT_ONCE: usize = 500;

/// How often it is looked whether little is said again, and how many times at most: everything that
/// is seen meanwhile is told a second late.
const CALM_LOOK: Duration = Duration::from_millis(100);
const CALM_LOOKS_MAX: usize = 10;

/// The same while settings are followed that say what is watched: it would all be looked at again,
/// and looking would take the time of those who follow them.
const CALM_LOOKS_FOLLOWING_MAX: usize = 50;

/// Tells the machine of everything that this monitor sees, until `stop`.
pub(super) async fn follow(observatory: Observatory, stop: Stop) {
    let events = observatory.0.engine.events().clone();
    let mut changed = events.subscribe();
    let mut read = events.newest_id();
    observatory.scan().await;
    loop {
        changed.mark_unchanged();
        loop {
            let page = events.since(read, EVENTS_AT_ONCE);
            if page.gap != Gap::None {
                observatory.calm(&events).await;
                read = events.newest_id();
                observatory.scan().await;
                continue;
            }
            let Some(last) = page.events.last() else {
                break;
            };
            read = last.id;
            for logged in &page.events {
                observatory.note(logged);
            }
            observatory.say();
            tokio::task::yield_now().await;
        }
        tokio::select! {
            more = changed.changed() => {
                if more.is_err() {
                    return;
                }
            }
            () = stop.clone().stopped() => return,
        }
    }
}

impl Observatory {
    /// More was said than can be read: waits until little is said, so that everything is looked at
    /// once and not again and again. A change of the settings may name a hundred thousand targets.
    async fn calm(&self, events: &EventLog) {
        for look in 0..CALM_LOOKS_FOLLOWING_MAX {
            if look >= CALM_LOOKS_MAX && !self.0.targets.are_followed() {
                return;
            }
            let before = events.newest_id();
            tokio::time::sleep(CALM_LOOK).await;
            if events.newest_id() - before < EVENTS_AT_ONCE as u64 {
                return;
            }
        }
    }

    /// Looks at every target that is this monitor's to observe, and lets others have their turn
    /// meanwhile. What changes in that time stands in the log behind what was read before.
    pub(super) async fn scan(&self) {
        let shared = &self.0;
        let mut there = BTreeSet::new();
        for some in shared.targets.names().chunks(HANDED_AT_ONCE) {
            for target in some.iter().filter(|target| self.is_shared(target)) {
                shared.targets.hand(target);
                self.look(target);
                there.insert(target.clone());
            }
            self.say();
            tokio::task::yield_now().await;
        }
        let known = shared.machine.lock().watched();
        for target in known.iter().filter(|target| !there.contains(*target)) {
            self.leave(target);
        }
        self.say();
    }

    /// Whether the others are asked about a target, too.
    fn is_shared(&self, target: &TargetId) -> bool {
        let by = match self.0.targets.origin(target) {
            Some(Origin::File { .. } | Origin::Membership) => Company::Alone,
            Some(Origin::Api | Origin::Heartbeat) | None => Company::Several,
        };
        self.0.engine.events().set_observed(target, by);
        by == Company::Several
    }

    /// Takes a target as the machine that judges sees it now.
    pub(super) fn look(&self, target: &TargetId) {
        let shared = &self.0;
        let seen = shared.engine.read(|monitor, now| {
            let view = monitor.target(target).filter(|view| !view.rests())?;
            let level = view.signals().map(|signal| signal.level(now).get());
            let status = view.status();
            Some(Seen {
                status,
                level: level.fold(0.0, f64::max),
                since: view.since(),
                why: Arc::from(format!("{status} when it was looked at")),
            })
        });
        let now = shared.engine.clock().now();
        let mut machine = shared.machine.lock();
        machine.watch(now, target, seen);
    }

    fn leave(&self, target: &TargetId) {
        let now = self.0.engine.clock().now();
        self.0.machine.lock().unwatch(now, target);
    }

    fn note(&self, logged: &LoggedEvent) {
        let event = &logged.event;
        let Some(target) = &event.target else {
            return;
        };
        match &event.kind {
            EventKind::Added | EventKind::Replaced => {
                if self.is_shared(target) {
                    self.0.targets.hand(target);
                    self.look(target);
                } else {
                    self.leave(target);
                }
            }
            EventKind::Removed => self.leave(target),
            EventKind::Transition { from, to, evidence }
            | EventKind::Observed { from, to, evidence } => {
                self.see(target, event.at, *from, *to, evidence);
            }
            EventKind::SignalTransition { .. }
            | EventKind::FlappingStarted { .. }
            | EventKind::FlappingStopped { .. }
            | EventKind::Relearnt { .. }
            | EventKind::ObserverSuspectsItself { .. }
            | EventKind::ObserverTrustsItself { .. }
            | EventKind::Stalled { .. }
            | EventKind::Membership { .. }
            | EventKind::Verdict { .. }
            | EventKind::Isolated { .. }
            | EventKind::Rejoined { .. }
            | EventKind::ObserverIsolated { .. }
            | EventKind::ObserverRejoined { .. } => {}
        }
    }

    fn see(&self, target: &TargetId, at: Instant, from: Status, to: Status, evidence: &Evidence) {
        let why = sentence::reason(at, from, to, evidence);
        let seen = Seen {
            status: to,
            level: evidence.level.get(),
            since: at,
            why: Arc::from(wire::cut(&why)),
        };
        let now = self.0.engine.clock().now();
        let mut machine = self.0.machine.lock();
        if machine.watches(target) {
            machine.see(now, target, Some(seen));
        }
    }
}
