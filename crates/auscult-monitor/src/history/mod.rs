//! The past of every target: changes of status with their evidence, and roll-ups of level, latency
//! and availability.
//!
//! The event log puts what is to be kept into a bounded queue ([`tap`]), under the engine's lock
//! and without waiting. One thread ([`recorder`]) takes it from there, looks at each target once
//! per finest roll-up, and writes both to a file ([`store`]), durably and many at a time. Whatever
//! the disk does, only that thread waits for it; what does not fit into the queue meanwhile is
//! counted as lost, and the thread goes on by itself when the disk does. The arithmetic is
//! `auscult_core::history`.

pub mod arrivals;
mod batch;
mod clock;
mod recorder;
mod rows;
mod status;
mod store;
pub(crate) mod tap;
#[cfg(test)]
mod tests;
mod tracked;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use auscult_core::history::{Resolution, Rollup, Segment, cover, kept_since};
use auscult_core::id::TargetId;
use parking_lot::Mutex;

use crate::check::CheckRunner;
use crate::engine::Engine;
use crate::registry::Registry;
use crate::store::StoreError;
use recorder::Recorder;
use store::{InFolder, Store};
use tap::Tap;

pub use rows::{Change, Grounds, LastFailure, What};
pub use status::{HistoryStatus, State};
pub use store::Bookmark;

/// How often the thread looks at the queue and the clock: what is lost at a crash is what came
/// since, and the roll-ups that are open.
const PACE: Duration = Duration::from_secs(1);

/// How long the end may take: what a disk does not take by then is lost.
const END_MAX: Duration = Duration::from_secs(2);

/// What the past is read from. Clones share one file.
#[derive(Clone)]
pub struct History(Arc<Shared>);

struct Shared {
    store: Store,
    tap: Arc<Tap>,
    status: status::Board,
    clock: clock::Timeline,
    /// What happened before is on the disk: milliseconds since the epoch; 0 before anything is.
    kept_until_ms: AtomicU64,
    ending: Mutex<Option<mpsc::Sender<()>>>,
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

/// The past of one target in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Past<T> {
    /// What there is, the oldest first.
    pub rows: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

impl History {
    /// A history in a folder that this process has locked. Nothing is opened before it is started.
    #[must_use]
    pub fn new(folder: &Path, engine: &Engine) -> Self {
        Self::over(Box::new(InFolder::new(folder)), engine)
    }

    fn over(place: Box<dyn store::Place>, engine: &Engine) -> Self {
        let tap = Arc::new(Tap::new());
        engine.events().set_tap(&tap);
        Self(Arc::new(Shared {
            store: Store::new(place),
            tap,
            status: status::Board::default(),
            clock: clock::Timeline::new(engine.clock().clone()),
            kept_until_ms: AtomicU64::new(0),
            ending: Mutex::new(None),
            ended: Mutex::new(None),
        }))
    }

    /// Keeps what happens from now on, on a thread of its own.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        &self,
        engine: Engine,
        checks: Arc<CheckRunner>,
        registry: Arc<Registry>,
    ) -> io::Result<()> {
        let (ending, end) = mpsc::channel();
        let (done, ended) = mpsc::channel();
        let shared = Arc::clone(&self.0);
        thread::Builder::new()
            .name("auscult-history".to_owned())
            .spawn(move || {
                let mut recorder = Recorder::new(shared, engine, checks);
                loop {
                    recorder.step(&registry.settings().history);
                    if end.recv_timeout(PACE) != Err(mpsc::RecvTimeoutError::Timeout) {
                        break;
                    }
                }
                recorder.finish(&registry.settings().history);
                // Nobody may wait for it any more.
                let _told = done.send(());
            })?;
        *self.0.ending.lock() = Some(ending);
        *self.0.ended.lock() = Some(ended);
        Ok(())
    }

    /// Ends: what happened so far is written, and then the file is closed. Blocks, for 2 s at most.
    pub fn stop(&self) {
        drop(self.0.ending.lock().take());
        if let Some(ended) = self.0.ended.lock().take()
            && ended.recv_timeout(END_MAX).is_err()
        {
            tracing::warn!("the disk was too slow for the last seconds of the history");
        }
    }

