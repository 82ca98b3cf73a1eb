//! The registry: what is watched, from where, and what happens when that changes.
//!
//! Targets come from four places: the settings file, the API (kept in the store), the group that
//! this monitor is a member of, and heartbeats of targets that nobody described. A name from an
//! earlier place hides the same name in a later one: the file wins, because it is what an operator
//! reads; what it hides stays in the store and comes back when the file drops the name.
//!
//! Whatever changes is checked as a whole, then written to the store, then told to the machine and
//! to the checks. A refusal leaves everything as it was.

mod bulk;
mod members;
mod refused;
mod reload;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Applied, Arrival, Change, SignalKey, Source};
use parking_lot::Mutex;

pub use members::MemberWord;
pub use refused::{Refused, ReloadError};
pub use reload::{ReloadStatus, Reloaded};

use crate::check::{CheckRunner, CheckSpec};
use crate::engine::Engine;
use crate::ingest::{Admission, Admitted, Key};
use crate::settings::{Defaults, Settings, TargetSpec};
use crate::store::{Contents, Record, Store};

/// What is watched. Shared by the API, the receiver of heartbeats and whoever reloads.
pub struct Registry {
    engine: Engine,
    checks: Arc<CheckRunner>,
    store: Option<Store>,
    file: Option<PathBuf>,
    /// Read with every heartbeat, so apart from what the lock guards.
    settings: ArcSwap<Settings>,
    key: Arc<ArcSwapOption<Key>>,
    places: Mutex<Places>,
    words: Mutex<BTreeMap<TargetId, MemberWord>>,
    status: Mutex<ReloadStatus>,
}

/// Where a target comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The settings file.
    File {
        /// The line at which it begins there.
        line: Option<usize>,
    },
    /// The API.
    Api,
    /// A heartbeat of a target that nobody had described.
    Heartbeat,
    /// The group that this monitor is a member of.
    Membership,
}

impl Origin {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Api => "api",
            Self::Heartbeat => "heartbeat",
            Self::Membership => "membership",
        }
    }
}

/// A target as it is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// What it is.
    pub spec: Arc<TargetSpec>,
    /// Where it comes from.
    pub origin: Origin,
}

/// The places that targets come from.
#[derive(Debug, Default)]
struct Places {
    /// Settings were taken once, so the machine knows of what stands here.
    taken: bool,
    file: BTreeMap<TargetId, Arc<TargetSpec>>,
    stored: BTreeMap<TargetId, Arc<TargetSpec>>,
    created: BTreeMap<TargetId, Arc<TargetSpec>>,
    members: BTreeMap<TargetId, Arc<TargetSpec>>,
    paused: BTreeSet<TargetId>,
}

impl Places {
    fn watched(&self, id: &str) -> Option<Watched> {
        if let Some(spec) = self.file.get(id) {
            let origin = Origin::File { line: spec.line };
            return Some(Watched {
                spec: Arc::clone(spec),
                origin,
            });
        }
        let stored = self.stored.get(id).map(|spec| (spec, Origin::Api));
        let created = || self.created.get(id).map(|spec| (spec, Origin::Heartbeat));
        let member = || self.members.get(id).map(|spec| (spec, Origin::Membership));
        let (spec, origin) = stored.or_else(member).or_else(created)?;
        Some(Watched {
            spec: Arc::clone(spec),
            origin,
        })
    }

    /// Everything that the machine was told to watch, by name.
    fn told(&self) -> BTreeMap<TargetId, Arc<TargetSpec>> {
        if self.taken {
            self.all()
        } else {
            BTreeMap::new()
        }
    }

    /// Everything that is to be watched, by name.
    fn all(&self) -> BTreeMap<TargetId, Arc<TargetSpec>> {
        let mut all = self.created.clone();
        // Those that come later take the places of the others.
        for place in [&self.members, &self.stored, &self.file] {
            all.extend(
                place
                    .iter()
                    .map(|(id, spec)| (id.clone(), Arc::clone(spec))),
            );
        }
        all
    }

    fn find(&self, id: &str) -> Result<TargetId, Refused> {
        let known = self.watched(id).map(|watched| watched.spec.id.clone());
        known.ok_or_else(|| Refused::NotFound(id.to_owned()))
    }
}

