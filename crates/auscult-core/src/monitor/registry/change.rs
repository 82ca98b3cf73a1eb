//! What a change is made of, and what comes of it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::digest::Digest;
use crate::bounds::{
    DOCUMENT_BYTES_MAX, EDITS_PER_CHANGE_MAX, REFERENCES_PER_DOCUMENT_MAX, SETTINGS_MAX,
};
use crate::id::{IdError, check_name};

/// What a setting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What holds where nothing else is said.
    Defaults,
    /// What the targets of a group share.
    Group,
    /// What is watched.
    Target,
    /// Who is told.
    Receiver,
    /// What nobody is told for a while.
    Silence,
    /// Who may change settings; the secret only as a hash.
    Token,
    /// What is not judged until an operator says so, wherever it comes from.
    Pause,
    /// What programs keep here for themselves: bytes that mean nothing to us.
    Value,
}

impl Kind {
    /// Every kind, in the order in which settings are listed.
    pub const ALL: [Self; 8] = [
        Self::Defaults,
        Self::Group,
        Self::Target,
        Self::Receiver,
        Self::Silence,
        Self::Token,
        Self::Pause,
        Self::Value,
    ];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Group => "group",
            Self::Target => "target",
            Self::Receiver => "receiver",
            Self::Silence => "silence",
            Self::Token => "token",
            Self::Pause => "pause",
            Self::Value => "value",
        }
    }
}

/// Names a setting. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: Kind,
    name: Arc<str>,
}

impl Key {
    /// A setting's kind and name.
    ///
    /// # Errors
    /// The first rule of names that `name` breaks. State: nothing was changed.
    pub fn new(kind: Kind, name: &str) -> Result<Self, IdError> {
        check_name(name)?;
        let name = name.into();
        Ok(Self { kind, name })
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name, unique within its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// No key of this kind is before it.
    pub(super) fn least_of(kind: Kind) -> Self {
        let name = "".into();
        Self { kind, name }
    }

    pub(super) fn digest(&self, sum: Digest) -> Digest {
        sum.text(self.kind.as_str()).text(&self.name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a setting says, as text that only its readers understand, and to which other settings it
/// refers. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    body: Arc<str>,
    /// Sorted, each once.
    refers: Arc<[Key]>,
}

/// Why a text is no document. State: nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// It is longer than [`DOCUMENT_BYTES_MAX`].
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It refers to more than [`REFERENCES_PER_DOCUMENT_MAX`] settings.
    TooManyReferences {
        /// To how many.
        references: usize,
    },
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => write!(
                f,
                "a setting has at most {DOCUMENT_BYTES_MAX} bytes, this one has {bytes}"
            ),
            Self::TooManyReferences { references } => write!(
                f,
                "a setting refers to at most {REFERENCES_PER_DOCUMENT_MAX} others, \
                 this one to {references}"
            ),
        }
    }
}

impl core::error::Error for DocumentError {}

impl Document {
    /// A text, and what it refers to.
    ///
    /// # Errors
    /// The first limit that is passed. State: nothing was changed.
    pub fn new(body: &str, refers: impl IntoIterator<Item = Key>) -> Result<Self, DocumentError> {
        let bytes = body.len();
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(DocumentError::TooLong { bytes });
        }
        let mut refers: Vec<Key> = refers.into_iter().collect();
        refers.sort();
        refers.dedup();
        let references = refers.len();
        if references > REFERENCES_PER_DOCUMENT_MAX {
            return Err(DocumentError::TooManyReferences { references });
        }
        Ok(Self {
            body: body.into(),
            refers: refers.into(),
        })
    }

    /// Another text that refers to the same settings, and shares their names with this one.
    ///
    /// # Errors
    /// The text is too long. State: nothing was changed.
    pub fn saying(&self, body: &str) -> Result<Self, DocumentError> {
        let refers = Arc::clone(&self.refers);
        let said = Self::new(body, [])?;
        Ok(Self { refers, ..said })
    }

    /// The text.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// What it refers to, by kind and name, each once.
    #[must_use]
    pub fn refers(&self) -> &[Key] {
        &self.refers
    }

    pub(super) fn digest(&self, sum: Digest) -> Digest {
        let sum = sum.text(&self.body).number(self.refers.len() as u64);
        self.refers.iter().fold(sum, |sum, key| key.digest(sum))
    }
}

/// Numbers the changes that changed something, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(u64);

impl Revision {
    /// Before the first change.
    pub const NONE: Self = Self(0);

