//! How receivers are told: in groups, again after a failure, and never twice without need.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::alert::{AlertParams, Breaker, Input, Occasion, Receiver, Refresh, Rule, Sent};
use auscult_core::monitor::Status;
use auscult_core::time::Instant;

use crate::drive::{Mood, Shell, id, params, receiver, receiver_name, rule, seconds, secs};

#[test]
fn alerts_of_a_group_are_told_in_one_message() {
    let receiver = Receiver {
        group_by: vec!["site".into()],
        group_wait: seconds(5),
        group_interval: seconds(60),
        ..receiver("ops")
    };
    let mut shell = Shell::new(params(rule(), receiver));
    for (subject, site) in [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b")] {
        shell.label(subject, "site", site);
    }
    shell.see("a1", Status::Down);
    shell.see("b1", Status::Down);
    shell.run_to(secs(3));
    shell.see("a2", Status::Down);
    shell.run_to(secs(10));
    shell.see("a3", Status::Down);
    shell.run_to(secs(20));
    shell.see("a1", Status::Up);
    shell.run_to(secs(100));
    let messages: Vec<(u64, String, usize)> = shell
        .told
        .iter()
        .map(|(at, m)| {
            (
                at.as_nanos() / 1_000_000_000,
                m.group[0].1.clone(),
                m.notices.len(),
            )
        })
        .collect();
    let expected = [(5, "a".into(), 2), (5, "b".into(), 1), (65, "a".into(), 2)];
    assert_eq!(messages, expected);
    assert_eq!(shell.told[0].1.occasion, Occasion::Group);
    assert_eq!(shell.told[0].1.group[0].0, "site");
}

#[test]
fn a_mass_failure_is_one_message_across_all_groups() {
    let receiver = Receiver {
        group_by: vec!["target".into()],
        group_wait: seconds(5),
        mass: 10,
        ..receiver("ops")
    };
    let mut shell = Shell::new(params(rule(), receiver));
    let subjects: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
    for subject in &subjects {
        shell.see(subject, Status::Down);
    }
    shell.run_to(secs(10));
    assert_eq!(shell.told.len(), 1);
    let message = &shell.told[0].1;
    assert_eq!(
        (message.occasion, message.notices.len()),
        (Occasion::MassFailure, 50)
    );
    assert!(message.group.is_empty());
    // As many as fit, and the rest at once.
    for subject in (50..2_550).map(|n| format!("t{n}")) {
        shell.see(&subject, Status::Down);
    }
    shell.run_to(secs(20));
    let sizes: Vec<usize> = shell.told.iter().map(|(_, m)| m.notices.len()).collect();
    assert_eq!(sizes, [50, 1_000, 1_000, 500]);
    assert_eq!(shell.told[3].0, secs(15));
}

#[test]
fn failures_are_retried_ever_more_slowly_and_without_end() {
    let receiver = Receiver {
        backoff_max: seconds(60),
        ..receiver("ops")
    };
    let mut shell = Shell::new(params(rule(), receiver));
    shell.mood = Mood::Fails;
    shell.see("web", Status::Down);
    shell.run_to(secs(3_600));
    let at: Vec<Instant> = shell.sent.iter().map(|(at, _)| *at).collect();
    let pauses: Vec<Duration> = at.windows(2).map(|w| w[1].since(w[0])).collect();
    for (n, pause) in pauses.iter().enumerate() {
        let whole = Duration::from_secs(1 << n.min(6)).min(seconds(60));
        assert!(*pause <= whole && *pause >= whole / 2, "{n}: {pause:?}");
    }
    assert!((60..150).contains(&pauses.len()), "{}", pauses.len());
    let lane = shell.alerts.lanes().next().unwrap();
    assert!(
        matches!(lane.breaker, Breaker::Open { .. }),
        "{:?}",
        lane.breaker
    );
    shell.mood = Mood::Answers;
    shell.run_to(secs(3_700));
    assert_eq!(shell.told.len(), 1);
    assert_eq!(
        shell.alerts.lanes().next().unwrap().breaker,
        Breaker::Closed
    );
}

