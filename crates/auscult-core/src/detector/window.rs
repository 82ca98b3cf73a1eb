//! The last intervals, with their exact moments: O(1) per interval, no cancellation, no allocation.
//!
//! Intervals are kept as whole ticks in a `u32`, and their sum and sum of squares as integers, so
//! nothing is ever lost or accumulated by rounding: the moments are those of the intervals in the
//! ring, however many millions passed through it. A tick is 1 µs, which holds 71 minutes; at the
//! first interval beyond that the whole window becomes coarser, with ticks of 1 ms, which hold 49
//! days. Longer intervals count as 49 days.
//!
//! The moments stand in front of the intervals, in one block of memory: what a signal itself keeps
//! of its window is the pointer and the place in it, and a heartbeat reads the block in two places
//! that do not wait for each other.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Memory for the intervals of a window and their moments, owned or shared.
pub(super) trait Slots {
    /// How many intervals there is room for.
    fn len(&self) -> usize;
    /// The interval at `index`, or 0 beyond the end.
    fn get(&self, index: usize) -> u32;
    /// Writes the interval at `index`, which is below the length.
    fn set(&mut self, index: usize, value: u32);
    /// The intervals from `from` up to `to`, both at most the length.
    fn range(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = u32>;
    fn moments(&self) -> Moments;
    fn set_moments(&mut self, moments: Moments);
}

/// A block of memory of its own: the moments, then the intervals. Empty before it is allocated.
#[derive(Clone, Debug, Default)]
pub(super) struct Block(Box<[u32]>);

impl Block {
    fn new(len: usize) -> Self {
        Self(vec![0; MOMENTS_WORDS + len].into_boxed_slice())
    }

    #[inline]
    fn intervals(&self) -> &[u32] {
        self.0.get(MOMENTS_WORDS..).unwrap_or(&[])
    }
}

impl Slots for Block {
    #[inline]
    fn len(&self) -> usize {
        self.0.len().saturating_sub(MOMENTS_WORDS)
    }

    #[inline]
    fn get(&self, index: usize) -> u32 {
        self.0.get(MOMENTS_WORDS + index).copied().unwrap_or(0)
    }

    #[inline]
    fn set(&mut self, index: usize, value: u32) {
        self.0[MOMENTS_WORDS + index] = value;
    }

    fn range(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = u32> {
        self.intervals()[from..to].iter().copied()
    }

    #[inline]
    fn moments(&self) -> Moments {
        self.0
            .first_chunk()
            .map_or(Moments::EMPTY, |&words| Moments::from_words(words))
    }

    #[inline]
    fn set_moments(&mut self, moments: Moments) {
        if let Some(words) = self.0.first_chunk_mut() {
            *words = moments.to_words();
        }
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
    sum: u64,
    squares_low: u64,
    squares_high: u32,
    samples: u32,
}

impl Moments {
    const EMPTY: Self = Self {
        sum: 0,
        squares_low: 0,
        squares_high: 0,
        samples: 0,
    };

    /// The moments as words of a block.
    #[inline]
    const fn to_words(self) -> [u32; MOMENTS_WORDS] {
        [
            self.sum as u32,
            (self.sum >> 32) as u32,
            self.squares_low as u32,
            (self.squares_low >> 32) as u32,
            self.squares_high,
            self.samples,
        ]
    }

    /// The inverse of [`to_words`](Self::to_words).
    #[inline]
    const fn from_words(words: [u32; MOMENTS_WORDS]) -> Self {
        let [
            sum,
            sum_above,
            squares,
            squares_above,
            squares_high,
            samples,
        ] = words;
        Self {
            sum: (sum_above as u64) << 32 | sum as u64,
            squares_low: (squares_above as u64) << 32 | squares as u64,
            squares_high,
            samples,
        }
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
///
/// The place comes first, so that the byte of its tick can also tell an enum of histories that it
/// is another one, and 20 bytes together remain for that.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Window<S = Block> {
    place: Place,
    slots: S,
}

/// Where a window is in its ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Place {
    /// The slot of the next interval. Below the length, which is at most 65,536.
    next: u16,
    /// How many of the intervals in the ring were assumed, not measured.
    assumed: u8,
    tick: Tick,
}

impl Place {
    const START: Self = Self {
        next: 0,
        assumed: 0,
        tick: Tick::Micro,
    };
}

/// All of a window but the intervals themselves.
#[cfg(target_has_atomic = "64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) moments: Moments,
    pub(super) place: Place,
}

#[cfg(target_has_atomic = "64")]
impl Header {
    /// The header as words that can be stored one by one.
    pub(super) fn to_words(self) -> [u64; 4] {
        let Moments {
            sum,
            squares_low,
            squares_high,
            samples,
        } = self.moments;
        let Place {
            next,
            assumed,
            tick,
        } = self.place;
        let coarse = match tick {
            Tick::Micro => 0,
            Tick::Milli => 1 << 8,
        };
        let counts = u64::from(squares_high) << 32 | u64::from(samples);
        let place = u64::from(next) << 32 | coarse | u64::from(assumed);
        [sum, squares_low, counts, place]
    }

