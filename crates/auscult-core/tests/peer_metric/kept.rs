//! What is kept of metrics, and who gets it: features 2 to 4, 9, 14, 17 and 19 of the peer monitor.

use std::time::Duration;

use auscult_core::peer_metric::{
    Admission, Input, MetricLogParams, MetricRule, Reading, Rejection, Validity,
};

use crate::shell::{Shell, metric, ms, peer, ping};

#[test]
fn the_window_keeps_the_newest_readings_newest_first() {
    let mut shell = Shell::new(MetricLogParams::new());
    shell.peers(&["a"]);
    for n in 0..40_u64 {
        shell.now = ms(n * 10);
        let value = n.to_string();
        shell
            .publish(Reading {
                value: &value,
                ..ping("a")
            })
            .unwrap();
    }
    let series = shell.log.series("ping", "a").unwrap();
    let values: Vec<u64> = series
        .readings()
        .map(|r| r.value.parse().unwrap())
        .collect();
    let newest_first: Vec<u64> = (15..40).rev().collect();
    assert_eq!(values, newest_first);
    shell.log.check_invariants();
}

#[test]
fn the_last_metrics_are_the_good_ones_of_present_peers() {
    let mut shell = Shell::new(MetricLogParams::new());
    shell.peers(&["a", "b", "c", "gone"]);
    let short = Duration::from_millis(500);
    shell
        .publish(Reading {
            value: "1",
            ..ping("a")
        })
        .unwrap();
    shell
        .publish(Reading {
            value: "2",
            ttl: short,
            ..ping("b")
        })
        .unwrap();
    let valid = Validity::Invalid;
    shell
        .publish(Reading {
            value: "3",
            valid,
            ..ping("c")
        })
        .unwrap();
    shell
        .publish(Reading {
            value: "4",
            ..ping("gone")
        })
        .unwrap();
    shell
        .publish(Reading {
            metric: "free",
            value: "9",
            ..ping("a")
        })
        .unwrap();
    assert_eq!(shell.last("ping"), ["a=1", "b=2", "gone=4"]);
    shell.peers(&["a", "b", "c"]);
    shell.run_to(ms(600));
    assert_eq!(shell.last("ping"), ["a=1"]);
    assert!(shell.last("unknown").is_empty());
    let names: Vec<&str> = shell.log.metric_names().map(|name| name.as_str()).collect();
    assert_eq!(names, ["free", "ping"]);
    let of_a: Vec<(&str, &str)> = shell
        .log
        .latest_for_peer(shell.now, "a")
        .map(|(metric, reading)| (metric.as_str(), &*reading.value))
        .collect();
    assert_eq!(of_a, [("free", "9"), ("ping", "1")]);
}

#[test]
fn what_a_departed_peer_published_is_freed_after_the_retention() {
    let retention = Duration::from_secs(60);
    let mut shell = Shell::new(MetricLogParams {
        retention,
        ..MetricLogParams::new()
    });
    shell.peers(&["a", "b"]);
    shell.publish(ping("a")).unwrap();
    shell.publish(ping("b")).unwrap();
    shell.peers(&["b"]);
    assert_eq!(shell.publish(ping("a")), Err(Rejection::UnknownPeer));
    shell.run_to(ms(59_000));
    assert!(shell.log.series("ping", "a").is_some());
    shell.run_to(ms(61_000));
    assert!(shell.log.series("ping", "a").is_none());
    assert_eq!(
        (
            shell.log.counters().series,
            shell.log.counters().values_bytes
        ),
        (1, 2)
    );
    // It never failed: it departed.
    assert_eq!(shell.said, ["0 a  departed", "1000 b ping expired"]);
    shell.log.check_invariants();
}

#[test]
fn a_peer_that_comes_back_keeps_its_window_and_has_its_time_again() {
    let mut shell = Shell::new(MetricLogParams::new());
    shell.peers(&["a"]);
    shell.publish(ping("a")).unwrap();
    shell.peers(&[]);
    shell.run_to(ms(30_000));
    shell.peers(&["a"]);
    // Its value is over by then, and is not shown as one that holds.
    assert_eq!(shell.last("ping"), [""; 0]);
    shell.run_to(ms(40_000));
    assert_eq!(shell.said, ["0 a  departed", "31000 a ping expired"]);
    shell.log.check_invariants();
}

#[test]
fn anybody_may_be_a_peer_where_that_is_wanted() {
    let admission = Admission::Anybody;
    let peers_max = 2;
    let mut shell = Shell::new(MetricLogParams {
        admission,
        peers_max,
        ..MetricLogParams::new()
    });
    shell.publish(ping("a")).unwrap();
    shell.publish(ping("b")).unwrap();
    assert_eq!(shell.publish(ping("c")), Err(Rejection::TooManyPeers));
    assert_eq!(shell.last("ping"), ["a=ok", "b=ok"]);
    shell.handle(Input::Forget {
        peer: "a",
        metric: None,
    });
    shell.publish(ping("c")).unwrap();
    assert_eq!(shell.last("ping"), ["b=ok", "c=ok"]);
    let all: Vec<_> = shell.log.peers().cloned().collect();
    assert_eq!(all, [peer("b"), peer("c")]);
    shell.log.check_invariants();
}

