//! Why a target has its status, in one sentence.

use std::time::Duration;

use auscult_core::detector::{DetectorConfig, DetectorParams};
use auscult_core::monitor::Status;

use crate::events::sentence::seconds;

/// What the sentence is made of.
#[derive(Debug)]
pub(super) struct Grounds<'a> {
    pub(super) status: Status,
    /// The signal that decides, where a target has several.
    pub(super) signal: Option<&'a str>,
    pub(super) detector: &'a DetectorConfig,
    pub(super) level: f64,
    pub(super) late: f64,
    pub(super) down: f64,
    pub(super) silence: Option<Duration>,
    pub(super) mean: Duration,
    pub(super) std_deviation: Duration,
    pub(super) samples: u32,
    /// Until a signal that was never heard is down.
    pub(super) grace_left: Option<Duration>,
    pub(super) grace: Duration,
    /// What the last check failed with, if it failed after the last arrival.
    pub(super) failure: Option<&'a str>,
    /// What those said last who judge it in place of its detector.
    pub(super) told: Option<&'a str>,
    pub(super) observer_suspects_itself: bool,
}

impl Grounds<'_> {
    pub(super) fn sentence(&self) -> String {
        if self.status == Status::Paused {
            return "an operator paused it".to_owned();
        }
        let mut text = match self.told {
            Some(told) => told.to_owned(),
            None => self.judged(),
        };
        if let Some(failure) = self.failure {
            text.push_str("; last check: ");
            text.push_str(failure);
        }
        match self.signal {
            Some(signal) => format!("{signal}: {text}"),
            None => text,
        }
    }

    /// What the detector says.
    fn judged(&self) -> String {
        match (self.status, self.silence) {
            (Status::Paused, _) => "an operator paused it".to_owned(),
            (Status::Up, _) if self.samples == 0 => "heard, its rhythm is being learnt".to_owned(),
            (Status::Up, _) => format!("heard every {}", seconds(self.mean)),
            (Status::Late, Some(silence)) => self.silent(silence, self.late),
            (Status::Down, Some(silence)) => self.silent(silence, self.down),
            (Status::Late | Status::Down, None) => {
                format!("never heard within its grace of {}", seconds(self.grace))
            }
            (Status::Unknown, silence) => self.unknown(silence),
        }
    }

    fn silent(&self, silence: Duration, threshold: f64) -> String {
        let name = match self.detector.params() {
            DetectorParams::Phi(_) => "phi",
            DetectorParams::Chen(_) | DetectorParams::Bertier(_) | DetectorParams::Deadline(_) => {
                "level"
            }
        };
        if self.level < threshold {
            // Heard again, but not often enough yet to be believed.
            return format!("heard {} ago, after a silence", seconds(silence));
        }
        format!(
            "nothing arrived for {} (mean {}, sd {}), {name} {:.1} >= {threshold}",
            seconds(silence),
            seconds(self.mean),
            seconds(self.std_deviation),
            self.level,
        )
    }

    fn unknown(&self, silence: Option<Duration>) -> String {
        match (silence, self.grace_left) {
            _ if self.observer_suspects_itself => {
                "the monitor suspects itself, so silence proves nothing".to_owned()
            }
            (None, Some(left)) if !left.is_zero() => {
                format!("not heard yet, down in {} unless it is", seconds(left))
            }
            (None, _) => "not heard yet".to_owned(),
            (Some(silence), _) => {
                format!("nothing to say yet, last heard {} ago", seconds(silence))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_core::detector::PhiParams;

    #[test]
    fn every_status_has_its_sentence() {
        let detector = DetectorConfig::new(DetectorParams::Phi(PhiParams::new())).expect("valid");
        let second = Duration::from_secs(1);
        let grounds = |status, silence: Option<u64>| Grounds {
            status,
            signal: None,
            detector: &detector,
            level: 31.42,
            late: 8.0,
            down: 16.0,
            silence: silence.map(Duration::from_secs),
            mean: second,
            std_deviation: second / 2,
            samples: 200,
            grace_left: None,
            grace: second * 10,
            failure: None,
            told: None,
            observer_suspects_itself: false,
        };
        let heard = grounds(Status::Up, Some(1));
        assert_eq!(heard.sentence(), "heard every 1.0 s");
        let new = Grounds {
            samples: 0,
            ..grounds(Status::Up, Some(1))
        };
        assert_eq!(new.sentence(), "heard, its rhythm is being learnt");
        let down = Grounds {
            signal: Some("http"),
            failure: Some("connection refused"),
            ..grounds(Status::Down, Some(38))
        };
        assert_eq!(
            down.sentence(),
            "http: nothing arrived for 38.0 s (mean 1.0 s, sd 0.5 s), phi 31.4 >= 16; \
             last check: connection refused"
        );
        let back = Grounds {
            level: 0.1,
            ..grounds(Status::Down, Some(1))
        };
        assert_eq!(back.sentence(), "heard 1.0 s ago, after a silence");
        let member = Grounds {
            told: Some("dead: web-2 accused it"),
            ..grounds(Status::Down, None)
        };
        assert_eq!(member.sentence(), "dead: web-2 accused it");
        let never = grounds(Status::Down, None);
        assert_eq!(never.sentence(), "never heard within its grace of 10.0 s");
        let new = Grounds {
            grace_left: Some(second * 7),
            ..grounds(Status::Unknown, None)
        };
        assert_eq!(new.sentence(), "not heard yet, down in 7.0 s unless it is");
        let doubt = Grounds {
            observer_suspects_itself: true,
            ..grounds(Status::Unknown, Some(5))
        };
        assert_eq!(
            doubt.sentence(),
            "the monitor suspects itself, so silence proves nothing"
        );
        assert_eq!(
            grounds(Status::Paused, None).sentence(),
            "an operator paused it"
        );
    }
}