    /// Ends one that may be there, away from the threads that serve requests.
    pub(crate) async fn end(history: Option<Self>) {
        if let Some(history) = history {
            // It has said itself what it could not write.
            let _ended = tokio::task::spawn_blocking(move || history.stop()).await;
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> HistoryStatus {
        self.0.status.read(&self.0.tap)
    }

    /// The present moment, as rows count: milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.clock.now_ms()
    }

    /// Up to when everything is on the disk that this process saw, in milliseconds since the epoch:
    /// some seconds ago, longer where the disk takes nothing, and the present moment before
    /// anything is written.
    #[must_use]
    pub fn kept_until_ms(&self) -> u64 {
        let now_ms = self.now_ms();
        match self.0.kept_until_ms.load(Ordering::Relaxed) {
            0 => now_ms,
            kept => kept.min(now_ms),
        }
    }

    /// Whether anything is kept of a target of that name, watched or not.
    #[must_use]
    pub fn knows(&self, target: &str) -> bool {
        self.0.store.number(target).is_some()
    }

    /// The fewest roll-ups that make up a window, by what is kept of each length.
    ///
    /// # Errors
    /// Why it cannot be read. State: unchanged.
    pub fn cover(&self, since_ms: u64, until_ms: u64) -> Result<Vec<Segment>, StoreError> {
        let first = self.0.store.first_rollups()?;
        Ok(cover(since_ms, until_ms, kept_since(first)))
    }

    /// Everything that these roll-ups tell of a target together.
    ///
    /// # Errors
    /// Why it cannot be read. State: unchanged.
    pub fn sum(&self, target: &str, segments: &[Segment]) -> Result<Rollup, StoreError> {
        let mut sum = Rollup::default();
        let number = self.0.store.number(target);
        for segment in segments {
            let rows = usize::try_from(segment.rows()).unwrap_or(usize::MAX);
            if let Some(number) = number {
                let found = self.0.store.rollups(number, segment, rows)?;
                for (_, row) in &found.rows {
                    sum.add(row);
                }
            }
        }
        Ok(sum)
    }

    /// At most `limit` roll-ups of a target, each with its beginning. Times of which nothing is
    /// known have none.
    ///
    /// # Errors
    /// Why it cannot be read. State: unchanged.
    pub fn rollups(
        &self,
        target: &str,
        resolution: Resolution,
        (since_ms, until_ms): (u64, u64),
        limit: usize,
    ) -> Result<Past<(u64, Rollup)>, StoreError> {
        let Some(number) = self.0.store.number(target) else {
            return Ok(Past {
                rows: Vec::new(),
                more: false,
            });
        };
        let segment = Segment {
            resolution,
            since_ms: resolution.floor(since_ms),
            until_ms: resolution.ceil(until_ms),
        };
        self.0.store.rollups(number, &segment, limit)
    }

    /// Adds roll-ups of 10 s that come from elsewhere, each with its beginning and target: for
    /// benches and tests, which have no month to wait.
    ///
    /// # Errors
    /// Why they cannot be written. State: none is.
    #[doc(hidden)]
    pub fn put(&self, rollups: &[(u64, TargetId, Rollup)]) -> Result<(), StoreError> {
        let mut batch = batch::Batch::new(Resolution::TenSeconds);
        for (start_ms, target, rollup) in rollups {
            if let Some((number, new)) = self.0.store.number_for(target) {
                if new {
                    batch.names.push((target.clone(), number));
                }
                batch.add(*start_ms, number, rollup);
            }
        }
        self.0.store.write(&batch)?;
        Ok(())
    }

    /// At most `limit` changes of a target's status, after `after` and before `until_ms`.
    ///
    /// # Errors
    /// Why it cannot be read. State: unchanged.
    pub fn changes(
        &self,
        target: &str,
        after: Bookmark,
        until_ms: u64,
        limit: usize,
    ) -> Result<Past<Change>, StoreError> {
        let Some(number) = self.0.store.number(target) else {
            return Ok(Past {
                rows: Vec::new(),
                more: false,
            });
        };
        self.0.store.changes(number, after, until_ms, limit)
    }
}
