//! The one walk of the schema: nodes in, checked sections out, every problem reported.

use auscult_core::bounds::LABELS_PER_TARGET_MAX;
use hyper::header::{HeaderName, HeaderValue};

use super::node::{self, Node, shown};
use super::report::{At, Report};
use super::scalar::{self, Fault};
use super::schema::{Key, Kind, Preset, ROOT, SHARED, Table};
use super::section::{Entry, Section, Value};
use super::suggest::nearest;
use super::target::StatusRanges;

/// Texts that belong to a request itself.
const OUR_HEADERS: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
];

/// Label names that metrics give themselves.
const OUR_LABELS: [&str; 4] = ["target", "signal", "group", "server_name"];

/// Bytes of a label's text or a header's: more is no name for anything.
const TEXT_BYTES_MAX: usize = 4096;

/// Checks the mapping `node` against `table`. What is wrong is reported and left out; `None` when
/// it is no mapping at all.
pub(super) fn section(
    report: &mut Report<'_>,
    node: &Node,
    table: &'static Table,
    at: At,
) -> Option<Section> {
    let mut section = Section {
        table,
        at,
        entries: Vec::new(),
    };
    let node::Value::Map(entries) = &node.value else {
        not_a_mapping(report, node, table, &section.at);
        return None;
    };
    let mut guessed = Vec::new();
    for (name, value) in entries {
        let Some(key) = table.key(&name.text) else {
            let at = section.at.entry(&name.text, name.span, value.span);
            if let Some(meant) = unknown_key(report, &name.text, table, &at) {
                guessed.push(Entry {
                    name: meant,
                    at,
                    value: Value::Invalid,
                });
            }
            continue;
        };
        let at = section.at.known_entry(key.name, name.span, value.span);
        let value = entry(report, key, value, &at);
        section.entries.push(Entry {
            name: key.name,
            at,
            value,
        });
    }
    // What was meant is not missing as well.
    guessed.retain(|guess| section.entry(guess.name).is_none());
    section.entries.append(&mut guessed);
    for key in table.keys() {
        if matches!(key.preset, Preset::Required) && section.entry(key.name).is_none() {
            let hint = key.doc.split_inclusive(". ").next().unwrap_or(key.doc);
            let message = format!("`{}` is missing", key.name);
            report.key(&section.at, message, Some(hint.trim_end().to_owned()));
        }
    }
    Some(section)
}

fn entry(report: &mut Report<'_>, key: &'static Key, node: &Node, at: &At) -> Value {
    let value = match (&key.kind, &node.value) {
        (_, node::Value::Null) => return nothing(report, key, at),
        (Kind::Section(table), _) => {
            let section = section(report, node, table, at.clone());
            return section.map_or(Value::Invalid, Value::Section);
        }
        (Kind::List(table), node::Value::List(items)) => {
            let items = items.iter().enumerate();
            let section =
                |(index, item): (_, &Node)| section(report, item, table, at.item(index, item.span));
            return Value::List(items.filter_map(section).collect());
        }
        (Kind::Labels, node::Value::Map(entries)) => texts(report, entries, at, label),
        (Kind::Headers, node::Value::Map(entries)) => texts(report, entries, at, header),
        (Kind::Variables, node::Value::Map(entries)) => texts(report, entries, at, variable),
        (Kind::Statuses, node::Value::List(items)) => return statuses(report, items, at),
        (Kind::Names, node::Value::List(items)) => return names(report, items, at),
        (Kind::Words, node::Value::List(items)) => return words(report, items, at),
        (kind, node::Value::Scalar(scalar)) => {
            scalar::read(kind, scalar).and_then(|value| existing(report, value))
        }
        (_, node::Value::List(_) | node::Value::Map(_)) => Err(Fault {
            message: format!(
                "expected {}, found {}",
                key.kind.describe(),
                node.describe()
            ),
            hint: matches!(key.kind, Kind::List(_) | Kind::Names | Kind::Words)
                .then(|| "begin each item with `- `".to_owned()),
        }),
    };
    value.unwrap_or_else(|Fault { message, hint }| {
        report.value(at, format!("{}: {message}", key.name), hint);
        Value::Invalid
    })
}

/// The value, if the file that it may name is there.
fn existing(report: &Report<'_>, value: Value) -> Result<Value, Fault> {
    let Value::Path(path) = value else {
        return Ok(value);
    };
    report
        .existing_file(&path)
        .map(Value::Path)
        .map_err(|message| {
            let hint = "a relative path begins at the folder of the settings file";
            Fault::new(message, hint)
        })
}

