//! The key that heartbeats are signed with.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use auscult_core::wire::heartbeat::{MAC_BYTES, Mac};
use ring::hmac;

/// Bytes in a key at least: fewer can be guessed.
const KEY_BYTES_MIN: usize = 16;

/// Bytes in a key file at most.
const KEY_BYTES_MAX: usize = 4_096;

/// A key for HMAC-SHA256.
#[derive(Clone)]
pub struct Key(hmac::Key);

/// Why a key cannot be used. State: nothing was changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key has too few or too many bytes.
    Length {
        /// How many it has.
        bytes: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "the key file {} cannot be read", path.display()),
            Self::Length { bytes } => write!(
                f,
                "the key has {bytes} bytes, it needs {KEY_BYTES_MIN} to {KEY_BYTES_MAX}; \
                 `openssl rand -hex 32` makes a good one"
            ),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            Self::Length { .. } => None,
        }
    }
}

impl Key {
    /// Takes a key.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len()) {
            return Err(KeyError::Length { bytes: bytes.len() });
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// Reads a key from a file: all its bytes, without line ends after them.
    ///
    /// # Errors
    /// When it cannot be read, or is no key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let bytes = fs::read(path).map_err(|source| KeyError::File {
            path: path.to_owned(),
            source,
        })?;
        let end = bytes
            .iter()
            .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
            .map_or(0, |last| last + 1);
        Self::new(&bytes[..end])
    }

    /// The code of some bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; MAC_BYTES] {
        let mut code = [0; MAC_BYTES];
        code.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        code
    }

    /// Whether a code is right; takes the same time wherever it is wrong.
    #[must_use]
    pub fn verify(&self, mac: &Mac<'_>) -> bool {
        hmac::verify(&self.0, mac.over, &mac.code).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_core::wire::heartbeat;

    /// The signed vectors of `api/wire.md`.
    #[test]
    fn golden_codes() {
        let key = Key::new(b"0123456789abcdef").unwrap();
        let line =
            b"web seq=17 mac=590b9c18193a6ed3f1c07691322067bd8eb07b5f3aea8b08f2b92ccd5863d409";
        let mut bytes = b"\xacH\x01\x0f\x03web\x04beat\xac\x02\xe8\x07".to_vec();
        let code = "87de83c25a3efad782f0c92aded581b07d9e3798d3781cf0c34887345e36915f";
        bytes.extend(
            (0..code.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&code[at..at + 2], 16).unwrap()),
        );
        for datagram in [&line[..], &bytes] {
            let received = heartbeat::decode(datagram).next().unwrap().unwrap();
            let mac = received.mac.unwrap();
            assert_eq!(key.sign(mac.over), mac.code);
            assert!(key.verify(&mac));
            let mut wrong = mac;
            wrong.code[31] ^= 1;
            assert!(!key.verify(&wrong));
        }
    }

    #[test]
    fn a_key_file_may_end_with_a_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let plain = Key::new(b"0123456789abcdef").unwrap();
        fs::write(&path, "0123456789abcdef\r\n").unwrap();
        let read = Key::from_file(&path).unwrap();
        assert_eq!(read.sign(b"x"), plain.sign(b"x"));
        fs::write(&path, "short\n").unwrap();
        let error = Key::from_file(&path).unwrap_err();
        assert!(matches!(error, KeyError::Length { bytes: 5 }));
        assert!(Key::from_file(folder.path()).is_err());
    }
}
