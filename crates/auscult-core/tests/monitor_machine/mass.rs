//! The mass guard: when most targets fall silent at once, the observer suspects itself.

use std::time::Duration;

use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::monitor::{Cause, EventKind, MonitorConfig, SignalParams, Status, Target};
use auscult_core::time::Instant;

use crate::drive::{
    Random, Shell, at, cause_of, is_transition_to, params, signal, target, target_of,
};

/// Targets with their interval in milliseconds, beating with some jitter.
struct Fleet {
    shell: Shell,
    members: Vec<(String, u64)>,
    next: Vec<u64>,
    random: Random,
}

impl Fleet {
    fn new(count: usize, make: impl Fn(usize, &str) -> (Target, u64)) -> Self {
        let mut shell = Shell::new(MonitorConfig::server());
        let mut random = Random(5);
        let (mut members, mut next) = (Vec::new(), Vec::new());
        for n in 0..count {
            let name = format!("t{n}");
            let (target, interval) = make(n, &name);
            shell.put(Instant::ORIGIN, target);
            members.push((name, interval));
            next.push(random.below(interval));
        }
        Self {
            shell,
            members,
            next,
            random,
        }
    }

    /// Lets those beat of whom `alive` says so, until a moment.
    fn run(&mut self, until: u64, alive: impl Fn(usize) -> bool) {
        loop {
            let first = (0..self.members.len())
                .min_by_key(|&n| self.next[n])
                .unwrap();
            let now = self.next[first];
            if now > until {
                break;
            }
            let interval = self.members[first].1;
            self.next[first] = now + interval - interval / 20 + self.random.below(interval / 10);
            if alive(first) {
                self.shell.beat(&self.members[first].0, at(now));
            }
        }
        self.shell.run(at(until));
    }

    fn downs(&self) -> usize {
        self.shell
            .count(|kind| is_transition_to(kind, Status::Down))
    }

    fn suspicions(&self) -> usize {
        self.shell
            .count(|kind| matches!(kind, EventKind::ObserverSuspectsItself { .. }))
    }
}

fn alike(_: usize, name: &str) -> (Target, u64) {
    (target(name), 1_000)
}

/// Intervals of 0.2, 1 and 5 s, thresholds of 8, 12 and 16, several least deviations.
fn various(n: usize, name: &str) -> (Target, u64) {
    let interval = [200, 1_000, 5_000][n % 3];
    let params = SignalParams {
        detector: DetectorParams::Phi(PhiParams {
            min_std_deviation: Duration::from_millis(interval * [3, 4, 5][n / 3 % 3] / 10),
            first_heartbeat_estimate: Duration::from_millis(interval),
            ..PhiParams::new()
        }),
        late: [4.0, 6.0, 8.0][n / 9 % 3],
        down: [8.0, 12.0, 16.0][n / 9 % 3],
        grace: Duration::from_millis(10_000.max(3 * interval)),
        ..params()
    };
    (target_of(name, vec![signal("heartbeat", params)]), interval)
}

#[test]
fn most_targets_silent_at_once_are_one_event_and_no_down() {
    let mut fleet = Fleet::new(100, alike);
    fleet.run(60_000, |_| true);
    fleet.run(90_000, |n| n % 10 >= 6);
    assert_eq!((fleet.suspicions(), fleet.downs()), (1, 0));
    assert!(fleet.shell.monitor.observer_suspects_itself());
    assert_eq!(fleet.shell.status("t0"), Status::Unknown);
    assert_eq!(fleet.shell.status("t9"), Status::Up);
    // They come back: one event more, and the observer trusts itself.
    fleet.run(100_000, |_| true);
    assert!(!fleet.shell.monitor.observer_suspects_itself());
    let trusts = |kind: &EventKind| matches!(kind, EventKind::ObserverTrustsItself { .. });
    assert_eq!(fleet.shell.count(trusts), 1);
    assert_eq!((fleet.suspicions(), fleet.downs()), (1, 0));
    assert_eq!(fleet.shell.status("t0"), Status::Up);
}

#[test]
fn it_does_not_matter_that_deadlines_differ() {
    let mut fleet = Fleet::new(108, various);
    fleet.run(200_000, |_| true);
    let before = fleet.shell.transitions();
    assert!(
        before.iter().all(|(_, _, to)| *to == Status::Up),
        "{before:?}"
    );
    fleet.run(300_000, |n| (n / 3) % 10 >= 6);
    assert_eq!((fleet.suspicions(), fleet.downs()), (1, 0));
}

#[test]
fn some_targets_silent_at_once_are_down() {
    let mut fleet = Fleet::new(100, alike);
    fleet.run(60_000, |_| true);
    fleet.run(90_000, |n| n % 10 >= 1);
    assert_eq!((fleet.suspicions(), fleet.downs()), (0, 10));
    let mut fleet = Fleet::new(108, various);
    fleet.run(200_000, |_| true);
    fleet.run(300_000, |n| (n / 3) % 10 >= 1);
    assert_eq!((fleet.suspicions(), fleet.downs()), (0, 12));
}

#[test]
fn targets_that_fail_one_after_the_other_are_down() {
    let mut fleet = Fleet::new(100, alike);
    fleet.run(60_000, |_| true);
    for failed in 1..=90 {
        fleet.run(60_000 + failed as u64 * 1_000, |n| n >= failed);
    }
    fleet.run(170_000, |n| n >= 90);
    assert_eq!((fleet.suspicions(), fleet.downs()), (0, 90));
}

#[test]
fn a_real_disaster_is_told_when_the_hold_is_over() {
    let mut fleet = Fleet::new(20, alike);
    fleet.run(60_000, |_| true);
    fleet.run(600_000, |_| false);
    assert_eq!((fleet.suspicions(), fleet.downs()), (1, 20));
    let last = fleet.shell.events.last().unwrap();
    assert_eq!(cause_of(&last.kind), Some(Cause::ObserverTrustsItself));
    let suspected = fleet
        .shell
        .events
        .iter()
        .find(|event| matches!(event.kind, EventKind::ObserverSuspectsItself { .. }))
        .unwrap();
    assert_eq!(last.at, suspected.at.after(Duration::from_secs(300)));
}

#[test]
fn those_still_silent_when_the_others_are_heard_again_are_down() {
    let mut fleet = Fleet::new(20, alike);
    fleet.run(60_000, |_| true);
    fleet.run(80_000, |_| false);
    fleet.run(100_000, |n| n != 7);
    assert_eq!((fleet.suspicions(), fleet.downs()), (1, 1));
    assert_eq!(fleet.shell.status("t7"), Status::Down);
}

#[test]
fn a_handful_of_targets_is_never_held_back() {
    let mut fleet = Fleet::new(7, alike);
    fleet.run(60_000, |_| true);
    fleet.run(80_000, |_| false);
    assert_eq!((fleet.suspicions(), fleet.downs()), (0, 7));
}
