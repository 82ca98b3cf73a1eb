//! Readings that outlive the process.
//!
//! What changed is written every few seconds and at the end, each metric of a peer as one row with
//! its window. What a crash loses does no harm beyond showing an older value: a metric that is
//! restored has its time again before it fails, as nobody listened meanwhile. Ages over a restart
//! are told by the wall clock, the only one that goes on; it says how old a value is, and never
//! when a metric fails.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auscult_core::bounds::METRIC_VALUE_BYTES_MAX;
use auscult_core::id::{SignalName, TargetId};
use auscult_core::peer_metric::{Input, Kept, Pause, Restored, SeriesView, Validity};
use auscult_core::time::Instant;
use jiff::Timestamp;

use super::{KeepingState, PeerMonitor};
use crate::clock::Clock;
use crate::store::{Fields, ReadingStore, SavedReadings, StoreError};

/// How often what changed is written.
pub(super) const PACE: Duration = Duration::from_secs(5);

/// Metrics of peers that are read under one lock, and written together.
const AT_ONCE: usize = 1_000;

/// The first byte of a row.
const VERSION: u8 = 1;

/// Where readings are kept.
pub(super) struct Shelf {
    store: ReadingStore,
    /// What was there when it was opened, until it is gone on with.
    found: Vec<SavedReadings>,
    /// What is in the file.
    kept: BTreeSet<(TargetId, SignalName)>,
    /// What is not in the file yet, by peer and metric.
    waiting: BTreeMap<(TargetId, SignalName), Option<Vec<u8>>>,
    /// How many metrics of peers had been forgotten when that was looked at last.
    forgotten: u64,
}

impl Shelf {
    pub(super) fn new(store: ReadingStore, found: Vec<SavedReadings>) -> Self {
        Self {
            store,
            found,
            kept: BTreeSet::new(),
            waiting: BTreeMap::new(),
            forgotten: 0,
        }
    }

    /// Gives the machine what there was.
    pub(super) fn restore(&mut self, monitor: &PeerMonitor) {
        let wall = nanos(monitor.clock().wall_now());
        let mut unreadable = 0;
        for saved in std::mem::take(&mut self.found) {
            let names = (TargetId::new(&saved.peer), SignalName::new(&saved.metric));
            let row = saved.row.as_deref().and_then(|row| decode(row, wall));
            let ((Ok(peer), Ok(metric)), Some((epoch, readings))) = (names, row) else {
                unreadable += 1;
                continue;
            };
            let restored = Restored {
                peer: &peer,
                metric: &metric,
                epoch,
                readings: &readings,
            };
            monitor.drive(|log, now| log.handle(now, Input::Restored(restored)));
            // What there was no room for is taken out of the file, too.
            self.kept.insert((peer, metric));
        }
        self.forgotten = u64::MAX;
        if unreadable > 0 {
            tracing::warn!(
                unreadable,
                "some of what peers published before cannot be read"
            );
        }
    }

    /// Writes what changed. Blocks as long as the disk does.
    pub(super) fn save(&mut self, monitor: &PeerMonitor) {
        self.find_forgotten(monitor);
        loop {
            let more = self.take_changed(monitor);
            let written = self.write();
            let mut keeping = monitor.0.keeping.lock();
            let failed_before = keeping.state == KeepingState::Failing;
            match written {
                Ok(()) if failed_before => {
                    keeping.begin();
                    tracing::info!("what peers publish is kept again");
                }
                Ok(()) => {}
                Err(error) => {
                    keeping.fail(error.to_string());
                    // Said once, not every few seconds.
                    if !failed_before {
                        tracing::error!("what peers publish is not kept: {error}");
                    }
                    return;
                }
            }
            drop(keeping);
            if !more {
                return;
            }
        }
    }

    fn take_changed(&mut self, monitor: &PeerMonitor) -> bool {
        let clock = monitor.clock();
        let saved_at = nanos(clock.wall_now());
        let waiting = &mut self.waiting;
        let mut state = monitor.0.state.lock();
        state.log.take_changed(AT_ONCE, |view| {
            let row = encode(&view, clock, saved_at);
            waiting.insert((view.peer().clone(), view.metric().clone()), Some(row));
        })
    }

