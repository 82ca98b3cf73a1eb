//! What one detector has learnt, apart from its configuration: a million of them share a few
//! configurations.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::bertier::Margin;
use super::config::{DetectorConfig, DetectorParams, History};
use super::decayed::Decayed;
use super::expectation::Expectation;
use super::phase::{self, Phase};
use super::phi::{Knowledge, Moments};
use super::window::{Block, Window};
use super::{Curve, Level, Mark};
use crate::time::{Instant, nanos};

/// What one detector has learnt from its arrivals.
///
/// Every method takes the configuration that the state was made with. With another one the answers
/// mean nothing, but nothing panics.
#[derive(Clone, Debug)]
pub struct DetectorState {
    /// [`Instant::FAR_FUTURE`] while there was no arrival.
    last_arrival: Instant,
    numbering: Numbering,
    learnt: Learnt,
}

#[derive(Clone, Debug)]
enum Learnt {
    Window(Window),
    Decayed(Decayed),
    /// Boxed, like the next: few senders are that regular, and all pay for the largest.
    Chen(Box<Phase>),
    Bertier(Box<(Phase, Margin)>),
    /// The arrival alone counts.
    Nothing,
}

/// Whether an interval is a sample of the sender's rhythm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Learn {
    /// It is.
    Interval,
    /// It is not: it ended an outage, or spans a time in which nobody listened. The arrival counts
    /// all the same.
    Skip,
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// It is the newest sign of life.
    Taken,
    /// Its sequence number is that of the newest one. It changed nothing.
    Duplicate,
    /// Its sequence number or time of arrival is older than the newest one. It is no sign of life
    /// and changed no estimate.
    Stale,
}

/// What a detector works with at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The interval expected.
    pub mean: Duration,
    /// The standard deviation worked with: the measured one or the configured minimum, whichever is
    /// larger. Chen and Bertier: the margin. A fixed time-out has it in both.
    pub std_deviation: Duration,
    /// Intervals that this rests on, the two assumed at the start included.
    pub samples: u32,
}

impl DetectorState {
    /// A detector that has heard nothing. A window takes its memory at the first heartbeat, all at
    /// once.
    #[must_use]
    pub fn new(config: &DetectorConfig) -> Self {
        let learnt = match config.params() {
            DetectorParams::Phi(phi) => match phi.history {
                History::Window { .. } => Learnt::Window(Window::unallocated()),
                History::Decayed { .. } => Learnt::Decayed(Decayed::EMPTY),
            },
            DetectorParams::Chen(_) => Learnt::Chen(Box::new(Phase::unallocated())),
            DetectorParams::Bertier(_) => {
                Learnt::Bertier(Box::new((Phase::unallocated(), Margin::default())))
            }
            DetectorParams::Deadline(_) => Learnt::Nothing,
        };
        Self {
            last_arrival: Instant::FAR_FUTURE,
            numbering: Numbering::default(),
            learnt,
        }
    }

    /// Takes one arrival. `sequence` is the sender's number of the heartbeat, where it sends one.
    #[inline]
    pub fn heartbeat(
        &mut self,
        config: &DetectorConfig,
        received_at: Instant,
        sequence: Option<u64>,
        learn: Learn,
    ) -> Heard {
        // The last moment stands for "never".
        let received_at = received_at.min(LAST);
        // The common case at once. "Never" is after any arrival, so the first one does not pass.
        if let Learnt::Window(window) = &mut self.learnt
            && received_at >= self.last_arrival
            && sequence.is_none_or(|sequence| self.numbering.is_next(sequence))
        {
            if let Some(sequence) = sequence {
                self.numbering.advance(sequence);
            }
            if learn == Learn::Interval {
                window.push(received_at.as_nanos() - self.last_arrival.as_nanos());
            }
            self.last_arrival = received_at;
            return Heard::Taken;
        }
        self.hear(config, received_at, sequence, learn)
    }

