//! The queue between the engine and the history: bounded, and nobody ever waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use auscult_core::monitor::EventKind;
use parking_lot::Mutex;

use crate::events::LoggedEvent;

/// Events that wait: a large site goes down at once while the disk takes a second. Some 60 MB.
const WAITING_MAX: usize = 131_072;

/// What waits to be kept.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    waiting: Mutex<Vec<Arc<LoggedEvent>>>,
    dropped: AtomicU64,
}

impl Tap {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes an event, if it is one of those that are kept and there is room.
    pub(crate) fn put(&self, event: &Arc<LoggedEvent>) {
        if !belongs(&event.event.kind) {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push(Arc::clone(event));
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Everything that waits, in its order.
    pub(super) fn take(&self) -> Vec<Arc<LoggedEvent>> {
        std::mem::take(&mut self.waiting.lock())
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    /// How many found no room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// What tells of a target's status, or of its being watched at all.
fn belongs(kind: &EventKind) -> bool {
    match kind {
        EventKind::Added
        | EventKind::Removed
        | EventKind::Transition { .. }
        | EventKind::SignalTransition { .. }
        | EventKind::Observed { .. }
        | EventKind::Verdict { .. } => true,
        EventKind::Replaced
        | EventKind::Isolated { .. }
        | EventKind::Rejoined { .. }
        | EventKind::ObserverIsolated { .. }
        | EventKind::ObserverRejoined { .. }
        | EventKind::FlappingStarted { .. }
        | EventKind::FlappingStopped { .. }
        | EventKind::Relearnt { .. }
        | EventKind::ObserverSuspectsItself { .. }
        | EventKind::ObserverTrustsItself { .. }
        | EventKind::Stalled { .. }
        | EventKind::Membership { .. } => false,
    }
}
