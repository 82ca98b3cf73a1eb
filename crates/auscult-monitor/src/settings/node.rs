//! The tree that YAML files and JSON bodies are turned into before the schema looks at them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value as Json};

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

    /// The value of a key, where it is a mapping that has it.
    pub(super) fn entry_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Value::Map(entries) = &mut self.value else {
            return None;
        };
        let found = entries.iter_mut().find(|(there, _)| there.text == key);
        found.map(|(_, node)| node)
    }

    /// Lets go of the entries of a mapping that have none of these keys.
    pub(super) fn keep_entries(&mut self, keys: &[&str]) {
        if let Value::Map(entries) = &mut self.value {
            entries.retain(|(key, _)| keys.contains(&key.text.as_str()));
        }
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

/// The same tree as by way of [`Node::from_json`], read from the text at once.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(Reader)?;
        Ok(Self { span: None, value })
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(unquoted(flag.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(unquoted(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(unquoted(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        let number = Number::from_f64(number);
        Ok(number.map_or(Value::Null, |number| unquoted(number.to_string())))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        let quoted = Quoted::Yes;
        Ok(Value::Scalar(Scalar { text, quoted }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map: Vec<(Key, Node)> = Vec::new();
        while let Some((text, node)) = entries.next_entry()? {
            map.push((Key { text, span: None }, node));
        }
        // Of a key that stands twice the last one counts.
        map.reverse();
        map.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
        map.dedup_by(|(later, _), (kept, _)| later.text == kept.text);
        Ok(Value::Map(map))
    }
}

fn unquoted(text: String) -> Value {
    let quoted = Quoted::No;
    Value::Scalar(Scalar { text, quoted })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gives_the_same_tree_as_its_value() {
        for text in [
            "null",
            "[true, false, 1, -2, 1.5, 1e300, 18446744073709551615, \"a\\nb\", [], {}]",
            "{\"b\": {\"c\": [1]}, \"a\": 0, \"b\": 2, \"\": null}",
        ] {
            let json: Json = serde_json::from_str(text).unwrap();
            let node: Node = serde_json::from_str(text).unwrap();
            let by_value = format!("{:?}", Node::from_json(&json));
            assert_eq!(format!("{node:?}"), by_value, "{text}");
        }
        assert!(serde_json::from_str::<Node>("{\"a\": 1").is_err());
    }
}
