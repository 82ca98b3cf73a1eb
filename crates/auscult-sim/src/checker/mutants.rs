//! Machines that were broken on purpose, one for each checker, and the proof that it notices.

use std::collections::VecDeque;
use std::time::Duration;

use auscult_core::swim::{
    Answer, Body, Claim, EventKind, Input, Label, MemberId, MemberName, Output, Packet, Params,
    Record, Request, State, Swim, Update, Wake,
};
use auscult_core::time::Instant;

use super::{Checker, Finding, all};
use crate::machine::{Birth, Machine};
use crate::observation::Interest;
use crate::ways::{Rule, Who};
use crate::world::{World, WorldConfig};

/// What a mutant does to what goes in and comes out. By default nothing.
trait Tamper {
    /// Changes a packet that arrives; `None` if it does not hear it.
    fn hear(&mut self, _: &Swim, packet: Packet) -> Option<Packet> {
        Some(packet)
    }

    /// Changes what comes over a stream.
    fn read(&mut self, _: &Swim, _: &mut Vec<Record>) {}

    /// Says something, and perhaps more.
    fn say(&mut self, swim: &Swim, output: Output, said: &mut VecDeque<Output>);
}

struct Mutant {
    swim: Swim,
    tamper: Box<dyn Tamper>,
    said: VecDeque<Output>,
}

impl Machine for Mutant {
    fn handle(&mut self, now: Instant, input: Input<'_>) {
        let tampered = match input {
            Input::Packet { from, packet } => match self.tamper.hear(&self.swim, packet) {
                Some(packet) => Input::Packet { from, packet },
                None => Input::Tick,
            },
            Input::Request {
                from,
                ticket,
                mut request,
            } => {
                let mut asker = Vec::new();
                if let Request::Push { records, .. } = &mut request {
                    self.tamper.read(&self.swim, records);
                } else if let Request::Sync { from, .. } = &request {
                    asker.push(Record::clone(from));
                    self.tamper.read(&self.swim, &mut asker);
                }
                if asker.is_empty() && matches!(request, Request::Sync { .. }) {
                    Input::Tick
                } else {
                    Input::Request {
                        from,
                        ticket,
                        request,
                    }
                }
            }
            Input::Answered {
                exchange,
                mut answer,
            } => {
                if let Answer::Records { records, .. } = &mut answer {
                    self.tamper.read(&self.swim, records);
                }
                Input::Answered { exchange, answer }
            }
            other @ (Input::Tick
            | Input::Failed { .. }
            | Input::Join { .. }
            | Input::Leave
            | Input::Moved { .. }) => other,
        };
        self.swim.handle(now, tampered);
    }

    fn poll_output(&mut self) -> Option<Output> {
        if self.said.is_empty()
            && let Some(output) = self.swim.poll_output()
        {
            self.tamper.say(&self.swim, output, &mut self.said);
        }
        self.said.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.swim.poll_timeout()
    }

    fn swim(&self) -> &Swim {
        &self.swim
    }

    fn swim_mut(&mut self) -> &mut Swim {
        &mut self.swim
    }
}

/// Twelve members live through a crash and a partition; one of them is a mutant, if one is given.
fn story(mutant: Option<fn() -> Box<dyn Tamper>>) -> Vec<Finding> {
    let params = Params::lan(Label::new("mutants").unwrap());
    let config = WorldConfig::new(params.clone(), 1);
    let mut world = World::with_machines(config, move |birth: Birth| match mutant {
        Some(make) if birth.place == MUTANT => Box::new(Mutant {
            tamper: make(),
            said: VecDeque::new(),
            swim: birth.swim(),
        }),
        Some(_) | None => Box::new(birth.swim()),
    });
    let mut checkers = all();
    let interests = checkers.iter().map(|checker| checker.interest());
    world.listen(interests.fold(Interest::NONE, |sum, one| sum | one));
    world.add_many(12);
    pass(&mut world, 30, &mut checkers);
    world.crash(5);
    pass(&mut world, 60, &mut checkers);
    let sides = [0..4, 4..12].map(Who::these);
    world.impose(Rule::partition(sides.into()));
    pass(&mut world, 60, &mut checkers);
    world.heal();
    let bound = super::agreement::bound(&params, 11, 1);
    pass(&mut world, bound.as_secs() + 1, &mut checkers);
    let findings = checkers.iter_mut().flat_map(|one| one.finish(&world));
    findings.collect()
}

fn pass(world: &mut World, seconds: u64, checkers: &mut [Box<dyn Checker>]) {
    world.run_checked(world.now().after(Duration::from_secs(seconds)), checkers);
}

const MUTANT: usize = 3;

fn is_caught_by(checker: &str, mutant: fn() -> Box<dyn Tamper>) {
    let findings = story(Some(mutant));
    assert!(
        findings.iter().any(|finding| finding.property == checker),
        "{findings:?}"
    );
}

#[test]
fn the_machine_as_it_is_is_not_blamed() {
    assert_eq!(story(None), []);
}

/// Says of everyone whom it convicted that it is back.
struct TakesBack;

