//! The last known settings on this monitor's own disk, so that it watches with them when it is
//! started while etcd is away.
//!
//! A file: one line of JSON about it, and behind it the registry as a snapshot has it. It is
//! replaced as a whole. That it is still all that is known is said by its time of change, which is
//! set again and again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auscult_agent::whole_file::{self, Readers};
use auscult_core::monitor::registry::Registry;
use auscult_core::time::Instant;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::Place;
use super::layout::FORMAT;
use super::store::{Inner, State, apart, to_json};
use crate::clock::Clock;
use crate::replication::{registry_from_json, registry_to_json};
use crate::shared::MonitorId;

/// The file in the data folder.
const FILE_NAME: &str = "etcd-settings";

/// How long changes are gathered before the file is written.
const GATHER: Duration = Duration::from_secs(1);

/// How often it is noted that the file is still all that is known.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// What a monitor knew before it was started.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its id then.
    pub(super) id: MonitorId,
    /// What stood for all who used these settings.
    pub(super) group: String,
    /// How old it was when it was read, and when that was.
    age: Duration,
    read_at: Instant,
}

impl Kept {
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.age + now.since(self.read_at)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    prefix: String,
    group: String,
    id: u64,
    applied: u64,
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    path: PathBuf,
}

impl Cache {
    pub(super) fn new(folder: &Path) -> Self {
        let path = folder.join(FILE_NAME);
        Self { path }
    }

    /// What is known before etcd is asked. A file that cannot be used is as good as none.
    pub(super) fn restore(&self, place: &Place, clock: &Clock) -> State {
        let restored = match fs::read(&self.path) {
            Ok(bytes) => self.read(&bytes, place, clock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return State::default(),
            Err(error) => Err(error.to_string()),
        };
        restored.unwrap_or_else(|text| {
            let path = self.path.display();
            tracing::warn!("the settings in {path} are not used until etcd is read: {text}");
            State::default()
        })
    }

    fn read(&self, bytes: &[u8], place: &Place, clock: &Clock) -> Result<State, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (about, registry) = bytes.split_at(end.ok_or("it ends too early")?);
        let about: About = serde_json::from_slice(about).map_err(|error| text(&error))?;
        if about.format != FORMAT {
            return Err(format!("they have format {}", about.format));
        }
        if about.prefix != place.prefix {
            return Err(format!("they are of the prefix {}", about.prefix));
        }
        let registry = registry_from_json(registry).map_err(|error| error.to_string())?;
        let changed = fs::metadata(&self.path).and_then(|about| about.modified());
        let changed = changed.map_err(|error| text(&error))?;
        let read_at = clock.now();
        let wall: SystemTime = clock.wall(read_at).into();
        let age = wall.duration_since(changed).unwrap_or_default();
        let kept = Kept {
            id: MonitorId(about.id),
            group: about.group,
            age,
            read_at,
        };
        Ok(State {
            registry,
            applied: about.applied,
            kept: Some(kept),
            ..State::default()
        })
    }

    /// Keeps the file as the settings are.
    pub(super) async fn keep(self, inner: Arc<Inner>) {
        let mut revisions = inner.revisions.subscribe();
        let mut written = None;
        loop {
            let (registry, about, is_current) = snapshot(&inner);
            let told = if !is_current {
                Ok(())
            } else if written.as_ref() == Some(&(about.group.clone(), registry.revision())) {
                self.note(&inner.clock)
            } else {
                written = Some((about.group.clone(), registry.revision()));
                let file = self.clone();
                apart(move || file.write(&about, &registry)).await
            };
            if let Err(error) = told {
                written = None;
                let path = self.path.display();
                tracing::warn!("the shared settings are not kept in {path}: {error}");
            }
            let more = timeout(NOTE_EVERY, revisions.changed()).await;
            if matches!(more, Ok(Err(_))) {
                return;
            }
            sleep(GATHER).await;
        }
    }

    fn write(&self, about: &About, registry: &Registry) -> io::Result<()> {
        let mut bytes = to_json(about).map_err(|failure| io::Error::other(failure.to_string()))?;
        bytes.push(b'\n');
        let registry = registry_to_json(registry);
        bytes.extend(registry.map_err(|error| io::Error::other(error.to_string()))?);
        whole_file::replace(&self.path, &bytes, Readers::Usual)
    }

    /// That it is still all that is known.
    fn note(&self, clock: &Clock) -> io::Result<()> {
        let file = File::options().append(true).open(&self.path)?;
        file.set_modified(clock.wall(clock.now()).into())
    }
}

/// What is to be written, and whether it is known to be all.
fn snapshot(inner: &Inner) -> (Registry, About, bool) {
    let group = inner.group();
    let state = inner.state.read();
    let current = state.current.map(|at| inner.clock.now().since(at));
    let is_current = current.is_some_and(|age| age < NOTE_EVERY);
    let about = About {
        format: FORMAT,
        prefix: inner.place_prefix.clone(),
        group,
        id: inner.id.0,
        applied: state.applied,
    };
    // A copy shares the documents.
    (state.registry.clone(), about, is_current)
}
