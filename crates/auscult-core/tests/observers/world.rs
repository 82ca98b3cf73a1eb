//! The world: monitors, links between them, targets, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use auscult_core::id::TargetId;
use auscult_core::monitor::Status;
use auscult_core::monitor::observers::{
    Batch, Liveness, MonitorName, Observers, ObserversConfig, Output, Reply, Ruling, Seat, Seen,
    Teller, Verdict,
};
use auscult_core::time::Instant;

/// One step of the world.
pub(crate) const STEP: Duration = Duration::from_millis(100);

/// Steps until the agent calls a monitor gone that is not heard.
const GONE_AFTER: u32 = 25;

/// Steps after which a message without an answer is lost.
const PATIENCE: u32 = 10;

/// A deliberate fault in what surrounds the machine, or in how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// What is told is told twice.
    TellsTwice,
    /// The answers of others are not waited for: an announcement counts as taken at once.
    TellsWhatItAnnounces,
    /// One observer decides alone.
    AsksOnlyOne,
    /// Some of what is told to others never gets there, and nobody notices.
    LosesItems,
    /// Some of what is to be told is not.
    ForgetsToTell,
    /// What was told is told again later.
    TellsOldAgain,
}

/// What a monitor said to the world.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) monitor: usize,
    pub(crate) life: u32,
    pub(crate) target: TargetId,
    pub(crate) ruling: Ruling,
    pub(crate) teller: Teller,
}

pub(crate) struct Monitor {
    pub(crate) machine: Observers,
    pub(crate) runs: Runs,
    life: u32,
    /// Steps since each other one was heard, as its agent counts.
    unheard: Vec<u32>,
    /// What it sees of each target, and since how many steps the truth differs.
    sees: BTreeMap<TargetId, (Status, u32)>,
    /// To whom a message is on its way, and for how long.
    waits: BTreeMap<usize, u32>,
    pub(crate) said: Vec<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    Yes,
    /// Stopped; goes on where it was.
    Paused,
    /// Gone; begins anew.
    Crashed,
}

enum Letter {
    Batch(Batch),
    Reply(Reply),
}

struct Mail {
    due: u64,
    from: usize,
    to: usize,
    life: u32,
    letter: Letter,
}

pub(crate) struct World {
    pub(crate) monitors: Vec<Monitor>,
    pub(crate) targets: Vec<TargetId>,
    pub(crate) log: Vec<Line>,
    /// Targets that most monitors can reach in every moment.
    pub(crate) always_reached: BTreeSet<TargetId>,
    /// Who cannot reach which target.
    hidden: BTreeSet<(usize, TargetId)>,
    /// One-way links that carry nothing.
    cut: BTreeSet<(usize, usize)>,
    /// Who is cut off from its targets, too.
    blind: Option<usize>,
    pub(crate) loss_percent: u64,
    mail: Vec<Mail>,
    step: u64,
    random: u64,
    mutant: Option<Mutant>,
    config: ObserversConfig,
}

impl World {
    pub(crate) fn new(monitors: usize, targets: usize, seed: u64) -> Self {
        Self::observed_by(3, monitors, targets, seed)
    }

    fn observed_by(observers: usize, monitors: usize, targets: usize, seed: u64) -> Self {
        let config = ObserversConfig {
            observers,
            // One target that only one observer misses is no proof against the observer.
            isolated_targets_min: targets.max(3),
            ..ObserversConfig::server()
        };
        let targets = (0..targets).map(|n| TargetId::new(&format!("t{n}")).expect("a name"));
        let mut world = Self {
            monitors: Vec::new(),
            targets: targets.collect(),
            log: Vec::new(),
            always_reached: BTreeSet::new(),
            hidden: BTreeSet::new(),
            cut: BTreeSet::new(),
            blind: None,
            loss_percent: 0,
            mail: Vec::new(),
            step: 0,
            random: seed,
            mutant: None,
            config,
        };
        for slot in 0..monitors {
            let monitor = world.born(slot, monitors, 0);
            world.monitors.push(monitor);
        }
        world
    }

