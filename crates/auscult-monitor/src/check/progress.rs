//! How far a check has come: what is told when its time runs out.

use std::time::Duration;

use auscult_core::monitor::Failure;
use auscult_core::time::Instant;

use super::failure::Span;
use super::report::{CheckError, Phases};

/// How far a check has come.
pub(super) struct Progress {
    pub(super) deadline: Instant,
    pub(super) phases: Phases,
    stage: Stage,
    entered_at: Instant,
    reached_at: Instant,
}

/// What a check is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    Resolve,
    Connect,
    Tls,
    Answer,
    Body,
}

impl Progress {
    pub(super) fn new(now: Instant, timeout: Duration) -> Self {
        Self {
            deadline: now.after(timeout),
            phases: Phases::default(),
            stage: Stage::Idle,
            entered_at: now,
            reached_at: now,
        }
    }

    /// Another request begins, on another or the same connection.
    pub(super) fn restart(&mut self) {
        self.phases = Phases::default();
        self.stage = Stage::Idle;
    }

    pub(super) const fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        self.entered_at = now;
    }

    /// What was waited for has come.
    pub(super) fn leave(&mut self, now: Instant) {
        let took = Some(now.since(self.entered_at));
        self.reached_at = now;
        match self.stage {
            Stage::Idle => {}
            Stage::Resolve => self.phases.resolve = took,
            Stage::Connect => self.phases.connect = took,
            Stage::Tls => self.phases.tls = took,
            Stage::Answer => self.phases.first_byte = took,
            Stage::Body => self.phases.body = took,
        }
        self.stage = Stage::Idle;
    }

    /// When the last thing that was waited for came.
    pub(super) const fn reached_at(&self) -> Instant {
        self.reached_at
    }

    /// The time is over.
    pub(super) fn timed_out(&self, timeout: Duration) -> CheckError {
        let timeout = Span(timeout);
        let connected = self
            .phases
            .connect
            .map(|took| format!("connected after {}", Span(took)));
        let text = match (self.stage, connected) {
            (Stage::Resolve, _) => format!("no answer within {timeout} (name not resolved)"),
            (Stage::Connect, _) => format!("no answer within {timeout} (not connected)"),
            (Stage::Tls, Some(connected)) => {
                format!("no answer within {timeout} ({connected}, TLS handshake not finished)")
            }
            (Stage::Body, _) => format!("the answer did not end within {timeout}"),
            (Stage::Idle | Stage::Answer, Some(connected)) => {
                format!("no answer within {timeout} ({connected})")
            }
            (Stage::Idle | Stage::Answer | Stage::Tls, None) => {
                format!("no answer within {timeout} (on a kept connection)")
            }
        };
        // A resolver that does not answer says nothing about the target's own silence.
        let failure = match self.stage {
            Stage::Resolve => Failure::Dns,
            Stage::Idle | Stage::Connect | Stage::Tls | Stage::Answer | Stage::Body => {
                Failure::Timeout
            }
        };
        CheckError::new(failure, text)
    }
}
