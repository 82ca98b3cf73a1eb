//! The key file: one key a line, the first one is the primary.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::whole_file::{self, Readers};

use super::ring::{Changed, Key, KeyError, KeyRing, RingRefusal};

/// Bytes of a key file that are read: every key that fits, with room for comments.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why a key file gives no ring. State: unchanged.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read.
    Io(PathBuf, io::Error),
    /// It is longer than any key file.
    TooLong(PathBuf),
    /// It has no key.
    Empty(PathBuf),
    /// A line is no key.
    Line(PathBuf, usize, KeyError),
    /// A line has a key that does not go with the others.
    Ring(PathBuf, usize, RingRefusal),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::TooLong(path) => write!(
                f,
                "{} has more than {FILE_BYTES_MAX} bytes: is it a key file?",
                path.display()
            ),
            Self::Empty(path) => write!(
                f,
                "{} has no key; 'auscult keys generate' makes one",
                path.display()
            ),
            Self::Line(path, line, error) => write!(f, "{}:{line}: {error}", path.display()),
            Self::Ring(path, line, refusal) => write!(f, "{}:{line}: {refusal}", path.display()),
        }
    }
}

impl std::error::Error for KeyFileError {}

impl KeyRing {
    /// Reads a key file: one key a line as [`Key::parse`] takes them, the first one is the primary.
    /// Empty lines and what follows a `#` say nothing. Changes of the ring are written to it. Warns
    /// in the log when others than its owner and group can read it.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let failed = |error| KeyFileError::Io(path.into(), error);
        let file = File::open(path).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        if facts.len() > FILE_BYTES_MAX {
            return Err(KeyFileError::TooLong(path.into()));
        }
        if is_readable_by_all(&facts) {
            tracing::warn!(
                file = %path.display(),
                "everybody on this machine can read the key file: chmod 600"
            );
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let text = Zeroizing::new(text);
        Ok(Self::parse(&text, path)?.kept_in(path))
    }

    /// Reads the text of a key file; `path` is for messages.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn parse(text: &str, path: &Path) -> Result<Self, KeyFileError> {
        let mut ring: Option<Self> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let failed = |error| KeyFileError::Line(path.into(), number, error);
            let key = Key::parse(line).map_err(failed)?;
            match &mut ring {
                None => ring = Some(Self::new(key)),
                Some(ring) => match ring.install(key) {
                    Ok(Changed::Done | Changed::Already) => {}
                    Err(refusal) => return Err(KeyFileError::Ring(path.into(), number, refusal)),
                },
            }
        }
        ring.ok_or_else(|| KeyFileError::Empty(path.into()))
    }

    /// Writes the key file anew, if the ring is kept in one: a reader finds the old one or the new
    /// one whole, whatever happens. Comments are not kept. Only its owner can read a new file;
    /// one that was there keeps its permissions.
    ///
    /// # Errors
    /// Why not. State: the file is as it was.
    pub fn save(&self) -> io::Result<()> {
        let Some(path) = self.file() else {
            return Ok(());
        };
        let mut text = Zeroizing::new(String::from(
            "# Keys of an auscult cluster: the first one seals, all of them open.\n\
             # The agent writes this file when keys are installed, used and removed.\n",
        ));
        for key in self.keys() {
            text.push_str(&key.to_base64());
            text.push_str(&format!("  # {}\n", key.id()));
        }
        whole_file::replace(path, text.as_bytes(), Readers::Owner)
    }
}

#[cfg(unix)]
fn is_readable_by_all(facts: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o004 != 0
}

#[cfg(not(unix))]
const fn is_readable_by_all(_facts: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KEY_BYTES, KEYS_MAX};

    fn key(byte: u8) -> Key {
        Key::new([byte; KEY_BYTES])
    }

    fn parse(text: &str) -> Result<KeyRing, String> {
        KeyRing::parse(text, Path::new("key")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_ring_is_written_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cluster.key");
        let mut ring = KeyRing::new(key(1)).kept_in(&path);
        ring.install(key(2)).expect("there is room");
        ring.save().expect("it is written");
        ring.promote(key(2).id()).expect("it is there");
        ring.save().expect("it is written again");
        let read = KeyRing::load(&path).expect("it can be read");
        assert_eq!(read.ids().collect::<Vec<_>>(), [key(2).id(), key(1).id()]);
        assert_eq!(read.file(), Some(path.as_path()));
        let names: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(names.len(), 1, "nothing else is left: {names:?}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it_and_permissions_are_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cluster.key");
        let ring = KeyRing::new(key(1)).kept_in(&path);
        let mode = || {
            fs::metadata(&path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        ring.save().expect("it is written");
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it can be set");
        ring.save().expect("it is written");
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn a_file_that_cannot_be_written_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("no such folder").join("cluster.key");
        assert!(KeyRing::new(key(1)).kept_in(&path).save().is_err());
        let path = folder.path().join("a folder");
        fs::create_dir(&path).expect("a folder");
        assert!(KeyRing::new(key(1)).kept_in(&path).save().is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn comments_and_empty_lines_say_nothing() {
        let (one, two) = (key(1).to_base64(), key(2).to_base64());
        let text = format!("# ours\n\n  {}  # since May\r\n{}\n{}\n", *one, *two, *one);
        let ring = parse(&text).expect("a ring");
        assert_eq!(ring.ids().collect::<Vec<_>>(), [key(1).id(), key(2).id()]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_without_the_key() {
        let one = key(1).to_base64();
        let error = parse(&format!("{}\nsecret", *one)).expect_err("no key");
        assert!(error.starts_with("key:2: a key is 32 bytes"), "{error}");
        assert!(!error.contains("secret"));
        assert!(
            parse("# nothing\n")
                .expect_err("no key")
                .contains("has no key")
        );
        let many = (0..=KEYS_MAX as u8).map(|byte| key(byte).to_base64().to_string() + "\n");
        let error = parse(&many.collect::<String>()).expect_err("too many");
        assert!(error.starts_with("key:9: the ring has 8 keys"), "{error}");
    }
}
