//! What must always be true of the machine: for tests and simulations, as it looks at everything.

use super::Monitor;
use super::deaf::Hearing;
use super::signals::Standing;
use super::status::Status;
use super::targets::Judging;
use crate::time::Instant;

impl Monitor {
    /// Proves that the parts of the machine agree with each other. Looks at every signal.
    ///
    /// # Panics
    /// When they do not, which is a bug of the machine.
    pub fn check_invariants(&self) {
        self.schedule.check_invariants();
        self.deaf.check_invariants();
        self.check_targets();
        self.check_signals();
        assert_eq!(self.kinds.users(), self.signals.len());
        let listening = self.hearing == Hearing::Listening;
        let wake = self.wake.map_or(Instant::FAR_FUTURE, |(at, _)| at);
        assert!(wake > self.now, "what is due now is done");
        if listening {
            let chore = self.next_chore().map_or(Instant::FAR_FUTURE, |(at, _)| at);
            assert!(
                chore >= wake,
                "a chore at {chore} before the wake-up at {wake}"
            );
        }
    }

    fn check_targets(&self) {
        let (mut targets, mut signals, mut flapping) = (0, 0, 0);
        for slot in 0..self.targets.slots() as u32 {
            let (Some(head), Some(id)) = (self.targets.get(slot), self.targets.id(slot)) else {
                continue;
            };
            targets += 1;
            assert_eq!(self.targets.find(id), Some(slot));
            assert_eq!(self.worst(slot), head.status, "{id}");
            let course = self.targets.course(slot);
            assert!(course.since <= self.now);
            let paused = head.judging == Judging::Paused;
            assert_eq!(paused, head.status == Status::Paused);
            if self.targets.is_flapping(slot) {
                flapping += 1;
                let steady_at = course.flap.steady_at(course.since);
                assert!(self.steady.contains(&(steady_at, slot)));
            }
            for signal in self.signals.chain(head.first) {
                signals += 1;
                assert_eq!(self.signals.target(signal), slot);
                let signal = &self.signals.records[signal as usize];
                assert_ne!(signal.standing, Standing::Vacant);
                let standing = match signal.standing {
                    Standing::Paused => Judging::Paused,
                    Standing::Resting => Judging::Resting,
                    Standing::Vacant
                    | Standing::Awaited
                    | Standing::Up
                    | Standing::Late
                    | Standing::Down
                    | Standing::Held
                    | Standing::Told(_) => Judging::Running,
                };
                assert_eq!(standing, head.judging, "{}: {:?}", id, signal.standing);
            }
        }
        assert_eq!(flapping, self.steady.len());
        assert_eq!(flapping, self.counters.flapping);
        assert_eq!((targets, signals), (self.targets.len(), self.signals.len()));
        assert_eq!(
            (targets, signals),
            (self.counters.targets, self.counters.signals)
        );
    }

    fn check_signals(&self) {
        let wake = self.wake.map_or(Instant::FAR_FUTURE, |(at, _)| at);
        for (slot, record) in self.signals.records.iter().enumerate() {
            let slot = slot as u32;
            let due = self.schedule.due(slot);
            assert_eq!(record.failed, self.signals.failure(slot).is_some());
            match record.standing {
                Standing::Awaited => {
                    let heard = record.state.last_arrival().is_some();
                    assert!(heard || due != Instant::FAR_FUTURE);
                }
                Standing::Up | Standing::Late => assert!(record.state.last_arrival().is_some()),
                Standing::Told(_) => assert!(self.signals.words(slot).is_some()),
                Standing::Held => assert!(self.guard.suspects() || self.fault_is_ours(slot)),
                Standing::Down => {}
                Standing::Paused | Standing::Resting | Standing::Vacant => {
                    assert_eq!(due, Instant::FAR_FUTURE);
                }
            }
            if self.hearing == Hearing::Listening {
                assert!(due >= wake, "signal {slot} is due before the wake-up");
                assert_eq!(
                    due,
                    self.due_of(slot),
                    "signal {slot} {:?}",
                    record.standing
                );
            }
        }
    }
}
