//! The keys of a cluster as a value: the first one seals, every one opens.

use std::fmt;
use std::path::{Path, PathBuf};

use ring::hkdf;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Keys in a ring: a rotation needs two, and a few more leave room for one that went wrong.
pub const KEYS_MAX: usize = 8;

/// What a key is called where it must not be shown: four bytes that are derived from it one way,
/// written as eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// What stands for it in datagrams: its first half. Keys of one ring differ in it.
    pub(crate) const fn short(self) -> [u8; 2] {
        [self.0[0], self.0[1]]
    }

    /// Reads eight hexadecimal digits.
    ///
    /// # Errors
    /// They are not. State: nothing was changed.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut id = [0; 4];
        match hex(text.as_bytes(), &mut id) {
            Some(()) => Ok(Self(id)),
            None => Err(KeyError::Id),
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret of [`KEY_BYTES`] bytes that all members share. Its bytes are wiped from memory when it
/// is dropped, and are never shown.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

impl Key {
    /// The key with these bytes.
    #[must_use]
    pub fn new(secret: [u8; KEY_BYTES]) -> Self {
        let secret = Zeroizing::new(secret);
        let mut id = [0; 4];
        expand(&extract(&*secret), &[b"id"], &mut id);
        Self {
            id: KeyId(id),
            secret,
        }
    }

    /// A new key that nobody knows.
    ///
    /// # Errors
    /// The system gave no random bytes. State: nothing was changed.
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        match SystemRandom::new().fill(&mut *secret) {
            Ok(()) => Ok(Self::new(*secret)),
            Err(ring::error::Unspecified) => Err(KeyError::NoEntropy),
        }
    }

    /// Reads a key: 64 hexadecimal digits, or 44 characters of base64 (the last one may be
    /// missing).
    ///
    /// # Errors
    /// It is neither. State: nothing was changed.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim().as_bytes();
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        let read = match text.len() {
            64 => hex(text, &mut *secret),
            43 | 44 => base64(text, &mut secret),
            _ => None,
        };
        match read {
            Some(()) => Ok(Self::new(*secret)),
            None => Err(KeyError::Form),
        }
    }

    /// What the key is called.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The key as 44 characters of base64: for the key file and for whoever made it, nobody else.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(44));
        for three in self.secret.chunks(3) {
            let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for digit in 0..4 {
                let known = digit <= three.len();
                let value = (bits >> (18 - 6 * digit) & 63) as usize;
                text.push(if known { ALPHABET[value] as char } else { '=' });
            }
        }
        text
    }

    /// What everything else is derived from.
    pub(crate) fn derive(&self) -> Derive {
        Derive(extract(&*self.secret))
    }

    pub(crate) fn secret(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Derives keys from a [`Key`], each for one purpose.
pub(crate) struct Derive(hkdf::Prk);

impl Derive {
    /// The bytes for the purpose that `info` names, its parts one after the other.
    pub(crate) fn bytes(&self, info: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        expand(&self.0, info, &mut *derived);
        derived
    }
}

fn extract(secret: &[u8]) -> hkdf::Prk {
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"auscult 1").extract(secret)
}

struct Bytes(usize);

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// Fills `out`, of at most 255 times 32 bytes, from a pseudo-random key.
pub(crate) fn expand(from: &hkdf::Prk, info: &[&[u8]], out: &mut [u8]) {
    from.expand(info, Bytes(out.len()))
        .and_then(|derived| derived.fill(out))
        .expect("some dozen bytes are within what HKDF gives");
}

/// The keys of a cluster: the first one, the *primary*, seals what is sent, and every one opens
/// what is received.
///
/// Invariant: 1 to [`KEYS_MAX`] keys, and no two with the same short id.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<Key>,
    file: Option<PathBuf>,
    plain: Plain,
}

/// What becomes of what is not sealed, where there are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// It is refused.
    Refused,
    /// It is taken, and written to members that have not shown yet that they can seal. For the time
    /// in which a cluster gets its first key: whoever reaches the port can forge what plain members
    /// say.
    Accepted,
}

