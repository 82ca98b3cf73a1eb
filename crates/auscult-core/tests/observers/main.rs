//! Monitors that observe together, in a small world with loss, crashes, pauses and partitions.
//!
//! Each property has a checker in `checks.rs`, and a mutant of the world in which it must fail.

mod checks;
mod scenarios;
mod world;

use world::{Mutant, World};

/// Seeds of one run of the tests; each is a history of two minutes.
const SEEDS: u64 = 120;

fn run(seed: u64, mutant: Option<Mutant>) -> World {
    let mut world = World::random(seed, mutant);
    world.trouble();
    world.heal();
    world
}

#[test]
fn what_was_told_is_told_once_in_order_and_by_one_voice() {
    for seed in 0..SEEDS {
        let world = run(seed, None);
        for (name, check) in checks::ALL {
            if let Err(text) = check(&world) {
                panic!("seed {seed}: {name}: {text}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in [3, 17] {
        assert_eq!(run(seed, None).story(), run(seed, None).story());
    }
}

#[test]
fn every_check_has_a_mutant_that_it_finds() {
    for (mutant, name) in [
        (Mutant::TellsTwice, "once"),
        (Mutant::TellsWhatItAnnounces, "one voice"),
        (Mutant::AsksOnlyOne, "no false down"),
        (Mutant::LosesItems, "in the end"),
        (Mutant::ForgetsToTell, "no gap"),
        (Mutant::TellsOldAgain, "in order"),
    ] {
        let check = checks::ALL.iter().find(|(it, _)| *it == name);
        let (_, check) = check.expect("a check of that name");
        let found = (0..SEEDS * 4).any(|seed| check(&run(seed, Some(mutant))).is_err());
        assert!(found, "{name} does not see {mutant:?}");
    }
}
