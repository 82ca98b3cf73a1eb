//! What the machine counts of its own work.

use super::event::Rejection;
use super::input::Wake;
use super::status::Status;

/// Counts since the machine was made, and what it holds at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Arrivals that were taken.
    pub arrivals: u64,
    /// Failed checks that were taken.
    pub failures: u64,
    /// Calls with a time before that of an earlier call.
    pub clock_regressions: u64,
    /// Times that the process did not run when it should have.
    pub stalls: u64,
    /// Times that the observer suspected itself.
    pub mass_guards: u64,
    /// Times that a sender's new rhythm was learnt anew.
    pub relearnt: u64,
    /// Targets watched at present.
    pub targets: usize,
    /// Signals watched at present.
    pub signals: usize,
    /// Targets that are flapping at present.
    pub flapping: usize,
    rejections: [u64; Rejection::ALL.len()],
    wakes: [u64; Wake::ALL.len()],
    transitions: [[u64; Status::ALL.len()]; Status::ALL.len()],
}

impl Counters {
    /// Arrivals and failed checks that were not taken for this reason.
    #[must_use]
    pub const fn rejections(&self, reason: Rejection) -> u64 {
        self.rejections[reason as usize]
    }

    /// Times that the machine was called at or after the moment it had asked for with this reason.
    #[must_use]
    pub const fn wakes(&self, reason: Wake) -> u64 {
        self.wakes[reason as usize]
    }

    /// Changes of a target's status from one to the other.
    #[must_use]
    pub const fn transitions(&self, from: Status, to: Status) -> u64 {
        self.transitions[from as usize][to as usize]
    }

    pub(super) const fn count_rejection(&mut self, reason: Rejection) {
        self.rejections[reason as usize] += 1;
    }

    pub(super) const fn count_wake(&mut self, reason: Wake) {
        self.wakes[reason as usize] += 1;
    }

    pub(super) const fn count_transition(&mut self, from: Status, to: Status) {
        self.transitions[from as usize][to as usize] += 1;
    }
}
