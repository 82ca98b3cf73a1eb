//! The user's view of what is watched and how: read from a YAML file and from JSON bodies by one
//! schema.
//!
//! A text becomes a tree of nodes that know where they stand (`yaml`, `node`); one walk checks the
//! tree against tables of keys (`schema`, `walk`) and leaves sections; sections are laid over each
//! other, and what is still open gets its default (`section`, `resolve`, `judge`). Every problem on
//! the way is collected (`report`), so that a user sees all of them at once. Nothing here starts
//! anything.

mod alerts;
mod body;
mod calendar;
pub mod documents;
mod duration;
mod history;
mod judge;
mod load;
mod membership;
mod node;
mod openapi;
mod peer_metrics;
mod problem;
mod reference;
mod report;
mod resolve;
mod scalar;
mod schema;
mod section;
mod seed;
mod shared_receivers;
mod suggest;
mod target;
mod templates;
#[cfg(test)]
mod tests;
mod url;
mod walk;
mod yaml;

use std::path::PathBuf;
use std::time::Duration;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Labels, MonitorConfig, SignalConfig};

use node::Node;
use report::{At, Report};
use section::Section;

pub use alerts::{Address, AlertSettings, Mail, Pulse, Way};
pub use calendar::Window;
pub use history::HistorySettings;
pub use load::LoadError;
pub use membership::{MembershipSettings, Profile};
pub use peer_metrics::PeerMetricSettings;
pub use problem::{Problem, Problems, Span};
pub use reference::reference;
pub(crate) use shared_receivers::SharedReceivers;
pub(crate) use suggest::nearest;
pub use target::{
    Connection, HttpCheck, HttpVersion, Pattern, SignalSpec, SourceSpec, StatusRanges, TargetSpec,
    TcpCheck, TlsSpec,
};
pub use templates::Templates;

/// Everything that a settings file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The targets, in the order of the file: those of `targets`, then of `groups`, then of
    /// `servers`.
    pub targets: Vec<TargetSpec>,
    /// What holds for targets that come over the API and do not say otherwise.
    pub defaults: Defaults,
    /// What happens to heartbeats that are sent to us.
    pub heartbeats: HeartbeatSettings,
    /// How the observer judges itself.
    pub observer: MonitorConfig,
    /// The group of members that it belongs to, if it belongs to one.
    pub membership: Option<MembershipSettings>,
    /// What is an alert, and who is told.
    pub alerts: AlertSettings,
    /// Who publishes metrics, and how they are judged.
    pub peer_metrics: PeerMetricSettings,
    /// How much of the past is kept.
    pub history: HistorySettings,
}

/// What holds for targets that do not say otherwise: the `defaults` of a settings file.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults(Section);

impl Defaults {
    /// The program's own, as if no file said anything. A target that was written out by us is read
    /// back with these.
    #[must_use]
    pub fn builtin() -> Self {
        Self(Section::empty(&schema::DEFAULTS))
    }
}

/// A span as the settings write it: `500ms`, `1h30m`, `30d`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    duration::parse(text).ok()
}

/// What happens to heartbeats that are sent to us.
#[derive(Clone, Debug, PartialEq)]
pub struct HeartbeatSettings {
    /// Whether a heartbeat of an unknown target creates the target.
    pub create: bool,
    /// How many targets are created in that way at most.
    pub targets_max: usize,
    /// A file with the key that datagrams must be signed with.
    pub key_file: Option<PathBuf>,
    template: Template,
}

/// What a target is like that a heartbeat creates.
#[derive(Clone, Debug, PartialEq)]
struct Template {
    section: Section,
    labels: Labels,
    interval: Option<Duration>,
    /// How it is judged when the heartbeat does not say its interval.
    config: SignalConfig,
}

impl HeartbeatSettings {
    /// The target that a heartbeat creates. `interval` is what the heartbeat says about its own.
    #[must_use]
    pub fn target(
        &self,
        id: TargetId,
        signal: Option<SignalName>,
        interval: Option<Duration>,
    ) -> TargetSpec {
        let template = &self.template;
        let mut report = Report::of_body();
        let judged = interval.and_then(|interval| {
            judge::signal_config(&mut report, &template.section, Some(interval))
        });
        // An interval that makes no sense with the settings is not believed.
        let (interval, config) = match judged {
            Some(config) => (interval, config),
            None => (template.interval, template.config.clone()),
        };
        let name = signal.or_else(|| SignalName::new("heartbeat").ok());
        let signal = name.map(|name| SignalSpec {
            name,
            source: SourceSpec::Push { interval },
            config,
        });
        TargetSpec {
            server_name: id.as_str().into(),
            id,
            group: None,
            labels: template.labels.clone(),
            signals: signal.into_iter().collect(),
            line: None,
        }
    }
}

/// Reads a span as settings and bodies write it, such as `1h30m`.
///
/// # Errors
/// What is wrong with the text. State: nothing was changed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| {
        let shown: String = text.chars().take(DURATION_CHARS_SHOWN).collect();
        let (what, hint) = error.explain(&shown);
        format!("{what}; {hint}")
    })
}

/// Of a text that is no span, so much is repeated.
const DURATION_CHARS_SHOWN: usize = 40;

impl Settings {
    /// What shared targets inherit on this monitor where nothing shared says otherwise.
    #[must_use]
    pub fn inheritance(&self) -> documents::Inheritance {
        documents::Inheritance::new(&self.defaults)
    }

    /// Reads the text of a settings file. `file_name` is only for messages; nothing is opened.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn from_yaml(text: &str, file_name: &str) -> Result<Self, Problems> {
        load::settings(text, Report::of_file(file_name, text))
    }
}

impl Default for Settings {
    /// What holds without a settings file: no targets, and every default.
    fn default() -> Self {
        load::without_file()
    }
}

impl TargetSpec {
    /// Reads a target in the form that a settings file has, and in which it is written.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_json(json: &serde_json::Value, defaults: &Defaults) -> Result<Self, Problems> {
        let mut report = Report::of_body();
        let node = Node::from_json(json);
        let own = walk::section(&mut report, &node, &schema::TARGET, At::root());
        let spec = own.and_then(|own| resolve::target(&mut report, &own, &defaults.0, None));
        report.finish(spec)
    }

    /// Reads a target in the form of seed 000's `PUT /config`. What is missing has the defaults of
    /// that form.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_seed_json(json: &serde_json::Value, defaults: &Defaults) -> Result<Self, Problems> {
        let mut report = Report::of_body();
        let node = Node::from_json(json);
        let own = walk::section(&mut report, &node, &schema::SEED_SERVER, At::root());
        let spec = own.and_then(|own| seed::server(&mut report, &own, &defaults.0));
        report.finish(spec)
    }
}
