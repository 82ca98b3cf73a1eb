//! The file: `history.redb` in the data folder.
//!
//! Rows stand in the order of time, so that what is new is appended and what is old is cut off at
//! one end, both of which cost next to nothing however many rows there are; the roll-ups of one
//! target are looked up one by one, some thousand for a month. Each roll-up is added to what stands
//! in its place, in all three lengths in one transaction: so they agree with each other after
//! whatever crash, and a process that starts within an hour goes on with the row of that hour.
//!
//! A damaged file is put aside and a new one begun: the past is worth less than going on. A file of
//! a later version, or one that is not ours, is left alone, and nothing is kept.

mod discard;
mod names;
mod place;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use auscult_core::history::{ROLLUP_BYTES, Resolution, Rollup, Segment};
use parking_lot::RwLock;
use redb::{
    Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction,
};

use super::Past;
use super::batch::Batch;
use super::rows::{self, Change};
use crate::store::{StoreError, Trouble, guarded};
use names::Names;

pub(super) use place::{InFolder, Place};

const META: TableDefinition<'_, &str, &str> = TableDefinition::new("auscult");
const META_FORMAT: &str = "format";
const META_CREATOR: &str = "creator";
/// The version of the contents that this code reads and writes.
const FORMAT: &str = "1";

/// Names to numbers, and when something was last kept of them.
const TARGETS: TableDefinition<'_, &str, (u32, u64)> = TableDefinition::new("targets");

/// By the moment of the change and its number.
const CHANGES: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("changes");

/// By the target, the moment and the number.
const CHANGES_OF: TableDefinition<'_, &[u8; 20], ()> = TableDefinition::new("changes_of");

type Rollups = TableDefinition<'static, &'static [u8; 12], &'static [u8; ROLLUP_BYTES]>;

/// By their beginning and the target.
const fn rollups_of(resolution: Resolution) -> Rollups {
    match resolution {
        Resolution::TenSeconds => TableDefinition::new("rollups_10s"),
        Resolution::FiveMinutes => TableDefinition::new("rollups_5m"),
        Resolution::OneHour => TableDefinition::new("rollups_1h"),
    }
}

/// Where a reader of changes is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bookmark {
    /// The moment: nanoseconds since the epoch.
    pub at_nanos: u64,
    /// The number of the event.
    pub id: u64,
}

/// The file, and the numbers of its targets.
pub(super) struct Store {
    place: Box<dyn Place>,
    /// Empty before it is opened, and after an error of the disk until it is opened again: what a
    /// failed transaction left behind is then found out from the file itself.
    database: ArcSwapOption<Database>,
    names: RwLock<Names>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) changes: u64,
    /// Of all lengths.
    pub(super) rollups: u64,
    /// Roll-ups of the finest length whose time was kept already.
    pub(super) overlapped: u64,
}

