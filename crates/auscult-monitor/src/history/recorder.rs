//! The thread that keeps the past: takes events from the queue, looks at each target once per
//! finest roll-up, and writes.
//!
//! What is written is on the disk before the next second's is begun. A crash loses what came since,
//! and the roll-ups that were open: at most about a second of changes, and one finest roll-up. That
//! is right, as nothing is decided by the past: alerts and settings have files of their own, which
//! are on the disk before anybody is told. To make each change durable by itself would cost a
//! mass failure thousands of writes, for the same second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auscult_core::history::{Limits, Resolution, Rollup};
use auscult_core::id::TargetId;
use auscult_core::monitor::{EventKind, Status};
use auscult_core::time::Instant;

use super::Shared;
use super::batch::{Batch, ChangeRow};
use super::rows;
use super::status::State;
use super::tracked::{Look, Tracked, thousandths};
use crate::check::CheckRunner;
use crate::engine::Engine;
use crate::events::LoggedEvent;
use crate::settings::HistorySettings;
use crate::store::StoreError;

/// Verdicts are noticed a little after the moment for which they fall; roll-ups stay open for so
/// long.
const LATE_MS: u64 = 2_000;

/// How often it is looked whether something is to be given up.
const DISCARD_EVERY_MS: u64 = 60_000;

/// How often the names of targets are looked through.
const NAMES_EVERY_MS: u64 = 3_600_000;

/// How long to wait before a disk that took nothing is tried again.
const AGAIN_MS: u64 = 10_000;

/// What is written each second should take less than that; beyond this, somebody should know.
const SLOW_SECONDS: f64 = 2.0;

/// Targets that are read under one lock: some 50 us.
const TARGETS_AT_ONCE: usize = 256;

pub(super) struct Recorder {
    shared: Arc<Shared>,
    engine: Engine,
    checks: Arc<CheckRunner>,
    tracked: BTreeMap<TargetId, Tracked>,
    batch: Batch,
    finest: Resolution,
    /// Roll-ups that begin before it are given away.
    closed_ms: u64,
    /// The end of the last roll-up at which each target was looked at.
    pub(super) looked_ms: u64,
    dropped: u64,
    over_limit: u64,
    pub(super) discarded_at: u64,
    noted_at: u64,
    pub(super) tried_at: u64,
    state: State,
    last_error: Option<String>,
}

impl Recorder {
    pub(super) fn new(shared: Arc<Shared>, engine: Engine, checks: Arc<CheckRunner>) -> Self {
        let closed_ms = shared.clock.now_ms();
        Self {
            shared,
            engine,
            checks,
            tracked: BTreeMap::new(),
            batch: Batch::new(Resolution::TenSeconds),
            finest: Resolution::TenSeconds,
            closed_ms,
            looked_ms: closed_ms,
            dropped: 0,
            over_limit: 0,
            discarded_at: 0,
            noted_at: 0,
            tried_at: 0,
            state: State::Opening,
            last_error: None,
        }
    }

    /// Does what is due.
    pub(super) fn step(&mut self, settings: &HistorySettings) {
        if !settings.enabled {
            self.rest();
            return;
        }
        self.follow_clock();
        self.take_finest(settings.finest);
        let now_ms = self.shared.clock.now_ms();
        let begun = self.finest.floor(now_ms);
        if begun > self.looked_ms {
            // Before a change in the next roll-up is taken, which closes this one.
            self.look_at_all();
            self.looked_ms = begun;
        }
        self.take_events();
        let due = self.finest.floor(now_ms.saturating_sub(LATE_MS));
        if due > self.closed_ms {
            self.close(due);
        }
        self.shed();
        self.write(now_ms, settings);
    }

    /// Writes what is left, open roll-ups included, and closes the file.
    pub(super) fn finish(&mut self, settings: &HistorySettings) {
        if settings.enabled {
            self.take_events();
            self.look_at_all();
            // Whether the disk takes it or not, nothing more can be done.
            let _written = self.flush();
        }
        self.shared.store.close();
    }

    /// Keeps nothing.
    fn rest(&mut self) {
        drop(self.shared.tap.take());
        self.tracked.clear();
        self.batch = Batch::new(self.finest);
        self.closed_ms = self.shared.clock.now_ms();
        self.turn(State::Off, None);
    }

    /// The wall clock may have been set: what was jumped over was not watched.
    fn follow_clock(&mut self) {
        let before = self.shared.clock.now_ms();
        if self.shared.clock.was_set() {
            self.restart_courses(before);
        }
    }

