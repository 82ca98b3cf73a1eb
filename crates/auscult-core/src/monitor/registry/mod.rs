//! The settings that several monitors share: documents with revisions, changed by commands.
//!
//! # Use
//! Every monitor holds a [`Registry`] and gives it the same [`Change`]s in the same order (a
//! replicated log sees to that): then all hold the same settings, give the same answers and have
//! the same [`digest`](Registry::digest). The registry has no clock and knows nothing of what a
//! document means: who proposes a change checks the document first, says when and by whom it is
//! made, and to which other settings the document refers.
//!
//! # A change
//! It is taken whole or refused whole. Each change that changes something is one [`Revision`];
//! what would put the same document that is there changes nothing and has no revision, so a `PUT`
//! can be repeated. Each edit can be made conditional on what it finds ([`Expect`]). One with a
//! [`ChangeId`] that was answered before is answered the same and not made again: who waited in
//! vain for an answer may ask once more.
//!
//! # References
//! A document may refer to other settings: a target to its group, a group to its receivers. What
//! it refers to must be there once the change is made, what is referred to cannot be deleted, and
//! references make no circle.

mod change;
mod digest;
mod history;
mod plan;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::bounds::{ANSWERED_CHANGES_MAX, EDITS_PER_CHANGE_MAX, SETTINGS_MAX};
use digest::Digest;
use history::History;

pub use change::{
    Action, Author, Change, ChangeId, Document, DocumentError, Edit, Expect, Key, Kind, Outcome,
    Refusal, Revision, WallMillis,
};
pub use history::Entry;
pub use plan::{Plan, Step};

/// One document, and when and by whom it was last changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it says.
    pub document: Document,
    /// The change that put it there.
    pub revision: Revision,
    /// The change that first made it.
    pub created: Revision,
    /// Who made the last change.
    pub author: Author,
    /// When, by the clock of the one who proposed it; never before an earlier change.
    pub at: WallMillis,
}

/// Documents by kind and name. See the [module](self) for its use.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    revision: Revision,
    settings: BTreeMap<Key, Setting>,
    /// For each setting that is referred to, by which ones.
    referrers: BTreeMap<Key, BTreeSet<Key>>,
    history: History,
    /// Answers to the last changes that had an id, the oldest first.
    answered: VecDeque<(ChangeId, Result<Outcome, Refusal>)>,
    /// The time of the last change.
    at: WallMillis,
}

/// What a change would leave: for each key that it names, the document or nothing, in the order of
/// the keys. A change may name as many settings as there are.
struct Staged<'a>(Vec<(&'a Key, Option<&'a Document>)>);

impl<'a> Staged<'a> {
    fn get(&self, key: &Key) -> Option<Option<&'a Document>> {
        let found = self.0.binary_search_by(|(named, _)| (*named).cmp(key));
        found.ok().map(|at| self.0[at].1)
    }
}

impl Registry {
    /// Makes a change.
    ///
    /// # Errors
    /// The first thing that forbids it, in the order of its edits. State: nothing was changed.
    pub fn apply(&mut self, change: &Change) -> Result<Outcome, Refusal> {
        if let Some(answer) = change.id.and_then(|id| self.answer_to(id)) {
            return answer.clone();
        }
        let answer = self.make(change);
        if let Some(id) = change.id {
            if self.answered.len() == ANSWERED_CHANGES_MAX {
                self.answered.pop_front();
            }
            self.answered.push_back((id, answer.clone()));
        }
        answer
    }

    /// Whether a change would be made, and with what outcome. Changes nothing.
    ///
    /// # Errors
    /// As [`apply`](Self::apply). State: nothing was changed, in every case.
    pub fn check(&self, change: &Change) -> Result<Outcome, Refusal> {
        self.consider(change).map(|(_, outcome)| outcome)
    }

    fn make(&mut self, change: &Change) -> Result<Outcome, Refusal> {
        let (staged, outcome) = self.consider(change)?;
        let edits: Vec<(Key, Action, Option<Document>)> = staged
            .0
            .into_iter()
            .filter_map(|(key, document)| {
                let action = self.action(key, document)?;
                Some((key.clone(), action, document.cloned()))
            })
            .collect();
        if edits.is_empty() {
            return Ok(outcome);
        }
        self.revision = self.revision.next();
        self.at = self.at.max(change.at);
        let actions = edits.iter().map(|(key, action, _)| (key, *action));
        self.history
            .push(self.revision, &change.author, self.at, actions);
        for (key, _, document) in edits {
            self.store(key, document, &change.author);
        }
        Ok(outcome)
    }

