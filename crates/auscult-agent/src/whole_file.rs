//! Small files that are replaced as a whole: a reader finds the old one or the new one, whatever
//! happens in between.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Who can read a file that was not there before. One that was keeps its permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever reads other files of this process.
    Usual,
    /// Its owner alone: it has a secret.
    Owner,
}

/// Replaces the file at `path`, or makes it: written beside, synced, renamed. Two processes that
/// do so at once do not mix. Blocks as long as the disk does.
///
/// # Errors
/// Why not. State: the file is as it was, unless it is the folder that cannot be synced.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let beside = folder.join(name);
    let written = write(&beside, path, bytes, readers);
    if written.is_err() {
        // What is left is of no use; the error that counts is the first one.
        let _left_behind = fs::remove_file(&beside);
        return written;
    }
    // The name, too, must survive a loss of power.
    File::open(folder)?.sync_all()
}

fn write(beside: &Path, path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    // Of an earlier process with this number, which had no time to remove it.
    let _none_there = fs::remove_file(beside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(beside)?;
    if let Ok(facts) = fs::metadata(path) {
        file.set_permissions(facts.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it");
        let beside = folder.path().join(format!("it.{}.new", std::process::id()));
        fs::write(&beside, "of a process that was killed").expect("it is written");
        for text in ["one", "another, longer one", "2"] {
            replace(&path, text.as_bytes(), Readers::Usual).expect("it is replaced");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn what_cannot_be_replaced_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it");
        fs::create_dir(&path).expect("a folder");
        assert!(replace(&path, b"text", Readers::Usual).is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
