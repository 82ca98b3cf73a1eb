//! What each detector does with what a network and a sender can do.

use super::{config, phi};
use auscult_core::detector::{
    BertierParams, ChenParams, DeadlineParams, Detector, DetectorConfig, DetectorParams,
    DetectorState, Distribution, Heard, History, Learn, Level, Mark, Phi, PhiParams,
};
use auscult_core::time::Instant;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn each_kind() -> [DetectorConfig; 6] {
    let decayed = PhiParams {
        history: History::Decayed { samples: 200 },
        ..PhiParams::new()
    };
    [
        phi(PhiParams::new()),
        phi(decayed),
        phi(with(Distribution::Empirical)),
        config(DetectorParams::Chen(ChenParams {
            interval: SECOND,
            margin: SECOND,
            window: 100,
        })),
        config(DetectorParams::Bertier(BertierParams::new(SECOND))),
        config(DetectorParams::Deadline(DeadlineParams { timeout: SECOND })),
    ]
}

fn with(distribution: Distribution) -> PhiParams {
    PhiParams {
        distribution,
        ..PhiParams::new()
    }
}

/// Heartbeats of a second each, and the moment of the last.
fn heard(config: &DetectorConfig, beats: u64) -> (DetectorState, Instant) {
    let mut state = DetectorState::new(config);
    for beat in 1..=beats {
        state.heartbeat(
            config,
            Instant::from_secs(beat),
            Some(beat),
            Learn::Interval,
        );
    }
    (state, Instant::from_secs(beats))
}

fn silence_until(state: &DetectorState, config: &DetectorConfig, level: f64) -> Duration {
    let mark = Mark::new(config, Level::new(level));
    let deadline = state.deadline(config, &mark).unwrap();
    deadline.since(state.last_arrival().unwrap())
}

#[test]
fn who_was_never_heard_has_no_level_and_no_deadline() {
    for config in each_kind() {
        let state = DetectorState::new(&config);
        assert_eq!(state.level(&config, Instant::FAR_FUTURE), Level::ZERO);
        for threshold in [0.0, 1.0, 8.0] {
            let mark = Mark::new(&config, Level::new(threshold));
            assert_eq!(state.deadline(&config, &mark), None);
        }
        assert_eq!(state.last_arrival(), None);
        assert_eq!(state.statistics(&config).samples, 0);
        assert_eq!(state.recent_intervals(&config).count(), 0);
    }
}

#[test]
fn duplicates_and_old_numbers_change_nothing() {
    for config in each_kind() {
        let (mut state, last) = heard(&config, 50);
        let level = |state: &DetectorState| state.level(&config, last.after(3 * SECOND));
        let (before, later) = (level(&state), last.after(SECOND));
        let mut hear = |at, number| state.heartbeat(&config, at, Some(number), Learn::Interval);
        assert_eq!(hear(later, 50), Heard::Duplicate);
        assert_eq!(hear(later, 20), Heard::Stale);
        assert_eq!(hear(later, 10), Heard::Stale);
        assert_eq!(hear(last.before(SECOND), 51), Heard::Stale);
        assert_eq!(level(&state), before);
        assert_eq!(state.last_arrival(), Some(last));
    }
}

#[test]
fn a_sender_that_counts_anew_is_heard_at_its_second_heartbeat() {
    for config in each_kind() {
        let (mut state, last) = heard(&config, 50);
        let mut hear = |seconds, number| {
            let at = last.after(seconds * SECOND);
            state.heartbeat(&config, at, Some(number), Learn::Interval)
        };
        assert_eq!(hear(3, 1), Heard::Stale);
        assert_eq!(hear(4, 2), Heard::Taken);
        assert_eq!(hear(5, 3), Heard::Taken);
        assert_eq!(hear(6, 3), Heard::Duplicate);
    }
}

#[test]
fn a_late_packet_between_good_ones_is_no_new_count() {
    let config = phi(PhiParams::new());
    let (mut state, last) = heard(&config, 50);
    let order = [(7, Heard::Stale), (51, Heard::Taken), (8, Heard::Stale)];
    for (number, expected) in order {
        let heard = state.heartbeat(&config, last.after(SECOND), Some(number), Learn::Interval);
        assert_eq!(heard, expected, "{number}");
    }
}