impl Registry {
    /// A registry that watches nothing yet; [`reload`](Self::reload) makes it watch what the
    /// settings file and the store say.
    #[must_use]
    pub fn new(
        engine: Engine,
        checks: Arc<CheckRunner>,
        store: Option<(Store, Contents)>,
        file: Option<PathBuf>,
    ) -> Self {
        let (store, contents) = store.map_or_else(Default::default, |(store, contents)| {
            (Some(store), contents)
        });
        let mut places = Places::default();
        for (id, json) in contents.targets {
            match stored_target(&json) {
                Ok(spec) => {
                    places.stored.insert(spec.id.clone(), Arc::new(spec));
                }
                Err(text) => tracing::error!(
                    target_id = id,
                    "a target that was added over the API cannot be read, and stays in the store: {text}"
                ),
            }
        }
        let paused = contents.paused.iter();
        places.paused = paused.filter_map(|id| TargetId::new(id).ok()).collect();
        Self {
            engine,
            checks,
            store,
            file,
            settings: ArcSwap::from_pointee(Settings::default()),
            key: Arc::default(),
            places: Mutex::new(places),
            words: Mutex::default(),
            status: Mutex::default(),
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The key that heartbeats must be signed with, as it changes.
    #[must_use]
    pub fn key(&self) -> Arc<ArcSwapOption<Key>> {
        Arc::clone(&self.key)
    }

    /// A target, as it is watched.
    #[must_use]
    pub fn watched(&self, id: &str) -> Option<Watched> {
        self.places.lock().watched(id)
    }

    /// What a target is.
    #[must_use]
    pub fn spec(&self, id: &str) -> Option<Arc<TargetSpec>> {
        self.watched(id).map(|watched| watched.spec)
    }

    /// All targets, by name.
    #[must_use]
    pub fn specs(&self) -> Vec<Arc<TargetSpec>> {
        self.places.lock().all().into_values().collect()
    }

    /// Where a target comes from.
    #[must_use]
    pub fn origin(&self, id: &str) -> Option<Origin> {
        self.watched(id).map(|watched| watched.origin)
    }

    /// Watches a new target. On the disk when this returns: not for an event loop, like everything
    /// here that changes something.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn create(&self, spec: TargetSpec) -> Result<Arc<TargetSpec>, Refused> {
        let spec = Arc::new(spec);
        let mut places = self.places.lock();
        match places.watched(&spec.id) {
            Some(Watched {
                origin: Origin::Heartbeat | Origin::Membership,
                ..
            })
            | None => {}
            Some(_) => return Err(Refused::Exists(spec.id.clone())),
        }
        self.put(&mut places, &spec)?;
        Ok(spec)
    }

    /// Watches a target in place of the one of that name, or a new one. `unchanged` sees the one
    /// that is there, if one is, and says whether the caller still means to replace it.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn replace(
        &self,
        spec: TargetSpec,
        unchanged: impl FnOnce(Option<&Watched>) -> bool,
    ) -> Result<(Applied, Arc<TargetSpec>), Refused> {
        let spec = Arc::new(spec);
        let mut places = self.places.lock();
        let watched = places.watched(&spec.id);
        if !unchanged(watched.as_ref()) {
            return Err(Refused::Changed(spec.id.clone()));
        }
        self.refuse_of_file(watched.as_ref())?;
        let applied = self.put(&mut places, &spec)?;
        Ok((applied, spec))
    }

    /// Watches a target no longer. `unchanged` as for [`replace`](Self::replace).
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn remove(
        &self,
        id: &str,
        unchanged: impl FnOnce(&Watched) -> bool,
    ) -> Result<(), Refused> {
        let mut places = self.places.lock();
        let watched = places.watched(id);
        let Some(found) = &watched else {
            return Err(Refused::NotFound(id.to_owned()));
        };
        let id = found.spec.id.clone();
        if !unchanged(found) {
            return Err(Refused::Changed(id));
        }
        self.refuse_of_file(watched.as_ref())?;
        if found.origin == Origin::Membership {
            return Err(Refused::IsMember(id));
        }
        self.store(&[Record::Remove(&id)])?;
        places.stored.remove(&id);
        places.created.remove(&id);
        places.paused.remove(&id);
        self.forget(&id);
        Ok(())
    }

