//! Changes, answers and settings in the form in which they stand in the log, in snapshots and in
//! messages between monitors: JSON that a later version still reads.

use std::borrow::Cow;
use std::sync::Arc;

use auscult_core::id::IdError;
use auscult_core::monitor::registry::{
    Action, Author, Change, ChangeId, Document, DocumentError, Edit, Entry, Expect, Key, Kind,
    Outcome, Refusal, Registry, Revision, Setting, WallMillis,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A change, as it is proposed to the group. Clones share it: it goes into the log, to each other
/// monitor, and to the registry, and may have as many edits as there are settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(pub Arc<Change>);

impl From<Change> for Command {
    fn from(change: Change) -> Self {
        Self(Arc::new(change))
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ChangeRecord::from(&*self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = ChangeRecord::deserialize(deserializer)?;
        record.try_into().map_err(D::Error::custom)
    }
}

/// What the group answers to a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnswerRecord", into = "AnswerRecord")]
pub enum Answer {
    /// What came of a change.
    Decided(Result<Outcome, Refusal>),
    /// The entry was no change: a new leader's first word, or a change of the group itself.
    NoChange,
}

/// Why a record is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<IdError> for Malformed {
    fn from(error: IdError) -> Self {
        Self(error.to_string())
    }
}

impl From<DocumentError> for Malformed {
    fn from(error: DocumentError) -> Self {
        Self(error.to_string())
    }
}

/// Texts are borrowed: a change may have as many edits as there are settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ChangeRecord<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(borrow)]
    author: Cow<'a, str>,
    at_ms: i64,
    #[serde(borrow)]
    edits: Vec<EditRecord<'a>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct EditRecord<'a> {
    #[serde(borrow)]
    key: KeyRecord<'a>,
    /// Nothing: it shall be gone.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    document: Option<DocumentRecord<'a>>,
    #[serde(default)]
    expect: ExpectRecord,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExpectRecord {
    #[default]
    Anything,
    Nothing,
    Something,
    Revision(u64),
}

/// A kind and a name.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeyRecord<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>);

/// The same, of a refusal, which has two at most.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeyText(String, String);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DocumentRecord<'a> {
    #[serde(borrow)]
    body: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    refers: Vec<KeyRecord<'a>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OutcomeRecord {
    revision: u64,
    created: usize,
    replaced: usize,
    deleted: usize,
    unchanged: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefusalRecord {
    Condition {
        key: KeyText,
        expected: ExpectRecord,
        found: Option<u64>,
    },
    NamedTwice {
        key: KeyText,
    },
    RefersToNothing {
        key: KeyText,
        to: KeyText,
    },
    ReferredTo {
        key: KeyText,
        by: KeyText,
    },
    Circle {
        key: KeyText,
    },
    Full,
    TooManyEdits {
        edits: usize,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnswerRecord {
    Made(OutcomeRecord),
    Refused(RefusalRecord),
    NoChange,
}

/// A whole registry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RegistryRecord<'a> {
    revision: u64,
    at_ms: i64,
    #[serde(borrow)]
    settings: Vec<SettingRecord<'a>>,
    #[serde(borrow)]
    history: Vec<EntryRecord<'a>>,
    answered: Vec<(String, AnswerRecord)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SettingRecord<'a> {
    #[serde(borrow)]
    key: KeyRecord<'a>,
    #[serde(borrow)]
    document: DocumentRecord<'a>,
    revision: u64,
    created: u64,
    #[serde(borrow)]
    author: Cow<'a, str>,
    at_ms: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct EntryRecord<'a> {
    revision: u64,
    #[serde(borrow)]
    author: Cow<'a, str>,
    at_ms: i64,
    #[serde(borrow)]
    edits: Vec<(KeyRecord<'a>, Cow<'a, str>)>,
    more: usize,
}

impl<'a> From<&'a Registry> for RegistryRecord<'a> {
    fn from(registry: &'a Registry) -> Self {
        let settings = registry.settings().map(|(key, setting)| SettingRecord {
            key: key.into(),
            document: (&setting.document).into(),
            revision: setting.revision.number(),
            created: setting.created.number(),
            author: setting.author.as_str().into(),
            at_ms: setting.at.0,
        });
        let history = registry.history(Revision::NONE).map(|entry| EntryRecord {
            revision: entry.revision.number(),
            author: entry.author.as_str().into(),
            at_ms: entry.at.0,
            edits: (entry.edits.iter())
                .map(|(key, action)| (key.into(), action.as_str().into()))
                .collect(),
            more: entry.more,
        });
        let answered = registry.answered().map(|(id, answer)| {
            let answer = Answer::Decided(answer.clone());
            (id_text(*id), answer.into())
        });
        Self {
            revision: registry.revision().number(),
            at_ms: registry.at().0,
            settings: settings.collect(),
            history: history.collect(),
            answered: answered.collect(),
        }
    }
}

impl TryFrom<RegistryRecord<'_>> for Registry {
    type Error = Malformed;

    fn try_from(record: RegistryRecord<'_>) -> Result<Self, Malformed> {
        let mut before = None;
        let mut author_before = Author::new("");
        let settings: Result<Vec<_>, Malformed> = (record.settings.into_iter())
            .map(|setting| {
                if author_before.as_str() != setting.author {
                    author_before = Author::new(&setting.author);
                }
                let known = Setting {
                    document: document(&setting.document, &mut before)?,
                    revision: Revision::new(setting.revision),
                    created: Revision::new(setting.created),
                    author: author_before.clone(),
                    at: WallMillis(setting.at_ms),
                };
                Ok((setting.key.try_into()?, known))
            })
            .collect();
        let history: Result<Vec<Entry>, Malformed> =
            record.history.into_iter().map(TryInto::try_into).collect();
        let answered: Result<Vec<_>, Malformed> = (record.answered.into_iter())
            .map(|(id, answer)| match Answer::try_from(answer)? {
                Answer::Decided(answer) => Ok((id_of(&id)?, answer)),
                Answer::NoChange => Err(Malformed("an answer to no change has an id".to_owned())),
            })
            .collect();
        Ok(Self::restore(
            Revision::new(record.revision),
            WallMillis(record.at_ms),
            settings?,
            history?,
            answered?,
        ))
    }
}

/// A whole registry, for a store of another kind.
///
/// # Errors
/// What has no form in JSON: nothing, as records have only texts as keys. State: nothing was
/// changed.
pub(crate) fn registry_to_json(registry: &Registry) -> Result<Vec<u8>, Malformed> {
    let record = RegistryRecord::from(registry);
    serde_json::to_vec(&record).map_err(|error| Malformed(error.to_string()))
}

/// What [`registry_to_json`] made.
///
/// # Errors
/// What is not ours. State: nothing was changed.
pub(crate) fn registry_from_json(bytes: &[u8]) -> Result<Registry, Malformed> {
    let record: Result<RegistryRecord<'_>, _> = serde_json::from_slice(bytes);
    record
        .map_err(|error| Malformed(error.to_string()))?
        .try_into()
}

impl TryFrom<EntryRecord<'_>> for Entry {
    type Error = Malformed;

    fn try_from(record: EntryRecord<'_>) -> Result<Self, Malformed> {
        let edits: Result<Vec<(Key, Action)>, Malformed> = (record.edits.into_iter())
            .map(|(key, action)| {
                let known = Action::ALL
                    .into_iter()
                    .find(|known| known.as_str() == action);
                let known = known.ok_or_else(|| Malformed(format!("there is no action {action}")));
                Ok((key.try_into()?, known?))
            })
            .collect();
        Ok(Self {
            revision: Revision::new(record.revision),
            author: Author::new(&record.author),
            at: WallMillis(record.at_ms),
            edits: edits?,
            more: record.more,
        })
    }
}

