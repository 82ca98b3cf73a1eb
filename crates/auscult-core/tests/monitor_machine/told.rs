//! Signals that somebody else judges.

use auscult_core::detector::Level;
use auscult_core::id::TargetId;
use auscult_core::monitor::{Cause, Change, EventKind, Input, Rejection, SignalKey, Status, Told};

use crate::drive::{Shell, at, params, signal, target_of, unguarded};

struct Group {
    shell: Shell,
    key: SignalKey,
}

impl Group {
    fn new() -> Self {
        let mut shell = Shell::new(unguarded());
        shell.put(at(0), target_of("b", vec![signal("membership", params())]));
        let key = shell.monitor.signal("b", "membership").unwrap();
        shell.events.clear();
        Self { shell, key }
    }

    fn tell(&mut self, millis: u64, verdict: Told, why: &str) {
        let signal = self.key;
        let told = Input::Told {
            signal,
            at: at(millis),
            verdict,
            why,
        };
        self.shell.call(at(millis), told);
    }
}

#[test]
fn the_status_is_what_is_told_and_the_words_are_its_evidence() {
    let mut group = Group::new();
    group.tell(10, Told::Up, "it joined");
    group.shell.run(at(3_600_000));
    group.tell(3_600_000, Told::Late, "c accuses it");
    let event = group.shell.events.last().unwrap().clone();
    let EventKind::Transition { to, evidence, .. } = &event.kind else {
        panic!("{event:?}");
    };
    assert_eq!((*to, evidence.cause), (Status::Late, Cause::Told));
    assert_eq!(evidence.told.as_deref(), Some("c accuses it"));
    let level = |group: &Group| {
        let view = group.shell.monitor.target("b").unwrap();
        let signal = view.signals().next().unwrap();
        (signal.level(at(9_999_999)), signal.deadline())
    };
    assert_eq!(level(&group), (Level::new(params().late), None));
    group.tell(3_600_010, Told::Down, "its time is over");
    assert_eq!(level(&group), (Level::new(params().down), None));
    group.shell.run(at(9_999_999));
    group.tell(9_999_999, Told::Up, "it is back");
    let expected = [
        (10, "b".to_owned(), Status::Up),
        (3_600_000, "b".to_owned(), Status::Late),
        (3_600_010, "b".to_owned(), Status::Down),
        (9_999_999, "b".to_owned(), Status::Up),
    ];
    assert_eq!(group.shell.transitions(), expected);
}

#[test]
fn those_who_cannot_tell_make_it_unknown() {
    let mut group = Group::new();
    group.tell(10, Told::Up, "it joined");
    group.tell(20, Told::Unknown, "nobody is heard");
    assert_eq!(group.shell.status("b"), Status::Unknown);
    let view = group.shell.monitor.target("b").unwrap();
    assert_eq!(view.signals().next().unwrap().level(at(30)), Level::ZERO);
    group.tell(40, Told::Down, "it failed");
    assert_eq!(group.shell.status("b"), Status::Down);
}

#[test]
fn nothing_falls_due_after_the_first_word_and_no_heartbeat_counts() {
    let mut group = Group::new();
    group.shell.beat("b", at(1_000));
    group.shell.beat("b", at(2_000));
    group.tell(2_500, Told::Up, "it joined");
    group.shell.run(at(3_600_000));
    assert_eq!(group.shell.status("b"), Status::Up);
    group.shell.arrive("b", at(3_600_000));
    assert_eq!(group.shell.rejections, [Rejection::Told]);
}

#[test]
fn a_paused_target_has_the_status_told_meanwhile_once_it_is_judged_again() {
    let mut group = Group::new();
    group.tell(10, Told::Up, "it joined");
    let id = TargetId::new("b").unwrap();
    let shell = &mut group.shell;
    shell
        .monitor
        .apply(at(20), Change::Pause(id.clone()))
        .unwrap();
    group.tell(30, Told::Down, "it failed");
    assert_eq!(group.shell.status("b"), Status::Paused);
    let shell = &mut group.shell;
    shell.monitor.apply(at(40), Change::Resume(id)).unwrap();
    shell.collect(at(40));
    assert_eq!(shell.status("b"), Status::Down);
}

#[test]
fn words_about_what_is_no_longer_watched_are_rejected() {
    let mut group = Group::new();
    let id = TargetId::new("b").unwrap();
    let shell = &mut group.shell;
    shell.monitor.apply(at(20), Change::Remove(id)).unwrap();
    group.tell(30, Told::Down, "it failed");
    assert_eq!(group.shell.rejections, [Rejection::StaleKey]);
}
