//! A world that does everything at random: statuses, silences, settings, receivers that fail, and a
//! process that is killed between any two steps of what it does.
//!
//! What reaches the disk and the receivers is kept outside the process, and what must be true of it
//! is checked there. See [`Finding`] for the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::alert::{
    AlertConfig, AlertId, AlertParams, Alerts, Change, Concern, Episode, Input, Matcher, Message,
    News, Notice, Observation, Origin, Output, Receiver, Record, Refresh, Rule, Saved, Sent,
    Silence, Subject,
};
use auscult_core::id::{SignalName, SilenceName, TargetId};
use auscult_core::monitor::Status;
use auscult_core::rng::Rng;
use auscult_core::time::Instant;

use crate::drive::{receiver, receiver_name, rule_name, seconds, target};

const SUBJECTS: u64 = 6;
const RECEIVERS: [&str; 3] = ["am", "dev", "ops"];

/// A property that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Finding {
    /// Somebody was told what was not on the disk.
    ToldBeforeWritten,
    /// Somebody was told that an alert fires, and never that it was over.
    LostEnd,
    /// An alert fires, everything is well, and somebody was not told.
    LostBeginning,
    /// An episode that was to be told was neither told nor counted.
    Uncounted,
    /// Somebody was told twice, and no crash or failure is the excuse.
    Duplicate,
    /// Somebody was told of an earlier thing after a later one.
    Disorder,
}

/// How a world is broken, to see that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The disk says that it has what it does not have yet.
    DiskLies,
    /// Ends are confirmed and not delivered.
    EndsVanish,
    /// Beginnings are confirmed and not delivered.
    BeginningsVanish,
    /// A start forgets alerts that fire, as their subjects are up again.
    StartForgets,
    /// The number of skipped episodes is not delivered.
    SkippedVanish,
    /// A start forgets what was confirmed.
    ConfirmationsVanish,
    /// Beginnings arrive after what was sent later.
    BeginningsAreLate,
}

/// Something that the process asked for and that is under way.
enum Io {
    Write {
        write: auscult_core::alert::Write,
        since: Instant,
        applied: Option<Applied>,
    },
    Send {
        message: Message,
        since: Instant,
        outcome: Option<Sent>,
    },
}

struct Applied;

/// What a receiver heard: for each time that it was told, in order.
#[derive(Clone)]
struct Heard {
    notice: Notice,
}

pub(crate) struct World {
    rng: Rng,
    mutant: Option<Mutant>,
    /// Whether silences, parents and other rules come and go.
    lively: bool,
    /// Whether one depends on another.
    depends: bool,
    now: Instant,
    config: AlertConfig,
    alerts: Alerts,
    pending: Vec<Io>,
    disk: BTreeMap<AlertId, Record>,
    silences: BTreeMap<SilenceName, Silence>,
    statuses: BTreeMap<u64, Status>,
    unwatched: BTreeSet<u64>,
    failing: BTreeSet<&'static str>,
    heard: BTreeMap<(String, AlertId), Vec<Heard>>,
    arrived: BTreeSet<(String, String)>,
    /// Told again with a reason.
    excused: BTreeSet<(String, String)>,
    /// For each receiver and alert, the beginnings of the episodes that were to be told: all that
    /// were written, where nothing keeps any back.
    wanted: BTreeMap<(String, AlertId), BTreeSet<Instant>>,
    delayed: Vec<(String, Notice)>,
    pub(crate) findings: BTreeSet<Finding>,
    pub(crate) crashes: u64,
    pub(crate) trace: String,
}

fn config_of(variant: u64) -> AlertConfig {
    let routes: [&[&str]; 3] = [&["am", "dev", "ops"], &["am", "ops"], &["am", "dev"]];
    let receivers = routes[variant as usize % 3]
        .iter()
        .map(|n| receiver_name(n))
        .collect();
    let down = Rule {
        hold: seconds(variant % 2 * 4),
        keep_firing: seconds(variant / 2 % 2 * 5),
        repeat: Some(seconds(120)),
        ..Rule::new(rule_name("down"), receivers)
    };
    let refresh = Some(Refresh {
        every: seconds(30),
        after_end: seconds(90),
    });
    let quick = |name| Receiver {
        backoff_max: seconds(20),
        breaker: 3,
        mass: 4,
        in_flight: 2,
        ..receiver(name)
    };
    AlertConfig::new(AlertParams {
        rules: vec![down],
        receivers: vec![
            Receiver {
                refresh,
                ..quick("am")
            },
            Receiver {
                group_by: vec!["target".into()],
                group_wait: seconds(1),
                ..quick("dev")
            },
            Receiver {
                group_interval: seconds(2),
                ..quick("ops")
            },
        ],
        // Short, so that alerts are forgotten and come back.
        kept: seconds(60),
        ..AlertParams::new()
    })
    .unwrap()
}

