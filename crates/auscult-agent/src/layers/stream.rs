//! Sealed streams: how one begins, and its records.
//!
//! The side that opened the stream says which key it seals with, and 16 random bytes; the other
//! side answers with 16 of its own. Both go into the keys of the stream, one for each direction, so
//! nothing that was recorded on another stream opens on this one. A message is cut into records
//! of at most [`RECORD_BODY_MAX`] bytes. The number of a record in its direction is its nonce, and
//! its header is bound to it, which says whether the message ends with it: records cannot be
//! left out, repeated, swapped or turned round, and a message cannot be cut short. Nobody without
//! the key can make us keep more than one record.

use ring::aead::{Aad, LessSafeKey, Nonce};
use ring::hkdf;
use zeroize::Zeroizing;

use super::LayerReject;
use super::seal::{Ciphers, TAG_BYTES, cipher};
use crate::keys::{KeyId, expand};

/// What a sealed stream begins with. As the length of a plain message it is beyond every bound.
pub(crate) const MARKER: [u8; 4] = [0xBF, b'A', b'U', b'S'];

/// Random bytes of one side.
pub(crate) type Share = [u8; 16];

/// Bytes of the opening side's beginning: the marker, the key, the share.
pub(crate) const HELLO_BYTES: usize = 4 + 4 + 16;

/// What the other side answers, before its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Welcome,
    /// There is no key here.
    Plain,
    /// The key is not known here.
    UnknownKey,
}

impl Reply {
    const ALL: [Self; 3] = [Self::Welcome, Self::Plain, Self::UnknownKey];

    pub(crate) const fn byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn read(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reply| reply.byte() == byte)
    }
}

/// Which end of a stream an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It opened the stream, and asks.
    Asks,
    /// It accepted the stream, and answers.
    Answers,
}

/// The beginning of a stream of ours.
pub(crate) fn hello(key: KeyId, share: &Share) -> [u8; HELLO_BYTES] {
    let mut hello = [0; HELLO_BYTES];
    hello[..4].copy_from_slice(&MARKER);
    hello[4..8].copy_from_slice(&key.0);
    hello[8..].copy_from_slice(share);
    hello
}

/// The rest of somebody's beginning, after the marker.
pub(crate) fn read_hello(rest: &[u8; HELLO_BYTES - 4]) -> (KeyId, Share) {
    let (mut key, mut share) = ([0; 4], Share::default());
    key.copy_from_slice(&rest[..4]);
    share.copy_from_slice(&rest[4..]);
    (KeyId(key), share)
}

/// Bytes of a message in one record, at most.
pub(crate) const RECORD_BODY_MAX: usize = 16 * 1024;

/// Bytes before a record: its length with the tag, and in the highest bit whether the message ends
/// with it.
pub(crate) const RECORD_HEADER_BYTES: usize = 2;

const ENDS: u16 = 1 << 15;

const _: () = assert!(RECORD_BODY_MAX + TAG_BYTES < ENDS as usize);

/// Whether a message goes on after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Middle,
    End,
}

/// The ciphers of one stream.
pub(crate) struct Seals {
    write: Direction,
    read: Direction,
}

struct Direction {
    key: LessSafeKey,
    records: u64,
}

impl Seals {
    pub(crate) fn new(ciphers: &Ciphers, side: Side, asks: &Share, answers: &Share) -> Self {
        let mut shares = [0; 32];
        shares[..16].copy_from_slice(asks);
        shares[16..].copy_from_slice(answers);
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &shares);
        let derived = salt.extract(ciphers.stream_secret());
        let direction = |name: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            expand(&derived, &[name], &mut *key);
            Direction {
                key: cipher(&key),
                records: 0,
            }
        };
        let (asks, answers) = (direction(b"asks"), direction(b"answers"));
        match side {
            Side::Asks => Self {
                write: asks,
                read: answers,
            },
            Side::Answers => Self {
                write: answers,
                read: asks,
            },
        }
    }

    /// Appends a message as records.
    pub(crate) fn seal(&mut self, message: &[u8], out: &mut Vec<u8>) {
        out.reserve(message.len() + (message.len() / RECORD_BODY_MAX + 1) * 18);
        let mut rest = message;
        loop {
            let (body, after) = rest.split_at(rest.len().min(RECORD_BODY_MAX));
            rest = after;
            let ends = if rest.is_empty() { ENDS } else { 0 };
            let header = (body.len() + TAG_BYTES) as u16 | ends;
            let header = header.to_le_bytes();
            out.extend_from_slice(&header);
            let begin = out.len();
            out.extend_from_slice(body);
            let nonce = self.write.nonce();
            let tag = self.write.key.seal_in_place_separate_tag(
                nonce,
                Aad::from(header),
                &mut out[begin..],
            );
            let tag = tag.expect("a record is shorter than what a cipher takes");
            out.extend_from_slice(tag.as_ref());
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Opens a record in place.
    pub(crate) fn open<'a>(
        &mut self,
        header: [u8; RECORD_HEADER_BYTES],
        sealed: &'a mut [u8],
    ) -> Result<&'a [u8], LayerReject> {
        let nonce = self.read.nonce();
        let opened = self
            .read
            .key
            .open_in_place(nonce, Aad::from(header), sealed);
        match opened {
            Ok(body) => Ok(body),
            Err(_unspecified) => Err(LayerReject::Seal),
        }
    }
}

impl Direction {
    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.records.to_le_bytes());
        self.records += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// How many bytes follow a header, and where in the message they are.
pub(crate) fn record(header: [u8; RECORD_HEADER_BYTES]) -> Result<(usize, Place), LayerReject> {
    let header = u16::from_le_bytes(header);
    let place = match header & ENDS {
        0 => Place::Middle,
        _ => Place::End,
    };
    let length = usize::from(header & !ENDS);
    match length {
        0..TAG_BYTES => Err(LayerReject::Short),
        _ if length > RECORD_BODY_MAX + TAG_BYTES => Err(LayerReject::Short),
        _ => Ok((length, place)),
    }
}