#[test]
fn only_one_message_tries_whether_a_receiver_is_back() {
    let receiver = Receiver {
        group_by: vec!["target".into()],
        mass: 1_000,
        breaker: 3,
        ..receiver("ops")
    };
    let mut shell = Shell::new(params(rule(), receiver));
    shell.mood = Mood::Hangs;
    for n in 0..100 {
        shell.see(&format!("t{n}"), Status::Down);
    }
    assert_eq!(shell.alerts.lanes().next().unwrap().in_flight, 4);
    shell.run_to(secs(3_600));
    let lane = shell.alerts.lanes().next().unwrap();
    assert!(lane.in_flight <= 1 && lane.queued >= 99, "{lane:?}");
    assert_eq!(
        shell.alerts.counters().overdue,
        shell.alerts.counters().failed
    );
    shell.mood = Mood::Answers;
    shell.run_to(secs(7_200));
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (_, message) in &shell.told {
        *times.entry(message.notices[0].dedup_key()).or_default() += 1;
    }
    assert_eq!(times.len(), 100);
    assert!(times.values().all(|&n| n == 1), "each once");
}

#[test]
fn what_the_receiver_asks_for_is_respected_within_our_bounds() {
    for (asked, expected) in [(30, 30), (86_400, 300)] {
        let mut shell = Shell::new(params(rule(), receiver("ops")));
        shell.mood = Mood::Hangs;
        shell.see("web", Status::Down);
        let message = shell.sent[0].1.number;
        let retry_after = Some(seconds(asked));
        let outcome = Sent::Failed { retry_after };
        shell.handle(Input::Sent { message, outcome });
        shell.mood = Mood::Answers;
        shell.run_to(secs(1_000));
        assert_eq!(shell.told[0].0, secs(expected));
    }
}

#[test]
fn one_alert_that_is_refused_does_not_keep_back_the_others() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.poison.insert("t3".into());
    shell.alerts.configure(
        Instant::ORIGIN,
        crate::drive::config(params(
            rule(),
            Receiver {
                group_wait: seconds(1),
                mass: 100,
                ..receiver("ops")
            },
        )),
    );
    for n in 0..10 {
        shell.see(&format!("t{n}"), Status::Down);
    }
    shell.run_to(secs(60));
    let told: Vec<String> = shell.heard();
    assert_eq!(told.len(), 9, "{told:?}");
    shell.poison.clear();
    shell.run_to(secs(700));
    assert_eq!(shell.heard().len(), 10);
    assert_eq!(
        shell.alerts.lanes().next().unwrap().breaker,
        Breaker::Closed
    );
}

/// A receiver that was away for all of it is told how things are, and what it missed.
#[test]
fn what_came_and_went_meanwhile_is_counted() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.mood = Mood::Hangs;
    shell.see("other", Status::Down);
    for _ in 0..3 {
        shell.see("hung", Status::Down);
        shell.see("hung", Status::Up);
    }
    // Four messages are under way: one alert each, the rest waits.
    for n in 0..4 {
        shell.see(&format!("filler{n}"), Status::Down);
    }
    for _ in 0..3 {
        shell.see("web", Status::Down);
        shell.see("web", Status::Up);
    }
    shell.see("web", Status::Down);
    shell.mood = Mood::Answers;
    shell.run_to(secs(600));
    let web = shell.told.iter().flat_map(|(_, m)| &m.notices);
    let web: Vec<_> = web.filter(|n| n.alert == id("web")).collect();
    assert_eq!(web.len(), 1);
    assert_eq!((web[0].count, web[0].skipped), (4, 3));
    // Whoever may have been told of the beginning is told of the end.
    let hung = shell.told.iter().flat_map(|(_, m)| &m.notices);
    let hung: Vec<_> = hung.filter(|n| n.alert == id("hung")).collect();
    let episodes: Vec<u64> = hung.iter().map(|n| n.count).collect();
    assert!(hung.iter().all(|n| n.news.is_resolved()), "{hung:?}");
    assert_eq!(episodes, [1, 3]);
    assert_eq!(hung.iter().map(|n| n.skipped).max(), Some(1));
}

/// Alertmanager forgets what it is not reminded of, firing or resolved.
#[test]
fn a_receiver_that_forgets_is_reminded_while_it_fires_and_for_a_while_after() {
    let refresh = Some(Refresh {
        every: seconds(60),
        after_end: seconds(300),
    });
    let mut shell = Shell::new(params(
        rule(),
        Receiver {
            refresh,
            ..receiver("ops")
        },
    ));
    shell.see("web", Status::Down);
    shell.run_to(secs(10));
    shell.silence("moving", "target=web", 10, 1_000);
    shell.run_to(secs(130));
    shell.see("web", Status::Up);
    shell.run_to(secs(5_000));
    let mut expected = vec![
        "0 ops web firing".to_owned(),
        "60 ops web refresh".to_owned(),
        "120 ops web refresh".to_owned(),
    ];
    for at in (130..=430).step_by(60) {
        expected.push(format!("{at} ops web resolved cleared"));
    }
    assert_eq!(shell.heard(), expected);
    assert_eq!(shell.phase("web"), None);
}

