//! Groups of monitors in one process, on disks and in a network that fail as a seed has it.
//!
//! One seed is one story: a group of three or five, clients that change and read, and what befalls
//! them. It is told in virtual time, in one thread, the same way each time, and then looked at by
//! every check. `AUSCULT_GROUP_SEED=7` tells one of them and prints all of it;
//! `AUSCULT_GROUP_SEEDS=1000` tells that many that nobody has told before.
//!
//! One thing is not the seed's: where several tasks wait for the same change of a value, tokio
//! wakes them in an order of its own. So a story is told a few times when it must be the same, and
//! what was written of one in which something was wrong is kept.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod boundary;
mod check;
mod client;
mod disk;
mod fate;
mod history;
mod network;
mod site;
mod world;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use check::CHECKS;
use world::{Mutant, tell};

/// The seeds that are always told.
const SEEDS: u64 = 50;

/// Within how many seeds every mutant must be found out.
const SEEDS_PER_MUTANT: u64 = 20;

/// How often a story is told that must be the same.
const TELLINGS: u64 = 8;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// What is wrong in a seed's story.
fn findings(seed: u64) -> Vec<String> {
    let told = tell(seed, Mutant::None);
    let broken = CHECKS.iter().filter_map(|check| {
        let text = (check.check)(&told.history).err()?;
        Some(format!("seed {seed}: {}: {text}", check.name))
    });
    let mut found: Vec<String> = broken.collect();
    if !found.is_empty() {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("group-{seed}.txt"));
        fs::write(&path, told.trace).unwrap();
        found.push(format!("seed {seed}: all of it is in {}", path.display()));
    }
    found
}

/// Tells stories on all processors; returns what is wrong, with the seeds.
fn tell_all(first: u64, count: u64) -> Vec<String> {
    let next = AtomicU64::new(0);
    let teller = || {
        let mut found = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return found;
            }
            found.extend(findings(first.wrapping_add(number)));
        }
    };
    let tellers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let running: Vec<_> = (0..tellers).map(|_| scope.spawn(teller)).collect();
        running
            .into_iter()
            .flat_map(|teller| teller.join().unwrap())
            .collect()
    })
}

#[test]
fn every_seed_keeps_every_promise() {
    if let Some(seed) = variable("AUSCULT_GROUP_SEED") {
        for _ in 0..TELLINGS {
            let found = findings(seed);
            assert!(found.is_empty(), "{}", found.join("\n"));
        }
        return;
    }
    let mut found = tell_all(0, SEEDS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let fresh = now.as_nanos() as u64 >> 8;
    let more = variable("AUSCULT_GROUP_SEEDS").unwrap_or(1);
    println!("seeds 0 to {}, and {more} from {fresh} on", SEEDS - 1);
    found.extend(tell_all(fresh, more));
    assert!(
        found.is_empty(),
        "{}\nagain with AUSCULT_GROUP_SEED=<seed> cargo test -p auscult-monitor --test group \
         every_seed -- --nocapture",
        found.join("\n")
    );
}

#[test]
fn every_check_finds_its_mutant() {
    for check in CHECKS {
        let caught = (0..SEEDS_PER_MUTANT).find_map(|seed| {
            let told = tell(seed, check.mutant);
            let text = (check.check)(&told.history).err()?;
            Some(format!("seed {seed}: {text}"))
        });
        let name = check.name;
        let mutant = check.mutant;
        let caught = caught.unwrap_or_else(|| panic!("{name}: nothing is found in {mutant:?}"));
        println!("{name}: {mutant:?} is found in {caught}");
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let told = |seed| {
        let trace = tell(seed, Mutant::None).trace;
        let mut lines: Vec<String> = trace.lines().map(str::to_owned).collect();
        // Who was first within a millisecond may be tokio's choice.
        lines.sort_unstable();
        lines
    };
    for seed in [3, 4] {
        let first = told(seed);
        assert!(first.len() > 500, "seed {seed}: {} lines", first.len());
        let is_told_again = (0..TELLINGS).any(|_| told(seed) == first);
        assert!(is_told_again, "seed {seed}");
    }
}
