//! The leader goes, in the midst of writes.

use std::time::{Duration, Instant};

use super::Group;
use super::pace::{until, wait_until};
use super::writer::{Writer, check};

/// How many writes there are before and after something happens.
const WRITES: usize = 50;

#[test]
fn a_leader_that_is_killed_takes_no_acknowledged_write_with_it() {
    let mut group = Group::start(3);
    let writer = Writer::start(&group);
    writer.until_acknowledged(WRITES, Instant::now());
    let leader = group.until_led();
    let killed = Instant::now();
    group.kill(leader);
    let next = group.until_led();
    let led = killed.elapsed();
    let written = writer.until_acknowledged(WRITES, killed);
    println!("a new leader {led:?} after kill -9, a write {written:?} after it");
    assert_ne!(next, leader);
    group.restart(leader);
    writer.until_acknowledged(WRITES, Instant::now());
    let written = writer.stop();
    let found = group.until_agreed();
    check(&written, &found);
    println!("{} writes acknowledged, none lost", written.len());
}

/// One that stands still for longer than its office lasts still believes that it leads when it goes
/// on. What it is asked then is not decided by it.
#[test]
fn a_leader_that_stood_still_decides_nothing_when_it_goes_on() {
    let group = Group::start(3);
    let writer = Writer::start(&group);
    writer.until_acknowledged(WRITES, Instant::now());
    let leader = group.until_led();
    let stopped = Instant::now();
    group.members[leader]
        .process
        .as_ref()
        .unwrap()
        .signal("STOP");
    let others: Vec<usize> = (0..3).filter(|&it| it != leader).collect();
    until("another one leads", || {
        let view = group.members[others[0]].cluster()?;
        let leads = |it: usize| group.members[it].cluster();
        let id = leads(others[1])?["leader"].clone();
        let is_new = view["leader"].is_string() && view["leader"] == id;
        let held: Vec<_> = others.iter().filter_map(|&it| leads(it)).collect();
        (is_new && held.iter().any(|view| view["id"] == id)).then_some(())
    });
    writer.until_acknowledged(WRITES, stopped);
    wait_until(stopped + Duration::from_secs(3));
    // Whoever asks it at that moment must be told of everything that the others acknowledged.
    let told = group.members[others[0]].settings().unwrap();
    group.members[leader]
        .process
        .as_ref()
        .unwrap()
        .signal("CONT");
    let shown = until("it answers", || group.members[leader].settings());
    for (name, revision) in &told {
        assert_eq!(shown.get(name), Some(revision), "it shows what was before");
    }
    writer.until_acknowledged(WRITES, Instant::now());
    let written = writer.stop();
    check(&written, &group.until_agreed());
}
