//! The registry: what is watched, from where, and what happens when that changes.
//!
//! Targets come from four places: the settings file of this monitor, the settings that monitors
//! share, the group that this monitor is a member of, and heartbeats of targets that nobody
//! described. A name from an earlier place hides the same name in a later one: the file wins,
//! because it is what an operator of this monitor reads; what it hides stays among the shared
//! settings and comes back when the file drops the name. Where others share the settings, the file
//! is no such place: a group begins with the file of the monitor that begins it (`founding`).
//!
//! A change of shared settings is checked as a whole (`propose`), decided by whoever keeps them,
//! and becomes live on every monitor when it follows (`follow`); what is large is made ready before
//! (`foresee`). A refusal leaves everything as it was. What the monitor's own file, its group and
//! heartbeats say is told to the machine and to the checks at once.

mod duty;
mod follow;
mod foresee;
mod founding;
mod members;
#[cfg(test)]
pub(crate) mod memory;
mod propose;
mod ready;
mod refused;
mod reload;
mod targets;
pub mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::{ArcSwap, ArcSwapOption};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::observers::Lineup;
use auscult_core::monitor::{Applied, Arrival, Change, Source};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use duty::Handed;
pub use founding::FileTargets;
pub use members::MemberWord;
pub use propose::{Made, Prune, Wanted};
pub use refused::{Refused, ReloadError};
pub use reload::{ReloadStatus, Reloaded};
pub use targets::{OnlyIf, Put};

use crate::check::CheckRunner;
use crate::engine::{Engine, Placed};
use crate::ingest::{Admission, Admitted, Key};
use crate::observers::Part;
use crate::settings::{Settings, TargetSpec};
use crate::shared::SettingsStore;
use follow::{Followed, Reached};
use ready::{Proven, Ready};
use tokens::Tokens;

/// What is watched. Shared by the API, the receiver of heartbeats and whoever reloads.
pub struct Registry {
    engine: Engine,
    checks: Arc<CheckRunner>,
    shared: Arc<dyn SettingsStore>,
    file: Option<PathBuf>,
    file_targets: FileTargets,
    /// Read with every heartbeat, so apart from what the lock guards.
    settings: ArcSwap<Settings>,
    key: Arc<ArcSwapOption<Key>>,
    /// Locked before `places` by whoever locks both.
    followed: Mutex<Followed>,
    /// For whoever must not wait while they are followed.
    reached: ArcSwap<Reached>,
    tokens: ArcSwap<Tokens>,
    /// Of the change that is being made through this monitor.
    proven: Mutex<Proven>,
    /// Of a large change that is not decided yet. Locked while it is made ready, after `followed`.
    foreseen: Mutex<Proven>,
    places: Mutex<Places>,
    words: Mutex<BTreeMap<TargetId, MemberWord>>,
    status: Mutex<ReloadStatus>,
    /// Who observes the shared targets, where this is not the only monitor.
    lineup: ArcSwapOption<Lineup>,
    /// How many monitors observe each of them.
    observers: AtomicUsize,
    /// Changes whenever settings were taken.
    taken: watch::Sender<()>,
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

    /// Whether other monitors of a group have it, too.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        match self {
            Self::Api | Self::Heartbeat => true,
            Self::File { .. } | Self::Membership => false,
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
    /// What is left to other monitors that observe it.
    resting: BTreeSet<TargetId>,
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

    /// How many are watched at most, those counted twice that come from two places.
    fn upper_bound(&self) -> usize {
        self.file.len() + self.stored.len() + self.members.len() + self.created.len()
    }

