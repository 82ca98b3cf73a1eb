//! Mappings whose entries were checked against their table, and how they are laid over each other.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::node::{Quoted, Scalar};
use super::report::At;
use super::scalar;
use super::schema::{Preset, Table};
use super::target::{Pattern, StatusRanges};
use super::url::CheckUrl;

/// A checked mapping.
#[derive(Clone)]
pub(super) struct Section {
    pub(super) table: &'static Table,
    pub(super) at: At,
    pub(super) entries: Vec<Entry>,
}

/// Two say the same when their entries do; the table only says what could be said.
impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.iter();
        f.debug_map()
            .entries(entries.map(|entry| (entry.name, &entry.value)))
            .finish()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) at: At,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// It was wrong and a problem was reported.
    Invalid,
    /// `null`: none, whatever was inherited.
    Nothing,
    Duration(Duration),
    Count(u64),
    Number(f64),
    Flag(bool),
    /// One of a choice's words.
    Word(&'static str),
    Text(Box<str>),
    Path(PathBuf),
    Url(CheckUrl),
    Pattern(Pattern),
    Statuses(StatusRanges),
    Names(Vec<Box<str>>),
    Time(jiff::Timestamp),
    /// By name; `None` takes an inherited one away.
    Texts(Vec<(Box<str>, Option<Box<str>>)>),
    Section(Section),
    List(Vec<Section>),
}

impl Section {
    /// A section in which nothing is said.
    pub(super) fn empty(table: &'static Table) -> Self {
        Self {
            table,
            at: At::root(),
            entries: Vec::new(),
        }
    }

    /// The entry of that name, right or wrong.
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Where `name` is said, or else where it could be.
    pub(super) fn at(&self, name: &str) -> &At {
        self.entry(name).map_or(&self.at, |entry| &entry.at)
    }

    /// The value of that name: as said, or else its preset, or else [`Value::Nothing`].
    pub(super) fn value(&self, name: &str) -> Value {
        match self.entry(name).map(|entry| &entry.value) {
            Some(Value::Invalid) | None => self.preset(name),
            Some(value) => value.clone(),
        }
    }

    fn preset(&self, name: &str) -> Value {
        let key = self.table.key(name);
        debug_assert!(key.is_some(), "{} has no key {name}", self.table.title);
        match key.map(|key| (&key.kind, &key.preset)) {
            Some((kind, Preset::Value(text))) => {
                let text = (*text).to_owned();
                let quoted = Quoted::No;
                let read = scalar::read(kind, &Scalar { text, quoted });
                debug_assert!(read.is_ok(), "the preset of {name} is none");
                read.unwrap_or(Value::Nothing)
            }
            Some((_, Preset::Required | Preset::Nothing | Preset::Rule(_))) | None => {
                Value::Nothing
            }
        }
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        let Value::Duration(span) = self.value(name) else {
            return None;
        };
        Some(span)
    }

    pub(super) fn count(&self, name: &str) -> Option<u64> {
        let Value::Count(count) = self.value(name) else {
            return None;
        };
        Some(count)
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let Value::Number(number) = self.value(name) else {
            return None;
        };
        Some(number)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.value(name) == Value::Flag(true)
    }

    pub(super) fn word(&self, name: &str) -> &'static str {
        let Value::Word(word) = self.value(name) else {
            return "";
        };
        word
    }

    pub(super) fn text(&self, name: &str) -> Option<Box<str>> {
        let Value::Text(text) = self.value(name) else {
            return None;
        };
        Some(text)
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        let Value::Path(path) = self.value(name) else {
            return None;
        };
        Some(path)
    }

    pub(super) fn url(&self, name: &str) -> Option<&CheckUrl> {
        let Value::Url(url) = &self.entry(name)?.value else {
            return None;
        };
        Some(url)
    }

    pub(super) fn pattern(&self, name: &str) -> Option<&Pattern> {
        let Value::Pattern(pattern) = &self.entry(name)?.value else {
            return None;
        };
        Some(pattern)
    }

    pub(super) fn statuses(&self, name: &str) -> Option<StatusRanges> {
        let Value::Statuses(ranges) = self.value(name) else {
            return None;
        };
        Some(ranges)
    }

    pub(super) fn names(&self, name: &str) -> &[Box<str>] {
        match self.entry(name).map(|entry| &entry.value) {
            Some(Value::Names(names)) => names,
            _ => &[],
        }
    }

    pub(super) fn time(&self, name: &str) -> Option<jiff::Timestamp> {
        let Value::Time(time) = self.value(name) else {
            return None;
        };
        Some(time)
    }

    /// The texts by name, without those that were taken away.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let texts: &[_] = match self.entry(name).map(|entry| &entry.value) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        };
        texts
            .iter()
            .filter_map(|(name, text)| Some((&**name, text.as_deref()?)))
    }

    /// The section of that name, or an empty one that stands where this one does.
    pub(super) fn section(&self, name: &str, table: &'static Table) -> Self {
        match self.entry(name).map(|entry| &entry.value) {
            Some(Value::Section(section)) => section.clone(),
            _ => Self {
                at: self.at(name).clone(),
                ..Self::empty(table)
            },
        }
    }

    /// The sections of the list of that name.
    pub(super) fn list(&self, name: &str) -> &[Self] {
        match self.entry(name).map(|entry| &entry.value) {
            Some(Value::List(sections)) => sections,
            _ => &[],
        }
    }

    /// Whether something is said under that name, be it wrong.
    pub(super) fn says(&self, name: &str) -> bool {
        self.entry(name)
            .is_some_and(|entry| entry.value != Value::Nothing)
    }

    /// This section with what `base` says where it says nothing itself. What `base` says under keys
    /// that this section does not know is left out.
    pub(super) fn over(&self, base: &Self) -> Self {
        let mut entries: Vec<Entry> = Vec::with_capacity(self.entries.len() + base.entries.len());
        let known = |entry: &&Entry| self.table.key(entry.name).is_some();
        for below in base.entries.iter().filter(known) {
            match self.entry(below.name) {
                Some(own) => entries.push(Entry {
                    value: laid_over(&own.value, &below.value),
                    ..own.clone()
                }),
                None if self.replaces(below.name) => {}
                None => entries.push(below.clone()),
            }
        }
        let own = self.entries.iter();
        entries.extend(own.filter(|own| base.entry(own.name).is_none()).cloned());
        Self {
            table: self.table,
            at: self.at.clone(),
            entries,
        }
    }

    /// A window and a decay are two answers to one question: the nearer one counts.
    fn replaces(&self, name: &str) -> bool {
        match name {
            "window" => self.says("decay"),
            "decay" => self.says("window"),
            _ => false,
        }
    }
}

fn laid_over(own: &Value, below: &Value) -> Value {
    match (own, below) {
        (Value::Section(own), Value::Section(below)) => {
            // The keys of one kind of detector mean nothing to another kind.
            match own.says("kind") && own.word("kind") != below.word("kind") {
                true => Value::Section(own.clone()),
                false => Value::Section(own.over(below)),
            }
        }
        (Value::Texts(own), Value::Texts(below)) => {
            let inherited = |(name, _): &&(Box<str>, _)| own.iter().all(|(own, _)| own != name);
            let mut texts: Vec<_> = below.iter().filter(inherited).cloned().collect();
            texts.extend(own.iter().cloned());
            Value::Texts(texts)
        }
        _ => own.clone(),
    }
}