    fn find_forgotten(&mut self, monitor: &PeerMonitor) {
        let forgotten = monitor.read(|log, _| log.counters().forgotten);
        if forgotten == self.forgotten {
            return;
        }
        self.forgotten = forgotten;
        let kept: Vec<_> = self.kept.iter().cloned().collect();
        for some in kept.chunks(AT_ONCE) {
            monitor.read(|log, _| {
                let gone = some
                    .iter()
                    .filter(|(peer, metric)| log.series(metric, peer).is_none());
                self.waiting.extend(gone.map(|key| (key.clone(), None)));
            });
        }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = self
            .waiting
            .iter()
            .map(|((peer, metric), row)| SavedReadings {
                peer: peer.to_string(),
                metric: metric.to_string(),
                row: row.clone(),
            });
        self.store.write(&rows.collect::<Vec<_>>())?;
        for (key, row) in std::mem::take(&mut self.waiting) {
            match row {
                Some(_) => self.kept.insert(key),
                None => self.kept.remove(&key),
            };
        }
        Ok(())
    }
}

/// A metric of a peer as a row: when it was written, the epoch, and each reading with the wall
/// clock's time of its arrival, for [`Fields`].
fn encode(view: &SeriesView<'_>, clock: &Clock, saved_at: u64) -> Vec<u8> {
    let mut row = vec![VERSION];
    row.extend(saved_at.to_le_bytes());
    row.push(u8::from(view.epoch().is_some()));
    row.extend(view.epoch().unwrap_or_default().to_le_bytes());
    for reading in view.readings() {
        let wall = nanos(clock.wall(reading.received_at));
        let arrived = wall.saturating_sub(span_nanos(reading.earlier));
        row.extend(arrived.to_le_bytes());
        row.extend(span_nanos(reading.ttl).to_le_bytes());
        row.push(u8::from(reading.valid == Validity::Valid));
        row.push(match reading.pause {
            Pause::Unheard => 0,
            Pause::Interval => 1,
            Pause::Outage => 2,
        });
        row.extend(reading.weight.to_le_bytes());
        let length = u32::try_from(reading.value.len()).unwrap_or(u32::MAX);
        row.extend(length.to_le_bytes());
        row.extend(reading.value.as_bytes());
    }
    row
}

