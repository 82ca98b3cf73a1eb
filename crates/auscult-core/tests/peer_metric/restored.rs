//! Readings that outlive the process: how long they are good, and when their metric fails.

use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::peer_metric::{
    Accrual, Admission, Decision, Input, Kept, MetricLogParams, MetricRule, Pause, Reading,
    Restored, Validity,
};
use auscult_core::time::Instant;

use crate::shell::{Shell, metric, ms, peer, ping};

/// A reading of an earlier process, good for a second.
fn kept(value: &str, earlier_ms: u64) -> Kept {
    Kept {
        value: value.into(),
        received_at: Instant::ORIGIN,
        earlier: Duration::from_millis(earlier_ms),
        pause: Pause::Interval,
        ttl: Duration::from_secs(1),
        valid: Validity::Valid,
        weight: 0,
    }
}

fn restore(shell: &mut Shell, name: &str, readings: &[Kept]) {
    shell.handle(Input::Restored(Restored {
        peer: &peer(name),
        metric: &metric("ping"),
        epoch: Some(7),
        readings,
    }));
    shell.log.check_invariants();
}

/// A process that begins at 5 s, and is given what the one before kept.
fn begun(params: MetricLogParams) -> Shell {
    let mut shell = Shell::new(params);
    shell.run_to(ms(5_000));
    shell
}

#[test]
fn a_value_is_good_until_its_own_time_is_over_and_the_metric_has_its_time_again() {
    let mut shell = begun(MetricLogParams::new());
    restore(&mut shell, "a", &[kept("new", 400), kept("old", 900)]);
    restore(&mut shell, "b", &[kept("over", 90_000)]);
    assert!(shell.last("ping").is_empty(), "nobody is a peer yet");
    shell.peers(&["a", "b"]);
    assert_eq!(shell.last("ping"), ["a=new"]);
    shell.run_to(ms(5_599));
    assert_eq!(shell.last("ping"), ["a=new"]);
    shell.run_to(ms(5_600));
    assert!(shell.last("ping").is_empty(), "its second is over");
    assert!(shell.said.is_empty(), "but nobody listened for some of it");
    shell.run_to(ms(60_000));
    assert_eq!(shell.said, ["6000 a ping expired", "6000 b ping expired"]);
    let view = shell.log.series("ping", "a").unwrap();
    let values: Vec<&str> = view.readings().map(|reading| &*reading.value).collect();
    assert_eq!(values, ["new", "old"]);
}

#[test]
fn what_is_published_goes_on_where_the_earlier_process_ended() {
    let mut shell = begun(MetricLogParams::new());
    restore(&mut shell, "a", &[kept("old", 400)]);
    shell.peers(&["a"]);
    shell.run_to(ms(5_500));
    let epoch = Some(7);
    shell.publish(Reading { epoch, ..ping("a") }).unwrap();
    let view = shell.log.series("ping", "a").unwrap();
    let readings: Vec<(&str, Pause)> = view.readings().map(|it| (&*it.value, it.pause)).collect();
    assert_eq!(readings, [("ok", Pause::Unheard), ("old", Pause::Interval)]);
    // Another run of the sender begins a window of its own, here as ever.
    let epoch = Some(8);
    shell.publish(Reading { epoch, ..ping("a") }).unwrap();
    assert_eq!(shell.log.counters().restarts, 1);
    shell.run_to(ms(60_000));
    assert_eq!(shell.said, ["6500 a ping expired"]);
}

#[test]
fn the_rhythm_is_remembered_and_the_pause_of_the_restart_is_none_of_it() {
    let decision = Decision::Accrual(Accrual {
        threshold: Level::new(3.0),
        min_std_deviation: Duration::from_millis(100),
    });
    let rule = MetricRule {
        decision,
        ..MetricRule::new()
    };
    let mut shell = begun(MetricLogParams {
        metrics: [(metric("ping"), rule)].into(),
        ..MetricLogParams::new()
    });
    // Each second, the last one ten seconds before.
    let readings: Vec<Kept> = (10..16).map(|n| kept("v", n * 1_000)).collect();
    restore(&mut shell, "a", &readings);
    shell.peers(&["a"]);
    let ttl = Duration::from_secs(60);
    for at in [5_300, 6_300, 7_300] {
        shell.run_to(ms(at));
        shell.publish(Reading { ttl, ..ping("a") }).unwrap();
    }
    // Intervals of a second alone: silent some 300 ms after the next one was due, as ever.
    shell.run_to(ms(60_000));
    let [said] = shell.said.as_slice() else {
        panic!("{:?}", shell.said);
    };
    let at: u64 = said.split(' ').next().unwrap().parse().unwrap();
    assert!(
        said.ends_with("silent") && (8_550..8_700).contains(&at),
        "{said}"
    );
}

