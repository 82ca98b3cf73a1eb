//! Which alerts are made, and to whom they are told.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::matcher::{Labelled, Matcher, check_matchers};
use crate::bounds::{
    ALERT_RULES_MAX, FLAP_EPISODES_MAX, MESSAGES_IN_FLIGHT_MAX, RECEIVERS_MAX,
    RECEIVERS_PER_ALERT_MAX,
};
use crate::id::{ReceiverName, RuleName};
use crate::monitor::Status;

/// A rule: when is it an alert, and who is told?
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: RuleName,
    /// The status that makes an alert.
    pub when: When,
    /// How bad that is.
    pub severity: Severity,
    /// Which subjects and signals it is for: all these conditions hold. None: all of them.
    pub matchers: Vec<Matcher>,
    /// How long it must be so before anybody is told. Default 0: the detector waited already.
    pub hold: Duration,
    /// How long it must be over before that is told. Default 0.
    pub keep_firing: Duration,
    /// How often those who were told are reminded while it lasts and nobody acknowledged it.
    /// Default 4 hours; `None` never.
    pub repeat: Option<Duration>,
    /// When to take its coming and going for one alert.
    pub flapping: Option<Flapping>,
    /// Who is told, at most [`RECEIVERS_PER_ALERT_MAX`].
    pub receivers: Vec<ReceiverName>,
}

impl Rule {
    /// A rule with the defaults: status `down`, severity `critical`, told at once to `receivers`.
    #[must_use]
    pub const fn new(name: RuleName, receivers: Vec<ReceiverName>) -> Self {
        Self {
            name,
            when: When::Down,
            severity: Severity::Critical,
            matchers: Vec::new(),
            hold: Duration::ZERO,
            keep_firing: Duration::ZERO,
            repeat: Some(Duration::from_secs(4 * 3_600)),
            flapping: Some(Flapping::DEFAULT),
            receivers,
        }
    }

    pub(super) fn is_for(&self, alert: &Labelled<'_>) -> bool {
        alert.satisfies(&self.matchers)
    }
}

/// The status that makes an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Late or down.
    Late,
    /// Down.
    Down,
}

impl When {
    /// What a status means for the rule. `unknown` means nothing: what was so stays so.
    pub(super) const fn judge(self, status: Status) -> Seen {
        match (status, self) {
            (Status::Up | Status::Paused, _) | (Status::Late, Self::Down) => Seen::Clear,
            (Status::Unknown, _) => Seen::Unclear,
            (Status::Down, _) | (Status::Late, Self::Late) => Seen::Met,
        }
    }
}

/// What a status means for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Met,
    Clear,
    Unclear,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For the record.
    Info,
    /// To be looked at in working hours.
    Warning,
    /// Worth waking somebody.
    Critical,
}

impl Severity {
    /// Every severity, from the least.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// When an alert comes and goes so often that it is taken for one.
///
/// The episode that is the `episodes`th within `window` lasts until its condition was not met for
/// `steady`, and so people are told once that it flaps, and once that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flapping {
    /// How many episodes, 2 to [`FLAP_EPISODES_MAX`].
    pub episodes: usize,
    /// Within what span.
    pub window: Duration,
    /// How long it must be over.
    pub steady: Duration,
}

impl Flapping {
    /// Four within half an hour; over after ten quiet minutes.
    pub const DEFAULT: Self = Self {
        episodes: 4,
        window: Duration::from_secs(30 * 60),
        steady: Duration::from_secs(10 * 60),
    };
}

