//! openraft's own suite over our storage, and what a restart finds.

use std::sync::Arc;

use auscult_core::monitor::registry::{
    Author, Change, ChangeId, Document, Edit, Expect, Key, Kind, Registry, Revision, WallMillis,
};
use openraft::StorageError;
use openraft::storage::{RaftLogStorage as _, RaftStateMachine as _};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, RaftSnapshotBuilder as _};
use tempfile::TempDir;

use super::*;

mod alone;
mod busy;
mod several;
pub(super) mod stage;
mod suite;

struct OnDisk;

impl StoreBuilder<Group, Log, Machine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError<u64>> {
        let folder = TempDir::new().unwrap();
        let (log, machine) = open(&folder);
        Ok((folder, log, machine))
    }
}

fn open(folder: &TempDir) -> (Log, Machine) {
    let journal = Arc::new(Journal::open(folder.path()).unwrap());
    let machine = Machine::open(Arc::clone(&journal)).unwrap();
    (Log::new(journal), machine)
}

struct InMemory;

impl StoreBuilder<Group, Log, Machine> for InMemory {
    async fn build(&self) -> Result<((), Log, Machine), StorageError<u64>> {
        let journal = Arc::new(Journal::in_memory().unwrap());
        let machine = Machine::open(Arc::clone(&journal)).unwrap();
        Ok(((), Log::new(journal), machine))
    }
}

#[test]
fn openrafts_own_suite_passes() {
    Suite::test_all(OnDisk).unwrap();
}

#[test]
fn openrafts_own_suite_passes_in_memory() {
    Suite::test_all(InMemory).unwrap();
}

fn change(number: u64) -> Change {
    let group = Key::new(Kind::Group, "prod").unwrap();
    let target = Key::new(Kind::Target, &number.to_string()).unwrap();
    let put = |key: &Key, refers: Vec<Key>| Edit::Put {
        key: key.clone(),
        document: Document::new(&format!("{{\"n\":{number}}}"), refers).unwrap(),
        expect: Expect::Anything,
    };
    Change {
        id: Some(ChangeId(u128::MAX - u128::from(number))),
        author: Author::new("ana"),
        at: WallMillis(1_000 + number as i64),
        edits: vec![put(&group, Vec::new()), put(&target, vec![group.clone()])],
    }
}

fn entry(index: u64, change: Change) -> Entry<Group> {
    Entry {
        log_id: LogId::new(CommittedLeaderId::new(1, 1), index),
        payload: EntryPayload::Normal(change.into()),
    }
}

/// A refused change, a conditional one and a snapshot go through the disk and come back as they
/// were.
#[tokio::test]
async fn a_snapshot_restores_the_registry_to_the_last_answer() {
    let folder = TempDir::new().unwrap();
    let (_log, mut machine) = open(&folder);
    let mut twin = Registry::default();
    let mut changes: Vec<Change> = (1..=20).map(change).collect();
    changes.push(Change {
        id: Some(ChangeId(7)),
        edits: vec![Edit::Delete {
            key: Key::new(Kind::Group, "prod").unwrap(),
            expect: Expect::Revision(Revision::new(3)),
        }],
        ..change(21)
    });
    for change in &changes {
        let _refused_or_made = twin.apply(change);
    }
    let entries = (1..)
        .zip(changes.clone())
        .map(|(index, change)| entry(index, change));
    machine.apply(entries).await.unwrap();
    assert_eq!(machine.read(Registry::digest), twin.digest());
    machine.build_snapshot().await.unwrap();
    drop(machine);
    drop(_log);

    let (_log, mut machine) = open(&folder);
    let (applied, _) = machine.applied_state().await.unwrap();
    assert_eq!(applied.map(|id| id.index), Some(21));
    assert_eq!(machine.read(Registry::digest), twin.digest());
    let history: Vec<_> = twin.history(Revision::NONE).cloned().collect();
    let restored: Vec<_> =
        machine.read(|registry| registry.history(Revision::NONE).cloned().collect());
    assert_eq!(restored, history);
    let answered: Vec<_> = twin.answered().cloned().collect();
    let restored: Vec<_> = machine.read(|registry| registry.answered().cloned().collect());
    assert_eq!(restored, answered);
}

/// What was acknowledged is on the disk: it is there when the file is opened again.
#[tokio::test]
async fn the_log_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let (mut log, _machine) = open(&folder);
    let vote = openraft::Vote::new(3, 1);
    log.save_vote(&vote).await.unwrap();
    drop((log, _machine));
    let (mut log, _machine) = open(&folder);
    assert_eq!(log.read_vote().await.unwrap(), Some(vote));
}

#[test]
fn a_journal_of_something_else_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, b"not a journal").unwrap();
    let error = Journal::open(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("is not a store of auscult"),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"not a journal");
}

/// Golden: these stand in logs on disks, and a later version must read them.
#[test]
fn records_keep_their_form() {
    let text = serde_json::to_string(&Command::from(change(1))).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"id":"fffffffffffffffffffffffffffffffe","author":"ana","at_ms":1001,"edits":["#,
            r#"{"key":["group","prod"],"document":{"body":"{\"n\":1}"},"expect":"anything"},"#,
            r#"{"key":["target","1"],"document":{"body":"{\"n\":1}","refers":[["group","prod"]]},"#,
            r#""expect":"anything"}]}"#
        )
    );
    let back: Command = serde_json::from_str(&text).unwrap();
    assert_eq!(*back.0, change(1));
    let foreign = text.replace("\"target\"", "\"spaceship\"");
    let error = serde_json::from_str::<Command>(&foreign).unwrap_err();
    assert!(
        error.to_string().contains("no settings of kind spaceship"),
        "{error}"
    );
}
