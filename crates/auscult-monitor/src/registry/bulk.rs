//! Replacing everything that came over the API at once, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auscult_core::id::TargetId;

use super::{Origin, Refused, Registry, Reloaded, Watched};
use crate::settings::TargetSpec;
use crate::store::Record;

impl Registry {
    /// Watches these targets in place of all that came over the API. One that stands in the
    /// settings file may be among them if it is the same there; it stays the file's. What
    /// heartbeats created stays.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn replace_all(&self, specs: Vec<TargetSpec>) -> Result<Reloaded, Refused> {
        let mut places = self.places.lock();
        let mut stored: BTreeMap<TargetId, Arc<TargetSpec>> = BTreeMap::new();
        for spec in specs {
            if let Some(spec_of_file) = places.file.get(&spec.id) {
                if **spec_of_file == spec {
                    continue;
                }
                let origin = Origin::File {
                    line: spec_of_file.line,
                };
                let spec = Arc::clone(spec_of_file);
                self.refuse_of_file(Some(&Watched { spec, origin }))?;
            }
            self.checkable(&spec)?;
            let id = spec.id.clone();
            if stored.insert(id.clone(), Arc::new(spec)).is_some() {
                return Err(Refused::Exists(id));
            }
        }
        let known = places.file.keys().chain(places.created.keys());
        let all: BTreeSet<&TargetId> = known.chain(stored.keys()).collect();
        let limit = self.engine.config().targets_max;
        if all.len() > limit {
            return Err(Refused::Full { limit });
        }
        self.write_all(&places.stored, &stored)?;
        let before = places.all();
        places.created.retain(|id, _| !stored.contains_key(id));
        places.stored = stored;
        let watched = |id: &&TargetId| places.watched(id).is_some();
        places.paused = places.paused.iter().filter(watched).cloned().collect();
        self.turn(&before, &places)
    }

    /// Brings the store from one set of targets to the other, as one write.
    fn write_all(
        &self,
        before: &BTreeMap<TargetId, Arc<TargetSpec>>,
        after: &BTreeMap<TargetId, Arc<TargetSpec>>,
    ) -> Result<(), Refused> {
        let changed = after
            .iter()
            .filter(|(id, spec)| before.get(*id) != Some(spec));
        let written = changed.map(|(id, spec)| {
            let json = serde_json::to_string(&**spec).map_err(Refused::Json)?;
            Ok((id.as_str(), json))
        });
        let written: Vec<(&str, String)> = written.collect::<Result<_, Refused>>()?;
        let gone = before.keys().filter(|id| !after.contains_key(*id));
        let puts = written.iter().map(|(id, json)| Record::Put { id, json });
        let records: Vec<Record<'_>> = gone.map(|id| Record::Remove(id)).chain(puts).collect();
        self.store(&records)
    }
}
