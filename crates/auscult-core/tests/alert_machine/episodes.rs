//! When an alert is pending, fires, and is over.

use std::time::Duration;

use auscult_core::alert::{
    AlertConfig, AlertParams, Change, Flapping, Input, Matcher, Phase, Refusal, Rule, When,
};
use auscult_core::monitor::Status;

use crate::drive::{
    Shell, id, params, receiver, receiver_name, rule, rule_name, seconds, secs, target,
};

#[test]
fn an_alert_is_told_once_and_again_when_it_is_over() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.run_to(secs(10));
    shell.see("web", Status::Down);
    shell.see("web", Status::Down);
    shell.run_to(secs(20));
    shell.see("web", Status::Up);
    shell.see("web", Status::Up);
    shell.run_to(secs(100));
    let heard = ["10 ops web firing", "20 ops web resolved cleared"];
    assert_eq!(shell.heard(), heard);
    let keys: Vec<String> = shell
        .told
        .iter()
        .map(|(_, m)| m.notices[0].dedup_key())
        .collect();
    let episode = format!("{}-2710.0", id("web"));
    assert_eq!(
        keys,
        [format!("{episode}-firing"), format!("{episode}-resolved")]
    );
}

#[test]
fn a_condition_must_hold_before_anybody_is_told() {
    let hold = seconds(10);
    let mut shell = Shell::new(params(Rule { hold, ..rule() }, receiver("ops")));
    shell.see("web", Status::Down);
    shell.run_to(secs(9));
    assert_eq!(shell.phase("web"), Some(Phase::Pending));
    shell.see("web", Status::Up);
    shell.run_to(secs(30));
    assert_eq!((shell.phase("web"), shell.heard().len()), (None, 0));
    assert!(
        shell.disk.is_empty(),
        "nothing is written of what nobody is told"
    );

    shell.see("web", Status::Down);
    shell.run_to(secs(50));
    assert_eq!(shell.heard(), ["40 ops web firing"]);
    assert_eq!(shell.disk[&id("web")].since, secs(30));
}

/// While the observer cannot tell, nothing begins and nothing ends.
#[test]
fn unknown_leaves_everything_as_it_is() {
    let hold = seconds(10);
    let keep_firing = seconds(10);
    let mut shell = Shell::new(params(
        Rule {
            hold,
            keep_firing,
            ..rule()
        },
        receiver("ops"),
    ));
    shell.see("web", Status::Unknown);
    assert_eq!(shell.phase("web"), None);
    shell.see("web", Status::Down);
    shell.see("web", Status::Unknown);
    shell.run_to(secs(20));
    assert_eq!(shell.phase("web"), Some(Phase::Pending));
    shell.see("web", Status::Down);
    assert_eq!(shell.phase("web"), Some(Phase::Firing));
    shell.see("web", Status::Up);
    shell.see("web", Status::Unknown);
    shell.run_to(secs(40));
    assert_eq!(shell.phase("web"), Some(Phase::Firing));
    shell.see("web", Status::Up);
    assert_eq!(shell.phase("web"), Some(Phase::Resolved));
}

#[test]
fn an_end_must_hold_before_it_is_told() {
    let keep_firing = seconds(10);
    let mut shell = Shell::new(params(
        Rule {
            keep_firing,
            ..rule()
        },
        receiver("ops"),
    ));
    shell.see("web", Status::Down);
    shell.run_to(secs(5));
    shell.see("web", Status::Up);
    shell.run_to(secs(12));
    shell.see("web", Status::Down);
    shell.run_to(secs(20));
    shell.see("web", Status::Up);
    shell.run_to(secs(60));
    assert_eq!(
        shell.heard(),
        ["0 ops web firing", "30 ops web resolved cleared"]
    );
}

#[test]
fn late_is_an_alert_for_those_who_ask_for_it() {
    let late = Rule {
        name: rule_name("late"),
        when: When::Late,
        ..rule()
    };
    let mut shell = Shell::new(AlertParams {
        rules: vec![late, rule()],
        receivers: vec![receiver("ops")],
        ..AlertParams::new()
    });
    let open = |shell: &Shell| {
        let firing = shell.alerts.alerts().filter(|a| a.phase() == Phase::Firing);
        firing
            .map(|a| a.record().key.rule.to_string())
            .collect::<Vec<_>>()
    };
    shell.see("web", Status::Late);
    assert_eq!(open(&shell), ["late"]);
    shell.see("web", Status::Down);
    assert_eq!(open(&shell).len(), 2);
    shell.see("web", Status::Late);
    assert_eq!(open(&shell), ["late"]);
    shell.see("web", Status::Paused);
    assert!(open(&shell).is_empty());
}

#[test]
fn what_comes_and_goes_too_often_is_one_alert_until_it_is_steady() {
    let flapping = Flapping {
        episodes: 3,
        window: seconds(60),
        steady: seconds(30),
    };
    let rule = Rule {
        flapping: Some(flapping),
        ..rule()
    };
    let mut shell = Shell::new(params(rule, receiver("ops")));
    for at in (0..100).step_by(10) {
        shell.run_to(secs(at));
        shell.see("web", Status::Down);
        shell.run_to(secs(at + 5));
        shell.see("web", Status::Up);
    }
    shell.run_to(secs(200));
    let heard = [
        "0 ops web firing",
        "5 ops web resolved cleared",
        "10 ops web firing",
        "15 ops web resolved cleared",
        "20 ops web firing",
        "125 ops web resolved cleared",
    ];
    assert_eq!(shell.heard(), heard);
    let flapping = shell.told.iter().map(|(_, m)| m.notices[0].flapping);
    assert_eq!(flapping.filter(|&f| f).count(), 2);
}

