//! The detector must give the values that monitors in service today give, so that thresholds carry
//! over.

use auscult_core::detector::{
    DetectorConfig, DetectorParams, DetectorState, Distribution, Learn, Level, Mark, PhiParams,
};
use auscult_core::time::Instant;
use std::time::Duration;

/// 33arc/phi-accrual-multi-monitor, `phidetector/detector_test.go`, as run.
#[test]
fn a_sender_that_falls_silent_after_290_seconds() {
    let config = logistic(PhiParams::new());
    let mut state = DetectorState::new(&config);
    let at = |i: u64| Instant::from_millis(1_000 * (i + 1));
    let level = |state: &DetectorState, i: u64| state.level(&config, at(i)).get();
    for i in 0..=290 {
        let skipped = i > 200 && i % 5 == 0;
        if skipped {
            let level = level(&state, i);
            assert!(level > 0.1 && level < 0.5, "{level} at {i}");
            continue;
        }
        state.heartbeat(&config, at(i), None, Learn::Interval);
        assert!(level(&state, i) < 0.1);
        match i {
            0 => assert_near(level(&state, i), 0.07503, 5e-6),
            100 => assert_near(level(&state, i), 0.01048, 5e-6),
            _ => {}
        }
    }
    let expected = [
        1.4724, 4.3792, 10.1178, 20.1445, 35.9302, 58.9461, 90.6631, 132.5522, 186.0846,
    ];
    for (i, expected) in (291..).zip(expected) {
        assert_near(level(&state, i), expected, 5e-5);
    }
}

/// 200 intervals of 1 s, then silence: milliseconds until the level reaches a threshold, as run.
#[test]
fn the_silence_that_reaches_a_threshold() {
    let table = [
        (1.0, [1642, 1065, 3642]),
        (2.0, [2162, 1117, 4162]),
        (3.0, [2530, 1153, 4530]),
        (5.0, [3060, 1206, 5060]),
        (8.0, [3613, 1262, 5613]),
        (12.0, [4147, 1315, 6147]),
        (16.0, [4560, 1356, 6560]),
        (20.0, [4904, 1391, 6904]),
    ];
    let columns = [(500, 0), (50, 0), (500, 2_000)];
    for (column, (min_std_deviation, pause)) in columns.into_iter().enumerate() {
        let config = logistic(PhiParams {
            min_std_deviation: Duration::from_millis(min_std_deviation),
            acceptable_pause: Duration::from_millis(pause),
            ..PhiParams::new()
        });
        let mut state = DetectorState::new(&config);
        for i in 0..=202 {
            state.heartbeat(&config, Instant::from_secs(i), None, Learn::Interval);
        }
        for (threshold, silence) in table {
            let mark = Mark::new(&config, Level::new(threshold));
            let deadline = state.deadline(&config, &mark).unwrap();
            let millis = deadline
                .since(Instant::from_secs(202))
                .as_nanos()
                .div_ceil(1_000_000);
            assert_eq!(millis, silence[column], "threshold {threshold}");
        }
    }
}

fn logistic(params: PhiParams) -> DetectorConfig {
    DetectorConfig::new(DetectorParams::Phi(PhiParams {
        distribution: Distribution::Logistic,
        ..params
    }))
    .unwrap()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} instead of {expected}"
    );
}