/// What a change of a ring did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is so now.
    Done,
    /// It was so already. State: unchanged.
    Already,
}

/// Why a ring was not changed. State: unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingRefusal {
    /// It has [`KEYS_MAX`] keys.
    Full,
    /// A key in the ring has the same short id.
    Twin,
    /// There is no such key.
    Unknown,
    /// The key is the primary one.
    Primary,
}

impl RingRefusal {
    /// The stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Twin => "twin",
            Self::Unknown => "unknown",
            Self::Primary => "primary",
        }
    }
}

impl fmt::Display for RingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "the ring has {KEYS_MAX} keys already: remove one first"),
            Self::Twin => write!(
                f,
                "another key in the ring has an id that begins alike: generate another key"
            ),
            Self::Unknown => write!(f, "the ring has no such key"),
            Self::Primary => write!(f, "the key is in use: use another one first"),
        }
    }
}

impl KeyRing {
    /// A ring with one key, that is kept in no file.
    #[must_use]
    pub fn new(primary: Key) -> Self {
        Self {
            keys: vec![primary],
            file: None,
            plain: Plain::Refused,
        }
    }

    /// The same ring, with changes written to this file.
    #[must_use]
    pub fn kept_in(mut self, file: &Path) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// The same ring, where what is not sealed fares so. Default: it is refused.
    #[must_use]
    pub const fn with_plain(mut self, plain: Plain) -> Self {
        self.plain = plain;
        self
    }

    /// The keys, the primary one first.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What the primary key is called.
    #[must_use]
    pub fn primary(&self) -> KeyId {
        self.keys[0].id
    }

    /// What the keys are called, the primary one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(Key::id)
    }

    /// Where changes are written.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What becomes of what is not sealed.
    #[must_use]
    pub const fn plain(&self) -> Plain {
        self.plain
    }

    /// Adds a key that opens, as the last one.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn install(&mut self, key: Key) -> Result<Changed, RingRefusal> {
        match self
            .keys
            .iter()
            .find(|had| had.id.short() == key.id.short())
        {
            // Secrets of the same key; the time it takes tells nothing that is not known.
            Some(had) if had.secret == key.secret => Ok(Changed::Already),
            Some(_) => Err(RingRefusal::Twin),
            None if self.keys.len() >= KEYS_MAX => Err(RingRefusal::Full),
            None => {
                self.keys.push(key);
                Ok(Changed::Done)
            }
        }
    }

    /// Makes a key the primary one.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn promote(&mut self, id: KeyId) -> Result<Changed, RingRefusal> {
        match self.position(id)? {
            0 => Ok(Changed::Already),
            at => {
                self.keys[..=at].rotate_right(1);
                Ok(Changed::Done)
            }
        }
    }

    /// Takes a key out, so that it opens nothing any more. One that is not there is out already.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn remove(&mut self, id: KeyId) -> Result<Changed, RingRefusal> {
        match self.position(id) {
            Ok(0) => Err(RingRefusal::Primary),
            Ok(at) => {
                self.keys.remove(at);
                Ok(Changed::Done)
            }
            Err(_) => Ok(Changed::Already),
        }
    }

    fn position(&self, id: KeyId) -> Result<usize, RingRefusal> {
        let at = self.keys.iter().position(|key| key.id == id);
        at.ok_or(RingRefusal::Unknown)
    }
}

/// Why text is no key, or there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// It is neither 64 hexadecimal digits nor 44 characters of base64.
    Form,
    /// It is no id of a key.
    Id,
    /// The system gave no random bytes.
    NoEntropy,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => write!(
                f,
                "a key is {KEY_BYTES} bytes, as 64 hexadecimal digits or 44 characters of base64"
            ),
            Self::Id => write!(f, "the id of a key is eight hexadecimal digits"),
            Self::NoEntropy => write!(f, "the system gives no random bytes"),
        }
    }
}

