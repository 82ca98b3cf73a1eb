//! Following the settings that monitors share: what they say becomes what is watched here, in the
//! order in which it was decided.
//!
//! Whoever notices a new revision calls [`Registry::catch_up`]: the task that waits for revisions,
//! and whoever had a change made and wants to see it live. One does it at a time. A document that
//! cannot be used here (it is of a later version, or names a file that this monitor lacks) is
//! shown and leaves what was there as it was; it stops nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auscult_core::id::TargetId;
use auscult_core::monitor::registry::{Document, Key, Kind, Registry as SharedRegistry, Revision};

use super::ready::Ready;
use super::tokens::Tokens;
use super::{Places, Refused, Registry};
use crate::api::Stop;
use crate::settings::Defaults;
use crate::settings::documents::Inheritance;

/// The kinds that decide what is watched here, and who may ask.
const FOLLOWED: [Kind; 5] = [
    Kind::Defaults,
    Kind::Group,
    Kind::Target,
    Kind::Token,
    Kind::Pause,
];

/// Targets that are made so under one lock of the places: some milliseconds.
const TARGETS_AT_ONCE: usize = 500;

/// How far the shared settings were followed.
#[derive(Debug)]
pub(super) struct Followed {
    seen: Revision,
    /// What was followed, and up to which of its changes.
    known: BTreeMap<Key, Revision>,
    inheritance: Inheritance,
    /// What cannot be used here, and why.
    unusable: BTreeMap<Key, Arc<str>>,
    tokens: Tokens,
}

/// How far the shared settings are live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The last change that is live here.
    pub revision: Revision,
    /// How many settings cannot be used here.
    pub unusable: usize,
}

/// What is new: each document with its last change, or nothing where it is gone.
struct News {
    revision: Revision,
    documents: Vec<(Key, Option<(Revision, Document)>)>,
}

impl Followed {
    pub(super) fn new(defaults: &Defaults) -> Self {
        Self {
            seen: Revision::NONE,
            known: BTreeMap::new(),
            inheritance: Inheritance::new(defaults),
            unusable: BTreeMap::new(),
            tokens: Tokens::default(),
        }
    }

    /// Lays the shared settings over other defaults of the file: every target is looked at anew.
    pub(super) fn set_file(&mut self, defaults: &Defaults) {
        self.inheritance.set_file(defaults);
        self.known.retain(|key, _| key.kind() != Kind::Target);
        self.seen = Revision::NONE;
    }

    /// The change of a setting that is live here.
    pub(super) fn known(&self, key: &Key) -> Option<Revision> {
        self.known.get(key).copied()
    }

    pub(super) const fn inheritance(&self) -> &Inheritance {
        &self.inheritance
    }

    fn news(&self, shared: &SharedRegistry) -> Option<News> {
        let revision = shared.revision();
        if revision == self.seen {
            return None;
        }
        let named = self.named_in_history(shared);
        let mut keys = named.unwrap_or_else(|| self.differing(shared));
        if keys.iter().any(|key| key.kind() == Kind::Defaults) {
            keys.extend(shared.of_kind(Kind::Target).map(|(key, _)| key.clone()));
        } else {
            let groups = keys.iter().filter(|key| key.kind() == Kind::Group);
            let inherit = groups.flat_map(|group| shared.referrers(group).cloned());
            let inherit: Vec<Key> = inherit.collect();
            keys.extend(inherit);
        }
        let found = |key: Key| {
            let setting = shared.get(&key);
            let found = setting.map(|setting| (setting.revision, setting.document.clone()));
            (key, found)
        };
        Some(News {
            revision,
            documents: keys.into_iter().map(found).collect(),
        })
    }

    /// What the history names since, if it names everything.
    fn named_in_history(&self, shared: &SharedRegistry) -> Option<BTreeSet<Key>> {
        let mut keys = BTreeSet::new();
        let mut expected = self.seen.number();
        if expected == 0 {
            return None;
        }
        for entry in shared.history(self.seen) {
            expected += 1;
            if entry.revision.number() != expected || entry.more > 0 {
                return None;
            }
            let followed = entry.edits.iter().map(|(key, _)| key);
            keys.extend(followed.filter(|key| is_followed(key)).cloned());
        }
        (expected == shared.revision().number()).then_some(keys)
    }

