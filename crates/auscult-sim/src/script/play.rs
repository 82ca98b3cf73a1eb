//! Plays a story: members come to know each other, then its deeds are done at their moments, its
//! expectations are looked at, and all that is said is told.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use auscult_core::swim::EventKind;
use auscult_core::time::Instant;

use super::expect::Heard;
use super::tell::sentence;
use super::write::{deed_text, moment_text};
use super::{Expectation, Script, Show, What};
use crate::checker::{Checker, Finding};
use crate::machine::{Birth, Machine};
use crate::member::Traffic;
use crate::observation::{Interest, Observation, Observed};
use crate::world::{Wire, World, WorldConfig};

/// A story that was played.
#[derive(Debug)]
pub struct Played {
    /// What happened and what was said, a line each; times are those of the story.
    pub trace: String,
    /// What became of each expectation, in the order in which it was settled.
    pub outcomes: Vec<Outcome>,
    /// What checkers found.
    pub findings: Vec<Finding>,
    /// What was counted, the members' coming together included.
    pub traffic: Traffic,
    /// How much virtual time passed, the members' coming together included.
    pub span: Duration,
    /// Members that said of another one that it failed, counted for each pair each time.
    pub verdicts: usize,
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When it was settled, after the beginning of the story.
    pub at: Duration,
    /// The expectation, as it stands in the script.
    pub text: String,
    /// What was not as expected, in a sentence; `None` if all was.
    pub refuted: Option<String>,
}

impl Played {
    /// Whether all was as expected, and checkers found nothing.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.is_empty() && self.outcomes.iter().all(|one| one.refuted.is_none())
    }
}

impl Script {
    /// Plays the story with the machine as it is in production.
    #[must_use]
    pub fn play(&self, wire: Wire, checkers: Vec<Box<dyn Checker>>) -> Played {
        self.play_with(wire, checkers, |birth| Box::new(birth.swim()))
    }

    /// Plays the story with other machines.
    #[must_use]
    pub fn play_with(
        &self,
        wire: Wire,
        checkers: Vec<Box<dyn Checker>>,
        make: impl FnMut(Birth) -> Box<dyn Machine> + 'static,
    ) -> Played {
        let config = WorldConfig {
            params: self.params(None),
            seed: self.seed,
            net: self.net.clone(),
            wire,
        };
        let world = World::with_machines(config, make);
        let mut player = Player {
            script: self,
            world,
            began: Instant::ORIGIN,
            heard: Heard::default(),
            pending: VecDeque::new(),
            outcomes: Vec::new(),
            checkers,
            trace: String::new(),
        };
        player.gather();
        player.go_through();
        let checkers = player.checkers.iter_mut();
        let findings = checkers.flat_map(|checker| checker.finish(&player.world));
        Played {
            findings: findings.collect(),
            trace: player.trace,
            outcomes: player.outcomes,
            traffic: player.world.traffic(),
            span: player.world.now().since(Instant::ORIGIN),
            verdicts: player.heard.verdicts.len(),
        }
    }
}

struct Player<'s> {
    script: &'s Script,
    world: World,
    /// When the story began.
    began: Instant,
    heard: Heard,
    /// Expectations that may still come true, and until when.
    pending: VecDeque<(Instant, Instant, &'s Expectation)>,
    outcomes: Vec<Outcome>,
    checkers: Vec<Box<dyn Checker>>,
    trace: String,
}

/// How often an expectation that may take its time is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// Members that do not agree after this time begin the story all the same, and the trace shows it.
const GATHERING_MAX: Duration = Duration::from_secs(120);
/// Then all news of the joins has been told.
const CALM: Duration = Duration::from_secs(10);

/// A hundred members that join at one moment are not told one by one.
const DEEDS_TOLD_MAX: usize = 10;

impl<'s> Player<'s> {
    /// All members of a group join through its first one, and come to know each other.
    fn gather(&mut self) {
        let interests = self.checkers.iter().map(|checker| checker.interest());
        let interest = interests.fold(Interest::EVENTS | Interest::DEEDS, |all, one| all | one);
        self.world.listen(interest);
        for group in &self.script.groups {
            let first = self.world.len();
            for index in 0..group.count {
                let name = format!("{}{index}", group.prefix);
                let params = self.script.params(group.label.as_ref());
                let place = self.world.add_with(&name, params);
                if place > first {
                    self.world.join(place, &[first]);
                }
            }
        }
        let limit = self.world.now().after(GATHERING_MAX);
        while !self.world.agreed() && self.world.now() < limit {
            self.pass(self.world.now().after(GLANCE));
        }
        self.pass(self.world.now().after(CALM));
        // A whole second, so that the moments of the story are easy to read in other traces.
        let nanos = self.world.now().as_nanos();
        self.pass(Instant::from_nanos(nanos.next_multiple_of(1_000_000_000)));
        self.began = self.world.now();
        self.heard = Heard::default();
        self.trace.clear();
    }