impl<'a> From<&'a Change> for ChangeRecord<'a> {
    fn from(change: &'a Change) -> Self {
        let edits = change.edits.iter().map(|edit| match edit {
            Edit::Put {
                key,
                document,
                expect,
            } => EditRecord {
                key: key.into(),
                document: Some(document.into()),
                expect: (*expect).into(),
            },
            Edit::Delete { key, expect } => EditRecord {
                key: key.into(),
                document: None,
                expect: (*expect).into(),
            },
        });
        Self {
            id: change.id.map(id_text),
            author: change.author.as_str().into(),
            at_ms: change.at.0,
            edits: edits.collect(),
        }
    }
}

impl TryFrom<ChangeRecord<'_>> for Command {
    type Error = Malformed;

    fn try_from(record: ChangeRecord<'_>) -> Result<Self, Malformed> {
        let mut before = None;
        let edits: Result<Vec<Edit>, Malformed> = (record.edits.into_iter())
            .map(|edit| {
                let (key, expect) = (edit.key.try_into()?, edit.expect.into());
                Ok(match edit.document {
                    Some(found) => Edit::Put {
                        key,
                        document: document(&found, &mut before)?,
                        expect,
                    },
                    None => Edit::Delete { key, expect },
                })
            })
            .collect();
        Ok(Self::from(Change {
            id: record.id.as_deref().map(id_of).transpose()?,
            author: Author::new(&record.author),
            at: WallMillis(record.at_ms),
            edits: edits?,
        }))
    }
}

impl From<Answer> for AnswerRecord {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Decided(Ok(outcome)) => Self::Made(OutcomeRecord {
                revision: outcome.revision.number(),
                created: outcome.created,
                replaced: outcome.replaced,
                deleted: outcome.deleted,
                unchanged: outcome.unchanged,
            }),
            Answer::Decided(Err(refusal)) => Self::Refused(refusal.into()),
            Answer::NoChange => Self::NoChange,
        }
    }
}

impl TryFrom<AnswerRecord> for Answer {
    type Error = Malformed;

    fn try_from(record: AnswerRecord) -> Result<Self, Malformed> {
        Ok(match record {
            AnswerRecord::Made(outcome) => Self::Decided(Ok(Outcome {
                revision: Revision::new(outcome.revision),
                created: outcome.created,
                replaced: outcome.replaced,
                deleted: outcome.deleted,
                unchanged: outcome.unchanged,
            })),
            AnswerRecord::Refused(refusal) => Self::Decided(Err(refusal.try_into()?)),
            AnswerRecord::NoChange => Self::NoChange,
        })
    }
}