    #[inline(never)]
    fn hear(
        &mut self,
        config: &DetectorConfig,
        received_at: Instant,
        sequence: Option<u64>,
        learn: Learn,
    ) -> Heard {
        let first = self.last_arrival == Instant::FAR_FUTURE;
        if !first && received_at < self.last_arrival {
            return Heard::Stale;
        }
        let before = self.numbering.newest();
        let mut learn = learn;
        if let Some(sequence) = sequence {
            match self.numbering.take(sequence) {
                Order::Next => {}
                Order::Restarted => learn = Learn::Skip,
                Order::Duplicate => return Heard::Duplicate,
                Order::Stale => return Heard::Stale,
            }
        }
        if first {
            self.start(config, config.spans().interval);
        } else {
            let interval = received_at.as_nanos() - self.last_arrival.as_nanos();
            match (&mut self.learnt, learn) {
                (Learnt::Window(window), Learn::Interval) => window.push(interval),
                (Learnt::Decayed(decayed), Learn::Interval) => decayed.push(interval, config),
                (Learnt::Chen(_) | Learnt::Bertier(_), Learn::Interval) => {
                    self.learn_phase(config, received_at, (before, sequence));
                }
                (Learnt::Chen(phase), Learn::Skip) => phase.begin(config.window()),
                (Learnt::Bertier(learnt), Learn::Skip) => learnt.0.begin(config.window()),
                (Learnt::Window(_) | Learnt::Decayed(_), Learn::Skip) | (Learnt::Nothing, _) => {}
            }
        }
        self.last_arrival = received_at;
        Heard::Taken
    }

    /// Learns from an arrival that follows another one, by the numbers of both.
    fn learn_phase(
        &mut self,
        config: &DetectorConfig,
        received_at: Instant,
        numbers: (Option<u64>, Option<u64>),
    ) {
        let (at, last) = (received_at.as_nanos(), self.last_arrival.as_nanos());
        let interval = config.spans().interval;
        let margin = self.expectation(config).scale;
        let step = match numbers {
            (Some(before), Some(number)) => {
                Some(phase::step((last, before), (at, number), interval))
            }
            (None, None) => {
                // Rounded to the nearest number of intervals; none is no number.
                let passed = (at - last).saturating_add(interval / 2) / interval;
                (passed > 0).then(|| phase::step((last, 0), (at, passed), interval))
            }
            (Some(_), None) | (None, Some(_)) => None,
        };
        let (phase, errors) = match &mut self.learnt {
            Learnt::Chen(phase) => (&mut **phase, None),
            Learnt::Bertier(learnt) => {
                let (phase, margin) = &mut **learnt;
                (phase, Some(margin))
            }
            Learnt::Window(_) | Learnt::Decayed(_) | Learnt::Nothing => return,
        };
        let distance = |step| step as f64 * phase::TICK_NANOS - phase.mean_above_newest();
        match step.map(|step| (step, distance(step))) {
            // Further from where it was due, it would say more of the sender than of the way.
            Some((step, distance)) if distance.abs() <= interval as f64 + margin => {
                if let (Some(errors), DetectorParams::Bertier(params)) = (errors, config.params()) {
                    errors.learn(distance, params.gamma);
                }
                phase.push(step);
            }
            _ => phase.begin(config.window()),
        }
    }

    /// Begins a history with an assumed interval.
    #[cold]
    fn start(&mut self, config: &DetectorConfig, estimate: u64) {
        match &mut self.learnt {
            Learnt::Window(window) => {
                window.allocate(config.window());
                window.assume(estimate);
            }
            Learnt::Decayed(decayed) => decayed.assume(estimate),
            Learnt::Chen(phase) => phase.begin(config.window()),
            Learnt::Bertier(learnt) => learnt.0.begin(config.window()),
            Learnt::Nothing => {}
        }
    }

    /// The level of suspicion at `now`, if nothing has arrived since. Zero before the first
    /// arrival.
    #[must_use]
    pub fn level(&self, config: &DetectorConfig, now: Instant) -> Level {
        if self.last_arrival == Instant::FAR_FUTURE {
            return Level::ZERO;
        }
        let silence = now.as_nanos().saturating_sub(self.last_arrival.as_nanos());
        match self.knowledge(config) {
            Some(knowledge) => knowledge.level(silence),
            None => Curve::Ratio.level(self.expectation(config).score(silence)),
        }
    }

    /// The first moment at which [`level`](Self::level) is at least the mark, if nothing more
    /// arrives. `None` when that never happens: before the first arrival, or beyond the end of
    /// time.
    #[must_use]
    #[inline]
    pub fn deadline(&self, config: &DetectorConfig, mark: &Mark) -> Option<Instant> {
        // The common case at once. "Never" plus a silence overflows, so it does not pass.
        if let Learnt::Window(window) = &self.learnt
            && config.spans().located
            && let moments = Moments::new(window.mean_and_deviation())
            && let expectation = moments.located(config.spans())
            && let Some(silence) = expectation.silence_without_doubt(mark.score)
            && let Some(deadline) = self.last_arrival.as_nanos().checked_add(silence)
        {
            return Some(Instant::from_nanos(deadline));
        }
        self.deadline_in_doubt(config, mark)
    }

