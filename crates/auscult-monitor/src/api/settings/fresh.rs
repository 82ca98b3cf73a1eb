//! How fresh a read has to be, and how fresh it is.

use std::time::Duration;

use auscult_core::monitor::registry::Revision;

use super::super::ApiState;
use super::super::extract::{bad_value, whole_number};
use super::super::problem::{Kind, Problem};
use crate::registry::Refused;

/// How long a read waits for a revision, where nobody says otherwise, and at most.
const WAIT: u64 = 10_000;
const WAIT_MAX: u64 = 60_000;

/// What a read asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    consistency: Consistency,
    after: Option<Revision>,
    wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consistency {
    Local,
    Linearizable,
}

/// How fresh what is read is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    /// The last change that is known here.
    pub(super) revision: u64,
    /// How long ago it was known that there is no later one; none where it was not since the start.
    pub(super) age: Option<Duration>,
}

impl Options {
    /// Takes what concerns it from a query, and leaves the rest.
    pub(super) fn take(
        pairs: Vec<(String, String)>,
    ) -> Result<(Self, Vec<(String, String)>), Problem> {
        let mut options = Self {
            consistency: Consistency::Local,
            after: None,
            wait: Duration::from_millis(WAIT),
        };
        let mut rest = Vec::new();
        for (name, value) in pairs {
            match (name.as_str(), value.as_str()) {
                ("consistency", "linearizable") => {
                    options.consistency = Consistency::Linearizable;
                }
                ("consistency", "local") => options.consistency = Consistency::Local,
                ("consistency", _) => {
                    let text = format!("{value:?} must be local or linearizable");
                    return Err(bad_value(&name, text));
                }
                ("after_revision", _) => {
                    let number = whole_number(&name, &value, 0..=u64::MAX)?;
                    options.after = Some(Revision::new(number));
                }
                ("wait", _) => {
                    let millis = whole_number(&name, &value, 0..=WAIT_MAX)?;
                    options.wait = Duration::from_millis(millis);
                }
                _ => rest.push((name, value)),
            }
        }
        Ok((options, rest))
    }

    /// Waits until a read is as fresh as it has to be.
    pub(super) async fn reached(self, state: &ApiState) -> Result<Fresh, Problem> {
        if self.consistency == Consistency::Linearizable {
            let confirmed = state.registry().shared().confirm().await;
            confirmed.map_err(|error| Problem::from(Refused::from(error)))?;
        }
        if let Some(after) = self.after {
            let mut revisions = state.registry().shared().revisions();
            let here = revisions.wait_for(|revision| *revision >= after);
            let arrived = tokio::time::timeout(self.wait, here).await;
            if !arrived.is_ok_and(|arrived| arrived.is_ok()) {
                let here = Fresh::now(state).revision;
                return Err(Problem::new(Kind::Behind)
                    .detail(format!(
                        "revision {here} is known here, and not {after} yet"
                    ))
                    .hint("ask again, or another monitor"));
            }
        }
        Ok(Fresh::now(state))
    }
}

impl Fresh {
    /// As fresh as it is now.
    pub(super) fn now(state: &ApiState) -> Self {
        let mut fresh = Self {
            revision: 0,
            age: None,
        };
        state.registry().shared().read(&mut |shared, age| {
            fresh = Self {
                revision: shared.revision().number(),
                age: age.0,
            };
        });
        fresh
    }
}