impl std::error::Error for KeyError {}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn hex(text: &[u8], out: &mut [u8]) -> Option<()> {
    if text.len() != 2 * out.len() {
        return None;
    }
    for (two, byte) in text.chunks_exact(2).zip(out) {
        let digit = |at: usize| (two[at] as char).to_digit(16);
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Some(())
}

/// 32 bytes from 43 digits, and one sign that pads them or none; both alphabets of RFC 4648.
fn base64(text: &[u8], out: &mut [u8; KEY_BYTES]) -> Option<()> {
    let digits = text.strip_suffix(b"=").unwrap_or(text);
    if digits.len() != 43 {
        return None;
    }
    let (mut bits, mut held, mut at) = (0_u32, 0, 0);
    for &digit in digits {
        let value = match digit {
            b'-' => 62,
            b'_' => 63,
            _ => ALPHABET.iter().position(|&one| one == digit)?,
        };
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out[at] = (bits >> held) as u8;
            at += 1;
        }
    }
    // What is left over says nothing, so there is one form only.
    (bits & 0b11 == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::new([byte; KEY_BYTES])
    }

    #[test]
    fn keys_are_read_in_both_forms() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let read = Key::parse(hex).expect("64 digits");
        assert_eq!(read.secret()[31], 31);
        assert_eq!(read.to_base64().as_str(), base64);
        for same in [base64, &base64[..43], &format!(" {base64}\n")] {
            assert_eq!(Key::parse(same).expect("base64").id(), read.id());
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = "0".repeat(66);
        for bad in [
            "",
            "secret",
            &long[..63],
            &long,
            &"=".repeat(44),
            &"g".repeat(64),
        ] {
            assert_eq!(Key::parse(bad).err(), Some(KeyError::Form), "{bad:?}");
        }
        // A last digit with bits that stand for nothing.
        assert!(Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=").is_err());
    }

    #[test]
    fn neither_a_key_nor_a_ring_shows_its_secret() {
        let ring = KeyRing::new(key(0xAB));
        let shown = format!("{ring:?} {:?}", ring.keys()[0]);
        assert!(shown.contains(&ring.primary().to_string()), "{shown}");
        for secret in ["171", "abab", "q6ur"] {
            assert!(!shown.to_lowercase().contains(secret), "{shown}");
        }
    }

    #[test]
    fn a_key_is_installed_used_and_removed() {
        let (old, new) = (key(1), key(2));
        let mut ring = KeyRing::new(old.clone());
        assert_eq!(ring.promote(new.id()), Err(RingRefusal::Unknown));
        assert_eq!(ring.install(new.clone()), Ok(Changed::Done));
        assert_eq!(ring.install(new.clone()), Ok(Changed::Already));
        assert_eq!(ring.primary(), old.id(), "it opens, and does not seal yet");
        assert_eq!(ring.remove(old.id()), Err(RingRefusal::Primary));
        assert_eq!(ring.promote(new.id()), Ok(Changed::Done));
        assert_eq!(ring.promote(new.id()), Ok(Changed::Already));
        assert_eq!(ring.ids().collect::<Vec<_>>(), [new.id(), old.id()]);
        assert_eq!(ring.remove(old.id()), Ok(Changed::Done));
        assert_eq!(ring.remove(old.id()), Ok(Changed::Already));
    }

    #[test]
    fn a_ring_is_bounded() {
        let mut ring = KeyRing::new(key(0));
        for byte in 1..KEYS_MAX as u8 {
            assert_eq!(ring.install(key(byte)), Ok(Changed::Done));
        }
        assert_eq!(ring.install(key(99)), Err(RingRefusal::Full));
        assert_eq!(ring.install(key(3)), Ok(Changed::Already));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(secret in any::<[u8; KEY_BYTES]>()) {
            let text = Key::new(secret).to_base64();
            prop_assert_eq!(text.len(), 44);
            let read = Key::parse(&text).expect("what was written");
            prop_assert_eq!(read.secret(), &secret);
        }
    }
}
