//! The last intervals, with their exact moments: O(1) per interval, no cancellation, no allocation.
//!
//! Intervals are kept as whole ticks in a `u32`, and their sum and sum of squares as integers, so
//! nothing is ever lost or accumulated by rounding: the moments are those of the intervals in the
//! ring, however many millions passed through it. A tick is 1 µs, which holds 71 minutes; at the
//! first interval beyond that the whole window becomes coarser, with ticks of 1 ms, which hold 49
//! days. Longer intervals count as 49 days.

use alloc::boxed::Box;
use alloc::vec;

/// Memory for the intervals of a window, owned or shared.
pub(super) trait Slots {
    fn len(&self) -> usize;
    /// The value at `index`, or 0 beyond the end.
    fn get(&self, index: usize) -> u32;
    /// Writes the value at `index`, which is below the length.
    fn set(&mut self, index: usize, value: u32);
    /// The values from `from` up to `to`, both at most the length.
    fn range(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = u32>;
}

impl Slots for Box<[u32]> {
    fn len(&self) -> usize {
        <[u32]>::len(self)
    }

    #[inline]
    fn get(&self, index: usize) -> u32 {
        <[u32]>::get(self, index).copied().unwrap_or(0)
    }

    #[inline]
    fn set(&mut self, index: usize, value: u32) {
        self[index] = value;
    }

    fn range(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = u32> {
        self[from..to].iter().copied()
    }
}

/// Nanoseconds of one unit of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// 1 µs.
    Micro,
    /// 1 ms.
    Milli,
}

impl Tick {
    pub(super) const fn nanos(self) -> u64 {
        match self {
            Self::Micro => 1_000,
            Self::Milli => 1_000_000,
        }
    }
}

/// Number, sum and sum of squares of some `u32`s, exactly.
///
/// Invariant: at most 65,536 of them, so the sum is below 2^48 and the sum of squares below 2^80.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moments {
    pub(super) sum: u64,
    pub(super) squares_low: u64,
    pub(super) squares_high: u32,
    pub(super) samples: u32,
}

impl Moments {
    const EMPTY: Self = Self {
        sum: 0,
        squares_low: 0,
        squares_high: 0,
        samples: 0,
    };

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

    /// Mean and population standard deviation, in the unit of the values. Zeros when there are
    /// none.
    #[inline]
    pub(super) fn mean_and_deviation(self) -> (f64, f64) {
        // One division, and off the path that ends in the square root.
        let per_sample = 1.0 / f64::from(self.samples.max(1));
        let n = u128::from(self.samples);
        // n * squares - sum^2 = n^2 * variance, below 2^96 and exact: this is where floats cancel.
        let squares =
            u128::from(self.squares_low) * n + ((u128::from(self.squares_high) * n) << 64);
        let spread = squares - u128::from(self.sum) * u128::from(self.sum);
        // Signed halves convert in one instruction each.
        let upper = (spread >> HALF_BITS) as i64 as f64;
        let lower = (spread as i64 & (HALF - 1)) as f64;
        let deviation = libm::sqrt(upper * HALF as f64 + lower) * per_sample;
        (self.sum as i64 as f64 * per_sample, deviation)
    }
}

const HALF_BITS: u32 = 48;
const HALF: i64 = 1 << HALF_BITS;

const fn square(value: u32) -> u64 {
    value as u64 * value as u64
}

/// A ring of intervals.
#[derive(Clone, Debug)]
pub(super) struct Window<S = Box<[u32]>> {
    ring: S,
    header: Header,
}

/// All of a window but the intervals themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) moments: Moments,
    pub(super) next: u32,
    /// How many of the intervals in the ring were assumed, not measured.
    pub(super) assumed: u8,
    pub(super) tick: Tick,
}

impl Header {
    pub(super) const EMPTY: Self = Self {
        moments: Moments::EMPTY,
        next: 0,
        assumed: 0,
        tick: Tick::Micro,
    };

    /// The header as words that can be stored one by one.
    #[cfg(target_has_atomic = "64")]
    pub(super) fn to_words(self) -> [u64; 4] {
        let Moments {
            sum,
            squares_low,
            squares_high,
            samples,
        } = self.moments;
        let coarse = match self.tick {
            Tick::Micro => 0,
            Tick::Milli => 1 << 8,
        };
        let counts = u64::from(squares_high) << 32 | u64::from(samples);
        let place = u64::from(self.next) << 32 | coarse | u64::from(self.assumed);
        [sum, squares_low, counts, place]
    }

