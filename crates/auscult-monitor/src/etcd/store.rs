//! The store: reading up to the head, and adding to the log behind it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

use super::gateway::{Failure, Gateway, KeyValue, Range, Values, is_at, is_there, put};
use super::layout::{
    ENTRIES_PER_PAGE, Entry, FORMAT, Head, INLINE_BYTES_MAX, Keys, PIECE_BYTES, PIECES_PER_PAGE,
    Pieces, Present,
};
use super::{Place, compact, follow};
use crate::clock::Clock;
use crate::replication::{Command, registry_from_json};
use crate::shared::{
    Age, ChangeError, Monitor, MonitorId, MonitorStatus, Role, SettingsStore, StoreCounters,
    StoreStatus,
};
use crate::store::{StoreError, Trouble};

/// What a store is told when it starts.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Where the settings are.
    pub place: Place,
    /// This monitor's name and addresses, as the others shall know them.
    pub monitor: Monitor,
    /// Its id, where it has none yet; otherwise by chance.
    pub id: Option<MonitorId>,
    /// Decides what is left to chance.
    pub seed: u64,
    /// How long things may take.
    pub timing: Timing,
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
}

impl Timing {
    /// One network. A change waits as long as etcd needs for an election and some more.
    pub const LAN: Self = Self {
        change: Duration::from_secs(5),
        poll: Duration::from_secs(1),
        pause: Duration::from_millis(50),
        presence: Duration::from_secs(10),
        snapshot_after: 1_000,
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
    prefix: String,
    pub(super) id: MonitorId,
    pub(super) monitor: Monitor,
    pub(super) timing: Timing,
    clock: Clock,
    rng: Mutex<Rng>,
    pub(super) state: RwLock<State>,
    /// Held by whoever reads up to the head or writes behind it.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Held by whoever makes a snapshot.
    pub(super) compacting: tokio::sync::Mutex<()>,
    /// Something may have changed.
    pub(super) wake: Notify,
    revisions: watch::Sender<Revision>,
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
    pub(super) others: Vec<(MonitorId, Present)>,
    pub(super) trouble: Option<String>,
}

impl Store {
    /// Begins to follow the settings. It returns at once and always: where etcd is away, there is
    /// nothing to read until it is back.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(config: StoreConfig) -> Self {
        let mut rng = Rng::new(config.seed);
        let by_chance = MonitorId(rng.next_u64() >> 16);
        let inner = Arc::new(Inner {
            gateway: Gateway::new(config.place.endpoints.clone()),
            keys: Keys::new(&config.place.prefix),
            prefix: config.place.to_string(),
            id: config.id.unwrap_or(by_chance),
            monitor: config.monitor,
            timing: config.timing,
            clock: Clock::new(),
            rng: Mutex::new(rng),
            state: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
            compacting: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            revisions: watch::Sender::new(Revision::NONE),
            counters: Counters::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::follow(Arc::clone(&inner)));
        tasks.spawn(follow::watch(Arc::clone(&inner)));
        tasks.spawn(follow::be_present(Arc::clone(&inner)));
        Self {
            inner,
            _tasks: tasks,
        }
    }
}

impl Inner {
    pub(super) fn random(&self) -> u128 {
        let mut rng = self.rng.lock();
        let (high, low) = (rng.next_u64(), rng.next_u64());
        u128::from(high) << 64 | u128::from(low)
    }

    /// Reads up to the head. For the holder of the turn.
    pub(super) async fn catch_up(&self) -> Result<(), Failure> {
        loop {
            match self.read_on().await {
                // A snapshot took its place while it was being read.
                Err(Failure::Compacted) => {}
                outcome => {
                    let trouble = outcome.as_ref().err().map(ToString::to_string);
                    self.state.write().trouble = trouble;
                    return outcome;
                }
            }
        }
    }

