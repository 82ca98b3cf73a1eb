//! The stall guard: no verdict for a time in which nobody listened.

use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::monitor::{EventKind, Input, MonitorConfig, Output, Status, Wake};
use auscult_core::time::Instant;

use crate::drive::{Shell, arrival, at, is_transition_to, target};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Five targets that beat every second until 100 s.
fn hundred_seconds() -> Shell {
    let mut shell = Shell::new(MonitorConfig::server());
    for name in NAMES {
        shell.put(Instant::ORIGIN, target(name));
    }
    for second in 1..=100 {
        for (n, name) in NAMES.into_iter().enumerate() {
            shell.beat(name, at(second * 1_000 + n as u64 * 100));
        }
    }
    shell.events.clear();
    shell
}

fn beat_on(shell: &mut Shell, seconds: std::ops::Range<u64>, names: &[&str]) {
    for second in seconds {
        for (n, name) in names.iter().enumerate() {
            shell.beat(name, at(second * 1_000 + n as u64 * 100));
        }
    }
}

#[test]
fn a_stall_with_the_heartbeats_queued_behind_it_gives_no_transition() {
    let mut shell = hundred_seconds();
    for second in 101..=130 {
        for (n, name) in NAMES.into_iter().enumerate() {
            let queued = (name.to_owned(), at(second * 1_000 + n as u64 * 100));
            shell.queued.push(queued);
        }
    }
    shell.call(at(130_450), Input::Tick);
    beat_on(&mut shell, 131..200, &NAMES);
    assert!(shell.transitions().is_empty());
    assert_eq!(shell.monitor.counters().stalls, 1);
    for name in NAMES {
        let view = shell.monitor.target(name).unwrap();
        assert_eq!(view.signals().next().unwrap().arrivals(), 100 + 30 + 69);
    }
}

#[test]
fn a_stall_of_a_monitor_that_makes_checks_gives_no_transition() {
    let mut shell = hundred_seconds();
    shell.call(at(130_450), Input::Tick);
    assert!(matches!(
        shell.events[..],
        [ref event] if event.kind == EventKind::Stalled {
            since: at(100_400),
            span: Duration::from_millis(30_050),
        }
    ));
    for name in NAMES {
        let view = shell.monitor.target(name).unwrap();
        let level = view.signals().next().unwrap().level(at(130_450));
        assert!(level < Level::new(1.0), "{name}: {level}");
    }
    beat_on(&mut shell, 131..200, &NAMES);
    assert!(shell.transitions().is_empty());
}

#[test]
fn a_target_that_died_just_before_a_stall_is_found_after_it() {
    let mut shell = hundred_seconds();
    shell.call(at(130_450), Input::Tick);
    beat_on(&mut shell, 131..200, &NAMES[..4]);
    // "e" was silent from 100.4 s on; the deaf time begins at that very moment, so it is due 30.05
    // s later than it would have been.
    let expected = [
        (100_400 + 3_806 + 30_050, "e".to_owned(), Status::Late),
        (100_400 + 5_111 + 30_050, "e".to_owned(), Status::Down),
    ];
    let found = shell.transitions();
    let near = |(one, two): (&(u64, String, Status), &(u64, String, Status))| {
        one.0.abs_diff(two.0) < 100 && one.1 == two.1 && one.2 == two.2
    };
    assert!(
        found.len() == 2 && found.iter().zip(&expected).all(near),
        "{found:?}"
    );
}

#[test]
fn an_interval_across_a_stall_is_not_learnt() {
    let mut shell = hundred_seconds();
    let learnt = |shell: &Shell| {
        let view = shell.monitor.target("a").unwrap();
        view.signals().next().unwrap().statistics().samples
    };
    let before = learnt(&shell);
    shell.call(at(130_450), Input::Tick);
    shell.beat("a", at(131_000));
    assert_eq!(learnt(&shell), before);
    shell.beat("a", at(132_000));
    assert_eq!(learnt(&shell), before + 1);
}

#[test]
fn no_verdict_falls_between_the_wish_to_drain_and_its_end() {
    let mut shell = hundred_seconds();
    let monitor = &mut shell.monitor;
    monitor.handle(at(130_450), Input::Tick);
    assert_eq!(monitor.poll_output(), Some(Output::Drain));
    assert_eq!(monitor.poll_timeout().unwrap().1, Wake::Drain);
    monitor.handle(at(130_460), Input::Arrivals(&[arrival("b", at(130_100))]));
    assert_eq!(monitor.poll_output(), None);
    monitor.handle(at(130_470), Input::Drained);
    let output = monitor.poll_output().unwrap();
    assert!(
        matches!(output, Output::Event(event) if matches!(event.kind, EventKind::Stalled { .. }))
    );
}

/// A shell that does not know of draining must not be judged by nobody for ever.
#[test]
fn a_drain_that_nobody_answers_ends_by_itself() {
    let mut shell = hundred_seconds();
    shell.monitor.handle(at(130_450), Input::Tick);
    while let Some((at, _)) = shell.monitor.poll_timeout() {
        shell.monitor.handle(at, Input::Tick);
        shell.monitor.check_invariants();
    }
    while let Some(output) = shell.monitor.poll_output() {
        if let Output::Event(event) = output {
            shell.events.push(event);
        }
    }
    assert_eq!(shell.monitor.target("a").unwrap().status(), Status::Down);
}

#[test]
fn a_wake_up_within_the_tolerance_is_no_stall() {
    let mut shell = hundred_seconds();
    let (due, _) = shell.monitor.poll_timeout().unwrap();
    shell.call(due.after(Duration::from_millis(500)), Input::Tick);
    assert_eq!(shell.monitor.counters().stalls, 0);
    let (due, _) = shell.monitor.poll_timeout().unwrap();
    shell.call(due.after(Duration::from_millis(501)), Input::Tick);
    assert_eq!(shell.monitor.counters().stalls, 1);
}

#[test]
fn a_grace_is_as_long_without_a_stall() {
    let mut shell = Shell::new(MonitorConfig::server());
    shell.put(Instant::ORIGIN, target("web"));
    shell.call(at(2_000), Input::Tick);
    shell.call(at(32_000), Input::Tick);
    shell.run(at(39_999));
    assert_eq!(shell.status("web"), Status::Unknown);
    shell.run(at(40_000));
    assert_eq!(shell.count(|kind| is_transition_to(kind, Status::Down)), 1);
}
