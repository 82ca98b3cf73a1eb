//! The stall guard: no verdict for a time in which nobody listened.

use super::Monitor;
use super::deaf::Hearing;
use super::event::{EventKind, Output};
use super::input::Wake;
use super::signals::Standing;
use crate::time::Instant;

impl Monitor {
    /// The process did not run since the last call, until `now`.
    #[cold]
    pub(super) fn stop_listening(&mut self, now: Instant) {
        let since = match self.hearing {
            Hearing::Listening => self.now,
            // Stalled again while it was to read: that reading was not complete.
            Hearing::Draining { since, .. } => since,
        };
        self.counters.stalls += 1;
        self.deaf.add(since, now);
        let answer_by = now.after(self.config.stall_tolerance);
        self.hearing = Hearing::Draining {
            since,
            until: now,
            answer_by,
        };
        // An answer that never comes must not keep the machine from judging.
        self.wake = Some((answer_by, Wake::Drain));
        self.outputs.push_back(Output::Drain);
    }

    /// What was queued has been read, or nobody reads it.
    pub(super) fn resume_listening(&mut self) {
        let Hearing::Draining { since, until, .. } = self.hearing else {
            return;
        };
        self.hearing = Hearing::Listening;
        let span = until.since(since);
        self.say(until, EventKind::Stalled { since, span });
        for slot in 0..self.signals.records.len() as u32 {
            self.postpone(slot, since, until);
        }
        // Look at once: much may be due.
        self.wake = Some((self.now, Wake::Drain));
    }

    /// Moves the due moment of a signal by the deaf time in its silence.
    fn postpone(&mut self, slot: u32, since: Instant, until: Instant) {
        let due = self.schedule.due(slot);
        if due == Instant::FAR_FUTURE {
            return;
        }
        let due = match self.signals.records[slot as usize].standing {
            // A grace began before the stall, or after its end.
            Standing::Awaited if due > since => due.after(until.since(since)),
            Standing::Awaited => due,
            Standing::Up
            | Standing::Late
            | Standing::Down
            | Standing::Held
            | Standing::Paused
            | Standing::Resting
            | Standing::Told(_)
            | Standing::Vacant => self.due_of(slot),
        };
        self.set_due(slot, due);
    }
}