    pub(super) fn restart_courses(&mut self, before_ms: u64) {
        self.take_events_until(before_ms);
        self.flush_at(before_ms);
        let now_ms = self.shared.clock.now_ms();
        tracing::warn!(
            from_ms = before_ms,
            to_ms = now_ms,
            "the wall clock was set: the history goes on from there"
        );
        for tracked in self.tracked.values_mut() {
            let status = tracked.course.status();
            tracked.restart(now_ms, status);
        }
        self.closed_ms = self.finest.floor(now_ms);
    }

    fn take_finest(&mut self, finest: Resolution) {
        // A batch has roll-ups of one length: a disk that takes none puts it off.
        if finest != self.finest && self.flush() {
            self.finest = finest;
            self.batch = Batch::new(finest);
            self.closed_ms = finest.floor(self.shared.clock.now_ms());
        }
    }

    fn take_events(&mut self) {
        let events = self.shared.tap.take();
        self.take_list(&events, u64::MAX);
        let dropped = self.shared.tap.dropped();
        if dropped > self.dropped {
            let lost = dropped - self.dropped;
            self.dropped = dropped;
            tracing::error!(lost, "the history was too slow, and has lost changes");
            self.look_again();
        }
    }

    fn take_events_until(&mut self, until_ms: u64) {
        let events = self.shared.tap.take();
        self.take_list(&events, until_ms);
    }

    fn take_list(&mut self, events: &[Arc<LoggedEvent>], until_ms: u64) {
        for logged in events {
            let at_ms = self.shared.clock.ms(logged.event.at).min(until_ms);
            self.take(logged, at_ms);
        }
    }

    fn take(&mut self, logged: &LoggedEvent, at_ms: u64) {
        let Some(id) = &logged.event.target else {
            return;
        };
        match &logged.event.kind {
            EventKind::Added => {
                self.track(id, at_ms, Status::Unknown);
                return;
            }
            EventKind::Removed => self.end(id, at_ms),
            EventKind::Transition { to, evidence, .. } => {
                let silence = evidence
                    .last_arrival
                    .map(|last| logged.event.at.since(last));
                let silence = silence.filter(|_| *to == Status::Down);
                self.pass(id, at_ms, *to, Found::Alone, silence);
                self.saw_level(id, evidence.level.get());
            }
            EventKind::Observed { to, evidence, .. } => {
                self.pass(id, at_ms, *to, Found::Here, None);
                self.saw_level(id, evidence.level.get());
                let heard = evidence.last_arrival.map(|at| self.shared.clock.ms(at));
                if let Some(tracked) = self.tracked.get_mut(id) {
                    tracked.silent_since_ms = heard.filter(|_| *to == Status::Down);
                }
            }
            EventKind::Verdict { ruling, .. } => {
                let to = rows::plain(ruling.verdict);
                // How long it was silent is known to those that observe it.
                let tracked = self.tracked.get(id).filter(|_| to == Status::Down);
                let since_ms = tracked.and_then(|tracked| tracked.silent_since_ms);
                let silence = since_ms.map(|since| at_ms.saturating_sub(since));
                let silence = silence.map(Duration::from_millis);
                self.pass(id, at_ms, to, Found::Together, silence);
            }
            EventKind::SignalTransition { .. }
            | EventKind::Replaced
            | EventKind::Isolated { .. }
            | EventKind::Rejoined { .. }
            | EventKind::ObserverIsolated { .. }
            | EventKind::ObserverRejoined { .. }
            | EventKind::FlappingStarted { .. }
            | EventKind::FlappingStopped { .. }
            | EventKind::Relearnt { .. }
            | EventKind::ObserverSuspectsItself { .. }
            | EventKind::ObserverTrustsItself { .. }
            | EventKind::Stalled { .. }
            | EventKind::Membership { .. } => {}
        }
        self.keep(logged, id);
    }

    /// Makes a row of an event.
    fn keep(&mut self, logged: &LoggedEvent, id: &TargetId) {
        let Some(target) = self.number(id) else {
            return;
        };
        if let Some(row) = rows::encode(logged, target, &self.shared.clock) {
            self.batch.changes.push(ChangeRow {
                target,
                at_nanos: self.shared.clock.nanos(logged.event.at),
                id: logged.id,
                row,
            });
        }
    }

    fn number(&mut self, id: &TargetId) -> Option<u32> {
        if let Some(tracked) = self.tracked.get(id) {
            return Some(tracked.number);
        }
        let Some((number, new)) = self.shared.store.number_for(id) else {
            self.over_limit += 1;
            return None;
        };
        if new {
            self.batch.names.push((id.clone(), number));
        }
        Some(number)
    }

    fn track(&mut self, id: &TargetId, at_ms: u64, status: Status) {
        if !self.tracked.contains_key(id)
            && let Some(number) = self.number(id)
        {
            let tracked = Tracked::new(number, at_ms, status);
            self.tracked.insert(id.clone(), tracked);
        }
    }

