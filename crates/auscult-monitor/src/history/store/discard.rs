//! Giving up what is too old, or too much.
//!
//! redb never gives pages back while it works, but uses them again; and it doubles its file when
//! there are none left. So the rows are held so far below the file's length that it does not need
//! to grow beyond what is allowed: at three quarters of the largest length that doubling leads to.

use auscult_core::history::{Kind, Limits, Resolution, gives};
use redb::{ReadableTable, ReadableTableMetadata, Table};

use super::{CHANGES, CHANGES_OF, Store, TARGETS, rollups_of, split};
use crate::store::{StoreError, Trouble};

/// Rows that are given up in one transaction, so that writing waits for some 100 ms at most.
const ROWS_AT_ONCE: u64 = 20_000;

/// Bytes of the file that one roll-up takes: 96 in a page that is filled from one end, in halves.
const ROLLUP_ON_DISK: u64 = 190;

/// Bytes of the file that a change takes besides its row: its keys, in pages that are half full.
const CHANGE_ON_DISK: u64 = 80;

/// Rows at each end of which the mean length of all is estimated.
const SAMPLE: usize = 32;

/// What was given up, and what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Discarded {
    /// Rows that are gone.
    pub(in super::super) rows: u64,
    /// Whether there is more to give up.
    pub(in super::super) more: bool,
    /// Rows that there are of each kind.
    pub(in super::super) left: [u64; 4],
    /// When the oldest of them begins.
    pub(in super::super) oldest_ms: [Option<u64>; 4],
    /// The length of the file.
    pub(in super::super) file_bytes: u64,
}

impl Store {
    /// Gives up what is beyond the limits, a part of it at a time.
    ///
    /// # Errors
    /// Why not. State: nothing was given up.
    pub(in super::super) fn discard(
        &self,
        limits: Limits,
        now_ms: u64,
    ) -> Result<Discarded, StoreError> {
        let before = self.stocks()?;
        let held = before.map(|stock| stock.rows * stock.row_bytes);
        let gives = gives(held, room(limits.bytes_max, self.place.bytes()));
        let aged_ms = now_ms.saturating_sub(limits.age_max_ms);
        let mut cuts = [Cut::default(); 4];
        let mut least_ms = aged_ms;
        // From the coarsest on: a finer roll-up is never kept for longer than a coarser one.
        for kind in [
            Kind::Transitions,
            Kind::OneHour,
            Kind::FiveMinutes,
            Kind::TenSeconds,
        ] {
            let stock = before[kind as usize];
            let rows = gives[kind as usize].div_ceil(stock.row_bytes.max(1));
            let before_ms = if kind == Kind::Transitions {
                aged_ms
            } else {
                least_ms
            };
            cuts[kind as usize] = Cut { rows, before_ms };
            if kind != Kind::Transitions && stock.rows > 0 {
                least_ms = least_ms.max(stock.oldest_ms);
            }
        }
        let due = |kind: Kind| {
            let (stock, cut) = (before[kind as usize], cuts[kind as usize]);
            stock.rows > 0 && (cut.rows > 0 || stock.oldest_ms < cut.before_ms)
        };
        let mut discarded = Discarded::default();
        if Kind::ALL.into_iter().any(due) {
            // What is given up is written anew first, and that needs room.
            self.place.set_bytes_max(u64::MAX);
            let gone = self.cut(&cuts);
            self.place
                .set_bytes_max(limits.bytes_max.max(self.place.bytes()));
            discarded.rows = gone?;
            discarded.more = discarded.rows > 0;
        }
        let after = self.stocks()?;
        discarded.left = after.map(|stock| stock.rows);
        discarded.oldest_ms = after.map(|stock| (stock.rows > 0).then_some(stock.oldest_ms));
        discarded.file_bytes = self.place.bytes();
        Ok(discarded)
    }

    /// Makes the file as short as its contents allow, if it is longer than it may be and nobody
    /// reads it now. Returns whether it was.
    ///
    /// # Errors
    /// Why not. State: the contents are as they were.
    pub(in super::super) fn compact(&self, bytes_max: u64) -> Result<bool, StoreError> {
        self.place.set_bytes_max(bytes_max.max(self.place.bytes()));
        if self.place.bytes() <= bytes_max {
            return Ok(false);
        }
        let Some(database) = self.database.swap(None) else {
            return Ok(false);
        };
        let outcome = match std::sync::Arc::try_unwrap(database) {
            Ok(mut alone) => match alone.compact() {
                Ok(done) => {
                    self.database.store(Some(std::sync::Arc::new(alone)));
                    Ok(done)
                }
                Err(error) => Err(Trouble::Io(error.to_string())),
            },
            Err(read) => {
                self.database.store(Some(read));
                Ok(false)
            }
        };
        outcome.map_err(|trouble| self.about(trouble))
    }