    /// The inverse of [`to_words`](Self::to_words).
    pub(super) const fn from_words([sum, squares_low, counts, place]: [u64; 4]) -> Self {
        Self {
            moments: Moments {
                sum,
                squares_low,
                squares_high: (counts >> 32) as u32,
                samples: counts as u32,
            },
            place: Place {
                next: (place >> 32) as u16,
                assumed: place as u8,
                tick: match place >> 8 & 1 {
                    0 => Tick::Micro,
                    _ => Tick::Milli,
                },
            },
        }
    }
}

impl Window {
    /// An empty window, without memory: there was no arrival.
    pub(super) fn unallocated() -> Self {
        Self {
            place: Place::START,
            slots: Block::default(),
        }
    }

    /// All of it as words: the place, and the intervals in ticks by their slots.
    pub(super) fn words(&self) -> Vec<u64> {
        let Place {
            next,
            assumed,
            tick,
        } = self.place;
        let coarse = match tick {
            Tick::Micro => 0,
            Tick::Milli => 1 << 8,
        };
        let place = u64::from(next) << 32 | coarse | u64::from(assumed);
        let ticks = self.ticks().map(u64::from);
        core::iter::once(place).chain(ticks).collect()
    }

    /// A window of `len` intervals from its words; `None` where they are not those of one.
    pub(super) fn from_words(len: usize, words: &[u64]) -> Option<Self> {
        let (&place, ticks) = words.split_first()?;
        let assumed = place as u8;
        let next = usize::try_from(place >> 32).ok()?;
        // A ring that is not full is filled from its first slot on.
        let fits = if ticks.len() < len {
            next == ticks.len()
        } else {
            ticks.len() == len && next < len
        };
        if !fits || usize::from(assumed) > ticks.len() {
            return None;
        }
        let mut window = Self::unallocated();
        if ticks.is_empty() {
            return Some(window);
        }
        window.allocate(len);
        let mut moments = Moments::EMPTY;
        for (index, &tick) in ticks.iter().enumerate() {
            let tick = u32::try_from(tick).ok()?;
            window.slots.set(index, tick);
            moments.add(tick);
        }
        window.slots.set_moments(moments);
        window.place = Place {
            next: u16::try_from(next).ok()?,
            assumed,
            tick: match place >> 8 & 1 {
                0 => Tick::Micro,
                _ => Tick::Milli,
            },
        };
        Some(window)
    }

    /// Takes memory for `len` intervals, unless there is.
    pub(super) fn allocate(&mut self, len: usize) {
        if self.slots.len() != len {
            self.slots = Block::new(len);
        }
    }
}

impl<S: Slots> Window<S> {
    /// A window over this memory.
    #[cfg(target_has_atomic = "64")]
    pub(super) const fn over(slots: S, place: Place) -> Self {
        Self { place, slots }
    }

