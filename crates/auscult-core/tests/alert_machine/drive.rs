//! A shell around the machine whose disk and receivers answer at once, unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use auscult_core::alert::{
    AlertConfig, AlertId, AlertKey, AlertParams, Alerts, Change, Concern, Input, Message, News,
    Observation, Output, Phase, Receiver, Record, Refusal, Rule, Saved, Sent, Silence, Subject,
};
use auscult_core::id::{ReceiverName, RuleName, SignalName, SilenceName, TargetId};
use auscult_core::monitor::{Labels, Status};
use auscult_core::time::Instant;

pub(crate) fn secs(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn rule_name(name: &str) -> RuleName {
    RuleName::new(name).unwrap()
}

pub(crate) fn receiver_name(name: &str) -> ReceiverName {
    ReceiverName::new(name).unwrap()
}

pub(crate) fn target(name: &str) -> Subject {
    Subject::Target(TargetId::new(name).unwrap())
}

pub(crate) fn key(subject: &str, rule: &str) -> AlertKey {
    AlertKey {
        subject: target(subject),
        signal: SignalName::new("http").unwrap(),
        rule: rule_name(rule),
    }
}

pub(crate) fn id(subject: &str) -> AlertId {
    AlertId::of(&key(subject, "down"))
}

/// The rule `down`, told to `ops` at once.
pub(crate) fn rule() -> Rule {
    Rule {
        repeat: None,
        flapping: None,
        ..Rule::new(rule_name("down"), vec![receiver_name("ops")])
    }
}

/// A receiver that is told at once, and each group as often as there is something.
pub(crate) fn receiver(name: &str) -> Receiver {
    Receiver {
        group_wait: Duration::ZERO,
        group_interval: Duration::ZERO,
        ..Receiver::new(receiver_name(name))
    }
}

pub(crate) fn params(rule: Rule, receiver: Receiver) -> AlertParams {
    AlertParams {
        rules: vec![rule],
        receivers: vec![receiver],
        ..AlertParams::new()
    }
}

pub(crate) fn config(params: AlertParams) -> AlertConfig {
    AlertConfig::new(params).unwrap()
}

/// How a receiver behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Answers,
    Fails,
    /// Never answers.
    Hangs,
}

pub(crate) struct Shell {
    pub(crate) alerts: Alerts,
    pub(crate) now: Instant,
    pub(crate) mood: Mood,
    /// Subjects that the receiver refuses to hear of.
    pub(crate) poison: BTreeSet<String>,
    /// Whether the disk takes writes.
    pub(crate) disk_full: bool,
    pub(crate) disk: BTreeMap<AlertId, Record>,
    /// What receivers confirmed, with the time.
    pub(crate) told: Vec<(Instant, Message)>,
    /// What was sent at all.
    pub(crate) sent: Vec<(Instant, Message)>,
    pub(crate) moves: Vec<(Instant, String, Phase)>,
    pub(crate) labels: BTreeMap<String, Labels>,
    pub(crate) parents: BTreeMap<String, Vec<String>>,
}

impl Shell {
    pub(crate) fn new(params: AlertParams) -> Self {
        let alerts = Alerts::new(config(params), 1, Instant::ORIGIN, Saved::default());
        Self {
            alerts,
            now: Instant::ORIGIN,
            mood: Mood::Answers,
            poison: BTreeSet::new(),
            disk_full: false,
            disk: BTreeMap::new(),
            told: Vec::new(),
            sent: Vec::new(),
            moves: Vec::new(),
            labels: BTreeMap::new(),
            parents: BTreeMap::new(),
        }
    }

    /// Starts anew from the disk, with other rules and receivers or the same.
    pub(crate) fn restart(&mut self, params: AlertParams) {
        let saved = Saved {
            alerts: self.disk.values().cloned().collect(),
            silences: self.alerts.silences().cloned().collect(),
        };
        self.alerts = Alerts::new(config(params), 2, self.now, saved);
        self.collect();
    }

