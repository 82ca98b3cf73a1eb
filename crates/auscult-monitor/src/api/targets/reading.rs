//! What the machine and the checks say of one target, copied at one moment.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::{Failure, Monitor, SignalConfig, SignalView, Status, TargetView};
use auscult_core::time::Instant;

use super::super::ApiState;
use super::why::Grounds;
use crate::check::CheckReport;
use crate::events::sentence::failure_text;

/// Intervals that are shown of a signal.
const INTERVALS_MAX: usize = 20;

/// A target at one moment.
#[derive(Debug)]
pub(in crate::api) struct Reading {
    pub(in crate::api) now: Instant,
    pub(in crate::api) status: Status,
    pub(in crate::api) since: Instant,
    pub(in crate::api) paused: bool,
    pub(in crate::api) flapping: bool,
    pub(in crate::api) flap_score: f64,
    pub(in crate::api) transitions: u64,
    pub(in crate::api) signals: Vec<SignalReading>,
    observer_suspects_itself: bool,
}

/// A signal at that moment.
#[derive(Debug)]
pub(in crate::api) struct SignalReading {
    pub(in crate::api) name: String,
    pub(in crate::api) status: Status,
    pub(in crate::api) level: f64,
    pub(in crate::api) config: SignalConfig,
    pub(in crate::api) deadline: Option<Instant>,
    pub(in crate::api) last_arrival: Option<Instant>,
    pub(in crate::api) arrivals: u64,
    pub(in crate::api) mean: Duration,
    pub(in crate::api) std_deviation: Duration,
    pub(in crate::api) samples: u32,
    pub(in crate::api) recent_intervals: Vec<Duration>,
    pub(in crate::api) last_failure: Option<(Instant, Failure)>,
    pub(in crate::api) last_check: Option<Arc<CheckReport>>,
    pub(in crate::api) told: Option<Arc<str>>,
    key: auscult_core::monitor::SignalKey,
}

impl Reading {
    /// Reads a target; none when it is not watched.
    pub(in crate::api) fn take(state: &ApiState, id: &str) -> Option<Self> {
        let mut reading = state.engine().read(|monitor, now| {
            monitor
                .target(id)
                .map(|target| Self::copy(monitor, &target, now))
        })?;
        for signal in &mut reading.signals {
            signal.last_check = state.checks().last(signal.key);
        }
        Some(reading)
    }

    fn copy(monitor: &Monitor, target: &TargetView<'_>, now: Instant) -> Self {
        Self {
            now,
            status: target.status(),
            since: target.since(),
            paused: target.paused(),
            flapping: target.flapping(),
            flap_score: target.flap_score(now),
            transitions: target.transitions(),
            // Where others observe it, nothing is seen here.
            signals: target
                .signals()
                .filter(|_| !target.rests())
                .map(|signal| SignalReading::copy(&signal, now))
                .collect(),
            observer_suspects_itself: monitor.observer_suspects_itself(),
        }
    }

    /// The signal that decides: of the worst status, and of those the one closest to being down.
    pub(in crate::api) fn deciding(&self) -> Option<&SignalReading> {
        let rank = |signal: &&SignalReading| {
            let part = signal.level / signal.config.down().get();
            (signal.status.severity(), part)
        };
        self.signals.iter().max_by(|a, b| {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }

    pub(in crate::api) fn last_arrival(&self) -> Option<Instant> {
        self.signals
            .iter()
            .filter_map(|signal| signal.last_arrival)
            .max()
    }

    /// Why the target has its status.
    pub(in crate::api) fn why(&self) -> String {
        let Some(signal) = self.deciding() else {
            return String::new();
        };
        let failure = signal.failure();
        Grounds {
            status: self.status,
            signal: (self.signals.len() > 1).then_some(signal.name.as_str()),
            detector: signal.config.detector(),
            level: signal.level,
            late: signal.config.late().get(),
            down: signal.config.down().get(),
            silence: signal.last_arrival.map(|at| self.now.since(at)),
            mean: signal.mean,
            std_deviation: signal.std_deviation,
            samples: signal.samples,
            grace_left: signal.deadline.map(|at| at.since(self.now)),
            grace: signal.config.grace(),
            failure: failure.as_deref(),
            told: signal.told.as_deref(),
            observer_suspects_itself: self.observer_suspects_itself,
        }
        .sentence()
    }
}

impl SignalReading {
    fn copy(signal: &SignalView<'_>, now: Instant) -> Self {
        let statistics = signal.statistics();
        Self {
            name: signal.name().to_string(),
            status: signal.status(),
            level: signal.level(now).get(),
            config: signal.config().clone(),
            deadline: signal.deadline(),
            last_arrival: signal.last_arrival(),
            arrivals: signal.arrivals(),
            mean: statistics.mean,
            std_deviation: statistics.std_deviation,
            samples: statistics.samples,
            recent_intervals: signal.recent_intervals().take(INTERVALS_MAX).collect(),
            last_failure: signal.last_failure(),
            last_check: None,
            told: signal.told().map(Arc::from),
            key: signal.key(),
        }
    }

    /// What the last failed check since the last arrival said, in the check's own words where they
    /// are known.
    pub(in crate::api) fn failure(&self) -> Option<String> {
        let (_, failure) = self.last_failure?;
        let report = self.last_check.as_ref();
        let own_words = report.and_then(|report| report.outcome.as_ref().err());
        Some(own_words.map_or_else(|| failure_text(failure), |error| error.text.clone()))
    }
}
