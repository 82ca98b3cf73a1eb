//! The status rule, step by step.

use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::monitor::{
    Arrival, Cause, Change, EventKind, Failure, Input, Source, Status, Wake,
};
use auscult_core::time::Instant;

use crate::drive::{Shell, arrival, at, cause_of, params, signal, target, target_of, unguarded};

/// After 200 intervals of 1 s the exact phi is 8 after 3806 ms of silence (5.612 standard
/// deviations of 500 ms after the mean) and 16 after 5111 ms (8.222).
#[test]
fn a_silent_target_is_late_and_down_at_the_moments_that_are_due_and_up_at_an_arrival() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    assert_eq!(
        shell.monitor.poll_timeout(),
        Some((at(10_000), Wake::Grace))
    );
    for second in 1..=302 {
        shell.beat("web", at(second * 1_000));
    }
    shell.beat("web", at(320_000));
    assert_eq!(
        shell.transitions(),
        [
            (1_000, "web".to_owned(), Status::Up),
            (305_806, "web".to_owned(), Status::Late),
            (307_111, "web".to_owned(), Status::Down),
            (320_000, "web".to_owned(), Status::Up),
        ]
    );
}

#[test]
fn a_verdict_falls_exactly_when_the_level_reaches_the_threshold() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    for second in 1..=10 {
        shell.beat("web", at(second * 1_000));
    }
    shell.run(at(60_000));
    let view = shell.monitor.target("web").unwrap();
    let signal = view.signals().next().unwrap();
    let mut checked = 0;
    for event in &shell.events {
        let EventKind::Transition { evidence, .. } = &event.kind else {
            continue;
        };
        if evidence.cause != Cause::Silence {
            continue;
        }
        checked += 1;
        assert!(evidence.level >= evidence.threshold);
        assert_eq!(evidence.level, signal.level(event.at));
        let before = event.at.before(Duration::from_nanos(1));
        assert!(signal.level(before) < evidence.threshold);
        assert_eq!(evidence.silence, event.at.since(at(10_000)));
        assert_eq!(evidence.last_arrival, Some(at(10_000)));
        assert!(!evidence.recent_intervals.is_empty() && evidence.recent_intervals.len() <= 8);
    }
    assert_eq!(checked, 2);
}

#[test]
fn a_target_that_never_answers_is_down_when_its_grace_ends() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    shell.run(at(9_999));
    assert_eq!(shell.status("web"), Status::Unknown);
    shell.run(at(10_000));
    assert_eq!(shell.status("web"), Status::Down);
    let last = shell.events.last().unwrap();
    assert_eq!(
        (last.at, cause_of(&last.kind)),
        (at(10_000), Some(Cause::NeverHeard))
    );
    assert_eq!(shell.monitor.poll_timeout(), None);
}

#[test]
fn an_arrival_that_was_stamped_before_a_verdict_is_taken_and_time_stays_in_order() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    shell.beat("web", at(1_000));
    shell.run(at(6_000));
    assert_eq!(shell.status("web"), Status::Down);
    let since = shell.monitor.target("web").unwrap().since();
    shell.call(at(6_000), Input::Arrivals(&[arrival("web", at(1_500))]));
    assert_eq!(shell.events.last().unwrap().at, since);
}

#[test]
fn down_needs_the_configured_number_of_arrivals_in_a_row() {
    let mut shell = Shell::new(unguarded());
    let careful = auscult_core::monitor::SignalParams {
        recovery_arrivals: 3,
        ..params()
    };
    shell.put(
        Instant::ORIGIN,
        target_of("web", vec![signal("heartbeat", careful)]),
    );
    for second in 1..=20 {
        shell.beat("web", at(second * 1_000));
    }
    shell.run(at(60_000));
    shell.beat("web", at(60_000));
    shell.beat("web", at(61_000));
    assert_eq!(shell.status("web"), Status::Down);
    // Two in a row and a long silence: counting begins anew.
    shell.beat("web", at(90_000));
    shell.beat("web", at(91_000));
    assert_eq!(shell.status("web"), Status::Down);
    shell.beat("web", at(92_000));
    assert_eq!(shell.status("web"), Status::Up);
}

#[test]
fn an_outage_is_not_learnt() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    for second in 1..=20 {
        shell.beat("web", at(second * 1_000));
    }
    let before = shell
        .monitor
        .target("web")
        .unwrap()
        .signals()
        .next()
        .unwrap()
        .statistics();
    shell.beat("web", at(620_000));
    let view = shell.monitor.target("web").unwrap();
    let signal = view.signals().next().unwrap();
    assert_eq!(signal.statistics(), before);
    assert_eq!(signal.last_arrival(), Some(at(620_000)));
    shell.beat("web", at(621_000));
    let view = shell.monitor.target("web").unwrap();
    let after = view.signals().next().unwrap().statistics();
    assert_eq!(after.samples, before.samples + 1);
}

/// Without the rule a sender that went from 1 s to 30 s would be down 25 s of every 30 for ever.
#[test]
fn a_slower_rhythm_is_learnt_after_three_lone_arrivals() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    for second in 1..=60 {
        shell.beat("web", at(second * 1_000));
    }
    for n in 1..=20 {
        shell.beat("web", at(60_000 + n * 30_000));
    }
    let relearnt: Vec<_> = shell
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Relearnt { interval, .. } => Some((event.at, interval)),
            _ => None,
        })
        .collect();
    assert_eq!(relearnt, [(at(150_000), Duration::from_secs(30))]);
    let after = shell.transitions();
    assert!(
        after.iter().all(|(millis, _, _)| *millis <= 150_000),
        "{after:?}"
    );
    assert_eq!(shell.status("web"), Status::Up);
}

