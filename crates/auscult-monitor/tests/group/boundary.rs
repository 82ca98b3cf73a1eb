//! The power goes at every single write and sync of one monitor's journal. What was answered
//! before must be there afterwards, and what was underway is there whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use auscult_core::monitor::registry::{
    Author, Change, Document, Edit, Expect, Key, Kind, WallMillis,
};
use auscult_monitor::replication::{Command, Group, Journal, Log, Machine};
use auscult_monitor::store::StoreError;
use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _, RaftStateMachine as _};
use openraft::{
    CommittedLeaderId, Entry, EntryPayload, LogId, RaftLogReader as _, RaftSnapshotBuilder as _,
    StorageError, Vote,
};

use crate::disk::{Boot, End, Habit, Platter};

/// What the journal must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Twin {
    vote: Option<Vote<u64>>,
    committed: Option<LogId<u64>>,
    purged: Option<LogId<u64>>,
    entries: BTreeMap<u64, u64>,
    /// What the state machine begins with: the last entry in the snapshot, and its digest.
    snapshot: Option<(u64, u64)>,
}

/// One call of openraft.
#[derive(Clone, Copy, Debug)]
enum Call {
    Append { first: u64, count: u64 },
    Vote(u64),
    Commit(u64),
    Truncate(u64),
    Snapshot { upto: u64 },
    Purge(u64),
}

const TERM: u64 = 1;

/// What a leader's journal goes through, with a truncation that a new leader asks for.
fn script() -> Vec<Call> {
    let mut calls = vec![Call::Vote(1)];
    let mut last = 0;
    for round in 0..6 {
        for count in [1, 3] {
            calls.push(Call::Append {
                first: last + 1,
                count,
            });
            last += count;
            calls.push(Call::Commit(last));
        }
        match round {
            1 => {
                calls.push(Call::Append {
                    first: last + 1,
                    count: 2,
                });
                calls.push(Call::Vote(2));
                calls.push(Call::Truncate(last + 1));
            }
            2 | 4 => {
                calls.push(Call::Snapshot { upto: last });
                calls.push(Call::Purge(last - 2));
            }
            _ => {}
        }
    }
    calls
}

fn log_id(index: u64) -> LogId<u64> {
    LogId::new(CommittedLeaderId::new(TERM, 1), index)
}

fn entry(index: u64) -> Entry<Group> {
    let key = Key::new(Kind::Target, &format!("t{}", index % 5)).unwrap();
    let text = format!("{{\"n\":{index},\"pad\":\"{}\"}}", "x".repeat(700));
    let put = Edit::Put {
        key,
        document: Document::new(&text, Vec::new()).unwrap(),
        expect: Expect::Anything,
    };
    let change = Change {
        id: None,
        author: Author::new("ana"),
        at: WallMillis(index as i64),
        edits: vec![put],
    };
    Entry {
        log_id: log_id(index),
        payload: EntryPayload::Normal(change.into()),
    }
}

/// An open journal with what openraft sees of it.
struct Open {
    log: Log,
    machine: Machine,
}

impl Open {
    fn on(boot: &Boot) -> Result<Self, StoreError> {
        let journal = Arc::new(Journal::on(Box::new(boot.clone()))?);
        Ok(Self {
            machine: Machine::open(Arc::clone(&journal))?,
            log: Log::new(journal),
        })
    }

    async fn make(&mut self, call: Call) -> Result<(), StorageError<u64>> {
        match call {
            Call::Append { first, count } => {
                let entries = (first..first + count).map(entry);
                self.log.blocking_append(entries).await
            }
            Call::Vote(term) => self.log.save_vote(&Vote::new(term, 1)).await,
            Call::Commit(index) => self.log.save_committed(Some(log_id(index))).await,
            Call::Truncate(index) => self.log.truncate(log_id(index)).await,
            Call::Snapshot { upto } => {
                let (applied, _) = self.machine.applied_state().await?;
                let first = applied.map_or(1, |id| id.index + 1);
                self.machine.apply((first..=upto).map(entry)).await?;
                self.machine.build_snapshot().await.map(drop)
            }
            Call::Purge(index) => self.log.purge(log_id(index)).await,
        }
    }