    fn go_through(&mut self) {
        for moment in self.script.steps.chunk_by(|one, next| one.at == next.at) {
            self.pass_until(self.began.after(moment[0].at));
            let told = match moment.len() {
                few if few <= DEEDS_TOLD_MAX => few,
                _ => DEEDS_TOLD_MAX / 2,
            };
            for (index, step) in moment.iter().enumerate() {
                match &step.what {
                    What::Deed(deed) => {
                        if index < told {
                            let names = &self.script.names;
                            let text = deed_text(names, self.world.len(), deed);
                            self.tell(&format!("* {text}"));
                        } else if index == told {
                            self.tell(&format!("* and {} more", moment.len() - told));
                        }
                        self.world.perform(deed.clone());
                        self.hear();
                    }
                    What::Expect(expectation) => self.expect(expectation),
                }
            }
        }
        self.pass_until(self.began.after(self.script.length));
    }

    fn expect(&mut self, expectation: &'s Expectation) {
        let now = self.world.now();
        let within = expectation.within.unwrap_or(Duration::ZERO);
        let until = now.after(within);
        self.pending.push_back((now, until, expectation));
        self.glance();
    }

    /// Lets time pass, and looks at what is expected now and then.
    fn pass_until(&mut self, until: Instant) {
        while !self.pending.is_empty() && self.world.now() < until {
            let nanos = self.world.now().as_nanos() + 1;
            let glance = Instant::from_nanos(nanos.next_multiple_of(GLANCE.as_nanos() as u64));
            self.pass(glance.min(until));
            self.glance();
        }
        self.pass(until);
    }

    fn pass(&mut self, until: Instant) {
        self.hear();
        while self.world.step(until) {
            self.hear();
        }
        self.world.run_until(until);
    }

    /// Settles what has come true, or is overdue.
    fn glance(&mut self) {
        for _ in 0..self.pending.len() {
            let Some((since, until, expectation)) = self.pending.pop_front() else {
                return;
            };
            let now = self.world.now();
            let names = &self.script.names;
            let refuted = expectation.claim.refute(&self.world, names, &self.heard);
            if refuted.is_some() && now < until {
                self.pending.push_back((since, until, expectation));
                continue;
            }
            let text = expectation.text(names);
            let result = match (&refuted, expectation.within) {
                (Some(why), _) => format!("NO, {why}"),
                (None, Some(_)) => format!("yes, after {}", moment_text(now.since(since))),
                (None, None) => "yes".into(),
            };
            self.tell(&format!("? {text}: {result}"));
            self.outcomes.push(Outcome {
                at: now.since(self.began),
                text,
                refuted,
            });
        }
    }

    /// Takes all that was observed.
    fn hear(&mut self) {
        while let Some(observation) = self.world.poll_observation() {
            for checker in &mut self.checkers {
                if checker.interest().has(observation.kind.interest()) {
                    checker.observe(&self.world, &observation);
                }
            }
            self.remember(&observation);
            let names = &self.script.names;
            if let Some((who, text)) = sentence(&self.world, names, &observation.kind)
                && self.is_shown(who)
            {
                let who = names.of(who);
                self.tell(&format!("{who}: {text}"));
            }
        }
    }

    fn remember(&mut self, observation: &Observation) {
        if let Observed::Event { observer, event } = &observation.kind
            && let EventKind::Failed { .. } = event.kind
            && let Some(of) = self.world.place_of(&event.member)
        {
            self.heard.verdicts.push((*observer, of));
        }
        if let Observed::Broadcast {
            member, payload, ..
        } = &observation.kind
        {
            let said = String::from_utf8_lossy(payload).into_owned();
            self.heard.told.push((*member, said));
        }
    }

    fn is_shown(&self, place: usize) -> bool {
        match &self.script.show {
            Show::All => true,
            Show::Only(places) => places.has(place),
        }
    }

    fn tell(&mut self, text: &str) {
        let at = moment_text(self.world.now().since(self.began));
        // Writing to a String cannot fail.
        let _ = writeln!(self.trace, "{at:>9} {text}");
    }
}
