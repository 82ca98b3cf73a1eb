//! Three monitors of a group that keep the same alerts, of which one tells: owners that crash or
//! are cut off, letters that are lost, receivers that fail.
//!
//! Rulings come from outside, as most of the group would find them: each monitor hears of the
//! newest one after a while, and may miss those between. Who tells of a target is for each monitor
//! what it believes at that moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use auscult_core::alert::{
    AlertConfig, AlertId, AlertKey, AlertParams, Alerts, Change, Concern, Duty, Input, Letter,
    Message, Notice, Observation, Output, Receiver, Record, Rule, Saved, Sent, Subject, Taken,
};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::Status;
use auscult_core::monitor::observers::MonitorName;
use auscult_core::rng::Rng;
use auscult_core::time::Instant;

use crate::drive::{receiver, receiver_name, rule_name, seconds, target};

pub(crate) const MONITORS: usize = 3;
/// The last two are peers, on which nobody rules: each monitor sees for itself.
const TARGETS: usize = 6;
const RULED: usize = 4;
const RECEIVERS: [&str; 2] = ["dev", "ops"];
const STEP: Duration = Duration::from_millis(10);

/// In this time after a notice arrived, who told it may not have told the others that it did.
const WINDOW: Duration = Duration::from_secs(3);

/// So long after a ruling everybody who answers was told of it: whoever was to tell may die, and
/// the next one must find that out.
const PATIENCE: Duration = Duration::from_secs(8);

/// So long one who came back owns nothing.
const RETURN: Duration = Duration::from_secs(3);

/// A property that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Finding {
    /// Everything is down, and somebody was not told.
    LostBeginning,
    /// Everything is well, and somebody was told that it is not, and never that it was over.
    LostEnd,
    /// Somebody was told twice, and whoever told it first was neither dead nor cut off soon after.
    Duplicate,
    /// Something was down or up for long, and somebody who answers was not told meanwhile.
    Late,
    /// Monitors do not agree on what is an alert.
    Disagreement,
    /// Somebody is reminded of what another monitor was told that it is looked after.
    LostAcknowledgement,
}

/// How a world is broken, to see that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Letters are confirmed and not delivered.
    LettersVanish,
    /// Nobody takes over what another one told of.
    NobodyTakesOver,
    /// Everybody tells of everything.
    EverybodyTells,
    /// Verdicts say something only to those who tell of them.
    OthersDoNotListen,
    /// Ends are confirmed and not delivered.
    EndsVanish,
    /// Acknowledgements stay where they were made.
    AcknowledgementsStay,
}

struct Monitor {
    alerts: Alerts,
    disk: BTreeMap<AlertId, Record>,
    up: bool,
    /// Letters do not reach it, and none comes from it.
    cut: bool,
    /// When it died, was cut off, or came back last.
    troubled: Instant,
    /// For each target, the ruling that it heard of, and who tells of it as it believes.
    heard: [u64; TARGETS],
    owners: [Option<usize>; TARGETS],
    starts: u64,
}

/// What is to happen.
enum Due {
    /// A monitor hears the newest ruling.
    Hear(usize, usize),
    /// A monitor notices who lives.
    Notice(usize, [bool; MONITORS]),
    /// A monitor takes over what it noticed to be its own.
    TakeOver(usize),
    Written(usize, u64, u64),
    Arrive(usize, u64, Message),
    Answered(usize, u64, u64, Sent),
    LetterArrives(usize, usize, u64, Letter),
    LetterAnswered(usize, usize, u64, Option<u64>),
    Restart(usize),
    Heal(usize),
    Rule(usize, Status),
    NoticeAll,
}

pub(crate) struct World {
    rng: Rng,
    mutant: Option<Mutant>,
    now: Instant,
    monitors: Vec<Monitor>,
    due: BTreeMap<(Instant, u64), Due>,
    next: u64,
    rulings: [(u64, Status); TARGETS],
    ruled: [Instant; TARGETS],
    failing: BTreeSet<&'static str>,
    /// When one of them changed its mind last.
    turned: Instant,
    /// Who told it first, when, and how often it came.
    arrived: BTreeMap<(String, String), (usize, Instant)>,
    /// In the order in which they came.
    told: BTreeMap<(String, AlertId), Vec<Notice>>,
    excused: BTreeSet<(String, String)>,
    pub(crate) findings: BTreeSet<Finding>,
    pub(crate) notices: u64,
    pub(crate) duplicates: u64,
    pub(crate) troubles: u64,
    /// When monitors changed their minds on who tells of a target.
    moved: [Vec<Instant>; TARGETS],
    /// When each monitor died or was cut off.
    deaths: [Vec<Instant>; MONITORS],
    /// How long a letter takes at most.
    letter_ms: u64,
    calm: bool,
}

