//! When each signal is due: a hierarchical timer wheel that heartbeats hardly touch.
//!
//! Every signal has at most one moment at which it is due, in a dense array. The wheel holds each
//! signal in a bucket of moments at or before that. A heartbeat moves the due moment later and
//! leaves the bucket alone; when the bucket's time comes, the signal is put where it belongs by
//! then. Only a due moment before the bucket moves the signal at once. Adding, moving and removing
//! are O(1), and nothing allocates but more signals.
//!
//! A tick is 2^20 ns, about 1 ms. A level has 256 buckets, and six levels cover all of time. A
//! signal stands at the level of the highest byte in which its tick differs from the present one,
//! so that all buckets of a level lie before all those of the next, and the first bucket in use is
//! the next in time.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::time::Instant;

/// The wheel with the due moments.
///
/// Invariants: the tick of a signal's due moment is not before the start of its bucket; a signal is
/// in no bucket only if it is never due, or among those that are expired.
pub(crate) struct Schedule {
    timers: Vec<Timer>,
    /// Rings through the signals of a bucket: first the ends of all buckets, then the signals.
    links: Vec<Link>,
    used: [[u64; SLOTS / 64]; LEVELS],
    /// The present tick: every bucket in use starts after it.
    tick: u64,
    /// Due within the present tick or before, earliest first; with some that are so no more. Thus a
    /// tick in which very many are due is looked through once, and not for each of them.
    expired: BinaryHeap<Reverse<(Instant, u32)>>,
}

/// What a heartbeat touches of a signal's place in the wheel: packed, as padding would be 6 bytes
/// of every signal.
#[derive(Clone, Copy)]
#[repr(Rust, packed(2))]
struct Timer {
    /// When it is due; [`Instant::FAR_FUTURE`] if never.
    due: Instant,
    /// The bucket that it stands in, or [`NOWHERE`].
    bucket: u16,
}

#[derive(Clone, Copy)]
struct Link {
    next: u32,
    previous: u32,
}

impl Schedule {
    pub(crate) fn new(now: Instant) -> Self {
        let ends = (0..BUCKETS as u32).map(|end| Link {
            next: end,
            previous: end,
        });
        // So that the capacity doubles through the same numbers as that of the timers.
        let mut links = Vec::with_capacity(BUCKETS.next_power_of_two());
        links.extend(ends);
        Self {
            timers: Vec::new(),
            links,
            used: [[0; SLOTS / 64]; LEVELS],
            tick: tick_of(now),
            expired: BinaryHeap::new(),
        }
    }

    /// Makes room for a signal. A new one is never due.
    pub(crate) fn make_room(&mut self, slot: u32) {
        while self.timers.len() <= slot as usize {
            let node = self.links.len() as u32;
            self.timers.push(Timer {
                due: Instant::FAR_FUTURE,
                bucket: NOWHERE,
            });
            self.links.push(Link {
                next: node,
                previous: node,
            });
        }
    }

    /// Reads what the next [`set`](Self::set) looks at.
    #[inline]
    pub(super) fn touch(&self, slot: u32) -> u64 {
        let Timer { due, bucket } = self.timers[slot as usize];
        due.as_nanos() ^ u64::from(bucket)
    }

    #[inline]
    pub(crate) fn due(&self, slot: u32) -> Instant {
        self.timers[slot as usize].due
    }

    /// Says when a signal is due. True if that may be before the next wake-up.
    #[inline]
    pub(crate) fn set(&mut self, slot: u32, due: Instant) -> bool {
        self.timers[slot as usize].due = due;
        if due == Instant::FAR_FUTURE {
            return false;
        }
        if tick_of(due) <= self.tick {
            self.unlink(slot);
            self.expired.push(Reverse((due, slot)));
            return true;
        }
        let bucket = self.bucket_of(due);
        if bucket > self.timers[slot as usize].bucket {
            return false;
        }
        // In the same bucket the signal stands well, but it may be due before all others there.
        if bucket < self.timers[slot as usize].bucket {
            self.unlink(slot);
            self.link(slot, bucket);
        }
        true
    }

