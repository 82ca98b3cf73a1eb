//! Each fault does what its name says, and the machine does what it promises of it.

use std::time::Duration;

use auscult_core::swim::{State, Wake};
use auscult_sim::{Deed, Loss, Memory, Net, Place, Rule, Stall, Step, Ways, Who};
use auscult_sim::{Effect, Power};

use crate::world::{SECOND, convictions, joined, settle};

#[test]
fn a_crash_is_found_by_all_and_nobody_else_is_convicted() {
    let mut world = joined(25, 1);
    let found = convictions(&mut world, |world| {
        world.crash(7);
        world.run_for(12 * SECOND);
    });
    let mut by: Vec<usize> = found.iter().map(|found| found.0).collect();
    by.sort_unstable();
    assert!(found.iter().all(|found| found.1 == "m7"));
    assert!(by.into_iter().eq((0..25).filter(|&place| place != 7)));
}

#[test]
fn a_process_that_was_stopped_for_ten_seconds_comes_back_and_convicts_nobody() {
    for stall in [Stall::Process, Stall::Messages] {
        let mut world = joined(25, 2);
        let found = convictions(&mut world, |world| {
            world.stall(7, stall);
            assert_eq!(world.power(7), Power::Stalls(stall));
            world.run_for(10 * SECOND);
            world.resume(7);
            settle(world, 60);
        });
        if stall == Stall::Process {
            assert!(found.iter().all(|found| found.1 == "m7"), "{found:?}");
            assert!(world.member(7).counters().stalls > 0);
        } else {
            // It does not notice, so it may well be wrong.
            assert_eq!(world.member(7).counters().stalls, 0);
        }
    }
}

#[test]
fn a_restart_keeps_or_loses_what_was_remembered_and_may_listen_elsewhere() {
    for (memory, place) in [
        (Memory::Kept, Place::Same),
        (Memory::Lost, Place::OtherPort),
        (Memory::Lost, Place::OtherHost),
    ] {
        let mut world = joined(10, 3);
        let before = world.address(4);
        world.restart(4, memory, place);
        let address = world.address(4);
        match place {
            Place::Same => assert_eq!(address, before),
            Place::OtherPort => assert!(address.ip() == before.ip() && address != before),
            Place::OtherHost => assert!(address.ip() != before.ip()),
        }
        assert_eq!((world.life(4), world.member(4).live()), (1, 1));
        world.join(4, &[0]);
        settle(&mut world, 60);
        for place in 0..10 {
            let view = world.member(place).member("m4").unwrap();
            assert_eq!((view.state(), view.address()), (State::Alive, address));
        }
    }
}

#[test]
fn a_partition_cuts_both_ways_until_it_is_lifted() {
    let mut world = joined(20, 4);
    let groups = vec![Who::these(0..10), Who::these(10..20)];
    let rule = world.impose(Rule::partition(groups));
    assert!(!world.is_open(0, 10) && !world.is_open(10, 0) && world.is_open(0, 9));
    world.run_for(60 * SECOND);
    assert!((0..20).all(|place| world.member(place).live() == 10));
    world.lift(rule);
    assert!(world.is_open(0, 10));
    settle(&mut world, 60);
}

#[test]
fn a_one_way_cut_convicts_nobody_while_others_hear_both() {
    let mut world = joined(20, 5);
    let found = convictions(&mut world, |world| {
        world.impose(Rule::one_way(Who::these([3]), Who::these([4])));
        assert!(!world.is_open(3, 4) && world.is_open(4, 3));
        world.run_for(120 * SECOND);
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_fifth_lost_everywhere_convicts_nobody() {
    let mut world = joined(25, 6);
    let found = convictions(&mut world, |world| {
        world.impose(Rule::steady(
            Ways::all(),
            Effect::Loss(Loss::Independent(0.2)),
        ));
        world.run_for(300 * SECOND);
    });
    assert!(found.is_empty(), "{found:?}");
    let traffic = world.traffic();
    let lost = traffic.dropped as f64 / traffic.sent as f64;
    assert!((0.17..0.2).contains(&lost), "{lost}");
}

#[test]
fn a_slow_member_handles_one_thing_after_the_other() {
    let mut world = joined(10, 7);
    let each = Duration::from_millis(20);
    world.perform(Deed::Slow { member: 3, each });
    let before = world.traffic_of(3).delivered;
    // More than it can take: ten times as many as there are.
    world.set_net(Net {
        duplication: 1.0,
        ..Net::lan()
    });
    world.run_for(60 * SECOND);
    let taken = world.traffic_of(3).delivered - before;
    assert!((100..=3_000).contains(&taken), "{taken}");
    assert!(world.member(3).member("m4").is_some());
}

/// A clock that is set forward by an hour is a process that did not run for an hour; one that is
/// set back is ignored until it is there again.
#[test]
fn a_step_of_one_clock_convicts_nobody() {
    for by in [Step::Forward(3_600 * SECOND), Step::Back(5 * SECOND)] {
        let mut world = joined(20, 8);
        let before = world.clock(3);
        let found = convictions(&mut world, |world| {
            world.perform(Deed::ClockStep { member: 3, by });
            world.run_for(60 * SECOND);
        });
        assert!(found.is_empty(), "{by:?}: {found:?}");
        let passed = world.clock(3).since(before);
        match by {
            Step::Forward(by) => assert_eq!(passed, by + 60 * SECOND),
            Step::Back(by) => assert_eq!(passed, 60 * SECOND - by),
        }
    }
}

#[test]
fn a_fast_clock_has_more_periods() {
    let mut world = joined(10, 9);
    let gained_ppm = 500_000;
    world.perform(Deed::ClockRate {
        member: 3,
        gained_ppm,
    });
    let periods = |world: &auscult_sim::World, place| -> u64 {
        world.member(place).counters().wakes(Wake::Period)
    };
    let before = [3, 4].map(|place| periods(&world, place));
    world.run_for(100 * SECOND);
    let [fast, right] = [3, 4].map(|place| periods(&world, place));
    assert!((148..=151).contains(&(fast - before[0])), "{fast}");
    assert!((99..=101).contains(&(right - before[1])), "{right}");
}