    /// What is not as it was followed last, found by looking at everything.
    fn differing(&self, shared: &SharedRegistry) -> BTreeSet<Key> {
        let all = FOLLOWED.into_iter().flat_map(|kind| shared.of_kind(kind));
        let changed = all
            .filter(|(key, setting)| self.known.get(*key) != Some(&setting.revision))
            .map(|(key, _)| key);
        let gone = self.known.keys().filter(|key| shared.get(key).is_none());
        changed.chain(gone).cloned().collect()
    }

    /// Remembers how far a setting was followed, and whether it could be used.
    fn note(&mut self, key: &Key, found: Option<Revision>, fault: Option<String>) {
        match found {
            Some(revision) => self.known.insert(key.clone(), revision),
            None => self.known.remove(key),
        };
        let Some(fault) = fault else {
            self.unusable.remove(key);
            return;
        };
        let fault: Arc<str> = fault.trim_end().into();
        if self.unusable.insert(key.clone(), Arc::clone(&fault)) != Some(fault.clone()) {
            tracing::error!(
                kind = key.kind().as_str(),
                name = key.name(),
                "a shared setting cannot be used here, what was before stays: {fault}"
            );
        }
    }
}

fn is_followed(key: &Key) -> bool {
    FOLLOWED.contains(&key.kind())
}

impl Registry {
    /// Makes everything live here that the shared settings say by now, and tells their revision.
    /// Takes as long as there is news: not for an event loop.
    pub fn catch_up(&self) -> Revision {
        let mut followed = self.followed.lock();
        self.follow_to_end(&mut followed);
        followed.seen
    }

    /// Follows the shared settings until the monitor ends.
    pub async fn follow(self: Arc<Self>, stop: Stop) {
        tokio::join!(
            Arc::clone(&self).follow_revisions(stop.clone()),
            self.foresee(stop),
        );
    }