impl Store {
    pub(super) fn new(place: Box<dyn Place>) -> Self {
        Self {
            place,
            database: ArcSwapOption::empty(),
            names: RwLock::default(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.database.load().is_some()
    }

    /// Opens the file, which is made when it is not there.
    ///
    /// # Errors
    /// Why not. State: an existing file is as it was.
    pub(super) fn open(&self) -> Result<(), StoreError> {
        let opened = guarded(|| {
            let database = self.place.open()?;
            let names = prepare(&database)?;
            Ok((database, names))
        });
        let (database, names) = opened.map_err(|trouble| self.about(trouble))?;
        self.names.write().take_over(names);
        self.database.store(Some(Arc::new(database)));
        Ok(())
    }

    /// Moves a damaged file out of the way, in place of the one that was damaged before.
    ///
    /// # Errors
    /// Why not. State: the file may be in its place or not.
    pub(super) fn put_aside(&self) -> Result<(), StoreError> {
        self.database.store(None);
        let moved = self.place.put_aside();
        moved.map_err(|error| self.about(error.into()))
    }

    /// Closes the file.
    pub(super) fn close(&self) {
        self.database.store(None);
    }

    /// The number of a target, if something is kept of it.
    pub(super) fn number(&self, target: &str) -> Option<u32> {
        self.names.read().number(target)
    }

    /// The number of a target that is watched; `true` beside one that has to be written first.
    /// `None` when there are too many.
    pub(super) fn number_for(&self, target: &auscult_core::id::TargetId) -> Option<(u32, bool)> {
        self.names.write().number_for(target)
    }

    /// Writes all of it or nothing. It is on the disk when this returns.
    ///
    /// # Errors
    /// Why not. State: nothing was written.
    pub(super) fn write(&self, batch: &Batch) -> Result<Written, StoreError> {
        self.transact(|transaction| {
            let mut written = Written::default();
            put_names(transaction, batch)?;
            put_changes(transaction, batch)?;
            written.changes = batch.changes.len() as u64;
            put_rollups(transaction, batch, &mut written)?;
            Ok(written)
        })
    }

    fn transact<R>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<R, Trouble>,
    ) -> Result<R, StoreError> {
        let attempt = || {
            let database = self.database.load_full().ok_or_else(closed)?;
            let done = guarded(|| {
                let mut transaction = database.begin_write()?;
                // Without it, a restart after a crash would read the whole file first.
                transaction.set_quick_repair(true);
                let result = work(&transaction)?;
                transaction.commit()?;
                Ok(result)
            });
            if done.is_err() {
                self.database.store(None);
            }
            done
        };
        attempt().map_err(|trouble| self.about(trouble))
    }

    fn read<R>(
        &self,
        work: impl FnOnce(&redb::ReadTransaction) -> Result<R, Trouble>,
    ) -> Result<R, StoreError> {
        let attempt = || {
            let database = self.database.load_full().ok_or_else(closed)?;
            guarded(|| work(&database.begin_read()?))
        };
        attempt().map_err(|trouble| self.about(trouble))
    }

    /// The roll-ups of a target in a segment, at most `limit` of them.
    pub(super) fn rollups(
        &self,
        target: u32,
        segment: &Segment,
        limit: usize,
    ) -> Result<Past<(u64, Rollup)>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(rollups_of(segment.resolution))?;
            let mut past = Past {
                rows: Vec::new(),
                more: false,
            };
            // Nothing stands before the first row or behind the last one, of whatever target.
            let first = table.first()?.map(|(key, _)| split(key.value()).0);
            let last = table.last()?.map(|(key, _)| split(key.value()).0);
            let (Some(first), Some(last)) = (first, last) else {
                return Ok(past);
            };
            let step = segment.resolution.millis();
            let mut at = segment.since_ms.max(first);
            while at < segment.until_ms && at <= last {
                if let Some(row) = table.get(&rollup_key(at, target))? {
                    if past.rows.len() >= limit {
                        past.more = true;
                        break;
                    }
                    past.rows.push((at, Rollup::from_bytes(row.value())));
                }
                at += step;
            }
            Ok(past)
        })
    }

    /// The changes of a target behind a mark, at most `limit` of them.
    pub(super) fn changes(
        &self,
        target: u32,
        after: Bookmark,
        until_ms: u64,
        limit: usize,
    ) -> Result<Past<Change>, StoreError> {
        self.read(|transaction| {
            let index = transaction.open_table(CHANGES_OF)?;
            let table = transaction.open_table(CHANGES)?;
            let mut past = Past {
                rows: Vec::new(),
                more: false,
            };
            let from = index_key(target, after.at_nanos, after.id.saturating_add(1));
            let until = index_key(target, until_ms.saturating_mul(1_000_000), 0);
            if from >= until {
                return Ok(past);
            }
            for entry in index.range::<&[u8; 20]>(&from..&until)? {
                let key = *entry?.0.value();
                let mut own = [0; 16];
                own.copy_from_slice(&key[4..]);
                let Some(row) = table.get(&own)? else {
                    continue;
                };
                let Bookmark { at_nanos, id } = bookmark(&own);
                let Some(change) = rows::decode(at_nanos, id, row.value()) else {
                    continue;
                };
                if past.rows.len() >= limit {
                    past.more = true;
                    break;
                }
                past.rows.push(change);
            }
            Ok(past)
        })
    }

    /// Where the first roll-up of each length begins; the end of time where there are none.
    pub(super) fn first_rollups(&self) -> Result<[u64; 3], StoreError> {
        self.read(|transaction| {
            let mut since = [u64::MAX; 3];
            for resolution in Resolution::ALL {
                let table = transaction.open_table(rollups_of(resolution))?;
                if let Some((key, _)) = table.first()? {
                    since[resolution as usize] = split(key.value()).0;
                }
            }
            Ok(since)
        })
    }

    fn about(&self, trouble: Trouble) -> StoreError {
        StoreError::new(self.place.path(), trouble)
    }
}

fn closed() -> Trouble {
    Trouble::Io("it is not open yet".to_owned())
}

