//! Single stories, with the words that are told.

use std::collections::BTreeSet;
use std::time::Duration;

use auscult_core::monitor::observers::{Output, Teller, Verdict};

use crate::world::{Runs, STEP, World};

const SECOND: Duration = Duration::from_secs(1);

/// Three monitors that know each other and one target.
fn three() -> World {
    let mut world = World::new(3, 1, 7);
    world.run(SECOND * 15);
    assert_eq!(world.log.len(), 3, "{}", world.story());
    world.log.clear();
    world
}

fn owner(world: &World) -> usize {
    let view = world.monitors[0].machine.view("t0").expect("known");
    let all = world.monitors.iter();
    let mut names = all.map(|monitor| monitor.machine.me());
    names.position(|name| *name == view.owner).expect("one")
}

fn told_here(world: &World) -> Vec<(Verdict, String)> {
    let lines = world.log.iter().filter(|line| line.teller == Teller::Here);
    lines
        .map(|line| (line.ruling.verdict, line.ruling.text.to_string()))
        .collect()
}

/// All of them may own targets from the same moment on, and each thinks itself alone in that until
/// it hears of the others; half of their letters are lost. What is left is told in decision 9.
#[test]
fn monitors_that_begin_together_tell_each_first_verdict_under_one_key() {
    for seed in 0..60 {
        let mut world = World::new(3 + 2 * (seed as usize % 2), 8, seed);
        world.loss_percent = 50;
        world.run(SECOND * 30);
        for target in &world.targets {
            let told = world.log.iter().filter(|line| line.target == *target);
            let turns = told.map(|line| line.ruling.turn);
            let first: BTreeSet<_> = turns.filter(|turn| turn.number == 1).collect();
            assert_eq!(first.len(), 1, "seed {seed}: {target}: {}", world.story());
        }
    }
}

