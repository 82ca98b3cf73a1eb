//! The store: reading up to the head, and adding to the log behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use auscult_core::monitor::registry::{Change, ChangeId, Outcome, Refusal, Registry, Revision};
use auscult_core::rng::Rng;
use auscult_core::time::Instant;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::cache::{Cache, Kept};
use super::gateway::{Failure, Gateway, is_at, is_there, put};
use super::layout::{Entry, Head, INLINE_BYTES_MAX, Keys, PIECE_BYTES, Pieces};
use super::roster::Roster;
use super::{Access, NoAccess, Place, compact, follow};
use crate::clock::Clock;
use crate::replication::Command;
use crate::shared::{
    Age, ChangeError, Monitor, MonitorId, MonitorStatus, Role, SettingsStore, StoreCounters,
    StoreStatus,
};
use crate::store::{StoreError, Trouble};

/// How long saying goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What a store is told when it starts.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Where the settings are.
    pub place: Place,
    /// How etcd is entered.
    pub access: Access,
    /// This monitor's name and addresses, as the others shall know them.
    pub monitor: Monitor,
    /// Its id, where it has none yet; otherwise by chance.
    pub id: Option<MonitorId>,
    /// Decides what is left to chance.
    pub seed: u64,
    /// How long things may take.
    pub timing: Timing,
    /// Where the last known settings are kept, for a start while etcd is away. The folder must be
    /// locked by this process.
    pub folder: Option<PathBuf>,
}

/// How long things may take, and how often they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a change may take.
    pub change: Duration,
    /// How often the head is asked for, whatever the watch says.
    pub poll: Duration,
    /// The first pause after a failure; it doubles up to `poll`.
    pub pause: Duration,
    /// How long a monitor that is not heard of any more is listed.
    pub presence: Duration,
    /// After how many entries of the log a snapshot is made.
    pub snapshot_after: u64,
    /// How long settings that were deleted stay away before a monitor that has them puts them back.
    pub put_back_after: Duration,
}

impl Timing {
    /// One network. A change waits as long as etcd needs for an election and some more.
    pub const LAN: Self = Self {
        change: Duration::from_secs(5),
        poll: Duration::from_secs(1),
        pause: Duration::from_millis(50),
        presence: Duration::from_secs(10),
        snapshot_after: 1_000,
        put_back_after: Duration::from_secs(10),
    };
}

/// Shared settings in etcd. Dropped, it stops following them.
pub struct Store {
    pub(super) inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

pub(super) struct Inner {
    pub(super) gateway: Gateway,
    pub(super) keys: Keys,
    /// Where the settings are, as it is told to people.
    pub(super) prefix: String,
    /// What the keys begin with.
    pub(super) place_prefix: String,
    pub(super) id: MonitorId,
    pub(super) monitor: Monitor,
    pub(super) timing: Timing,
    pub(super) clock: Clock,
    rng: Mutex<Rng>,
    pub(super) state: RwLock<State>,
    /// Held by whoever reads up to the head or writes behind it.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Held by whoever makes a snapshot.
    pub(super) compacting: tokio::sync::Mutex<()>,
    /// Something may have changed.
    pub(super) wake: Notify,
    /// The lease under which this monitor stands.
    pub(super) lease: Mutex<Option<u64>>,
    /// It ends, in an orderly way.
    pub(super) leaving: AtomicBool,
    pub(super) revisions: watch::Sender<Revision>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    proposed: AtomicU64,
    refused: AtomicU64,
    no_leader: AtomicU64,
    unclear: AtomicU64,
    unstored: AtomicU64,
}

/// What is applied here.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) applied: u64,
    /// The head as it was last read, with the cluster's revision at which it was changed.
    pub(super) head: Option<(Head, u64)>,
    pub(super) term: u64,
    /// The last moment for which it is known that what is applied here was everything.
    pub(super) current: Option<Instant>,
    /// What this monitor knew before it was started, until etcd is read.
    pub(super) kept: Option<Kept>,
    /// Since when there is no log where there was one.
    pub(super) missing_since: Option<Instant>,
    pub(super) roster: Roster,
    pub(super) trouble: Option<String>,
}

