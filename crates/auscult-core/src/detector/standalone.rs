//! Detectors that own their configuration, for authors who watch a few senders without the monitor.

/// Defines a detector type: a configuration and a state, with the trait over both.
macro_rules! standalone {
    ($(#[$doc:meta])* $name:ident, $params:ident, $variant:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            config: $crate::detector::DetectorConfig,
            state: $crate::detector::DetectorState,
        }

        impl $name {
            /// A detector that has heard nothing.
            ///
            /// # Errors
            /// Every violated rule. State: nothing was made.
            pub fn new(
                params: $params,
            ) -> Result<Self, alloc::vec::Vec<$crate::detector::Violation>> {
                let config = $crate::detector::DetectorConfig::new($variant(params))?;
                let state = $crate::detector::DetectorState::new(&config);
                Ok(Self { config, state })
            }

            /// The newest arrival that was taken.
            #[must_use]
            pub fn last_arrival(&self) -> Option<$crate::time::Instant> {
                self.state.last_arrival()
            }

            /// What the detector works with.
            #[must_use]
            pub fn statistics(&self) -> $crate::detector::Statistics {
                self.state.statistics(&self.config)
            }
        }

        impl $crate::detector::Detector for $name {
            fn heartbeat(
                &mut self,
                received_at: $crate::time::Instant,
                sequence: Option<u64>,
            ) {
                let learn = $crate::detector::Learn::Interval;
                self.state.heartbeat(&self.config, received_at, sequence, learn);
            }

            fn level(&self, now: $crate::time::Instant) -> $crate::detector::Level {
                self.state.level(&self.config, now)
            }

            fn deadline(
                &self,
                threshold: $crate::detector::Level,
            ) -> Option<$crate::time::Instant> {
                let mark = $crate::detector::Mark::new(&self.config, threshold);
                self.state.deadline(&self.config, &mark)
            }
        }
    };
}

pub(super) use standalone;