/// Makes what an empty file lacks, and reads the names.
fn prepare(database: &Database) -> Result<Names, Trouble> {
    let known = match database.begin_read()?.open_table(META) {
        Ok(meta) => {
            let format = meta.get(META_FORMAT)?;
            let format = format.map_or_else(String::new, |value| value.value().to_owned());
            let creator = meta.get(META_CREATOR)?;
            Some((
                format,
                creator.map_or_else(String::new, |it| it.value().to_owned()),
            ))
        }
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    match known {
        None => create(database)?,
        Some((format, _)) if format == FORMAT => {}
        Some((format, creator)) => return Err(Trouble::Version { format, creator }),
    }
    let mut names = Names::default();
    for entry in database.begin_read()?.open_table(TARGETS)?.iter()? {
        let (name, value) = entry?;
        names.know(name.value(), value.value().0);
    }
    Ok(names)
}

fn create(database: &Database) -> Result<(), Trouble> {
    let transaction = database.begin_write()?;
    if transaction.list_tables()?.next().is_some() {
        return Err(Trouble::Foreign("it was not written by auscult".to_owned()));
    }
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_FORMAT, FORMAT)?;
        meta.insert(META_CREATOR, concat!("auscult ", env!("CARGO_PKG_VERSION")))?;
        transaction.open_table(TARGETS)?;
        transaction.open_table(CHANGES)?;
        transaction.open_table(CHANGES_OF)?;
        for resolution in Resolution::ALL {
            transaction.open_table(rollups_of(resolution))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn put_names(transaction: &WriteTransaction, batch: &Batch) -> Result<(), Trouble> {
    if batch.names.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(TARGETS)?;
    for (name, number) in &batch.names {
        table.insert(name.as_str(), (*number, 0))?;
    }
    Ok(())
}

fn put_changes(transaction: &WriteTransaction, batch: &Batch) -> Result<(), Trouble> {
    if batch.changes.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(CHANGES)?;
    let mut index = transaction.open_table(CHANGES_OF)?;
    for change in &batch.changes {
        let key = change_key(change.at_nanos, change.id);
        table.insert(&key, change.row.as_slice())?;
    }
    let key =
        |change: &super::batch::ChangeRow| index_key(change.target, change.at_nanos, change.id);
    let mut keys: Vec<[u8; 20]> = batch.changes.iter().map(key).collect();
    // Neighbours share pages, and a page that is still at hand costs a tenth of another one.
    keys.sort_unstable();
    for key in &keys {
        index.insert(key, ())?;
    }
    Ok(())
}

/// Adds the roll-ups to what stands in their places, in every length from the finest on.
fn put_rollups(
    transaction: &WriteTransaction,
    batch: &Batch,
    written: &mut Written,
) -> Result<(), Trouble> {
    if batch.rollups.is_empty() {
        return Ok(());
    }
    let finest = batch.finest;
    let mut pending = batch.rollups.clone();
    for resolution in Resolution::ALL.into_iter().filter(|it| *it >= finest) {
        let mut table = transaction.open_table(rollups_of(resolution))?;
        let mut coarser = std::collections::BTreeMap::new();
        for (&(start, target), rollup) in &pending {
            let key = rollup_key(start, target);
            let before = table.get(&key)?.map(|row| Rollup::from_bytes(row.value()));
            let mut sum = before.unwrap_or_default();
            sum.add(rollup);
            if resolution == finest && sum.watched_ms() > resolution.millis() {
                // The wall clock went back. What was kept first stays.
                written.overlapped += 1;
                continue;
            }
            table.insert(&key, &sum.to_bytes())?;
            written.rollups += 1;
            let above = resolution.coarser().floor(start);
            let above: &mut Rollup = coarser.entry((above, target)).or_default();
            above.add(rollup);
        }
        pending = coarser;
    }
    Ok(())
}

fn rollup_key(start_ms: u64, target: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&start_ms.to_be_bytes());
    key[8..].copy_from_slice(&target.to_be_bytes());
    key
}

/// The beginning and the target of a key of roll-ups.
fn split(key: &[u8; 12]) -> (u64, u32) {
    let (mut start, mut target) = ([0; 8], [0; 4]);
    start.copy_from_slice(&key[..8]);
    target.copy_from_slice(&key[8..]);
    (u64::from_be_bytes(start), u32::from_be_bytes(target))
}

fn change_key(at_nanos: u64, id: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&at_nanos.to_be_bytes());
    key[8..].copy_from_slice(&id.to_be_bytes());
    key
}

fn bookmark(key: &[u8; 16]) -> Bookmark {
    let (mut at, mut id) = ([0; 8], [0; 8]);
    at.copy_from_slice(&key[..8]);
    id.copy_from_slice(&key[8..]);
    Bookmark {
        at_nanos: u64::from_be_bytes(at),
        id: u64::from_be_bytes(id),
    }
}

fn index_key(target: u32, at_nanos: u64, id: u64) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&target.to_be_bytes());
    key[4..].copy_from_slice(&change_key(at_nanos, id));
    key
}