    /// The inverse of [`to_words`](Self::to_words).
    #[cfg(target_has_atomic = "64")]
    pub(super) const fn from_words([sum, squares_low, counts, place]: [u64; 4]) -> Self {
        Self {
            moments: Moments {
                sum,
                squares_low,
                squares_high: (counts >> 32) as u32,
                samples: counts as u32,
            },
            next: (place >> 32) as u32,
            assumed: place as u8,
            tick: match place >> 8 & 1 {
                0 => Tick::Micro,
                _ => Tick::Milli,
            },
        }
    }
}

impl Window {
    /// An empty window, without memory: there was no arrival.
    pub(super) fn unallocated() -> Self {
        Self::over(Box::default(), Header::EMPTY)
    }

    /// Takes memory for `len` intervals, unless there is.
    pub(super) fn allocate(&mut self, len: usize) {
        if self.ring.len() != len {
            self.ring = vec![0; len].into_boxed_slice();
        }
    }
}

impl<S: Slots> Window<S> {
    /// A window over this memory.
    pub(super) const fn over(ring: S, header: Header) -> Self {
        Self { ring, header }
    }

    #[cfg(target_has_atomic = "64")]
    pub(super) const fn header(&self) -> Header {
        self.header
    }

    /// Forgets everything and assumes two intervals, a quarter below and a quarter above `estimate`
    /// nanoseconds, so that the mean is the estimate and the deviation a quarter of it.
    pub(super) fn assume(&mut self, estimate: u64) {
        let quarter = estimate / 4;
        self.header = Header::EMPTY;
        self.push(estimate - quarter);
        self.push(estimate.saturating_add(quarter));
        self.header.assumed = self.header.moments.samples() as u8;
    }

    /// Takes an interval in nanoseconds.
    #[inline]
    pub(super) fn push(&mut self, nanos: u64) {
        let ticks = if self.header.tick == Tick::Micro && nanos <= MICRO_NANOS_MAX {
            ((nanos + 500) / 1_000) as u32
        } else {
            self.coarse(nanos)
        };
        let len = self.ring.len() as u32;
        let next = self.header.next;
        if next >= len {
            return;
        }
        if self.header.moments.samples < len {
            self.header.moments.add(ticks);
        } else {
            let oldest = self.ring.get(next as usize);
            self.header.moments.replace(oldest, ticks);
            self.header.assumed = self.header.assumed.saturating_sub(1);
        }
        self.ring.set(next as usize, ticks);
        self.header.next = if next + 1 == len { 0 } else { next + 1 };
    }

    /// The interval in ticks of 1 ms, which all intervals have from now on.
    #[cold]
    #[inline(never)]
    fn coarse(&mut self, nanos: u64) -> u32 {
        if self.header.tick == Tick::Micro {
            self.header.tick = Tick::Milli;
            let filled = self.samples() as usize;
            self.header.moments = Moments::EMPTY;
            for index in 0..filled {
                let millis = self.ring.get(index).saturating_add(500) / 1_000;
                self.ring.set(index, millis);
                self.header.moments.add(millis);
            }
        }
        u32::try_from(nanos.saturating_add(500_000) / 1_000_000).unwrap_or(u32::MAX)
    }

    /// Mean and population standard deviation in nanoseconds.
    #[inline]
    pub(super) fn mean_and_deviation(&self) -> (f64, f64) {
        let (mean, deviation) = self.header.moments.mean_and_deviation();
        let tick = self.header.tick.nanos() as f64;
        (mean * tick, deviation * tick)
    }

    pub(super) const fn samples(&self) -> u32 {
        self.header.moments.samples()
    }

    /// The intervals in nanoseconds, newest first, without those that were only assumed.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = u64> + use<'_, S> {
        let measured = self.samples() as usize - usize::from(self.header.assumed);
        let next = self.header.next as usize;
        let tick = self.header.tick.nanos();
        let newer = self.ring.range(0, next).rev();
        let older = self.ring.range(next, self.ring.len()).rev();
        newer
            .chain(older)
            .take(measured)
            .map(move |ticks| u64::from(ticks) * tick)
    }

    /// All intervals in ticks, in no order.
    pub(super) fn ticks(&self) -> impl Iterator<Item = u32> + use<'_, S> {
        self.ring.range(0, self.samples() as usize)
    }

    /// Nanoseconds of one tick.
    pub(super) const fn tick_nanos(&self) -> u64 {
        self.header.tick.nanos()
    }

    /// The memory that the next interval will go to.
    pub(super) fn next_slot(&self) -> u32 {
        self.ring.get(self.header.next as usize)
    }
}

/// The longest interval that fits in ticks of 1 µs.
const MICRO_NANOS_MAX: u64 = u32::MAX as u64 * 1_000;