    /// Forgets a signal.
    pub(crate) fn clear(&mut self, slot: u32) {
        self.timers[slot as usize].due = Instant::FAR_FUTURE;
        self.unlink(slot);
    }

    /// The next signal that is due at or before `until`, in the order of the moments and then of
    /// the slots. It is never due from now on, until the caller says otherwise.
    pub(crate) fn pop(&mut self, until: Instant) -> Option<(Instant, u32)> {
        let (at, slot) = self.peek(until)?;
        self.expired.pop();
        self.timers[slot as usize].due = Instant::FAR_FUTURE;
        Some((at, slot))
    }

    /// What [`pop`](Self::pop) would give.
    pub(crate) fn peek(&mut self, until: Instant) -> Option<(Instant, u32)> {
        self.expire(until);
        self.first_expired().filter(|&(at, _)| at <= until)
    }

    fn first_expired(&mut self) -> Option<(Instant, u32)> {
        loop {
            let &Reverse((at, slot)) = self.expired.peek()?;
            let Timer { due, bucket } = self.timers[slot as usize];
            if due == at && bucket == NOWHERE {
                return Some((at, slot));
            }
            // It was set or cleared since it expired.
            self.expired.pop();
        }
    }

    /// When the first signal is due, exactly; or the start of a bucket in which there are too many
    /// to look for it now. Puts signals where they belong by now as far as it looks.
    pub(crate) fn next(&mut self) -> Option<Next> {
        if let Some((at, slot)) = self.first_expired() {
            return Some(Next::Exact(at, slot));
        }
        let mut budget = LOOK_AT_MAX;
        while let Some(bucket) = self.first_used() {
            let end = bucket as u32;
            let mut first: Option<(Instant, u32)> = None;
            let mut at = self.links[bucket].next;
            while at != end {
                if budget == 0 {
                    return Some(Next::Early(self.start_of(bucket)));
                }
                budget -= 1;
                let slot = at - BUCKETS as u32;
                at = self.links[at as usize].next;
                let due = self.timers[slot as usize].due;
                if due == Instant::FAR_FUTURE {
                    self.unlink(slot);
                } else if self.bucket_of(due) as usize > bucket {
                    self.unlink(slot);
                    self.link(slot, self.bucket_of(due));
                } else if first.is_none_or(|first| (due, slot) < first) {
                    first = Some((due, slot));
                }
            }
            if let Some((at, slot)) = first {
                return Some(Next::Exact(at, slot));
            }
        }
        None
    }

    /// How many signals are due at or before `now`: one pass over a dense array.
    #[must_use]
    pub(super) fn count_due(&self, now: Instant) -> usize {
        let timers = self.timers.iter();
        timers
            .map(|&Timer { due, .. }| usize::from(due <= now))
            .sum()
    }

    /// Moves the present to `until`, and all that is due by the end of its tick to those that are
    /// expired.
    fn expire(&mut self, until: Instant) {
        let until = tick_of(until);
        if until <= self.tick {
            return;
        }
        while let Some(bucket) = self.first_used() {
            let start = tick_of(self.start_of(bucket));
            if start > until {
                break;
            }
            self.tick = start;
            self.empty(bucket, until);
        }
        self.tick = until;
    }

    /// Puts the signals of a bucket where they belong by now.
    fn empty(&mut self, bucket: usize, until: u64) {
        let end = bucket as u32;
        let mut at = self.links[bucket].next;
        self.links[bucket] = Link {
            next: end,
            previous: end,
        };
        self.mark_unused(bucket);
        while at != end {
            let slot = at - BUCKETS as u32;
            let next = self.links[at as usize].next;
            self.links[at as usize] = Link {
                next: at,
                previous: at,
            };
            self.timers[slot as usize].bucket = NOWHERE;
            let due = self.timers[slot as usize].due;
            if tick_of(due) <= until {
                self.expired.push(Reverse((due, slot)));
            } else if due < Instant::FAR_FUTURE {
                self.link(slot, self.bucket_of(due));
            }
            at = next;
        }
    }