/// Somebody, or something, that is told of alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Its name.
    pub name: ReceiverName,
    /// The labels whose values make a group: the alerts of a group are told in one message.
    /// Default none: all are one group.
    pub group_by: Vec<Box<str>>,
    /// How long the first message of a group waits for others that belong to it. Default 5 s. It is
    /// also the time in which a `parent` can be found down.
    pub group_wait: Duration,
    /// How long after a message of a group the next one may come. Default 30 s.
    pub group_interval: Duration,
    /// When so many alerts are to be told, they are told in one message across all groups: a mass
    /// failure. Default 20, at least 2.
    pub mass: usize,
    /// For a receiver that forgets what it is not reminded of.
    pub refresh: Option<Refresh>,
    /// Messages to it at a time, 1 to [`MESSAGES_IN_FLIGHT_MAX`]. Default 4.
    pub in_flight: usize,
    /// How long a message may take. What was not answered a second later counts as failed. Default
    /// 10 s.
    pub timeout: Duration,
    /// The pause after the first failure; it doubles with each further one. Default 1 s.
    pub backoff_min: Duration,
    /// The longest pause between attempts. Default 5 min.
    pub backoff_max: Duration,
    /// After so many failures in a row the receiver is taken to be gone: one message at a time
    /// tries whether it is back. Default 5, at least 1.
    pub breaker: u32,
    /// How long after an alert is over its end is tried to be told. Default 7 days.
    pub abandon: Duration,
}

impl Receiver {
    /// A receiver with the defaults.
    #[must_use]
    pub const fn new(name: ReceiverName) -> Self {
        Self {
            name,
            group_by: Vec::new(),
            group_wait: Duration::from_secs(5),
            group_interval: Duration::from_secs(30),
            mass: 20,
            refresh: None,
            in_flight: 4,
            timeout: Duration::from_secs(10),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(5 * 60),
            breaker: 5,
            abandon: Duration::from_secs(7 * 86_400),
        }
    }
}

/// How a receiver is kept informed that forgets what it is not reminded of, as Alertmanager does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// How often it is reminded, acknowledged or not, silenced or not, once it was told.
    pub every: Duration,
    /// How long it is reminded that an alert is over.
    pub after_end: Duration,
}

/// Rules and receivers: plain values, to be turned into an [`AlertConfig`].
#[derive(Clone, Debug, PartialEq)]
pub struct AlertParams {
    /// At most [`ALERT_RULES_MAX`], with distinct names.
    pub rules: Vec<Rule>,
    /// At most [`RECEIVERS_MAX`], with distinct names.
    pub receivers: Vec<Receiver>,
    /// How long an alert that is over and told to all is still shown, and remembered to tell
    /// whether it flaps. Default 1 hour.
    pub kept: Duration,
    /// How long until what could not be made to outlive the process is tried again. Default 5 s.
    pub write_retry: Duration,
}

impl AlertParams {
    /// No rules, no receivers, and the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rules: Vec::new(),
            receivers: Vec::new(),
            kept: Duration::from_secs(3_600),
            write_retry: Duration::from_secs(5),
        }
    }
}

impl Default for AlertParams {
    fn default() -> Self {
        Self::new()
    }
}

/// One thing that is wrong with rules and receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule or receiver, for example `rule down`.
    pub place: String,
    /// The field, as it is named in code.
    pub field: &'static str,
    /// The values and the rule that they break.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.field, self.text)
    }
}

/// Rules and receivers that are valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertConfig {
    pub(super) rules: BTreeMap<RuleName, Rule>,
    pub(super) receivers: BTreeMap<ReceiverName, Receiver>,
    pub(super) kept: Duration,
    pub(super) write_retry: Duration,
}

impl Default for AlertConfig {
    /// No rules and no receivers.
    fn default() -> Self {
        let AlertParams {
            kept, write_retry, ..
        } = AlertParams::new();
        Self {
            rules: BTreeMap::new(),
            receivers: BTreeMap::new(),
            kept,
            write_retry,
        }
    }
}

