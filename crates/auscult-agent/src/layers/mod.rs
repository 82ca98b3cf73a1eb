//! What lies between the codec's bytes and the network: for now nothing.

use std::net::SocketAddr;

use auscult_core::swim::Label;

use crate::keys::KeyRing;

/// The layers of one agent.
#[derive(Clone, Debug)]
pub struct Layers(());

/// The layers of one stream.
#[derive(Debug)]
pub struct StreamLayers(());

/// Which end of a stream an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It opened the stream, and asks.
    Asks,
    /// It accepted the stream, and answers.
    Answers,
}

/// Why what came from the network was not taken. State: unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerReject {
    /// Fewer bytes than the layers add.
    Short,
}

impl LayerReject {
    /// Every reason.
    pub const ALL: [Self; 1] = [Self::Short];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
        }
    }
}

impl Layers {
    /// The layers of a member of the cluster with this label.
    #[must_use]
    pub const fn new(_label: &Label, keys: Option<&KeyRing>) -> Self {
        match keys {
            None => Self(()),
            Some(ring) => match *ring {},
        }
    }

    /// Bytes that the layers add to a datagram.
    #[must_use]
    pub const fn datagram_overhead(&self) -> usize {
        0
    }

    /// Appends to `out` what goes into a datagram.
    pub fn wrap(&mut self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(body);
    }

    /// The codec's bytes in a datagram.
    ///
    /// # Errors
    /// Why it is not taken. State: unchanged.
    pub const fn unwrap<'a>(
        &mut self,
        _from: SocketAddr,
        bytes: &'a mut [u8],
    ) -> Result<&'a [u8], LayerReject> {
        if bytes.is_empty() {
            return Err(LayerReject::Short);
        }
        Ok(bytes)
    }

    /// The layers of a new stream.
    #[must_use]
    pub const fn stream(&self, _side: Side) -> StreamLayers {
        StreamLayers(())
    }
}

impl StreamLayers {
    /// Bytes that the layers add to a frame, at most.
    #[must_use]
    pub const fn frame_overhead(&self) -> usize {
        0
    }

    /// Appends to `out` what goes into a frame.
    pub fn wrap_frame(&mut self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(body);
    }

    /// The codec's bytes in a frame.
    ///
    /// # Errors
    /// Why it is not taken. State: unchanged.
    pub const fn unwrap_frame<'a>(&mut self, bytes: &'a mut [u8]) -> Result<&'a [u8], LayerReject> {
        if bytes.is_empty() {
            return Err(LayerReject::Short);
        }
        Ok(bytes)
    }
}
