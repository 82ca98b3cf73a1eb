//! Monitors that come back, and monitors that come.

use std::time::Instant;

use serde_json::Value;

use super::Group;
use super::pace::until;
use super::writer::{Writer, check};
use crate::process::auscult;

/// As many changes as a snapshot is made after, and some.
const CHANGES: usize = 1_100;

#[test]
fn all_started_again_without_flags_are_the_same_group_with_the_same_settings() {
    let mut group = Group::start(3);
    group.members[1].put_all("a", 20);
    let before = group.until_agreed();
    let ids = identities(&group);
    for which in 0..3 {
        group.kill(which);
    }
    let started = Instant::now();
    for which in 0..3 {
        group.restart(which);
    }
    group.until_led();
    println!(
        "a leader {:?} after all were started again",
        started.elapsed()
    );
    assert_eq!(identities(&group), ids);
    assert_eq!(group.until_agreed(), before);
    group.members[2].put_all("b", 1);
    assert_eq!(group.until_agreed().len(), 21);
}

/// A monitor alone shows the last settings, also when they came a moment before all were killed.
#[test]
fn one_that_comes_back_alone_shows_the_last_settings_and_changes_none() {
    let mut group = Group::start(3);
    group.members[0].put_all("a", 3);
    for which in 0..3 {
        group.kill(which);
    }
    group.restart(0);
    let answer = group.members[0].get("/v1/settings/targets/a2").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let refused = group.members[0].put("b").unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    group.restart(1);
    until("two decide again", || {
        let answer = group.members[1].put("b").ok()?;
        (answer.status < 300).then_some(())
    });
}

#[test]
fn a_fourth_joins_after_a_thousand_changes_by_a_snapshot() {
    let mut group = Group::start(3);
    let writer = Writer::start(&group);
    group.members[0].put_all("a", CHANGES);
    for member in &mut group.members {
        member.process().log("a snapshot of the settings is made");
    }
    let started = Instant::now();
    group.add(auscult);
    println!(
        "a fourth monitor votes {:?} after its start",
        started.elapsed()
    );
    group.members[3]
        .process()
        .log("took the settings from a snapshot");
    let written = writer.stop();
    let found = group.until_agreed();
    check(&written, &found);
    assert!(found.len() >= CHANGES + written.len(), "{}", found.len());
    group.members[3].put_all("b", 1);
}

/// The first one of several that are started alike has lost its disk: it does not begin a group of
/// its own, but is told by the others what to do.
#[test]
fn one_that_would_begin_a_group_joins_where_there_is_one() {
    let mut group = Group::start(3);
    group.members[1].put_all("a", 5);
    group.kill(0);
    group.until_led();
    let (old, other) = (group.members[0].raft.clone(), group.members[1].raft.clone());
    let folder = tempfile::TempDir::new().unwrap();
    let mut args = super::args(&folder, &group.members[0].http);
    let join = format!("{old},{other}");
    args.extend(["--name", "m1", "--raft-bind", &old, "--join", &join].map(str::to_owned));
    let (process, ..) = super::launch(&mut auscult(args));
    group.members[0].process = Some(process);
    until("it says what stands in its way", || {
        let view = group.members[0].cluster()?;
        let trouble = view["trouble"].as_str()?;
        trouble.contains("auscult cluster remove m1").then_some(())
    });
    let removed = crate::http::ask(
        &group.members[1].http,
        "DELETE",
        "/v1/cluster/monitors/m1",
        "",
        "",
    );
    assert_eq!(removed.unwrap().status, 200);
    group.until_all_vote();
    assert_eq!(group.until_agreed().len(), 5);
}

/// The group and its monitors.
fn identities(group: &Group) -> Vec<(Value, Value)> {
    let views = group.members.iter().map(|member| member.cluster().unwrap());
    views
        .map(|view| (view["group"].clone(), view["id"].clone()))
        .collect()
}