fn subject(number: u64) -> Subject {
    target(&format!("t{number}"))
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut rng = Rng::new(seed);
        let config = config_of(rng.below(6));
        let alerts = Alerts::new(config.clone(), seed, Instant::ORIGIN, Saved::default());
        let lively = rng.below(2) == 0;
        Self {
            lively,
            depends: lively,
            rng,
            mutant,
            now: Instant::ORIGIN,
            config,
            alerts,
            pending: Vec::new(),
            disk: BTreeMap::new(),
            silences: BTreeMap::new(),
            statuses: (0..SUBJECTS).map(|n| (n, Status::Up)).collect(),
            unwatched: BTreeSet::new(),
            failing: BTreeSet::new(),
            heard: BTreeMap::new(),
            arrived: BTreeSet::new(),
            excused: BTreeSet::new(),
            wanted: BTreeMap::new(),
            delayed: Vec::new(),
            findings: BTreeSet::new(),
            crashes: 0,
            trace: String::new(),
        }
    }

    /// A life of many steps; then everything is well and all fail, and then all are up.
    pub(crate) fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.step();
        }
        self.heal();
        self.depends = false;
        for number in 0..SUBJECTS {
            self.set(number, Status::Down);
        }
        self.pass(seconds(600));
        self.check_beginnings();
        for number in 0..SUBJECTS {
            self.set(number, Status::Up);
        }
        self.pass(seconds(1_200));
        self.check_ends();
        self.check_counts();
    }

    fn step(&mut self) {
        match self.rng.below(40) {
            0..8 => {
                let number = self.rng.below(SUBJECTS);
                let statuses = [Status::Up, Status::Down, Status::Unknown, Status::Late];
                let status = statuses[self.rng.below(4) as usize];
                self.set(number, status);
            }
            8 if self.lively => self.toggle_watched(),
            9 if self.lively => self.toggle_silence(),
            10 if self.lively => {
                self.config = config_of(self.rng.below(6));
                self.alerts.configure(self.now, self.config.clone());
                self.collect();
                self.tell_all();
            }
            11 => self.acknowledge(),
            12 | 13 => {
                let name = RECEIVERS[self.rng.below(3) as usize];
                if !self.failing.remove(name) {
                    self.failing.insert(name);
                }
            }
            14 => self.crash(),
            15..20 => {
                let span = Duration::from_millis(1 + self.rng.below(2_000));
                self.wait(span);
            }
            _ => self.progress_one(),
        }
    }

    fn set(&mut self, number: u64, status: Status) {
        self.statuses.insert(number, status);
        if !self.unwatched.contains(&number) {
            self.tell(number);
        }
    }

    fn tell(&mut self, number: u64) {
        // The last one depends on the first.
        let parent = (self.depends && number == SUBJECTS - 1).then(|| TargetId::new("t0").unwrap());
        let parents: Vec<TargetId> = parent.into_iter().collect();
        let observation = Observation {
            subject: &subject(number),
            signal: &SignalName::new("http").unwrap(),
            concern: Concern::Own,
            at: self.now,
            status: self.statuses[&number],
            labels: &Arc::default(),
            parents: &parents.into(),
            reason: "",
        };
        self.alerts.handle(self.now, Input::Observed(observation));
        self.collect();
    }

    fn tell_all(&mut self) {
        for number in 0..SUBJECTS {
            if self.unwatched.contains(&number) {
                self.alerts.handle(self.now, Input::Gone(&subject(number)));
                self.collect();
            } else {
                self.tell(number);
            }
        }
    }

    fn toggle_watched(&mut self) {
        let number = self.rng.below(SUBJECTS);
        if self.unwatched.remove(&number) {
            self.tell(number);
        } else {
            self.unwatched.insert(number);
            self.alerts.handle(self.now, Input::Gone(&subject(number)));
            self.collect();
        }
    }

    fn toggle_silence(&mut self) {
        let name = SilenceName::new(&format!("s{}", self.rng.below(2))).unwrap();
        let matcher = format!("target=t{}", self.rng.below(SUBJECTS));
        let silence = Silence {
            name: name.clone(),
            matchers: vec![Matcher::parse(&matcher).unwrap()],
            from: self.now,
            until: self.now.after(Duration::from_secs(1 + self.rng.below(30))),
            origin: Origin::Request,
            by: "kim".into(),
            comment: "".into(),
        };
        let change = match self.rng.below(3) {
            0 => Change::EndSilence(name),
            _ => Change::Silence(silence),
        };
        let _unknown = self.alerts.apply(self.now, change);
        self.collect();
    }

    fn acknowledge(&mut self) {
        let ids: Vec<AlertId> = self.alerts.alerts().map(|alert| alert.id()).collect();
        if let Some(&alert) = ids.get(self.rng.below(SUBJECTS) as usize) {
            let by = "kim".into();
            let comment = "".into();
            let change = Change::Acknowledge { alert, by, comment };
            let _resolved = self.alerts.apply(self.now, change);
            self.collect();
        }
    }

    /// Takes what the process says, and nothing comes of it yet.
    fn collect(&mut self) {
        while let Some(output) = self.alerts.poll_output() {
            let _ = writeln!(self.trace, "{} {output:?}", self.now);
            let since = self.now;
            match output {
                Output::Write(write) => {
                    let lies = self.mutant == Some(Mutant::DiskLies);
                    if lies {
                        self.alerts.handle(self.now, Input::Written(write.number));
                    }
                    self.pending.push(Io::Write {
                        write,
                        since,
                        applied: None,
                    });
                }
                Output::Send(message) => self.pending.push(Io::Send {
                    message,
                    since,
                    outcome: None,
                }),
                Output::Moved { .. } => {}
                Output::Full(key) => panic!("{key:?}"),
            }
        }
        self.alerts.check_invariants();
    }

    /// One step of something that is under way.
    fn progress_one(&mut self) {
        if !self.pending.is_empty() {
            let at = self.rng.below(self.pending.len() as u64) as usize;
            self.progress(at);
        }
    }

    fn progress(&mut self, at: usize) {
        match self.pending.swap_remove(at) {
            Io::Write {
                write,
                since,
                applied: None,
            } => {
                self.apply(&write);
                self.pending.push(Io::Write {
                    write,
                    since,
                    applied: Some(Applied),
                });
            }
            Io::Write { write, .. } => {
                self.alerts.handle(self.now, Input::Written(write.number));
                self.collect();
            }
            Io::Send {
                message,
                since,
                outcome: None,
            } => {
                let outcome = Some(self.deliver(&message));
                self.pending.push(Io::Send {
                    message,
                    since,
                    outcome,
                });
            }
            Io::Send {
                message,
                outcome: Some(outcome),
                ..
            } => {
                let message = message.number;
                self.alerts
                    .handle(self.now, Input::Sent { message, outcome });
                self.collect();
            }
        }
    }

    fn apply(&mut self, write: &auscult_core::alert::Write) {
        for (id, record) in &write.alerts {
            let Some(record) = record else {
                self.disk.remove(id);
                continue;
            };
            for delivery in &record.deliveries {
                if !self.lively {
                    let key = (delivery.receiver.to_string(), *id);
                    self.wanted.entry(key).or_default().insert(record.fired);
                }
            }
            self.disk.insert(*id, record.clone());
        }
        for (name, silence) in &write.silences {
            match silence {
                Some(silence) => self.silences.insert(name.clone(), silence.clone()),
                None => self.silences.remove(name),
            };
        }
    }

    /// What becomes of a message: a failing receiver may have got it all the same.
    fn deliver(&mut self, message: &Message) -> Sent {
        let fails = self.failing.contains(message.receiver.as_str());
        let arrives = !fails || self.rng.below(3) == 0;
        let outcome = match (fails, self.rng.below(4)) {
            (false, _) => Sent::Delivered,
            (true, 0) => Sent::Refused,
            (true, _) => Sent::Failed { retry_after: None },
        };
        for notice in message.notices.iter().filter(|_| arrives) {
            self.hear(message.receiver.to_string(), notice.clone());
            if outcome != Sent::Delivered {
                let key = (message.receiver.to_string(), notice.dedup_key());
                self.excused.insert(key);
            }
        }
        outcome
    }

    fn hear(&mut self, receiver: String, mut notice: Notice) {
        let begins = notice.news == News::Firing;
        let ends = notice.news.is_resolved();
        match self.mutant {
            Some(Mutant::EndsVanish) if ends => return,
            Some(Mutant::BeginningsVanish) if begins => return,
            Some(Mutant::SkippedVanish) => notice.skipped = 0,
            Some(Mutant::BeginningsAreLate) if begins => {
                self.delayed.push((receiver, notice));
                return;
            }
            _ => {}
        }
        self.check_written(&receiver, &notice);
        self.check_order(&receiver, &notice);
        let key = (receiver.clone(), notice.dedup_key());
        let again = !self.arrived.insert(key.clone());
        let forgetful = receiver == "am";
        if again && !self.excused.contains(&key) && !forgetful {
            self.findings.insert(Finding::Duplicate);
        }
        let heard = self
            .heard
            .entry((receiver.clone(), notice.alert))
            .or_default();
        heard.push(Heard {
            notice: notice.clone(),
        });
        if ends {
            let late = self
                .delayed
                .iter()
                .position(|(r, n)| *r == receiver && n.alert == notice.alert);
            if let Some(at) = late {
                let (receiver, notice) = self.delayed.remove(at);
                self.check_order(&receiver, &notice);
            }
        }
    }

    fn check_written(&mut self, receiver: &str, notice: &Notice) {
        let record = self.disk.get(&notice.alert);
        let written = record.is_some_and(|record| {
            let mut deliveries = record.deliveries.iter();
            let delivery = deliveries.find(|d| d.receiver.as_str() == receiver);
            let later = record.fired > notice.fired || record.episode > notice.episode;
            let ended = later || record.ended.is_some();
            let marked = delivery.is_some_and(|d| {
                d.told >= notice.episode || d.told_end >= notice.episode || d.exposed.is_some()
            });
            record.episode >= notice.episode
                && (!notice.news.is_resolved() || ended)
                && (notice.news != News::Firing || marked)
        });
        if !written {
            self.findings.insert(Finding::ToldBeforeWritten);
        }
    }

    fn check_order(&mut self, receiver: &str, notice: &Notice) {
        let rank = |notice: &Notice| (notice.fired, notice.episode, notice.news.is_resolved());
        let heard = self.heard.get(&(receiver.to_owned(), notice.alert));
        let last = heard
            .into_iter()
            .flatten()
            .map(|heard| rank(&heard.notice))
            .max();
        let key = (receiver.to_owned(), notice.dedup_key());
        let again = self.excused.contains(&key);
        if last.is_some_and(|last| last > rank(notice)) && !again {
            self.findings.insert(Finding::Disorder);
        }
    }

    /// The process is killed. What was under way may have happened or not.
    fn crash(&mut self) {
        self.crashes += 1;
        for io in std::mem::take(&mut self.pending) {
            match io {
                Io::Write {
                    write,
                    applied: None,
                    ..
                } if self.rng.below(2) == 0 && self.mutant != Some(Mutant::DiskLies) => {
                    self.apply(&write);
                }
                Io::Send {
                    message,
                    outcome: None,
                    ..
                } if self.rng.below(2) == 0 => {
                    self.deliver(&message);
                }
                Io::Write { .. } | Io::Send { .. } => {}
            }
        }
        self.excuse_what_is_not_confirmed();
        match self.mutant {
            Some(Mutant::StartForgets) => {
                let statuses = &self.statuses;
                let is_up = |record: &Record| {
                    let name = record.key.subject.name().as_str();
                    let number: u64 = name[1..].parse().unwrap();
                    statuses[&number] == Status::Up
                };
                self.disk
                    .retain(|_, record| !record.fires() || !is_up(record));
            }
            Some(Mutant::ConfirmationsVanish) => {
                for record in self.disk.values_mut() {
                    for delivery in &mut record.deliveries {
                        delivery.told = Episode::NONE;
                    }
                }
            }
            _ => {}
        }
        let saved = Saved {
            alerts: self.disk.values().cloned().collect(),
            silences: self.silences.values().cloned().collect(),
        };
        let seed = self.rng.next_u64();
        self.alerts = Alerts::new(self.config.clone(), seed, self.now, saved);
        self.collect();
        self.tell_all();
    }

    fn excuse_what_is_not_confirmed(&mut self) {
        for ((receiver, id), heard) in &self.heard {
            let record = self.disk.get(id);
            let mut deliveries = record.into_iter().flat_map(|r| &r.deliveries);
            let delivery = deliveries.find(|d| d.receiver.as_str() == receiver);
            for Heard { notice } in heard {
                let (Some(record), Some(delivery)) = (record, delivery) else {
                    continue;
                };
                let current = record.episode == notice.episode && record.fired == notice.fired;
                let confirmed = match notice.news {
                    News::Firing => delivery.told >= notice.episode,
                    News::Repeat(number) => delivery.repeats >= number,
                    News::Refresh => true,
                    News::Resolved { .. } => delivery.told_end >= notice.episode,
                };
                let open = current || delivery.exposed.is_some() || delivery.brief.is_some();
                if open && !confirmed {
                    let key = (receiver.clone(), notice.dedup_key());
                    self.excused.insert(key);
                }
            }
        }
    }

    /// Time passes, and what takes long is done at last.
    fn wait(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let due = self.pending.iter().position(|io| {
                let (Io::Write { since, .. } | Io::Send { since, .. }) = io;
                until.since(*since) > seconds(4)
            });
            let next = self.alerts.poll_timeout().filter(|&(at, _)| at <= until);
            match (due, next) {
                (Some(at), _) => self.progress(at),
                (None, Some((at, _))) => {
                    self.now = at;
                    self.alerts.handle(self.now, Input::Tick);
                    self.collect();
                }
                (None, None) => break,
            }
        }
        self.now = until;
    }

    /// A long time in which all goes well.
    fn pass(&mut self, span: Duration) {
        let until = self.now.after(span);
        while self.now < until {
            while !self.pending.is_empty() {
                self.progress(0);
            }
            self.wait(Duration::from_millis(500));
        }
        while !self.pending.is_empty() {
            self.progress(0);
        }
    }

    fn heal(&mut self) {
        self.failing.clear();
        self.unwatched.clear();
        self.tell_all();
        self.pass(seconds(120));
    }

    fn check_beginnings(&mut self) {
        for rule in self.config.rules() {
            for number in 0..SUBJECTS {
                let id = AlertId::of(&crate::drive::key(&format!("t{number}"), "down"));
                for receiver in &rule.receivers {
                    let heard = self.heard.get(&(receiver.to_string(), id));
                    let last = heard.and_then(|heard| heard.last());
                    let begun = heard.into_iter().flatten().any(|heard| {
                        let last = last.map(|last| last.notice.fired);
                        heard.notice.news == News::Firing && Some(heard.notice.fired) == last
                    });
                    if !begun || last.is_none_or(|last| last.notice.news.is_resolved()) {
                        self.findings.insert(Finding::LostBeginning);
                    }
                }
            }
        }
    }

    fn check_ends(&mut self) {
        for heard in self.heard.values() {
            let ended: BTreeSet<Instant> = heard
                .iter()
                .filter(|heard| heard.notice.news.is_resolved())
                .map(|heard| heard.notice.fired)
                .collect();
            if heard
                .iter()
                .any(|heard| !ended.contains(&heard.notice.fired))
            {
                self.findings.insert(Finding::LostEnd);
            }
        }
    }

    fn check_counts(&mut self) {
        for ((receiver, id), wanted) in &self.wanted {
            let heard = self.heard.get(&(receiver.clone(), *id));
            let heard: Vec<&Notice> = heard.into_iter().flatten().map(|h| &h.notice).collect();
            let told: BTreeSet<Instant> = heard.iter().map(|notice| notice.fired).collect();
            let mut skipped: BTreeMap<String, u32> = BTreeMap::new();
            for notice in heard {
                let most = skipped.entry(notice.dedup_key()).or_default();
                *most = notice.skipped.max(*most);
            }
            let counted: u32 = skipped.values().sum();
            if wanted.difference(&told).count() > counted as usize {
                self.findings.insert(Finding::Uncounted);
            }
        }
    }
}
