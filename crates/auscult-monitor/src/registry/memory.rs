//! Shared settings in memory, decided at once: for tests of everything that is built over them.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{Change, Outcome, Registry, Revision};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::shared::{Age, ChangeError, MonitorId, Role, SettingsStore, StoreCounters, StoreStatus};

/// What the next changes are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// They are decided.
    Decides,
    /// Nobody decides.
    NoLeader,
    /// They are decided, but the answer is lost.
    Loses,
    /// As [`Loses`](Self::Loses), and from then on nobody decides.
    LosesLast,
}

pub(crate) struct Memory {
    registry: Mutex<Registry>,
    revision: watch::Sender<Revision>,
    mood: Mutex<Mood>,
    coming: watch::Sender<Option<Arc<Change>>>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            registry: Mutex::default(),
            revision: watch::Sender::new(Revision::NONE),
            mood: Mutex::new(Mood::Decides),
            coming: watch::Sender::default(),
        }
    }

    /// Tells of a change that is not decided yet, or of none.
    pub(crate) fn expect(&self, change: Option<Arc<Change>>) {
        self.coming.send_replace(change);
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    fn decide(&self, change: &Change) -> Result<Outcome, ChangeError> {
        let mood = *self.mood.lock();
        if mood == Mood::NoLeader {
            return Err(no_leader());
        }
        let mut registry = self.registry.lock();
        let decided = registry.apply(change).map_err(ChangeError::Refused);
        self.revision.send_replace(registry.revision());
        match mood {
            Mood::Loses => Err(ChangeError::Unclear),
            Mood::LosesLast => {
                self.set_mood(Mood::NoLeader);
                Err(ChangeError::Unclear)
            }
            Mood::Decides | Mood::NoLeader => decided,
        }
    }
}

const fn no_leader() -> ChangeError {
    ChangeError::NoLeader {
        retry_after: Duration::from_secs(1),
    }
}

impl SettingsStore for Memory {
    fn change(&self, change: Change) -> BoxFuture<'_, Result<Outcome, ChangeError>> {
        ready(self.decide(&change)).boxed()
    }

    fn read(&self, look: &mut dyn FnMut(&Registry, Age)) {
        look(&self.registry.lock(), Age(Some(Duration::ZERO)));
    }

    fn confirm(&self) -> BoxFuture<'_, Result<Revision, ChangeError>> {
        let confirmed = match *self.mood.lock() {
            Mood::NoLeader => Err(no_leader()),
            Mood::Decides | Mood::Loses | Mood::LosesLast => Ok(self.registry.lock().revision()),
        };
        ready(confirmed).boxed()
    }

    fn revisions(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    fn coming(&self) -> watch::Receiver<Option<Arc<Change>>> {
        self.coming.subscribe()
    }

    fn status(&self) -> StoreStatus {
        StoreStatus {
            group: String::new(),
            id: MonitorId(1),
            role: Role::Leader,
            term: 1,
            leader: Some(MonitorId(1)),
            revision: self.registry.lock().revision(),
            age: Age(Some(Duration::ZERO)),
            log_last: 0,
            log_applied: 0,
            monitors: Vec::new(),
            trouble: None,
            counters: StoreCounters::default(),
        }
    }
}
