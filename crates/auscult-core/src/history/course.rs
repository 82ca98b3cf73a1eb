//! The course of one target: its status from moment to moment, cut into roll-ups.

use super::resolution::Resolution;
use super::rollup::{Figure, Rollup};
use crate::monitor::Status;

/// What is known of a target up to a moment, and not yet given away as a roll-up.
#[derive(Clone, Debug)]
pub struct Course {
    status: Status,
    /// Everything before it is accounted for.
    until_ms: u64,
    open: Rollup,
}

impl Course {
    /// A target that has this status from `at_ms` on. Before it, it was not watched.
    #[must_use]
    pub fn new(at_ms: u64, status: Status) -> Self {
        Self {
            status,
            until_ms: at_ms,
            open: Rollup::default(),
        }
    }

    /// The status that it has by now.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Takes it that the status is `to` from `at_ms` on. What is told too late, for a moment that
    /// is accounted for already, holds from the end of that on.
    pub fn pass(
        &mut self,
        at_ms: u64,
        to: Status,
        length: Resolution,
        out: &mut impl FnMut(u64, Rollup),
    ) {
        self.advance(at_ms, length, out);
        if to == self.status {
            return;
        }
        self.open.transitions += 1;
        self.open.failures += u64::from(to == Status::Down);
        self.open.recoveries += u64::from(self.status == Status::Down);
        self.status = to;
    }

    /// Takes the status for granted, as one that is not known to have changed at any one moment.
    pub fn assume(
        &mut self,
        at_ms: u64,
        status: Status,
        length: Resolution,
        out: &mut impl FnMut(u64, Rollup),
    ) {
        self.advance(at_ms, length, out);
        self.status = status;
    }

    /// Notes how long the silence was that it was called down for.
    pub fn detected(&mut self, after_ms: u64) {
        self.open.detection.add(&Figure::of(after_ms));
    }

    /// Notes a level, in thousandths.
    pub fn saw_level(&mut self, level: u64) {
        self.open.level.add(&Figure::of(level));
    }

    /// Notes arrivals, and how long checks took.
    pub fn heard(&mut self, arrivals: u64, latency: &Figure) {
        self.open.arrivals = self.open.arrivals.saturating_add(arrivals);
        self.open.latency.add(latency);
    }

    /// Lets time pass until `until_ms`, and gives each roll-up away that ends by then, with its
    /// beginning.
    pub fn advance(
        &mut self,
        until_ms: u64,
        length: Resolution,
        out: &mut impl FnMut(u64, Rollup),
    ) {
        while self.until_ms < until_ms {
            let start = length.floor(self.until_ms);
            let end = start.saturating_add(length.millis()).max(self.until_ms + 1);
            let stop = end.min(until_ms);
            let span = &mut self.open.spans_ms[usize::from(self.status.severity())];
            *span = span.saturating_add(stop - self.until_ms);
            self.until_ms = stop;
            if stop == end {
                out(start, core::mem::take(&mut self.open));
            }
        }
    }

    /// Ends it: what is open is given away, too.
    pub fn finish(mut self, at_ms: u64, length: Resolution, out: &mut impl FnMut(u64, Rollup)) {
        self.flush(at_ms, length, out);
    }

    /// Gives away what is open as well, and goes on: what follows is added to it by whoever keeps
    /// it.
    pub fn flush(&mut self, at_ms: u64, length: Resolution, out: &mut impl FnMut(u64, Rollup)) {
        self.advance(at_ms, length, out);
        if !self.open.is_empty() {
            out(length.floor(self.until_ms), core::mem::take(&mut self.open));
        }
    }
}
