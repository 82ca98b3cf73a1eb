//! What a detector has learnt can be carried elsewhere.

use super::inverse::{deliveries, run};
use super::{any_detector, each_kind};
use auscult_core::detector::{DetectorConfig, DetectorState, Learn, Level, Mark};
use auscult_core::time::Instant;
use proptest::prelude::*;
use std::time::Duration;

proptest! {
    #![proptest_config(super::cases(300))]

    /// It goes on elsewhere as if it had stayed.
    #[test]
    fn a_detector_goes_on_from_its_words_as_it_would_have(
        params in any_detector(),
        start in 0..u64::MAX / 4,
        before in deliveries(),
        behind in deliveries(),
    ) {
        let Ok(config) = DetectorConfig::new(params) else {
            return Ok(());
        };
        let mut here = run(&config, start, &before);
        let words = here.words();
        let mut there = DetectorState::from_words(&config, &words).unwrap();
        prop_assert_eq!(there.words(), words);
        let mut now = here.last_arrival().unwrap_or(Instant::from_nanos(start));
        for delivery in behind {
            now = now.after(delivery.gap);
            let heard = here.heartbeat(&config, now, delivery.sequence, delivery.learn);
            let again = there.heartbeat(&config, now, delivery.sequence, delivery.learn);
            prop_assert_eq!(heard, again);
            prop_assert_eq!(here.statistics(&config), there.statistics(&config));
            let mark = Mark::new(&config, Level::new(3.0));
            prop_assert_eq!(here.deadline(&config, &mark), there.deadline(&config, &mark));
        }
        prop_assert_eq!(here.words(), there.words());
    }

    /// Whoever wrote them: words make a detector that can be used, or none.
    #[test]
    fn any_words_are_a_detector_or_nothing(
        kind in 0..6_usize,
        words in prop::collection::vec(prop_oneof![any::<u64>(), 0..300_u64], 0..12),
        beats in prop::collection::vec((any::<u32>(), any::<u8>()), 0..20),
    ) {
        let config = &each_kind()[kind];
        if let Some(mut state) = DetectorState::from_words(config, &words) {
            let mut now = state.last_arrival().unwrap_or(Instant::ORIGIN);
            for (gap, sequence) in beats {
                now = now.after(Duration::from_micros(gap.into()));
                let sequence = (sequence > 9).then_some(sequence.into());
                state.heartbeat(config, now, sequence, Learn::Interval);
                let level = state.level(config, now.after(Duration::from_secs(5)));
                prop_assert!(level.get() >= 0.0);
                let _deadline = state.deadline(config, &Mark::new(config, Level::new(8.0)));
                let _statistics = state.statistics(config);
            }
        }
    }
}