impl Store {
    /// Begins to follow the settings. It returns at once and always: where etcd is away, there is
    /// nothing to read until it is back.
    ///
    /// # Errors
    /// A certificate or a key cannot be used. State: nothing was asked.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(config: StoreConfig) -> Result<Self, NoAccess> {
        let gateway = Gateway::new(&config.place, &config.access)?;
        let mut rng = Rng::new(config.seed);
        let by_chance = MonitorId(rng.next_u64() >> 16);
        let clock = Clock::new();
        let cache = config.folder.map(|folder| Cache::new(&folder));
        let state = cache
            .as_ref()
            .map(|cache| cache.restore(&config.place, &clock));
        let state = state.unwrap_or_default();
        let revision = state.registry.revision();
        let id_before = state.kept.as_ref().map(|kept| kept.id);
        let inner = Arc::new(Inner {
            gateway,
            keys: Keys::new(&config.place.prefix),
            prefix: config.place.to_string(),
            place_prefix: config.place.prefix,
            id: config.id.or(id_before).unwrap_or(by_chance),
            monitor: config.monitor,
            timing: config.timing,
            clock,
            rng: Mutex::new(rng),
            state: RwLock::new(state),
            turn: tokio::sync::Mutex::default(),
            compacting: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            lease: Mutex::default(),
            leaving: AtomicBool::new(false),
            revisions: watch::Sender::new(revision),
            counters: Counters::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::follow(Arc::clone(&inner)));
        tasks.spawn(follow::watch(Arc::clone(&inner)));
        tasks.spawn(follow::be_present(Arc::clone(&inner)));
        if let Some(cache) = cache {
            tasks.spawn(cache.keep(Arc::clone(&inner)));
        }
        Ok(Self {
            inner,
            _tasks: tasks,
        })
    }

    /// Tells the others that this monitor ends, so that they do not wait for it. Given up after a
    /// moment: they find out by themselves.
    pub async fn leave(&self) {
        self.inner.leaving.store(true, Ordering::Relaxed);
        let told = timeout(GOODBYE_MAX, follow::stand(&self.inner)).await;
        if let Ok(Err(failure)) = told {
            tracing::debug!(%failure, "nobody was told of the end");
        }
    }
}

impl Inner {
    pub(super) fn random(&self) -> u128 {
        let mut rng = self.rng.lock();
        let (high, low) = (rng.next_u64(), rng.next_u64());
        u128::from(high) << 64 | u128::from(low)
    }

    /// Writes a long value in pieces.
    pub(super) async fn write_pieces(&self, name: &str, bytes: &[u8]) -> Result<Pieces, Failure> {
        let mut count = 0;
        for piece in bytes.chunks(PIECE_BYTES) {
            let make = [put(&self.keys.piece(name, count), piece)];
            self.gateway.transact(&[], &make).await?;
            count += 1;
        }
        let name = name.to_owned();
        Ok(Pieces { name, count })
    }

    /// Tries to make a change once, as the holder of the turn. `None`: another monitor was first.
    async fn append(
        &self,
        id: ChangeId,
        change: &Change,
        encoded: &[u8],
        asked: &mut Asked,
    ) -> Result<Option<Result<Outcome, Refusal>>, Failure> {
        self.catch_up().await?;
        let (head, known) = {
            let state = self.state.read();
            let mut answered = state.registry.answered();
            if let Some((_, answer)) = answered.find(|(answered, _)| *answered == id) {
                return Ok(Some(answer.clone()));
            }
            let known = state.head.clone();
            known.ok_or_else(|| Failure::Away("there is no log yet".to_owned()))?
        };
        let mut compare: Vec<Value> = vec![is_at(&self.keys.head(), known)];
        let entry = if encoded.len() <= INLINE_BYTES_MAX {
            to_json(&Entry::Change(Command::from(change.clone())))?
        } else {
            // A name of their own each time: the same change may be tried by two monitors at once.
            let name = format!("change-{:032x}", self.random());
            let pieces = self.write_pieces(&name, encoded).await?;
            // They go all at once when somebody tidies up meanwhile.
            compare.push(is_there(&self.keys.piece(&pieces.name, 0)));
            to_json(&Entry::Pieces(pieces))?
        };
        let index = head.last + 1;
        let next = Head {
            last: index,
            ..head
        };
        let make = [
            put(&self.keys.head(), &to_json(&next)?),
            put(&self.keys.entry(index), &entry),
        ];
        let before = std::mem::replace(asked, Asked::Maybe);
        match self.gateway.transact(&compare, &make).await {
            Ok(made) if made.succeeded => {
                self.state.write().head = Some((next, made.header.revision));
                Ok(Some(self.apply(index, change)))
            }
            Ok(_) => {
                *asked = before;
                Ok(None)
            }
            Err(failure) => {
                if !matches!(failure, Failure::Unclear(_)) {
                    *asked = before;
                }
                Err(failure)
            }
        }
    }

