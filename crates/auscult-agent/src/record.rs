//! What a member keeps on disk over restarts: its incarnation, so that a restart contradicts at
//! once what was said of the run before, and where others were, so that it finds them again.
//!
//! A small text file, replaced as a whole. Its last line is a digest of the lines before it. What
//! is no such file is never overwritten.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auscult_core::bounds::MEMBERS_MAX;
use auscult_core::swim::{Incarnation, Label, MemberId, MemberName};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::members::Members;
use crate::whole_file::{self, Readers};

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: MemberName,
    pub(crate) label: Label,
    /// The last one that the member had.
    pub(crate) incarnation: Incarnation,
    /// Other members that were alive, and where.
    pub(crate) others: Vec<(MemberName, SocketAddr)>,
}

/// Why a snapshot cannot be used. State: the file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordError {
    /// It cannot be read, or nothing can be written there.
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is some other file.
    Foreign(PathBuf),
    /// A later version of this program wrote it.
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version of its form.
        version: u64,
    },
    /// Something is missing or was changed: a torn write, a damaged disk, an editor.
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The first line that is wrong, from 1.
        line: usize,
    },
    /// It is the snapshot of another member.
    Name {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        name: MemberName,
    },
    /// It was written in another cluster.
    Label {
        /// Which file.
        path: PathBuf,
        /// In which.
        label: Label,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "cannot use the snapshot {}", path.display()),
            Self::Foreign(path) => {
                write!(f, "{} is no snapshot of a member", path.display())
            }
            Self::Newer { path, version } => write!(
                f,
                "the snapshot {} has version {version}, this program knows version {VERSION}",
                path.display()
            ),
            Self::Damaged { path, line } => write!(
                f,
                "the snapshot {} is damaged at line {line}; remove it to begin anew",
                path.display()
            ),
            Self::Name { path, name } => write!(
                f,
                "the snapshot {} is that of member {name}",
                path.display()
            ),
            Self::Label { path, label } => write!(
                f,
                "the snapshot {} is of the cluster {label:?}",
                path.display()
            ),
        }
    }
}

impl std::error::Error for RecordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Foreign(_)
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Name { .. }
            | Self::Label { .. } => None,
        }
    }
}

impl Record {
    /// Reads the file; `None` when there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, RecordError> {
        let failed = |source| RecordError::Io {
            path: path.into(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        let mut limited = file.take(FILE_BYTES_MAX + 1);
        limited.read_to_end(&mut bytes).map_err(failed)?;
        let foreign = || RecordError::Foreign(path.into());
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(foreign());
        }
        let text = String::from_utf8(bytes).map_err(|_| foreign())?;
        let version = text.strip_prefix(HEAD).ok_or_else(foreign)?;
        let version = version.lines().next().and_then(|text| text.parse().ok());
        match version {
            Some(VERSION) => {}
            Some(version) => {
                let path = path.into();
                return Err(RecordError::Newer { path, version });
            }
            None => return Err(foreign()),
        }
        let damaged = |line| RecordError::Damaged {
            path: path.into(),
            line,
        };
        Self::parse(&text).map(Some).map_err(damaged)
    }

    /// Reads the text; the error is the first line that is wrong.
    fn parse(text: &str) -> Result<Self, usize> {
        let end = text.lines().count();
        let summed = text.trim_end_matches('\n');
        let (before, sum) = summed.rsplit_once('\n').ok_or(end)?;
        if sum != sum_line(&format!("{before}\n")) || !text.ends_with('\n') {
            return Err(end);
        }
        let mut lines = before.lines().zip(1..).skip(1);
        let mut field = |key: &str| {
            let (line, at) = lines.next().ok_or(end)?;
            let value = line.strip_prefix(key).and_then(|it| it.strip_prefix(' '));
            Ok::<_, usize>((value.ok_or(at)?, at))
        };
        let (name, at) = field("name")?;
        let name = MemberName::new(name).map_err(|_| at)?;
        let (label, at) = field("label")?;
        let label = Label::new(label).map_err(|_| at)?;
        let (incarnation, at) = field("incarnation")?;
        let incarnation = incarnation.parse().ok().and_then(Incarnation::new);
        let incarnation = incarnation.ok_or(at)?;
        let others = lines
            .map(|(line, at)| parse_other(line).ok_or(at))
            .collect::<Result<_, usize>>()?;
        Ok(Self {
            name,
            label,
            incarnation,
            others,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{HEAD}{VERSION}\nname {}\nlabel {}\nincarnation {}\n",
            self.name.as_str(),
            self.label.as_str(),
            self.incarnation.number()
        );
        for (name, address) in &self.others {
            text.push_str(&format!("member {name} {address}\n"));
        }
        let sum = sum_line(&text);
        text.push_str(&sum);
        text.push('\n');
        text
    }
}

fn parse_other(line: &str) -> Option<(MemberName, SocketAddr)> {
    let (name, address) = line.strip_prefix("member ")?.split_once(' ')?;
    Some((MemberName::new(name).ok()?, address.parse().ok()?))
}

/// The digest that stands for names in messages, over all that precedes.
fn sum_line(text: &str) -> String {
    format!("sum {:?}", MemberId::of(text))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    whole_file::replace(path, text.as_bytes(), Readers::Usual)
}

/// Keeps the file up to date, in a task of its own: a slow disk holds up nobody.
#[derive(Debug)]
pub(crate) struct Recorder {
    incarnation: Incarnation,
    latest: watch::Sender<(Incarnation, Arc<Members>)>,
    task: JoinHandle<()>,
    errors: Arc<AtomicU64>,
}

/// What the file was when the agent started, and where it is.
#[derive(Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    record: Record,
    text: String,
}

