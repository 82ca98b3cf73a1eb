//! What lies between the codec's bytes and the network: a checksum, or a seal.
//!
//! # What a seal promises
//! A datagram that is taken was sealed by a process that has a key of the ring and the label, that
//! is (or was, a moment ago) at the address it came from, and it was sealed for this process, after
//! this process started; its bytes are what that process wrote; and it is taken once. A restart of
//! either side voids everything that was recorded before.
//!
//! # What it does not
//! Whoever has the key can speak for any member: the key proves membership, not a name. Datagrams
//! can be held back and delivered later, once, while fewer than
//! [`WINDOW_COUNTERS`] numbers of that sender
//! passed. How long messages are, how many, and between whom, is not hidden, nor is a recording
//! safe from who learns the key later. A copy of a running process (a virtual machine put back to
//! a snapshot) repeats its nonces: start the agent anew after that.

mod channel;
mod checksum;
pub mod entropy;
pub(crate) mod seal;
mod sealed;
pub(crate) mod stream;
mod window;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use auscult_core::swim::Label;
use auscult_core::time::Instant;

use crate::keys::{KeyRing, SharedRing};
use checksum::crc32c;
use entropy::{Entropy, NoEntropy, SystemEntropy};
pub(crate) use sealed::only_sealed;
use sealed::{KINDS, OVERHEAD_MAX, Sealer};
pub use window::WINDOW_COUNTERS;

/// The layers of the datagrams of one agent.
pub struct Layers {
    /// None: nothing is sealed.
    sealer: Option<Box<Sealer>>,
}

/// Why what came from the network was not taken. State: unchanged, but for what is asked of the
/// sender in return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerReject {
    /// Fewer bytes than the layers add, or a greeting of another length.
    Short,
    /// A plain datagram whose checksum is wrong: damaged, or from something else.
    Checksum,
    /// A plain datagram where only sealed ones are taken.
    Plain,
    /// A sealed datagram where there is no key.
    Sealed,
    /// Sealed with a key that the ring does not have.
    UnknownKey,
    /// Altered, sealed for another process, with another label, or with another key whose id begins
    /// alike.
    Seal,
    /// From an address with which there is no channel: this process or that one has just started.
    NoChannel,
    /// Taken before, too old to tell, or recorded before this process or the channel began.
    Replay,
    /// A member of a cluster that has the same key and another label.
    Label,
}

impl LayerReject {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Short,
        Self::Checksum,
        Self::Plain,
        Self::Sealed,
        Self::UnknownKey,
        Self::Seal,
        Self::NoChannel,
        Self::Replay,
        Self::Label,
    ];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Checksum => "checksum",
            Self::Plain => "plain",
            Self::Sealed => "sealed",
            Self::UnknownKey => "unknown_key",
            Self::Seal => "seal",
            Self::NoChannel => "no_channel",
            Self::Replay => "replay",
            Self::Label => "label",
        }
    }

    /// What an operator should know, for those that are the operators' doing.
    pub(crate) const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Plain => Some(
                "something that is not sealed comes in: a member without a key file? Give it one, \
                 or accept plain messages for as long as the cluster gets its first key",
            ),
            Self::Sealed => Some(
                "something that is sealed comes in, and this member has no key file: give it the \
                 one of another member",
            ),
            Self::UnknownKey => Some(
                "something comes in that is sealed with a key which is not in the ring: a member \
                 that was away while keys changed? Give it the key file of another member",
            ),
            Self::Label => Some("a member of a cluster with the same key and another label calls"),
            Self::Short | Self::Checksum | Self::Seal | Self::NoChannel | Self::Replay => None,
        }
    }
}

impl Layers {
    /// A checksum, and no seal.
    #[must_use]
    pub const fn plain() -> Self {
        Self { sealer: None }
    }

    /// A seal with these keys, or none without.
    ///
    /// # Errors
    /// The system gave no random bytes. State: nothing was changed.
    pub(crate) fn of(label: &Label, keys: Option<KeyRing>) -> Result<Self, NoEntropy> {
        let Some(keys) = keys else {
            return Ok(Self::plain());
        };
        let ring = Arc::new(SharedRing::new(label.clone(), keys));
        Self::sealed(ring, Box::new(SystemEntropy::new()))
    }

    /// A seal with the keys of this ring, which may change meanwhile.
    ///
    /// # Errors
    /// The system gave no random bytes. State: nothing was changed.
    pub fn sealed(ring: Arc<SharedRing>, entropy: Box<dyn Entropy>) -> Result<Self, NoEntropy> {
        let sealer = Sealer::new(ring, entropy)?;
        Ok(Self {
            sealer: Some(Box::new(sealer)),
        })
    }

    /// The ring that seals, if there is one.
    pub(crate) fn ring(&self) -> Option<&Arc<SharedRing>> {
        self.sealer.as_deref().map(Sealer::ring)
    }

    /// The most bytes that the layers add to a datagram. (On a channel they add 18 to a message of
    /// the cluster, or a checksum of 4.)
    #[must_use]
    pub const fn datagram_overhead(&self) -> usize {
        match self.sealer {
            Some(_) => OVERHEAD_MAX,
            None => CHECKSUM_BYTES,
        }
    }

    /// Writes into `out`, in place of what it held, the datagram that is to be sent to `to` now.
    /// With a seal and no channel yet, that is a greeting, and the body waits up to two seconds for
    /// its answer (in its place waits the next body for the same address, if there is one). It can
    /// be empty: then nothing is to be sent.
    pub fn wrap(&mut self, now: Instant, to: SocketAddr, body: &[u8], out: &mut Vec<u8>) {
        out.clear();
        match &mut self.sealer {
            Some(sealer) if sealer.is_established(to) || only_sealed(sealer.ring()) => {
                sealer.wrap(now, to, body, out);
            }
            Some(_) | None => {
                out.extend_from_slice(body);
                out.extend_from_slice(&crc32c(body).to_le_bytes());
            }
        }
    }

    /// The codec's bytes in a datagram; none, when it was a part of a greeting. `reply` then holds,
    /// in place of what it held, what is to be sent back to `from` now; it can be empty, and it
    /// can be something when the datagram is rejected.
    ///
    /// # Errors
    /// Why it is not taken. State: unchanged, but for the question that is asked in `reply`.
    pub fn unwrap<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &'a mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, LayerReject> {
        reply.clear();
        let is_sealed = bytes.first().is_some_and(|kind| KINDS.contains(kind));
        match &mut self.sealer {
            Some(sealer) if is_sealed => sealer.unwrap(now, from, bytes, reply),
            None if is_sealed => Err(LayerReject::Sealed),
            None => open_plain(bytes).map(Some),
            Some(sealer) => {
                let body = open_plain(bytes)?;
                sealer.on_plain(now, from, reply);
                if only_sealed(sealer.ring()) {
                    return Err(LayerReject::Plain);
                }
                Ok(Some(body))
            }
        }
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sealer {
            Some(sealer) => write!(f, "Layers({:?})", sealer.ring()),
            None => write!(f, "Layers(plain)"),
        }
    }
}

fn open_plain(bytes: &[u8]) -> Result<&[u8], LayerReject> {
    let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(LayerReject::Short);
    };
    if body.is_empty() {
        return Err(LayerReject::Short);
    }
    if crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(LayerReject::Checksum);
    }
    Ok(body)
}

const CHECKSUM_BYTES: usize = 4;

#[cfg(test)]
mod tests;
