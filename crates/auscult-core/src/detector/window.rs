//! The last intervals, with their exact moments: O(1) per interval, no cancellation, no allocation.
//!
//! Intervals are kept as whole ticks in a `u32`, and their sum and sum of squares as integers, so nothing is
//! ever lost or accumulated by rounding: the moments are those of the intervals in the ring, however many
//! millions passed through it. A tick is 1 µs, which holds 71 minutes; at the first interval beyond that the
//! whole window becomes coarser, with ticks of 1 ms, which hold 49 days. Longer intervals count as 49 days.

use alloc::boxed::Box;
use alloc::vec;

/// Nanoseconds of one unit of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// 1 µs.
    Micro,
    /// 1 ms.
    Milli,
}

impl Tick {
    /// The finest tick in which an interval of `nanos` fits.
    const fn for_interval(nanos: u64) -> Self {
        if nanos / 1_000 < u32::MAX as u64 {
            Self::Micro
        } else {
            Self::Milli
        }
    }

    pub(super) const fn nanos(self) -> u64 {
        match self {
            Self::Micro => 1_000,
            Self::Milli => 1_000_000,
        }
    }

    /// The nearest number of ticks, saturating.
    fn round(self, nanos: u64) -> u32 {
        let ticks = match self {
            Self::Micro => nanos.saturating_add(500) / 1_000,
            Self::Milli => nanos.saturating_add(500_000) / 1_000_000,
        };
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

/// Number, sum and sum of squares of some `u32`s, exactly.
///
/// Invariant: at most 65,536 of them, so the sum is below 2^48 and the sum of squares below 2^80.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moments {
    sum: u64,
    squares_low: u64,
    squares_high: u32,
    samples: u32,
}

impl Moments {
    pub(super) const fn samples(self) -> u32 {
        self.samples
    }

    pub(super) fn add(&mut self, value: u32) {
        self.samples += 1;
        self.replace(0, value);
    }

    /// Takes `old` out and `new` in.
    #[inline]
    pub(super) fn replace(&mut self, old: u32, new: u32) {
        self.sum = self.sum - u64::from(old) + u64::from(new);
        let squares = u128::from(self.squares_high) << 64 | u128::from(self.squares_low);
        let squares = squares + u128::from(square(new)) - u128::from(square(old));
        self.squares_low = squares as u64;
        self.squares_high = (squares >> 64) as u32;
    }

    /// Mean and population standard deviation, in the unit of the values. Zeros when there are none.
    #[inline]
    pub(super) fn mean_and_deviation(self) -> (f64, f64) {
        let samples = f64::from(self.samples.max(1));
        let n = u128::from(self.samples);
        // n * squares - sum^2 = n^2 * variance, below 2^96 and exact: this is where floats cancel.
        let squares =
            u128::from(self.squares_low) * n + ((u128::from(self.squares_high) * n) << 64);
        let spread = squares - u128::from(self.sum) * u128::from(self.sum);
        // The upper half has at most 32 bits, so both halves convert without a call.
        let spread = f64::from((spread >> 64) as u32) * TWO_POW_64 + (spread as u64) as f64;
        (self.sum as f64 / samples, libm::sqrt(spread) / samples)
    }
}

const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

const fn square(value: u32) -> u64 {
    value as u64 * value as u64
}

/// A ring of intervals.
#[derive(Clone, Debug)]
pub(super) struct Window {
    ring: Box<[u32]>,
    moments: Moments,
    next: u32,
    /// How many of the intervals in the ring were assumed, not measured.
    assumed: u8,
    tick: Tick,
}

impl Window {
    /// An empty window, without memory: there was no arrival.
    pub(super) fn unallocated() -> Self {
        Self {
            ring: Box::default(),
            moments: Moments::default(),
            next: 0,
            assumed: 0,
            tick: Tick::Micro,
        }
    }

    /// Forgets everything and assumes two intervals, a quarter below and a quarter above `estimate`
    /// nanoseconds, so that the mean is the estimate and the deviation a quarter of it.
    pub(super) fn assume(&mut self, len: usize, estimate: u64) {
        if self.ring.len() != len {
            self.ring = vec![0; len].into_boxed_slice();
        }
        self.moments = Moments::default();
        self.next = 0;
        self.assumed = 0;
        let quarter = estimate / 4;
        self.tick = Tick::for_interval(estimate.saturating_add(quarter));
        self.push(estimate - quarter);
        self.push(estimate.saturating_add(quarter));
        self.assumed = self.moments.samples as u8;
    }

    /// Takes an interval in nanoseconds.
    #[inline]
    pub(super) fn push(&mut self, nanos: u64) {
        let mut ticks = self.tick.round(nanos);
        if ticks == u32::MAX && self.tick == Tick::Micro {
            self.coarsen();
            ticks = self.tick.round(nanos);
        }
        let len = self.ring.len() as u32;
        let Some(slot) = self.ring.get_mut(self.next as usize) else {
            return;
        };
        if self.moments.samples < len {
            self.moments.add(ticks);
        } else {
            self.moments.replace(*slot, ticks);
            self.assumed = self.assumed.saturating_sub(1);
        }
        *slot = ticks;
        self.next += 1;
        if self.next == len {
            self.next = 0;
        }
    }

    /// Mean and population standard deviation in nanoseconds.
    #[inline]
    pub(super) fn mean_and_deviation(&self) -> (f64, f64) {
        let (mean, deviation) = self.moments.mean_and_deviation();
        let tick = self.tick.nanos() as f64;
        (mean * tick, deviation * tick)
    }

    pub(super) const fn samples(&self) -> u32 {
        self.moments.samples()
    }

    /// The intervals in nanoseconds, newest first, without those that were only assumed.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = u64> + use<'_> {
        let measured = self.moments.samples as usize - usize::from(self.assumed);
        let (before, after) = self.ring.split_at(self.next as usize);
        let tick = self.tick.nanos();
        let ticks = before.iter().rev().chain(after.iter().rev());
        ticks
            .take(measured)
            .map(move |&ticks| u64::from(ticks) * tick)
    }

    /// All intervals in ticks, in no order, and the nanoseconds of a tick.
    pub(super) fn ticks(&self) -> (&[u32], u64) {
        let filled = self.moments.samples as usize;
        (&self.ring[..filled], self.tick.nanos())
    }

    /// The memory that the next interval will go to.
    pub(super) fn next_slot(&self) -> u32 {
        self.ring.get(self.next as usize).copied().unwrap_or(0)
    }

    #[cold]
    fn coarsen(&mut self) {
        self.tick = Tick::Milli;
        let filled = self.moments.samples as usize;
        self.moments = Moments::default();
        for ticks in &mut self.ring[..filled] {
            *ticks = Tick::Milli.round(u64::from(*ticks) * 1_000);
            self.moments.add(*ticks);
        }
    }
}