    pub(crate) fn random(seed: u64, mutant: Option<Mutant>) -> Self {
        let monitors = 3 + 2 * (seed as usize % 2);
        let observers = match seed % 3 {
            _ if mutant == Some(Mutant::AsksOnlyOne) => 1,
            0 => monitors,
            _ => 3,
        };
        let mut world = Self::observed_by(observers, monitors, 4, seed);
        world.mutant = mutant;
        // Two that nothing ever happens to, two that come and go.
        world.always_reached = world.targets[..2].iter().cloned().collect();
        world
    }

    fn born(&self, slot: usize, monitors: usize, life: u32) -> Monitor {
        let name = MonitorName::new(&format!("m{}", slot + 1)).expect("a name");
        // Their wall clocks differ.
        let epoch = 1_000_000 + 700 * slot as u64;
        let mut machine = Observers::new(self.config.clone(), name, epoch, self.now());
        for target in &self.targets {
            machine.watch(self.now(), target, None);
        }
        Monitor {
            machine,
            runs: Runs::Yes,
            life,
            unheard: vec![0; monitors],
            sees: BTreeMap::new(),
            waits: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_secs(1).after(STEP * u32::try_from(self.step).expect("a short history"))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.random;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ value >> 31) % bound
    }

    /// One fault at a time, for two minutes.
    pub(crate) fn trouble(&mut self) {
        self.loss_percent = self.below(3) * 10;
        self.run(Duration::from_secs(5));
        for _ in 0..6 {
            self.change_targets();
            let victim = self.below(self.monitors.len() as u64) as usize;
            let fault = self.below(4);
            match fault {
                0 => self.monitors[victim].runs = Runs::Crashed,
                1 => self.monitors[victim].runs = Runs::Paused,
                2 => self.isolate(victim),
                _ => self.cut_one_link(victim),
            }
            for _ in 0..3 {
                let span = Duration::from_millis(500 + 100 * self.below(30));
                self.run(span);
                self.change_targets();
            }
            let span = Duration::from_millis(100 * self.below(80));
            self.run(span);
            self.end_faults();
            let span = Duration::from_millis(8_000 + 100 * self.below(80));
            self.run(span);
        }
    }

    fn change_targets(&mut self) {
        let come_and_go: Vec<TargetId> = self.targets.iter().skip(2).cloned().collect();
        for target in come_and_go {
            let who_cannot = self.below(8);
            for slot in 0..self.monitors.len() {
                let hidden = match who_cannot {
                    0..=3 => false,
                    4..=6 => true,
                    _ => slot == 0,
                };
                self.hide(slot, &target, hidden);
            }
        }
        // The first is never down, but one and the same monitor may lose sight of it.
        let first = self.targets[0].clone();
        let loses = self.below(3) == 0;
        self.hide(0, &first, loses);
    }

    fn hide(&mut self, slot: usize, target: &TargetId, hidden: bool) {
        if hidden {
            self.hidden.insert((slot, target.clone()));
        } else {
            self.hidden.remove(&(slot, target.clone()));
        }
    }

    pub(crate) fn hide_from(&mut self, slots: &[usize], target: usize) {
        let target = self.targets[target].clone();
        for &slot in slots {
            self.hide(slot, &target, true);
        }
    }

    /// Cuts a monitor off from everything, its targets included.
    pub(crate) fn isolate(&mut self, slot: usize) {
        for other in 0..self.monitors.len() {
            if other != slot {
                self.cut.insert((slot, other));
                self.cut.insert((other, slot));
            }
        }
        self.blind = Some(slot);
        for target in self.targets.clone() {
            // The first has somebody else who may not see it.
            if target != self.targets[0] || self.always_reached.is_empty() {
                self.hide(slot, &target, true);
            }
        }
    }

    fn cut_one_link(&mut self, slot: usize) {
        let other = (slot + 1) % self.monitors.len();
        self.cut.insert((slot, other));
    }

