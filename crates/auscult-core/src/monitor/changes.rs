//! Changes to what is watched.

use alloc::vec::Vec;

use super::Monitor;
use super::event::{Cause, EventKind};
use super::signals::{NONE, Standing};
use super::status::Status;
use super::target::{Applied, Change, Refusal, Signal, Target};
use super::targets::{Head, Judging};
use super::verdict::Why;
use crate::bounds::{LABELS_PER_TARGET_MAX, SIGNALS_PER_TARGET_MAX};
use crate::detector::DetectorState;
use crate::id::TargetId;
use crate::time::Instant;

impl Monitor {
    pub(super) fn change(&mut self, change: Change) -> Result<Applied, Refusal> {
        let applied = match change {
            Change::Put(target) => self.put(target),
            Change::Remove(id) => self.remove(id),
            Change::Pause(id) => self.pause(id),
            Change::Rest(id) => self.rest(id),
            Change::Resume(id) => self.resume(id),
        };
        self.counters.targets = self.targets.len();
        self.counters.signals = self.signals.len();
        applied
    }

    fn put(&mut self, target: Target) -> Result<Applied, Refusal> {
        check(&target)?;
        if let Some(slot) = self.targets.find(&target.id) {
            return Ok(self.replace(slot, target));
        }
        if self.targets.len() >= self.config.targets_max {
            let limit = self.config.targets_max;
            return Err(Refusal::TooManyTargets { limit });
        }
        let slot = self.targets.add(target.id, target.labels, self.now);
        let slots: Vec<u32> = target
            .signals
            .iter()
            .map(|signal| self.add_signal(slot, signal, Judging::Running))
            .collect();
        let first = self.signals.join(slot, &slots);
        self.set_first(slot, first);
        self.say_of(self.now, slot, EventKind::Added);
        Ok(Applied::Added)
    }

    fn replace(&mut self, target: u32, new: Target) -> Applied {
        let Some(&Head { first, judging, .. }) = self.targets.get(target) else {
            return Applied::Unchanged;
        };
        let relabelled = *self.targets.labels(target) != new.labels;
        if relabelled {
            self.targets.set_labels(target, new.labels);
        }
        let old: Vec<u32> = self.signals.chain(first).collect();
        let mut changed = relabelled;
        let mut slots = Vec::with_capacity(new.signals.len());
        for signal in &new.signals {
            let same = old
                .iter()
                .find(|&&slot| self.kind(slot).name == signal.name);
            match same {
                Some(&slot) => {
                    changed |= self.reconfigure(slot, signal);
                    slots.push(slot);
                }
                None => slots.push(self.add_signal(target, signal, judging)),
            }
        }
        if slots != old {
            changed = true;
            for slot in old.into_iter().filter(|slot| !slots.contains(slot)) {
                self.remove_signal(slot);
            }
            let first = self.signals.join(target, &slots);
            self.set_first(target, first);
        }
        if !changed {
            return Applied::Unchanged;
        }
        self.say_of(self.now, target, EventKind::Replaced);
        self.turn_if_changed(target, Cause::Settings);
        Applied::Replaced
    }

    /// Gives a signal another configuration. What its detector learnt stays if the detector does.
    /// Tells whether there was something to change.
    fn reconfigure(&mut self, slot: u32, signal: &Signal) -> bool {
        let old = self.signals.records[slot as usize].kind;
        if self.kinds[old].config == signal.config {
            return false;
        }
        let detector = signal.config.detector();
        let learns_anew = self.kinds[old].config.detector() != detector;
        let kind = self.kinds.take(signal);
        self.kinds.release(old);
        let record = &mut self.signals.records[slot as usize];
        record.kind = kind;
        record.streak = 0;
        record.outages = 0;
        if learns_anew {
            record.state = DetectorState::new(detector);
        }
        match record.standing {
            Standing::Paused | Standing::Resting => {}
            Standing::Awaited => self.begin_grace(slot),
            Standing::Up
            | Standing::Late
            | Standing::Down
            | Standing::Held
            | Standing::Told(_)
            | Standing::Vacant => {
                if learns_anew {
                    self.begin_grace(slot);
                } else {
                    let due = self.due_of(slot);
                    self.set_due(slot, due);
                }
            }
        }
        true
    }

    fn remove(&mut self, id: TargetId) -> Result<Applied, Refusal> {
        let slot = self.slot(&id)?;
        self.say_of(self.now, slot, EventKind::Removed);
        let course = self.targets.course(slot);
        if self.targets.is_flapping(slot) {
            self.steady
                .remove(&(course.flap.steady_at(course.since), slot));
        }
        let first = self.targets.get(slot).map_or(NONE, |head| head.first);
        let signals: Vec<u32> = self.signals.chain(first).collect();
        for signal in signals {
            self.remove_signal(signal);
        }
        self.targets.remove(slot);
        self.counters.flapping = self.targets.flapping();
        Ok(Applied::Removed)
    }

    fn set_first(&mut self, target: u32, first: u32) {
        if let Some((head, _)) = self.targets.get_mut(target) {
            head.first = first;
        }
    }