    /// The change with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Milliseconds since 1970, by a clock of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallMillis(pub i64);

/// Who makes a change. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Author(pub(super) Arc<str>);

impl Author {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tells changes apart, so that none is made twice: as random as a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub u128);

/// Edits that are made together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where the one who proposes it may have to ask again.
    pub id: Option<ChangeId>,
    /// Who makes it.
    pub author: Author,
    /// When, by the clock of the one who proposes it.
    pub at: WallMillis,
    /// In any order; no setting twice.
    pub edits: Vec<Edit>,
}

/// What a change does to one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It shall say this.
    Put {
        /// Which setting.
        key: Key,
        /// What it shall say.
        document: Document,
        /// Only where this is found.
        expect: Expect,
    },
    /// It shall be gone. Where there is none, nothing changes.
    Delete {
        /// Which setting.
        key: Key,
        /// Only where this is found.
        expect: Expect,
    },
}

/// What an edit must find, or the change is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expect {
    /// Whatever there is.
    Anything,
    /// No such setting.
    Nothing,
    /// Such a setting, whatever it says.
    Something,
    /// The setting as this change left it.
    Revision(Revision),
}

/// What a change did to a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// There was none.
    Created,
    /// It said something else.
    Replaced,
    /// There is none any more.
    Deleted,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Created, Self::Replaced, Self::Deleted];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Replaced => "replaced",
            Self::Deleted => "deleted",
        }
    }
}

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The revision with it made: a new one if anything changed.
    pub revision: Revision,
    /// Settings that were not there.
    pub created: usize,
    /// Settings that say something else now.
    pub replaced: usize,
    /// Settings that are gone.
    pub deleted: usize,
    /// Settings that are as they were.
    pub unchanged: usize,
}

impl Outcome {
    /// Settings that are not as they were.
    #[must_use]
    pub const fn changes(&self) -> usize {
        self.created + self.replaced + self.deleted
    }
}

/// Why a change is not made. State: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An edit did not find what it expected.
    Condition {
        /// Of which setting.
        key: Key,
        /// What it expected.
        expected: Expect,
        /// What is there: its last change, if it is there.
        found: Option<Revision>,
    },
    /// A setting stands in the change more than once.
    NamedTwice {
        /// Which one.
        key: Key,
    },
    /// A document refers to a setting that would not be there.
    RefersToNothing {
        /// Whose document.
        key: Key,
        /// What is missing.
        to: Key,
    },
    /// A setting that others refer to cannot be deleted.
    ReferredTo {
        /// Which one.
        key: Key,
        /// The first that refers to it.
        by: Key,
    },
    /// A setting would refer to itself by way of others.
    Circle {
        /// Which one.
        key: Key,
    },
    /// There would be more than [`SETTINGS_MAX`] settings.
    Full,
    /// It has more than [`EDITS_PER_CHANGE_MAX`] edits.
    TooManyEdits {
        /// How many.
        edits: usize,
    },
}

impl Refusal {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Condition { .. } => "condition",
            Self::NamedTwice { .. } => "named_twice",
            Self::RefersToNothing { .. } => "refers_to_nothing",
            Self::ReferredTo { .. } => "referred_to",
            Self::Circle { .. } => "circle",
            Self::Full => "full",
            Self::TooManyEdits { .. } => "too_many_edits",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition {
                key,
                expected,
                found,
            } => {
                match expected {
                    Expect::Anything => write!(f, "{key} was refused")?,
                    Expect::Nothing => write!(f, "{key} should not exist")?,
                    Expect::Something => write!(f, "{key} should exist")?,
                    Expect::Revision(revision) => {
                        write!(f, "{key} should be at revision {revision}")?;
                    }
                }
                match found {
                    Some(found) => write!(f, ", but it is at revision {found}"),
                    None => f.write_str(", but there is none"),
                }
            }
            Self::NamedTwice { key } => write!(f, "{key} stands in the change twice"),
            Self::RefersToNothing { key, to } => {
                write!(f, "{key} refers to {to}, and there is none")
            }
            Self::ReferredTo { key, by } => {
                write!(f, "{key} cannot be deleted: {by} refers to it")
            }
            Self::Circle { key } => write!(f, "{key} would refer to itself by way of others"),
            Self::Full => write!(f, "there is room for {SETTINGS_MAX} settings"),
            Self::TooManyEdits { edits } => write!(
                f,
                "a change has at most {EDITS_PER_CHANGE_MAX} edits, this one has {edits}"
            ),
        }
    }
}

impl core::error::Error for Refusal {}