    async fn propose(self: &Arc<Self>, mut change: Change) -> Result<Outcome, ChangeError> {
        let id = *change.id.get_or_insert_with(|| ChangeId(self.random()));
        let begun = self.clock.now();
        let left = || (self.timing.change).saturating_sub(self.clock.now().since(begun));
        let command = Command::from(change);
        let (command, encoded) = apart(move || {
            let encoded = to_json(&command);
            (command, encoded)
        })
        .await;
        let encoded = encoded.map_err(|failure| self.unstored(Trouble::Io(failure.to_string())))?;
        let mut asked = Asked::No;
        let mut pause = self.timing.pause;
        loop {
            let attempt = async {
                let _turn = self.turn.lock().await;
                self.append(id, &command.0, &encoded, &mut asked).await
            };
            match timeout(left(), attempt).await {
                Ok(Ok(Some(answer))) => {
                    compact::when_due(self);
                    return answer.map_err(ChangeError::Refused);
                }
                Ok(Ok(None)) => continue,
                Ok(Err(Failure::Full)) if asked == Asked::No => {
                    return Err(self.unstored(Trouble::Full));
                }
                Ok(Err(failure @ Failure::Refused(_))) if asked == Asked::No => {
                    return Err(self.unstored(Trouble::Io(failure.to_string())));
                }
                Ok(Err(_)) | Err(_) => {}
            }
            if pause >= left() {
                return Err(match asked {
                    Asked::Maybe => ChangeError::Unclear,
                    Asked::No => self.no_leader(),
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(self.timing.poll);
        }
    }

    fn unstored(&self, trouble: Trouble) -> ChangeError {
        ChangeError::Store(StoreError::new(Path::new(&self.prefix), trouble))
    }

    fn no_leader(&self) -> ChangeError {
        ChangeError::NoLeader {
            retry_after: self.timing.poll,
        }
    }

    async fn confirm(&self) -> Result<Revision, ChangeError> {
        let read = async {
            let _turn = self.turn.lock().await;
            self.catch_up().await
        };
        match timeout(self.timing.change, read).await {
            Ok(Ok(())) => Ok(self.state.read().registry.revision()),
            Ok(Err(_)) | Err(_) => Err(self.no_leader()),
        }
    }

    /// What stands for all who use these settings; empty before it is known.
    pub(super) fn group(&self) -> String {
        let state = self.state.read();
        let kept = || state.kept.as_ref().map(|kept| kept.group.clone());
        let head = state.head.as_ref().map(|(head, _)| head.group.clone());
        head.or_else(kept).unwrap_or_default()
    }

    fn age(&self) -> Age {
        let (now, state) = (self.clock.now(), self.state.read());
        let kept = || state.kept.as_ref().map(|kept| kept.age(now));
        let age = state.current.map(|at| now.since(at));
        Age(age.or_else(kept))
    }

    fn status(&self) -> StoreStatus {
        let (age, group) = (self.age(), self.group());
        let state = self.state.read();
        let fresh = age.0.is_some_and(|age| age <= self.timing.poll * 3) && state.kept.is_none();
        let last = state.head.as_ref().map_or(0, |(head, _)| head.last);
        // Whoever reaches etcd decides by what it has read: there is no other leader.
        let (role, leader) = match fresh {
            true => (Role::Leader, Some(self.id)),
            false => (Role::Candidate, None),
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStatus {
            group,
            id: self.id,
            role,
            term: state.term,
            leader,
            revision: state.registry.revision(),
            age,
            log_last: last,
            log_applied: state.applied,
            monitors: self.monitors(&state, role, last),
            trouble: self.trouble(&state, age),
            counters: StoreCounters {
                proposed: read(&self.counters.proposed),
                refused: read(&self.counters.refused),
                no_leader: read(&self.counters.no_leader),
                unclear: read(&self.counters.unclear),
                unstored: read(&self.counters.unstored),
                campaigns: 0,
            },
        }
    }

    fn trouble(&self, state: &State, age: Age) -> Option<String> {
        let not_asked = || match (state.head.is_none(), &state.trouble) {
            (true, None) => Some(format!("{} was not asked yet", self.prefix)),
            (_, trouble) => trouble.clone(),
        };
        let text = not_asked().or_else(|| namesake(&state.roster))?;
        let (Some(_), Some(age)) = (&state.kept, age.0) else {
            return Some(text);
        };
        let revision = state.registry.revision();
        Some(format!(
            "{text}; until then this monitor watches with the settings that it knew before it was \
             started: revision {revision}, {} s old",
            age.as_secs()
        ))
    }

    fn monitors(&self, state: &State, role: Role, last: u64) -> Vec<MonitorStatus> {
        let me = MonitorStatus {
            id: self.id,
            monitor: self.monitor.clone(),
            role,
            lag: Some(last.saturating_sub(state.applied)),
            heard: Some(Duration::ZERO),
        };
        let now = self.clock.now();
        let mut all: Vec<MonitorStatus> = (state.roster.others())
            .map(|(id, seat)| MonitorStatus {
                id,
                monitor: seat.present.monitor.clone(),
                role: Role::Follower,
                lag: Some(last.saturating_sub(seat.present.applied)),
                // A lease is as old as that when it ends.
                heard: (seat.lapsed_at).map(|at| now.since(at) + self.timing.presence),
            })
            .collect();
        all.push(me);
        all.sort_by_key(|monitor| monitor.id);
        all
    }
}

fn namesake(roster: &Roster) -> Option<String> {
    let other = roster.namesake.as_ref()?;
    let Monitor { name, http, .. } = other;
    Some(format!(
        "another monitor, at {http}, is called {name}, too: give one of them another --name"
    ))
}

/// Whether a change may have been made although no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    No,
    Maybe,
}

impl SettingsStore for Store {
    fn change(&self, change: Change) -> BoxFuture<'_, Result<Outcome, ChangeError>> {
        Box::pin(async move {
            let counters = &self.inner.counters;
            let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
            count(&counters.proposed);
            let answer = self.inner.propose(change).await;
            match &answer {
                Ok(_) => {}
                Err(ChangeError::Refused(_)) => {
                    count(&counters.refused);
                }
                Err(ChangeError::NoLeader { .. } | ChangeError::Outside) => {
                    count(&counters.no_leader);
                }
                Err(ChangeError::Unclear) => {
                    count(&counters.unclear);
                }
                Err(ChangeError::Store(_)) => {
                    count(&counters.unstored);
                }
            }
            answer
        })
    }

    fn read(&self, look: &mut dyn FnMut(&Registry, Age)) {
        let age = self.inner.age();
        look(&self.inner.state.read().registry, age);
    }

    fn confirm(&self) -> BoxFuture<'_, Result<Revision, ChangeError>> {
        Box::pin(self.inner.confirm())
    }

    fn revisions(&self) -> watch::Receiver<Revision> {
        self.inner.revisions.subscribe()
    }

    fn status(&self) -> StoreStatus {
        self.inner.status()
    }
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Refused(error.to_string()))
}

/// Does what takes long where it holds up no event loop.
pub(super) async fn apart<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
