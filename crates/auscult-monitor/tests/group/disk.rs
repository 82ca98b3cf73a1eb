//! A disk that loses power: what was not synced is then lost, kept or torn as chance will have it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auscult_core::rng::Rng;
use auscult_monitor::store::{Disk, Work};
use parking_lot::Mutex;
use redb::{Database, DatabaseError, StorageBackend};
use tokio::sync::Notify;

/// What a drive writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What a disk does when it is asked to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It keeps what it says it keeps.
    Honest,
    /// It says that it keeps everything, and keeps it in its memory: a mutant.
    SaysSo,
    /// It comes back as it was some syncs ago: a mutant.
    Relapses,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Killed: the system goes on, and writes what it was given.
    Kill,
    /// With the machine: what was not synced may be lost, or half of it.
    PowerCut,
}

/// What outlives every process that uses it. Clones are the same disk.
#[derive(Clone, Debug)]
pub(crate) struct Platter {
    path: PathBuf,
    state: Arc<Mutex<State>>,
    power: Arc<Mutex<Power>>,
    /// Wakes who waits for an end, in the order in which they began to; a channel would wake them
    /// in any.
    ends: Arc<Notify>,
}

/// Which process may use the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Power {
    boot: u64,
    is_on: bool,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    habit: Habit,
    file: Option<Image>,
    draft: Option<Image>,
    note: Note,
    /// How the last process ended.
    last_end: Option<End>,
    /// Writes and syncs so far.
    operations: u64,
    /// The power goes at this one.
    last_operation: u64,
    is_full: bool,
    /// States that the file was in, for a disk that relapses.
    before: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Image {
    /// What a process reads.
    seen: Vec<u8>,
    /// What is there after a power cut.
    kept: Vec<u8>,
    /// What was done since the last sync.
    pending: Vec<Step>,
}

/// The note beside the file. It fits a sector.
#[derive(Clone, Debug, Default)]
struct Note {
    seen: Option<Vec<u8>>,
    kept: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Step {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Platter {
    pub(crate) fn new(name: &str, habit: Habit, seed: u64) -> Self {
        let state = State {
            rng: Rng::new(seed),
            habit,
            file: None,
            draft: None,
            note: Note::default(),
            last_end: None,
            operations: 0,
            last_operation: u64::MAX,
            is_full: false,
            before: Vec::new(),
        };
        Self {
            path: PathBuf::from(name),
            state: Arc::new(Mutex::new(state)),
            power: Arc::default(),
            ends: Arc::default(),
        }
    }

    /// A process starts that uses the disk.
    pub(crate) fn boot(&self) -> Boot {
        let boot = {
            let mut power = self.power.lock();
            assert!(!power.is_on, "one process at a time");
            power.boot += 1;
            power.is_on = true;
            power.boot
        };
        self.state.lock().last_operation = u64::MAX;
        let platter = self.clone();
        Boot { platter, boot }
    }

    pub(crate) fn end(&self, end: End) {
        self.state.lock().end(end);
        self.power.lock().is_on = false;
        self.ends.notify_waiters();
    }

    /// How the last process ended, once one did.
    pub(crate) fn last_end(&self) -> Option<End> {
        self.state.lock().last_end
    }

    /// The power goes during the `count`th operation from now, the next one being the first.
    pub(crate) fn end_after(&self, count: u64) {
        let mut state = self.state.lock();
        state.last_operation = state.operations + count;
    }

    pub(crate) fn fill_up(&self) {
        self.state.lock().is_full = true;
    }

    pub(crate) fn make_room(&self) {
        self.state.lock().is_full = false;
    }
}

impl State {
    fn end(&mut self, end: End) {
        self.last_end = Some(end);
        // The system may have written the note by itself.
        if end == End::PowerCut && self.rng.below(2) == 0 {
            self.note.seen.clone_from(&self.note.kept);
        } else {
            self.note.kept.clone_from(&self.note.seen);
        }
        for image in [&mut self.file, &mut self.draft].into_iter().flatten() {
            match end {
                // The system's cache outlives a process.
                End::Kill => {}
                End::PowerCut => image.cut(&mut self.rng),
            }
        }
        if self.habit == Habit::Relapses && !self.before.is_empty() {
            let back = self.rng.below(self.before.len() as u64) as usize;
            let kept = self.before[back].clone();
            self.file = Some(Image {
                seen: kept.clone(),
                kept,
                pending: Vec::new(),
            });
        }
    }
}

impl Image {
    fn step(&mut self, step: Step) {
        step.apply(&mut self.seen);
        self.pending.push(step);
    }

    fn sync(&mut self) {
        for step in self.pending.drain(..) {
            step.apply(&mut self.kept);
        }
    }

    fn cut(&mut self, rng: &mut Rng) {
        let mood = rng.below(4);
        for step in self.pending.drain(..) {
            match (mood, step) {
                (0, _) => {}
                (1, step) => step.apply(&mut self.kept),
                (_, step) => {
                    for part in step.sectors() {
                        if rng.below(2) == 0 {
                            part.apply(&mut self.kept);
                        }
                    }
                }
            }
        }
        self.seen.clone_from(&self.kept);
    }
}

impl Step {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
        }
    }