    async fn follow_revisions(self: Arc<Self>, stop: Stop) {
        let mut revisions = self.shared.revisions();
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        loop {
            let registry = Arc::clone(&self);
            let followed = tokio::task::spawn_blocking(move || registry.catch_up());
            if let Err(error) = followed.await {
                tracing::error!(%error, "following the shared settings broke off, and goes on");
            }
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() { return },
                () = &mut stopped => return,
            }
        }
    }

    /// The shared settings that cannot be used here, and why.
    #[must_use]
    pub fn unusable(&self) -> BTreeMap<Key, Arc<str>> {
        self.followed.lock().unusable.clone()
    }

    /// Why a shared setting cannot be used here, if it cannot.
    #[must_use]
    pub fn unusable_for(&self, key: &Key) -> Option<Arc<str>> {
        self.followed.lock().unusable.get(key).cloned()
    }

    /// How far the shared settings are live, as it was last: waits for nobody.
    #[must_use]
    pub fn reached(&self) -> Reached {
        **self.reached.load()
    }

    /// Whether news of the shared settings are being made live.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.followed.is_locked()
    }

    /// The revision that is live here.
    #[must_use]
    pub fn live(&self) -> Revision {
        self.followed.lock().seen
    }

    pub(super) fn follow_to_end(&self, followed: &mut Followed) {
        loop {
            let mut news = None;
            self.shared
                .read(&mut |shared, _| news = followed.news(shared));
            let Some(news) = news else { return };
            self.take_news(followed, news);
        }
    }

    fn take_news(&self, followed: &mut Followed, news: News) {
        let (mut going, mut documents, mut revisions) = (Vec::new(), Vec::new(), Vec::new());
        let mut pauses = Vec::new();
        let mut tokens_changed = false;
        // In the order of kinds: what is inherited comes before those who inherit.
        for (key, found) in news.documents {
            let revision = found.as_ref().map(|(revision, _)| *revision);
            let body = found.as_ref().map(|(_, document)| document.body());
            let outcome = match key.kind() {
                Kind::Defaults => followed.inheritance.set_defaults(body),
                Kind::Group => followed.inheritance.set_group(key.name(), body),
                Kind::Target => {
                    match found {
                        None => going.push(key),
                        Some((revision, document)) => {
                            documents.push((key, document));
                            revisions.push(revision);
                        }
                    }
                    continue;
                }
                Kind::Token => {
                    tokens_changed = true;
                    followed.tokens.set(key.name(), body)
                }
                Kind::Pause => {
                    pauses.extend(TargetId::new(key.name()).map(|id| (id, body.is_some())));
                    Ok(())
                }
                Kind::Receiver | Kind::Silence | Kind::Value => Ok(()),
            };
            let fault = outcome.err().map(|problems| problems.to_string());
            followed.note(&key, revision, fault);
        }
        if tokens_changed {
            self.tokens.store(Arc::new(followed.tokens.clone()));
        }
        // First those that go, so that there is room for those that come.
        self.let_go(followed, &going);
        self.take_all(followed, &documents, &revisions);
        let mut places = self.places.lock();
        for (id, paused) in pauses {
            self.make_paused(&mut places, &id, paused);
        }
        self.note_observers(followed.inheritance());
        followed.seen = news.revision;
        self.reached.store(Arc::new(Reached {
            revision: followed.seen,
            unusable: followed.unusable.len(),
        }));
    }

    /// Watches targets no longer that the shared settings had.
    fn let_go(&self, followed: &mut Followed, targets: &[Key]) {
        for some in targets.chunks(TARGETS_AT_ONCE) {
            let mut places = self.places.lock();
            for key in some {
                // What cannot be a target's name was never watched.
                let id = TargetId::new(key.name());
                let gone = id.map_or(Ok(()), |id| self.make_gone(&mut places, &id));
                followed.note(key, None, gone.err().map(fault));
            }
        }
    }

    /// Watches targets as the shared settings have them.
    fn take_all(
        &self,
        followed: &mut Followed,
        documents: &[(Key, Document)],
        revisions: &[Revision],
    ) {
        let proven = self.foreseen_of(documents.len());
        let ready = self.ready_all(&followed.inheritance, &proven, documents);
        drop(proven);
        let keys = documents.iter().map(|(key, _)| key);
        let mut targets = keys.zip(revisions).zip(ready).peekable();
        while targets.peek().is_some() {
            let mut places = self.places.lock();
            for ((key, revision), ready) in targets.by_ref().take(TARGETS_AT_ONCE) {
                let taken = ready.and_then(|ready| self.make_shared(&mut places, &ready));
                followed.note(key, Some(*revision), taken.err().map(fault));
            }
        }
    }

    /// Watches a target as the shared settings have it.
    fn make_shared(&self, places: &mut Places, ready: &Ready) -> Result<(), Refused> {
        let id = &ready.spec.id;
        let before = places.watched(id).filter(|_| places.taken);
        places.stored.insert(id.clone(), Arc::clone(&ready.spec));
        let after = places.watched(id).filter(|_| places.taken);
        // What hides it is as before.
        let Some(after) = after.filter(|after| before.is_none_or(|it| it.spec != after.spec))
        else {
            return Ok(());
        };
        let watched = self.watch_ready(places, ready, after.origin);
        if let Err(refused) = watched {
            places.stored.remove(id);
            return Err(refused);
        }
        places.created.remove(id);
        Ok(())
    }

    /// Watches a target as whoever says of it what the shared settings hid, if anybody does.
    fn make_gone(&self, places: &mut Places, id: &TargetId) -> Result<(), Refused> {
        let before = places.watched(id).filter(|_| places.taken);
        places.stored.remove(id);
        let after = places.watched(id).filter(|_| places.taken);
        match (before, after) {
            (Some(before), Some(after)) if before.spec == after.spec => {}
            (_, Some(after)) => {
                self.watch(places, &after)?;
            }
            (Some(_), None) => self.forget(places, id),
            (None, None) => {}
        }
        Ok(())
    }

    fn make_paused(&self, places: &mut Places, id: &TargetId, paused: bool) {
        let changed = match paused {
            true => places.paused.insert(id.clone()),
            false => places.paused.remove(id),
        };
        if !changed || !places.taken || places.watched(id).is_none() {
            return;
        }
        self.judge(places, id);
    }
}

/// Why a setting cannot be used here. It is told beside the setting, so not of which one.
fn fault(refused: Refused) -> String {
    if let Refused::Document { problems, .. } = refused {
        return problems.to_string();
    }
    refused.to_string()
}