    /// The names of everything that is to be watched, sorted.
    fn names(&self) -> Vec<TargetId> {
        let mut names = Vec::with_capacity(self.upper_bound());
        for place in [&self.file, &self.stored, &self.members, &self.created] {
            names.extend(place.keys().cloned());
        }
        // Each place is sorted already.
        names.sort();
        names.dedup();
        names
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
}

impl Registry {
    /// A registry that watches nothing yet; [`reload`](Self::reload) makes it watch what the
    /// settings file says, and [`follow`](Self::follow) what the shared settings say.
    #[must_use]
    pub fn new(
        engine: Engine,
        checks: Arc<CheckRunner>,
        shared: Arc<dyn SettingsStore>,
        file: Option<PathBuf>,
        file_targets: FileTargets,
    ) -> Self {
        let settings = Settings::default();
        let followed = Followed::new(&settings.defaults);
        let observers = AtomicUsize::new(followed.inheritance().observers());
        Self {
            engine,
            checks,
            shared,
            file,
            file_targets,
            followed: Mutex::new(followed),
            reached: ArcSwap::default(),
            settings: ArcSwap::from_pointee(settings),
            key: Arc::default(),
            tokens: ArcSwap::default(),
            proven: Mutex::default(),
            foreseen: Mutex::default(),
            places: Mutex::default(),
            words: Mutex::default(),
            status: Mutex::default(),
            lineup: ArcSwapOption::empty(),
            observers,
            taken: watch::Sender::new(()),
        }
    }

    /// Where the settings are kept that monitors share.
    #[must_use]
    pub fn shared(&self) -> &Arc<dyn SettingsStore> {
        &self.shared
    }

    /// The tokens in force.
    #[must_use]
    pub fn tokens(&self) -> Arc<Tokens> {
        self.tokens.load_full()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Something to wait on: it changes whenever settings were taken.
    #[must_use]
    pub fn taken(&self) -> watch::Receiver<()> {
        self.taken.subscribe()
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

    /// The names of all targets, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<TargetId> {
        self.places.lock().names()
    }

    /// Where a target comes from.
    #[must_use]
    pub fn origin(&self, id: &str) -> Option<Origin> {
        self.watched(id).map(|watched| watched.origin)
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

    /// As [`watch_ready`](Self::watch_ready), of a target that was not made ready.
    ///
    /// # Errors
    /// It cannot be checked, or the machine has no room for it. State: unchanged.
    fn watch(&self, places: &mut Places, watched: &Watched) -> Result<Applied, Refused> {
        let ready = self.ready(Arc::clone(&watched.spec))?;
        self.watch_ready(places, &ready, watched.origin)
    }

    /// Tells the machine and the checks.
    ///
    /// # Errors
    /// The machine has no room for it. State: unchanged.
    fn watch_ready(
        &self,
        places: &mut Places,
        ready: &Ready,
        origin: Origin,
    ) -> Result<Applied, Refused> {
        let spec = &ready.spec;
        let Placed {
            applied,
            gone,
            signals,
        } = self.engine.put(spec.to_target())?;
        for key in gone {
            self.checks.remove(key);
        }
        self.tell_again(spec);
        let part = self.part(&spec.id, origin);
        let is_news = match part {
            Part::None => places.resting.insert(spec.id.clone()),
            Part::Alone | Part::Among(_) => places.resting.remove(&spec.id),
        };
        if is_news || places.paused.contains(&spec.id) {
            self.judge(places, &spec.id);
        }
        self.set_checks(ready, &signals, part);
        Ok(applied)
    }

    fn forget(&self, places: &mut Places, id: &TargetId) {
        places.resting.remove(id);
        for key in self.engine.keys(id) {
            self.checks.remove(key);
        }
        if let Err(error) = self.engine.apply(Change::Remove(id.clone())) {
            tracing::error!(%error, "a target that was watched is unknown to the machine");
        }
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
        let watched = Watched {
            spec: Arc::new(spec),
            origin: Origin::Heartbeat,
        };
        if self.watch(&mut places, &watched).is_err() {
            return Admitted::Full;
        }
        let spec = watched.spec;
        places.created.insert(spec.id.clone(), spec);
        Admitted::Created
    }
}

#[cfg(test)]
mod tests;
