//! The recorder, the file and the queue between them, without the thread.

mod faults;
mod room;
mod rows;

use std::time::Duration;

use auscult_core::detector::{Level, PhiParams};
use auscult_core::id::SignalName;
use auscult_core::monitor::{
    Cause, Event, EventKind, Evidence, Failure, MonitorConfig, SignalConfig, SignalKey,
    SignalParams, Status,
};
use auscult_core::time::Instant;

use super::store::Place;
use super::*;
use crate::check::{RunnerConfig, Sink};
use crate::clock::Clock;
use crate::events::EventLog;
use crate::settings::HistorySettings;

/// A history without its thread.
pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) history: History,
    pub(super) recorder: Recorder,
    pub(super) settings: HistorySettings,
}

struct Nowhere;

impl Sink for Nowhere {
    fn arrival(&self, _key: SignalKey, _at: Instant) {}
    fn failed(&self, _key: SignalKey, _at: Instant, _failure: Failure) {}
}

impl Stage {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self::over(Box::new(InFolder::new(folder)))
    }

    pub(super) fn over(place: Box<dyn Place>) -> Self {
        let clock = Clock::new();
        let events = EventLog::keeping(8, clock.clone());
        let engine = Engine::start(MonitorConfig::server(), clock.clone(), events).unwrap();
        let runner = RunnerConfig {
            threads: 1,
            sockets_max: 1,
        };
        let checks = Arc::new(CheckRunner::start(Nowhere, clock, runner).unwrap());
        let history = History::over(place, &engine);
        let recorder = Recorder::new(Arc::clone(&history.0), engine.clone(), checks);
        let settings = HistorySettings {
            enabled: true,
            age: Duration::from_secs(30 * 86_400),
            size_mib: 1_024,
            finest: Resolution::TenSeconds,
        };
        Self {
            engine,
            history,
            recorder,
            settings,
        }
    }

    pub(super) fn step(&mut self) {
        self.recorder.step(&self.settings);
    }

    /// Says that something happened, so many milliseconds after the origin.
    pub(super) fn tell(&self, target: &str, at_ms: u64, kind: EventKind) {
        self.engine.events().append(Event {
            at: Instant::from_millis(at_ms),
            target: TargetId::new(target).ok(),
            kind,
        });
    }

    /// The origin of the events' moments, as rows count.
    pub(super) fn origin_ms(&self) -> u64 {
        self.history.0.clock.ms(Instant::ORIGIN)
    }

    /// Everything that is known of a target, from the origin on.
    pub(super) fn all(&self, target: &str, span_ms: u64) -> Rollup {
        let since = self.origin_ms();
        let rows = self.history.rollups(
            target,
            Resolution::TenSeconds,
            (since, since + span_ms),
            10_000,
        );
        let mut sum = Rollup::default();
        for (_, row) in rows.unwrap().rows {
            sum.add(&row);
        }
        sum
    }
}

pub(super) fn passes(from: Status, to: Status) -> EventKind {
    EventKind::Transition {
        from,
        to,
        evidence: Box::new(evidence()),
    }
}

pub(super) fn evidence() -> Evidence {
    let config = SignalConfig::new(SignalParams {
        detector: auscult_core::detector::DetectorParams::Phi(PhiParams::new()),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(10),
        recovery_arrivals: 1,
    })
    .unwrap();
    Evidence {
        signal: SignalName::new("http").unwrap(),
        cause: Cause::Silence,
        level: Level::new(16.0),
        threshold: Level::new(16.0),
        last_arrival: Some(Instant::from_millis(500)),
        silence: Duration::from_millis(4_600),
        recent_intervals: vec![Duration::from_millis(1_000), Duration::from_millis(998)],
        mean: Duration::from_millis(1_000),
        std_deviation: Duration::from_millis(500),
        samples: 7,
        last_failure: Some((Instant::from_millis(900), Failure::Status(503))),
        told: None,
        config,
    }
}
