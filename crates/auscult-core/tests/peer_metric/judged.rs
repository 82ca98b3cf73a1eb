//! When a metric has failed: features 5 to 7, 12 and 16 of the peer monitor, and what its users
//! learnt of them.

use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::peer_metric::{Accrual, Decision, Input, MetricLogParams, MetricRule, Reading};

use crate::shell::{Shell, metric, ms, ping};

fn judged_by(decision: Decision) -> Shell {
    let rule = MetricRule {
        decision,
        ..MetricRule::new()
    };
    let metrics = [(metric("ping"), rule)].into();
    let mut shell = Shell::new(MetricLogParams {
        metrics,
        ..MetricLogParams::new()
    });
    shell.peers(&["a"]);
    shell
}

/// Every second, with a time to live of a minute.
fn regular(shell: &mut Shell, from: u64, count: u64) {
    let ttl = Duration::from_secs(60);
    for n in 0..count {
        shell.run_to(ms(from + n * 1_000));
        shell.publish(Reading { ttl, ..ping("a") }).unwrap();
    }
}

#[test]
fn a_failure_is_said_once_and_its_end_once() {
    let mut shell = judged_by(Decision::Ttl);
    shell.publish(ping("a")).unwrap();
    shell.run_to(ms(60_000));
    shell.publish(ping("a")).unwrap();
    shell.publish(ping("a")).unwrap();
    shell.run_to(ms(120_000));
    let said = [
        "1000 a ping expired",
        "60000 a ping recovered",
        "61000 a ping expired",
    ];
    assert_eq!(shell.said, said);
}

#[test]
fn the_rhythm_decides_in_place_of_the_time_to_live() {
    let mut shell = judged_by(Decision::Accrual(Accrual::new()));
    regular(&mut shell, 0, 10);
    shell.run_to(ms(40_000));
    // 1 s and 3.09 standard deviations of at least 500 ms after the last one, not 60 s.
    assert_eq!(shell.said, ["11545 a ping silent"]);

    // And it goes on deciding where the time to live is over long before.
    let mut shell = judged_by(Decision::Accrual(Accrual::new()));
    let ttl = Duration::from_millis(100);
    for n in 0..10 {
        shell.run_to(ms(n * 1_000));
        shell.publish(Reading { ttl, ..ping("a") }).unwrap();
    }
    shell.run_to(ms(11_000));
    let after_six: Vec<&String> = shell.said.iter().skip(10).collect();
    assert!(after_six.is_empty(), "{after_six:?}");
}

/// A full window, or a long outage, changes nothing of that: one failure is one, and whoever comes
/// back is found as soon as before.
#[test]
fn an_outage_is_said_once_and_is_not_learnt_as_a_rhythm() {
    let accrual = Accrual {
        threshold: Level::new(3.0),
        min_std_deviation: Duration::from_millis(100),
    };
    let mut shell = judged_by(Decision::Accrual(accrual));
    regular(&mut shell, 0, 40);
    shell.run_to(ms(639_000));
    regular(&mut shell, 639_000, 40);
    shell.run_to(ms(2_000_000));
    let found: Vec<(u64, String)> = shell
        .said
        .iter()
        .map(|said| {
            let (at, what) = said.split_once(' ').unwrap();
            (at.parse().unwrap(), what.to_owned())
        })
        .collect();
    let whats: Vec<&str> = found.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(
        whats,
        ["a ping silent", "a ping recovered", "a ping silent"]
    );
    let (first, second) = (found[0].0 - 39_000, found[2].0 - 678_000);
    assert_eq!(first, second, "as long after the last reading as before");
}

#[test]
fn a_sender_with_a_slower_rhythm_is_believed_in_the_end() {
    let accrual = Accrual {
        threshold: Level::new(3.0),
        min_std_deviation: Duration::from_millis(100),
    };
    let mut shell = judged_by(Decision::Accrual(accrual));
    regular(&mut shell, 0, 40);
    let ttl = Duration::from_secs(60);
    for n in 1..=60 {
        shell.run_to(ms(39_000 + n * 5_000));
        shell.publish(Reading { ttl, ..ping("a") }).unwrap();
    }
    let failures = shell.said.iter().filter(|it| it.ends_with("silent"));
    assert!(failures.count() < 30, "{:?}", shell.said);
    let before = shell.said.len();
    for n in 61..=90 {
        shell.run_to(ms(39_000 + n * 5_000));
        shell.publish(Reading { ttl, ..ping("a") }).unwrap();
    }
    assert_eq!(shell.said.len(), before, "its rhythm is known by now");
}