    #[cfg(target_has_atomic = "64")]
    pub(super) fn header(&self) -> Header {
        Header {
            moments: self.slots.moments(),
            place: self.place,
        }
    }

    /// Forgets everything and assumes two intervals, a quarter below and a quarter above `estimate`
    /// nanoseconds, so that the mean is the estimate and the deviation a quarter of it.
    pub(super) fn assume(&mut self, estimate: u64) {
        let quarter = estimate / 4;
        self.place = Place::START;
        self.slots.set_moments(Moments::EMPTY);
        self.push(estimate - quarter);
        self.push(estimate.saturating_add(quarter));
        self.place.assumed = self.samples() as u8;
    }

    /// Takes an interval in nanoseconds.
    #[inline]
    pub(super) fn push(&mut self, nanos: u64) {
        let ticks = if self.place.tick == Tick::Micro && nanos <= MICRO_NANOS_MAX {
            ((nanos + 500) / 1_000) as u32
        } else {
            self.coarse(nanos)
        };
        let len = self.slots.len();
        let next = usize::from(self.place.next);
        if next >= len {
            return;
        }
        let mut moments = self.slots.moments();
        if (moments.samples as usize) < len {
            moments.add(ticks);
        } else {
            moments.replace(self.slots.get(next), ticks);
            self.place.assumed = self.place.assumed.saturating_sub(1);
        }
        self.slots.set_moments(moments);
        self.slots.set(next, ticks);
        self.place.next = if next + 1 == len { 0 } else { next as u16 + 1 };
    }

    /// The interval in ticks of 1 ms, which all intervals have from now on.
    #[cold]
    #[inline(never)]
    fn coarse(&mut self, nanos: u64) -> u32 {
        if self.place.tick == Tick::Micro {
            self.place.tick = Tick::Milli;
            let filled = self.samples() as usize;
            let mut moments = Moments::EMPTY;
            for index in 0..filled {
                let millis = self.slots.get(index).saturating_add(500) / 1_000;
                self.slots.set(index, millis);
                moments.add(millis);
            }
            self.slots.set_moments(moments);
        }
        u32::try_from(nanos.saturating_add(500_000) / 1_000_000).unwrap_or(u32::MAX)
    }

    /// Mean and population standard deviation in nanoseconds.
    #[inline]
    pub(super) fn mean_and_deviation(&self) -> (f64, f64) {
        let (mean, deviation) = self.slots.moments().mean_and_deviation();
        let tick = self.place.tick.nanos() as f64;
        (mean * tick, deviation * tick)
    }

    pub(super) fn samples(&self) -> u32 {
        self.slots.moments().samples
    }

    /// The intervals in nanoseconds, newest first, without those that were only assumed.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = u64> + use<'_, S> {
        let measured = self.samples() as usize - usize::from(self.place.assumed);
        let next = usize::from(self.place.next);
        let tick = self.place.tick.nanos();
        let newer = self.slots.range(0, next).rev();
        let older = self.slots.range(next, self.slots.len()).rev();
        newer
            .chain(older)
            .take(measured)
            .map(move |ticks| u64::from(ticks) * tick)
    }

    /// All intervals in ticks, in no order.
    pub(super) fn ticks(&self) -> impl Iterator<Item = u32> + use<'_, S> {
        self.slots.range(0, self.samples() as usize)
    }

    /// Nanoseconds of one tick.
    pub(super) const fn tick_nanos(&self) -> u64 {
        self.place.tick.nanos()
    }

    /// Reads what the next interval will write.
    #[inline]
    pub(super) fn touch(&self) -> u32 {
        self.samples() ^ self.slots.get(usize::from(self.place.next))
    }
}

/// Words that the moments take.
const MOMENTS_WORDS: usize = 6;
/// The longest interval that fits in ticks of 1 µs.
const MICRO_NANOS_MAX: u64 = u32::MAX as u64 * 1_000;
