//! Why something was not changed, as a problem: every reason reaches whoever asked.

use auscult_core::id::IdError;
use auscult_core::monitor::registry::{Key, Refusal};

use super::problem::{Fault, Kind, Problem};
use super::targets::{faults, unknown_target};
use crate::registry::Refused;
use crate::settings::Problems;

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::NotFound(id) => unknown_target(&id),
            Refused::Exists(_) => Self::new(Kind::TargetExists)
                .detail(text)
                .hint("PUT /v1/targets/{id} replaces it"),
            Refused::IsMember(_) => Self::new(Kind::IsMember)
                .detail(text)
                .hint("it goes when it leaves the group, or is forgotten"),
            Refused::DefinedInFile { .. } => Self::new(Kind::DefinedInFile)
                .detail(text)
                .hint("change it there, then POST /-/reload"),
            Refused::Changed(_) | Refused::Moved { .. } => Self::new(Kind::Changed)
                .detail(text)
                .hint("read it again and decide anew"),
            Refused::Check { signal, error, .. } => {
                Self::new(Kind::Invalid).detail(text).errors(vec![Fault {
                    pointer: format!("/signals/{signal}"),
                    detail: error.to_string(),
                    hint: None,
                }])
            }
            Refused::Full { .. } => Self::new(Kind::Full)
                .detail(text)
                .hint("remove targets, or raise observer.targets_max in the settings"),
            Refused::Shared(refusal) => shared(&refusal).detail(text),
            Refused::Document { key, problems } => of_document(key.as_ref(), &problems),
            Refused::NamedTwice(_) | Refused::Machine(_) => Self::new(Kind::Invalid).detail(text),
            Refused::NoAdmin => Self::new(Kind::Refused)
                .detail(text)
                .hint("the first token, and one at any time, must have the role admin"),
            Refused::Unusable { .. } => Self::new(Kind::Storage).detail(text),
            Refused::NoLeader { .. } => Self::new(Kind::NoLeader)
                .detail(text)
                .hint("GET /v1/cluster shows which monitors are there; ask again soon"),
            Refused::Outside => Self::new(Kind::NoLeader)
                .detail(text)
                .hint("ask another monitor of the group, or start this one with --join"),
            Refused::Unclear => Self::new(Kind::Unclear)
                .detail(text)
                .hint("look whether it was made, or ask again: PUT and DELETE can be repeated"),
            Refused::Store(_) | Refused::NoRandomness => Self::new(Kind::Storage).detail(text),
        }
    }
}

/// Why the settings forbid a change.
fn shared(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Condition { .. } => {
            Problem::new(Kind::Changed).hint("read it again and decide anew")
        }
        Refusal::RefersToNothing { to, .. } => {
            Problem::new(Kind::Refused).hint(format!("add {to} first, or in the same change"))
        }
        Refusal::ReferredTo { by, .. } => {
            Problem::new(Kind::Refused).hint(format!("change or delete {by} first, or with it"))
        }
        Refusal::NamedTwice { .. } | Refusal::Circle { .. } | Refusal::TooManyEdits { .. } => {
            Problem::new(Kind::Refused)
        }
        Refusal::Full => Problem::new(Kind::Full),
    }
}

/// Why a name in a path cannot be one.
pub(super) fn no_name(name: &str, error: IdError) -> Problem {
    Problem::new(Kind::Malformed).detail(format!("{} cannot be a name: {error}", shown(name)))
}

/// As much of a text as a message bears.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Everything that is wrong with one document.
pub(super) fn of_document(key: Option<&Key>, problems: &Problems) -> Problem {
    let what = key.map_or_else(|| "the body".to_owned(), ToString::to_string);
    Problem::new(Kind::Invalid)
        .detail(match problems.count() {
            1 => format!("{what} has a fault"),
            count => format!("{what} has {count} faults"),
        })
        .errors(faults(problems))
}