    /// What a change would leave and come to, if nothing forbids it.
    fn consider<'a>(&self, change: &'a Change) -> Result<(Staged<'a>, Outcome), Refusal> {
        let staged = self.stage(change)?;
        self.check_references(&staged)?;
        let outcome = self.outcome(&staged);
        if self.settings.len() + outcome.created - outcome.deleted > SETTINGS_MAX {
            return Err(Refusal::Full);
        }
        Ok((staged, outcome))
    }

    /// What the edits leave, with every condition checked against what is there now.
    fn stage<'a>(&self, change: &'a Change) -> Result<Staged<'a>, Refusal> {
        if change.edits.len() > EDITS_PER_CHANGE_MAX {
            return Err(Refusal::TooManyEdits {
                edits: change.edits.len(),
            });
        }
        let mut staged = Vec::with_capacity(change.edits.len());
        let mut refused = None;
        for edit in &change.edits {
            let (key, expect, document) = match edit {
                Edit::Put {
                    key,
                    document,
                    expect,
                } => (key, expect, Some(document)),
                Edit::Delete { key, expect } => (key, expect, None),
            };
            refused = self.check_condition(key, *expect).err();
            if refused.is_some() {
                break;
            }
            staged.push((key, document));
        }
        staged.sort_by_key(|(key, _)| *key);
        // What stands twice among the edits before comes before what is refused.
        let twice = staged.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some((key, _)) = twice.and_then(|pair| pair.first()) {
            let key = (*key).clone();
            return Err(Refusal::NamedTwice { key });
        }
        refused.map_or(Ok(Staged(staged)), Err)
    }

    fn check_condition(&self, key: &Key, expect: Expect) -> Result<(), Refusal> {
        let found = self.settings.get(key).map(|setting| setting.revision);
        let holds = match expect {
            Expect::Anything => true,
            Expect::Nothing => found.is_none(),
            Expect::Something => found.is_some(),
            Expect::Revision(revision) => found == Some(revision),
        };
        if holds {
            Ok(())
        } else {
            Err(Refusal::Condition {
                key: key.clone(),
                expected: expect,
                found,
            })
        }
    }

    /// What becomes of a key; `None` where nothing does.
    fn action(&self, key: &Key, document: Option<&Document>) -> Option<Action> {
        match (self.settings.get(key), document) {
            (None, None) => None,
            (None, Some(_)) => Some(Action::Created),
            (Some(_), None) => Some(Action::Deleted),
            (Some(before), Some(after)) => (before.document != *after).then_some(Action::Replaced),
        }
    }

    fn outcome(&self, staged: &Staged<'_>) -> Outcome {
        let mut outcome = Outcome {
            revision: self.revision,
            created: 0,
            replaced: 0,
            deleted: 0,
            unchanged: 0,
        };
        for (key, document) in &staged.0 {
            match self.action(key, *document) {
                None => outcome.unchanged += 1,
                Some(Action::Created) => outcome.created += 1,
                Some(Action::Replaced) => outcome.replaced += 1,
                Some(Action::Deleted) => outcome.deleted += 1,
            }
        }
        if outcome.changes() > 0 {
            outcome.revision = self.revision.next();
        }
        outcome
    }

    fn check_references(&self, staged: &Staged<'_>) -> Result<(), Refusal> {
        let mut before: &[Key] = &[];
        for &(key, document) in &staged.0 {
            match document {
                // The targets of a group refer to the same one.
                Some(document) if document.refers() == before => {}
                Some(document) => {
                    before = document.refers();
                    let missing = |to: &&Key| self.after(staged, to).is_none();
                    if let Some(to) = document.refers().iter().find(missing) {
                        return Err(Refusal::RefersToNothing {
                            key: key.clone(),
                            to: to.clone(),
                        });
                    }
                }
                None => {
                    let referrers = self.referrers.get(key).into_iter().flatten();
                    let mut still = referrers.filter(|&by| {
                        let after = self.after(staged, by);
                        after.is_some_and(|document| document.refers().contains(key))
                    });
                    if let Some(by) = still.next() {
                        return Err(Refusal::ReferredTo {
                            key: key.clone(),
                            by: by.clone(),
                        });
                    }
                }
            }
        }
        self.check_circles(staged)
    }

    /// Whether a setting of the change refers to itself by way of others. Every setting is looked
    /// at once, however long the ways are.
    fn check_circles(&self, staged: &Staged<'_>) -> Result<(), Refusal> {
        let mut cleared = BTreeSet::new();
        let refers = staged.0.iter().filter_map(|(_, document)| *document);
        let mut referred: Vec<&Key> = refers.flat_map(Document::refers).collect();
        referred.sort();
        referred.dedup();
        for (start, _) in &staged.0 {
            // Nothing leads back to what nobody refers to.
            if referred.binary_search(start).is_err() && !self.referrers.contains_key(*start) {
                continue;
            }
            let start = *start;
            // The way from `start` to where we are, and how many references of each were followed.
            let mut way: Vec<(&Key, usize)> = vec![(start, 0)];
            let mut on_the_way = BTreeSet::from([start]);
            while let Some((key, followed)) = way.last_mut() {
                let key = *key;
                let refers = self.after(staged, key).map_or(&[][..], Document::refers);
                let Some(next) = refers.get(*followed) else {
                    on_the_way.remove(key);
                    cleared.insert(key);
                    way.pop();
                    continue;
                };
                *followed += 1;
                if on_the_way.contains(next) {
                    return Err(Refusal::Circle { key: next.clone() });
                }
                if !cleared.contains(next) {
                    on_the_way.insert(next);
                    way.push((next, 0));
                }
            }
        }
        Ok(())
    }

    /// The document of a key once the change is made.
    fn after<'a>(&'a self, staged: &Staged<'a>, key: &Key) -> Option<&'a Document> {
        match staged.get(key) {
            Some(document) => document,
            None => self.settings.get(key).map(|setting| &setting.document),
        }
    }

    fn store(&mut self, key: Key, document: Option<Document>, author: &Author) {
        let before = self.settings.remove(&key);
        if let Some(before) = &before {
            for to in before.document.refers() {
                if let Some(referrers) = self.referrers.get_mut(to) {
                    referrers.remove(&key);
                    if referrers.is_empty() {
                        self.referrers.remove(to);
                    }
                }
            }
        }
        let Some(document) = document else { return };
        for to in document.refers() {
            let referrers = self.referrers.entry(to.clone()).or_default();
            referrers.insert(key.clone());
        }
        let setting = Setting {
            document,
            revision: self.revision,
            created: before.map_or(self.revision, |before| before.created),
            author: author.clone(),
            at: self.at,
        };
        self.settings.insert(key, setting);
    }

    fn answer_to(&self, id: ChangeId) -> Option<&Result<Outcome, Refusal>> {
        let mut answers = self.answered.iter().rev();
        answers.find_map(|(answered, answer)| (*answered == id).then_some(answer))
    }
}