#[test]
fn skipped_intervals_are_not_learnt_but_the_arrival_counts() {
    for config in each_kind() {
        let (mut state, last) = heard(&config, 100);
        let before = silence_until(&state, &config, 1.0);
        let back = last.after(Duration::from_secs(600));
        state.heartbeat(&config, back, Some(101), Learn::Skip);
        assert_eq!(state.last_arrival(), Some(back));
        let after = silence_until(&state, &config, 1.0);
        // Chen's phase begins anew, which moves it by its resolution.
        assert!(
            after.abs_diff(before) <= Duration::from_micros(2),
            "{before:?} {after:?}"
        );
    }
}

/// Seed 000 took 305 s to notice the next outage after one of ten minutes.
#[test]
fn an_outage_does_not_poison_the_window_of_a_detector_alone() {
    let mut detector = Phi::new(with(Distribution::Logistic)).unwrap();
    for second in 0..300 {
        detector.heartbeat(Instant::from_secs(second), None);
    }
    for second in 0..10 {
        detector.heartbeat(Instant::from_secs(900 + second), None);
    }
    let deadline = detector.deadline(Level::new(16.0)).unwrap();
    assert_eq!(deadline.since(Instant::from_secs(909)).as_millis(), 4_559);
}

#[test]
fn a_new_rhythm_is_learnt_after_eight_intervals() {
    let mut detector = Phi::new(PhiParams::new()).unwrap();
    for second in 0..300 {
        detector.heartbeat(Instant::from_secs(second), None);
    }
    for minute in 0..8 {
        assert_eq!(detector.statistics().mean, SECOND, "minute {minute}");
        detector.heartbeat(Instant::from_secs(359 + 60 * minute), None);
    }
    assert_eq!(detector.statistics().mean, 60 * SECOND);
}

#[test]
fn the_recent_intervals_are_the_measured_ones_newest_first() {
    let config = phi(PhiParams {
        history: History::Window { samples: 4 },
        ..PhiParams::new()
    });
    let mut state = DetectorState::new(&config);
    let recent = |state: &DetectorState| -> Vec<u128> {
        state
            .recent_intervals(&config)
            .map(|span| span.as_millis())
            .collect()
    };
    let mut expected = Vec::new();
    for millis in [1_000, 1_100, 1_300, 1_600, 2_000, 2_500, 3_100] {
        state.heartbeat(&config, Instant::from_millis(millis), None, Learn::Interval);
        assert_eq!(recent(&state), expected);
        let step = u128::from(
            expected
                .first()
                .map_or(100, |last: &u128| *last as u64 + 100),
        );
        expected.insert(0, step);
        expected.truncate(4);
    }
}

#[test]
fn a_restart_expects_the_new_interval_and_keeps_the_last_arrival() {
    let config = phi(PhiParams::new());
    let (mut state, last) = heard(&config, 50);
    state.restart(&config, 10 * SECOND);
    let statistics = state.statistics(&config);
    assert_eq!((statistics.mean, statistics.samples), (10 * SECOND, 2));
    assert_eq!(statistics.std_deviation, Duration::from_millis(2_500));
    assert_eq!(state.last_arrival(), Some(last));
}

#[test]
fn the_exponential_waits_for_a_multiple_of_the_mean() {
    let config = phi(with(Distribution::Exponential));
    let (state, _) = heard(&config, 300);
    let silence = silence_until(&state, &config, 8.0);
    // 8 ln 10 = 18.420680743952367
    assert_eq!(silence, Duration::from_nanos(18_420_680_744));
}

/// mean 1 s, deviation 500 ms: sigma = sqrt(ln(1.25)), mu = -sigma^2 / 2; to 50 digits with mpmath.
#[test]
fn the_lognormal_has_the_mean_and_deviation_of_the_window() {
    let config = phi(with(Distribution::LogNormal));
    let (state, last) = heard(&config, 300);
    for (millis, expected) in [
        (500, LOGNORMAL[0]),
        (2_000, LOGNORMAL[1]),
        (10_000, LOGNORMAL[2]),
    ] {
        let level = state
            .level(&config, last.after(Duration::from_millis(millis)))
            .get();
        assert!((level / expected - 1.0).abs() < 1e-13, "{level} {expected}");
    }
}