    async fn found(&mut self) -> Result<Twin, StorageError<u64>> {
        let state = self.log.get_log_state().await?;
        let entries = self.log.try_get_log_entries(..).await?;
        let texts = entries.into_iter().map(|entry| {
            let EntryPayload::Normal(Command(change)) = entry.payload else {
                panic!("only changes were written")
            };
            (entry.log_id.index, change.at.0 as u64)
        });
        let (applied, _) = self.machine.applied_state().await?;
        let digest = self.machine.read(|registry| registry.digest());
        Ok(Twin {
            vote: self.log.read_vote().await?,
            committed: self.log.read_committed().await?,
            purged: state.last_purged_log_id,
            entries: texts.collect(),
            snapshot: applied.map(|id| (id.index, digest)),
        })
    }
}

impl Twin {
    /// Whether this was found where it was to be. What is agreed on is told anew by whoever leads,
    /// so an earlier state of that will do.
    fn holds(&self, found: &Self) -> bool {
        found.committed <= self.committed
            && Self {
                committed: self.committed,
                ..found.clone()
            } == *self
    }

    /// The state after a call. The digest of a snapshot is taken from a machine that did not
    /// stand on any disk.
    async fn make(&mut self, call: Call) {
        match call {
            Call::Append { first, count } => {
                self.entries
                    .extend((first..first + count).map(|index| (index, index)));
            }
            Call::Vote(term) => self.vote = Some(Vote::new(term, 1)),
            Call::Commit(index) => self.committed = Some(log_id(index)),
            Call::Truncate(index) => self.entries.retain(|&at, _| at < index),
            Call::Snapshot { upto } => {
                let journal = Arc::new(Journal::in_memory().unwrap());
                let mut machine = Machine::open(journal).unwrap();
                machine.apply((1..=upto).map(entry)).await.unwrap();
                self.snapshot = Some((upto, machine.read(|registry| registry.digest())));
            }
            Call::Purge(index) => {
                self.purged = Some(log_id(index));
                self.entries.retain(|&at, _| at > index);
            }
        }
    }
}

/// Cuts the power at the `count`th operation; `None` when the script ends before.
async fn cut_at(count: u64, habit: Habit, states: &[Twin]) -> Option<Result<(), String>> {
    let platter = Platter::new("boundary", habit, count);
    let boot = platter.boot();
    platter.end_after(count);
    let mut answered = 0;
    if let Ok(mut open) = Open::on(&boot) {
        for call in script() {
            if open.make(call).await.is_err() {
                break;
            }
            answered += 1;
        }
    }
    if boot.is_on() {
        platter.end(End::PowerCut);
        return None;
    }
    let mut open = match Open::on(&platter.boot()) {
        Ok(open) => open,
        Err(error) => return Some(Err(format!("operation {count}: {error}"))),
    };
    let found = open.found().await.unwrap();
    let allowed = &states[answered..states.len().min(answered + 2)];
    if allowed.iter().any(|state| state.holds(&found)) {
        return Some(Ok(()));
    }
    Some(Err(format!(
        "the power went at operation {count}, after {answered} calls, and left\n{found:?}\nnot\n{allowed:?}"
    )))
}

/// What the journal may hold: before the first call, and after each.
async fn states() -> Vec<Twin> {
    let mut twin = Twin::default();
    let mut states = vec![twin.clone()];
    for call in script() {
        twin.make(call).await;
        states.push(twin.clone());
    }
    states
}

#[tokio::test]
async fn no_power_cut_at_any_write_loses_what_was_answered() {
    let states = states().await;
    let mut cuts = 0;
    for count in 1.. {
        match cut_at(count, Habit::Honest, &states).await {
            Some(Ok(())) => cuts += 1,
            Some(Err(text)) => panic!("{text}"),
            None => break,
        }
    }
    assert!(cuts > 100, "only {cuts} operations");
}

#[tokio::test]
async fn a_disk_that_only_says_that_it_syncs_is_found_out() {
    let states = states().await;
    let mut found = false;
    for count in 1.. {
        match cut_at(count, Habit::SaysSo, &states).await {
            Some(outcome) => found |= outcome.is_err(),
            None => break,
        }
    }
    assert!(found);
}