    async fn read_on(&self) -> Result<(), Failure> {
        let asked = self.clock.now();
        let range = Range {
            from: self.keys.head(),
            to: None,
            limit: 0,
            revision: 0,
            values: Values::With,
        };
        let reads = [range.to_json(), self.keys.monitors().to_json()];
        let reads = reads.map(|range| serde_json::json!({ "request_range": range }));
        let made = self.gateway.transact(&[], &reads).await?;
        let at = made.header.revision;
        let mut parts = made.responses.into_iter();
        let mut part = || parts.next().and_then(|part| part.response_range);
        let (heads, others) = (part().unwrap_or_default(), part().unwrap_or_default());
        let Some(found) = heads.kvs.first() else {
            self.check_that_it_goes_on(None)?;
            return self.found().await;
        };
        let head: Head = read_json(found)?;
        if head.format != FORMAT {
            let text = format!("{} has format {}", self.prefix, head.format);
            return Err(Failure::Refused(text));
        }
        let applied = self.check_that_it_goes_on(Some(&head))?;
        if applied < head.base {
            self.take_snapshot(&head, at).await?;
        }
        self.take_entries(applied.max(head.base) + 1, head.last, at)
            .await?;
        let mut state = self.state.write();
        state.head = Some((head, found.mod_revision));
        state.term = made.header.raft_term;
        state.current = Some(asked);
        state.others = (others.kvs.iter())
            .filter_map(|found| Some((self.keys.id_of(&found.key)?, read_json(found).ok()?)))
            .collect();
        Ok(())
    }

    /// Up to where the log is applied here, if the one that is there is the same one and as long.
    /// When somebody deleted it, or put an older copy in its place, what is watched stays as it is
    /// until an operator has looked.
    fn check_that_it_goes_on(&self, head: Option<&Head>) -> Result<u64, Failure> {
        let state = self.state.read();
        let Some((known, _)) = &state.head else {
            return Ok(state.applied);
        };
        let what = match head {
            None => "were deleted",
            Some(head) if head.group != known.group => "were replaced by others",
            Some(head) if head.last < state.applied => "were replaced by an older copy",
            Some(_) => return Ok(state.applied),
        };
        let prefix = &self.prefix;
        let text =
            format!("the settings in {prefix} {what}; restart this monitor to take what is there");
        Err(Failure::Refused(text))
    }

    /// Begins a log where there is none. The one who comes too late finds the other's.
    async fn found(&self) -> Result<(), Failure> {
        let head = Head {
            format: FORMAT,
            group: format!("{:016x}", self.random() >> 64),
            last: 0,
            base: 0,
            snapshot: None,
        };
        let key = self.keys.head();
        let make = [put(&key, &to_json(&head))];
        self.gateway.transact(&[is_at(&key, 0)], &make).await?;
        // What is there now is read in the next round.
        Err(Failure::Compacted)
    }

    async fn take_snapshot(&self, head: &Head, at: u64) -> Result<(), Failure> {
        let registry = match &head.snapshot {
            None => Registry::default(),
            Some(pieces) => {
                let bytes = self.read_pieces(pieces, at).await?;
                let read = apart(move || registry_from_json(&bytes)).await;
                read.map_err(|error| self.damaged(&error.to_string()))?
            }
        };
        let revision = registry.revision();
        let mut state = self.state.write();
        state.registry = registry;
        state.applied = head.base;
        drop(state);
        self.tell(revision);
        Ok(())
    }

    async fn take_entries(&self, from: u64, last: u64, at: u64) -> Result<(), Failure> {
        let mut next = from;
        while next <= last {
            let range = Range {
                from: self.keys.entry(next),
                to: Some(self.keys.entry(last + 1)),
                limit: ENTRIES_PER_PAGE,
                revision: at,
                values: Values::With,
            };
            let found = self.gateway.range(&range).await?;
            for entry in &found.kvs {
                if self.keys.index_of(&entry.key) != Some(next) {
                    break;
                }
                let change = match read_json(entry)? {
                    Entry::Change(command) => command.0,
                    Entry::Pieces(pieces) => {
                        let bytes = self.read_pieces(&pieces, at).await?;
                        let read = apart(move || serde_json::from_slice::<Command>(&bytes)).await;
                        read.map_err(|error| self.damaged(&error.to_string()))?.0
                    }
                };
                // Whoever proposed it was answered; here it only has to be as it is there.
                let _answer = self.apply(next, &change);
                next += 1;
            }
            let complete = found
                .kvs
                .last()
                .and_then(|last| self.keys.index_of(&last.key));
            if complete != Some(next - 1) {
                return Err(self.damaged(&format!("entry {next} of the log is missing")));
            }
        }
        Ok(())
    }

