//! Each check of the world finds what it is for.

use crate::world::{Finding, Mutant, World};

fn is_found(mutant: Mutant, finding: Finding) {
    let found = (0..60).any(|seed| {
        let mut world = World::new(seed, Some(mutant));
        world.run(600);
        world.findings.contains(&finding)
    });
    assert!(found, "{mutant:?} is not found by {finding:?}");
}

#[test]
fn a_disk_that_lies_is_found() {
    is_found(Mutant::DiskLies, Finding::ToldBeforeWritten);
}

#[test]
fn ends_that_vanish_are_found() {
    is_found(Mutant::EndsVanish, Finding::LostEnd);
}

#[test]
fn alerts_that_a_start_forgets_are_found() {
    is_found(Mutant::StartForgets, Finding::LostEnd);
}

#[test]
fn beginnings_that_vanish_are_found() {
    is_found(Mutant::BeginningsVanish, Finding::LostBeginning);
}

#[test]
fn episodes_that_nobody_counts_are_found() {
    is_found(Mutant::SkippedVanish, Finding::Uncounted);
}

#[test]
fn confirmations_that_vanish_are_found() {
    is_found(Mutant::ConfirmationsVanish, Finding::Duplicate);
}

#[test]
fn beginnings_that_are_late_are_found() {
    is_found(Mutant::BeginningsAreLate, Finding::Disorder);
}
