//! Taking the settings file, at the start and whenever it is read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use auscult_core::id::TargetId;
use jiff::Timestamp;

use super::ready::Ready;
use super::{FileTargets, Places, Refused, Registry, ReloadError};
use crate::ingest::Key;
use crate::settings::{Settings, TargetSpec};

/// What new settings did to the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Targets that are watched now and were not.
    pub added: usize,
    /// Targets that are watched differently.
    pub changed: usize,
    /// Targets that are watched no longer.
    pub removed: usize,
    /// Targets that are watched as before.
    pub unchanged: usize,
}

/// How often settings were taken, and what came of it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadStatus {
    /// Settings that were taken.
    pub succeeded: u64,
    /// Settings that were not.
    pub failed: u64,
    /// Whether the last ones were taken.
    pub last_succeeded: bool,
    /// When settings were last taken.
    pub last_success: Option<Timestamp>,
}

/// Settings that were proven possible.
struct Plan {
    settings: Settings,
    key: Option<Key>,
    file: BTreeMap<TargetId, Ready>,
}

impl Registry {
    /// Reads the settings file and makes it so: targets that stay keep their history. Without a
    /// file, the defaults are the settings.
    ///
    /// # Errors
    /// Why not. State: the settings before are in force.
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        let settings = match &self.file {
            Some(path) => Settings::load(path).map_err(ReloadError::Settings),
            None => Ok(Settings::default()),
        };
        self.record(settings.and_then(|settings| self.make_so(settings)))
    }

    /// Makes settings so that were read already.
    ///
    /// # Errors
    /// Why not. State: the settings before are in force.
    pub fn take(&self, settings: Settings) -> Result<Reloaded, ReloadError> {
        self.record(self.make_so(settings))
    }

    fn record(&self, outcome: Result<Reloaded, ReloadError>) -> Result<Reloaded, ReloadError> {
        let mut status = self.status.lock();
        status.last_succeeded = outcome.is_ok();
        match &outcome {
            Ok(reloaded) => {
                status.succeeded += 1;
                status.last_success = Some(self.engine.clock().wall_now());
                let Reloaded {
                    added,
                    changed,
                    removed,
                    unchanged,
                } = reloaded;
                tracing::info!(added, changed, removed, unchanged, "settings taken");
            }
            Err(error) => {
                status.failed += 1;
                tracing::error!("settings not taken, those before stay in force: {error}");
            }
        }
        outcome
    }

    /// How reloads went so far; the settings at the start count as one.
    #[must_use]
    pub fn reload_status(&self) -> ReloadStatus {
        self.status.lock().clone()
    }

    fn make_so(&self, settings: Settings) -> Result<Reloaded, ReloadError> {
        let mut followed = self.followed.lock();
        let mut places = self.places.lock();
        let plan = self.plan(&places, settings)?;
        let before = places.told();
        for id in plan
            .file
            .keys()
            .filter(|id| places.stored.contains_key(*id))
        {
            tracing::warn!(
                target_id = %id,
                "the settings file defines a target that was also shared among monitors; the file wins"
            );
        }
        if self.file_targets == FileTargets::OfGroup && !plan.settings.targets.is_empty() {
            tracing::info!(
                "what is watched stands in the settings of the group; auscult apply -f FILE shares \
                 what the file says now"
            );
        }
        if *self.engine.config() != plan.settings.observer {
            tracing::warn!(
                "the settings of the observer have changed; they take effect after a restart"
            );
        }
        if places.taken && self.settings.load().membership != plan.settings.membership {
            tracing::warn!(
                "the settings of the membership have changed; they take effect after a restart"
            );
        }
        let specs = plan.file.iter();
        let specs = specs.map(|(id, ready)| (id.clone(), Arc::clone(&ready.spec)));
        places.file = specs.collect();
        places.taken = true;
        let reloaded = self.turn(&before, &mut places, &plan.file)?;
        self.key.store(plan.key.map(Arc::new));
        let inherited_anew = self.settings.load().defaults != plan.settings.defaults;
        self.settings.store(Arc::new(plan.settings));
        drop(places);
        if inherited_anew {
            followed.set_file(&self.settings.load().defaults);
            self.note_observers(followed.inheritance());
        }
        self.follow_to_end(&mut followed);
        self.taken.send_replace(());
        Ok(reloaded)
    }

    /// Proves that settings can be made so, without changing anything.
    fn plan(&self, places: &Places, settings: Settings) -> Result<Plan, ReloadError> {
        let key_file = settings.heartbeats.key_file.as_deref();
        let key = key_file.map(Key::from_file).transpose();
        let key = key.map_err(ReloadError::Key)?;
        let mut file = BTreeMap::new();
        for spec in &settings.targets {
            let ready = self.ready(Arc::new(spec.clone()))?;
            match self.file_targets {
                FileTargets::Own => {
                    file.insert(spec.id.clone(), ready);
                }
                FileTargets::OfGroup => {}
            }
        }
        let limit = self.engine.config().targets_max;
        let hidden = |id: &TargetId| file.contains_key(id);
        let stored = places.stored.keys().filter(|id| !hidden(id)).count();
        let created = places.created.keys();
        let created = created
            .filter(|id| !hidden(id) && !places.stored.contains_key(*id))
            .count();
        if file.len() + stored + created > limit {
            return Err(Refused::Full { limit }.into());
        }
        Ok(Plan {
            settings,
            key,
            file,
        })
    }

    /// Brings the machine and the checks from one set of targets to the other. Those of the file
    /// are ready.
    fn turn(
        &self,
        before: &BTreeMap<TargetId, Arc<TargetSpec>>,
        places: &mut Places,
        file: &BTreeMap<TargetId, Ready>,
    ) -> Result<Reloaded, Refused> {
        let mut reloaded = Reloaded::default();
        let after = places.all();
        // First those that go, so that there is room for those that come.
        for id in before.keys().filter(|id| !after.contains_key(*id)) {
            self.forget(places, id);
            reloaded.removed += 1;
        }
        for (id, spec) in &after {
            match before.get(id) {
                Some(known) if known == spec => {
                    reloaded.unchanged += 1;
                    continue;
                }
                Some(_) => reloaded.changed += 1,
                None => reloaded.added += 1,
            }
            let Some(watched) = places.watched(id) else {
                continue;
            };
            match file.get(id) {
                Some(ready) => self.watch_ready(places, ready, watched.origin)?,
                None => self.watch(places, &watched)?,
            };
        }
        Ok(reloaded)
    }
}
