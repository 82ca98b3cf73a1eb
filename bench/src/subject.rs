//! The detectors that are compared, ours and the peers', behind one face.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use auscult_core::detector::{
    DetectorConfig, DetectorParams, DetectorState, History, Learn, Level, Mark, PhiParams,
};
use auscult_core::time::Instant;
use chrono::{DateTime, Local, TimeDelta};
use phi_accrual_detector::PhiInteraction as _;
use phi_accrual_failure_detector::Detector as _;

use crate::Arrivals;

/// A detector of one signal.
pub trait Subject {
    /// The name in the table.
    const NAME: &'static str;

    /// A detector with this window.
    fn new(window: usize) -> Self;

    /// An arrival, and what the detector does to be able to say later whether it is overdue.
    fn heartbeat(&mut self, nanos: u64);

    /// The level after this silence.
    fn level(&mut self, silence: Duration) -> f64;

    /// Whether the level is over the threshold of 8 after this silence.
    fn is_over(&mut self, silence: Duration) -> bool;

    /// One with a full window, and the arrivals that go on from there.
    fn filled(window: usize) -> (Self, Arrivals)
    where
        Self: Sized,
    {
        let mut subject = Self::new(window);
        let mut arrivals = Arrivals::new();
        for _ in 0..=window + 1 {
            subject.heartbeat(arrivals.next_nanos());
        }
        (subject, arrivals)
    }
}

const THRESHOLD: f64 = 8.0;

/// None at all: what making the next arrival costs, which is part of every heartbeat's figure.
pub struct LoopAlone;

impl Subject for LoopAlone {
    const NAME: &'static str = "the loop alone";

    fn new(_window: usize) -> Self {
        Self
    }

    #[inline]
    fn heartbeat(&mut self, nanos: u64) {
        std::hint::black_box(nanos);
    }

    fn level(&mut self, silence: Duration) -> f64 {
        silence.as_secs_f64()
    }

    fn is_over(&mut self, silence: Duration) -> bool {
        silence.is_zero()
    }
}

/// Ours, with the deadline computed at each heartbeat, as the server does.
pub struct Auscult {
    config: DetectorConfig,
    mark: Mark,
    state: DetectorState,
    last: Instant,
    deadline: Option<Instant>,
}

/// Ours with a decayed history in place of a window.
pub struct AuscultDecayed(Auscult);

impl Auscult {
    /// The configuration with this history and the defaults.
    ///
    /// # Panics
    /// When the history is out of its range.
    #[must_use]
    pub fn config(history: History) -> DetectorConfig {
        let params = PhiParams {
            history,
            ..PhiParams::new()
        };
        DetectorConfig::new(DetectorParams::Phi(params)).expect("the history is in its range")
    }

    fn with(history: History) -> Self {
        let config = Self::config(history);
        Self {
            mark: Mark::new(&config, Level::new(THRESHOLD)),
            state: DetectorState::new(&config),
            config,
            last: Instant::ORIGIN,
            deadline: None,
        }
    }
}

impl Subject for Auscult {
    const NAME: &'static str = "auscult";

    fn new(window: usize) -> Self {
        Self::with(History::Window { samples: window })
    }

    #[inline]
    fn heartbeat(&mut self, nanos: u64) {
        self.last = Instant::from_nanos(nanos);
        self.state
            .heartbeat(&self.config, self.last, None, Learn::Interval);
        self.deadline = self.state.deadline(&self.config, &self.mark);
    }

    #[inline]
    fn level(&mut self, silence: Duration) -> f64 {
        self.state
            .level(&self.config, self.last.after(silence))
            .get()
    }

