//! Documents: settings that monitors share, one by one or many in a file.
//!
//! What a user writes is checked as the settings file is, and kept as what it says itself, not as
//! what it inherits: a target that names its group follows the group when that changes. Each
//! document is written in one way only, so that putting the same again changes nothing.

mod canonical;
mod inherit;
pub(super) mod rules;
mod sheet;
#[cfg(test)]
mod tests;

use auscult_core::monitor::registry::{Document, Key, Kind};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::node::{self, Node, Quoted, Scalar};
use super::report::{At, Report};
use super::schema::{
    DEFAULTS, GROUP_DOCUMENT, PAUSE, RECEIVER, SILENCE, TARGET, TOKEN, Table, VALUE,
};
use super::section::Section;
use super::{Problems, seed, walk, yaml};

pub use inherit::Inheritance;
pub(super) use inherit::stored;
pub use sheet::Sheet;

/// The only name that a document of defaults has.
pub const DEFAULTS_NAME: &str = "defaults";

/// A body of JSON that was read, and not yet looked at.
#[derive(Clone, Debug)]
pub struct Parsed(Node);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Node::deserialize(deserializer).map(Self)
    }
}

/// A text that describes settings.
#[derive(Debug)]
pub enum Written<'t> {
    /// A value that was read from JSON.
    Json(&'t Json),
    /// What was read from JSON and may be large.
    Parsed(Parsed),
    /// A text of YAML.
    Yaml {
        /// The text.
        text: &'t str,
        /// The name that its places are told with.
        file: &'t str,
    },
}

impl<'t> Written<'t> {
    fn open(self) -> (Report<'t>, Option<Node>) {
        match self {
            Self::Json(json) => (Report::of_body(), Some(Node::from_json(json))),
            Self::Parsed(Parsed(node)) => (Report::of_body(), Some(node)),
            Self::Yaml { text, file } => {
                let mut report = Report::of_file(file, text);
                let node = yaml::parse(text, &mut report);
                (report, node)
            }
        }
    }
}

/// The path of a kind: `targets` in `/v1/settings/targets/web`.
#[must_use]
pub const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Defaults => "defaults",
        Kind::Group => "groups",
        Kind::Target => "targets",
        Kind::Receiver => "receivers",
        Kind::Silence => "silences",
        Kind::Token => "tokens",
        Kind::Pause => "pauses",
        Kind::Value => "values",
    }
}

/// The kind that has this name, in singular or plural.
#[must_use]
pub fn kind_of(name: &str) -> Option<Kind> {
    let named = |kind: &Kind| kind.as_str() == name || plural(*kind) == name;
    Kind::ALL.into_iter().find(named)
}

const fn table_of(kind: Kind) -> &'static Table {
    match kind {
        Kind::Defaults => &DEFAULTS,
        Kind::Group => &GROUP_DOCUMENT,
        Kind::Target => &TARGET,
        Kind::Receiver => &RECEIVER,
        Kind::Silence => &SILENCE,
        Kind::Token => &TOKEN,
        Kind::Pause => &PAUSE,
        Kind::Value => &VALUE,
    }
}

/// The key under which a document says its own name, if it does.
const fn name_key(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Target => Some("id"),
        Kind::Group | Kind::Receiver | Kind::Silence | Kind::Token => Some("name"),
        Kind::Defaults | Kind::Pause | Kind::Value => None,
    }
}

/// Reads the document of one setting, in a body that may leave out what `name` says already.
///
/// # Errors
/// Everything that is wrong with it. What it inherits is not looked at.
pub fn document(
    kind: Kind,
    name: Option<&str>,
    written: Written<'_>,
) -> Result<(Key, Document), Problems> {
    let (mut report, node) = written.open();
    let section = node.and_then(|mut node| {
        if let (Some(name), Some(own)) = (name, name_key(kind)) {
            give_name(&mut report, &mut node, own, name);
        }
        walk::section(&mut report, &node, table_of(kind), At::root())
    });
    let kept = section.and_then(|section| {
        let own = name_key(kind).and_then(|key| section.text(key));
        let Some(name) = name.map(Into::into).or(own) else {
            let message = format!("nothing says which {} it is", kind.as_str());
            report.push("", None, message, None);
            return None;
        };
        keep(&mut report, kind, &name, &section)
    });
    report.finish(kept)
}

/// Reads a target in the form of seed 000, as the document of a target.
///
/// # Errors
/// Everything that is wrong with it.
pub fn seed_document(json: &Json) -> Result<(Key, Document), Problems> {
    let mut report = Report::of_body();
    let node = Node::from_json(json);
    let table = &super::schema::SEED_SERVER;
    let section = walk::section(&mut report, &node, table, At::root());
    let kept = section.and_then(|section| {
        let own = seed::native(&mut report, &section)?;
        let name = own.text("id")?;
        keep(&mut report, Kind::Target, &name, &own)
    });
    report.finish(kept)
}

/// Writes the name into the mapping, or reports that it has another.
fn give_name(report: &mut Report<'_>, node: &mut Node, key: &str, name: &str) {
    let node::Value::Map(entries) = &mut node.value else {
        return;
    };
    let said = entries.iter().find(|(there, _)| there.text == key);
    if let Some((there, value)) = said {
        let same = matches!(&value.value, node::Value::Scalar(text) if text.text == name);
        if !same {
            let at = At::root().entry(key, there.span, value.span);
            let message = format!("the {key} is {}, not `{name}`", value.describe());
            report.value(&at, message, Some("leave it out".to_owned()));
        }
        return;
    }
    let scalar = Scalar {
        text: name.to_owned(),
        quoted: Quoted::Yes,
    };
    let value = Node {
        span: node.span,
        value: node::Value::Scalar(scalar),
    };
    let key = node::Key {
        text: key.to_owned(),
        span: node.span,
    };
    entries.push((key, value));
}

/// A checked section as a document, if the rules between its keys hold.
fn keep(
    report: &mut Report<'_>,
    kind: Kind,
    name: &str,
    section: &Section,
) -> Option<(Key, Document)> {
    rules::check(report, kind, section);
    if kind == Kind::Defaults && name != DEFAULTS_NAME {
        let message = format!("there is one document of defaults, and it is named {DEFAULTS_NAME}");
        report.push("", None, message, None);
        return None;
    }
    let refused = |report: &mut Report<'_>, error: &dyn std::fmt::Display| {
        report.key(&section.at, format!("{}: {error}", kind.as_str()), None);
    };
    let key = Key::new(kind, name).map_err(|error| refused(report, &error));
    let body = canonical::json(section).to_string();
    let document = Document::new(&body, references(kind, section));
    let document = document.map_err(|error| refused(report, &error));
    Some((key.ok()?, document.ok()?))
}

/// What a document refers to.
fn references(kind: Kind, section: &Section) -> Vec<Key> {
    match kind {
        Kind::Target => {
            let group = section.text("group");
            let group = group.and_then(|name| Key::new(Kind::Group, &name).ok());
            group.into_iter().collect()
        }
        Kind::Group => {
            let receivers = section.names("receivers").iter();
            receivers
                .filter_map(|name| Key::new(Kind::Receiver, name).ok())
                .collect()
        }
        Kind::Defaults
        | Kind::Receiver
        | Kind::Silence
        | Kind::Token
        | Kind::Pause
        | Kind::Value => Vec::new(),
    }
}