#[test]
fn one_metric_of_a_peer_can_be_forgotten() {
    let mut shell = Shell::new(MetricLogParams::new());
    shell.peers(&["a"]);
    shell.publish(ping("a")).unwrap();
    shell
        .publish(Reading {
            metric: "free",
            ..ping("a")
        })
        .unwrap();
    shell.run_to(ms(1_500));
    assert_eq!(shell.log.failing().count(), 2);
    let metric = Some("ping");
    shell.handle(Input::Forget { peer: "a", metric });
    let failing: Vec<_> = shell
        .log
        .failing()
        .map(|view| view.metric().to_string())
        .collect();
    assert_eq!(failing, ["free"]);
    shell.log.check_invariants();
}

#[test]
fn what_is_expected_of_everybody_is_there_before_it_is_published() {
    let grace = Some(Duration::from_secs(3));
    let rule = MetricRule {
        grace,
        ..MetricRule::new()
    };
    let metrics = [(metric("ping"), rule)].into();
    let mut shell = Shell::new(MetricLogParams {
        metrics,
        ..MetricLogParams::new()
    });
    shell.peers(&["a", "b"]);
    assert_eq!(shell.log.metric("ping").count(), 2);
    assert!(shell.last("ping").is_empty());
    shell.publish(ping("a")).unwrap();
    shell.run_to(ms(5_000));
    assert_eq!(
        shell.said,
        ["1000 a ping expired", "3000 b ping never_reported"]
    );
    shell.publish(ping("b")).unwrap();
    assert_eq!(shell.said[2..], ["5000 b ping recovered"]);
    shell.log.check_invariants();
}

/// A restart of the observer makes nobody well that was not.
#[test]
fn what_failed_before_stays_failed_until_it_is_heard_of() {
    let mut shell = Shell::new(MetricLogParams::new());
    for name in ["a", "b"] {
        shell.handle(Input::FailedBefore {
            peer: &peer(name),
            metric: &metric("ping"),
        });
    }
    shell.peers(&["a", "b"]);
    shell.run_to(ms(3_600_000));
    assert_eq!(shell.log.failing().count(), 2);
    assert!(shell.said.is_empty(), "{:?}", shell.said);
    shell.publish(ping("a")).unwrap();
    shell.peers(&["a"]);
    assert_eq!(
        shell.said,
        ["3600000 a ping recovered", "3600000 b  departed"]
    );
    shell.log.check_invariants();
}

#[test]
fn a_peer_that_came_by_itself_stays_when_others_are_named() {
    let mut shell = Shell::new(MetricLogParams {
        admission: Admission::Anybody,
        ..MetricLogParams::new()
    });
    shell.publish(ping("a")).unwrap();
    shell.peers(&["b"]);
    shell.peers(&["a"]);
    assert_eq!(shell.said, ["0 b  departed"]);
    // It was named since, so it departs like one that was.
    shell.peers(&[]);
    assert_eq!(shell.said[1..], ["0 a  departed"]);
    shell.log.check_invariants();
}

#[test]
fn other_rules_hold_from_the_moment_they_are_taken() {
    let expected = |grace| MetricRule {
        grace: Some(Duration::from_secs(grace)),
        ..MetricRule::new()
    };
    let params = |window, metrics: &[(&str, u64)]| {
        let rule = |&(name, grace): &(&str, u64)| (metric(name), expected(grace));
        MetricLogParams {
            window,
            metrics: metrics.iter().map(rule).collect(),
            ..MetricLogParams::new()
        }
    };
    let mut shell = Shell::new(params(25, &[("disk", 1), ("ping", 60)]));
    shell.peers(&["a"]);
    for n in 0..10 {
        shell.run_to(ms(n * 200));
        shell.publish(ping("a")).unwrap();
    }
    assert_eq!(shell.said, ["1000 a disk never_reported"]);
    // A smaller window, nobody waits for the disk any more, but for the fan.
    shell.configure(params(3, &[("fan", 5)]));
    assert_eq!(shell.said[1..], ["1800 a disk released"]);
    let series = shell.log.series("ping", "a").unwrap();
    assert_eq!(series.readings().count(), 3);
    shell.log.check_invariants();
    shell.run_to(ms(20_000));
    assert_eq!(
        shell.said[2..],
        ["2800 a ping expired", "6800 a fan never_reported"]
    );
    shell.log.check_invariants();
}
