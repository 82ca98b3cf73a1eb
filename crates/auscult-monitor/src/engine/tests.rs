//! The engine in real time: verdicts fall by themselves, when they are due, and not before the
//! sockets are read.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the tests look for one kind of event"
)]

use super::*;
use auscult_core::detector::{DeadlineParams, DetectorParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    EventKind, Labels, Signal, SignalConfig, SignalParams, Status, Target,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(50);
/// Twice as long as a busy machine may leave a thread waiting.
const PATIENT: Duration = Duration::from_millis(800);
const TICK: Duration = Duration::from_nanos(1);

#[test]
fn a_verdict_falls_though_nobody_calls() {
    let engine = engine();
    watch(&engine, "web", SOON, HOUR);
    engine.arrival(named("web"), None).unwrap();
    assert_eq!(status(&engine, "web"), Status::Up);
    until(&engine, || status(&engine, "web") == Status::Down);
    let seen = transitions(&engine);
    assert_eq!(seen, [Status::Up, Status::Late, Status::Down]);
}

#[test]
fn an_earlier_deadline_wakes_the_timer() {
    let engine = engine();
    watch(&engine, "slow", HOUR, HOUR);
    until(&engine, || {
        engine.0.shared.driven.lock().sleeps_until.is_some()
    });
    watch(&engine, "quick", HOUR, SOON);
    until(&engine, || status(&engine, "quick") == Status::Down);
    assert_eq!(status(&engine, "slow"), Status::Unknown);
}

#[test]
fn the_sockets_are_read_before_a_verdict_falls() {
    let engine = engine();
    watch(&engine, "web", PATIENT, HOUR);
    engine.arrival(named("web"), None).unwrap();
    let socket = Arc::new(Socket {
        engine: Mutex::new(Some(engine.clone())),
        holds: AtomicUsize::new(3),
    });
    engine.add_drain_source(Arc::clone(&socket) as Arc<dyn DrainSource>);
    // Three times a verdict is due, and the heartbeat that refutes it lies in the socket.
    until(&engine, || status(&engine, "web") == Status::Down);
    assert_eq!(socket.holds.load(Ordering::Relaxed), 0);
    assert_eq!(
        transitions(&engine),
        [Status::Up, Status::Late, Status::Down]
    );
    *socket.engine.lock() = None;
}

#[test]
fn who_brings_an_arrival_learns_what_became_of_it() {
    let engine = engine();
    watch(&engine, "web", HOUR, HOUR);
    let other = Source::Name {
        target: "web",
        signal: Some("other"),
    };
    assert_eq!(engine.arrival(named("web"), Some(7)), Ok(()));
    assert_eq!(
        engine.arrival(named("web"), Some(7)),
        Err(Rejection::Duplicate)
    );
    assert_eq!(engine.arrival(named("web"), Some(6)), Err(Rejection::Stale));
    assert_eq!(
        engine.arrival(named("db"), None),
        Err(Rejection::UnknownTarget)
    );
    assert_eq!(engine.arrival(other, None), Err(Rejection::UnknownSignal));

    let heard = |source, sequence| Arrival {
        source,
        received_at: engine.clock().now(),
        sequence,
        interval_hint: None,
    };
    let batch = [
        heard(named("web"), Some(8)),
        heard(named("db"), None),
        heard(named("web"), Some(8)),
    ];
    let tally = engine.arrivals(&batch);
    assert_eq!((tally.taken, tally.rejected_total()), (1, 2));
    let reasons: Vec<_> = tally.rejections().collect();
    assert_eq!(
        reasons,
        [(Rejection::UnknownTarget, 1), (Rejection::Duplicate, 1)]
    );
}

#[test]
fn the_timer_ends_with_the_last_engine() {
    let engine = engine();
    let other = engine.clone();
    let shared = Arc::downgrade(&engine.0.shared);
    drop(engine);
    watch(&other, "web", HOUR, HOUR);
    let clock = other.clock().clone();
    drop(other);
    let deadline = clock.now().after(Duration::from_secs(20));
    while shared.upgrade().is_some() {
        assert!(clock.now() < deadline, "the timer still runs");
        thread::yield_now();
    }
}

#[test]
fn every_reason_has_a_counter_of_its_own() {
    for (index, reason) in Rejection::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index, "{}", reason.as_str());
    }
}

/// A socket in which a heartbeat waits, some times.
struct Socket {
    engine: Mutex<Option<Engine>>,
    holds: AtomicUsize,
}

impl DrainSource for Socket {
    fn drain(&self) {
        let one_less = |holds: usize| holds.checked_sub(1);
        let held = self
            .holds
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        if let (Ok(_), Some(engine)) = (held, &*self.engine.lock()) {
            // It came just before the deadline, and is read after it.
            let received_at = last_arrival(engine, "web").after(PATIENT / 2 - TICK);
            engine.arrivals(&[Arrival {
                source: named("web"),
                received_at,
                sequence: None,
                interval_hint: None,
            }]);
        }
    }
}

fn engine() -> Engine {
    let clock = Clock::new();
    // A busy machine that runs the tests is no stall.
    let config = MonitorConfig {
        stall_tolerance: HOUR,
        ..MonitorConfig::server()
    };
    Engine::start(config, clock.clone(), EventLog::new(clock)).unwrap()
}

fn watch(engine: &Engine, id: &str, timeout: Duration, grace: Duration) {
    let config = SignalConfig::new(SignalParams {
        detector: DetectorParams::Deadline(DeadlineParams { timeout }),
        late: 0.5,
        down: 1.0,
        grace,
        recovery_arrivals: 1,
    });
    let target = Target {
        id: TargetId::new(id).unwrap(),
        labels: Labels::new(),
        signals: vec![Signal {
            name: SignalName::new("beat").unwrap(),
            config: config.unwrap(),
        }],
    };
    engine.apply(Change::Put(target)).unwrap();
}

fn named(target: &str) -> Source<'_> {
    Source::Name {
        target,
        signal: None,
    }
}

fn status(engine: &Engine, id: &str) -> Status {
    engine.read(|monitor, _| monitor.target(id).unwrap().status())
}

fn last_arrival(engine: &Engine, id: &str) -> Instant {
    engine.read(|monitor, _| {
        let mut signals = monitor.target(id).unwrap().signals();
        signals.next().unwrap().last_arrival().unwrap()
    })
}

fn transitions(engine: &Engine) -> Vec<Status> {
    let events = engine.events().since(0, 100).events;
    let to = events.iter().filter_map(|logged| match &logged.event.kind {
        EventKind::Transition { to, .. } => Some(*to),
        _ => None,
    });
    to.collect()
}

fn until(engine: &Engine, holds: impl Fn() -> bool) {
    let clock = engine.clock();
    let deadline = clock.now().after(Duration::from_secs(20));
    while !holds() {
        assert!(clock.now() < deadline, "it should have happened by now");
        thread::yield_now();
    }
}
