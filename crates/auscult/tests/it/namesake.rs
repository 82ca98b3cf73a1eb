//! Two processes with one name, both running: one of them gives it up and says why, the other one
//! keeps it, and the group comes to rest.

use std::time::Instant;

use crate::http::get;
use crate::members::Node;
use crate::process::PATIENCE;

/// Neither has run for long, so either may be the one that goes.
#[test]
fn of_two_living_processes_with_one_name_one_goes_and_the_group_rests() {
    let mut seed = Node::start("seed", None);
    let mut other = Node::start("other", Some(&seed));
    seed.process.line("member other joined");
    let one = Node::start("twin", Some(&seed));
    seed.process.line("member twin joined");
    other.process.line("member twin joined");
    let two = Node::start("twin", Some(&other));

    let (loser, winner) = first_to_say(one, two, WHY);
    // The others see the name move to and fro while it goes on.
    seed.process.line("member twin moved ");
    let (status, ..) = loser.process.end();
    assert_eq!(status.code(), Some(5));

    // All have the one that is left at its own address, alive. Where the name stood at the other
    // one's address when that ended, it may be convicted there, until the one that is left says no.
    for node in [&seed, &other] {
        until(|| {
            let twin = node.json("/v1/members/twin");
            twin["state"] == "alive" && twin["address"] == winner.address.as_str()
        });
        let convictions = counted(node, "auscult_swim_convictions_total");
        assert!(convictions <= 1, "{convictions} convictions");
    }
    // A contradiction or two for each of the times that it was said to be elsewhere.
    let contradicted = counted(&winner, "auscult_swim_refutations_total");
    assert!(contradicted <= 12, "{contradicted} contradictions");
    assert_eq!(winner.json("/v1/members/twin")["state"], "alive");
}

const WHY: &str = "runs as a member with the same name";

/// Whichever says this on stderr before the other one does, and the other one.
fn first_to_say(one: Node, two: Node, part: &str) -> (Node, Node) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if one.process.log_so_far().contains(part) {
            return (one, two);
        }
        if two.process.log_so_far().contains(part) {
            return (two, one);
        }
        assert!(Instant::now() < deadline, "neither says {part:?}");
        std::thread::yield_now();
    }
}

fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it should have happened by now");
        std::thread::yield_now();
    }
}

/// A counter of a member.
fn counted(node: &Node, name: &str) -> u64 {
    let metrics = get(&node.http, "/metrics").body;
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}
