//! Clever detectors against dumb ones that keep every arrival in a list and start from the
//! definitions.

use super::{config, phi};
use auscult_core::detector::{
    BertierParams, ChenParams, DetectorParams, DetectorState, History, Learn, Level, Mark,
    PhiParams,
};
use auscult_core::time::Instant;
use proptest::prelude::*;
use std::time::Duration;

const MICROSECOND: f64 = 1e3;
const MILLISECOND: f64 = 1e6;

/// Mean and population standard deviation, in two passes.
fn two_passes(intervals: &[f64]) -> (f64, f64) {
    let n = intervals.len() as f64;
    let mean = intervals.iter().sum::<f64>() / n;
    let variance = intervals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

fn params(history: History) -> PhiParams {
    PhiParams {
        history,
        min_std_deviation: Duration::from_nanos(1),
        ..PhiParams::new()
    }
}

/// Arrivals at these gaps after a first one, and what the detector then works with.
fn statistics(params: PhiParams, gaps: &[u64]) -> (f64, f64) {
    let config = phi(params);
    let mut state = DetectorState::new(&config);
    let mut now = Instant::from_secs(1);
    state.heartbeat(&config, now, None, Learn::Interval);
    for &gap in gaps {
        now = now.after(Duration::from_nanos(gap));
        state.heartbeat(&config, now, None, Learn::Interval);
    }
    let statistics = state.statistics(&config);
    let nanos = |span: Duration| span.as_nanos() as f64;
    (nanos(statistics.mean), nanos(statistics.std_deviation))
}

/// Gaps from nothing to 70 minutes.
fn gaps() -> impl Strategy<Value = Vec<u64>> {
    let near = |about: u64| (0..about / 10).prop_map(move |jitter| about + jitter);
    prop_oneof![
        prop::collection::vec(0_u64..4_200_000_000_000, 0..200),
        prop::collection::vec(near(1_000_000_000), 0..200),
        prop::collection::vec(near(100_000_000_000), 0..200),
    ]
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn a_window_has_the_moments_of_its_intervals(samples in 1_usize..100, gaps in gaps()) {
        let (mean, deviation) = statistics(params(History::Window { samples }), &gaps);
        let mut all = vec![375e6, 625e6];
        all.extend(gaps.iter().map(|&gap| gap as f64));
        let (expected, spread) = two_passes(&all[all.len().saturating_sub(samples)..]);
        // Each interval is rounded by half a microsecond at most.
        prop_assert!((mean - expected).abs() <= 0.6 * MICROSECOND, "{mean} {expected}");
        prop_assert!((deviation - spread).abs() <= 1.1 * MICROSECOND, "{deviation} {spread}");
    }

    #[test]
    fn a_coarse_window_has_the_moments_of_its_intervals(
        samples in 1_usize..100,
        gaps in prop::collection::vec(0_u64..4_000_000_000_000_000, 0..200),
    ) {
        let (mean, deviation) = statistics(params(History::Window { samples }), &gaps);
        let mut all = vec![375e6, 625e6];
        all.extend(gaps.iter().map(|&gap| gap as f64));
        let (expected, spread) = two_passes(&all[all.len().saturating_sub(samples)..]);
        prop_assert!((mean - expected).abs() <= 0.6 * MILLISECOND, "{mean} {expected}");
        prop_assert!((deviation - spread).abs() <= 1.1 * MILLISECOND, "{deviation} {spread}");
    }

    #[test]
    fn a_decayed_history_weighs_all_intervals(samples in 2_usize..50, gaps in gaps()) {
        let (mean, deviation) = statistics(params(History::Decayed { samples }), &gaps);
        let mut all = vec![375e6, 625e6];
        let mut weights = vec![0.5, 0.5];
        for &gap in &gaps {
            let newest = 1.0 / (all.len() + 1).min(samples) as f64;
            weights.iter_mut().for_each(|weight| *weight *= 1.0 - newest);
            weights.push(newest);
            all.push(gap as f64);
        }
        let expected = all.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>();
        let squares = all.iter().zip(&weights).map(|(x, w)| (x - expected).powi(2) * w);
        let spread = squares.sum::<f64>().sqrt();
        let near = |a: f64, b: f64| (a - b).abs() <= 1.0 + 1e-9 * expected;
        prop_assert!(near(mean, expected), "{mean} {expected}");
        prop_assert!(near(deviation, spread), "{deviation} {spread}");
    }

    #[test]
    fn chen_expects_what_the_numbers_say(
        window in 1_usize..50,
        lost in prop::collection::vec((0_u64..4, 0_u64..400_000_000), 1..200),
    ) {
        let interval = 1_000_000_000;
        let chen = config(DetectorParams::Chen(ChenParams {
            interval: Duration::from_nanos(interval),
            margin: Duration::from_secs(1),
            window,
        }));
        let due = Mark::new(&chen, Level::new(1.0));
        let mut state = DetectorState::new(&chen);
        let (mut number, mut offsets) = (5, Vec::new());
        for (lost, jitter) in lost {
            number += 1 + lost;
            let at = number * interval + jitter;
            state.heartbeat(&chen, Instant::from_nanos(at), Some(number), Learn::Interval);
            offsets.push(jitter);
        }
        let last = &offsets[offsets.len().saturating_sub(window)..];
        let offset = last.iter().sum::<u64>() as f64 / last.len() as f64;
        let expected = (number + 2) as f64 * interval as f64 + offset;
        let deadline = state.deadline(&chen, &due).unwrap().as_nanos() as f64;
        prop_assert!((deadline - expected).abs() <= 2.0 * MICROSECOND, "{deadline} {expected}");
    }

    #[test]
    fn numbers_inferred_from_the_time_are_the_numbers(
        window in 1_usize..50,
        lost in prop::collection::vec((0_u64..4, 0_u64..400_000_000), 1..200),
    ) {
        let interval = 1_000_000_000;
        let chen = config(DetectorParams::Chen(ChenParams {
            interval: Duration::from_nanos(interval),
            margin: Duration::from_secs(1),
            window,
        }));
        let due = Mark::new(&chen, Level::new(1.0));
        let mut numbered = DetectorState::new(&chen);
        let mut unnumbered = DetectorState::new(&chen);
        let mut number = 5;
        for (lost, jitter) in lost {
            number += 1 + lost;
            let at = Instant::from_nanos(number * interval + jitter);
            numbered.heartbeat(&chen, at, Some(number), Learn::Interval);
            unnumbered.heartbeat(&chen, at, None, Learn::Interval);
        }
        let deadline = |state: &DetectorState| state.deadline(&chen, &due).unwrap().as_nanos();
        let difference = deadline(&numbered).abs_diff(deadline(&unnumbered));
        prop_assert!(difference as f64 <= 200.0 * MICROSECOND, "{difference}");
    }

    #[test]
    fn bertier_has_the_published_margin(
        window in 1_usize..50,
        jitters in prop::collection::vec(0_u64..400_000_000, 1..200),
    ) {
        let interval = 1e9;
        let params = BertierParams {
            window,
            min_margin: Duration::from_nanos(1),
            ..BertierParams::new(Duration::from_secs(1))
        };
        let (beta, weight, gamma) = (params.beta, params.phi, params.gamma);
        let bertier = config(DetectorParams::Bertier(params));
        let due = Mark::new(&bertier, Level::new(1.0));
        let mut state = DetectorState::new(&bertier);
        let (mut delay, mut var) = (0.0, 0.0);
        let mut offsets: Vec<f64> = Vec::new();
        let mut expected = 0.0;
        for (number, jitter) in (1_u64..).zip(jitters) {
            let at = number as f64 * interval + jitter as f64;
            let sent = Instant::from_nanos(at as u64);
            state.heartbeat(&bertier, sent, Some(number), Learn::Interval);
            if !offsets.is_empty() {
                let error: f64 = at - expected - delay;
                delay += gamma * error;
                var += gamma * (error.abs() - var);
            }
            offsets.push(at - number as f64 * interval);
            let last = &offsets[offsets.len().saturating_sub(window)..];
            expected = two_passes(last).0 + (number + 1) as f64 * interval;
        }
        let margin = (beta * delay + weight * var).max(1.0);
        let deadline = state.deadline(&bertier, &due).unwrap().as_nanos() as f64;
        let difference = (deadline - expected - margin).abs();
        prop_assert!(difference <= 20.0 * MICROSECOND, "{deadline} {expected} {margin}");
    }
}

/// The sums of squares that monitors in service keep would leave nothing of this deviation.
#[test]
fn small_deviations_of_long_intervals_do_not_cancel() {
    let gaps = [4_000_000_000_000, 4_000_000_002_000].repeat(50);
    let (mean, deviation) = statistics(params(History::Window { samples: 100 }), &gaps);
    assert_eq!((mean, deviation), (4_000_000_001_000.0, 1_000.0));
}

#[test]
fn a_window_forgets_exactly_after_millions_of_intervals() {
    let history = History::Window { samples: 200 };
    let mut gaps: Vec<u64> = (0..1_000_000).map(|i| i * 7_919 % 3_000_000_000).collect();
    gaps.extend([1_000_000_000; 200]);
    assert_eq!(statistics(params(history), &gaps), (1e9, 1.0));
}