    #[inline(never)]
    fn deadline_in_doubt(&self, config: &DetectorConfig, mark: &Mark) -> Option<Instant> {
        if self.last_arrival == Instant::FAR_FUTURE {
            return None;
        }
        let last = self.last_arrival.as_nanos();
        let limit = u64::MAX - last;
        let silence = match self.knowledge(config) {
            Some(knowledge) => knowledge.silence(mark, limit),
            None => self.expectation(config).silence(mark.score, limit),
        };
        silence.map(|silence| Instant::from_nanos(last + silence))
    }

    /// The newest arrival that was taken.
    #[must_use]
    #[inline]
    pub fn last_arrival(&self) -> Option<Instant> {
        (self.last_arrival != Instant::FAR_FUTURE).then_some(self.last_arrival)
    }

    /// What the detector works with. Zeros before the first arrival.
    #[must_use]
    pub fn statistics(&self, config: &DetectorConfig) -> Statistics {
        let (mean, deviation, samples) = match self.knowledge(config) {
            _ if self.last_arrival().is_none() => (0.0, 0.0, 0),
            Some(knowledge) => {
                let moments = knowledge
                    .moments
                    .bounded(knowledge.distribution, knowledge.spans);
                (moments.mean, moments.deviation, self.samples())
            }
            None => {
                let interval = config.spans().interval as f64;
                (interval, self.expectation(config).scale, self.samples())
            }
        };
        Statistics {
            mean: Duration::from_nanos(libm::round(mean) as u64),
            std_deviation: Duration::from_nanos(libm::round(deviation) as u64),
            samples,
        }
    }

    fn samples(&self) -> u32 {
        match &self.learnt {
            Learnt::Window(window) => window.samples(),
            Learnt::Decayed(decayed) => decayed.samples(),
            Learnt::Chen(phase) => phase.samples(),
            Learnt::Bertier(learnt) => learnt.0.samples(),
            Learnt::Nothing => 0,
        }
    }

    /// The intervals learnt, newest first. Only a window of intervals remembers them; those assumed
    /// at the start are left out.
    pub fn recent_intervals(
        &self,
        config: &DetectorConfig,
    ) -> impl Iterator<Item = Duration> + use<'_> {
        let window = match (&self.learnt, config.params()) {
            (Learnt::Window(window), DetectorParams::Phi(_)) => Some(window),
            _ => None,
        };
        window
            .into_iter()
            .flat_map(Window::newest_first)
            .map(Duration::from_nanos)
    }

    /// Forgets the history and expects intervals of `estimate` from now on; the last arrival stays.
    /// For a sender that has found a new rhythm. Nothing happens before the first arrival.
    pub fn restart(&mut self, config: &DetectorConfig, estimate: Duration) {
        if self.last_arrival != Instant::FAR_FUTURE {
            self.start(config, nanos(estimate));
        }
    }

    /// Everything that it has learnt as words, which mean nothing to anybody else: to go on
    /// elsewhere with [`from_words`](Self::from_words).
    #[must_use]
    pub fn words(&self) -> Vec<u64> {
        let Numbering { next, anew, last } = self.numbering;
        let stale = u64::from(last == LastNumber::Stale);
        let mut words = vec![self.last_arrival.as_nanos(), next, u64::from(anew), stale];
        match &self.learnt {
            Learnt::Window(window) => words.extend(window.words()),
            Learnt::Decayed(decayed) => words.extend(decayed.to_words()),
            Learnt::Chen(phase) => words.extend(phase.words()),
            Learnt::Bertier(learnt) => {
                words.extend(learnt.1.words());
                words.extend(learnt.0.words());
            }
            Learnt::Nothing => {}
        }
        words
    }

    /// A detector that goes on with what another one of the same configuration had learnt; `None`
    /// where the words cannot be those of one.
    #[must_use]
    pub fn from_words(config: &DetectorConfig, words: &[u64]) -> Option<Self> {
        let (&[last_arrival, next, anew, stale], rest) = words.split_first_chunk()?;
        let len = config.window();
        let learnt = match Self::new(config).learnt {
            Learnt::Window(_) => Learnt::Window(Window::from_words(len, rest)?),
            Learnt::Decayed(_) => {
                let decayed = Decayed::from_words(rest.try_into().ok()?);
                Learnt::Decayed(decayed.is_sound().then_some(decayed)?)
            }
            Learnt::Chen(_) => Learnt::Chen(Box::new(Phase::from_words(len, rest)?)),
            Learnt::Bertier(_) => {
                let (&margin, rest) = rest.split_first_chunk()?;
                let phase = Phase::from_words(len, rest)?;
                Learnt::Bertier(Box::new((phase, Margin::from_words(margin)?)))
            }
            Learnt::Nothing => rest.is_empty().then_some(Learnt::Nothing)?,
        };
        let state = Self {
            last_arrival: Instant::from_nanos(last_arrival),
            numbering: Numbering {
                next,
                anew: u32::try_from(anew).ok()?,
                last: match stale {
                    0 => LastNumber::Newest,
                    _ => LastNumber::Stale,
                },
            },
            learnt,
        };
        // Whoever was heard has taken its memory.
        let is_empty = state.samples() == 0;
        let counts = !matches!(state.learnt, Learnt::Nothing);
        (!(counts && is_empty && state.last_arrival().is_some())).then_some(state)
    }

    /// Reads the memory that the next heartbeat writes, in the state and in the window behind it
    /// (its moments and its slot), so that a pass over many detectors overlaps their cache misses.
    /// The value means nothing; summing it keeps the reads.
    #[must_use]
    #[inline]
    pub fn touch(&self) -> u64 {
        let slot = match &self.learnt {
            Learnt::Window(window) => u64::from(window.touch()),
            Learnt::Decayed(decayed) => u64::from(decayed.samples()),
            Learnt::Chen(phase) => u64::from(phase.next_slot()),
            Learnt::Bertier(learnt) => u64::from(learnt.0.next_slot()),
            Learnt::Nothing => 0,
        };
        slot ^ self.last_arrival.as_nanos()
    }

    #[inline]
    fn knowledge<'a>(&'a self, config: &'a DetectorConfig) -> Option<Knowledge<'a, Block>> {
        let DetectorParams::Phi(params) = config.params() else {
            return None;
        };
        let (moments, window) = match &self.learnt {
            Learnt::Window(window) => (window.mean_and_deviation(), Some(window)),
            Learnt::Decayed(decayed) => (decayed.mean_and_deviation(), None),
            Learnt::Chen(_) | Learnt::Bertier(_) | Learnt::Nothing => return None,
        };
        Some(Knowledge {
            distribution: params.distribution,
            spans: config.spans(),
            moments: Moments::new(moments),
            window,
        })
    }

    #[inline]
    fn expectation(&self, config: &DetectorConfig) -> Expectation {
        let spans = config.spans();
        let due = |phase: &Phase| spans.interval as f64 + phase.mean_above_newest();
        match (&self.learnt, config.params()) {
            (Learnt::Chen(phase), _) => Expectation {
                location: due(phase),
                scale: spans.scale,
            },
            (Learnt::Bertier(learnt), DetectorParams::Bertier(params)) => Expectation {
                location: due(&learnt.0),
                scale: learnt.1.nanos(params, spans),
            },
            _ => Expectation {
                location: 0.0,
                scale: spans.scale,
            },
        }
    }
}

