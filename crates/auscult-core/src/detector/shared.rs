//! The phi detector for several threads: heartbeats come in on one, the level is read on others.
//!
//! Nothing here needs an executor or the operating system, and nothing allocates after
//! construction. Writers take turns by a version that is odd while one of them writes; readers copy
//! the state and look at the version before and after, so they always answer from one consistent
//! state and never make a writer wait. Whoever meets a writer at work spins for the few
//! instructions that it takes, so a signal handler must not insert. The arithmetic is that of
//! [`Phi`].
//!
//! ```
//! use auscult_core::detector::shared::SharedPhi;
//! use auscult_core::time::Instant;
//! use std::sync::Arc;
//!
//! let detector = Arc::new(SharedPhi::new(200)?);
//! let writer = Arc::clone(&detector);
//! std::thread::spawn(move || {
//!     for second in 0..60 {
//!         writer.insert(Instant::from_secs(second));
//!     }
//! })
//! .join()
//! .expect("the writer does not panic");
//! assert_eq!(detector.last_arrived_at(), Some(Instant::from_secs(59)));
//! assert!(detector.phi(Instant::from_secs(64)) > 8.0);
//! # Ok::<(), Vec<auscult_core::detector::Violation>>(())
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use core::time::Duration;

use super::config::{DetectorConfig, DetectorParams, Distribution, History, PhiParams, Violation};
use super::decayed::Decayed;
use super::outages::Outages;
use super::phi::{Knowledge, Moments};
use super::window::{self, Header, Slots, Window};
use super::{Heard, Learn, Level, Mark, Phi};
use crate::time::Instant;

/// A phi detector of one sender that threads share by reference, for example in an `Arc`.
///
/// Like [`Phi`], it does not learn an interval at whose end the level had reached
/// [`Phi::OUTAGE_LEVEL`], and forgets the old rhythm after eight such in a row.
#[derive(Debug)]
pub struct SharedPhi {
    config: DetectorConfig,
    params: PhiParams,
    outage: Mark,
    /// Odd while a writer is at work.
    version: AtomicU64,
    last_arrival: AtomicU64,
    outages: AtomicU32,
    memory: [AtomicU64; 4],
    ring: Box<[AtomicU32]>,
}

/// One consistent state.
struct Snapshot {
    last_arrival: Instant,
    outages: Outages,
    memory: [u64; 4],
}

impl SharedPhi {
    /// A detector with the default parameters and a window of the last `window` intervals.
    ///
    /// # Errors
    /// A window of 0, or above [`WINDOW_SAMPLES_MAX`](crate::bounds::WINDOW_SAMPLES_MAX). State:
    /// nothing was made.
    pub fn new(window: usize) -> Result<Self, Vec<Violation>> {
        Self::with_acceptable_heartbeat_pause(window, Duration::ZERO)
    }