    fn sectors(self) -> Vec<Self> {
        match self {
            Self::Length(_) => vec![self],
            Self::Write(offset, data) => {
                let sectors = data.chunks(SECTOR_BYTES).enumerate();
                sectors
                    .map(|(at, data)| Self::Write(offset + at * SECTOR_BYTES, data.to_vec()))
                    .collect()
            }
        }
    }
}

/// The disk as one process sees it.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    platter: Platter,
    boot: u64,
}

impl Boot {
    /// Whether the process still runs.
    pub(crate) fn is_on(&self) -> bool {
        let power = self.platter.power.lock();
        power.is_on && power.boot == self.boot
    }

    /// Until the process does not run any more.
    pub(crate) async fn ended(&self) {
        loop {
            let next = self.platter.ends.notified();
            if !self.is_on() {
                return;
            }
            next.await;
        }
    }

    fn state<R>(&self, work: impl FnOnce(&mut State) -> io::Result<R>) -> io::Result<R> {
        if !self.is_on() {
            return Err(io::Error::other("the power is off"));
        }
        work(&mut self.platter.state.lock())
    }

    /// Something that changes the disk: the power may go in the middle of it.
    fn operate(&self, which: Which, work: impl FnOnce(&mut State, &mut Image)) -> io::Result<()> {
        self.state(|state| state.image(which).as_ref().map(drop).ok_or_else(gone))?;
        self.count(|state| {
            if let Some(mut image) = state.image(which).take() {
                work(state, &mut image);
                *state.image(which) = Some(image);
            }
        })
    }

    fn count(&self, work: impl FnOnce(&mut State)) -> io::Result<()> {
        let has_ended = self.state(|state| {
            state.operations += 1;
            work(state);
            Ok(state.operations >= state.last_operation)
        })?;
        if has_ended {
            self.platter.end(End::PowerCut);
            return Err(io::Error::other("the power went"));
        }
        Ok(())
    }

    fn open(&self, which: Which) -> Result<Database, DatabaseError> {
        Database::builder().create_with_backend(Handle {
            boot: self.clone(),
            which,
        })
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl State {
    const fn image(&mut self, which: Which) -> &mut Option<Image> {
        match which {
            Which::File => &mut self.file,
            Which::Draft => &mut self.draft,
        }
    }
}

impl Disk for Boot {
    fn path(&self) -> &Path {
        &self.platter.path
    }

    fn bytes(&self) -> io::Result<Option<Vec<u8>>> {
        self.state(|state| Ok(state.file.as_ref().map(|image| image.seen.clone())))
    }

    fn open(&self) -> Result<Database, DatabaseError> {
        self.open(Which::File)
    }

    fn draft(&self) -> Result<Database, DatabaseError> {
        self.state(|state| {
            state.draft = Some(Image::default());
            Ok(())
        })
        .map_err(|error| DatabaseError::Storage(error.into()))?;
        self.open(Which::Draft)
    }

    fn publish(&self) -> io::Result<()> {
        self.state(|state| {
            state.file = Some(state.draft.take().ok_or_else(gone)?);
            Ok(())
        })
    }

    fn note(&self, bytes: &[u8]) -> io::Result<()> {
        let bytes = bytes.to_owned();
        self.count(|state| state.note.seen = Some(bytes))
    }

    fn noted(&self) -> io::Result<Option<Vec<u8>>> {
        self.state(|state| Ok(state.note.seen.clone()))
    }

    fn sync_note(&self) -> io::Result<()> {
        self.count(|state| state.note.kept.clone_from(&state.note.seen))
    }

    fn work(&self) -> Work {
        Work::Here
    }
}

#[derive(Clone, Copy, Debug)]
enum Which {
    File,
    Draft,
}

#[derive(Debug)]
struct Handle {
    boot: Boot,
    which: Which,
}

impl Handle {
    fn look<R>(&self, look: impl FnOnce(&Image) -> io::Result<R>) -> io::Result<R> {
        self.boot
            .state(|state| look(state.image(self.which).as_ref().ok_or_else(gone)?))
    }

    fn room_for(&self, end: usize) -> io::Result<()> {
        self.boot.state(|state| {
            let length = state
                .image(self.which)
                .as_ref()
                .map_or(0, |image| image.seen.len());
            if state.is_full && end > length {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        })
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.look(|image| Ok(image.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.look(|image| {
            let start = offset as usize;
            let found = image.seen.get(start..start + out.len());
            out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.room_for(length as usize)?;
        self.boot.operate(self.which, |_, image| {
            image.step(Step::Length(length as usize));
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.boot.operate(self.which, |state, image| {
            // The power may go before anything of it is kept.
            let goes_first = state.operations >= state.last_operation && state.rng.below(2) == 0;
            match state.habit {
                Habit::SaysSo => {}
                Habit::Honest | Habit::Relapses if goes_first => {}
                Habit::Honest => image.sync(),
                Habit::Relapses => {
                    image.sync();
                    if state.operations % 16 == 0 {
                        state.before.push(image.kept.clone());
                    }
                }
            }
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = offset as usize;
        self.room_for(offset + data.len())?;
        self.boot.operate(self.which, |_, image| {
            image.step(Step::Write(offset, data.to_vec()));
        })
    }
}
