//! Getting ready for a large change before it is decided: what then is left until it is live here
//! is to tell the machine and the checks of it.
//!
//! Nothing is decided by what is made ready. When the change is followed, each target is taken only
//! if its document and what it inherits are those that it was made ready from; when the change is
//! refused or given up, it is thrown away.

use std::collections::BTreeMap;
use std::sync::Arc;

use auscult_core::monitor::registry::{Change, Edit, Kind};

use super::Registry;
use super::ready::Proven;
use crate::api::Stop;

/// Targets of a change that is worth to be waited for until it is ready: less than these are made
/// ready at once.
const TARGETS_MIN: usize = 1_000;

impl Registry {
    /// Gets ready for large changes before they are decided, until the monitor ends.
    pub(super) async fn foresee(self: Arc<Self>, stop: Stop) {
        let mut coming = self.shared.coming();
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                // A store that tells of none has ended.
                changed = coming.changed() => if changed.is_err() { return },
                () = &mut stopped => return,
            }
            let change = coming.borrow_and_update().clone();
            let registry = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || match change {
                Some(change) => registry.make_foreseen(&change),
                None => registry.forget_foreseen(),
            });
            if let Err(error) = looked.await {
                tracing::error!(%error, "a large change is made ready when it is decided");
            }
        }
    }

    fn make_foreseen(&self, change: &Change) {
        let mut inheritance = self.followed.lock().inheritance().clone();
        let mut targets = Vec::new();
        // What is wrong with any of them is told when they are followed.
        for edit in &change.edits {
            let (key, document) = match edit {
                Edit::Put { key, document, .. } => (key, Some(document)),
                Edit::Delete { key, .. } => (key, None),
            };
            let body = document.map(|document| document.body());
            match key.kind() {
                Kind::Defaults => drop(inheritance.set_defaults(body)),
                Kind::Group => drop(inheritance.set_group(key.name(), body)),
                Kind::Target => targets.extend(document.map(|it| (key.clone(), it.clone()))),
                Kind::Receiver | Kind::Silence | Kind::Token | Kind::Pause | Kind::Value => {}
            }
        }
        let mut foreseen = self.foreseen.lock();
        let is_coming = |coming: &Option<Arc<Change>>| {
            coming.as_ref().is_some_and(|coming| coming.id == change.id)
        };
        let coming = is_coming(&self.shared.coming().borrow());
        // Whoever proposed it has proven it.
        let is_proven = self.proven.lock().is_of(change.id);
        if !coming || is_proven {
            return;
        }
        let ready = self.ready_all(&inheritance, &[], &targets);
        let usable = targets.into_iter().zip(ready);
        let usable =
            usable.filter_map(|((key, document), ready)| Some((key, (document, ready.ok()?))));
        let usable: BTreeMap<_, _> = usable.collect();
        let proven = Proven::new(inheritance, usable);
        *foreseen = match change.id {
            Some(id) => proven.of(id),
            None => proven,
        };
    }

    fn forget_foreseen(&self) {
        // If it was decided, it is followed first.
        self.catch_up();
        *self.foreseen.lock() = Proven::default();
    }

    /// What was made ready before of a change that concerns so many targets. Waits for what is
    /// being made ready.
    pub(super) fn foreseen_of(&self, targets: usize) -> [Proven; 2] {
        let proven = std::mem::take(&mut *self.proven.lock());
        let foreseen = match targets >= TARGETS_MIN {
            true => std::mem::take(&mut *self.foreseen.lock()),
            false => Proven::default(),
        };
        [proven, foreseen]
    }
}