impl Opened {
    /// Reads the file, and writes the incarnation of this run into it before anybody hears of it:
    /// one that is greater than whatever an earlier run said of itself. That run may have
    /// contradicted a few times more than it found time to write, and `now`, the seconds since
    /// 1970, is ahead of it even where its disk was full, unless the clock was set back.
    pub(crate) fn open(
        path: &Path,
        name: &MemberName,
        label: &Label,
        now: Incarnation,
    ) -> Result<Self, RecordError> {
        let path = path.to_owned();
        let record = match Record::read(&path)? {
            None => Record {
                name: name.clone(),
                label: label.clone(),
                incarnation: now,
                others: Vec::new(),
            },
            Some(record) if record.name != *name => {
                let name = record.name;
                return Err(RecordError::Name { path, name });
            }
            Some(record) if record.label != *label => {
                let label = record.label;
                return Err(RecordError::Label { path, label });
            }
            Some(mut record) => {
                record.incarnation = after_unwritten(record.incarnation).max(now);
                record
            }
        };
        let text = record.text();
        match write(&path, &text) {
            Ok(()) => {}
            // It may have room later.
            Err(error) if is_full(&error) => {
                tracing::warn!(path = %path.display(), "no room for the snapshot: {error}");
            }
            Err(source) => return Err(RecordError::Io { path, source }),
        }
        Ok(Self { path, record, text })
    }

    /// The incarnation of this run.
    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.record.incarnation
    }

    /// Where others were in the run before.
    pub(crate) fn others(&self) -> impl Iterator<Item = SocketAddr> {
        self.record.others.iter().map(|(_, address)| *address)
    }

    /// Keeps the file up to date from now on.
    pub(crate) fn keep(self, members: Arc<Members>) -> Recorder {
        let incarnation = self.record.incarnation;
        let (latest, receiver) = watch::channel((incarnation, members));
        let errors = Arc::default();
        let task = tokio::spawn(keep(self, receiver, Arc::clone(&errors)));
        Recorder {
            incarnation,
            latest,
            task,
            errors,
        }
    }
}

/// The first incarnation that the run which wrote `kept` cannot have had.
fn after_unwritten(kept: Incarnation) -> Incarnation {
    let next = kept.number() + UNWRITTEN_MAX + 1;
    // Nobody gets there by contradicting; the last one of all is the best that is left.
    Incarnation::new(next).unwrap_or(kept.next())
}

fn is_full(error: &io::Error) -> bool {
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&error.kind())
}

impl Recorder {
    /// The member has another incarnation.
    pub(crate) fn persist(&mut self, incarnation: Incarnation) {
        self.incarnation = incarnation;
        self.latest.send_modify(|latest| latest.0 = incarnation);
    }

    /// The members have changed.
    pub(crate) fn note(&self, members: &Arc<Members>) {
        let latest = (self.incarnation, Arc::clone(members));
        self.latest.send_replace(latest);
    }

    /// Times at which the file could not be written.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Writes what is not yet written, and ends.
    pub(crate) async fn close(self) {
        drop(self.latest);
        let _given_up = timeout(CLOSE_TIME, self.task).await;
    }
}

async fn keep(
    opened: Opened,
    mut latest: watch::Receiver<(Incarnation, Arc<Members>)>,
    errors: Arc<AtomicU64>,
) {
    let Opened {
        path,
        mut record,
        mut text,
    } = opened;
    let mut failing = false;
    loop {
        // Also the end of the driver is a moment to write.
        let _change_or_end = latest.changed().await;
        // Asked first: nothing newer than what is read next can come after the end.
        let open = latest.has_changed().is_ok();
        let (incarnation, members) = latest.borrow_and_update().clone();
        record.incarnation = incarnation;
        record.others = others(&members);
        drop(members);
        let new = record.text();
        if new != text {
            failing = match write_aside(&path, &new).await {
                Ok(()) => {
                    text = new;
                    false
                }
                Err(error) => {
                    errors.fetch_add(1, Ordering::Relaxed);
                    if !failing {
                        let path = path.display();
                        tracing::warn!(%path, "cannot write the snapshot: {error}");
                    }
                    true
                }
            };
        }
        if !open {
            return;
        }
        let mut again = failing;
        let end = async {
            while latest.changed().await.is_ok() {
                again = true;
            }
        };
        let pause = if failing { RETRY_PAUSE } else { WRITE_PAUSE };
        let _paused = timeout(pause, end).await;
        if again {
            latest.mark_changed();
        }
    }
}

