//! Several logs that hear the same peers: a metric fails where none of them heard of it.

use std::time::Duration;

use auscult_core::peer_metric::{
    ASK_PATIENCE, Company, Input, MetricLogParams, MetricRule, Reading, Sender,
};
use auscult_core::time::Instant;
use proptest::prelude::*;

use crate::shell::{Shell, metric, ms, peer, ping};

/// Monitors that hear a peer, and ask each other.
struct World {
    monitors: Vec<Shell>,
    /// Who takes no letters.
    dead: Option<usize>,
    /// Questions on their way: when each arrives, whose it is, and of what.
    questions: Vec<(Instant, usize)>,
}

const GRACE: u64 = 2_000;
const DELAY: Duration = Duration::from_millis(20);

impl World {
    fn new(company: Company) -> Self {
        let grace = Some(Duration::from_millis(GRACE));
        let rule = MetricRule {
            grace,
            ..MetricRule::new()
        };
        let monitor = || {
            let mut shell = Shell::new(MetricLogParams {
                metrics: [(metric("ping"), rule)].into(),
                ..MetricLogParams::new()
            });
            shell.handle(Input::Company(company));
            shell.peers(&["a"]);
            shell
        };
        Self {
            monitors: (0..3).map(|_| monitor()).collect(),
            dead: None,
            questions: Vec::new(),
        }
    }

    fn run_to(&mut self, until: u64) {
        let mut now = self.monitors[0].now.as_nanos() / 1_000_000;
        while now < until {
            now += 1;
            for index in 0..self.monitors.len() {
                self.monitors[index].run_to(ms(now));
                self.note_questions(index);
            }
            self.answer(ms(now));
        }
    }

    fn note_questions(&mut self, of: usize) {
        let shell = &mut self.monitors[of];
        for _ in shell.asked.drain(..) {
            self.questions.push((shell.now.after(DELAY), of));
        }
    }

    /// The others say what they have, and that is all, unless one of them is dead.
    fn answer(&mut self, now: Instant) {
        let (due, later) = self.questions.drain(..).partition(|&(at, _)| at <= now);
        self.questions = later;
        let due: Vec<(Instant, usize)> = due;
        for (_, asker) in due {
            let view = self.monitors[asker].log.series("ping", "a").unwrap();
            let theirs = view.readings().next().map(|newest| newest.received_at);
            let others = (0..self.monitors.len()).filter(|&it| it != asker);
            let others: Vec<usize> = others.filter(|&it| Some(it) != self.dead).collect();
            for other in &others {
                let log = &self.monitors[*other].log;
                let newer = log.newer_than(now, "ping", "a", theirs).cloned();
                let Some(newer) = newer else { continue };
                let reading = Reading {
                    ttl: newer.ttl,
                    ..ping("a")
                };
                let received_at = newer.received_at;
                if self.monitors[asker].log.may_have(&reading, received_at) {
                    continue;
                }
                self.monitors[asker].handle(Input::Published {
                    sender: Sender::Trusted,
                    received_at,
                    reading,
                });
            }
            if others.len() + 1 == self.monitors.len() {
                let (peer, metric) = (&peer("a"), &metric("ping"));
                self.monitors[asker].handle(Input::Answered { peer, metric });
            }
            self.note_questions(asker);
            self.monitors[asker].log.check_invariants();
        }
    }

    /// The peer publishes; who hears it is in `heard_by`, a bit for each.
    fn publish(&mut self, at: u64, heard_by: u8) {
        self.run_to(at);
        for (index, shell) in self.monitors.iter_mut().enumerate() {
            if heard_by >> index & 1 == 1 {
                let _stale = shell.publish(ping("a"));
            }
        }
    }

    fn said(&self) -> Vec<&str> {
        let said = self.monitors.iter().flat_map(|shell| &shell.said);
        said.map(String::as_str).collect()
    }
}

