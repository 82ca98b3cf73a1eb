//! Data files against crashes, damage, strangers and full disks.

mod sample;

use super::file::{META, META_FORMAT, rehearse};
use super::*;
use redb::backends::FileBackend;
use redb::{Database, StorageBackend, TableDefinition};
use sample::*;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const WEB: Record<'static> = Record::Put {
    id: "web",
    json: r#"{"url":"http://web"}"#,
};

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("a/b");
    let (store, contents) = Store::open(&nested).unwrap();
    assert_eq!(contents, Contents::default());
    let db = Record::Put {
        id: "db",
        json: "{}",
    };
    store
        .write(&[WEB, db, Record::Pause("web"), Record::Pause("db")])
        .unwrap();
    store.write(&[Record::Resume("db")]).unwrap();
    drop(store);

    let (store, contents) = Store::open(&nested).unwrap();
    let names: Vec<_> = contents.targets.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(
        (names, contents.paused),
        (vec!["db", "web"], vec!["web".to_owned()])
    );
    store.write(&[Record::Remove("web")]).unwrap();
    drop(store);
    let (_, contents) = Store::open(&nested).unwrap();
    assert_eq!(contents.targets, [("db".to_owned(), "{}".to_owned())]);
    assert!(contents.paused.is_empty());
}

#[test]
fn a_second_process_is_told_that_the_folder_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path()).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("--datadir"), "{error}");
}

/// Between fork and exec a child holds everything that its parent has open.
#[test]
fn a_folder_that_was_let_go_of_is_free_although_a_child_inherited_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    let _inherited = store.lock.0.try_clone().unwrap();
    drop(store);
    Store::open(folder.path()).unwrap();
}

#[test]
fn strange_files_are_named_and_left_alone() {
    let good = stored_file();
    let later = with_other_format("2");
    let mut no_magic = good.clone();
    no_magic[..4096].fill(0);
    let mut half_zero = good.clone();
    let half = half_zero.len() / 2;
    half_zero[half..].fill(0);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "is damaged"),
        ("text", b"targets: []\n".to_vec(), "is not a store"),
        ("noise", vec![7; 9_000], "is not a store"),
        ("cut in the header", good[..100].to_vec(), "is damaged"),
        ("cut in half", good[..half].to_vec(), "is damaged"),
        (
            "one byte short",
            good[..good.len() - 1].to_vec(),
            "is damaged",
        ),
        ("second half zero", half_zero, "is damaged"),
        ("first page zero", no_magic, "is not a store"),
        (
            "another program's",
            foreign_database(),
            "was not written by auscult",
        ),
        ("a later version's", later, "format \"2\""),
    ];
    for (name, bytes, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, &bytes).unwrap();
        let text = Store::open(folder.path()).unwrap_err().to_string();
        assert!(text.contains(expected), "{name}: {text}");
        assert!(fs::read(&path).unwrap() == bytes, "{name} was changed");
    }
}

#[test]
fn no_flipped_byte_gives_other_contents() {
    let good = stored_file();
    let expected = rehearse(&good, &LAYOUT).unwrap();
    // Whole pages of the file are free, so a step that is prime to their size samples all kinds.
    for at in (0..good.len()).step_by(8_209).chain((0..320).step_by(3)) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        if let Ok(contents) = rehearse(&bytes, &LAYOUT) {
            assert_eq!(contents, expected, "byte {at}");
        }
    }
}

#[test]
fn a_crash_between_two_writes_loses_neither() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    store.write(&[WEB]).unwrap();
    // What a crash leaves: the file as it is while the database is open.
    let crashed = fs::read(store.path()).unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join(FILE_NAME), crashed).unwrap();
    let (_, contents) = Store::open(other.path()).unwrap();
    assert_eq!(contents.targets.len(), 1);
}

#[test]
fn half_a_creation_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sample.redb.new"), b"half").unwrap();
    let (_, contents) = Store::open(folder.path()).unwrap();
    assert_eq!(contents, Contents::default());
}

#[test]
fn a_full_disk_refuses_the_change_whole_and_is_got_over() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let file = File::options()
        .read(true)
        .write(true)
        .open(store.path())
        .unwrap();
    *store.file.database.lock() = None;
    let disk = SmallDisk {
        file: FileBackend::new(file).unwrap(),
        full: Arc::clone(&full),
    };
    let database = Database::builder().create_with_backend(disk).unwrap();
    *store.file.database.lock() = Some(database);

    full.store(true, Ordering::Relaxed);
    let error = store.write(&[WEB, Record::Pause("web")]).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    full.store(false, Ordering::Relaxed);
    store.write(&[Record::Pause("db")]).unwrap();
    drop(store);
    let (_, contents) = Store::open(folder.path()).unwrap();
    assert_eq!(contents.paused, ["db"]);
    assert!(contents.targets.is_empty(), "nothing half done");
}

#[test]
fn a_real_full_disk_stops_changes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    if !mount(folder.path(), "size=1m") {
        println!("skipped: a small tmpfs cannot be mounted here");
        return;
    }
    let outcome = std::panic::catch_unwind(|| fill_and_recover(folder.path()));
    let unmounted = Command::new("umount").arg(folder.path()).status();
    assert!(unmounted.unwrap().success());
    outcome.unwrap();
}

fn fill_and_recover(folder: &Path) {
    let (store, _) = Store::open(folder).unwrap();
    store.write(&[WEB]).unwrap();
    let large = "x".repeat(700_000);
    let target = Record::Put {
        id: "large",
        json: &large,
    };
    let error = store.write(&[Record::Pause("web"), target]).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    drop(store);

    let (store, contents) = Store::open(folder).expect("starts on a full disk");
    assert_eq!((contents.targets.len(), contents.paused.len()), (1, 0));
    assert!(mount(folder, "remount,size=8m"));
    store.write(&[Record::Pause("db")]).unwrap();
    drop(store);
    let (_store, contents) = Store::open(folder).unwrap();
    assert_eq!(
        (contents.targets.len(), contents.paused),
        (1, vec!["db".to_owned()])
    );
}

fn mount(folder: &Path, options: &str) -> bool {
    let mut command = Command::new("mount");
    command
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(folder);
    command.output().is_ok_and(|output| output.status.success())
}

/// A file on a disk that is full at a switch.
#[derive(Debug)]
struct SmallDisk {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl SmallDisk {
    fn room(&self) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn stored_file() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    for id in ["a", "b", "c"] {
        let json = format!("{{\"name\":\"{}\"}}", id.repeat(3_000));
        store
            .write(&[Record::Put { id, json: &json }, Record::Pause(id)])
            .unwrap();
    }
    let path = store.path().to_owned();
    drop(store);
    fs::read(path).unwrap()
}

fn with_other_format(format: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    let path = store.path().to_owned();
    drop(store);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(META)
        .unwrap()
        .insert(META_FORMAT, format)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    fs::read(path).unwrap()
}

fn foreign_database() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table: TableDefinition<'_, u64, u64> = TableDefinition::new("rows");
    transaction.open_table(table).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    fs::read(path).unwrap()
}
