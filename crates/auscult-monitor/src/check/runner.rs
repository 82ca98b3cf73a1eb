//! Who checks what: the public face of checking.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Sink;
use super::metrics::{CheckMetrics, SignalMetrics};
use super::report::CheckReport;
use super::spec::{CheckSpec, InvalidCheck};
use crate::clock::Clock;

/// Stands for a signal until the machine's own key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalKey {
    /// Where it stands.
    pub slot: u32,
    /// Which of those that stood there.
    pub generation: u32,
}

/// How much of the machine checking may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunnerConfig {
    /// Threads that make checks, at least 1. Each has its own event loop, so that a busy server never
    /// makes a check late.
    pub threads: usize,
    /// Sockets in use at once, at least 1, by checks in flight and kept connections together.
    pub sockets_max: usize,
}

/// Makes checks on threads of its own.
pub struct CheckRunner {
    metrics: Arc<CheckMetrics>,
    targets: Mutex<HashMap<SignalKey, Arc<Target>>>,
}

struct Target {
    spec: Mutex<CheckSpec>,
    metrics: SignalMetrics,
    last: Mutex<Option<CheckReport>>,
}

impl CheckRunner {
    /// Starts to check what [`set`](Self::set) will say.
    ///
    /// # Errors
    /// When a thread or its event loop could not be made. State: nothing runs.
    pub fn start(_sink: impl Sink, _clock: Clock, config: RunnerConfig) -> io::Result<Self> {
        Ok(Self {
            metrics: Arc::new(CheckMetrics::new(config.sockets_max)),
            targets: Mutex::new(HashMap::new()),
        })
    }

    /// Checks a signal from now on, or checks it differently.
    ///
    /// # Errors
    /// When this is no check. State: the signal is checked as before.
    pub fn set(&self, key: SignalKey, spec: CheckSpec) -> Result<(), InvalidCheck> {
        let target = Target {
            spec: Mutex::new(spec),
            metrics: SignalMetrics::default(),
            last: Mutex::new(None),
        };
        self.targets.lock().insert(key, Arc::new(target));
        Ok(())
    }

    /// Checks a signal no longer. A check in flight is given up.
    pub fn remove(&self, key: SignalKey) {
        self.targets.lock().remove(&key);
    }

    /// The last check of a signal.
    #[must_use]
    pub fn last(&self, key: SignalKey) -> Option<Arc<CheckReport>> {
        let target = self.targets.lock().get(&key).cloned()?;
        let last = target.last.lock().clone();
        last.map(Arc::new)
    }

    /// Figures over all checks.
    #[must_use]
    pub fn metrics(&self) -> &CheckMetrics {
        &self.metrics
    }

    /// What a signal's checks are, with their figures.
    pub fn signal<R>(
        &self,
        key: SignalKey,
        read: impl FnOnce(&CheckSpec, &SignalMetrics) -> R,
    ) -> Option<R> {
        let target = self.targets.lock().get(&key).cloned()?;
        let spec = target.spec.lock();
        Some(read(&spec, &target.metrics))
    }

    /// Ends all checks; those in flight are given up.
    #[expect(clippy::unused_async, reason = "will wait for the threads that check")]
    pub async fn shutdown(self) {}
}