/// Epoch and readings of a row, at this time of the wall clock; `None` for anything else.
pub(crate) fn decode(row: &[u8], now: u64) -> Option<(Option<u64>, Vec<Kept>)> {
    let mut rest = Fields::of(row);
    if rest.byte()? != VERSION {
        return None;
    }
    // However the wall clock was set, a reading is not younger than when it was written.
    let now = now.max(rest.number()?);
    let has_epoch = rest.flag()?;
    let epoch = rest.number()?;
    let mut readings: Vec<Kept> = Vec::new();
    while !rest.is_empty() {
        let arrived = rest.number()?;
        let ttl = Duration::from_nanos(rest.number()?);
        let valid = match rest.flag()? {
            true => Validity::Valid,
            false => Validity::Invalid,
        };
        let pause = match rest.byte()? {
            0 => Pause::Unheard,
            1 => Pause::Interval,
            2 => Pause::Outage,
            _ => return None,
        };
        let weight = rest.number()?.cast_signed();
        let length = usize::try_from(rest.word()?).ok()?;
        let value = rest.bytes(length)?;
        if value.len() > METRIC_VALUE_BYTES_MAX {
            return None;
        }
        let earlier = Duration::from_nanos(now.saturating_sub(arrived));
        // The newest first, or the intervals would be none.
        if readings.last().is_some_and(|last| earlier < last.earlier) {
            return None;
        }
        readings.push(Kept {
            value: std::str::from_utf8(value).ok()?.into(),
            received_at: Instant::ORIGIN,
            earlier,
            pause,
            ttl,
            valid,
            weight,
        });
    }
    Some((has_epoch.then_some(epoch), readings))
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

fn span_nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer_metrics::PeerMonitor;
    use auscult_core::peer_metric::{MetricLogConfig, MetricLogParams, Reading, Sender};

    fn reading<'a>(peer: &'a str, value: &'a str) -> Reading<'a> {
        Reading {
            metric: "free",
            peer,
            value,
            ttl: Duration::from_secs(60),
            valid: Validity::Valid,
            weight: -3,
            epoch: Some(u64::MAX),
        }
    }

    fn started() -> PeerMonitor {
        let config = MetricLogConfig::new(MetricLogParams::new()).unwrap();
        PeerMonitor::start(config, Clock::new())
    }

    fn row_of(monitor: &PeerMonitor, saved_at: u64) -> Vec<u8> {
        monitor.read(|log, _| {
            let view = log.series("free", "a").unwrap();
            encode(&view, monitor.clock(), saved_at)
        })
    }

    #[tokio::test]
    async fn a_row_comes_back_as_it_went_and_anything_else_is_nothing() {
        let monitor = started();
        let name = TargetId::new("a").unwrap();
        monitor.set_peers(&[name]);
        for value in ["1", "caf\u{e9}", ""] {
            let reading = reading("a", value);
            monitor.log_metric(Sender::Trusted, &reading).unwrap();
        }
        let now = nanos(monitor.clock().wall_now());
        let row = row_of(&monitor, now);
        let later = Duration::from_secs(5);
        let (epoch, readings) = decode(&row, now + span_nanos(later)).unwrap();
        assert_eq!(epoch, Some(u64::MAX));
        let values: Vec<&str> = readings.iter().map(|it| &*it.value).collect();
        assert_eq!(values, ["", "caf\u{e9}", "1"]);
        for reading in &readings {
            assert!(reading.earlier >= later && reading.earlier < later * 3);
            assert_eq!((reading.weight, reading.ttl), (-3, Duration::from_secs(60)));
        }
        // However the wall clock was set: not younger than it was.
        let (_, readings) = decode(&row_of(&monitor, now + 7_000_000_000), 0).unwrap();
        assert!(readings[0].earlier >= Duration::from_secs(6));

        let (_, whole) = decode(&row, now).unwrap();
        for length in 0..row.len() {
            // What is cut between two readings has fewer of them, and what is cut in one is none.
            if let Some((_, some)) = decode(&row[..length], now) {
                assert!(some.len() < whole.len() && whole.starts_with(&some));
            }
        }
        for at in 0..row.len() {
            let mut bad = row.clone();
            bad[at] ^= 0xff;
            let _read = decode(&bad, now);
        }
    }

    #[tokio::test]
    async fn what_is_forgotten_leaves_the_file_and_what_is_damaged_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (store, found) = ReadingStore::open(folder.path()).unwrap();
        assert!(found.is_empty());
        let monitor = started();
        monitor.keep_in(Ok((store, found)));
        monitor.set_peers(&["a", "b"].map(|name| TargetId::new(name).unwrap()));
        for peer in ["a", "b"] {
            let reading = reading(peer, "1");
            monitor.log_metric(Sender::Trusted, &reading).unwrap();
        }
        monitor.save().await;
        monitor.forget("a", None);
        monitor.shutdown().await;
        *monitor.0.shelf.lock() = None;
        let (store, found) = ReadingStore::open(folder.path()).unwrap();
        let peers: Vec<&str> = found.iter().map(|saved| &*saved.peer).collect();
        assert_eq!(peers, ["b"]);
        drop(store);

        let file = folder.path().join("peer_metrics.redb");
        let mut bytes = std::fs::read(&file).unwrap();
        let half = bytes.len() / 2;
        bytes[..half].fill(0x5a);
        std::fs::write(&file, bytes).unwrap();
        let (_store, found) = match ReadingStore::open(folder.path()) {
            Ok(opened) => opened,
            // Not ours any more, by its first bytes: left alone.
            Err(error) => return assert!(matches!(error, StoreError::Foreign { .. }), "{error}"),
        };
        assert!(found.is_empty());
        assert!(folder.path().join("peer_metrics.redb.damaged").exists());
    }
}
