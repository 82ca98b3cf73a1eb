//! The phase of a regular sender: how far its arrivals lie, on average, behind where they would be
//! if each had come exactly one interval after the one before.
//!
//! For arrival A with number s and interval eta, the offset is `A - eta s`. Only differences of
//! offsets are kept, in ticks of 1,024 ns (a power of two, so that they are exact even where `eta
//! s` wraps around), and the sum over the window is kept relative to the newest. Nothing grows with
//! time.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// The offsets of the last arrivals, relative to the newest one.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    /// For each arrival the difference to the offset before it, as `i32` bits.
    steps: Box<[u32]>,
    /// Sum of all offsets, each less the newest.
    behind: i64,
    /// The newest offset less the oldest.
    span: i32,
    next: u16,
    /// Arrivals in the window, less one: there is always one after the first heartbeat.
    others: u16,
}

impl Phase {
    /// No arrival yet, and no memory.
    pub(super) fn unallocated() -> Self {
        Self {
            steps: Box::default(),
            behind: 0,
            span: 0,
            next: 0,
            others: 0,
        }
    }

    /// Forgets everything but the arrival that has just come.
    pub(super) fn begin(&mut self, len: usize) {
        if self.steps.len() != len {
            self.steps = vec![0; len].into_boxed_slice();
        }
        self.behind = 0;
        self.span = 0;
        self.others = 0;
        self.next = self.successor(0);
    }

    /// Takes an arrival whose offset is `step` ticks above the newest one. A step or a drift of
    /// more than 36 minutes is no jitter: the estimate then begins anew with this arrival.
    pub(super) fn push(&mut self, step: i64) {
        let spanned = i32::try_from(i64::from(self.span).saturating_add(step));
        let (Ok(step), Ok(span)) = (i32::try_from(step), spanned) else {
            self.begin(self.steps.len());
            return;
        };
        let slot = usize::from(self.next);
        if slot >= self.steps.len() {
            return;
        }
        self.behind -= i64::from(self.samples()) * i64::from(step);
        self.span = span;
        self.steps[slot] = step as u32;
        self.next = self.successor(slot);
        if self.samples() < self.steps.len() as u32 {
            self.others += 1;
            return;
        }
        // The oldest leaves; the span begins at the one after it.
        self.behind += i64::from(self.span);
        let leaves = self.steps[usize::from(self.next)] as i32;
        match self.span.checked_sub(leaves) {
            Some(span) => self.span = span,
            None => self.begin(self.steps.len()),
        }
    }

    /// How far the mean offset lies above the newest, in nanoseconds; below when negative.
    pub(super) fn mean_above_newest(&self) -> f64 {
        self.behind as f64 / f64::from(self.samples()) * TICK_NANOS
    }

    pub(super) const fn samples(&self) -> u32 {
        self.others as u32 + 1
    }

    /// The slot that the next arrival goes to.
    pub(super) fn next_slot(&self) -> u32 {
        self.steps.get(usize::from(self.next)).copied().unwrap_or(0)
    }

    /// The differences as words, the newest first.
    pub(super) fn words(&self) -> Vec<u64> {
        let len = self.steps.len();
        let next = usize::from(self.next);
        let back = |n: usize| self.steps[(next + len - 1 - n) % len];
        (0..usize::from(self.others))
            .map(|n| u64::from(back(n)))
            .collect()
    }

    /// A phase over `len` arrivals from its words; `None` where they are not those of one.
    pub(super) fn from_words(len: usize, words: &[u64]) -> Option<Self> {
        let mut phase = Self::unallocated();
        phase.begin(len);
        if words.len() >= len.max(1) {
            return None;
        }
        for &step in words.iter().rev() {
            let step = u32::try_from(step).ok()?.cast_signed();
            phase.push(i64::from(step));
        }
        // One that began anew meanwhile cannot have been.
        (usize::from(phase.others) == words.len()).then_some(phase)
    }

    fn successor(&self, slot: usize) -> u16 {
        let next = slot + 1;
        if next >= self.steps.len() {
            0
        } else {
            next as u16
        }
    }
}

/// The difference of two offsets in ticks. `at` are arrivals in nanoseconds with their numbers.
pub(super) fn step(
    (before_at, before): (u64, u64),
    (at, number): (u64, u64),
    interval: u64,
) -> i64 {
    let ticks =
        |at: u64, number: u64| at.wrapping_sub(interval.wrapping_mul(number)) as i64 >> TICK_BITS;
    // Differences are exact modulo 2^54, so the upper bits are those of the sign.
    let step = ticks(at, number).wrapping_sub(ticks(before_at, before));
    (step << TICK_BITS) >> TICK_BITS
}

const TICK_BITS: u32 = 10;
pub(super) const TICK_NANOS: f64 = (1_u64 << TICK_BITS) as f64;