async fn write_aside(path: &Path, text: &str) -> io::Result<()> {
    let (path, text) = (path.to_owned(), text.to_owned());
    let written = spawn_blocking(move || write(&path, &text)).await;
    written.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn others(members: &Members) -> Vec<(MemberName, SocketAddr)> {
    let others = members.members.iter();
    others
        .filter(|member| !member.is_me && member.state.is_live())
        .map(|member| (member.name.clone(), member.address))
        .take(OTHERS_MAX)
        .collect()
}

const HEAD: &str = "auscult member ";
const VERSION: u64 = 1;
/// More than anybody needs to find the rest of a cluster again.
const OTHERS_MAX: usize = 256;
const FILE_BYTES_MAX: u64 = 1 << 20;
/// A cluster in turmoil does not wear out the disk.
const WRITE_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_secs(10);
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// Contradictions of a run that its end may have kept from the disk. A member that is accused
/// contradicts once for each suspicion, and a suspicion takes seconds; between two writes lies
/// [`WRITE_PAUSE`].
const UNWRITTEN_MAX: u64 = 63;

const _: () = assert!(OTHERS_MAX <= MEMBERS_MAX && OTHERS_MAX * 256 < FILE_BYTES_MAX as usize);

#[cfg(test)]
mod tests {
    use std::fs;

    use auscult_core::bounds::INCARNATION_MAX;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("member");
        assert_eq!(Record::read(&path).unwrap(), None);
        let record = record();
        write(&path, &record.text()).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Some(record));
    }

    #[test]
    fn no_cut_and_no_flipped_bit_passes_as_a_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("member");
        let text = record().text();
        for length in 0..text.len() {
            fs::write(&path, &text[..length]).unwrap();
            assert!(Record::read(&path).is_err(), "cut at {length}");
        }
        for at in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            assert!(Record::read(&path).is_err(), "bit {at}");
        }
    }

    #[test]
    fn what_is_not_ours_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("member");
        let text = record().text();
        let newer = text.replace("member 1\n", "member 2\n");
        for (content, expected) in [
            ("", "is no snapshot of a member"),
            ("hello\n", "is no snapshot of a member"),
            (&*newer, "has version 2, this program knows version 1"),
            (&text[..text.len() - 5], "is damaged at line 6"),
        ] {
            fs::write(&path, content).unwrap();
            let error = open(&path, "web-1", "test").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        fs::write(&path, &text).unwrap();
        let error = open(&path, "web-9", "test").unwrap_err().to_string();
        assert!(error.ends_with("is that of member web-1"), "{error}");
        let error = open(&path, "web-1", "prod").unwrap_err().to_string();
        assert!(error.ends_with("is of the cluster \"test\""), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn each_start_has_a_greater_incarnation_and_says_so_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("member");
        let incarnations: Vec<_> = (0..3)
            .map(|_| open(&path, "web-1", "test").unwrap())
            .map(|opened| opened.incarnation().number())
            .collect();
        assert_eq!(incarnations, [1_000, 1_064, 1_128]);
        assert!(open(&folder.path().join("none/member"), "web-1", "test").is_err());

        // Also where the run before could write nothing: time has passed.
        let later = Incarnation::new(2_000).unwrap();
        let (name, label) = (
            MemberName::new("web-1").unwrap(),
            Label::new("test").unwrap(),
        );
        let opened = Opened::open(&path, &name, &label, later).unwrap();
        assert_eq!(opened.incarnation(), later);
        assert_eq!(Record::read(&path).unwrap().unwrap().incarnation, later);
    }

    #[test]
    fn the_last_incarnations_do_not_overflow() {
        let last = Incarnation::new(INCARNATION_MAX).unwrap();
        let before = Incarnation::new(INCARNATION_MAX - 1).unwrap();
        assert_eq!(after_unwritten(last), last);
        assert_eq!(after_unwritten(before), last);
    }

    fn open(path: &Path, name: &str, label: &str) -> Result<Opened, RecordError> {
        let (name, label) = (MemberName::new(name).unwrap(), Label::new(label).unwrap());
        Opened::open(path, &name, &label, Incarnation::new(1_000).unwrap())
    }

    /// The writer pauses when it hears of the last change.
    #[tokio::test]
    async fn the_end_is_written_without_a_pause() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("member");
        let Record {
            name,
            label,
            incarnation,
            ..
        } = record();
        let opened = Opened::open(&path, &name, &label, incarnation).unwrap();
        let mut recorder = opened.keep(Arc::new(Members::none()));
        let kept = || Record::read(&path).unwrap().unwrap().incarnation;
        let mut last = incarnation;
        for _change in 0..3 {
            last = last.next();
            recorder.persist(last);
            tokio::task::yield_now().await;
        }
        recorder.close().await;
        assert_eq!(kept(), last);
    }

    fn record() -> Record {
        Record {
            name: MemberName::new("web-1").unwrap(),
            label: Label::new("test").unwrap(),
            incarnation: Incarnation::new(1_763_726_400).unwrap(),
            others: vec![(
                MemberName::new("web-2").unwrap(),
                ([127, 0, 0, 1], 7946).into(),
            )],
        }
    }
}