#[test]
fn below_six_readings_the_time_to_live_decides() {
    let mut shell = judged_by(Decision::Accrual(Accrual::new()));
    regular(&mut shell, 0, 5);
    shell.run_to(ms(100_000));
    assert_eq!(shell.said, ["64000 a ping expired"]);
}

#[test]
fn whichever_comes_first_decides_where_both_do() {
    let mut shell = judged_by(Decision::Either(Accrual::new()));
    regular(&mut shell, 0, 10);
    shell.run_to(ms(40_000));
    assert_eq!(shell.said, ["11545 a ping silent"]);
    regular(&mut shell, 40_000, 9);
    let ttl = Duration::from_millis(200);
    shell.run_to(ms(49_000));
    shell.publish(Reading { ttl, ..ping("a") }).unwrap();
    shell.run_to(ms(60_000));
    assert_eq!(shell.said.last().unwrap(), "49200 a ping expired");
}

/// What made upstream drop the accrual decision: two readings close together after a restart
/// skewed the distribution.
#[test]
fn a_sender_that_starts_again_begins_a_new_window() {
    let ttl = Duration::from_secs(60);
    // The clock of the sender was right, was set back meanwhile, or says nothing.
    for (first, second) in [(7, 8), (8, 7)] {
        let mut shell = judged_by(Decision::Accrual(Accrual::new()));
        let of_run = |run| Reading {
            epoch: Some(run),
            ttl,
            ..ping("a")
        };
        for at in 0..10 {
            shell.run_to(ms(at * 1_000));
            shell.publish(of_run(first)).unwrap();
        }
        shell.run_to(ms(9_100));
        shell.publish(of_run(second)).unwrap();
        let readings = |shell: &Shell| shell.log.series("ping", "a").unwrap().readings().count();
        assert_eq!(readings(&shell), 1);
        shell.run_to(ms(60_000));
        assert!(shell.said.is_empty(), "{:?}", shell.said);
        shell.publish(ping("a")).unwrap();
        assert_eq!(readings(&shell), 2, "it does not say that it started again");
        assert_eq!(shell.log.counters().restarts, 1);
    }
}

#[test]
fn the_level_at_the_moment_of_failure_is_the_threshold() {
    let threshold = Level::new(3.0);
    let accrual = Accrual {
        threshold,
        min_std_deviation: Duration::from_nanos(1),
    };
    let mut shell = judged_by(Decision::Accrual(accrual));
    let ttl = Duration::from_secs(3_600);
    for at in [0, 900, 2_100, 2_900, 4_000, 5_200, 6_000] {
        shell.run_to(ms(at));
        shell.publish(Reading { ttl, ..ping("a") }).unwrap();
    }
    let view = shell.log.series("ping", "a").unwrap();
    let deadline = view.deadline().unwrap();
    assert!(view.level(deadline).unwrap() >= threshold);
    let before = deadline.before(Duration::from_nanos(1));
    assert!(view.level(before).unwrap() <= threshold);
    assert!(view.level(before).unwrap() > Level::new(2.999_999));
}

#[test]
fn a_process_that_did_not_run_reads_before_it_judges() {
    let mut shell = judged_by(Decision::Ttl);
    shell.publish(ping("a")).unwrap();
    // Nobody called it when it asked for it.
    shell.now = ms(30_000);
    shell.handle(Input::Tick);
    assert!(shell.said.is_empty());
    shell.publish(ping("a")).unwrap();
    shell.run_to(ms(30_999));
    assert!(shell.said.is_empty());
    shell.run_to(ms(40_000));
    assert_eq!(shell.said, ["31000 a ping expired"]);
    assert_eq!(shell.log.counters().stalls, 1);
    shell.log.check_invariants();
}

/// When the source of the peers fails, nobody says who they are, and they go on being judged.
#[test]
fn the_last_known_peers_go_on_being_judged() {
    let mut shell = judged_by(Decision::Ttl);
    shell.publish(ping("a")).unwrap();
    shell.run_to(ms(86_400_000));
    assert_eq!(shell.said, ["1000 a ping expired"]);
}