/// Every 600 ms, each good for a second: to miss one is to miss it by 200 ms.
fn published(world: &mut World, heard: &[u8]) -> u64 {
    let mut at = 0;
    for &heard_by in heard {
        at += 600;
        world.publish(at, heard_by);
    }
    at
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_fails_that_one_of_the_living_hears_of(
        heard in prop::collection::vec(1..8_u8, 2..40),
        is_one_dead: bool,
    ) {
        let mut world = World::new(Company::Others);
        // The dead one hears something that nobody else does, and that is nobody's fault.
        let heard: Vec<u8> = match is_one_dead {
            true => heard.iter().map(|it| it | 1 << (it % 2)).collect(),
            false => heard,
        };
        world.dead = is_one_dead.then_some(2);
        let last = published(&mut world, &heard);
        world.run_to(last + 900);
        let of_living = world.monitors.iter().take(if is_one_dead { 2 } else { 3 });
        let said: Vec<&String> = of_living.flat_map(|shell| &shell.said).collect();
        prop_assert!(said.is_empty(), "{said:?} of {heard:?}");
    }

    #[test]
    fn what_nobody_hears_of_any_more_fails_everywhere_when_the_last_word_is_over(
        heard in prop::collection::vec(1..8_u8, 1..20),
        is_one_dead: bool,
    ) {
        let mut world = World::new(Company::Others);
        let last = published(&mut world, &heard);
        world.dead = is_one_dead.then_some(2);
        let patience = ASK_PATIENCE.as_millis() as u64;
        // It may be asked twice: of a reading that it missed, and of the one that it got instead.
        world.run_to(last + 1_000 + 2 * patience + 100);
        for shell in &world.monitors {
            let fails = shell.log.failing().count();
            prop_assert_eq!(fails, 1, "{:?} of {:?}", &shell.said, &heard);
            // What it says is when it was due, not when the answer came.
            let failed = shell.said.last().unwrap();
            let at: u64 = failed.split(' ').next().unwrap().parse().unwrap();
            let due = (last + 1_000).max(GRACE);
            prop_assert!(at <= due, "{} of {}", failed, last);
        }
    }
}

#[test]
fn alone_a_monitor_fails_what_it_alone_missed_and_among_others_it_does_not() {
    let heard = [0b111, 0b111, 0b011, 0b111];
    let mut alone = World::new(Company::Alone);
    published(&mut alone, &heard);
    assert_eq!(
        alone.said(),
        ["2200 a ping expired", "2400 a ping recovered"]
    );
    let mut among_others = World::new(Company::Others);
    published(&mut among_others, &heard);
    assert!(among_others.said().is_empty(), "{:?}", among_others.said());
    assert_eq!(among_others.monitors[2].log.counters().asked, 1);
}

#[test]
fn the_same_reading_that_came_to_another_one_a_little_later_is_no_news() {
    let mut world = World::new(Company::Others);
    world.publish(1_000, 0b001);
    // The same, on a longer way.
    world.publish(1_200, 0b110);
    world.run_to(2_100);
    assert_eq!(world.said(), ["2000 a ping expired"]);
    let view = world.monitors[0].log.series("ping", "a").unwrap();
    assert_eq!(view.readings().count(), 1);
}

#[test]
fn who_gets_no_answer_fails_it_after_its_patience_and_says_when_it_was_due() {
    let mut world = World::new(Company::Others);
    world.dead = Some(2);
    world.publish(1_000, 0b111);
    world.run_to(2_900);
    assert!(world.monitors[0].said.is_empty());
    world.run_to(3_100);
    assert_eq!(world.monitors[0].said, ["2000 a ping expired"]);
}

#[test]
fn a_peer_that_departs_while_others_are_asked_of_it_is_not_judged() {
    let mut world = World::new(Company::Others);
    world.publish(1_000, 0b111);
    world.run_to(2_010);
    world.monitors[0].peers(&[]);
    world.run_to(9_000);
    assert_eq!(world.monitors[0].said, ["2010 a  departed"]);
    assert_eq!(world.monitors[1].said, ["2000 a ping expired"]);
}