/// The sequence numbers seen.
#[derive(Clone, Copy, Debug, Default)]
struct Numbering {
    /// The newest number plus one; 0 before any was seen.
    next: u64,
    /// The low bits of the last stale number, plus one: where a sender that counts anew would go
    /// on.
    anew: u32,
    last: LastNumber,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastNumber {
    #[default]
    Newest,
    Stale,
}

enum Order {
    Next,
    Duplicate,
    Stale,
    /// The sender counts anew.
    Restarted,
}

impl Numbering {
    #[inline]
    const fn is_next(&self, sequence: u64) -> bool {
        sequence >= self.next
    }

    /// The number after the last one there is begins anew.
    #[inline]
    const fn advance(&mut self, sequence: u64) {
        self.next = sequence.wrapping_add(1);
        self.last = LastNumber::Newest;
    }

    const fn newest(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Old numbers come from a network that reorders, or from a sender that was restarted and
    /// counts anew. The first kind comes alone; two stale numbers in a row that count upwards are
    /// taken for the second kind, as a restarted sender must not stay unheard until it has counted
    /// past its former life.
    fn take(&mut self, sequence: u64) -> Order {
        if self.is_next(sequence) {
            self.advance(sequence);
            return Order::Next;
        }
        if self.newest() == Some(sequence) {
            return Order::Duplicate;
        }
        let ahead = (sequence as u32).wrapping_sub(self.anew);
        if self.last == LastNumber::Stale && ahead < ANEW_AHEAD_MAX {
            self.advance(sequence);
            return Order::Restarted;
        }
        self.anew = (sequence as u32).wrapping_add(1);
        self.last = LastNumber::Stale;
        Order::Stale
    }
}

/// Numbers that a restarted sender's heartbeats may miss between two that arrive.
const ANEW_AHEAD_MAX: u32 = 8;
const LAST: Instant = Instant::from_nanos(u64::MAX - 1);

const _: () = assert!(size_of::<DetectorState>() <= 48);