    pub(crate) fn end_faults(&mut self) {
        self.cut.clear();
        if let Some(blind) = self.blind.take() {
            let hidden: Vec<TargetId> = self.targets.iter().skip(1).cloned().collect();
            for target in hidden {
                self.hide(blind, &target, false);
            }
            if self.always_reached.is_empty() {
                let first = self.targets[0].clone();
                self.hide(blind, &first, false);
            }
        }
        for slot in 0..self.monitors.len() {
            match self.monitors[slot].runs {
                Runs::Yes => {}
                Runs::Paused => self.monitors[slot].runs = Runs::Yes,
                Runs::Crashed => {
                    let life = self.monitors[slot].life + 1;
                    self.monitors[slot] = self.born(slot, self.monitors.len(), life);
                }
            }
        }
    }

    /// Ends all faults, and waits until all must agree.
    pub(crate) fn heal(&mut self) {
        self.loss_percent = 0;
        self.end_faults();
        self.run(Duration::from_secs(30));
    }

    pub(crate) fn run(&mut self, span: Duration) {
        for _ in 0..span.as_nanos() / STEP.as_nanos() {
            self.step();
        }
    }

    fn step(&mut self) {
        self.step += 1;
        for slot in 0..self.monitors.len() {
            if self.monitors[slot].runs == Runs::Yes {
                self.look(slot);
                self.count_heard(slot);
                let now = self.now();
                self.monitors[slot].machine.tick(now);
                self.send(slot);
            }
        }
        self.deliver();
        for slot in 0..self.monitors.len() {
            self.listen(slot);
        }
    }

    /// A monitor sees the truth a second after it changed, give or take, of what it observes. What
    /// others observe it does not look at, and what it takes over it begins to look at.
    fn look(&mut self, slot: usize) {
        let now = self.now();
        let machine = &self.monitors[slot].machine;
        let lineup = machine.lineup();
        let looks_at_all = machine.is_isolated() || !machine.has_company();
        for target in self.targets.clone() {
            if !looks_at_all && lineup.rank(&target).is_none() {
                let monitor = &mut self.monitors[slot];
                if monitor.sees.remove(&target).is_some() {
                    monitor.machine.see(now, &target, None);
                }
                continue;
            }
            let truth = match self.hidden.contains(&(slot, target.clone())) {
                true => Status::Down,
                false => Status::Up,
            };
            let delay = 6 + self.below(8) as u32;
            let monitor = &mut self.monitors[slot];
            let sees = monitor.sees.entry(target.clone());
            let (status, steps) = sees.or_insert((Status::Unknown, 0));
            if *status == truth {
                *steps = 0;
                continue;
            }
            *steps += 1;
            if *steps < delay {
                continue;
            }
            (*status, *steps) = (truth, 0);
            let seen = Seen {
                status: truth,
                level: 0.0,
                since: now,
                why: "so it is".into(),
            };
            monitor.machine.see(now, &target, Some(seen));
        }
    }

    /// What the agent knows of the others.
    fn count_heard(&mut self, slot: usize) {
        let now = self.now();
        let mut seats = Vec::new();
        for other in 0..self.monitors.len() {
            let heard =
                self.monitors[other].runs == Runs::Yes && !self.cut.contains(&(other, slot));
            let name = self.monitors[other].machine.me().clone();
            let unheard = &mut self.monitors[slot].unheard[other];
            *unheard = if heard { 0 } else { *unheard + 1 };
            let liveness = match *unheard < GONE_AFTER || other == slot {
                true => Liveness::Live,
                false => Liveness::Gone,
            };
            seats.push(Seat { name, liveness });
        }
        self.monitors[slot].machine.set_roster(now, &seats);
    }