#[test]
fn the_senders_word_is_the_first_estimate_and_no_later_one() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    let hinted = |millis: u64, seconds| Arrival {
        interval_hint: Some(Duration::from_secs(seconds)),
        ..arrival("web", at(millis))
    };
    shell.call(at(1_000), Input::Arrivals(&[hinted(1_000, 60)]));
    let mean = |shell: &Shell| {
        let view = shell.monitor.target("web").unwrap();
        view.signals().next().unwrap().statistics().mean
    };
    assert_eq!(mean(&shell), Duration::from_secs(60));
    shell.run(at(61_000));
    assert_eq!(shell.status("web"), Status::Up);
    shell.call(at(61_000), Input::Arrivals(&[hinted(61_000, 3_600)]));
    assert_eq!(mean(&shell), Duration::from_secs(60));
}

#[test]
fn a_failed_check_is_evidence_and_no_arrival() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    shell.beat("web", at(1_000));
    let key = shell.monitor.signal("web", "heartbeat").unwrap();
    let failed = Input::Failed {
        signal: key,
        at: at(2_000),
        failure: Failure::Refused,
    };
    shell.call(at(2_000), failed);
    shell.run(at(20_000));
    let failures: Vec<_> = shell
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Transition { evidence, .. } => Some(evidence.last_failure),
            _ => None,
        })
        .collect();
    let refused = Some((at(2_000), Failure::Refused));
    assert_eq!(failures, [None, refused, refused]);
    shell.beat("web", at(20_000));
    let view = shell.monitor.target("web").unwrap();
    assert_eq!(view.signals().next().unwrap().last_failure(), None);
}

#[test]
fn a_target_is_as_bad_as_its_worst_signal() {
    let mut shell = Shell::new(unguarded());
    let signals = vec![signal("http", params()), signal("heartbeat", params())];
    shell.put(Instant::ORIGIN, target_of("web", signals));
    let of = |name, millis| Arrival {
        source: Source::Name {
            target: "web",
            signal: Some(name),
        },
        ..arrival("web", at(millis))
    };
    shell.call(at(1_000), Input::Arrivals(&[of("http", 1_000)]));
    // One is up and the other unknown, which is worse.
    assert_eq!(shell.status("web"), Status::Unknown);
    assert_eq!(
        shell.count(|kind| matches!(kind, EventKind::SignalTransition { .. })),
        1
    );
    shell.call(at(1_000), Input::Arrivals(&[of("heartbeat", 1_000)]));
    assert_eq!(shell.status("web"), Status::Up);
    for second in 2..=9 {
        shell.run(at(second * 1_000));
        let now = at(second * 1_000);
        shell.call(now, Input::Arrivals(&[of("http", second * 1_000)]));
    }
    assert_eq!(shell.status("web"), Status::Down);
    let changes = shell.transitions();
    let statuses: Vec<_> = changes.iter().map(|(_, _, to)| *to).collect();
    assert_eq!(statuses, [Status::Up, Status::Late, Status::Down]);
}

#[test]
fn a_paused_target_is_heard_but_not_judged_and_gets_a_new_grace() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    shell.beat("web", at(1_000));
    let id = || auscult_core::id::TargetId::new("web").unwrap();
    shell.monitor.apply(at(2_000), Change::Pause(id())).unwrap();
    assert_eq!(
        shell.monitor.poll_timeout().map(|(_, wake)| wake),
        Some(Wake::Deadline)
    );
    shell.run(at(60_000));
    assert_eq!(shell.status("web"), Status::Paused);
    shell.beat("web", at(60_000));
    let view = shell.monitor.target("web").unwrap();
    assert_eq!(
        view.signals().next().unwrap().last_arrival(),
        Some(at(60_000))
    );
    assert!(view.paused());
    shell.run(at(70_000));
    shell
        .monitor
        .apply(at(70_000), Change::Resume(id()))
        .unwrap();
    shell.collect(at(70_000));
    assert_eq!(shell.status("web"), Status::Unknown);
    shell.run(at(79_999));
    assert_eq!(shell.status("web"), Status::Unknown);
    shell.run(at(80_000));
    assert_eq!(shell.status("web"), Status::Down);
    let last = shell.events.last().unwrap();
    let EventKind::Transition { evidence, .. } = &last.kind else {
        panic!("{last:?}");
    };
    assert_eq!(evidence.cause, Cause::Silence);
    assert!(evidence.level >= Level::new(16.0));
}

#[test]
fn a_target_that_comes_and_goes_is_flapping_until_it_is_steady() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    let mut now = 0;
    for _ in 0..4 {
        for _ in 0..3 {
            now += 1_000;
            shell.beat("web", at(now));
        }
        now += 10_000;
    }
    assert!(shell.monitor.target("web").unwrap().flapping());
    for _ in 0..1_200 {
        now += 1_000;
        shell.beat("web", at(now));
    }
    assert!(!shell.monitor.target("web").unwrap().flapping());
    let starts =
        shell.count(|kind| matches!(kind, EventKind::FlappingStarted { score } if *score >= 0.5));
    let stops = shell.count(
        |kind| matches!(kind, EventKind::FlappingStopped { score } if (score - 0.3).abs() < 1e-3),
    );
    assert_eq!((starts, stops), (1, 1));
}
