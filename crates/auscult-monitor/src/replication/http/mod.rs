//! Requests between monitors over HTTP/1.1: one route, on the address of `--raft-bind`.
//!
//! A body is the length of a JSON text (four bytes, the highest first), that text, and whatever
//! bytes are too many for JSON: those of a snapshot. Both ends know the largest body, so nobody
//! fills another one's memory.

mod client;
mod server;

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use client::HttpNetwork;
pub use server::{Calls, routes};

use super::rpc::{Ask, Request};

/// The route. Its version is that of the messages.
pub const PATH: &str = "/group/v1/ask";

/// The largest body: the largest change, of 200,000 settings, with room to spare.
const BODY_BYTES_MAX: usize = 512 << 20;

/// From here on a body is read and written on a thread of its own.
const LARGE_BYTES: usize = 64 << 10;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NoMessage(String);

fn encode<T: Serialize>(message: &T, tail: &[u8]) -> Result<Bytes, NoMessage> {
    let mut bytes = vec![0; 4];
    let written = serde_json::to_writer(&mut bytes, message);
    written.map_err(|error| NoMessage(error.to_string()))?;
    let length = u32::try_from(bytes.len() - 4);
    let length = length.map_err(|_| NoMessage("it is too long".to_owned()))?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(tail);
    Ok(bytes.into())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), NoMessage> {
    let short = || NoMessage("it ends too early".to_owned());
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (head, tail) = rest.split_at_checked(length).ok_or_else(short)?;
    let message = serde_json::from_slice(head).map_err(|error| NoMessage(error.to_string()))?;
    Ok((message, tail))
}

fn encode_request(mut request: Request) -> Result<Bytes, NoMessage> {
    let mut tail = Vec::new();
    if let Ask::Snapshot(piece) = &mut request.ask {
        tail = std::mem::take(&mut piece.data);
    }
    encode(&request, &tail)
}

fn decode_request(bytes: &[u8]) -> Result<Request, NoMessage> {
    let (mut request, tail): (Request, _) = decode(bytes)?;
    if let Ask::Snapshot(piece) = &mut request.ask {
        piece.data = tail.to_vec();
    }
    Ok(request)
}

/// Does work that may take long where it holds up no event loop.
async fn apart<R: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, NoMessage> {
    if bytes < LARGE_BYTES {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| NoMessage("the process ends".to_owned()))
}

/// How long a connection may take to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