#[test]
fn what_failed_before_stays_failed_beside_its_readings() {
    let mut shell = begun(MetricLogParams::new());
    let (name, failed) = (peer("a"), metric("ping"));
    shell.handle(Input::FailedBefore {
        peer: &name,
        metric: &failed,
    });
    restore(&mut shell, "a", &[kept("old", 400)]);
    shell.peers(&["a"]);
    assert!(shell.last("ping").is_empty());
    shell.run_to(ms(60_000));
    assert!(shell.said.is_empty(), "it is known to have failed");
    shell.publish(ping("a")).unwrap();
    assert_eq!(shell.said, ["60000 a ping recovered"]);
}

#[test]
fn whoever_is_no_peer_any_more_is_not_judged_and_is_forgotten() {
    let retention = Duration::from_secs(10);
    let mut shell = begun(MetricLogParams {
        retention,
        ..MetricLogParams::new()
    });
    restore(&mut shell, "gone", &[kept("v", 400)]);
    shell.peers(&["a"]);
    shell.run_to(ms(14_999));
    assert!(shell.log.has_of("gone"));
    shell.run_to(ms(60_000));
    assert!(!shell.log.has_of("gone") && shell.said.is_empty());
    assert_eq!(shell.log.counters().values_bytes, 0);
    assert_eq!(shell.log.counters().forgotten, 1);

    let admission = Admission::Anybody;
    let mut shell = begun(MetricLogParams {
        admission,
        ..MetricLogParams::new()
    });
    restore(&mut shell, "by-itself", &[kept("v", 400)]);
    shell.run_to(ms(60_000));
    assert_eq!(shell.said, ["6000 by-itself ping expired"]);
}

#[test]
fn what_is_restored_keeps_to_the_limits_and_never_replaces_what_is_newer() {
    let mut shell = begun(MetricLogParams {
        window: 3,
        peers_max: 2,
        values_bytes_max: 4_096,
        ..MetricLogParams::new()
    });
    shell.peers(&["a"]);
    shell.publish(ping("a")).unwrap();
    restore(&mut shell, "a", &[kept("old", 400)]);
    assert_eq!(shell.last("ping"), ["a=ok"]);
    let long = "x".repeat(1_500);
    let readings: Vec<Kept> = (0..9).map(|n| kept(&long, n)).collect();
    restore(&mut shell, "b", &readings);
    restore(&mut shell, "c", &[kept("v", 400)]);
    let of_b = shell.log.series("ping", "b").unwrap();
    assert_eq!(of_b.readings().count(), 2, "that is what there is room for");
    assert!(shell.log.series("ping", "c").is_none());
    assert_eq!(shell.log.counters().peers_refused, 1);
    assert!(shell.log.counters().values_bytes <= 4_096);
}

#[test]
fn what_changed_is_told_once_and_only_while_it_is_there() {
    let mut shell = begun(MetricLogParams::new());
    shell.peers(&["a", "b", "c"]);
    for name in ["a", "b", "c", "a"] {
        shell.publish(ping(name)).unwrap();
    }
    shell.handle(Input::Forget {
        peer: "b",
        metric: None,
    });
    let mut told = Vec::new();
    while shell
        .log
        .take_changed(1, |view| told.push(view.peer().to_string()))
    {}
    told.sort();
    assert_eq!(told, ["a", "c"]);
    let mut again = 0;
    let more = shell.log.take_changed(10, |_| again += 1);
    assert_eq!((more, again), (false, 0));
    shell.publish(ping("c")).unwrap();
    shell.log.take_changed(10, |_| again += 1);
    assert_eq!(again, 1);
}