    fn send(&mut self, slot: usize) {
        let now = self.now();
        for other in 0..self.monitors.len() {
            if other == slot {
                continue;
            }
            let to = self.monitors[other].machine.me().clone();
            if let Some(waits) = self.monitors[slot].waits.get_mut(&other) {
                *waits += 1;
                if *waits > PATIENCE {
                    self.monitors[slot].waits.remove(&other);
                    self.monitors[slot].machine.lose_batch(now, &to);
                }
                continue;
            }
            let Some(mut batch) = self.monitors[slot].machine.poll_batch(now, &to) else {
                continue;
            };
            if self.mutant == Some(Mutant::LosesItems) && self.below(3) == 0 {
                batch.items.clear();
            }
            if self.mutant == Some(Mutant::TellsWhatItAnnounces) {
                let taken = Reply::Taken { refused: vec![] };
                self.monitors[slot].machine.take_reply(now, &to, taken);
            } else {
                self.monitors[slot].waits.insert(other, 0);
            }
            self.post(slot, other, Letter::Batch(batch));
        }
    }

    fn post(&mut self, from: usize, to: usize, letter: Letter) {
        if self.cut.contains(&(from, to)) || self.below(100) < self.loss_percent {
            return;
        }
        let due = self.step + self.below(3);
        // An answer is for the process that asked.
        let life = self.monitors[to].life;
        self.mail.push(Mail {
            due,
            from,
            to,
            life,
            letter,
        });
    }

    fn deliver(&mut self) {
        let now = self.now();
        let (due, later) = std::mem::take(&mut self.mail)
            .into_iter()
            .partition(|mail| mail.due <= self.step && self.monitors[mail.to].runs != Runs::Paused);
        self.mail = later;
        let due: Vec<Mail> = due;
        for mail in due {
            let from = self.monitors[mail.from].machine.me().clone();
            let receiver = &mut self.monitors[mail.to];
            if receiver.runs != Runs::Yes || receiver.life != mail.life {
                continue;
            }
            match mail.letter {
                Letter::Batch(batch) => {
                    let reply = receiver.machine.take_batch(now, &from, batch);
                    self.post(mail.to, mail.from, Letter::Reply(reply));
                }
                Letter::Reply(reply) => {
                    if receiver.waits.remove(&mail.from).is_some() {
                        receiver.machine.take_reply(now, &from, reply);
                    }
                }
            }
        }
    }

    fn listen(&mut self, slot: usize) {
        while let Some(output) = self.monitors[slot].machine.poll_output() {
            if let Output::Told {
                target,
                ruling,
                teller,
            } = output.clone()
            {
                let line = Line {
                    at: self.now(),
                    monitor: slot,
                    life: self.monitors[slot].life,
                    target,
                    ruling,
                    teller,
                };
                self.write(line);
            }
            self.monitors[slot].said.push(output);
        }
    }

    fn write(&mut self, line: Line) {
        let seldom = self.mutant.is_some() && self.below(10) == 0;
        match self.mutant {
            Some(Mutant::TellsTwice) => self.log.push(line.clone()),
            Some(Mutant::TellsOldAgain) if seldom => {
                let again = self.log.first().cloned();
                self.log.extend(again);
            }
            Some(Mutant::ForgetsToTell) if seldom => return,
            Some(_) | None => {}
        }
        self.log.push(line);
    }

    /// What the verdict on a target must be in the end.
    pub(crate) fn truth(&self, target: &TargetId) -> Verdict {
        let observers = self.monitors[0].machine.view(target);
        let observers = observers.map(|view| view.observers).unwrap_or_default();
        let down = observers.iter().filter(|observer| {
            let slot = self
                .monitors
                .iter()
                .position(|monitor| *monitor.machine.me() == observer.monitor);
            slot.is_some_and(|slot| self.hidden.contains(&(slot, target.clone())))
        });
        let down = down.count();
        match down {
            0 => Verdict::Up,
            _ if down * 2 > observers.len() => Verdict::Down,
            _ => Verdict::PartiallyReachable,
        }
    }

    /// The whole history, for people and to be compared.
    pub(crate) fn story(&self) -> String {
        let mut text = String::new();
        for line in &self.log {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{} m{} {:?} {} {}",
                line.at,
                line.monitor + 1,
                line.teller,
                line.ruling.key(&line.target),
                line.ruling.text
            );
        }
        text
    }
}
