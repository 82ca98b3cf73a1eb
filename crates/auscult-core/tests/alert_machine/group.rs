//! In a group, one tells of an alert, and another one when that one is gone.

use crate::group_world::{Finding, Mutant, World};

const SEEDS: u64 = 100;
const TROUBLES: u64 = 12;

#[test]
fn one_tells_of_an_alert_whoever_of_the_group_crashes_or_is_cut_off() {
    let (mut notices, mut duplicates, mut troubles) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed, None);
        world.run(TROUBLES);
        assert!(
            world.findings.is_empty(),
            "seed {seed}: {:?}",
            world.findings
        );
        notices += world.notices;
        duplicates += world.duplicates;
        troubles += world.troubles;
    }
    println!("{notices} notices, {duplicates} twice, {troubles} troubles");
    assert!(troubles > SEEDS * 4, "{troubles}");
    assert!(duplicates * 10 < notices, "{duplicates} of {notices}");
}

fn is_found(mutant: Mutant, finding: Finding) {
    let found = (0..SEEDS).any(|seed| {
        let mut world = World::new(seed, Some(mutant));
        world.run(TROUBLES);
        world.findings.contains(&finding)
    });
    assert!(found, "{mutant:?} is not found by {finding:?}");
}

#[test]
fn letters_that_vanish_are_found() {
    is_found(Mutant::LettersVanish, Finding::Duplicate);
}

#[test]
fn that_nobody_takes_over_is_found() {
    is_found(Mutant::NobodyTakesOver, Finding::Late);
}

#[test]
fn that_everybody_tells_is_found() {
    is_found(Mutant::EverybodyTells, Finding::Duplicate);
}

#[test]
fn that_others_do_not_listen_is_found() {
    is_found(Mutant::OthersDoNotListen, Finding::Late);
}

#[test]
fn ends_that_vanish_are_found() {
    is_found(Mutant::EndsVanish, Finding::LostEnd);
}

#[test]
fn acknowledgements_that_stay_are_found() {
    is_found(Mutant::AcknowledgementsStay, Finding::LostAcknowledgement);
}