#[test]
fn nothing_that_ends_an_alert_keeps_its_end_back() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    for subject in ["gone", "ruleless", "relabelled", "acked", "silenced"] {
        shell.label(subject, "team", "a");
        shell.see(subject, Status::Down);
    }
    shell.run_to(secs(10));
    shell.handle(Input::Gone(&target("gone")));
    let by = "kim".into();
    let comment = "on it".into();
    let alert = id("acked");
    shell
        .apply(Change::Acknowledge { alert, by, comment })
        .unwrap();
    shell.see("acked", Status::Up);
    shell.silence("s", "target=silenced", 10, 1_000);
    shell.see("silenced", Status::Up);
    shell.run_to(secs(20));
    let matchers = vec![Matcher::parse("team=a").unwrap()];
    shell.configure(params(Rule { matchers, ..rule() }, receiver("ops")));
    shell.label("relabelled", "team", "b");
    shell.see("relabelled", Status::Down);
    shell.run_to(secs(30));
    let receivers = vec![receiver("ops")];
    shell.configure(AlertParams {
        receivers,
        ..AlertParams::new()
    });
    let heard: Vec<String> = shell.heard().split_off(5);
    let expected = [
        "10 ops gone resolved subject_gone",
        "10 ops acked resolved cleared",
        "10 ops silenced resolved cleared",
        "20 ops relabelled resolved rule_gone",
        "30 ops ruleless resolved rule_gone",
    ];
    assert_eq!(heard, expected);
}

#[test]
fn a_restart_neither_repeats_nor_forgets() {
    let everything = params(rule(), receiver("ops"));
    let mut shell = Shell::new(everything.clone());
    shell.see("web", Status::Down);
    shell.see("db", Status::Down);
    shell.run_to(secs(10));
    shell.restart(everything);
    shell.see("web", Status::Down);
    shell.see("db", Status::Unknown);
    shell.run_to(secs(20));
    shell.see("db", Status::Up);
    let heard = [
        "0 ops web firing",
        "0 ops db firing",
        "20 ops db resolved cleared",
    ];
    assert_eq!(shell.heard(), heard);

    // The rule is gone when it comes back: that is over, and told.
    let receivers = vec![receiver("ops")];
    shell.restart(AlertParams {
        receivers,
        ..AlertParams::new()
    });
    assert_eq!(shell.heard()[3..], ["20 ops web resolved rule_gone"]);
}

#[test]
fn what_is_over_is_forgotten_after_a_while() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.see("web", Status::Down);
    shell.see("web", Status::Up);
    shell.run_to(secs(3_599));
    assert_eq!(shell.phase("web"), Some(Phase::Resolved));
    shell.run_to(secs(3_601));
    assert_eq!(shell.phase("web"), None);
    assert!(shell.disk.is_empty());
    assert_eq!(
        shell.alerts.poll_timeout(),
        None,
        "nothing costs anything at rest"
    );
}

#[test]
fn only_what_fires_can_be_acknowledged() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    let acknowledge = || Change::Acknowledge {
        alert: id("web"),
        by: "kim".into(),
        comment: "on it".into(),
    };
    assert_eq!(
        shell.apply(acknowledge()),
        Err(Refusal::UnknownAlert(id("web")))
    );
    shell.see("web", Status::Down);
    assert_eq!(shell.apply(acknowledge()), Ok(()));
    assert_eq!(
        &*shell.disk[&id("web")].acknowledged.as_ref().unwrap().by,
        "kim"
    );
    shell.see("web", Status::Up);
    assert_eq!(
        shell.apply(acknowledge()),
        Err(Refusal::NotFiring(id("web")))
    );
    shell.see("web", Status::Down);
    assert_eq!(
        shell.disk[&id("web")].acknowledged,
        None,
        "the next time is another"
    );
}

#[test]
fn everything_that_is_wrong_with_rules_is_told_at_once() {
    let bad_rule = Rule {
        repeat: Some(Duration::ZERO),
        flapping: Some(Flapping {
            episodes: 1,
            ..Flapping::DEFAULT
        }),
        receivers: vec![receiver_name("nobody")],
        ..rule()
    };
    let bad_receiver = auscult_core::alert::Receiver {
        mass: 1,
        in_flight: 0,
        breaker: 0,
        timeout: Duration::ZERO,
        backoff_max: Duration::ZERO,
        ..receiver("ops")
    };
    let faults = AlertConfig::new(AlertParams {
        rules: vec![bad_rule.clone(), bad_rule],
        receivers: vec![bad_receiver],
        ..AlertParams::new()
    });
    let faults: Vec<String> = faults
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    for expected in [
        "receiver ops: mass: 1 must be at least 2",
        "receiver ops: in_flight: 0 must be 1 to 32",
        "receiver ops: breaker: 0 must be at least 1",
        "receiver ops: timeout: 0 s must be longer",
        "receiver ops: backoff_max: 0ns must be at least backoff_min, 1s",
        "rule down: repeat: 0 s must be longer",
        "rule down: flapping.episodes: 1 must be 2 to 16",
        "rule down: receivers: there is no receiver named nobody",
        "rule down: name: it stands twice",
    ] {
        assert!(
            faults.iter().any(|fault| fault == expected),
            "{expected}: {faults:#?}"
        );
    }
}