fn name(number: usize) -> MonitorName {
    MonitorName::new(&format!("m{number}")).unwrap()
}

fn subject(number: usize) -> Subject {
    match target(&format!("t{number}")) {
        Subject::Target(name) if number >= RULED => Subject::Peer(name),
        subject @ (Subject::Target(_) | Subject::Peer(_)) => subject,
    }
}

fn alert_id(number: usize) -> AlertId {
    AlertId::of(&AlertKey {
        subject: subject(number),
        signal: SignalName::new("http").unwrap(),
        rule: rule_name("down"),
    })
}

fn config() -> AlertConfig {
    let quick = |name| Receiver {
        backoff_max: seconds(2),
        breaker: 3,
        mass: 100,
        ..receiver(name)
    };
    let down = Rule {
        repeat: Some(seconds(40)),
        flapping: None,
        ..Rule::new(
            rule_name("down"),
            RECEIVERS.iter().map(|n| receiver_name(n)).collect(),
        )
    };
    AlertConfig::new(AlertParams {
        rules: vec![down],
        receivers: RECEIVERS.into_iter().map(quick).collect(),
        ..AlertParams::new()
    })
    .unwrap()
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let now = Instant::from_secs(1_000);
        let monitors = (0..MONITORS).map(|number| Monitor {
            alerts: Alerts::new(config(), number as u64, now, Saved::default()),
            disk: BTreeMap::new(),
            up: true,
            cut: false,
            troubled: Instant::ORIGIN,
            heard: [0; TARGETS],
            owners: std::array::from_fn(|target| Some(target % MONITORS)),
            starts: 0,
        });
        let mut world = Self {
            monitors: monitors.collect(),
            rng: Rng::new(seed),
            mutant,
            now,
            due: BTreeMap::new(),
            next: 0,
            rulings: [(0, Status::Up); TARGETS],
            ruled: [now; TARGETS],
            failing: BTreeSet::new(),
            turned: now,
            arrived: BTreeMap::new(),
            told: BTreeMap::new(),
            excused: BTreeSet::new(),
            findings: BTreeSet::new(),
            notices: 0,
            duplicates: 0,
            troubles: 0,
            moved: Default::default(),
            deaths: Default::default(),
            letter_ms: 20 + seed % 4 * 100,
            calm: false,
        };
        for number in 0..MONITORS {
            world.meet(number);
        }
        world
    }

    /// Half a minute per trouble; then all is healed, all fail, and all are up.
    pub(crate) fn run(&mut self, troubles: u64) {
        for _ in 0..troubles {
            let until = self.now.after(seconds(5 + self.rng.below(25)));
            while self.now < until {
                self.step();
            }
        }
        self.calm = true;
        self.failing.clear();
        self.turned = self.now;
        self.pass(seconds(30));
        for target in 0..TARGETS {
            self.rule(target, Status::Down);
        }
        self.pass(seconds(20));
        self.check_beginnings();
        self.check_agreement();
        self.check_acknowledgement();
        for target in 0..TARGETS {
            self.rule(target, Status::Up);
        }
        self.pass(seconds(60));
        self.check_ends();
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now.after(span);
        while self.now < until {
            self.step();
        }
    }

    fn at(&mut self, min_ms: u64, max_ms: u64, due: Due) {
        let span = Duration::from_millis(min_ms + self.rng.below(max_ms - min_ms + 1));
        self.next += 1;
        self.due.insert((self.now.after(span), self.next), due);
    }

    fn step(&mut self) {
        self.now = self.now.after(STEP);
        if !self.calm {
            match self.rng.below(1_200) {
                0..6 => {
                    let target = self.rng.below(TARGETS as u64) as usize;
                    let statuses = [Status::Up, Status::Down, Status::Late];
                    let status = statuses[self.rng.below(3) as usize];
                    self.rule(target, status);
                }
                6 | 7 => {
                    self.turned = self.now;
                    let name = RECEIVERS[self.rng.below(2) as usize];
                    if !self.failing.remove(name) {
                        self.failing.insert(name);
                    }
                }
                8 => {
                    let number = self.rng.below(MONITORS as u64) as usize;
                    self.crash(number);
                }
                9 => self.cut(),
                _ => {}
            }
        }
        while let Some(entry) = self
            .due
            .first_entry()
            .filter(|entry| entry.key().0 <= self.now)
        {
            let due = entry.remove();
            self.happen(due);
        }
        for number in 0..MONITORS {
            self.tick(number);
        }
        self.check_late();
    }

    fn tick(&mut self, number: usize) {
        let now = self.now;
        let monitor = &mut self.monitors[number];
        if !monitor.up {
            return;
        }
        if monitor
            .alerts
            .poll_timeout()
            .is_some_and(|(at, _)| at <= now)
        {
            monitor.alerts.handle(now, Input::Tick);
            self.collect(number);
        }
        for other in (0..MONITORS).filter(|&other| other != number) {
            let monitor = &mut self.monitors[number];
            let Some(letter) = monitor.alerts.poll_letter(now, &name(other)) else {
                continue;
            };
            let life = monitor.starts;
            let lost = self.rng.below(20) == 0;
            if self.mutant == Some(Mutant::LettersVanish) {
                let session = self.monitors[other].alerts.session();
                self.at(
                    10,
                    50,
                    Due::LetterAnswered(number, other, life, Some(session)),
                );
            } else if lost || monitor.cut || self.monitors[other].cut || !self.monitors[other].up {
                self.at(200, 400, Due::LetterAnswered(number, other, life, None));
            } else {
                self.at(
                    1,
                    self.letter_ms,
                    Due::LetterArrives(number, other, life, letter),
                );
            }
        }
    }

    /// Two of three can always rule.
    fn rule(&mut self, target: usize, status: Status) {
        if self.rulings[target].1 == status {
            return;
        }
        self.rulings[target] = (self.rulings[target].0 + 1, status);
        self.ruled[target] = self.now;
        for number in 0..MONITORS {
            self.at(0, 300, Due::Hear(number, target));
        }
    }

    fn crash(&mut self, number: usize) {
        if self
            .monitors
            .iter()
            .any(|m| !m.up || m.cut || self.now.since(m.troubled) < seconds(8))
        {
            return;
        }
        self.troubles += 1;
        self.monitors[number].up = false;
        self.deaths[number].push(self.now);
        self.monitors[number].troubled = self.now;
        self.notice_all(300, 1_500);
        self.at(200, 12_000, Due::Restart(number));
    }

    fn cut(&mut self) {
        if self
            .monitors
            .iter()
            .any(|m| !m.up || m.cut || self.now.since(m.troubled) < seconds(8))
        {
            return;
        }
        let number = self.rng.below(MONITORS as u64) as usize;
        self.troubles += 1;
        self.monitors[number].cut = true;
        self.deaths[number].push(self.now);
        self.monitors[number].troubled = self.now;
        self.notice_all(300, 1_500);
        self.at(500, 12_000, Due::Heal(number));
    }

    /// Everybody notices who lives, sooner or later.
    fn notice_all(&mut self, min_ms: u64, max_ms: u64) {
        let serves = |m: &Monitor| {
            let is_back = m.troubled == Instant::ORIGIN || self.now.since(m.troubled) >= RETURN;
            m.up && !m.cut && is_back
        };
        let live = std::array::from_fn(|n| serves(&self.monitors[n]));
        for number in 0..MONITORS {
            self.at(min_ms, max_ms, Due::Notice(number, live));
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Hear(number, target) => self.hear(number, target),
            Due::Notice(number, live) => self.notice(number, live),
            Due::TakeOver(number) => {
                for target in 0..TARGETS {
                    self.tell(number, target);
                }
            }
            Due::Written(number, life, write) if self.lives(number, life) => {
                self.handle(number, Input::Written(write));
            }
            Due::Arrive(number, life, message) => self.arrive(number, life, message),
            Due::Answered(number, life, message, outcome) if self.lives(number, life) => {
                self.handle(number, Input::Sent { message, outcome });
            }
            Due::LetterArrives(from, to, life, letter) => self.deliver(from, to, life, letter),
            Due::LetterAnswered(number, other, life, session) if self.lives(number, life) => {
                let (now, alerts) = (self.now, &mut self.monitors[number].alerts);
                match session {
                    Some(session) => alerts.letter_taken(now, &name(other), session),
                    None => alerts.letter_lost(now, &name(other)),
                }
                self.collect(number);
            }
            Due::Written(..) | Due::Answered(..) | Due::LetterAnswered(..) => {}
            Due::Rule(target, status) => self.rule(target, status),
            Due::NoticeAll => self.notice_all(0, 1_000),
            Due::Restart(number) => self.restart(number),
            Due::Heal(number) => {
                self.monitors[number].cut = false;
                self.monitors[number].troubled = self.now;
                self.at(3_000, 3_000, Due::NoticeAll);
                for target in 0..TARGETS {
                    self.at(0, 500, Due::Hear(number, target));
                }
            }
        }
    }

    fn lives(&self, number: usize, life: u64) -> bool {
        self.monitors[number].up && self.monitors[number].starts == life
    }

    fn hear(&mut self, number: usize, target: usize) {
        let monitor = &mut self.monitors[number];
        if monitor.up && !monitor.cut {
            monitor.heard[target] = self.rulings[target].0;
            self.tell(number, target);
        }
    }

    fn duty(&self, number: usize, target: usize) -> Duty {
        let owner = self.monitors[number].owners[target];
        match owner {
            _ if self.mutant == Some(Mutant::EverybodyTells) => Duty::Here,
            Some(owner) if owner == number => Duty::Here,
            Some(owner) => Duty::There(Some(name(owner))),
            None => Duty::There(None),
        }
    }

    fn tell(&mut self, number: usize, target: usize) {
        let duty = self.duty(number, target);
        let monitor = &self.monitors[number];
        let deaf = self.mutant == Some(Mutant::OthersDoNotListen) && duty != Duty::Here;
        let (ruling, status) = self.rulings[target];
        // What was ruled meanwhile is not heard of yet.
        if !monitor.up || monitor.heard[target] != ruling || deaf {
            let subject = subject(target);
            if self.monitors[number].up {
                self.handle(
                    number,
                    Input::Duty {
                        subject: &subject,
                        duty: &duty,
                    },
                );
            }
            return;
        }
        let observation = Observation {
            subject: &subject(target),
            signal: &SignalName::new("http").unwrap(),
            concern: match target < RULED {
                true => Concern::Group {
                    ruling: (1_000, ruling),
                    duty: &duty,
                },
                false => Concern::Unruled { duty: &duty },
            },
            at: self.now,
            status,
            labels: &Arc::default(),
            parents: &Arc::from(Vec::<TargetId>::new()),
            reason: "",
        };
        self.handle(number, Input::Observed(observation));
    }

    fn notice(&mut self, number: usize, live: [bool; MONITORS]) {
        if !self.monitors[number].up {
            return;
        }
        let before = self.monitors[number].owners;
        for (target, was) in before.into_iter().enumerate() {
            let first = (0..MONITORS)
                .map(|k| (target + k) % MONITORS)
                .find(|&m| live[m]);
            let mut owner = first.filter(|_| live[number]);
            if self.mutant == Some(Mutant::NobodyTakesOver) {
                owner = Some(target % MONITORS);
            }
            // What was gained is taken over a little later.
            self.monitors[number].owners[target] = owner;
            if was != owner {
                self.moved[target].push(self.now);
            }
            if owner == Some(number) && was != owner {
                continue;
            }
            let (subject, duty) = (subject(target), self.duty(number, target));
            let (subject, duty) = (&subject, &duty);
            self.handle(number, Input::Duty { subject, duty });
        }
        self.at(1_500, 1_500, Due::TakeOver(number));
    }

    fn handle(&mut self, number: usize, input: Input<'_>) {
        self.monitors[number].alerts.handle(self.now, input);
        self.collect(number);
    }

    fn collect(&mut self, number: usize) {
        let life = self.monitors[number].starts;
        while let Some(output) = self.monitors[number].alerts.poll_output() {
            match output {
                Output::Write(write) => {
                    for (id, record) in write.alerts {
                        let disk = &mut self.monitors[number].disk;
                        match record {
                            Some(record) => disk.insert(id, record),
                            None => disk.remove(&id),
                        };
                    }
                    self.at(0, 20, Due::Written(number, life, write.number));
                }
                Output::Send(message) => self.at(5, 100, Due::Arrive(number, life, message)),
                Output::Moved { .. } => {}
                Output::Full(key) => panic!("{key:?}"),
            }
        }
        self.monitors[number].alerts.check_invariants();
    }

    /// A message arrives, whatever has become of its sender.
    fn arrive(&mut self, number: usize, life: u64, message: Message) {
        let fails = self.failing.contains(message.receiver.as_str());
        let arrives = !fails || self.rng.below(3) == 0;
        let outcome = match fails {
            true => Sent::Failed { retry_after: None },
            false => Sent::Delivered,
        };
        let number_of_message = message.number;
        for notice in message.notices.into_iter().filter(|_| arrives) {
            let ends = notice.news.is_resolved();
            if self.mutant == Some(Mutant::EndsVanish) && ends {
                continue;
            }
            self.notices += 1;
            let key = (message.receiver.to_string(), notice.dedup_key());
            if let Some((first, at)) = self.arrived.get(&key).copied() {
                // To try again one that answered nothing is another matter.
                self.duplicates += u64::from(!self.excused.contains(&key));
                self.judge_duplicate(first, at, &key);
            }
            self.arrived
                .entry(key.clone())
                .or_insert((number, self.now));
            if fails {
                self.excused.insert(key);
            }
            let told = (message.receiver.to_string(), notice.alert);
            self.told.entry(told).or_default().push(notice);
        }
        self.at(
            0,
            50,
            Due::Answered(number, life, number_of_message, outcome),
        );
        // The worst moment: somebody was told, and nobody else knows that.
        if !self.calm && self.lives(number, life) && self.rng.below(20) == 0 {
            self.crash(number);
            let target = self.rng.below(TARGETS as u64) as usize;
            self.at(300, 1_500, Due::Rule(target, Status::Up));
        }
    }

    /// Told twice is excused where whoever told it first died or was cut off about then, or where
    /// the duty to tell moved about then.
    fn judge_duplicate(&mut self, first: usize, at: Instant, key: &(String, String)) {
        let is_near = |moment: &Instant| {
            let (early, late) = (at.before(WINDOW), at.after(WINDOW));
            (early..=late).contains(moment)
        };
        let ids = (0..TARGETS).map(|t| alert_id(t).to_string());
        let target = ids.into_iter().position(|id| key.1.starts_with(&id));
        let moved = target.is_some_and(|target| self.moved[target].iter().any(is_near));
        let died = self.deaths[first].iter().any(is_near);
        if !moved && !died && !self.excused.contains(key) {
            self.findings.insert(Finding::Duplicate);
        }
    }

    fn deliver(&mut self, from: usize, to: usize, life: u64, mut letter: Letter) {
        let reachable = |m: &Monitor| m.up && !m.cut;
        // What the dead had on its way may have got there or not.
        let torn = !self.lives(from, life) && self.rng.below(4) > 0;
        if torn || !reachable(&self.monitors[to]) || self.monitors[from].cut {
            self.at(200, 400, Due::LetterAnswered(from, to, life, None));
            return;
        }
        if self.mutant == Some(Mutant::AcknowledgementsStay) {
            for shared in &mut letter.alerts {
                shared.record.acknowledged = None;
                shared.record.acknowledgements = 0;
            }
        }
        let now = self.now;
        let alerts = &mut self.monitors[to].alerts;
        let Taken { newcomers } = alerts.take_letter(now, &name(from), letter);
        let session = alerts.session();
        self.collect(to);
        for target in 0..TARGETS {
            if newcomers.contains(&subject(target)) {
                self.tell(to, target);
            }
        }
        let answer = (self.rng.below(20) > 0).then_some(session);
        self.at(1, 50, Due::LetterAnswered(from, to, life, answer));
    }

    fn restart(&mut self, number: usize) {
        let now = self.now;
        let monitor = &mut self.monitors[number];
        monitor.starts += 1;
        monitor.up = true;
        monitor.troubled = now;
        monitor.owners = [None; TARGETS];
        let saved = Saved {
            alerts: monitor.disk.values().cloned().collect(),
            silences: Vec::new(),
        };
        let session = monitor.starts * 100 + number as u64;
        monitor.alerts = Alerts::new(config(), session, now, saved);
        self.meet(number);
        self.collect(number);
        for target in 0..TARGETS {
            self.at(0, 500, Due::Hear(number, target));
        }
        self.at(3_000, 3_000, Due::NoticeAll);
    }

    fn meet(&mut self, number: usize) {
        let others = (0..MONITORS).filter(|&other| other != number).map(name);
        let others: Vec<MonitorName> = others.collect();
        self.monitors[number]
            .alerts
            .set_colleagues(self.now, &others);
    }

    /// Two of three are always there, so what is down is told soon.
    fn check_late(&mut self) {
        for target in 0..TARGETS {
            let (_, status) = self.rulings[target];
            let since = self.ruled[target].max(self.turned);
            if self.now.since(since) != PATIENCE {
                continue;
            }
            let id = alert_id(target);
            for receiver in RECEIVERS
                .into_iter()
                .filter(|name| !self.failing.contains(name))
            {
                let told = self.told.get(&(receiver.to_owned(), id));
                let rank = |n: &&Notice| (n.episode, n.news.is_resolved());
                // Who tells may have missed that it was up in between.
                let last = told.into_iter().flatten().max_by_key(rank);
                let told = last.is_some_and(|last| !last.news.is_resolved());
                if told != (status == Status::Down) {
                    self.findings.insert(Finding::Late);
                }
            }
        }
    }

    fn check_beginnings(&mut self) {
        for target in 0..TARGETS {
            let id = alert_id(target);
            for receiver in RECEIVERS {
                let told = self.told.get(&(receiver.to_owned(), id));
                let last = told.and_then(|told| told.iter().max_by_key(|n| n.episode));
                let newest = last.map(|last| last.episode);
                let over = told.into_iter().flatten();
                let over = over.filter(|n| Some(n.episode) == newest);
                if last.is_none() || over.into_iter().any(|n| n.news.is_resolved()) {
                    self.findings.insert(Finding::LostBeginning);
                }
            }
        }
    }

    fn check_agreement(&mut self) {
        let state = |monitor: &Monitor| -> Vec<_> {
            let alerts = monitor.alerts.alerts();
            let firing = alerts.filter(|alert| alert.record().fires());
            firing
                .map(|alert| (alert.id(), alert.record().episode))
                .collect()
        };
        let first = state(&self.monitors[0]);
        if first.len() != TARGETS || self.monitors.iter().any(|m| state(m) != first) {
            self.findings.insert(Finding::Disagreement);
        }
    }

    /// Somebody says at a monitor that does not tell of an alert that it is looked after.
    fn check_acknowledgement(&mut self) {
        let alert = alert_id(0);
        let change = Change::Acknowledge {
            alert,
            by: "kim".into(),
            comment: "".into(),
        };
        let acknowledged = self.monitors[1].alerts.apply(self.now, change);
        self.collect(1);
        self.pass(seconds(5));
        let reminders = |world: &Self| -> usize {
            let told = world.told.iter().filter(|((_, id), _)| *id == alert);
            told.map(|(_, told)| told.len()).sum()
        };
        let before = reminders(self);
        self.pass(seconds(100));
        if acknowledged.is_ok() && reminders(self) > before {
            self.findings.insert(Finding::LostAcknowledgement);
        }
    }

    fn check_ends(&mut self) {
        for told in self.told.values() {
            let rank = |n: &&Notice| (n.episode, n.news.is_resolved());
            let last = told.iter().max_by_key(rank);
            if last.is_some_and(|last| !last.news.is_resolved()) {
                self.findings.insert(Finding::LostEnd);
            }
        }
    }
}
