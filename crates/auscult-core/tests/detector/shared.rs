//! The shared detector answers from states that really were, on every thread.

use auscult_core::detector::shared::SharedPhi;
use auscult_core::detector::{Detector, Distribution, Heard, History, Level, Phi, PhiParams};
use auscult_core::time::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const ARRIVALS: u64 = 40_000;
const THRESHOLD: Level = Level::new(8.0);

/// The k-th arrival. Intervals grow by 3 µs from 10 ms, so no two states have the same answers.
fn arrival(k: u64) -> Instant {
    Instant::from_nanos(10_000_000 * k + 1_500 * k * k)
}

fn params(distribution: Distribution, history: History) -> PhiParams {
    PhiParams {
        distribution,
        history,
        min_std_deviation: Duration::from_millis(5),
        first_heartbeat_estimate: Duration::from_millis(10),
        ..PhiParams::new()
    }
}

/// What a detector on one thread answers after each arrival.
fn answers(params: &PhiParams, arrivals: u64) -> Vec<(Instant, f64)> {
    let mut detector = Phi::new(params.clone()).unwrap();
    let answer = |k| {
        detector.heartbeat(arrival(k), None);
        let deadline = detector.deadline(THRESHOLD).unwrap();
        (deadline, detector.level(arrival(ARRIVALS + 100)).get())
    };
    (0..arrivals).map(answer).collect()
}

fn check_readers(params: PhiParams, arrivals: u64) {
    let answers = answers(&params, arrivals);
    let detector = SharedPhi::with_params(params).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut newest = 0;
                while !done.load(Ordering::Acquire) {
                    let Some(deadline) = detector.deadline(THRESHOLD) else {
                        continue;
                    };
                    let found = answers.binary_search_by_key(&deadline, |answer| answer.0);
                    let index = found.expect("the deadline of a state that was");
                    assert!(index >= newest, "time went backwards");
                    newest = index;
                    let phi = detector.phi(arrival(ARRIVALS + 100));
                    let later = &answers[newest..];
                    let found = later.iter().any(|answer| answer.1 == phi);
                    assert!(found, "{phi} is no level of a state that was");
                }
            });
        }
        for k in 0..arrivals {
            assert_eq!(detector.insert(arrival(k)), Heard::Taken);
        }
        done.store(true, Ordering::Release);
    });
    let last = answers.last().unwrap();
    assert_eq!(detector.deadline(THRESHOLD), Some(last.0));
    assert_eq!(detector.phi(arrival(ARRIVALS + 100)), last.1);
}

#[test]
fn readers_see_only_states_that_were() {
    let window = History::Window { samples: 7 };
    check_readers(params(Distribution::Normal, window), ARRIVALS);
    check_readers(params(Distribution::Empirical, window), ARRIVALS / 4);
    let decayed = History::Decayed { samples: 7 };
    check_readers(params(Distribution::Normal, decayed), ARRIVALS / 4);
}

#[test]
fn writers_take_turns() {
    let detector = Arc::new(SharedPhi::new(50).unwrap());
    let clock = Arc::new(AtomicU64::new(1));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (detector, clock) = (Arc::clone(&detector), Arc::clone(&clock));
            thread::spawn(move || {
                for _ in 0..20_000 {
                    let tick = clock.fetch_add(1, Ordering::Relaxed);
                    detector.insert(Instant::from_millis(tick));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(
        detector.last_arrived_at(),
        Some(Instant::from_millis(80_000))
    );
    assert!(detector.phi(Instant::from_millis(80_001)) < 1.0);
}

#[test]
fn the_face_of_the_seed() {
    assert!(SharedPhi::new(0).is_err());
    let detector = SharedPhi::new(100).unwrap();
    let pausing = SharedPhi::with_acceptable_heartbeat_pause(100, Duration::from_secs(1)).unwrap();
    assert_eq!(
        (
            detector.phi(Instant::from_secs(9)),
            detector.last_arrived_at()
        ),
        (0.0, None)
    );
    assert_eq!(detector.deadline(Level::ZERO), None);
    for second in 10..20 {
        detector.insert(Instant::from_secs(second));
        pausing.insert(Instant::from_secs(second));
    }
    assert_eq!(detector.insert(Instant::from_secs(12)), Heard::Stale);
    assert_eq!(detector.last_arrived_at(), Some(Instant::from_secs(19)));
    let (at, later) = (Instant::from_secs(22), Instant::from_secs(23));
    assert!((detector.phi(at) - pausing.phi(later)).abs() < 1e-12);
    // A constant rhythm, and hours of silence: neither minus zero nor infinity.
    let hours = detector.phi(Instant::from_secs(20_000));
    assert!(hours > 1e6 && hours.is_finite());
}