    /// Judges a target no longer, until it is resumed, over restarts too.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn pause(&self, id: &str) -> Result<Applied, Refused> {
        let mut places = self.places.lock();
        let id = places.find(id)?;
        self.store(&[Record::Pause(&id)])?;
        places.paused.insert(id.clone());
        Ok(self.engine.apply(Change::Pause(id))?)
    }

    /// Judges a paused target again.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn resume(&self, id: &str) -> Result<Applied, Refused> {
        let mut places = self.places.lock();
        let id = places.find(id)?;
        self.store(&[Record::Resume(&id)])?;
        places.paused.remove(&id);
        Ok(self.engine.apply(Change::Resume(id))?)
    }

    fn refuse_of_file(&self, watched: Option<&Watched>) -> Result<(), Refused> {
        match watched {
            Some(Watched {
                spec,
                origin: Origin::File { line },
            }) => Err(Refused::DefinedInFile {
                id: spec.id.clone(),
                path: self.file.clone(),
                line: *line,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn put(&self, places: &mut Places, spec: &Arc<TargetSpec>) -> Result<Applied, Refused> {
        let limit = self.engine.config().targets_max;
        if places.watched(&spec.id).is_none() && places.all().len() >= limit {
            return Err(Refused::Full { limit });
        }
        self.checkable(spec)?;
        let id = spec.id.as_str();
        let json = serde_json::to_string(&**spec).map_err(Refused::Json)?;
        self.store(&[Record::Put { id, json: &json }])?;
        places.created.remove(id);
        places.stored.insert(spec.id.clone(), Arc::clone(spec));
        self.watch(spec)
    }

    fn store(&self, records: &[Record<'_>]) -> Result<(), Refused> {
        self.store
            .as_ref()
            .map_or(Ok(()), |store| store.write(records))?;
        Ok(())
    }

    /// Refuses what could not be checked, before anything is changed.
    fn checkable(&self, spec: &TargetSpec) -> Result<(), Refused> {
        for signal in &spec.signals {
            if let Some(check) = CheckSpec::from_source(&signal.source) {
                self.checks
                    .validate(&check)
                    .map_err(|error| Refused::Check {
                        id: spec.id.clone(),
                        signal: signal.name.clone(),
                        error,
                    })?;
            }
        }
        Ok(())
    }

    /// Tells the machine and the checks. What is asked for was proven possible, so a refusal here
    /// is a fault of ours, and is told to the caller as what it is.
    fn watch(&self, spec: &TargetSpec) -> Result<Applied, Refused> {
        let id = spec.id.as_str();
        let before = self.keys(id);
        let applied = self.engine.apply(Change::Put(spec.to_target()))?;
        let after = self.keys(id);
        for key in before.iter().filter(|key| !after.contains(key)) {
            self.checks.remove(*key);
        }
        self.tell_again(spec);
        for signal in &spec.signals {
            let key = self
                .engine
                .read(|monitor, _| monitor.signal(id, &signal.name));
            let Some(key) = key else { continue };
            match CheckSpec::from_source(&signal.source) {
                Some(check) => self
                    .checks
                    .set(key, check)
                    .map_err(|error| Refused::Check {
                        id: spec.id.clone(),
                        signal: signal.name.clone(),
                        error,
                    })?,
                None => self.checks.remove(key),
            }
        }
        Ok(applied)
    }

    fn forget(&self, id: &TargetId) {
        for key in self.keys(id) {
            self.checks.remove(key);
        }
        if let Err(error) = self.engine.apply(Change::Remove(id.clone())) {
            tracing::error!(%error, "a target that was watched is unknown to the machine");
        }
    }

    fn keys(&self, id: &str) -> Vec<SignalKey> {
        self.engine.read(|monitor, _| {
            let target = monitor.target(id);
            target.map_or_else(Vec::new, |target| {
                target.signals().map(|signal| signal.key()).collect()
            })
        })
    }
}

impl Admission for Registry {
    fn is_open(&self) -> bool {
        self.settings.load().heartbeats.create
    }

    fn admit(&self, heartbeat: &Arrival<'_>) -> Admitted {
        let Source::Name { target, signal } = heartbeat.source else {
            return Admitted::Refused;
        };
        let signal = signal.map(SignalName::new).transpose();
        let (Ok(id), Ok(signal)) = (TargetId::new(target), signal) else {
            return Admitted::Refused;
        };
        let settings = self.settings.load();
        let mut places = self.places.lock();
        if places.watched(target).is_some() {
            return Admitted::Created;
        }
        let heartbeats = &settings.heartbeats;
        if places.created.len() >= heartbeats.targets_max {
            return Admitted::Full;
        }
        let spec = heartbeats.target(id, signal, heartbeat.interval_hint);
        if self.watch(&spec).is_err() {
            return Admitted::Full;
        }
        places.created.insert(spec.id.clone(), Arc::new(spec));
        Admitted::Created
    }
}

/// A target as the store keeps it: written out in full, so that no default matters.
fn stored_target(json: &str) -> Result<TargetSpec, String> {
    let value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    TargetSpec::from_json(&value, &Defaults::builtin()).map_err(|problems| problems.to_string())
}

#[cfg(test)]
mod tests;
