//! What is an alert, and who is told: `rules` and `receivers`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use auscult_core::alert::{
    AlertConfig, AlertParams, Flapping, Matcher, Receiver, Refresh, Rule, Severity, When,
};
use auscult_core::id::{ReceiverName, RuleName};
use hyper::Uri;

use super::calendar::Window;
use super::documents::rules;
use super::load::stands_twice;
use super::report::Report;
use super::schema::DEAD_MAN_SWITCH;
use super::section::Section;
use super::suggest;
use super::templates::{self, Templates};
use super::url::CheckUrl;

/// What is an alert, and who is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertSettings {
    /// The rules and receivers, as the machine works with them.
    pub config: AlertConfig,
    /// How each receiver is told.
    pub ways: BTreeMap<ReceiverName, Way>,
    /// The rules that are for all receivers, those that others share included.
    pub told_all: BTreeSet<RuleName>,
    /// The rules that name receivers that monitors share, and those.
    pub told_shared: Vec<(Rule, Vec<ReceiverName>)>,
    /// When nobody is told.
    pub windows: Vec<Window>,
    /// Who is to notice that this monitor is gone.
    pub pulse: Option<Pulse>,
}

/// A dead man's switch, and how it is kept from acting.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulse {
    /// Where heartbeats are posted.
    pub address: Address,
    /// Headers beside our own.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// How often.
    pub interval: Duration,
}

/// How a receiver is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// JSON over HTTP.
    Webhook {
        /// Where.
        address: Address,
        /// Headers beside our own.
        headers: Vec<(Box<str>, Box<str>)>,
        /// A file with a bearer token.
        token_file: Option<PathBuf>,
        /// A file with the secret to sign with.
        secret_file: Option<PathBuf>,
        /// What the body is.
        content_type: Box<str>,
        /// What it is sent in the place of our own JSON.
        templates: Templates,
    },
    /// Alertmanager's API, version 2.
    Alertmanager {
        /// Its address.
        url: Uri,
        /// Headers beside our own.
        headers: Vec<(Box<str>, Box<str>)>,
        /// A file with a bearer token.
        token_file: Option<PathBuf>,
    },
    /// What Slack's incoming webhooks take.
    Slack {
        /// Where.
        address: Address,
        /// The channel, where it is not the webhook's own.
        channel: Option<Box<str>>,
        /// What it is sent in the place of our own text.
        templates: Templates,
    },
    /// A program, with JSON on its standard input.
    Command {
        /// The program and its arguments; at least one word.
        words: Vec<Box<str>>,
        /// What it is told in the place of our own JSON, and in its environment.
        templates: Templates,
    },
    /// Mail.
    Mail(Mail),
    /// The monitor's log.
    Log,
}

impl Way {
    /// The files that are read for each message.
    pub(crate) fn files(&self) -> Vec<&PathBuf> {
        let files = match self {
            Self::Webhook {
                address,
                token_file,
                secret_file,
                ..
            } => [address.file(), token_file.as_ref(), secret_file.as_ref()],
            Self::Alertmanager { token_file, .. } => [token_file.as_ref(), None, None],
            Self::Slack { address, .. } => [address.file(), None, None],
            Self::Mail(mail) => [mail.password_file.as_ref(), mail.ca_file.as_ref(), None],
            Self::Command { .. } | Self::Log => [None; 3],
        };
        files.into_iter().flatten().collect()
    }
}

/// Mail over SMTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// The mail server: `host:port`.
    pub smarthost: Box<str>,
    /// The sender's address.
    pub from: Box<str>,
    /// The addresses that it goes to.
    pub to: Vec<Box<str>>,
    /// The name to log in with.
    pub username: Option<Box<str>>,
    /// A file with the password for it.
    pub password_file: Option<PathBuf>,
    /// Authorities to trust beside those of the host, as PEM.
    pub ca_file: Option<PathBuf>,
    /// What is written in the place of our own text.
    pub templates: Templates,
}

/// Where messages go over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub enum Address {
    /// There.
    Url(Uri),
    /// To the URL that stands in this file.
    File(PathBuf),
}

impl Address {
    const fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Url(_) => None,
            Self::File(file) => Some(file),
        }
    }
}

/// How often an Alertmanager is reminded, and for how long after the end: it forgets what it does
/// not hear of for five minutes.
const REFRESH: Refresh = Refresh {
    every: Duration::from_secs(60),
    after_end: Duration::from_secs(300),
};