    /// Where a due moment after the present tick belongs.
    #[inline]
    const fn bucket_of(&self, due: Instant) -> u16 {
        let tick = tick_of(due);
        let level = (63 - ((tick ^ self.tick) | 1).leading_zeros()) / SLOT_BITS;
        let slot = (tick >> (level * SLOT_BITS)) as usize % SLOTS;
        (level as usize * SLOTS + slot) as u16
    }

    const fn start_of(&self, bucket: usize) -> Instant {
        let shift = (bucket / SLOTS) as u32 * SLOT_BITS;
        let above = self.tick >> shift >> SLOT_BITS << SLOT_BITS;
        let tick = (above | (bucket % SLOTS) as u64) << shift;
        Instant::from_nanos(tick << TICK_BITS)
    }

    fn first_used(&self) -> Option<usize> {
        let words = self.used.as_flattened();
        let (word, bits) = words.iter().enumerate().find(|&(_, &bits)| bits != 0)?;
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    fn link(&mut self, slot: u32, bucket: u16) {
        let node = slot + BUCKETS as u32;
        let last = self.links[bucket as usize].previous;
        self.links[node as usize] = Link {
            next: u32::from(bucket),
            previous: last,
        };
        self.links[last as usize].next = node;
        self.links[bucket as usize].previous = node;
        self.timers[slot as usize].bucket = bucket;
        let (level, at) = (bucket as usize / SLOTS, bucket as usize % SLOTS);
        self.used[level][at / 64] |= 1 << (at % 64);
    }

    fn unlink(&mut self, slot: u32) {
        let bucket = self.timers[slot as usize].bucket as usize;
        if bucket == NOWHERE as usize {
            return;
        }
        let node = (slot + BUCKETS as u32) as usize;
        let Link { next, previous } = self.links[node];
        self.links[next as usize].previous = previous;
        self.links[previous as usize].next = next;
        self.timers[slot as usize].bucket = NOWHERE;
        if self.links[bucket].next == bucket as u32 {
            self.mark_unused(bucket);
        }
    }

    const fn mark_unused(&mut self, bucket: usize) {
        let (level, at) = (bucket / SLOTS, bucket % SLOTS);
        self.used[level][at / 64] &= !(1 << (at % 64));
    }

    /// Proves the invariants.
    pub(crate) fn check_invariants(&self) {
        for (slot, &Timer { due, bucket }) in self.timers.iter().enumerate() {
            if bucket == NOWHERE {
                let expired = tick_of(due) <= self.tick;
                assert!(
                    expired || due == Instant::FAR_FUTURE,
                    "signal {slot} is nowhere"
                );
                continue;
            }
            assert!(
                self.bucket_of(due) >= bucket,
                "signal {slot} stands too late"
            );
            let Link { next, previous } = self.links[slot + BUCKETS];
            assert_eq!(self.links[next as usize].previous as usize, slot + BUCKETS);
            assert_eq!(self.links[previous as usize].next as usize, slot + BUCKETS);
        }
        for bucket in 0..BUCKETS {
            let used = self.used[bucket / SLOTS][bucket % SLOTS / 64] >> (bucket % 64) & 1;
            let linked = self.links[bucket].next as usize != bucket;
            assert_eq!(used == 1, linked, "bucket {bucket}");
        }
    }
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This signal is due then, and none before.
    Exact(Instant, u32),
    /// Nothing is due before then.
    Early(Instant),
}

const fn tick_of(at: Instant) -> u64 {
    at.as_nanos() >> TICK_BITS
}

const TICK_BITS: u32 = 20;
const SLOT_BITS: u32 = 8;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;
const BUCKETS: usize = SLOTS * LEVELS;
const NOWHERE: u16 = u16::MAX;
/// Signals looked at to find the exact next deadline: enough for a few hundred targets, and nothing
/// beside the work of a million.
const LOOK_AT_MAX: u32 = 64;

const _: () = assert!(LEVELS as u32 * SLOT_BITS + TICK_BITS >= u64::BITS);