/// `null`, or a key without a value.
fn nothing(report: &mut Report<'_>, key: &'static Key, at: &At) -> Value {
    match key.preset {
        Preset::Nothing => Value::Nothing,
        Preset::Required | Preset::Value(_) | Preset::Rule(_) => {
            let message = format!("`{}` has no value", key.name);
            let hint = "write one after the colon, or leave the key out";
            report.key(at, message, Some(hint.to_owned()));
            Value::Invalid
        }
    }
}

fn names(report: &mut Report<'_>, items: &[Node], at: &At) -> Value {
    let mut names: Vec<Box<str>> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let at = at.item(index, item.span);
        match single_text(&Kind::Name, item) {
            Ok(name) if names.contains(&name) => {
                report.value(&at, format!("`{name}` stands twice"), None);
            }
            Ok(name) => names.push(name),
            Err(Fault { message, hint }) => report.value(&at, message, hint),
        }
    }
    Value::Names(names)
}

fn words(report: &mut Report<'_>, items: &[Node], at: &At) -> Value {
    let kind = Kind::Text {
        bytes_max: TEXT_BYTES_MAX,
    };
    let mut words = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match single_text(&kind, item) {
            Ok(word) => words.push(word),
            Err(Fault { message, hint }) => report.value(&at.item(index, item.span), message, hint),
        }
    }
    Value::Names(words)
}

fn single_text(kind: &Kind, item: &Node) -> Result<Box<str>, Fault> {
    if let node::Value::Scalar(scalar) = &item.value
        && let Value::Text(text) = scalar::read(kind, scalar)?
    {
        return Ok(text);
    }
    Err(Fault {
        message: format!("expected {}, found {}", kind.describe(), item.describe()),
        hint: None,
    })
}

fn statuses(report: &mut Report<'_>, items: &[Node], at: &At) -> Value {
    let mut ranges = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let range = match &item.value {
            node::Value::Scalar(scalar) => scalar::statuses(&scalar.text),
            node::Value::Null | node::Value::List(_) | node::Value::Map(_) => Err(Fault::new(
                format!("expected a status code, found {}", item.describe()),
                "write `200`, `2xx` or `200-204`",
            )),
        };
        match range {
            Ok(range) => ranges.push(range),
            Err(Fault { message, hint }) => {
                report.value(&at.item(index, item.span), message, hint);
            }
        }
    }
    if items.is_empty() {
        let hint = "leave the key out to take any 2xx".to_owned();
        report.value(at, "no status would be good".into(), Some(hint));
    }
    Value::Statuses(StatusRanges::new(ranges))
}

/// Reads a mapping of texts, each checked by `rule`, which may also rewrite the name.
fn texts(
    report: &mut Report<'_>,
    entries: &[(node::Key, Node)],
    at: &At,
    rule: fn(&str, &str) -> Result<Box<str>, Fault>,
) -> Result<Value, Fault> {
    if entries.len() > LABELS_PER_TARGET_MAX {
        let count = entries.len();
        return Err(Fault {
            message: format!("{count} entries; {LABELS_PER_TARGET_MAX} are the most"),
            hint: None,
        });
    }
    let mut texts: Vec<(Box<str>, Option<Box<str>>)> = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        let at = at.entry(&key.text, key.span, node.span);
        let text = match &node.value {
            node::Value::Null => None,
            node::Value::Scalar(scalar) => Some(scalar.text.as_str()),
            node::Value::List(_) | node::Value::Map(_) => {
                let message = format!("expected a text, found {}", node.describe());
                report.value(&at, message, None);
                continue;
            }
        };
        match rule(&key.text, text.unwrap_or_default()) {
            Ok(name) if texts.iter().any(|(there, _)| *there == name) => {
                report.key(&at, format!("`{name}` stands twice"), None);
            }
            Ok(name) => texts.push((name, text.map(Into::into))),
            Err(Fault { message, hint }) => report.key(&at, message, hint),
        }
    }
    Ok(Value::Texts(texts))
}

fn variable(name: &str, text: &str) -> Result<Box<str>, Fault> {
    let shown = shown(name);
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let first = name.bytes().next();
    if !letters || first.is_none_or(|b| b.is_ascii_digit()) || name.len() > 128 {
        let message = format!("`{shown}` cannot be the name of a variable");
        return Err(Fault::new(
            message,
            "letters, digits and `_`, a letter first",
        ));
    }
    match text.len() {
        bytes if bytes > TEXT_BYTES_MAX => Err(Fault {
            message: format!("the text has {bytes} bytes; {TEXT_BYTES_MAX} are the most"),
            hint: None,
        }),
        _ => Ok(name.into()),
    }
}

