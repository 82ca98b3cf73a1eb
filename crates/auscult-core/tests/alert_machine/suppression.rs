//! What keeps a beginning back, and that it keeps nothing else back.

use auscult_core::alert::{Change, Receiver, Refusal, Rule, Suppression};
use auscult_core::id::SilenceName;
use auscult_core::monitor::Status;

use crate::drive::{Shell, id, params, receiver, rule, seconds, secs};

#[test]
fn a_silence_delays_what_still_fires_when_it_ends() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.silence("moving", "target=~w*", 0, 100);
    shell.see("web", Status::Down);
    shell.see("www", Status::Down);
    shell.see("db", Status::Down);
    let name = SilenceName::new("moving").unwrap();
    let alert = shell.alerts.alert(id("web")).unwrap();
    assert_eq!(alert.suppression(), Some(Suppression::Silenced(&name)));
    shell.run_to(secs(50));
    shell.see("www", Status::Up);
    shell.run_to(secs(200));
    shell.see("web", Status::Up);
    let heard = [
        "0 ops db firing",
        "100 ops web firing",
        "200 ops web resolved cleared",
    ];
    assert_eq!(shell.heard(), heard);
}

#[test]
fn a_silence_that_is_ended_early_is_over_at_once() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.silence("moving", "target=web", 0, 100);
    shell.see("web", Status::Down);
    shell.run_to(secs(10));
    let end = || Change::EndSilence(SilenceName::new("moving").unwrap());
    shell.apply(end()).unwrap();
    assert_eq!(shell.heard(), ["10 ops web firing"]);
    assert!(matches!(
        shell.apply(end()),
        Err(Refusal::UnknownSilence(_))
    ));
}

#[test]
fn a_silence_survives_a_restart() {
    let everything = params(rule(), receiver("ops"));
    let mut shell = Shell::new(everything.clone());
    shell.silence("moving", "target=web", 5, 100);
    shell.restart(everything);
    shell.run_to(secs(6));
    shell.see("web", Status::Down);
    shell.run_to(secs(99));
    assert_eq!(shell.heard().len(), 0);
    shell.run_to(secs(101));
    assert_eq!(shell.heard(), ["100 ops web firing"]);
    assert_eq!(shell.alerts.silences().count(), 0);
}

#[test]
fn children_are_told_of_only_while_a_parent_is_well() {
    // The child is found down first, as it happens: the wait gives its parent time.
    let receiver = Receiver {
        group_wait: seconds(5),
        ..receiver("ops")
    };
    let mut shell = Shell::new(params(rule(), receiver));
    shell.parents.insert("web".into(), vec!["gateway".into()]);
    shell.parents.insert("page".into(), vec!["web".into()]);
    shell.see("page", Status::Down);
    shell.see("web", Status::Down);
    shell.run_to(secs(3));
    shell.see("gateway", Status::Down);
    shell.run_to(secs(60));
    assert_eq!(shell.heard(), ["8 ops gateway firing"]);
    // The child is still down when its parent is back, and that is then news.
    shell.see("page", Status::Up);
    shell.see("gateway", Status::Up);
    shell.run_to(secs(70));
    shell.see("web", Status::Up);
    shell.run_to(secs(80));
    let heard = [
        "65 ops gateway resolved cleared",
        "65 ops web firing",
        "75 ops web resolved cleared",
    ];
    let mut rest = shell.heard().split_off(1);
    rest.sort();
    assert_eq!(rest, heard);
}

#[test]
fn one_of_several_parents_is_enough() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    let both = vec!["left".into(), "right".into()];
    shell.parents.insert("web".into(), both);
    shell.see("left", Status::Down);
    shell.see("web", Status::Down);
    assert_eq!(shell.heard()[1..], ["0 ops web firing"]);
    shell.see("right", Status::Down);
    shell.see("web", Status::Up);
    assert_eq!(shell.heard()[3..], ["0 ops web resolved cleared"]);
    shell.see("web", Status::Down);
    assert_eq!(shell.heard().len(), 4, "both ways are gone");
}

#[test]
fn acknowledged_alerts_are_not_repeated() {
    let repeat = Some(seconds(60));
    let mut shell = Shell::new(params(Rule { repeat, ..rule() }, receiver("ops")));
    shell.see("web", Status::Down);
    shell.run_to(secs(130));
    let acknowledge = Change::Acknowledge {
        alert: id("web"),
        by: "kim".into(),
        comment: "on it".into(),
    };
    shell.apply(acknowledge).unwrap();
    shell.run_to(secs(300));
    let heard = [
        "0 ops web firing",
        "60 ops web repeat 1",
        "120 ops web repeat 2",
    ];
    assert_eq!(shell.heard(), heard);
    shell.apply(Change::Withdraw(id("web"))).unwrap();
    shell.run_to(secs(301));
    assert_eq!(shell.heard()[3..], ["300 ops web repeat 3"]);
    shell.silence("moving", "target=web", 301, 1_000);
    shell.run_to(secs(600));
    shell.see("web", Status::Up);
    assert_eq!(shell.heard()[4..], ["600 ops web resolved cleared"]);
}

#[test]
fn a_silence_for_everything_or_for_nothing_is_refused() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.silence("moving", "target=web", 0, 100);
    let good = shell.alerts.silences().next().unwrap().clone();
    shell.run_to(secs(50));
    for (bad, refusal) in [
        (
            auscult_core::alert::Silence {
                matchers: Vec::new(),
                ..good.clone()
            },
            Refusal::NoMatchers,
        ),
        (
            auscult_core::alert::Silence {
                until: secs(50),
                ..good.clone()
            },
            Refusal::EmptySpan,
        ),
    ] {
        assert_eq!(shell.apply(Change::Silence(bad)), Err(refusal));
    }
    let many = auscult_core::alert::Silence {
        matchers: vec![good.matchers[0].clone(); 33],
        ..good
    };
    let refused = shell.apply(Change::Silence(many));
    assert!(matches!(refused, Err(Refusal::Matchers(_))), "{refused:?}");
}
