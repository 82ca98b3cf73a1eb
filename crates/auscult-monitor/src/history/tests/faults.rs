//! Disks that are full, files that are damaged, clocks that are set, queues that overflow.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use auscult_core::monitor::Status::{Down, Unknown, Up};
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};

use super::*;
use crate::history::batch::CHANGES_WAITING_MAX;

/// A disk that is full when it is told to be.
#[derive(Debug)]
struct Unreliable {
    inner: InFolder,
    full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Disk(FileBackend, Arc<AtomicBool>);

impl Disk {
    fn room(&self) -> io::Result<()> {
        match self.1.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.room()?;
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

impl Place for Unreliable {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self) -> Result<Database, DatabaseError> {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path())
            .map_err(|error| DatabaseError::Storage(error.into()))?;
        let disk = Disk(FileBackend::new(file)?, Arc::clone(&self.full));
        Database::builder().create_with_backend(disk)
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn set_bytes_max(&self, bytes: u64) {
        self.inner.set_bytes_max(bytes);
    }

    fn put_aside(&self) -> io::Result<()> {
        self.inner.put_aside()
    }
}

#[test]
fn a_full_disk_loses_nothing_that_fits_into_memory_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let mut stage = Stage::over(Box::new(Unreliable {
        inner: InFolder::new(folder.path()),
        full: Arc::clone(&full),
    }));
    stage.tell("web", 0, EventKind::Added);
    stage.tell("web", 0, passes(Unknown, Up));
    stage.step();
    assert_eq!(stage.history.status().state, State::Writing);

    full.store(true, Ordering::Relaxed);
    stage.tell("web", 10_000, passes(Up, Down));
    stage.step();
    stage.tell("web", 20_000, passes(Down, Up));
    stage.step();
    let status = stage.history.status();
    assert_eq!(status.state, State::Failing);
    let problem = status.problem.unwrap();
    assert!(problem.contains("no room for"), "{problem}");
    assert_eq!(status.changes_lost, 0);

    full.store(false, Ordering::Relaxed);
    stage.recorder.tried_at = 0;
    stage.tell("web", 30_000, EventKind::Removed);
    stage.step();
    let status = stage.history.status();
    assert_eq!((status.state, status.problem), (State::Writing, None));
    let sum = stage.all("web", 40_000);
    assert_eq!((sum.span_ms(Up), sum.span_ms(Down)), (20_000, 10_000));
    let changes = stage
        .history
        .changes("web", Bookmark::default(), u64::MAX / 2_000_000, 10);
    assert_eq!(changes.unwrap().rows.len(), 4);
}

#[test]
fn what_waits_for_a_disk_is_bounded_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let full = Arc::new(AtomicBool::new(true));
    let mut stage = Stage::over(Box::new(Unreliable {
        inner: InFolder::new(folder.path()),
        full,
    }));
    stage.tell("web", 0, EventKind::Added);
    let more = 1_000;
    for n in 0..CHANGES_WAITING_MAX + more {
        stage.tell("web", n as u64, passes(Unknown, Up));
        if n % 100_000 == 0 {
            stage.step();
        }
    }
    stage.step();
    let status = stage.history.status();
    assert_eq!(status.state, State::Failing);
    assert_eq!(status.changes_lost, more as u64);
}

#[test]
fn a_queue_that_overflowed_is_told_and_the_statuses_are_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("gone", 0, EventKind::Added);
    for n in 0..140_000 {
        stage.tell("gone", n, passes(Unknown, Up));
    }
    stage.step();
    let status = stage.history.status();
    assert_eq!(status.changes_lost, 140_001 - 131_072);
    // The engine knows no such target: what was lost was its end.
    stage.tell("gone", 200_000, EventKind::Added);
    stage.tell("gone", 210_000, EventKind::Removed);
    stage.step();
    assert_eq!(stage.history.status().changes_lost, 140_001 - 131_072);
}

#[test]
fn a_damaged_file_is_put_aside_and_a_new_one_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("web", 0, EventKind::Added);
    for n in 0..5_000 {
        stage.tell("web", n * 10, passes(Unknown, Up));
    }
    stage.step();
    stage.recorder.finish(&stage.settings);
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    bytes.truncate(length / 3);
    fs::write(&path, &bytes).unwrap();

    let mut stage = Stage::in_folder(folder.path());
    stage.step();
    stage.tell("web", 0, EventKind::Added);
    stage.recorder.tried_at = 0;
    stage.step();
    let status = stage.history.status();
    assert_eq!(
        (status.state, status.put_aside),
        (State::Writing, 1),
        "{status:?}"
    );
    assert!(folder.path().join("history.redb.damaged").exists());
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    for bytes in [
        &b"not a store of ours, but of somebody else"[..],
        &[7; 70_000],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.redb");
        fs::write(&path, bytes).unwrap();
        let mut stage = Stage::in_folder(folder.path());
        stage.tell("web", 0, EventKind::Added);
        stage.step();
        let status = stage.history.status();
        assert_eq!(status.state, State::Failing);
        assert_eq!(fs::read(&path).unwrap(), bytes, "{:?}", status.problem);
    }
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let table = redb::TableDefinition::<&str, &str>::new("auscult");
        let mut meta = transaction.open_table(table).unwrap();
        meta.insert("format", "7").unwrap();
        meta.insert("creator", "auscult 9.0").unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let mut stage = Stage::in_folder(folder.path());
    stage.tell("web", 0, EventKind::Added);
    stage.step();
    let status = stage.history.status();
    let problem = status.problem.unwrap();
    assert!(
        problem.contains("\"7\"") && problem.contains("auscult 9.0"),
        "{problem}"
    );
    assert!(!folder.path().join("history.redb.damaged").exists());
}

#[test]
fn time_that_is_gone_through_twice_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    let since = Resolution::TenSeconds.ceil(stage.origin_ms()) - stage.origin_ms();
    stage.tell("web", since, EventKind::Added);
    stage.tell("web", since, passes(Unknown, Up));
    stage.tell("web", since + 60_000, passes(Up, Down));
    stage.tell("web", since + 60_000, EventKind::Removed);
    stage.step();
    // Another run, whose wall clock is 30 s behind.
    stage.tell("web", since + 30_000, EventKind::Added);
    stage.tell("web", since + 90_000, EventKind::Removed);
    stage.step();
    let sum = stage.all("web", since + 100_000);
    assert_eq!((sum.span_ms(Up), sum.span_ms(Unknown)), (60_000, 30_000));
    assert_eq!(stage.history.status().rollups_overlapped, 3);
}

#[test]
fn what_a_wall_clock_jumps_over_was_not_watched() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::in_folder(folder.path());
    // What was agreed upon lies an hour behind: the next look finds the wall clock set.
    stage.history.0.clock.step(-3_600_000);
    let began = stage.history.now_ms();
    let target = TargetId::new("web").unwrap();
    stage.tell("web", 0, EventKind::Added);
    stage.step();
    stage.tell("web", 7_200_000, EventKind::Removed);
    stage.recorder.finish(&stage.settings);
    stage.step();
    let now = stage.history.now_ms();
    assert!(now.abs_diff(began + 3_600_000) < 60_000);
    let segments = stage
        .history
        .cover(began - 10_000, now + 7_300_000)
        .unwrap();
    let sum = stage.history.sum(&target, &segments).unwrap();
    let span = sum.watched_ms();
    assert!(span < 7_200_000 + 60_000, "{span}");
}
