//! The registry as the group's state machine, and its snapshots.

use std::io::Cursor;
use std::sync::Arc;

use auscult_core::monitor::registry::{Registry, Revision};
use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{
    AnyError, Entry, EntryPayload, LogId, OptionalSend, RaftSnapshotBuilder, StorageError,
    StoredMembership,
};
use parking_lot::RwLock;
use tokio::sync::watch;

use super::journal::{self, Broken, Delivery, Item, Journal, SnapshotMeta, apart};
use super::records::{Answer, RegistryRecord};
use super::{Group, Monitor};
use crate::store::{StoreError, Trouble};

/// What the changes so far came to. Clones share it.
#[derive(Clone, Debug)]
pub struct Machine {
    journal: Arc<Journal>,
    state: Arc<RwLock<State>>,
    applied: Arc<watch::Sender<Applied>>,
}

/// How far the changes are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// The last entry of the log that is; 0 before the first one.
    pub(super) index: u64,
    /// The same with the term in which it was written; none before the first one.
    pub(super) entry: Option<LogId<u64>>,
    /// What the settings came to.
    pub(super) revision: Revision,
}

#[derive(Clone, Debug, Default)]
struct State {
    applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, Monitor>,
    registry: Registry,
}

impl Machine {
    /// What the last snapshot in this file says; the log behind it is given by openraft.
    ///
    /// # Errors
    /// Why it cannot be read. State: the file is as it was.
    pub fn open(journal: Arc<Journal>) -> Result<Self, StoreError> {
        let meta: Option<SnapshotMeta> = journal.item(Item::SnapshotMeta)?;
        let bytes = journal.bytes(Item::Snapshot)?;
        let state = match meta.zip(bytes) {
            None => State::default(),
            Some((meta, bytes)) => {
                let registry = registry_of(&bytes);
                let registry =
                    registry.map_err(|trouble| StoreError::new(journal.path(), trouble))?;
                State::new(meta, registry)
            }
        };
        let applied = Arc::new(watch::Sender::new(state.applied()));
        let state = Arc::new(RwLock::new(state));
        Ok(Self {
            journal,
            state,
            applied,
        })
    }

    /// Reads the settings. Changes wait meanwhile, so look and be gone.
    pub fn read<R>(&self, look: impl FnOnce(&Registry) -> R) -> R {
        look(&self.state.read().registry)
    }

    /// Begins anew, with nothing.
    pub(super) fn forget(&self) {
        self.journal.coming().give_up();
        *self.state.write() = State::default();
        self.applied.send_replace(Applied::default());
    }

    /// Follows how far the changes are made.
    pub(super) fn applied(&self) -> watch::Receiver<Applied> {
        self.applied.subscribe()
    }

    /// Takes another monitor's snapshot in place of everything here.
    async fn install(&self, meta: &SnapshotMeta, bytes: Vec<u8>) -> Result<(), AnyError> {
        let decoded = apart(&self.journal, move |journal| {
            let registry = registry_of(&bytes);
            let registry = registry.map_err(|trouble| StoreError::new(journal.path(), trouble))?;
            Ok((registry, bytes))
        });
        let (registry, bytes) = decoded.await?;
        let (revision, length) = (registry.revision().number(), bytes.len());
        self.keep(meta, bytes).await?;
        tracing::info!(
            revision,
            bytes = length,
            "took the settings from a snapshot"
        );
        let state = State::new(meta.clone(), registry);
        let applied = state.applied();
        *self.state.write() = state;
        self.applied.send_replace(applied);
        self.journal.coming().give_up();
        Ok(())
    }

    async fn keep(&self, meta: &SnapshotMeta, bytes: Vec<u8>) -> Result<(), AnyError> {
        let meta = meta.clone();
        apart(&self.journal, move |journal| {
            journal.write(|transaction| {
                journal::put(transaction, Item::SnapshotMeta, &meta)?;
                journal::put_bytes(transaction, Item::Snapshot, &bytes)
            })
        })
        .await
    }
}

impl State {
    fn new(meta: SnapshotMeta, registry: Registry) -> Self {
        Self {
            applied: meta.last_log_id,
            membership: meta.last_membership,
            registry,
        }
    }

    fn applied(&self) -> Applied {
        Applied {
            index: self.applied.map_or(0, |id| id.index),
            entry: self.applied,
            revision: self.registry.revision(),
        }
    }
}

fn registry_of(bytes: &[u8]) -> Result<Registry, Trouble> {
    let record: RegistryRecord<'_> = journal::decode(bytes)?;
    Registry::try_from(record)
        .map_err(|error| Trouble::Torn(format!("a setting is not ours: {error}")))
}

impl RaftSnapshotBuilder<Group> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Group>, StorageError<u64>> {
        // A copy shares the documents; what takes long is done without the lock.
        let state = self.state.read().clone();
        let (term, index) = (state.applied).map_or((0, 0), |id| (id.leader_id.term, id.index));
        let meta = SnapshotMeta {
            last_log_id: state.applied,
            last_membership: state.membership,
            snapshot_id: format!("{term}-{index}-{:016x}", state.registry.digest()),
        };
        let encoded = apart(&self.journal, move |journal| {
            let record = RegistryRecord::from(&state.registry);
            journal::encode(&record).map_err(|trouble| StoreError::new(journal.path(), trouble))
        });
        let signature = Some(meta.signature());
        let broken = |error| Broken::write_snapshot(signature.clone(), error);
        let bytes = encoded.await.map_err(broken)?;
        self.keep(&meta, bytes.clone()).await.map_err(broken)?;
        tracing::info!(
            index,
            bytes = bytes.len(),
            "a snapshot of the settings is made"
        );
        Ok(Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(bytes)),
        })
    }
}

impl RaftStateMachine<Group> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u64>>, StoredMembership<u64, Monitor>), StorageError<u64>> {
        let state = self.state.read();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Answer>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<Group>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.state.write();
        let mut decided = Vec::new();
        let answer = |entry: Entry<Group>| {
            state.applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => Answer::NoChange,
                EntryPayload::Normal(command) => {
                    decided.push(command.0.id);
                    Answer::Decided(state.registry.apply(&command.0))
                }
                EntryPayload::Membership(membership) => {
                    state.membership = StoredMembership::new(Some(entry.log_id), membership);
                    Answer::NoChange
                }
            }
        };
        let answers = entries.into_iter().map(answer).collect();
        self.applied.send_replace(state.applied());
        drop(state);
        for id in decided {
            self.journal.coming().applied(id);
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(
        &mut self,
    ) -> Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        self.journal.tell_delivery(Delivery::Underway);
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<u64>> {
        let installed = self.install(meta, snapshot.into_inner()).await;
        self.journal.tell_delivery(match installed {
            Ok(()) => Delivery::Done,
            Err(_) => Delivery::Failed,
        });
        installed.map_err(|error| Broken::read_snapshot(Some(meta.signature()), error).into())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Group>>, StorageError<u64>> {
        let read = apart(&self.journal, |journal| {
            let meta: Option<SnapshotMeta> = journal.item(Item::SnapshotMeta)?;
            Ok(meta.zip(journal.bytes(Item::Snapshot)?))
        });
        let found = read
            .await
            .map_err(|error| Broken::read_snapshot(None, error))?;
        Ok(found.map(|(meta, bytes)| Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(bytes)),
        }))
    }
}