    #[inline]
    fn is_over(&mut self, silence: Duration) -> bool {
        let now = self.last.after(silence);
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Subject for AuscultDecayed {
    const NAME: &'static str = "auscult decayed";

    fn new(window: usize) -> Self {
        Self(Auscult::with(History::Decayed { samples: window }))
    }

    #[inline]
    fn heartbeat(&mut self, nanos: u64) {
        self.0.heartbeat(nanos);
    }

    #[inline]
    fn level(&mut self, silence: Duration) -> f64 {
        self.0.level(silence)
    }

    #[inline]
    fn is_over(&mut self, silence: Duration) -> bool {
        self.0.is_over(silence)
    }
}

/// phi-accrual-failure-detector 0.1.0: Akka's curve. Its window is defective once it is full (mean
/// and variance decay), so its time is that of a wrong answer.
pub struct FailureDetector {
    clock: VirtualClock,
    detector: phi_accrual_failure_detector::FailureDetector<
        phi_accrual_failure_detector::UnsyncState<VirtualClock>,
    >,
    last: u64,
}

/// A clock that stands where it is put.
#[derive(Clone)]
pub struct VirtualClock(Rc<Cell<u64>>);

impl phi_accrual_failure_detector::Clock for VirtualClock {
    type Timestamp = u64;

    fn timestamp(&self) -> u64 {
        self.0.get()
    }

    fn elapsed(before: &u64, after: &u64) -> Duration {
        Duration::from_nanos(after.saturating_sub(*before))
    }
}

impl FailureDetector {
    /// One that reads `clock`, so that a million of them can share it.
    ///
    /// # Panics
    /// When the window is 0.
    #[must_use]
    pub fn with_clock(window: usize, clock: VirtualClock) -> Self {
        let detector = phi_accrual_failure_detector::Builder::<
            phi_accrual_failure_detector::UnsyncState<phi_accrual_failure_detector::DefaultClock>,
        >::new()
        .clock(clock.clone())
        .threshold(THRESHOLD)
        .max_sample_size(window)
        .min_std_deviation(Duration::from_millis(500))
        .acceptable_heartbeat_pause(Duration::ZERO)
        .first_heartbeat_estimate(Duration::from_millis(500))
        .build()
        .expect("the settings are in their range");
        Self {
            clock,
            detector,
            last: 0,
        }
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self(Rc::new(Cell::new(0)))
    }
}

impl Subject for FailureDetector {
    const NAME: &'static str = "phi-accrual-failure-detector";

    fn new(window: usize) -> Self {
        Self::with_clock(window, VirtualClock::default())
    }

    #[inline]
    fn heartbeat(&mut self, nanos: u64) {
        self.last = nanos;
        self.clock.0.set(nanos);
        self.detector.heartbeat();
    }

    #[inline]
    fn level(&mut self, silence: Duration) -> f64 {
        self.clock.0.set(self.last + silence.as_nanos() as u64);
        self.detector.phi()
    }

    #[inline]
    fn is_over(&mut self, silence: Duration) -> bool {
        self.clock.0.set(self.last + silence.as_nanos() as u64);
        !self.detector.is_available()
    }
}

/// phi-detector 0.4.0: decaying sums in place of a window.
pub struct PhiDetector {
    window: phi_detector::PingWindow,
    last: u64,
}

impl Subject for PhiDetector {
    const NAME: &'static str = "phi-detector (no window)";

    fn new(_: usize) -> Self {
        Self {
            window: phi_detector::PingWindow::new(Duration::from_millis(500)),
            last: 0,
        }
    }

    #[inline]
    fn heartbeat(&mut self, nanos: u64) {
        self.window
            .add_ping(Duration::from_nanos(nanos - self.last));
        self.last = nanos;
    }

    #[inline]
    fn level(&mut self, silence: Duration) -> f64 {
        self.window.normal_dist().phi(silence)
    }

    #[inline]
    fn is_over(&mut self, silence: Duration) -> bool {
        self.level(silence) > THRESHOLD
    }
}

/// phi-accrual 0.1.0: a queue of times, walked at each question. Its mean is a rate, so its levels
/// are wrong.
pub struct PhiAccrual {
    detector: phi_accrual::PhiFailureDetector,
    last: u64,
}

impl Subject for PhiAccrual {
    const NAME: &'static str = "phi-accrual";

    fn new(window: usize) -> Self {
        Self {
            detector: phi_accrual::PhiFailureDetector::new()
                .history_size(window)
                .min_stddev(500.0),
            last: 0,
        }
    }

    #[inline]
    fn heartbeat(&mut self, nanos: u64) {
        self.last = nanos / 1_000_000;
        self.detector.heartbeat(self.last);
    }

    #[inline]
    fn level(&mut self, silence: Duration) -> f64 {
        self.detector.phi(self.last + silence.as_millis() as u64)
    }

    #[inline]
    fn is_over(&mut self, silence: Duration) -> bool {
        self.level(silence) > THRESHOLD
    }
}

/// phi-accrual-detector 0.3.1, the face of which our `SharedPhi` has. Its times are calendar times,
/// which are made beforehand here, as making one costs more than all else.
pub struct SharedDetector {
    detector: phi_accrual_detector::Detector,
    times: RefCell<Times>,
}

struct Times {
    arrivals: Vec<DateTime<Local>>,
    next: usize,
}

const TIMES: usize = 8192;

impl Times {
    fn next(&mut self) -> DateTime<Local> {
        self.next = (self.next + 1) % TIMES;
        self.arrivals[self.next]
    }
}

impl Subject for SharedDetector {
    const NAME: &'static str = "phi-accrual-detector";

    fn new(window: usize) -> Self {
        let mut arrivals = Arrivals::new();
        let origin = Local::now();
        let time = |_| origin + TimeDelta::nanoseconds(arrivals.next_nanos() as i64);
        Self {
            detector: phi_accrual_detector::Detector::new(window as u32),
            times: RefCell::new(Times {
                arrivals: (0..TIMES).map(time).collect(),
                next: 0,
            }),
        }
    }

    #[inline]
    fn heartbeat(&mut self, _: u64) {
        let at = self.times.get_mut().next();
        ready(self.detector.insert(at)).expect("an arrival is taken");
    }

    #[inline]
    fn level(&mut self, _: Duration) -> f64 {
        let at = self.times.get_mut().next();
        ready(self.detector.phi(at)).expect("there is a level")
    }

    #[inline]
    fn is_over(&mut self, silence: Duration) -> bool {
        self.level(silence) > THRESHOLD
    }
}

/// The result of a future that never waits, as nobody else holds its lock.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("nobody else holds the lock"),
    }
}