impl AlertConfig {
    /// Checks rules and receivers.
    ///
    /// # Errors
    /// Everything that is wrong. State: nothing was made.
    pub fn new(params: AlertParams) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let counts = [
            ("rules", params.rules.len(), ALERT_RULES_MAX),
            ("receivers", params.receivers.len(), RECEIVERS_MAX),
        ];
        for (field, found, limit) in counts.into_iter().filter(|c| c.1 > c.2) {
            faults.push(Fault {
                place: "alerts".into(),
                field,
                text: format!("{found} must be at most {limit}"),
            });
        }
        let mut receivers = BTreeMap::new();
        for receiver in params.receivers {
            check_receiver(&receiver, &mut faults);
            if let Some(other) = receivers.insert(receiver.name.clone(), receiver) {
                faults.push(twice(format!("receiver {}", other.name)));
            }
        }
        let mut rules = BTreeMap::new();
        for rule in params.rules {
            check_rule(&rule, &receivers, &mut faults);
            if let Some(other) = rules.insert(rule.name.clone(), rule) {
                faults.push(twice(format!("rule {}", other.name)));
            }
        }
        if params.write_retry.is_zero() {
            faults.push(Fault {
                place: "alerts".into(),
                field: "write_retry",
                text: "0 s must be longer".into(),
            });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            rules,
            receivers,
            kept: params.kept,
            write_retry: params.write_retry,
        })
    }

    /// The rules, by name.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// The receivers, by name.
    pub fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        self.receivers.values()
    }
}

fn twice(place: String) -> Fault {
    Fault {
        place,
        field: "name",
        text: "it stands twice".into(),
    }
}

fn check_rule(rule: &Rule, receivers: &BTreeMap<ReceiverName, Receiver>, faults: &mut Vec<Fault>) {
    let mut find = |field, text| {
        let place = format!("rule {}", rule.name);
        faults.push(Fault { place, field, text });
    };
    if let Some(text) = check_matchers(&rule.matchers) {
        find("matchers", text);
    }
    if rule.receivers.len() > RECEIVERS_PER_ALERT_MAX {
        let found = rule.receivers.len();
        let text = format!("{found} must be at most {RECEIVERS_PER_ALERT_MAX}");
        find("receivers", text);
    }
    for name in rule
        .receivers
        .iter()
        .filter(|n| !receivers.contains_key(*n))
    {
        find("receivers", format!("there is no receiver named {name}"));
    }
    if rule.repeat.is_some_and(|repeat| repeat.is_zero()) {
        find("repeat", "0 s must be longer".into());
    }
    if let Some(Flapping { episodes, .. }) = rule.flapping
        && !(2..=FLAP_EPISODES_MAX).contains(&episodes)
    {
        let text = format!("{episodes} must be 2 to {FLAP_EPISODES_MAX}");
        find("flapping.episodes", text);
    }
}

fn check_receiver(receiver: &Receiver, faults: &mut Vec<Fault>) {
    let mut find = |field, text| {
        let place = format!("receiver {}", receiver.name);
        faults.push(Fault { place, field, text });
    };
    if receiver.mass < 2 {
        find("mass", format!("{} must be at least 2", receiver.mass));
    }
    if !(1..=MESSAGES_IN_FLIGHT_MAX).contains(&receiver.in_flight) {
        let found = receiver.in_flight;
        find(
            "in_flight",
            format!("{found} must be 1 to {MESSAGES_IN_FLIGHT_MAX}"),
        );
    }
    if receiver.breaker == 0 {
        find("breaker", "0 must be at least 1".into());
    }
    let refresh = receiver.refresh.map(|refresh| refresh.every);
    for (field, span) in [
        ("timeout", Some(receiver.timeout)),
        ("backoff_min", Some(receiver.backoff_min)),
        ("refresh.every", refresh),
    ] {
        if span.is_some_and(|span| span.is_zero()) {
            find(field, "0 s must be longer".into());
        }
    }
    if receiver.backoff_max < receiver.backoff_min {
        let (max, min) = (receiver.backoff_max, receiver.backoff_min);
        find(
            "backoff_max",
            format!("{max:?} must be at least backoff_min, {min:?}"),
        );
    }
}
