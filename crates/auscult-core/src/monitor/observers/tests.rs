//! The machine by itself: what reports add up to, and what is said of it.

use super::panel::Panel;
use super::*;
use crate::monitor::Status;
use alloc::format;
use alloc::string::{String, ToString};
use proptest::prelude::*;

fn panel(statuses: &[Option<Status>]) -> Panel {
    let name = MonitorName::new("m1").expect("a name");
    let mut panel = Panel::new(Ruling::none(name, Instant::ORIGIN));
    for (slot, status) in statuses.iter().enumerate() {
        if let Some(status) = *status {
            let _none = panel.put(
                slot,
                Some(Seen {
                    status,
                    level: 0.0,
                    since: Instant::ORIGIN,
                    why: "seen".into(),
                }),
            );
        }
    }
    panel
}

fn text_of(letters: &str) -> String {
    let statuses: Vec<Option<Status>> = letters
        .chars()
        .map(|letter| match letter {
            'u' => Some(Status::Up),
            'l' => Some(Status::Late),
            'd' => Some(Status::Down),
            'p' => Some(Status::Paused),
            '?' => Some(Status::Unknown),
            _ => None,
        })
        .collect();
    let all: Vec<usize> = (0..statuses.len()).collect();
    let heard = letters.chars().rev().map(|letter| u64::from(letter != '-'));
    let fresh = heard.fold(0, |bits, bit| bits << 1 | bit);
    let tally = panel(&statuses).count(&all, fresh);
    match tally.find() {
        Ok(verdict) => {
            let text = tally.describe(verdict, |slot| format!("m{}", slot + 1));
            format!("{verdict}: {text}")
        }
        Err(held) => held.to_string(),
    }
}

#[test]
fn the_majority_of_fresh_reports_decides_and_dissent_is_named() {
    for (reports, expected) in [
        ("uuu", "up: up for 3 of 3"),
        ("dud", "down: down for 2 of 3; reachable from m2"),
        (
            "udu",
            "partially reachable: down for 1 of 3: m2; reachable from m1, m3",
        ),
        (
            "uld",
            "late: late for 1 of 3; reachable from m1; down for m3",
        ),
        ("dd-", "down: down for 2 of 3; nothing fresh from m3"),
        ("uu?", "up: up for 2 of 3; unknown to m3"),
        (
            "dd?-d",
            "down: down for 3 of 5; unknown to m3; nothing fresh from m4",
        ),
        ("ppp", "paused: paused for 3 of 3"),
        ("u", "up: up for 1 of 1"),
        (
            "u--",
            "fresh reports from 1 of 3 observers are too few, the last verdict stands",
        ),
        ("ud", "the observers are tied, the last verdict stands"),
        ("ud-", "the observers are tied, the last verdict stands"),
        ("uudd", "the observers are tied, the last verdict stands"),
        (
            "",
            "fresh reports from 0 of 0 observers are too few, the last verdict stands",
        ),
    ] {
        assert_eq!(text_of(reports), expected, "{reports}");
    }
}

proptest! {
    /// Against the dumb way: sort what is said by how bad it is. Of an odd number the one in the
    /// middle decides; of an even one the two in the middle, when they agree.
    #[test]
    fn the_verdict_is_the_median(reports in prop::collection::vec(0_usize..3, 1..9)) {
        let statuses = [Status::Up, Status::Late, Status::Down];
        let said: Vec<Option<Status>> = reports.iter().map(|&n| Some(statuses[n])).collect();
        let all: Vec<usize> = (0..said.len()).collect();
        let found = panel(&said).count(&all, u64::MAX).find();
        let mut sorted = reports;
        sorted.sort_unstable();
        let low = sorted[(sorted.len() - 1) / 2];
        let high = sorted[sorted.len() / 2];
        let expected = if low != high {
            Err(Held::Tie)
        } else if low == 0 && sorted.contains(&2) {
            Ok(Verdict::PartiallyReachable)
        } else {
            Ok([Verdict::Up, Verdict::Late, Verdict::Down][low])
        };
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn names_of_verdicts_lead_back_to_them() {
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::named(verdict.as_str()), Some(verdict));
    }
    let order = Verdict::ALL.map(|verdict| verdict.status().severity());
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_monitor_alone_says_nothing_and_keeps_no_ruling() {
    let name = MonitorName::new("m1").expect("a name");
    let mut machine = Observers::new(ObserversConfig::server(), name, 1_000, Instant::ORIGIN);
    let target = TargetId::new("web").expect("a name");
    machine.watch(Instant::ORIGIN, &target, None);
    for second in 0..60 {
        let now = Instant::from_secs(second);
        let seen = Seen {
            status: Status::Down,
            level: 9.0,
            since: now,
            why: "silence".into(),
        };
        machine.see(now, &target, Some(seen));
        machine.tick(now);
    }
    assert_eq!(machine.poll_output(), None);
    assert!(machine.view("web").is_none());
    assert_eq!(machine.counters().told, 0);
}

/// A batch of a hundred thousand new targets is not a hundred thousand lines that say nothing.
#[test]
fn of_a_target_of_which_nothing_is_known_nothing_is_sent() {
    let now = Instant::ORIGIN;
    let name = |text| MonitorName::new(text).expect("a name");
    let other = name("m2");
    let seats = ["m1", "m2"].map(|text| Seat {
        name: name(text),
        liveness: Liveness::Live,
    });
    let mut machine = Observers::new(ObserversConfig::server(), name("m1"), 1_000, now);
    machine.set_roster(now, &seats);
    let seen = |status| {
        Some(Seen {
            status,
            level: 0.0,
            since: now,
            why: "seen".into(),
        })
    };
    let targets: Vec<TargetId> = (0..100)
        .map(|n| TargetId::new(&format!("t{n}")).expect("a name"))
        .collect();
    for target in &targets {
        machine.watch(now, target, seen(Status::Unknown));
    }
    let sent = |machine: &mut Observers, reply| {
        let batch = machine.poll_batch(now, &other).expect("something to say");
        machine.take_reply(now, &other, reply);
        let names = batch.items.iter().map(|item| item.target.to_string());
        (batch.complete, names.collect::<Vec<String>>())
    };
    let taken = || Reply::Taken {
        refused: Vec::new(),
    };
    assert_eq!(sent(&mut machine, taken()), (true, Vec::new()));
    let t7 = || (true, Vec::from(["t7".to_string()]));
    machine.see(now, &targets[7], seen(Status::Up));
    assert_eq!(sent(&mut machine, taken()), t7());
    // What was said is taken back.
    machine.see(now, &targets[7], seen(Status::Unknown));
    assert_eq!(sent(&mut machine, taken()), t7());
    machine.see(now, &targets[7], seen(Status::Down));
    assert_eq!(sent(&mut machine, Reply::Resync), t7());
    assert_eq!(sent(&mut machine, taken()), t7());
}