impl From<Refusal> for RefusalRecord {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Condition {
                key,
                expected,
                found,
            } => Self::Condition {
                key: (&key).into(),
                expected: expected.into(),
                found: found.map(Revision::number),
            },
            Refusal::NamedTwice { key } => Self::NamedTwice { key: (&key).into() },
            Refusal::RefersToNothing { key, to } => Self::RefersToNothing {
                key: (&key).into(),
                to: (&to).into(),
            },
            Refusal::ReferredTo { key, by } => Self::ReferredTo {
                key: (&key).into(),
                by: (&by).into(),
            },
            Refusal::Circle { key } => Self::Circle { key: (&key).into() },
            Refusal::Full => Self::Full,
            Refusal::TooManyEdits { edits } => Self::TooManyEdits { edits },
        }
    }
}

impl TryFrom<RefusalRecord> for Refusal {
    type Error = Malformed;

    fn try_from(record: RefusalRecord) -> Result<Self, Malformed> {
        Ok(match record {
            RefusalRecord::Condition {
                key,
                expected,
                found,
            } => Self::Condition {
                key: key.try_into()?,
                expected: expected.into(),
                found: found.map(Revision::new),
            },
            RefusalRecord::NamedTwice { key } => Self::NamedTwice {
                key: key.try_into()?,
            },
            RefusalRecord::RefersToNothing { key, to } => Self::RefersToNothing {
                key: key.try_into()?,
                to: to.try_into()?,
            },
            RefusalRecord::ReferredTo { key, by } => Self::ReferredTo {
                key: key.try_into()?,
                by: by.try_into()?,
            },
            RefusalRecord::Circle { key } => Self::Circle {
                key: key.try_into()?,
            },
            RefusalRecord::Full => Self::Full,
            RefusalRecord::TooManyEdits { edits } => Self::TooManyEdits { edits },
        })
    }
}

impl From<Expect> for ExpectRecord {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Anything => Self::Anything,
            Expect::Nothing => Self::Nothing,
            Expect::Something => Self::Something,
            Expect::Revision(revision) => Self::Revision(revision.number()),
        }
    }
}

impl From<ExpectRecord> for Expect {
    fn from(record: ExpectRecord) -> Self {
        match record {
            ExpectRecord::Anything => Self::Anything,
            ExpectRecord::Nothing => Self::Nothing,
            ExpectRecord::Something => Self::Something,
            ExpectRecord::Revision(revision) => Self::Revision(Revision::new(revision)),
        }
    }
}

impl<'a> From<&'a Key> for KeyRecord<'a> {
    fn from(key: &'a Key) -> Self {
        Self(key.kind().as_str().into(), key.name().into())
    }
}

impl From<&Key> for KeyText {
    fn from(key: &Key) -> Self {
        Self(key.kind().as_str().to_owned(), key.name().to_owned())
    }
}

impl TryFrom<KeyText> for Key {
    type Error = Malformed;

    fn try_from(KeyText(kind, name): KeyText) -> Result<Self, Malformed> {
        KeyRecord(kind.into(), name.into()).try_into()
    }
}

impl TryFrom<KeyRecord<'_>> for Key {
    type Error = Malformed;

    fn try_from(KeyRecord(kind, name): KeyRecord<'_>) -> Result<Self, Malformed> {
        let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        let known =
            known.ok_or_else(|| Malformed(format!("there are no settings of kind {kind}")))?;
        Ok(Self::new(known, &name)?)
    }
}

impl<'a> From<&'a Document> for DocumentRecord<'a> {
    fn from(document: &'a Document) -> Self {
        Self {
            body: document.body().into(),
            refers: document.refers().iter().map(KeyRecord::from).collect(),
        }
    }
}

/// The document of a record. Those in a row that refer to the same settings share the names: a
/// group may have a hundred thousand targets.
fn document(
    record: &DocumentRecord<'_>,
    before: &mut Option<Document>,
) -> Result<Document, Malformed> {
    let same = |before: &&Document| {
        let named = before.refers().iter();
        let named = named.map(|key| (key.kind().as_str(), key.name()));
        named.eq(record.refers.iter().map(|key| (&*key.0, &*key.1)))
    };
    if let Some(before) = before.as_ref().filter(same) {
        return Ok(before.saying(&record.body)?);
    }
    let refers = record.refers.iter().cloned().map(TryInto::try_into);
    let refers: Result<Vec<Key>, Malformed> = refers.collect();
    let found = Document::new(&record.body, refers?)?;
    *before = Some(found.clone());
    Ok(found)
}

/// JSON has no numbers of 128 bits that every reader takes.
fn id_text(id: ChangeId) -> String {
    format!("{:032x}", id.0)
}

fn id_of(text: &str) -> Result<ChangeId, Malformed> {
    let number = u128::from_str_radix(text, 16);
    number
        .map(ChangeId)
        .map_err(|_| Malformed(format!("{text} is no id of a change")))
}
