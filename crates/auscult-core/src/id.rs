//! Names of targets, signals and what alerts are made with: checked once, where they enter.

use alloc::boxed::Box;
use core::fmt;

use crate::bounds::ID_BYTES_MAX;

/// The name of a target, unique within a monitor.
///
/// 1 to [`ID_BYTES_MAX`] bytes of letters and digits (of any script) and the punctuation
/// `- _ . : @ / ~ +`. That covers host names, addresses with ports, `namespace/pod` and a seed's
/// plain numbers, and stays readable in a URL path, a metric label and a shell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(Box<str>);

/// The name of one stream of arrivals of a target, for example `http` or `heartbeat`. Same rules as
/// [`TargetId`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalName(Box<str>);

/// The name of a rule that makes alerts. Same rules as [`TargetId`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName(Box<str>);

/// The name of a receiver of alerts. Same rules as [`TargetId`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiverName(Box<str>);

/// The name of a silence. Same rules as [`TargetId`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SilenceName(Box<str>);

/// Why a text is no name. State: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdError {
    /// The text has no character.
    Empty,
    /// The text is longer than [`ID_BYTES_MAX`].
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A character that names do not have.
    Character {
        /// The first such character.
        found: char,
        /// Where it stands, in bytes.
        at: usize,
    },
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a name needs at least one character"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "a name has at most {ID_BYTES_MAX} bytes, this one has {bytes}"
                )
            }
            Self::Character { found, at } => write!(
                f,
                "{found:?} at byte {at} is not allowed: \
                 a name has letters, digits and - _ . : @ / ~ +"
            ),
        }
    }
}

impl core::error::Error for IdError {}

/// Tells whether `text` can be a name.
///
/// # Errors
/// The first rule that `text` breaks. State: nothing was changed.
pub fn check_name(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { bytes: text.len() });
    }
    let allowed = |c: char| c.is_alphanumeric() || "-_.:@/~+".contains(c);
    match text.char_indices().find(|&(_, c)| !allowed(c)) {
        Some((at, found)) => Err(IdError::Character { found, at }),
        None => Ok(()),
    }
}

/// What all names have, for a type that holds its text alone.
macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// Takes a name.
            ///
            /// # Errors
            /// The first rule that `text` breaks. State: nothing was changed.
            pub fn new(text: &str) -> Result<Self, $crate::id::IdError> {
                $crate::id::check_name(text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl core::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}
pub(crate) use name_type;

name_type!(TargetId);
name_type!(SignalName);
name_type!(RuleName);
name_type!(ReceiverName);
name_type!(SilenceName);

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn names_are_checked_once_where_they_enter() {
        for good in [
            "server1",
            "10",
            "10.1.0.110:8080",
            "prod/web-0",
            "größe",
            "a@b~c+d",
        ] {
            assert_eq!(
                TargetId::new(good).map(|id| String::from(id.as_str())),
                Ok(good.into())
            );
        }
        assert_eq!(TargetId::new(""), Err(IdError::Empty));
        assert_eq!(
            TargetId::new("a b"),
            Err(IdError::Character { found: ' ', at: 1 })
        );
        assert_eq!(
            TargetId::new("a\n"),
            Err(IdError::Character { found: '\n', at: 1 })
        );
        let long = "x".repeat(ID_BYTES_MAX + 1);
        assert_eq!(
            TargetId::new(&long),
            Err(IdError::TooLong {
                bytes: ID_BYTES_MAX + 1
            })
        );
    }
}
