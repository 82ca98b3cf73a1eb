//! YAML as values, for the files of `deploy/`: documents, anchors and merge keys.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

/// A value; every scalar is its text.
#[derive(Clone, Debug)]
pub(super) enum Yaml {
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Yaml {
    /// What a mapping has under this name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let mut entries = self.entries().iter();
        entries.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// What lies at the end of this way through mappings.
    pub(super) fn at(&self, way: &str) -> Option<&Self> {
        way.split('/').try_fold(self, |yaml, name| yaml.get(name))
    }

    /// The entries of a mapping; none where it is something else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            Self::Text(_) | Self::List(_) => &[],
        }
    }

    /// The items of a list; none where it is something else.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Text(_) | Self::Map(_) => &[],
        }
    }

    /// A scalar.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::List(_) | Self::Map(_) => panic!("not a scalar: {self:?}"),
        }
    }

    /// A list of scalars, or the words of one.
    pub(super) fn texts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Self::List(list) => list.iter().map(|item| item.text().to_owned()).collect(),
            Self::Map(_) => panic!("not a list: {self:?}"),
        }
    }
}

/// The documents of a text.
pub(super) fn documents(file: &str, text: &str) -> Vec<Yaml> {
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, _)) => reader.take(event),
            Err(error) => panic!("{file}: {error}"),
        }
    }
    reader.documents
}

#[derive(Default)]
struct Reader {
    documents: Vec<Yaml>,
    /// Collections whose end was not seen yet, with their anchors.
    open: Vec<(usize, bool, Vec<Yaml>)>,
    anchors: BTreeMap<usize, Yaml>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Scalar(text, _, anchor, _) => self.add(anchor, Yaml::Text(text.into_owned())),
            Event::Alias(anchor) => self.add(0, self.anchors[&anchor].clone()),
            Event::SequenceStart(anchor, _) => self.open.push((anchor, false, Vec::new())),
            Event::MappingStart(anchor, _) => self.open.push((anchor, true, Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                let (anchor, is_map, items) = self.open.pop().unwrap();
                let value = if is_map {
                    mapping(items)
                } else {
                    Yaml::List(items)
                };
                self.add(anchor, value);
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }

    fn add(&mut self, anchor: usize, value: Yaml) {
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            Some((_, _, items)) => items.push(value),
            None => self.documents.push(value),
        }
    }
}

/// Keys and values in turn; what is merged in stands behind what is said here.
fn mapping(items: Vec<Yaml>) -> Yaml {
    let mut own: Vec<(String, Yaml)> = Vec::new();
    let mut merged = Vec::new();
    for pair in items.chunks(2) {
        let (key, value) = (pair[0].text(), pair[1].clone());
        if key == "<<" {
            merged.extend(value.entries().to_vec());
        } else {
            assert!(
                own.iter().all(|(known, _)| known != key),
                "{key} stands twice"
            );
            own.push((key.to_owned(), value));
        }
    }
    for (key, value) in merged {
        if own.iter().all(|(known, _)| *known != key) {
            own.push((key, value));
        }
    }
    Yaml::Map(own)
}