    fn end(&mut self, id: &TargetId, at_ms: u64) {
        if let Some(tracked) = self.tracked.remove(id) {
            let (number, batch) = (tracked.number, &mut self.batch);
            let mut out = |start, rollup: Rollup| batch.add(start, number, &rollup);
            tracked.course.finish(at_ms, self.finest, &mut out);
        }
    }

    fn pass(
        &mut self,
        id: &TargetId,
        at_ms: u64,
        to: Status,
        found: Found,
        silence: Option<Duration>,
    ) {
        self.track(id, at_ms, Status::Unknown);
        let Some(tracked) = self.tracked.get_mut(id) else {
            return;
        };
        match found {
            Found::Here if tracked.by_verdict => return,
            Found::Here => {}
            Found::Alone => tracked.by_verdict = false,
            Found::Together => tracked.by_verdict = true,
        }
        let (number, batch) = (tracked.number, &mut self.batch);
        let mut out = |start, rollup: Rollup| batch.add(start, number, &rollup);
        tracked.course.pass(at_ms, to, self.finest, &mut out);
        if let Some(silence) = silence {
            let millis = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
            tracked.course.detected(millis);
        }
    }

    fn saw_level(&mut self, id: &TargetId, level: f64) {
        if let Some(tracked) = self.tracked.get_mut(id) {
            tracked.course.saw_level(thousandths(level));
        }
    }

    /// Looks at every target: its level, and what was counted.
    fn look_at_all(&mut self) {
        self.for_each_target(|recorder, id, look, _| {
            if let Some(tracked) = recorder.tracked.get_mut(id) {
                tracked.look(look);
            }
        });
    }

    /// Finds out what was missed: the status of every target as it is now.
    fn look_again(&mut self) {
        let mut watched = std::collections::BTreeSet::new();
        self.for_each_target(|recorder, id, look, at_ms| {
            watched.insert(id.clone());
            recorder.track(id, at_ms, look.status);
            let Some(tracked) = recorder.tracked.get_mut(id) else {
                return;
            };
            if !tracked.by_verdict {
                let (number, batch) = (tracked.number, &mut recorder.batch);
                let mut out = |start, rollup: Rollup| batch.add(start, number, &rollup);
                let finest = recorder.finest;
                tracked.course.assume(at_ms, look.status, finest, &mut out);
            }
        });
        let gone: Vec<TargetId> = self
            .tracked
            .keys()
            .filter(|id| !watched.contains(*id))
            .cloned()
            .collect();
        let now_ms = self.shared.clock.now_ms();
        for id in gone {
            self.end(&id, now_ms);
        }
    }

    fn for_each_target(&mut self, mut each: impl FnMut(&mut Self, &TargetId, &Look, u64)) {
        let mut next = Some(0);
        while let Some(from) = next {
            let mut seen = Vec::with_capacity(TARGETS_AT_ONCE);
            let mut read_at = Instant::ORIGIN;
            next = self.engine.read(|monitor, now| {
                read_at = now;
                let mut targets = monitor.targets_from(from);
                for target in targets.by_ref().take(TARGETS_AT_ONCE) {
                    let look = Look::at(&target, now, &self.checks);
                    seen.push((target.id().clone(), look));
                }
                targets.next().map(|target| target.slot())
            });
            let at_ms = self.shared.clock.ms(read_at);
            for (id, look) in &seen {
                each(self, id, look, at_ms);
            }
        }
    }

    /// Gives away the roll-ups that end by `until_ms`.
    fn close(&mut self, until_ms: u64) {
        for tracked in self.tracked.values_mut() {
            let (number, batch) = (tracked.number, &mut self.batch);
            let mut out = |start, rollup: Rollup| batch.add(start, number, &rollup);
            tracked.course.advance(until_ms, self.finest, &mut out);
        }
        self.closed_ms = until_ms;
    }

    /// Gives away all roll-ups, open ones, too, and says whether they are on the disk.
    fn flush(&mut self) -> bool {
        self.flush_at(self.shared.clock.now_ms());
        self.write_now()
    }

    fn flush_at(&mut self, at_ms: u64) {
        for tracked in self.tracked.values_mut() {
            let (number, batch) = (tracked.number, &mut self.batch);
            let mut out = |start, rollup: Rollup| batch.add(start, number, &rollup);
            tracked.course.flush(at_ms, self.finest, &mut out);
        }
    }

    fn shed(&mut self) {
        let (changes, rollups) = self.batch.shed();
        if changes + rollups > 0 {
            tracing::error!(
                changes,
                rollups,
                "the history has lost what waited for the disk"
            );
            self.shared.status.update(|status| {
                status.changes_lost += changes;
                status.rollups_lost += rollups;
            });
        }
    }

