//! Making things outlive the process before anybody is told of them.
//!
//! There is one write at a time. What changes meanwhile waits for the next one, so a slow disk
//! makes writes larger and not more, and nothing grows without bound.

use alloc::collections::{BTreeSet, VecDeque};

use super::input::Output;
use super::key::AlertId;
use super::message::Message;
use super::record::Write;
use super::{Alerts, Timer, WRITE_PATIENCE};
use crate::id::SilenceName;
use crate::time::Instant;

/// What is not on the disk yet.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// Alerts that changed since they were last written.
    alerts: BTreeSet<AlertId>,
    /// Alerts that changed since others were last told.
    fresh: BTreeSet<AlertId>,
    /// Silences that changed since they were last written.
    pub(super) silences: BTreeSet<SilenceName>,
    /// The number of the last write that was asked for.
    number: u64,
    /// The write that is under way.
    current: Option<Current>,
    /// After a failure nothing is written before.
    retry_at: Option<Instant>,
    /// Messages with the number of the write that they wait for, in the order of the numbers.
    held: VecDeque<(u64, Message)>,
    /// Messages that were made in this call.
    pub(super) made: VecDeque<Message>,
}

#[derive(Debug)]
struct Current {
    alerts: BTreeSet<AlertId>,
    silences: BTreeSet<SilenceName>,
    /// When it is overdue.
    patience_until: Instant,
}

impl Writing {
    /// An alert changed.
    pub(super) fn note(&mut self, id: AlertId) {
        self.alerts.insert(id);
        self.fresh.insert(id);
    }

    /// The alerts that changed since this was asked for last.
    pub(super) fn take_fresh(&mut self) -> BTreeSet<AlertId> {
        core::mem::take(&mut self.fresh)
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.current.is_some()
    }

    /// Whether nothing waits for the next write.
    pub(super) fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.silences.is_empty()
    }

    /// Whether the disk does not take what it should.
    fn is_hindered(&self, now: Instant) -> bool {
        let overdue = |current: &Current| current.patience_until <= now;
        self.retry_at.is_some() || self.current.as_ref().is_some_and(overdue)
    }

    /// Messages that wait for the disk.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }
}

impl Alerts {
    /// What every call ends with: asks for a write if one is needed and none is under way, and
    /// hands out the messages that need not wait.
    pub(super) fn write(&mut self) {
        let (writing, now) = (&mut self.writing, self.now);
        // A message tells what was changed in this call at the latest: that is in the next write,
        // or in the one under way.
        let after = writing.number + u64::from(!writing.is_empty());
        let made = writing.made.drain(..);
        writing.held.extend(made.map(|message| (after, message)));
        if writing.current.is_none() && writing.retry_at.is_none() && !writing.is_empty() {
            self.ask_for_write();
        }
        if self.writing.is_hindered(now) {
            let held = self.writing.held.len() as u64;
            self.counters.unwritten += held;
            self.hand_out_until(u64::MAX);
        } else if self.writing.current.is_none() {
            self.hand_out_until(self.writing.number);
        }
    }

    fn ask_for_write(&mut self) {
        let writing = &mut self.writing;
        writing.number += 1;
        let alerts = core::mem::take(&mut writing.alerts);
        let silences = core::mem::take(&mut writing.silences);
        let rows = &self.rows;
        let alert = |&id: &AlertId| (id, rows.get(&id).map(|row| row.record.clone()));
        let silence = |name: &SilenceName| (name.clone(), self.silences.get(name).cloned());
        let write = Write {
            number: writing.number,
            alerts: alerts.iter().map(alert).collect(),
            silences: silences.iter().map(silence).collect(),
        };
        let patience_until = self.now.after(WRITE_PATIENCE);
        writing.current = Some(Current {
            alerts,
            silences,
            patience_until,
        });
        self.timers.insert((patience_until, Timer::Write));
        self.counters.writes += 1;
        self.outputs.push_back(Output::Write(write));
    }

    /// A write is on the disk.
    pub(super) fn take_written(&mut self, number: u64) {
        if self.finish_write(number).is_some() {
            self.hand_out_until(number);
        }
    }

    /// A write could not be made: what it held is written again, after a while.
    pub(super) fn take_not_written(&mut self, number: u64) {
        if let Some(current) = self.finish_write(number) {
            self.counters.writes_failed += 1;
            self.writing.alerts.extend(current.alerts);
            self.writing.silences.extend(current.silences);
            let retry_at = self.now.after(self.config.write_retry);
            self.writing.retry_at = Some(retry_at);
            self.timers.insert((retry_at, Timer::Write));
        }
    }

    fn finish_write(&mut self, number: u64) -> Option<Current> {
        if number != self.writing.number {
            return None;
        }
        let current = self.writing.current.take()?;
        self.timers.remove(&(current.patience_until, Timer::Write));
        Some(current)
    }

    /// A write is overdue, or is to be tried again; [`write`](Self::write) does the rest.
    pub(super) fn on_write_timer(&mut self) {
        if self.writing.retry_at.is_some_and(|at| at <= self.now) {
            self.writing.retry_at = None;
        }
    }

    fn hand_out_until(&mut self, number: u64) {
        while self
            .writing
            .held
            .front()
            .is_some_and(|(after, _)| *after <= number)
        {
            let Some((_, message)) = self.writing.held.pop_front() else {
                return;
            };
            let overdue = self
                .now
                .after(message.timeout)
                .after(super::sending::ANSWER_PATIENCE);
            if let Some(in_flight) = self.messages.get_mut(&message.number) {
                in_flight.overdue = Some(overdue);
                self.timers
                    .insert((overdue, Timer::Overdue(message.number)));
            }
            self.counters.messages += 1;
            self.outputs.push_back(Output::Send(message));
        }
    }
}
