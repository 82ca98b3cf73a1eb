//! What a sealed datagram looks like, and the ciphers that seal and open one.
//!
//! ChaCha20-Poly1305 [RFC 8439]: as fast as needed on every processor, in constant time without
//! help of the hardware, and without tables per key. Its nonce of 96 bits is the *prefix* of the
//! sending process, 64 random bits, and the number of the datagram in that process, 32 bits. A key
//! of the ring is used for nothing directly: each purpose has its own, derived with HKDF-SHA256.

use std::fmt;

use auscult_core::swim::Label;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::LayerReject;
use crate::keys::{Key, KeyId};

/// Bytes of the proof that a datagram was sealed by someone who has the key.
pub(crate) const TAG_BYTES: usize = 16;

/// Names a process among all that ever used a key, by chance alone: after 92,000 starts of members
/// under one key, two had the same one with a probability of 2^-32.
pub(crate) type Prefix = [u8; 8];

/// What a member wants to find in everything that a peer seals for it: fresh random bytes.
pub(crate) type Token = [u8; 8];

/// The ciphers that are derived from one key.
pub(crate) struct Ciphers {
    id: KeyId,
    /// Of data and of a last greeting. The label takes part in its derivation, and so is bound to
    /// every datagram.
    data: LessSafeKey,
    /// Of greetings, which say the label: a member of another cluster with the same key is to be
    /// told by its label.
    greeting: LessSafeKey,
    /// What the keys of a stream are derived from; the label takes part.
    stream: Zeroizing<[u8; 32]>,
}

impl Ciphers {
    pub(crate) fn new(key: &Key, label: &Label) -> Self {
        let derive = key.derive();
        let label = label.as_str().as_bytes();
        Self {
            id: key.id(),
            data: cipher(&derive.bytes(&[b"datagram ", label])),
            greeting: cipher(&derive.bytes(&[b"greeting"])),
            stream: derive.bytes(&[b"stream ", label]),
        }
    }

    pub(crate) const fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn stream_secret(&self) -> &[u8; 32] {
        &self.stream
    }

    const fn of(&self, purpose: Purpose) -> &LessSafeKey {
        match purpose {
            Purpose::Data => &self.data,
            Purpose::Greeting => &self.greeting,
        }
    }

    /// Seals what stands in `out` from `from` on, and appends the tag.
    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        nonce: Nonce96,
        bound: &[u8],
        out: &mut Vec<u8>,
        from: usize,
    ) {
        let nonce = Nonce::assume_unique_for_key(nonce.0);
        let tag = self
            .of(purpose)
            .seal_in_place_separate_tag(nonce, Aad::from(bound), &mut out[from..])
            .expect("a datagram is shorter than what a cipher takes");
        out.extend_from_slice(tag.as_ref());
    }

    /// Opens `sealed` in place, and leaves out the tag.
    pub(crate) fn open<'a>(
        &self,
        purpose: Purpose,
        nonce: Nonce96,
        bound: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], LayerReject> {
        let nonce = Nonce::assume_unique_for_key(nonce.0);
        self.of(purpose)
            .open_in_place(nonce, Aad::from(bound), sealed)
            .map_err(|_unspecified| LayerReject::Seal)
    }
}

impl fmt::Debug for Ciphers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ciphers({})", self.id)
    }
}

/// What a cipher is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Data,
    Greeting,
}

/// A nonce: the prefix of the sender, and the number of the datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nonce96([u8; 12]);

impl Nonce96 {
    pub(crate) fn new(prefix: Prefix, counter: u32) -> Self {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&prefix);
        nonce[8..].copy_from_slice(&counter.to_le_bytes());
        Self(nonce)
    }
}

pub(crate) fn cipher(key: &[u8; 32]) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key is as long as it must be");
    LessSafeKey::new(key)
}
