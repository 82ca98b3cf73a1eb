//! The tree that YAML files and JSON bodies are turned into before the schema looks at them.

use serde_json::Value as Json;

use super::problem::Span;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// `None` in a JSON body.
    pub(super) span: Option<Span>,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the text; keys are distinct.
    Map(Vec<(Key, Node)>),
}

/// A single value. What an unquoted one means is for the schema to say, so that a label `no` stays
/// a text and an id `10` becomes one.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) quoted: Quoted,
}

/// Whether a scalar was written as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoted {
    /// In quotes or as a block of YAML; a JSON string.
    Yes,
    /// A plain word of YAML, which may be text or not; a number or boolean of JSON.
    No,
}

/// The key of an entry.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) span: Option<Span>,
}

impl Node {
    /// The tree of a JSON body. Its depth is bounded by the parser of `serde_json` (128).
    pub(super) fn from_json(json: &Json) -> Self {
        let scalar = |text: String, quoted| Value::Scalar(Scalar { text, quoted });
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => scalar(flag.to_string(), Quoted::No),
            Json::Number(number) => scalar(number.to_string(), Quoted::No),
            Json::String(text) => scalar(text.clone(), Quoted::Yes),
            Json::Array(items) => Value::List(items.iter().map(Self::from_json).collect()),
            Json::Object(entries) => {
                let entry = |(text, value): (&String, &Json)| {
                    let text = text.clone();
                    (Key { text, span: None }, Self::from_json(value))
                };
                Value::Map(entries.iter().map(entry).collect())
            }
        };
        Self { span: None, value }
    }

    /// How many values it holds, itself included.
    pub(super) fn count(&self) -> usize {
        match &self.value {
            Value::Null | Value::Scalar(_) => 1,
            Value::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|(_, v)| v.count()).sum::<usize>(),
        }
    }

    /// How many levels it has, itself included.
    pub(super) fn depth(&self) -> usize {
        1 + match &self.value {
            Value::Null | Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(entries) => entries.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
        }
    }

    /// What it is, for a message.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Scalar(scalar) => scalar.describe(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a mapping".into(),
        }
    }
}

impl Scalar {
    /// What it is, for a message.
    pub(super) fn describe(&self) -> String {
        match self.quoted {
            Quoted::Yes => format!("the text \"{}\"", shown(&self.text)),
            Quoted::No => format!("`{}`", shown(&self.text)),
        }
    }
}

/// A text of a user in a message: on one line, and no longer than a message bears.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut start = text.chars();
    let mut shown: String = start
        .by_ref()
        .take(CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if start.next().is_some() {
        shown.push_str("...");
    }
    shown
}
