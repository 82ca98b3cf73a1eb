//! Levels are numbers, and deadlines are their inverse, whatever arrives.

use super::{any_detector, span};
use auscult_core::detector::{DetectorConfig, DetectorState, Learn, Level, Mark};
use auscult_core::time::Instant;
use proptest::prelude::*;
use std::time::Duration;

/// What a network can do to a heartbeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// How much later than the one before it, or earlier.
    pub(super) gap: Duration,
    backwards: bool,
    pub(super) sequence: Option<u64>,
    pub(super) learn: Learn,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let gap = prop_oneof![Just(Duration::ZERO), span()];
    let sequence = prop_oneof![
        3 => Just(None),
        3 => (0_u64..40).prop_map(Some),
        1 => any::<u64>().prop_map(Some),
    ];
    let learn = prop_oneof![4 => Just(Learn::Interval), 1 => Just(Learn::Skip)];
    let backwards = prop::bool::weighted(0.1);
    (gap, backwards, sequence, learn).prop_map(|(gap, backwards, sequence, learn)| Delivery {
        gap,
        backwards,
        sequence,
        learn,
    })
}

/// Deliveries at about one rhythm, so that windows hold something sensible.
fn rhythm() -> impl Strategy<Value = Vec<Delivery>> {
    let steps = prop::collection::vec((0.5_f64..2.0, 0.0_f64..1.0), 0..60);
    (span(), steps).prop_map(|(interval, steps)| {
        let delivery = |(factor, lost): (f64, f64)| Delivery {
            gap: interval.min(Duration::from_secs(86_400)).mul_f64(factor),
            backwards: false,
            sequence: None,
            learn: if lost < 0.05 {
                Learn::Skip
            } else {
                Learn::Interval
            },
        };
        steps.into_iter().map(delivery).collect()
    })
}

pub(super) fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    prop_oneof![prop::collection::vec(delivery(), 0..40), rhythm()]
}

pub(super) fn run(config: &DetectorConfig, start: u64, deliveries: &[Delivery]) -> DetectorState {
    let mut state = DetectorState::new(config);
    let mut now = Instant::from_nanos(start);
    for delivery in deliveries {
        now = if delivery.backwards {
            now.before(delivery.gap)
        } else {
            now.after(delivery.gap)
        };
        let before = state.last_arrival();
        state.heartbeat(config, now, delivery.sequence, delivery.learn);
        assert!(
            state.last_arrival() >= before,
            "the newest arrival never goes back"
        );
    }
    state
}

/// Floats between two levels.
fn steps_between(a: Level, b: Level) -> u64 {
    a.get().to_bits().abs_diff(b.get().to_bits())
}

/// Single floats by which a level may waver where one nanosecond is less than its last digit.
const PLATEAU: u64 = 16;

proptest! {
    #![proptest_config(crate::cases(1_000))]

    #[test]
    fn the_deadline_is_the_first_nanosecond_at_the_threshold(
        params in any_detector(),
        start in 0_u64..1 << 50,
        deliveries in deliveries(),
        threshold in prop_oneof![0.0_f64..40.0, 0.0_f64..0.4, Just(1.0), Just(8.0), 40.0_f64..1e6],
    ) {
        let config = DetectorConfig::new(params).unwrap();
        let state = run(&config, start, &deliveries);
        let threshold = Level::new(threshold);
        let level = |at: Instant| state.level(&config, at);
        let deadline = state.deadline(&config, &Mark::new(&config, threshold));
        let (Some(deadline), Some(last)) = (deadline, state.last_arrival()) else {
            let end = level(Instant::FAR_FUTURE);
            prop_assert!(state.last_arrival().is_none() || end < threshold, "{end} for ever");
            return Ok(());
        };
        prop_assert!(deadline >= last);
        let reached = level(deadline);
        prop_assert!(reached >= threshold, "{reached} is below {threshold} at {deadline}");
        if deadline > last {
            let before = level(deadline.before(Duration::from_nanos(1)));
            prop_assert!(
                before < threshold || steps_between(before, threshold) <= PLATEAU,
                "{before} is at {threshold} before {deadline}"
            );
        }
    }

    #[test]
    fn levels_are_finite_and_never_fall_while_nothing_arrives(
        params in any_detector(),
        start in 0_u64..1 << 50,
        deliveries in deliveries(),
        silences in prop::collection::vec(span(), 1..20),
    ) {
        let config = DetectorConfig::new(params).unwrap();
        let state = run(&config, start, &deliveries);
        let now = state.last_arrival().unwrap_or_default();
        let mut silences = silences;
        silences.sort();
        let mut last = state.level(&config, Instant::ORIGIN);
        for silence in silences {
            let level = state.level(&config, now.after(silence));
            prop_assert!(level.get().is_finite() && level.get().is_sign_positive());
            let risen = level >= last || steps_between(level, last) <= PLATEAU;
            prop_assert!(risen, "{level} after {last}");
            last = level;
        }
        let end = state.level(&config, Instant::FAR_FUTURE);
        prop_assert!(end.get().is_finite());
    }

    #[test]
    fn other_configurations_than_its_own_panic_no_state(
        params in any_detector(),
        other in any_detector(),
        deliveries in deliveries(),
    ) {
        let config = DetectorConfig::new(params).unwrap();
        let other = DetectorConfig::new(other).unwrap();
        let mut state = run(&config, 0, &deliveries);
        state.heartbeat(&other, Instant::from_secs(1 << 33), None, Learn::Interval);
        let mark = Mark::new(&other, Level::new(8.0));
        let _ = (state.deadline(&other, &mark), state.statistics(&other));
        let level = state.level(&other, Instant::FAR_FUTURE);
        prop_assert!(level.get().is_finite());
        state.restart(&other, Duration::from_secs(1));
        state.heartbeat(&other, Instant::FAR_FUTURE, None, Learn::Interval);
        prop_assert!(state.recent_intervals(&other).count() <= 20);
    }
}