    async fn read_pieces(&self, pieces: &Pieces, at: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut next = 0;
        while next < pieces.count {
            let range = Range {
                from: self.keys.piece(&pieces.name, next),
                to: Some(self.keys.pieces(&pieces.name).1),
                limit: PIECES_PER_PAGE,
                revision: at,
                values: Values::With,
            };
            let found = self.gateway.range(&range).await?;
            for piece in &found.kvs {
                if piece.key != self.keys.piece(&pieces.name, next) {
                    break;
                }
                bytes.extend_from_slice(&piece.value);
                next += 1;
            }
            if found.kvs.is_empty() || (!found.more && next < pieces.count) {
                return Err(self.damaged(&format!("piece {next} of {} is missing", pieces.name)));
            }
        }
        Ok(bytes)
    }

    fn damaged(&self, text: &str) -> Failure {
        Failure::Refused(format!("what stands in {} is damaged: {text}", self.prefix))
    }

    fn apply(&self, index: u64, change: &Change) -> Result<Outcome, Refusal> {
        let mut state = self.state.write();
        let answer = state.registry.apply(change);
        state.applied = index;
        let revision = state.registry.revision();
        drop(state);
        self.tell(revision);
        answer
    }

    fn tell(&self, revision: Revision) {
        self.revisions.send_if_modified(|told| {
            let is_new = *told != revision;
            *told = revision;
            is_new
        });
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
            to_json(&Entry::Change(Command(change.clone())))
        } else {
            // A name of their own each time: the same change may be tried by two monitors at once.
            let name = format!("change-{:032x}", self.random());
            let pieces = self.write_pieces(&name, encoded).await?;
            // They go all at once when somebody tidies up meanwhile.
            compare.push(is_there(&self.keys.piece(&pieces.name, 0)));
            to_json(&Entry::Pieces(pieces))
        };
        let index = head.last + 1;
        let next = Head {
            last: index,
            ..head
        };
        let make = [
            put(&self.keys.head(), &to_json(&next)),
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
        let command = Command(change);
        let (command, encoded) = apart(move || {
            let encoded = to_json(&command);
            (command, encoded)
        })
        .await;
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

    fn age(&self) -> Age {
        let current = self.state.read().current;
        Age(current.map(|at| self.clock.now().since(at)))
    }

    fn status(&self) -> StoreStatus {
        let age = self.age();
        let fresh = age.0.is_some_and(|age| age <= self.timing.poll * 3);
        let state = self.state.read();
        let last = state.head.as_ref().map_or(0, |(head, _)| head.last);
        // Whoever reaches etcd decides by what it has read: there is no other leader.
        let (role, leader) = match fresh {
            true => (Role::Leader, Some(self.id)),
            false => (Role::Candidate, None),
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStatus {
            group: (state.head.as_ref()).map_or_else(String::new, |(head, _)| head.group.clone()),
            id: self.id,
            role,
            term: state.term,
            leader,
            revision: state.registry.revision(),
            age,
            log_last: last,
            log_applied: state.applied,
            monitors: self.monitors(&state, role, last),
            trouble: state
                .trouble
                .clone()
                .or_else(|| (!fresh).then(|| format!("{} was not asked yet", self.prefix))),
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

    fn monitors(&self, state: &State, role: Role, last: u64) -> Vec<MonitorStatus> {
        let me = MonitorStatus {
            id: self.id,
            monitor: self.monitor.clone(),
            role,
            lag: Some(last.saturating_sub(state.applied)),
            heard: Some(Duration::ZERO),
        };
        let others = state.others.iter().filter(|(id, _)| *id != self.id);
        let mut all: Vec<MonitorStatus> = others
            .map(|(id, present)| MonitorStatus {
                id: *id,
                monitor: present.monitor.clone(),
                role: Role::Follower,
                lag: Some(last.saturating_sub(present.applied)),
                heard: None,
            })
            .collect();
        all.push(me);
        all.sort_by_key(|monitor| monitor.id);
        all
    }
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
                Err(ChangeError::NoLeader { .. }) => {
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

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("our records have only texts as keys")
}

fn read_json<T: for<'de> serde::Deserialize<'de>>(found: &KeyValue) -> Result<T, Failure> {
    serde_json::from_slice(&found.value).map_err(|error| {
        Failure::Refused(format!(
            "what stands under {} is not ours: {error}",
            found.key
        ))
    })
}

/// Does what takes long where it holds up no event loop.
pub(super) async fn apart<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