impl Tamper for TakesBack {
    fn say(&mut self, swim: &Swim, output: Output, said: &mut VecDeque<Output>) {
        said.push_back(output.clone());
        if let Output::Event(mut event) = output
            && let EventKind::Failed { accusation, .. } = &event.kind
        {
            event.kind = EventKind::Joined {
                address: swim.me().address(),
                incarnation: accusation.incarnation,
                before: Some(State::Dead),
            };
            said.push_back(Output::Event(event));
        }
    }
}

#[test]
fn who_brings_back_the_dead_is_caught() {
    is_caught_by("no_resurrection", || Box::new(TakesBack));
}

/// Contradicts for others, as it means well.
struct SpeaksForOthers;

impl Tamper for SpeaksForOthers {
    fn say(&mut self, swim: &Swim, mut output: Output, said: &mut VecDeque<Output>) {
        if let Output::Send { packet, .. } = &mut output {
            for update in &mut packet.updates {
                if let Update::Suspect {
                    member,
                    incarnation,
                    ..
                } = update
                    && let Some(view) = swim.member_by_id(*member)
                {
                    *update = Update::Alive {
                        name: view.name().clone(),
                        address: view.address(),
                        incarnation: incarnation.next(),
                    };
                }
            }
        }
        said.push_back(output);
    }
}

#[test]
fn who_contradicts_for_others_is_caught() {
    is_caught_by("incarnations", || Box::new(SpeaksForOthers));
}

/// Who died once is dead for it.
struct Unforgiving;

impl Unforgiving {
    fn is_dead(swim: &Swim, member: MemberId) -> bool {
        let view = swim.member_by_id(member);
        view.is_some_and(|view| view.state() == State::Dead)
    }
}

impl Tamper for Unforgiving {
    fn hear(&mut self, swim: &Swim, mut packet: Packet) -> Option<Packet> {
        packet
            .updates
            .retain(|update| !Self::is_dead(swim, update.member()));
        Some(packet)
    }

    fn read(&mut self, swim: &Swim, records: &mut Vec<Record>) {
        records.retain(|record| !Self::is_dead(swim, record.name.id()));
    }

    fn say(&mut self, _: &Swim, output: Output, said: &mut VecDeque<Output>) {
        said.push_back(output);
    }
}

#[test]
fn who_takes_nobody_back_is_caught() {
    is_caught_by("agreement", || Box::new(Unforgiving));
}

/// Once it knows another member, it does not hear it any more, nor that it is well.
struct DeafToOne;

impl DeafToOne {
    fn is_other(swim: &Swim, member: MemberId) -> bool {
        swim.member("m1").is_some_and(|view| view.id() == member)
    }
}

impl Tamper for DeafToOne {
    fn hear(&mut self, swim: &Swim, mut packet: Packet) -> Option<Packet> {
        packet.updates.retain(|update| {
            update.claim().state != State::Alive || !Self::is_other(swim, update.member())
        });
        let relayed = matches!(packet.body, Body::Relayed { .. });
        (!Self::is_other(swim, packet.from) && !relayed).then_some(packet)
    }

    fn read(&mut self, swim: &Swim, records: &mut Vec<Record>) {
        records.retain(|record| !Self::is_other(swim, record.name.id()));
    }

    fn say(&mut self, _: &Swim, output: Output, said: &mut VecDeque<Output>) {
        // Neither does it ask over streams.
        let asks = matches!(
            output,
            Output::Ask {
                request: Request::Ping { .. },
                ..
            }
        );
        if !asks {
            said.push_back(output);
        }
    }
}

#[test]
fn who_convicts_a_member_that_is_well_is_caught() {
    is_caught_by("no_false_conviction", || Box::new(DeafToOne));
}

/// Tells everyone of members that never were.
#[derive(Default)]
struct Inventor(u64);

impl Tamper for Inventor {
    fn say(&mut self, swim: &Swim, mut output: Output, said: &mut VecDeque<Output>) {
        if let Output::Send { packet, .. } = &mut output
            && self.0 < 30
        {
            self.0 += 1;
            packet.updates.push(Update::Alive {
                name: MemberName::new(&format!("ghost-{}", self.0)).unwrap(),
                address: swim.me().address(),
                incarnation: swim.me().incarnation(),
            });
        }
        said.push_back(output);
    }
}

#[test]
fn who_invents_members_is_caught() {
    is_caught_by("bounded_memory", || Box::<Inventor>::default());
}

/// Says everything twice.
struct Stutterer;

impl Tamper for Stutterer {
    fn say(&mut self, _: &Swim, output: Output, said: &mut VecDeque<Output>) {
        if let Output::Send { .. } = output {
            said.push_back(output.clone());
        }
        said.push_back(output);
    }
}

#[test]
fn who_says_everything_twice_is_caught() {
    is_caught_by("bounded_messages", || Box::new(Stutterer));
}

/// Says of the dead that they left.
struct Euphemist;

impl Tamper for Euphemist {
    fn say(&mut self, _: &Swim, mut output: Output, said: &mut VecDeque<Output>) {
        if let Output::Send { packet, .. } = &mut output {
            for update in &mut packet.updates {
                let Claim { incarnation, state } = update.claim();
                let member = update.member();
                if state == State::Dead {
                    *update = Update::Left {
                        member,
                        incarnation,
                    };
                }
            }
        }
        said.push_back(output);
    }
}

#[test]
fn who_says_that_the_dead_have_left_is_caught() {
    is_caught_by("life_story", || Box::new(Euphemist));
}
