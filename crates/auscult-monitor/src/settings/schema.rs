//! What settings there are, as data: read by the walker, the suggestions and the generated
//! `api/config.md`.

mod alerting;
mod history;
mod peer_metrics;
mod shared;
mod tables;

pub(super) use alerting::DEAD_MAN_SWITCH;
pub(super) use history::HISTORY;
pub(super) use peer_metrics::PEER_METRICS;
pub(super) use shared::{GROUP_DOCUMENT, NAMED, PAUSE, RECEIVER, SHARED, SILENCE, TOKEN, VALUE};
pub(super) use tables::{
    CREATED, DEFAULTS, DETECTOR, HEARTBEATS, HTTP, MEMBERSHIP, OBSERVER, PUSH, ROOT, SEED_MONITOR,
    SEED_SERVER, TARGET, TLS,
};

/// The keys that a mapping may have.
#[derive(Debug)]
pub(super) struct Table {
    /// What the mapping is, as a heading.
    pub(super) title: &'static str,
    /// Its name among the schemas of the OpenAPI document.
    pub(super) component: &'static str,
    /// A sentence or two about it.
    pub(super) doc: &'static str,
    /// The keys, in groups that tables share.
    pub(super) groups: &'static [&'static [Key]],
}

/// A key of a mapping.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) preset: Preset,
    pub(super) doc: &'static str,
    /// What other programs call it; suggested, not accepted.
    pub(super) elsewhere: &'static [&'static str],
    /// The detectors that have this key; empty when all have it.
    pub(super) detectors: &'static [&'static str],
}

/// What a value must be.
#[derive(Debug)]
pub(super) enum Kind {
    /// A duration within these milliseconds.
    Duration { ms_min: u64, ms_max: u64 },
    /// A whole number of milliseconds, as seed 000 has them.
    Millis { min: u64, max: u64 },
    /// A whole number.
    Count { min: u64, max: u64 },
    /// A whole number, or a word in its place.
    CountOr {
        min: u64,
        max: u64,
        word: &'static str,
    },
    /// A number from `min`, which itself counts or does not.
    Number { min: f64, max: f64, edge: Edge },
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The name of a target or signal.
    Name,
    /// A text of at most so many bytes.
    Text { bytes_max: usize },
    /// Where to check.
    Url,
    /// The path of a file, relative to the settings file.
    Path,
    /// A regular expression.
    Pattern,
    /// Status codes: `200`, `2xx`, `200-204`, or a list of them.
    Statuses,
    /// A list of names of other settings.
    Names,
    /// A list of texts.
    Words,
    /// A moment, as RFC 3339 writes it.
    Time,
    /// Texts by name, with the names that metric labels may have.
    Labels,
    /// Texts by name, with the names that HTTP headers may have.
    Headers,
    /// Texts by name, with the names that variables of a program may have.
    Variables,
    /// A mapping.
    Section(&'static Table),
    /// A list of mappings.
    List(&'static Table),
}

/// Whether a bound belongs to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    Included,
    Excluded,
}

/// What holds where a key is not given.
#[derive(Debug)]
pub(super) enum Preset {
    /// The key must be there.
    Required,
    /// Nothing; `null` says so over an inherited value.
    Nothing,
    /// This value, written as in a file.
    Value(&'static str),
    /// Depends on other values; in words.
    Rule(&'static str),
}

impl Kind {
    /// What a value must be, for messages and for the reference.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Duration { .. } => "a duration".into(),
            Self::Millis { .. } => "a whole number of milliseconds".into(),
            Self::Count { .. } => "a whole number".into(),
            Self::CountOr { word, .. } => format!("a whole number or `{word}`"),
            Self::Number { .. } => "a number".into(),
            Self::Flag => "true or false".into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Name => "a name".into(),
            Self::Text { .. } => "a text".into(),
            Self::Url => "a URL".into(),
            Self::Path => "the path of a file".into(),
            Self::Pattern => "a regular expression".into(),
            Self::Statuses => "status codes".into(),
            Self::Names => "a list of names".into(),
            Self::Words => "a list of texts".into(),
            Self::Time => "a time".into(),
            Self::Labels | Self::Headers | Self::Variables => "a mapping of names to texts".into(),
            Self::Section(_) => "a mapping".into(),
            Self::List(_) => "a list of mappings".into(),
        }
    }
}

impl Key {
    const fn new(name: &'static str, kind: Kind, preset: Preset, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            preset,
            doc,
            elsewhere: &[],
            detectors: &[],
        }
    }

    const fn elsewhere(mut self, names: &'static [&'static str]) -> Self {
        self.elsewhere = names;
        self
    }

    const fn only(mut self, detectors: &'static [&'static str]) -> Self {
        self.detectors = detectors;
        self
    }
}

impl Table {
    /// Every key.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.groups.iter().copied().flatten()
    }

    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// The way from here to a mapping below that has a key of that name: `http.tls`.
    pub(super) fn below(&self, name: &str) -> Option<String> {
        self.keys().find_map(|key| {
            let Kind::Section(table) = key.kind else {
                return None;
            };
            if table.key(name).is_some() {
                return Some(key.name.to_owned());
            }
            let rest = table.below(name)?;
            Some(format!("{}.{rest}", key.name))
        })
    }
}
