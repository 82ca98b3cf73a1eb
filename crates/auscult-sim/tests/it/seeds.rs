//! Whole histories from seeds, watched by all checkers: fifty that are always the same, and one
//! that nobody has seen before.

use std::hash::{BuildHasher, RandomState};

use auscult_sim::Wire;
use auscult_sim::checker::seeds;

fn is_without_findings(seed: u64) {
    let outcome = seeds::run(seed, Wire::Typed);
    assert!(
        outcome.findings.is_empty(),
        "auscult sim --seed {seed}: {:#?}",
        outcome.findings
    );
    let after = outcome.agreed_after;
    assert!(after.is_some(), "auscult sim --seed {seed}: no agreement");
}

#[test]
fn fifty_histories_are_without_findings() {
    for seed in 0..50 {
        is_without_findings(seed);
    }
}

/// Its seed is printed with the failure, so that it can be lived through again.
#[test]
fn a_history_that_nobody_has_seen_is_without_findings() {
    let seed = RandomState::new().hash_one(0) >> 32;
    is_without_findings(seed);
}
