//! What has to be edited until some kinds of settings are as a file says.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Registry;
use super::change::{Action, Document, Edit, Expect, Key, Kind, Revision};

/// The way from what is there to what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For which revision it was made.
    pub revision: Revision,
    /// What has to be done, by kind and name.
    pub steps: Vec<Step>,
    /// Settings that are as wanted already.
    pub unchanged: usize,
}

/// What has to be done to one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which setting.
    pub key: Key,
    /// What becomes of it.
    pub action: Action,
    /// What it says now.
    pub before: Option<Document>,
    /// What it shall say.
    pub after: Option<Document>,
    /// The last change of what is there now.
    pub found: Option<Revision>,
}

impl Plan {
    /// The edits of one change that does all of it, or is refused if any of these settings was
    /// changed since.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        let edit = |step: &Step| {
            let expect = step.found.map_or(Expect::Nothing, Expect::Revision);
            let key = step.key.clone();
            match &step.after {
                Some(document) => Edit::Put {
                    key,
                    document: document.clone(),
                    expect,
                },
                None => Edit::Delete { key, expect },
            }
        };
        self.steps.iter().map(edit).collect()
    }
}

impl Registry {
    /// What has to be done until the settings of these kinds are the wanted ones and no others.
    #[must_use]
    pub fn plan(&self, kinds: &[Kind], wanted: &BTreeMap<Key, Document>) -> Plan {
        let mut plan = Plan {
            revision: self.revision(),
            steps: Vec::new(),
            unchanged: 0,
        };
        let listed = kinds.iter().flat_map(|kind| self.of_kind(*kind));
        let unwanted = listed
            .map(|(key, _)| (key, None))
            .filter(|(key, _)| !wanted.contains_key(*key));
        let wanted = wanted.iter().map(|(key, document)| (key, Some(document)));
        for (key, document) in wanted.chain(unwanted) {
            let found = self.get(key);
            let Some(action) = self.action(key, document) else {
                plan.unchanged += 1;
                continue;
            };
            plan.steps.push(Step {
                key: key.clone(),
                action,
                before: found.map(|setting| setting.document.clone()),
                after: document.cloned(),
                found: found.map(|setting| setting.revision),
            });
        }
        plan.steps.sort_by(|a, b| a.key.cmp(&b.key));
        plan
    }
}
