//! The life of an alert against a twin that looks at every second.

use auscult_core::alert::{Phase, Rule};
use auscult_core::monitor::Status;
use proptest::prelude::*;

use crate::drive::{Shell, params, receiver, rule, seconds, secs};

/// An alert that is looked at every second.
#[derive(Default)]
struct Twin {
    status: Option<Status>,
    met_since: Option<u64>,
    clear_since: Option<u64>,
    firing: bool,
    moves: Vec<(u64, Phase)>,
}

impl Twin {
    fn see(&mut self, second: u64, status: Status) {
        self.status = Some(status);
        match status {
            Status::Down => {
                self.clear_since = None;
                if !self.firing {
                    self.met_since = self.met_since.or(Some(second));
                }
            }
            Status::Up | Status::Late | Status::Paused => {
                self.met_since = None;
                if self.firing {
                    self.clear_since = self.clear_since.or(Some(second));
                }
            }
            Status::Unknown => {}
        }
    }

    /// What was held back while nobody could tell, happened when it would have.
    fn look(&mut self, second: u64, hold: u64, keep: u64) {
        match (self.status, self.met_since, self.clear_since) {
            (Some(Status::Down), Some(since), _) if second >= since + hold => {
                self.moves.push((since + hold, Phase::Firing));
                (self.firing, self.met_since) = (true, None);
            }
            (Some(Status::Up | Status::Late), _, Some(since)) if second >= since + keep => {
                self.moves.push((since + keep, Phase::Resolved));
                (self.firing, self.clear_since) = (false, None);
            }
            _ => {}
        }
    }
}

fn twin(statuses: &[(u64, Status)], hold: u64, keep: u64, until: u64) -> Vec<(u64, Phase)> {
    let mut twin = Twin::default();
    for second in 0..=until {
        // What is due comes before what is new at the same moment.
        twin.look(second, hold, keep);
        if let Some((_, status)) = statuses.iter().find(|(at, _)| *at == second) {
            twin.see(second, *status);
        }
        twin.look(second, hold, keep);
    }
    twin.moves
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        3 => Just(Status::Down),
        2 => Just(Status::Up),
        1 => Just(Status::Unknown),
        1 => Just(Status::Late),
    ]
}

proptest! {
    #[test]
    fn fires_and_ends_exactly_as_its_twin(
        gaps in prop::collection::vec((1..12_u64, status()), 1..40),
        hold in 0..8_u64,
        keep in 0..8_u64,
    ) {
        let mut at = 0;
        let mut statuses = Vec::new();
        for (gap, status) in gaps {
            at += gap;
            statuses.push((at, status));
        }
        let rule = Rule { hold: seconds(hold), keep_firing: seconds(keep), ..rule() };
        let mut shell = Shell::new(params(rule, receiver("ops")));
        for (at, status) in &statuses {
            shell.run_to(secs(*at));
            shell.see("web", *status);
        }
        shell.run_to(secs(at + 30));
        let moves: Vec<(u64, Phase)> = shell
            .moves
            .iter()
            .map(|(at, _, to)| (at.as_nanos() / 1_000_000_000, *to))
            .collect();
        prop_assert_eq!(moves, twin(&statuses, hold, keep, at + 30));
    }
}