/// Reading.
impl Registry {
    /// The last change; [`Revision::NONE`] before the first one.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// How many settings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.settings.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// One setting.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Setting> {
        self.settings.get(key)
    }

    /// All settings of a kind, by name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&Key, &Setting)> {
        let all = self.settings.range(Key::least_of(kind)..);
        all.take_while(move |(key, _)| key.kind() == kind)
    }

    /// All settings that come after a bound, by kind and name; none of a kind before `first`, where
    /// one is given.
    pub fn settings_from(
        &self,
        first: Option<Kind>,
        from: Bound<&Key>,
    ) -> impl Iterator<Item = (&Key, &Setting)> {
        let least = first.map(Key::least_of);
        let from = least.map_or_else(|| from.cloned(), Bound::Included);
        self.settings.range((from, Bound::Unbounded))
    }

    /// All settings, by kind and name.
    pub fn settings(&self) -> impl Iterator<Item = (&Key, &Setting)> {
        self.settings.iter()
    }

    /// The settings that refer to this one, by kind and name.
    pub fn referrers(&self, key: &Key) -> impl Iterator<Item = &Key> {
        self.referrers.get(key).into_iter().flatten()
    }

    /// The changes after this one that are still remembered, the oldest first.
    pub fn history(&self, after: Revision) -> impl Iterator<Item = &Entry> {
        self.history.after(after)
    }

    /// A number over all settings and revisions: two registries that were given the same changes
    /// have the same one.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let start = Digest::new().number(self.revision.number());
        let sum = self.settings.iter().fold(start, |sum, (key, setting)| {
            let sum = setting.document.digest(key.digest(sum));
            let created = setting.created.number();
            sum.number(setting.revision.number()).number(created)
        });
        sum.value()
    }
}

/// A copy in parts, for a snapshot, and a registry made of one.
impl Registry {
    /// The time of the last change.
    #[must_use]
    pub const fn at(&self) -> WallMillis {
        self.at
    }

    /// Answers to the last changes that had an id, the oldest first.
    pub fn answered(&self) -> impl Iterator<Item = &(ChangeId, Result<Outcome, Refusal>)> {
        self.answered.iter()
    }

    /// A registry of what another one told of itself: it goes on as that one would.
    pub fn restore(
        revision: Revision,
        at: WallMillis,
        settings: impl IntoIterator<Item = (Key, Setting)>,
        history: impl IntoIterator<Item = Entry>,
        answered: impl IntoIterator<Item = (ChangeId, Result<Outcome, Refusal>)>,
    ) -> Self {
        let settings: BTreeMap<Key, Setting> = settings.into_iter().collect();
        let mut referrers: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
        for (key, setting) in &settings {
            for to in setting.document.refers() {
                referrers.entry(to.clone()).or_default().insert(key.clone());
            }
        }
        Self {
            revision,
            settings,
            referrers,
            history: history.into_iter().collect(),
            answered: answered.into_iter().collect(),
            at,
        }
    }
}

impl Author {
    /// Somebody by name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

#[cfg(test)]
mod tests;