#[test]
fn receivers_of_a_changed_rule_are_told_and_those_before_hear_the_end() {
    let both = |names: &[&str]| AlertParams {
        rules: vec![Rule {
            receivers: names.iter().map(|n| receiver_name(n)).collect(),
            ..rule()
        }],
        receivers: vec![receiver("ops"), receiver("dev")],
        ..AlertParams::new()
    };
    let mut shell = Shell::new(both(&["ops"]));
    shell.see("web", Status::Down);
    shell.run_to(secs(10));
    shell.configure(both(&["dev"]));
    shell.run_to(secs(20));
    shell.see("web", Status::Up);
    let mut heard = shell.heard();
    heard.sort();
    let expected = [
        "0 ops web firing",
        "10 dev web firing",
        "20 dev web resolved cleared",
        "20 ops web resolved cleared",
    ];
    assert_eq!(heard, expected);
}

/// Who was told, is told the end also when it was not there for a while.
#[test]
fn a_receiver_that_comes_back_to_the_settings_hears_what_it_missed() {
    let everything = params(rule(), receiver("ops"));
    let mut shell = Shell::new(everything.clone());
    shell.see("web", Status::Down);
    shell.configure(AlertParams::new());
    shell.run_to(secs(100));
    shell.restart(AlertParams::new());
    shell.run_to(secs(5_000));
    assert_eq!(shell.heard(), ["0 ops web firing"]);
    shell.restart(everything);
    assert_eq!(shell.heard()[1..], ["5000 ops web resolved rule_gone"]);
}

#[test]
fn the_end_is_given_up_on_at_last_and_counted() {
    let abandon = seconds(1_000);
    let mut shell = Shell::new(params(
        rule(),
        Receiver {
            abandon,
            ..receiver("ops")
        },
    ));
    shell.see("web", Status::Down);
    shell.mood = Mood::Fails;
    shell.see("web", Status::Up);
    shell.run_to(secs(999));
    assert_eq!(shell.alerts.counters().abandoned, 0);
    shell.run_to(secs(5_000));
    assert_eq!(shell.alerts.counters().abandoned, 1);
    assert_eq!(shell.phase("web"), None);
}

/// A full disk must not mean that nobody is told.
#[test]
fn a_disk_that_takes_nothing_delays_nobody_and_is_counted() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.disk_full = true;
    shell.see("web", Status::Down);
    shell.run_to(secs(60));
    assert_eq!(shell.heard(), ["0 ops web firing"]);
    assert!(shell.alerts.counters().unwritten > 0 && shell.disk.is_empty());
    shell.disk_full = false;
    shell.run_to(secs(70));
    let record = &shell.disk[&id("web")];
    assert_eq!(record.deliveries[0].told, record.episode);
    assert_eq!(shell.told.len(), 1);
}

/// A thousand within a second, and a receiver that hangs for a minute.
#[test]
fn a_thousand_at_once_are_told_exactly_once_by_a_receiver_that_hung() {
    let mut shell = Shell::new(params(rule(), receiver("ops")));
    shell.mood = Mood::Hangs;
    for n in 0..1_000 {
        shell.run_to(Instant::from_millis(n));
        shell.see(&format!("t{n}"), Status::Down);
    }
    shell.run_to(secs(1));
    let fires = |shell: &Shell| shell.alerts.alerts().filter(|a| a.record().fires()).count();
    assert_eq!(
        fires(&shell),
        1_000,
        "the table does not wait for the receiver"
    );
    shell.run_to(secs(30));
    for n in 0..500 {
        shell.see(&format!("t{n}"), Status::Up);
    }
    shell.run_to(secs(61));
    let lane = shell.alerts.lanes().next().unwrap();
    assert!(lane.queued <= 1_000 && lane.in_flight <= 4, "{lane:?}");
    shell.mood = Mood::Answers;
    shell.run_to(secs(400));
    for n in 500..1_000 {
        shell.see(&format!("t{n}"), Status::Up);
    }
    shell.run_to(secs(500));
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    let notices = shell.told.iter().flat_map(|(_, m)| &m.notices);
    for notice in notices {
        *times.entry(notice.dedup_key()).or_default() += 1;
    }
    assert!(times.values().all(|&n| n == 1), "each once");
    let ends = times.keys().filter(|key| key.ends_with("resolved")).count();
    let begins = times.keys().filter(|key| key.ends_with("firing")).count();
    assert_eq!((ends, begins), (1_000, 500));
    let counters = shell.alerts.counters();
    assert_eq!((counters.fired, counters.resolved), (1_000, 1_000));
    assert_eq!(counters.delivered, 1_500);
}