    fn write(&mut self, now_ms: u64, settings: &HistorySettings) {
        if self.state == State::Failing && now_ms < self.tried_at.saturating_add(AGAIN_MS) {
            return;
        }
        self.tried_at = now_ms;
        if !self.open() {
            return;
        }
        if !self.batch.is_empty() && !self.write_now() {
            return;
        }
        if now_ms >= self.discarded_at.saturating_add(DISCARD_EVERY_MS) {
            self.discard(now_ms, settings);
        }
    }

    fn open(&mut self) -> bool {
        if self.shared.store.is_open() {
            return true;
        }
        match self.shared.store.open() {
            Ok(()) => true,
            Err(error @ StoreError::Torn { .. }) => {
                tracing::error!("{error}; the history begins anew, without what was in it");
                self.shared.status.update(|status| status.put_aside += 1);
                if let Err(error) = self.shared.store.put_aside() {
                    self.fail(&error);
                }
                false
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    /// Whether the batch is on the disk.
    fn write_now(&mut self) -> bool {
        if !self.open() {
            return false;
        }
        let began = self.shared.clock.now();
        match self.shared.store.write(&self.batch) {
            Ok(written) => {
                self.batch = Batch::new(self.finest);
                self.shared
                    .kept_until_ms
                    .store(self.closed_ms, Ordering::Relaxed);
                let took = self.shared.clock.now().since(began).as_secs_f64();
                let over_limit = self.over_limit;
                self.shared.status.update(|status| {
                    status.commits += 1;
                    status.commit_seconds += took;
                    status.changes_written += written.changes;
                    status.rollups_written += written.rollups;
                    status.rollups_overlapped += written.overlapped;
                    status.targets_over_limit = over_limit;
                });
                if took > SLOW_SECONDS {
                    let problem = format!(
                        "the disk is slow: what is written each second took it {took:.1} s"
                    );
                    self.turn(State::Slow, Some(problem));
                } else {
                    self.turn(State::Writing, None);
                }
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn discard(&mut self, now_ms: u64, settings: &HistorySettings) {
        let limits = Limits {
            age_max_ms: u64::try_from(settings.age.as_millis()).unwrap_or(u64::MAX),
            // The file itself takes half a percent beside its pages.
            bytes_max: settings.size_mib.saturating_mul((1 << 20) + (1 << 13)),
        };
        let store = &self.shared.store;
        let discarded = store.discard(limits, now_ms).and_then(|discarded| {
            if !discarded.more {
                store.compact(limits.bytes_max)?;
            }
            Ok(discarded)
        });
        match discarded {
            Ok(discarded) => {
                // More is given up at the next look.
                self.discarded_at = if discarded.more { 0 } else { now_ms };
                self.shared.status.update(|status| {
                    status.rows_discarded += discarded.rows;
                    status.rows = discarded.left;
                    status.oldest_ms = discarded.oldest_ms;
                    status.file_bytes = discarded.file_bytes;
                });
                if self.state != State::Slow {
                    self.turn(State::Writing, None);
                }
            }
            Err(error) => self.fail(&error),
        }
        if now_ms >= self.noted_at.saturating_add(NAMES_EVERY_MS) {
            self.noted_at = now_ms;
            let since_ms = now_ms.saturating_sub(limits.age_max_ms);
            let watched = |name: &str| self.tracked.contains_key(name);
            if let Err(error) = self.shared.store.note_watched(&watched, now_ms, since_ms) {
                self.fail(&error);
            }
        }
    }

    fn fail(&mut self, error: &StoreError) {
        self.shared.status.update(|status| status.failures += 1);
        self.turn(State::Failing, Some(error.to_string()));
    }

    /// Says how it is, once for each change.
    fn turn(&mut self, state: State, problem: Option<String>) {
        if self.state == state && self.last_error == problem {
            return;
        }
        match (state, self.state) {
            // How slow it is exactly is no news.
            (State::Slow, State::Slow) => {}
            (State::Slow, _) => tracing::warn!("{}", problem.as_deref().unwrap_or_default()),
            (State::Failing, _) => {
                let problem = problem.as_deref().unwrap_or_default();
                tracing::error!("the history is not written: {problem}");
            }
            (State::Writing, State::Failing) => tracing::info!("the history is written again"),
            (State::Writing, State::Slow) => tracing::info!("the disk is fast enough again"),
            (State::Writing, State::Opening | State::Writing | State::Off)
            | (State::Opening | State::Off, _) => {}
        }
        self.state = state;
        self.last_error.clone_from(&problem);
        self.shared.status.update(|status| {
            status.state = state;
            status.problem = problem;
        });
    }
}

/// Who found a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// This monitor, which alone observes the target.
    Alone,
    /// This monitor, as a report to others.
    Here,
    /// Several monitors.
    Together,
}