fn label(name: &str, text: &str) -> Result<Box<str>, Fault> {
    let shown = shown(name);
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let first = name.bytes().next();
    if !letters || first.is_none_or(|b| b.is_ascii_digit()) || name.len() > 128 {
        let message = format!("`{shown}` cannot be the name of a label");
        let hint = "letters, digits and `_`, a letter first, at most 128: metrics allow no more";
        return Err(Fault::new(message, hint));
    }
    if name.starts_with("__") || OUR_LABELS.contains(&name) {
        let message = format!("the label name `{shown}` is taken by the metrics themselves");
        return Err(Fault::new(message, "choose another name"));
    }
    match text.len() {
        bytes if bytes > TEXT_BYTES_MAX => Err(Fault {
            message: format!("the label has {bytes} bytes; {TEXT_BYTES_MAX} are the most"),
            hint: None,
        }),
        _ => Ok(name.into()),
    }
}

fn header(name: &str, text: &str) -> Result<Box<str>, Fault> {
    let shown = shown(name);
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        let message = format!("`{shown}` is no name of a header");
        return Err(Fault {
            message,
            hint: None,
        });
    };
    if OUR_HEADERS.contains(&parsed.as_str()) {
        let message = format!("the header `{shown}` is set by the check itself");
        return Err(Fault::new(message, "see `connection` and `body`"));
    }
    if HeaderValue::from_str(text).is_err() || text.len() > TEXT_BYTES_MAX {
        let message = format!("the text of `{shown}` cannot be sent as a header");
        let hint = format!("one line of visible characters, at most {TEXT_BYTES_MAX} bytes");
        return Err(Fault::new(message, hint));
    }
    Ok(parsed.as_str().into())
}

fn not_a_mapping(report: &mut Report<'_>, node: &Node, table: &'static Table, at: &At) {
    let keys: Vec<_> = table.keys().take(4).map(|key| key.name).collect();
    let message = format!("expected a mapping, found {}", node.describe());
    let hint = format!("it has keys like {}", keys.join(", "));
    let mut at = at.clone();
    at.value = node.span;
    report.value(&at, message, Some(hint));
}

/// Reports the key `name`, and returns the key that was meant, if that is clear.
fn unknown_key(
    report: &mut Report<'_>,
    name: &str,
    table: &'static Table,
    at: &At,
) -> Option<&'static str> {
    let whole = [&raw const ROOT, &raw const SHARED].contains(&std::ptr::from_ref(table));
    if whole && name.starts_with("x-") {
        return None;
    }
    if report.is_full() {
        report.key(at, String::new(), None);
        return None;
    }
    let (meant, hint) = meant(name, table);
    report.key(at, format!("unknown key `{}`", shown(name)), Some(hint));
    meant
}

/// Which key of `table` was probably meant by `name`, and how to say so.
fn meant(name: &str, table: &'static Table) -> (Option<&'static str>, String) {
    if std::ptr::eq(table, &raw const SHARED) && ROOT.key(name).is_some() {
        let hint = "it concerns one monitor: it stands in the file that `--config` names";
        return (None, hint.to_owned());
    }
    if std::ptr::eq(table, &raw const ROOT) && SHARED.key(name).is_some() {
        let hint = "all monitors share it: `auscult apply -f FILE` puts it there";
        return (None, hint.to_owned());
    }
    if let Some(section) = table.below(name) {
        return (None, format!("`{name}` belongs under `{section}`"));
    }
    if let Some(key) = nearest(name, table.keys().map(|key| key.name)) {
        return (Some(key), format!("did you mean `{key}`?"));
    }
    let elsewhere = table.keys().flat_map(|key| key.elsewhere.iter().copied());
    let other = nearest(name, elsewhere);
    let key = other.and_then(|other| table.keys().find(|key| key.elsewhere.contains(&other)));
    match (other, key) {
        (Some(other), Some(key)) => {
            let called = format!("it is called `{}` here", key.name);
            let hint = match other == name {
                true => called,
                false => format!("did you mean `{other}`? {called}"),
            };
            (Some(key.name), hint)
        }
        _ => {
            let names: Vec<_> = table.keys().map(|key| key.name).collect();
            (None, format!("the keys here are {}", names.join(", ")))
        }
    }
}
