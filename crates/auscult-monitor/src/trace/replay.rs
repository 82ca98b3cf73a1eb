//! Judges a recording again: by the machine that judged it, and as fast as it can.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::monitor::{
    Arrival, Cause, Change, EventKind, Input, Monitor, MonitorConfig, Output, Source, Status,
};
use auscult_core::time::Instant;

use super::{Heard, Recorded, Trace, TraceError};

/// What the machine made of a recording.
pub struct Replay {
    monitor: Monitor,
    begin: Instant,
    /// The newest arrival of each signal that is in what it remembers.
    known: BTreeMap<(String, String), Instant>,
    recalled: u64,
    signals: u64,
    arrivals: u64,
    undescribed: u64,
    verdicts: Vec<Verdict>,
    downs: BTreeMap<String, u64>,
}

/// A change of a target's status.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// When, counted from the beginning of the recording.
    pub after: Duration,
    /// The target.
    pub target: String,
    /// The signal that made it.
    pub signal: String,
    /// What it was.
    pub from: Status,
    /// What it became.
    pub to: Status,
    /// Why.
    pub cause: Cause,
    /// The level of the signal then.
    pub level: Level,
    /// How long ago the signal was heard; `None`: never.
    pub silence: Option<Duration>,
}

impl Replay {
    /// Judges a recording from its beginning to its end.
    ///
    /// # Errors
    /// The machine does not take a target.
    pub fn of(trace: &Trace) -> Result<Self, TraceError> {
        // One who suspects itself would be the recorder of that time.
        let config = MonitorConfig {
            mass_fraction: 2.0,
            ..MonitorConfig::server()
        };
        let mut replay = Self {
            monitor: Monitor::new(config, 0, trace.begin),
            begin: trace.begin,
            known: BTreeMap::new(),
            recalled: 0,
            signals: 0,
            arrivals: 0,
            undescribed: 0,
            verdicts: Vec::new(),
            downs: BTreeMap::new(),
        };
        let described = trace.described();
        let mut targets = trace.targets.iter().peekable();
        for heard in &trace.heard {
            // What each detector knew is told as of a moment of its own.
            while let Some(recorded) = targets.next_if(|recorded| recorded.at <= heard.at) {
                replay.watch(recorded)?;
            }
            let (target, signal) = &trace.signals[heard.signal];
            match described[heard.signal] {
                true => replay.take(heard, target, signal),
                false => replay.undescribed += 1,
            }
        }
        for recorded in targets {
            replay.watch(recorded)?;
        }
        replay.pass(trace.end);
        replay.monitor.handle(trace.end, Input::Tick);
        replay.listen();
        Ok(replay)
    }

    /// Arrivals that were judged.
    #[must_use]
    pub const fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// What was heard of signals that the recording does not describe, so that it was not judged.
    #[must_use]
    pub const fn undescribed(&self) -> u64 {
        self.undescribed
    }

    /// Signals whose detectors began with what they had learnt, and all.
    #[must_use]
    pub const fn recalled(&self) -> (u64, u64) {
        (self.recalled, self.signals)
    }

    /// What it decided, the oldest first.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// How often each target went down.
    #[must_use]
    pub const fn downs(&self) -> &BTreeMap<String, u64> {
        &self.downs
    }

    /// Has a target go on where it was when its recording began.
    fn watch(&mut self, recorded: &Recorded) -> Result<(), TraceError> {
        self.pass(recorded.at);
        let target = &recorded.target;
        let id = target.id.to_string();
        let applied = self.monitor.apply(recorded.at, Change::Put(target.clone()));
        applied.map_err(|refusal| TraceError::Line {
            line: 1,
            what: refusal.to_string(),
        })?;
        self.downs.insert(id.clone(), 0);
        self.signals += target.signals.len() as u64;
        for remembered in &recorded.memories {
            let signal = &remembered.signal;
            if self.monitor.recall(&id, signal, &remembered.memory) {
                self.recalled += 1;
                if let Some(last) = remembered.last_arrival {
                    self.known.insert((id.clone(), signal.clone()), last);
                }
            }
        }
        self.listen();
        Ok(())
    }

    /// Lets every verdict fall that is due before, then takes what was heard.
    fn take(&mut self, heard: &Heard, target: &str, signal: &str) {
        // Before its target is watched, it is among what its detector remembers.
        let Some(key) = self.monitor.signal(target, signal) else {
            return;
        };
        let of = (target.to_owned(), signal.to_owned());
        if self.known.get(&of).is_some_and(|&last| heard.at <= last) {
            return;
        }
        self.pass(heard.at);
        match heard.failure {
            None => {
                self.arrivals += 1;
                let arrival = [Arrival {
                    source: Source::Name {
                        target,
                        signal: Some(signal),
                    },
                    received_at: heard.at,
                    sequence: heard.sequence,
                    interval_hint: None,
                }];
                self.monitor.handle(heard.at, Input::Arrivals(&arrival));
            }
            Some(failure) => self.monitor.handle(
                heard.at,
                Input::Failed {
                    signal: key,
                    at: heard.at,
                    failure,
                },
            ),
        }
        self.listen();
    }

    fn pass(&mut self, until: Instant) {
        while let Some((at, _)) = self.monitor.poll_timeout() {
            if at > until {
                break;
            }
            self.monitor.handle(at, Input::Tick);
            self.listen();
        }
    }

    fn listen(&mut self) {
        while let Some(output) = self.monitor.poll_output() {
            let Output::Event(event) = output else {
                continue;
            };
            let EventKind::Transition { from, to, evidence } = &event.kind else {
                continue;
            };
            let target = event.target.map(|id| id.to_string()).unwrap_or_default();
            if *to == Status::Down {
                *self.downs.entry(target.clone()).or_default() += 1;
            }
            self.verdicts.push(Verdict {
                after: event.at.since(self.begin),
                target,
                signal: evidence.signal.to_string(),
                from: *from,
                to: *to,
                cause: evidence.cause,
                level: evidence.level,
                silence: evidence.last_arrival.map(|at| event.at.since(at)),
            });
        }
    }
}
