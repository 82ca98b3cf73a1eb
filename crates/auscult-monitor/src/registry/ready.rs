//! Targets made ready to be watched: proven possible, with their checks prepared. That is most of
//! the work that a new target makes, so it is done once, and where nobody waits for a lock.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use auscult_core::monitor::registry::{ChangeId, Document, Key, Kind};

use super::{Refused, Registry};
use crate::check::{CheckSpec, Prepared};
use crate::settings::documents::Inheritance;
use crate::settings::{SignalSpec, TargetSpec};

/// Documents that one thread reads at least: some 10 ms, so that it is worth to be started.
const DOCUMENTS_PER_THREAD: usize = 1_000;

/// A target that can be watched here. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ready {
    /// What it is.
    pub(super) spec: Arc<TargetSpec>,
    /// One for each of its signals, none where the signal is not checked.
    pub(super) checks: Arc<[Option<Prepared>]>,
}

/// What was proven of a change before it was decided, for whoever makes it live here.
#[derive(Default)]
pub(super) struct Proven(Option<Parts>);

struct Parts {
    /// The change that it is a part of, once that has an id.
    change: Option<ChangeId>,
    /// What the targets inherited when they were proven.
    inheritance: Inheritance,
    targets: BTreeMap<Key, (Document, Ready)>,
}

impl Proven {
    pub(super) const fn new(
        inheritance: Inheritance,
        targets: BTreeMap<Key, (Document, Ready)>,
    ) -> Self {
        Self(Some(Parts {
            change: None,
            inheritance,
            targets,
        }))
    }

    /// The same, of the change with this id.
    pub(super) fn of(mut self, change: ChangeId) -> Self {
        if let Some(parts) = &mut self.0 {
            parts.change = Some(change);
        }
        self
    }

    /// Whether it is of the change with this id.
    pub(super) fn is_of(&self, change: Option<ChangeId>) -> bool {
        let known = self.0.as_ref().and_then(|parts| parts.change);
        known.is_some() && known == change
    }

    /// What a document was proven to be, if it inherits now what it inherited then.
    pub(super) fn find(&self, now: &Inheritance, key: &Key, document: &Document) -> Option<&Ready> {
        let proven = self.0.as_ref()?;
        let (known, ready) = proven.targets.get(key)?;
        let mut groups = document.refers().iter();
        let group = groups.find(|key| key.kind() == Kind::Group).map(Key::name);
        let same = known == document && proven.inheritance.gives_as(now, group);
        same.then_some(ready)
    }
}

impl Registry {
    /// Makes a target ready.
    ///
    /// # Errors
    /// What cannot be checked. State: unchanged.
    pub(super) fn ready(&self, spec: Arc<TargetSpec>) -> Result<Ready, Refused> {
        let prepare = |signal: &SignalSpec| {
            let check = CheckSpec::from_source(&signal.source);
            let prepared = check.map(|check| self.checks.prepare(check)).transpose();
            prepared.map_err(|error| Refused::Check {
                id: spec.id.clone(),
                signal: signal.name.clone(),
                error,
            })
        };
        let checks = spec.signals.iter().map(prepare);
        let checks = checks.collect::<Result<Vec<_>, _>>()?.into();
        Ok(Ready { spec, checks })
    }

    /// Reads what documents say, with what they inherit, and makes it ready: in their order.
    pub(super) fn ready_all(
        &self,
        inheritance: &Inheritance,
        proven: &[Proven],
        documents: &[(Key, Document)],
    ) -> Vec<Result<Ready, Refused>> {
        let read = |(key, document): &(Key, Document)| {
            let find = |proven: &Proven| proven.find(inheritance, key, document).cloned();
            if let Some(ready) = proven.iter().find_map(find) {
                return Ok(ready);
            }
            let spec = inheritance.target(document.body());
            let spec = spec.map_err(|it| Refused::of_document(Some(key.clone()), it))?;
            self.ready(Arc::new(spec))
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = documents.len().div_ceil(threads).max(DOCUMENTS_PER_THREAD);
        if share >= documents.len() {
            return documents.iter().map(read).collect();
        }
        thread::scope(|scope| {
            let read = &read;
            let shares = documents.chunks(share);
            let begun = shares
                .map(|some| scope.spawn(move || -> Vec<_> { some.iter().map(read).collect() }));
            let begun: Vec<_> = begun.collect();
            let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
            let all = ended.map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic)));
            all.flatten().collect()
        })
    }
}
