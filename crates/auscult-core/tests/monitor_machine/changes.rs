//! Changes to what is watched: what is kept, what is refused.

use std::time::Duration;

use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::id::TargetId;
use auscult_core::monitor::{
    Applied, Change, EventKind, MonitorConfig, Refusal, SignalParams, Status,
};
use auscult_core::time::Instant;

use crate::drive::{Shell, at, params, signal, target, target_of, unguarded};

#[test]
fn a_kept_signal_keeps_its_history_and_its_key() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    shell.beat("web", at(1_000));
    shell.beat("web", at(2_000));
    let key = shell.monitor.signal("web", "heartbeat");
    let same = shell.monitor.apply(at(2_000), Change::Put(target("web")));
    assert_eq!(same, Ok(Applied::Unchanged));
    // Another signal in front of it, and labels.
    let signals = vec![signal("http", params()), signal("heartbeat", params())];
    let mut wider = target_of("web", signals);
    wider.labels.insert("team".into(), "one".into());
    let replaced = shell.monitor.apply(at(2_000), Change::Put(wider));
    assert_eq!(replaced, Ok(Applied::Replaced));
    shell.collect(at(2_000));
    assert_eq!(shell.monitor.signal("web", "heartbeat"), key);
    let view = shell.monitor.target("web").unwrap();
    let seen: Vec<_> = view
        .signals()
        .map(|signal| (signal.name().to_string(), signal.arrivals()))
        .collect();
    assert_eq!(seen, [("http".to_owned(), 0), ("heartbeat".to_owned(), 2)]);
    assert_eq!(view.labels().len(), 1);
    // The new signal is not known yet, and that is worse than up.
    assert_eq!(view.status(), Status::Unknown);
}

#[test]
fn other_thresholds_keep_what_was_learnt_and_another_detector_does_not() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    for second in 1..=10 {
        shell.beat("web", at(second * 1_000));
    }
    let samples = |shell: &Shell| {
        let view = shell.monitor.target("web").unwrap();
        view.signals().next().unwrap().statistics().samples
    };
    let learnt = samples(&shell);
    let tighter = SignalParams {
        late: 1.0,
        down: 2.0,
        ..params()
    };
    shell.put(
        at(10_000),
        target_of("web", vec![signal("heartbeat", tighter)]),
    );
    assert_eq!((samples(&shell), shell.status("web")), (learnt, Status::Up));
    shell.run(at(12_500));
    assert_eq!(shell.status("web"), Status::Down);
    let wider = SignalParams {
        detector: DetectorParams::Phi(PhiParams {
            min_std_deviation: Duration::from_secs(2),
            ..PhiParams::new()
        }),
        ..params()
    };
    shell.put(
        at(12_500),
        target_of("web", vec![signal("heartbeat", wider)]),
    );
    assert_eq!((samples(&shell), shell.status("web")), (0, Status::Unknown));
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut shell = Shell::new(MonitorConfig {
        targets_max: 1,
        ..unguarded()
    });
    let mut refused = |change: Change| shell.monitor.apply(at(0), change).unwrap_err();
    let web = || TargetId::new("web").unwrap();
    assert_eq!(
        refused(Change::Remove(web())),
        Refusal::UnknownTarget(web())
    );
    assert_eq!(refused(Change::Pause(web())), Refusal::UnknownTarget(web()));
    let none = refused(Change::Put(target_of("web", Vec::new())));
    assert_eq!(none, Refusal::SignalCount { found: 0 });
    let twice = vec![signal("a", params()), signal("a", params())];
    let twice = refused(Change::Put(target_of("web", twice)));
    assert!(matches!(twice, Refusal::DuplicateSignal(_)));
    let many = (0..17)
        .map(|n| signal(&format!("s{n}"), params()))
        .collect();
    let many = refused(Change::Put(target_of("web", many)));
    assert_eq!(many, Refusal::SignalCount { found: 17 });
    let mut labelled = target("web");
    labelled.labels = (0..33)
        .map(|n| (format!("l{n}").into(), "".into()))
        .collect();
    let labelled = refused(Change::Put(labelled));
    assert_eq!(labelled, Refusal::TooManyLabels { found: 33 });
    shell.put(at(0), target("web"));
    let full = shell.monitor.apply(at(0), Change::Put(target("mail")));
    assert_eq!(full, Err(Refusal::TooManyTargets { limit: 1 }));
    assert_eq!(shell.monitor.counters().targets, 1);
}

#[test]
fn what_is_removed_is_forgotten() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    shell.beat("web", at(1_000));
    let id = || TargetId::new("web").unwrap();
    assert_eq!(
        shell.monitor.apply(at(2_000), Change::Remove(id())),
        Ok(Applied::Removed)
    );
    shell.run(at(60_000));
    assert!(matches!(
        shell.events.last().unwrap().kind,
        EventKind::Removed
    ));
    assert!(shell.monitor.target("web").is_none());
    assert_eq!(shell.monitor.targets().count(), 0);
    shell.put(at(60_000), target("web"));
    assert_eq!(shell.status("web"), Status::Unknown);
    let view = shell.monitor.target("web").unwrap();
    assert_eq!(view.signals().next().unwrap().arrivals(), 0);
}

#[test]
fn pausing_twice_and_resuming_twice_changes_nothing() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    let id = || TargetId::new("web").unwrap();
    let mut apply = |change| shell.monitor.apply(at(1), change).unwrap();
    assert_eq!(apply(Change::Resume(id())), Applied::Unchanged);
    assert_eq!(apply(Change::Pause(id())), Applied::Paused);
    assert_eq!(apply(Change::Pause(id())), Applied::Unchanged);
    assert_eq!(apply(Change::Resume(id())), Applied::Resumed);
}

#[test]
fn what_is_left_to_others_says_nothing_until_it_is_taken_back() {
    let mut shell = Shell::new(unguarded());
    shell.put(Instant::ORIGIN, target("web"));
    let id = || TargetId::new("web").unwrap();
    shell.beat("web", at(1_000));
    assert_eq!(shell.status("web"), Status::Up);
    let said = shell.events.len();
    assert_eq!(
        shell.monitor.apply(at(1_500), Change::Rest(id())),
        Ok(Applied::Rests)
    );
    assert_eq!(
        shell.monitor.apply(at(1_500), Change::Rest(id())),
        Ok(Applied::Unchanged)
    );
    shell.run(at(100_000));
    shell.beat("web", at(100_000));
    shell.run(at(200_000));
    assert_eq!(shell.status("web"), Status::Unknown);
    let view = shell.monitor.target("web").unwrap();
    assert!(view.rests() && !view.paused());
    assert_eq!(view.signals().next().unwrap().deadline(), None);
    assert_eq!(shell.events.len(), said, "{:?}", shell.events.last());

    assert_eq!(
        shell.monitor.apply(at(200_000), Change::Resume(id())),
        Ok(Applied::Resumed)
    );
    assert_eq!(shell.events.len(), said, "it is not known yet");
    shell.beat("web", at(200_500));
    assert_eq!(shell.status("web"), Status::Up);
    shell.run(at(300_000));
    assert_eq!(shell.status("web"), Status::Down);
}