impl AlertSettings {
    pub(super) fn read(report: &mut Report<'_>, root: &Section) -> Self {
        let (receivers, names) = receivers(report, root);
        let mut rules: Vec<Rule> = Vec::new();
        let (mut told_all, mut told_shared) = (BTreeSet::new(), Vec::new());
        for section in root.list("rules") {
            let shared = shared_names(report, section, &names);
            let Some(mut rule) = rule(report, section, &receivers) else {
                continue;
            };
            if !section.says("receivers") {
                told_all.insert(rule.name.clone());
            }
            rule.receivers.retain(|name| names.contains(name.as_str()));
            // Where those are all, it is nobody's rule until it is known whether they are there.
            let for_shared_alone = rule.receivers.is_empty() && !shared.is_empty();
            if !shared.is_empty() {
                told_shared.push((rule.clone(), shared));
            }
            if !for_shared_alone {
                rules.push(rule);
            }
        }
        let default = RuleName::new("down")
            .ok()
            .filter(|_| root.list("rules").is_empty());
        if let Some(name) = default {
            told_all.insert(name.clone());
            if !receivers.is_empty() {
                rules.push(Rule::new(name, all(&receivers)));
            }
        }
        let ways = receivers.iter();
        let ways = ways
            .map(|(receiver, way)| (receiver.name.clone(), way.clone()))
            .collect();
        let params = AlertParams {
            rules,
            receivers: receivers
                .into_iter()
                .map(|(receiver, _)| receiver)
                .collect(),
            ..AlertParams::new()
        };
        let (config, faults) = match AlertConfig::new(params) {
            Ok(config) => (config, Vec::new()),
            Err(faults) => (AlertConfig::default(), faults),
        };
        for fault in faults {
            let key = match fault.place.starts_with("rule ") {
                true => "rules",
                false => "receivers",
            };
            report.value(root.at(key), fault.to_string(), None);
        }
        Self {
            config,
            ways,
            told_all,
            told_shared,
            windows: windows(report, root),
            pulse: match root.says("dead_man_switch") {
                true => pulse(report, &root.section("dead_man_switch", &DEAD_MAN_SWITCH)),
                false => None,
            },
        }
    }
}

/// The shared receivers that a rule names. Whether there are any of that name is not the file's to
/// say. A name that is neither theirs nor one of the file is told.
fn shared_names(
    report: &mut Report<'_>,
    section: &Section,
    names: &BTreeSet<Box<str>>,
) -> Vec<ReceiverName> {
    let mut shared = Vec::new();
    for name in section
        .names("receivers")
        .iter()
        .filter(|name| !names.contains(*name))
    {
        let named = name.strip_prefix(SHARED).map(ReceiverName::new);
        if let Some(Ok(name)) = named {
            shared.push(name);
            continue;
        }
        let message = format!("there is no receiver named `{name}`");
        let hint = suggest::nearest(name, names.iter().map(|name| &**name)).map_or_else(
            || format!("one that monitors share is called `{SHARED}{name}` here"),
            |known| format!("did you mean `{known}`?"),
        );
        report.value(section.at("receivers"), message, Some(hint));
    }
    shared
}

/// What stands before the name of a receiver that monitors share.
const SHARED: &str = "shared:";

/// The receivers of a file, and their names, those of wrong ones included.
fn receivers(
    report: &mut Report<'_>,
    root: &Section,
) -> (Vec<(Receiver, Way)>, BTreeSet<Box<str>>) {
    let mut receivers = Vec::new();
    let mut names = BTreeSet::new();
    for section in root.list("receivers") {
        rules::receiver(report, section);
        let name = section.text("name").unwrap_or_default();
        if !name.is_empty() && !names.insert(name.clone()) {
            stands_twice(
                report,
                "receiver",
                &name,
                section.at("name"),
                section.at("name"),
            );
        }
        receivers.extend(receiver(section));
    }
    (receivers, names)
}

fn windows(report: &mut Report<'_>, root: &Section) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for section in root.list("maintenance") {
        if let Some(window) = Window::read(report, section) {
            if windows.iter().any(|other| other.name == window.name) {
                let (at, name) = (section.at("name"), section.text("name").unwrap_or_default());
                stands_twice(report, "window", &name, at, at);
            }
            windows.push(window);
        }
    }
    windows
}