#[test]
fn the_empirical_level_goes_on_from_the_largest_interval_without_a_step() {
    let config = phi(with(Distribution::Empirical));
    let mut state = DetectorState::new(&config);
    let mut now = Instant::from_secs(1);
    for beat in 0..300 {
        now = now.after(Duration::from_millis(900 + beat % 200));
        state.heartbeat(&config, now, None, Learn::Interval);
    }
    let level = |nanos| {
        state
            .level(&config, now.after(Duration::from_nanos(nanos)))
            .get()
    };
    assert_eq!(level(899_999_999), 0.0);
    // 100 of 200 are longer than 1 s; one of 201 beyond the largest.
    assert!((level(999_000_000) - (201.0_f64 / 101.0).log10()).abs() < 1e-12);
    let largest = 1_099_000_000;
    assert!((level(largest) - 201.0_f64.log10()).abs() < 1e-12);
    assert!(level(largest + 1_000) - level(largest) < 1e-5);
    // From there, each 500 ms ln 10 one more.
    let next = largest + 1_151_292_546;
    assert!((level(next) - level(largest) - 1.0).abs() < 1e-8);
}

#[test]
fn the_acceptable_pause_moves_everything() {
    for distribution in [
        Distribution::Normal,
        Distribution::Exponential,
        Distribution::LogNormal,
        Distribution::Empirical,
        Distribution::Logistic,
    ] {
        let (plain, paused) = (
            with(distribution),
            PhiParams {
                acceptable_pause: 7 * SECOND,
                ..with(distribution)
            },
        );
        let (plain, paused) = (phi(plain), phi(paused));
        let silence = |config| silence_until(&heard(config, 100).0, config, 8.0);
        let moved = silence(&paused) - silence(&plain);
        assert!(
            moved.abs_diff(7 * SECOND) <= Duration::from_nanos(1),
            "{moved:?}"
        );
    }
}

#[test]
fn a_sender_that_paused_is_not_suspected_for_a_window_of_heartbeats() {
    for config in each_kind() {
        let (mut state, last) = heard(&config, 100);
        // The process was stopped for ten seconds and counts on from where it was.
        let resumed = last.after(11 * SECOND);
        state.heartbeat(&config, resumed, Some(101), Learn::Skip);
        state.heartbeat(&config, resumed.after(SECOND), Some(102), Learn::Interval);
        let level = state.level(&config, resumed.after(SECOND).after(SECOND / 2));
        assert!(level < Level::new(1.0), "{level}");
    }
}

#[test]
fn intervals_beyond_71_minutes_coarsen_the_window_and_stay_exact_to_a_millisecond() {
    let config = phi(PhiParams {
        first_heartbeat_estimate: 86_400 * SECOND,
        ..PhiParams::new()
    });
    let mut state = DetectorState::new(&config);
    for day in 0..10 {
        state.heartbeat(
            &config,
            Instant::from_secs(86_400 * day),
            None,
            Learn::Interval,
        );
    }
    assert_eq!(state.statistics(&config).mean, 86_400 * SECOND);
}

#[test]
fn violated_rules_are_errors() {
    let phi = |params| DetectorConfig::new(DetectorParams::Phi(params));
    let window = |samples| PhiParams {
        history: History::Window { samples },
        ..PhiParams::new()
    };
    assert!(phi(window(0)).is_err());
    assert!(phi(window(1)).is_ok());
    assert!(phi(window(1_000_000)).is_err());
    let several = PhiParams {
        min_std_deviation: Duration::ZERO,
        first_heartbeat_estimate: Duration::ZERO,
        ..window(0)
    };
    assert_eq!(phi(several).unwrap_err().len(), 3);
}

const LOGNORMAL: [f64; 3] = [0.05018656806733071, 1.3542474195085523, 6.794377849357713];