    fn pause(&mut self, id: TargetId) -> Result<Applied, Refusal> {
        let target = self.slot(&id)?;
        self.judge(target, Judging::Paused, |monitor, slot| {
            monitor.signals.records[slot as usize].standing = Standing::Paused;
            monitor.schedule.clear(slot);
        });
        Ok(self
            .turn_if_changed(target, Cause::Operator)
            .map_or(Applied::Unchanged, |_| Applied::Paused))
    }

    /// Nobody here sees it any more, so nothing is said: what stands is for others to say.
    fn rest(&mut self, id: TargetId) -> Result<Applied, Refusal> {
        let target = self.slot(&id)?;
        let judging = self.targets.get(target).map(|head| head.judging);
        if judging == Some(Judging::Resting) {
            return Ok(Applied::Unchanged);
        }
        self.judge(target, Judging::Resting, |monitor, slot| {
            monitor.signals.forget_failure(slot);
            monitor.signals.records[slot as usize].standing = Standing::Resting;
            monitor.schedule.clear(slot);
        });
        let course = self.targets.course(target);
        if self.targets.is_flapping(target) {
            let steady_at = course.flap.steady_at(course.since);
            self.steady.remove(&(steady_at, target));
            self.targets.stop_flapping(target);
            self.counters.flapping = self.targets.flapping();
        }
        let (now, status) = (self.now, self.worst(target));
        if let Some((head, course)) = self.targets.get_mut(target) {
            head.status = status;
            course.flap = course.flap.faded(now.since(course.since));
            course.since = now;
        }
        Ok(Applied::Rests)
    }

    fn resume(&mut self, id: TargetId) -> Result<Applied, Refusal> {
        let target = self.slot(&id)?;
        let before = self.targets.get(target).map(|head| head.judging);
        self.judge(target, Judging::Running, Self::begin_grace);
        self.turn_if_changed(target, Cause::Operator);
        Ok(match before {
            Some(Judging::Paused | Judging::Resting) => Applied::Resumed,
            Some(Judging::Running) | None => Applied::Unchanged,
        })
    }

    /// Says whether a target is judged, and does `change` to its signals if it was not so before.
    fn judge(&mut self, target: u32, judging: Judging, change: impl Fn(&mut Self, u32)) {
        let Some((head, _)) = self.targets.get_mut(target) else {
            return;
        };
        if core::mem::replace(&mut head.judging, judging) == judging {
            return;
        }
        let slots: Vec<u32> = self.signals.chain(head.first).collect();
        for slot in slots {
            self.signals.records[slot as usize].streak = 0;
            change(self, slot);
        }
    }

    /// Changes the target's status if its signals say so, with its worst signal as the reason.
    fn turn_if_changed(&mut self, target: u32, cause: Cause) -> Option<Status> {
        let head = self.targets.get(target)?;
        let (before, to) = (head.status, self.worst(target));
        if before == to {
            return None;
        }
        let chain = self.signals.chain(head.first);
        let worst = chain.max_by_key(|&slot| {
            let status = self.signals.records[slot as usize].standing.status();
            // The first of equals.
            (status.severity(), core::cmp::Reverse(slot))
        })?;
        let why = Why {
            at: self.now,
            cause,
            before: self.signals.records[worst as usize].state.last_arrival(),
        };
        self.turn(target, worst, why);
        Some(to)
    }

    fn add_signal(&mut self, target: u32, signal: &Signal, judging: Judging) -> u32 {
        let kind = self.kinds.take(signal);
        let state = DetectorState::new(signal.config.detector());
        let slot = self.signals.add(target, kind, state);
        self.schedule.make_room(slot);
        match judging {
            Judging::Running => self.begin_grace(slot),
            Judging::Paused => self.signals.records[slot as usize].standing = Standing::Paused,
            Judging::Resting => self.signals.records[slot as usize].standing = Standing::Resting,
        }
        slot
    }

    fn begin_grace(&mut self, slot: u32) {
        if let Some(words) = self.signals.words(slot) {
            self.signals.records[slot as usize].standing = Standing::Told(words.verdict);
            self.set_due(slot, Instant::FAR_FUTURE);
            return;
        }
        self.signals.records[slot as usize].standing = Standing::Awaited;
        let grace = self.kind(slot).config.grace();
        self.set_due(slot, self.now.after(grace));
    }

    fn remove_signal(&mut self, slot: u32) {
        let kind = self.signals.records[slot as usize].kind;
        let empty = DetectorState::new(self.kinds[kind].config.detector());
        self.schedule.clear(slot);
        self.signals.remove(slot, empty);
        self.kinds.release(kind);
    }

    fn slot(&self, id: &TargetId) -> Result<u32, Refusal> {
        self.targets
            .find(id)
            .ok_or_else(|| Refusal::UnknownTarget(id.clone()))
    }
}

fn check(target: &Target) -> Result<(), Refusal> {
    let (signals, labels) = (&target.signals, target.labels.len());
    if signals.is_empty() || signals.len() > SIGNALS_PER_TARGET_MAX {
        let found = signals.len();
        return Err(Refusal::SignalCount { found });
    }
    if labels > LABELS_PER_TARGET_MAX {
        return Err(Refusal::TooManyLabels { found: labels });
    }
    for (place, signal) in signals.iter().enumerate() {
        if signals[..place]
            .iter()
            .any(|other| other.name == signal.name)
        {
            return Err(Refusal::DuplicateSignal(signal.name.clone()));
        }
    }
    Ok(())
}