    /// As [`new`](Self::new), and a silence is always acceptable for `pause` longer.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_acceptable_heartbeat_pause(
        window: usize,
        pause: Duration,
    ) -> Result<Self, Vec<Violation>> {
        Self::with_params(PhiParams {
            history: History::Window { samples: window },
            acceptable_pause: pause,
            ..PhiParams::new()
        })
    }

    /// A detector with these parameters.
    ///
    /// # Errors
    /// Every violated rule. State: nothing was made.
    pub fn with_params(params: PhiParams) -> Result<Self, Vec<Violation>> {
        let config = DetectorConfig::new(DetectorParams::Phi(params.clone()))?;
        let slots = match params.history {
            History::Window { samples } => samples,
            History::Decayed { .. } => 0,
        };
        let outage = Mark::new(&config, Phi::OUTAGE_LEVEL);
        Ok(Self {
            config,
            params,
            outage,
            version: AtomicU64::new(0),
            last_arrival: AtomicU64::new(Instant::FAR_FUTURE.as_nanos()),
            outages: AtomicU32::new(0),
            memory: [const { AtomicU64::new(0) }; 4],
            ring: (0..slots).map(|_| AtomicU32::new(0)).collect(),
        })
    }

    /// Takes an arrival. One that is older than the newest is [`Stale`](Heard::Stale) and changes
    /// nothing.
    pub fn insert(&self, at: Instant) -> Heard {
        let at = at.min(LAST);
        let version = self.begin_writing();
        let mut state = self.load();
        let heard = self.take(&mut state, at);
        if heard == Heard::Taken {
            self.store(&state);
        }
        self.version.store(version + 2, Ordering::Release);
        heard
    }

    fn take(&self, state: &mut Snapshot, at: Instant) -> Heard {
        if state.last_arrival == Instant::FAR_FUTURE {
            self.assume(state, self.config.spans().interval);
        } else if at < state.last_arrival {
            return Heard::Stale;
        } else {
            let overdue = self.deadline_of(state, &self.outage);
            let interval = at.as_nanos() - state.last_arrival.as_nanos();
            let outage = overdue.is_some_and(|overdue| at >= overdue);
            match state.outages.judge(outage) {
                Learn::Interval => self.learn(state, interval),
                Learn::Skip if state.outages.are_a_rhythm() => {
                    self.assume(state, interval);
                    state.outages = Outages::NONE;
                }
                Learn::Skip => {}
            }
        }
        state.last_arrival = at;
        Heard::Taken
    }

    fn learn(&self, state: &mut Snapshot, interval: u64) {
        state.memory = match self.params.history {
            History::Window { .. } => {
                let mut window = self.window(state);
                window.push(interval);
                window.header().to_words()
            }
            History::Decayed { .. } => {
                let mut decayed = Decayed::from_words(state.memory);
                decayed.push(interval, &self.config);
                decayed.to_words()
            }
        };
    }

    fn assume(&self, state: &mut Snapshot, estimate: u64) {
        state.memory = match self.params.history {
            History::Window { .. } => {
                let mut window = self.window(state);
                window.assume(estimate);
                window.header().to_words()
            }
            History::Decayed { .. } => {
                let mut decayed = Decayed::EMPTY;
                decayed.assume(estimate);
                decayed.to_words()
            }
        };
    }

    /// The level of suspicion at `at`, if nothing has arrived since: 0 before the first arrival,
    /// and always finite.
    #[must_use]
    pub fn phi(&self, at: Instant) -> f64 {
        let level = self.answer(|state| {
            if state.last_arrival == Instant::FAR_FUTURE {
                return Level::ZERO;
            }
            let silence = at.as_nanos().saturating_sub(state.last_arrival.as_nanos());
            self.knowledge(state, &self.window(state)).level(silence)
        });
        level.get()
    }

    /// The newest arrival.
    #[must_use]
    pub fn last_arrived_at(&self) -> Option<Instant> {
        // One word cannot be torn.
        let last = Instant::from_nanos(self.last_arrival.load(Ordering::Acquire));
        (last != Instant::FAR_FUTURE).then_some(last)
    }

    /// The first moment at which [`phi`](Self::phi) is at least `threshold`, if nothing more
    /// arrives. `None` when that never happens: before the first arrival, or beyond the end of
    /// time.
    #[must_use]
    pub fn deadline(&self, threshold: Level) -> Option<Instant> {
        let mark = Mark::new(&self.config, threshold);
        self.answer(|state| self.deadline_of(state, &mark))
    }

    fn deadline_of(&self, state: &Snapshot, mark: &Mark) -> Option<Instant> {
        if state.last_arrival == Instant::FAR_FUTURE {
            return None;
        }
        let last = state.last_arrival.as_nanos();
        let window = self.window(state);
        let silence = self
            .knowledge(state, &window)
            .silence(mark, u64::MAX - last);
        silence.map(|silence| Instant::from_nanos(last + silence))
    }

    fn window(&self, state: &Snapshot) -> Window<Ring<'_>> {
        let header = Header::from_words(state.memory);
        let ring = Ring {
            slots: &self.ring,
            moments: header.moments,
        };
        Window::over(ring, header.place)
    }

    fn knowledge<'a>(
        &'a self,
        state: &Snapshot,
        window: &'a Window<Ring<'a>>,
    ) -> Knowledge<'a, Ring<'a>> {
        let (moments, window) = match self.params.history {
            History::Window { .. } => (window.mean_and_deviation(), Some(window)),
            History::Decayed { .. } => {
                let decayed = Decayed::from_words(state.memory);
                (decayed.mean_and_deviation(), None)
            }
        };
        Knowledge {
            distribution: self.params.distribution,
            spans: self.config.spans(),
            moments: Moments::new(moments),
            window,
        }
    }

    /// Answers from one consistent state. Only the empirical distribution looks at the ring as
    /// well, so only its answers are checked once more.
    fn answer<R>(&self, question: impl Fn(&Snapshot) -> R) -> R {
        loop {
            let (version, state) = self.snapshot();
            let answer = question(&state);
            if self.params.distribution != Distribution::Empirical || self.is_at(version) {
                return answer;
            }
        }
    }

    fn snapshot(&self) -> (u64, Snapshot) {
        loop {
            let version = self.version.load(Ordering::Acquire);
            if version.is_multiple_of(2) {
                let state = self.load();
                if self.is_at(version) {
                    return (version, state);
                }
            }
            core::hint::spin_loop();
        }
    }

    /// Tells whether everything loaded since `version` was loaded belongs to it.
    fn is_at(&self, version: u64) -> bool {
        fence(Ordering::Acquire);
        self.version.load(Ordering::Relaxed) == version
    }

    /// Waits for its turn and returns the version before.
    fn begin_writing(&self) -> u64 {
        loop {
            let version = self.version.load(Ordering::Relaxed);
            let take = |version: u64| {
                let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
                self.version
                    .compare_exchange_weak(version, version + 1, success, failure)
            };
            if version.is_multiple_of(2) && take(version).is_ok() {
                // A reader that sees anything written from here on also sees an odd version.
                fence(Ordering::Release);
                return version;
            }
            core::hint::spin_loop();
        }
    }

    fn load(&self) -> Snapshot {
        Snapshot {
            last_arrival: Instant::from_nanos(self.last_arrival.load(Ordering::Relaxed)),
            outages: Outages {
                in_a_row: self.outages.load(Ordering::Relaxed) as u8,
            },
            memory: core::array::from_fn(|i| self.memory[i].load(Ordering::Relaxed)),
        }
    }

    fn store(&self, state: &Snapshot) {
        let last = state.last_arrival.as_nanos();
        self.last_arrival.store(last, Ordering::Relaxed);
        let outages = u32::from(state.outages.in_a_row);
        self.outages.store(outages, Ordering::Relaxed);
        for (cell, word) in self.memory.iter().zip(state.memory) {
            cell.store(word, Ordering::Relaxed);
        }
    }
}

/// The shared intervals with the moments of one snapshot, which whoever writes stores afterwards.
struct Ring<'a> {
    slots: &'a [AtomicU32],
    moments: window::Moments,
}

impl Slots for Ring<'_> {
    fn len(&self) -> usize {
        self.slots.len()
    }

    fn get(&self, index: usize) -> u32 {
        let slot = self.slots.get(index);
        slot.map_or(0, |slot| slot.load(Ordering::Relaxed))
    }

    fn set(&mut self, index: usize, value: u32) {
        self.slots[index].store(value, Ordering::Relaxed);
    }

    fn range(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = u32> {
        self.slots[from..to]
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
    }

    fn moments(&self) -> window::Moments {
        self.moments
    }

    fn set_moments(&mut self, moments: window::Moments) {
        self.moments = moments;
    }
}

/// The last moment stands for "never".
const LAST: Instant = Instant::from_nanos(u64::MAX - 1);