fn pulse(report: &mut Report<'_>, section: &Section) -> Option<Pulse> {
    let url = match section.url("url") {
        Some(CheckUrl::Http(uri)) => Some(uri.clone()),
        Some(CheckUrl::Tcp(..)) => {
            let message = "heartbeats are sent over http or https".to_owned();
            report.value(section.at("url"), message, None);
            return None;
        }
        None => None,
    };
    let file = section.path("url_file");
    let address = url.map(Address::Url).or_else(|| file.map(Address::File));
    if address.is_none() && !section.says("url") {
        let message = "a dead man's switch needs `url` or `url_file`".to_owned();
        report.key(&section.at, message, None);
    }
    let headers = section.texts("headers");
    Some(Pulse {
        address: address?,
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        interval: section.duration("interval")?,
    })
}

fn all(receivers: &[(Receiver, Way)]) -> Vec<ReceiverName> {
    receivers
        .iter()
        .map(|(receiver, _)| receiver.name.clone())
        .collect()
}

fn rule(report: &mut Report<'_>, section: &Section, receivers: &[(Receiver, Way)]) -> Option<Rule> {
    let name = RuleName::new(&section.text("name")?).ok()?;
    let mut matchers = Vec::new();
    for text in section.names("matchers") {
        match Matcher::parse(text) {
            Ok(matcher) => matchers.push(matcher),
            Err(error) => report.value(section.at("matchers"), error.to_string(), None),
        }
    }
    let named = section.names("receivers").iter();
    let named: Vec<ReceiverName> = named
        .filter_map(|name| ReceiverName::new(name).ok())
        .collect();
    Some(Rule {
        when: match section.word("when") {
            "late" => When::Late,
            _ => When::Down,
        },
        severity: match section.word("severity") {
            "info" => Severity::Info,
            "warning" => Severity::Warning,
            _ => Severity::Critical,
        },
        matchers,
        hold: section.duration("for").unwrap_or_default(),
        keep_firing: section.duration("keep_firing_for").unwrap_or_default(),
        repeat: section.duration("repeat"),
        flapping: section.flag("flapping").then_some(Flapping::DEFAULT),
        receivers: match section.says("receivers") {
            true => named,
            false => all(receivers),
        },
        ..Rule::new(name, Vec::new())
    })
}

pub(super) fn receiver(section: &Section) -> Option<(Receiver, Way)> {
    let way = way(section)?;
    let defaults = Receiver::new(ReceiverName::new(&section.text("name")?).ok()?);
    let told_all = matches!(way, Way::Alertmanager { .. });
    let pace = |key| {
        let span = section.duration(key).unwrap_or_default();
        // An Alertmanager groups by itself.
        if told_all && !section.says(key) {
            Duration::ZERO
        } else {
            span
        }
    };
    let mass = section.count("mass_failure");
    let mass = mass.and_then(|mass| usize::try_from(mass).ok());
    let receiver = Receiver {
        group_by: section.names("group_by").to_vec(),
        group_wait: pace("group_wait"),
        group_interval: pace("group_interval"),
        mass: mass.unwrap_or(defaults.mass),
        refresh: told_all.then_some(REFRESH),
        timeout: section.duration("timeout").unwrap_or(defaults.timeout),
        ..defaults
    };
    Some((receiver, way))
}

fn way(section: &Section) -> Option<Way> {
    let url = match section.url("url") {
        Some(CheckUrl::Http(uri)) => Some(uri.clone()),
        Some(CheckUrl::Tcp(..)) | None => None,
    };
    let address = || match (&url, section.path("url_file")) {
        (Some(url), _) => Some(Address::Url(url.clone())),
        (None, file) => file.map(Address::File),
    };
    let headers = || {
        let headers = section.texts("headers");
        headers
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    };
    let words = |key| section.names(key).to_vec();
    Some(match section.word("type") {
        "webhook" => Way::Webhook {
            address: address()?,
            headers: headers(),
            token_file: section.path("token_file"),
            secret_file: section.path("secret_file"),
            content_type: section.text("content_type").unwrap_or_default(),
            templates: templates::read(section),
        },
        "alertmanager" => Way::Alertmanager {
            url: url?,
            headers: headers(),
            token_file: section.path("token_file"),
        },
        "slack" => Way::Slack {
            address: address()?,
            channel: section.text("channel"),
            templates: templates::read(section),
        },
        "command" => Way::Command {
            words: Some(words("command")).filter(|words| !words.is_empty())?,
            templates: templates::read(section),
        },
        "email" => Way::Mail(Mail {
            smarthost: section.text("smarthost")?,
            from: section.text("from")?,
            to: words("to"),
            username: section.text("username"),
            password_file: section.path("password_file"),
            ca_file: section.path("ca_file"),
            templates: templates::read(section),
        }),
        "log" => Way::Log,
        _ => return None,
    })
}