    pub(crate) fn see(&mut self, subject: &str, status: Status) {
        let labels = self.labels.get(subject).cloned().unwrap_or_default();
        let parents = self.parents.get(subject).cloned().unwrap_or_default();
        let parents: Vec<TargetId> = parents.iter().map(|p| TargetId::new(p).unwrap()).collect();
        let observation = Observation {
            subject: &target(subject),
            signal: &SignalName::new("http").unwrap(),
            concern: Concern::Own,
            at: self.now,
            status,
            labels: &Arc::new(labels),
            parents: &parents.into(),
            reason: "silent for 3 s",
        };
        self.handle(Input::Observed(observation));
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.alerts.handle(self.now, input);
        self.collect();
    }

    pub(crate) fn apply(&mut self, change: Change) -> Result<(), Refusal> {
        let applied = self.alerts.apply(self.now, change);
        self.collect();
        applied
    }

    pub(crate) fn configure(&mut self, params: AlertParams) {
        self.alerts.configure(self.now, config(params));
        self.collect();
    }

    pub(crate) fn label(&mut self, subject: &str, label: &str, value: &str) {
        let labels = self.labels.entry(subject.into()).or_default();
        labels.insert(label.into(), value.into());
    }

    /// Lets time pass, and calls the machine exactly when it asks for it.
    pub(crate) fn run_to(&mut self, until: Instant) {
        while let Some((at, _)) = self.alerts.poll_timeout().filter(|&(at, _)| at <= until) {
            assert!(at > self.now, "asked to be called at {at} at {}", self.now);
            self.now = at;
            self.handle(Input::Tick);
        }
        self.now = until;
    }

    fn collect(&mut self) {
        while let Some(output) = self.alerts.poll_output() {
            match output {
                Output::Write(write) if self.disk_full => {
                    self.alerts
                        .handle(self.now, Input::NotWritten(write.number));
                }
                Output::Write(write) => {
                    for (id, record) in write.alerts {
                        match record {
                            Some(record) => self.disk.insert(id, record),
                            None => self.disk.remove(&id),
                        };
                    }
                    self.alerts.handle(self.now, Input::Written(write.number));
                }
                Output::Send(message) => self.send(message),
                Output::Moved { key, at, to, .. } => {
                    self.moves.push((at, key.subject.name().to_string(), to));
                }
                Output::Full(key) => panic!("{key:?}"),
            }
        }
        self.alerts.check_invariants();
    }

    fn send(&mut self, message: Message) {
        self.sent.push((self.now, message.clone()));
        let poisoned =
            |n: &auscult_core::alert::Notice| self.poison.contains(n.key.subject.name().as_str());
        let outcome = match self.mood {
            Mood::Answers if message.notices.iter().any(poisoned) => Sent::Refused,
            Mood::Answers => Sent::Delivered,
            Mood::Fails => Sent::Failed { retry_after: None },
            Mood::Hangs => return,
        };
        let number = message.number;
        if outcome == Sent::Delivered {
            self.told.push((self.now, message));
        }
        let message = number;
        self.alerts
            .handle(self.now, Input::Sent { message, outcome });
    }

    /// What was told, as `<second> <receiver> <subject> <news>`.
    pub(crate) fn heard(&self) -> Vec<String> {
        let mut heard = Vec::new();
        for (at, message) in &self.told {
            for notice in &message.notices {
                let news = match notice.news {
                    News::Firing => "firing".to_owned(),
                    News::Repeat(number) => format!("repeat {number}"),
                    News::Refresh => "refresh".to_owned(),
                    News::Resolved { ending, .. } => format!("resolved {}", ending.as_str()),
                };
                let second = at.as_nanos() / 1_000_000_000;
                let subject = notice.key.subject.name();
                heard.push(format!("{second} {} {subject} {news}", message.receiver));
            }
        }
        heard
    }

    pub(crate) fn phase(&self, subject: &str) -> Option<Phase> {
        Some(self.alerts.alert(id(subject))?.phase())
    }

    pub(crate) fn silence(&mut self, name: &str, matcher: &str, from: u64, until: u64) {
        let silence = Silence {
            name: SilenceName::new(name).unwrap(),
            matchers: vec![auscult_core::alert::Matcher::parse(matcher).unwrap()],
            from: secs(from),
            until: secs(until),
            origin: auscult_core::alert::Origin::Request,
            by: "kim".into(),
            comment: "moving house".into(),
        };
        self.apply(Change::Silence(silence)).unwrap();
    }
}