#[test]
fn a_target_that_only_one_sees_is_down_and_the_event_says_who_sees_it() {
    let mut world = three();
    world.hide_from(&[0, 2], 0);
    world.run(SECOND * 10);
    let told = told_here(&world);
    let expected = "down for 2 of 3; reachable from m2".to_owned();
    assert_eq!(told.last(), Some(&(Verdict::Down, expected)), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(world.log.len(), 3, "each log has it once");
}

#[test]
fn a_target_that_only_one_misses_is_partially_reachable() {
    let mut world = three();
    world.hide_from(&[1], 0);
    world.run(SECOND * 10);
    let expected = "down for 1 of 3: m2; reachable from m1, m3".to_owned();
    assert_eq!(told_here(&world), [(Verdict::PartiallyReachable, expected)]);
}

#[test]
fn a_monitor_that_is_stopped_for_half_a_minute_causes_nothing() {
    for victim in 0..3 {
        let mut world = three();
        world.monitors[victim].runs = Runs::Paused;
        world.run(SECOND * 30);
        world.end_faults();
        world.run(SECOND * 30);
        assert!(world.log.is_empty(), "{victim}: {}", world.story());
    }
}

#[test]
fn an_observer_that_is_cut_off_says_so_and_nothing_else() {
    for victim in 0..3 {
        let mut world = three();
        world.isolate(victim);
        world.run(SECOND * 30);
        assert!(world.log.is_empty(), "{victim}: {}", world.story());
        let view = world.monitors[victim].machine.view("t0").expect("known");
        assert_eq!(view.verdict, Verdict::ObserverIsolated);
        let said = &world.monitors[victim].said;
        let isolated = Output::Isolated { heard: 1, of: 3 };
        assert!(said.contains(&isolated), "{victim}: {said:?}");
        world.end_faults();
        world.run(SECOND * 5);
        let said = &world.monitors[victim].said;
        assert!(
            said.iter().any(|it| matches!(it, Output::Rejoined { .. })),
            "{said:?}"
        );
    }
}

#[test]
fn a_dead_owner_is_replaced_as_soon_as_it_is_known_to_be_dead() {
    let mut world = three();
    let first = owner(&world);
    world.monitors[first].runs = Runs::Crashed;
    world.run(STEP * 26);
    let others: Vec<usize> = (0..3).filter(|&slot| slot != first).collect();
    world.hide_from(&others, 0);
    world.run(SECOND * 3);
    let expected = "down for 2 of 2".to_owned();
    assert_eq!(told_here(&world), [(Verdict::Down, expected)]);
}

#[test]
fn an_observer_that_sees_nothing_at_all_is_at_fault_itself() {
    let mut world = World::new(3, 9, 5);
    world.run(SECOND * 15);
    world.log.clear();
    for target in 0..9 {
        world.hide_from(&[1], target);
    }
    world.run(SECOND * 10);
    assert!(world.log.is_empty(), "{}", world.story());
    for monitor in &world.monitors {
        let found = monitor.said.iter().any(
            |it| matches!(it, Output::ObserverIsolated { observer, .. } if **observer == *"m2"),
        );
        assert!(found, "{:?}", monitor.said);
    }
}

#[test]
fn of_two_monitors_the_one_that_is_left_goes_on() {
    let mut world = World::new(2, 1, 3);
    world.run(SECOND * 15);
    world.log.clear();
    world.monitors[0].runs = Runs::Crashed;
    world.run(SECOND * 5);
    world.hide_from(&[1], 0);
    world.run(SECOND * 5);
    let expected = "down for 1 of 1".to_owned();
    assert_eq!(told_here(&world), [(Verdict::Down, expected)]);
}

/// Who has something to say of a target.
fn reporting(world: &World) -> Vec<usize> {
    let all = world.monitors.iter().enumerate();
    let sees = all.filter(|(_, monitor)| {
        let view = monitor.machine.view("t0").expect("known");
        let own = view
            .observers
            .iter()
            .find(|it| it.monitor == *monitor.machine.me());
        own.is_some_and(|own| own.seen.is_some())
    });
    sees.map(|(slot, _)| slot).collect()
}

#[test]
fn of_five_monitors_three_observe_and_another_takes_the_place_of_a_dead_one() {
    for (seed, victim_place) in [(1, 0), (2, 1), (3, 2)] {
        let mut world = World::new(5, 1, seed);
        world.run(SECOND * 15);
        let before = reporting(&world);
        assert_eq!(before.len(), 3, "{before:?}");
        world.log.clear();
        let victim = before[victim_place];
        world.monitors[victim].runs = Runs::Crashed;
        // It is known to be gone after some steps, and the new one needs a second to see.
        world.run(SECOND * 6);
        let mut after = reporting(&world);
        after.retain(|&slot| slot != victim);
        assert_eq!(after.len(), 3, "{after:?}");
        assert!(
            world.log.is_empty(),
            "the verdict stands: {}",
            world.story()
        );
        world.hide_from(&after, 0);
        world.run(SECOND * 5);
        let told = told_here(&world);
        let verdicts: Vec<Verdict> = told.iter().map(|(verdict, _)| *verdict).collect();
        assert_eq!(verdicts, [Verdict::Down], "{told:?}");
        assert!(told[0].1.contains(" of 3"), "{told:?}");
        // One that comes back takes its place again, and that is no news.
        world.log.clear();
        world.end_faults();
        world.run(SECOND * 20);
        assert_eq!(reporting(&world), before);
        let told = told_here(&world);
        assert!(
            told.iter().all(|(verdict, _)| *verdict != Verdict::Up),
            "{told:?}"
        );
    }
}

#[test]
fn with_one_observer_the_verdict_stands_until_the_next_one_has_looked() {
    let mut world = World::new(3, 1, 11);
    for monitor in &mut world.monitors {
        let now = auscult_core::time::Instant::from_secs(1);
        monitor.machine.set_observers(now, 1);
    }
    world.run(SECOND * 15);
    let before = reporting(&world);
    assert_eq!(before.len(), 1, "{before:?}");
    world.log.clear();
    world.monitors[before[0]].runs = Runs::Crashed;
    world.run(SECOND * 10);
    let mut after = reporting(&world);
    after.retain(|slot| *slot != before[0]);
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(world.log.is_empty(), "{}", world.story());
}