    /// Forgets the names of targets that are not watched and of which nothing was kept since
    /// `since_ms`, and notes of the others that something was.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub(in super::super) fn note_watched(
        &self,
        watched: &dyn Fn(&str) -> bool,
        now_ms: u64,
        since_ms: u64,
    ) -> Result<(), StoreError> {
        let gone = self.transact(|transaction| {
            let mut table = transaction.open_table(TARGETS)?;
            let mut kept = Vec::new();
            let mut gone: Vec<Box<str>> = Vec::new();
            for entry in table.iter()? {
                let (name, value) = entry?;
                let (name, (number, at)) = (name.value(), value.value());
                if watched(name) || at == 0 {
                    kept.push((Box::<str>::from(name), number));
                } else if at < since_ms {
                    gone.push(name.into());
                }
            }
            for (name, number) in &kept {
                table.insert(&**name, (*number, now_ms))?;
            }
            for name in &gone {
                table.remove(&**name)?;
            }
            Ok(gone)
        })?;
        self.names.write().forget(&gone);
        Ok(())
    }

    fn stocks(&self) -> Result<[Stock; 4], StoreError> {
        self.read(|transaction| {
            let mut stocks = [Stock::default(); 4];
            for (kind, resolution) in Kind::ALL.into_iter().zip(Resolution::ALL) {
                let table = transaction.open_table(rollups_of(resolution))?;
                let oldest = table.first()?.map(|(key, _)| split(key.value()).0);
                stocks[kind as usize] = Stock {
                    rows: table.len()?,
                    row_bytes: ROLLUP_ON_DISK,
                    oldest_ms: oldest.unwrap_or(0),
                };
            }
            let table = transaction.open_table(CHANGES)?;
            let mut lengths = Vec::with_capacity(2 * SAMPLE);
            for entry in table.iter()?.take(SAMPLE) {
                lengths.push(entry?.1.value().len() as u64);
            }
            for entry in table.iter()?.rev().take(SAMPLE) {
                lengths.push(entry?.1.value().len() as u64);
            }
            let mean = lengths.iter().sum::<u64>() / (lengths.len() as u64).max(1);
            let oldest = table
                .first()?
                .map(|(key, _)| super::bookmark(key.value()).at_nanos);
            stocks[Kind::Transitions as usize] = Stock {
                rows: table.len()?,
                row_bytes: 2 * mean + CHANGE_ON_DISK,
                oldest_ms: oldest.unwrap_or(0) / 1_000_000,
            };
            Ok(stocks)
        })
    }

    fn cut(&self, cuts: &[Cut; 4]) -> Result<u64, StoreError> {
        self.transact(|transaction| {
            let mut gone = 0;
            for (kind, resolution) in Kind::ALL.into_iter().zip(Resolution::ALL) {
                let mut table = transaction.open_table(rollups_of(resolution))?;
                let cut = cuts[kind as usize];
                gone += cut.from(&mut table, |key| split(key).0, |_, _| {})?;
            }
            let mut table = transaction.open_table(CHANGES)?;
            let mut index = transaction.open_table(CHANGES_OF)?;
            let mut keys = Vec::new();
            let note = |key: &[u8; 16], row: &[u8]| {
                let mut own = [0; 20];
                if let Some(number) = super::rows::target_of(row) {
                    own[..4].copy_from_slice(&number.to_be_bytes());
                }
                own[4..].copy_from_slice(key);
                keys.push(own);
            };
            let cut = cuts[Kind::Transitions as usize];
            let at_ms = |key: &[u8; 16]| super::bookmark(key).at_nanos / 1_000_000;
            gone += cut.from(&mut table, at_ms, note)?;
            keys.sort_unstable();
            for key in &keys {
                index.remove(key)?;
            }
            Ok(gone)
        })
    }
}

/// How much is kept of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Stock {
    rows: u64,
    /// Bytes of the file that one of them takes.
    row_bytes: u64,
    oldest_ms: u64,
}

/// What one kind gives up, the oldest first.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    /// So many rows.
    rows: u64,
    /// And those before that moment.
    before_ms: u64,
}

impl Cut {
    fn from<const N: usize, V: redb::Value + 'static>(
        self,
        table: &mut Table<'_, &'static [u8; N], V>,
        at_ms: impl Fn(&[u8; N]) -> u64,
        mut note: impl FnMut(&[u8; N], V::SelfType<'_>),
    ) -> Result<u64, Trouble> {
        let mut gone = 0;
        while gone < ROWS_AT_ONCE {
            let Some((key, row)) = table.first()? else {
                break;
            };
            let own = *key.value();
            if gone >= self.rows && at_ms(&own) >= self.before_ms {
                break;
            }
            note(&own, row.value());
            drop((key, row));
            table.remove(&own)?;
            gone += 1;
        }
        Ok(gone)
    }
}

/// Bytes that rows may take in a file that is `length` long now and may become `bytes_max` long.
pub(super) fn room(bytes_max: u64, length: u64) -> u64 {
    let mut reached = length.max(1);
    while reached > bytes_max {
        reached /= 2;
    }
    while reached.saturating_mul(2) <= bytes_max {
        reached *= 2;
    }
    reached / 4 * 3
}
