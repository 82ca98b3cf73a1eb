//! The membership machine's messages as bytes: the native codec.
//!
//! Every message has exactly one form, so what is decoded encodes to the same bytes again. Whatever
//! arrives is either such a form, to the last byte, or [`Malformed`]. `api/wire.md` describes it.

mod reader;

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::bounds::{MEMBERSHIP_DATAGRAM_BYTES_MAX, MEMBERSHIP_FRAME_BYTES_MAX};
use crate::id::IdError;
use crate::swim::{
    Answer, Asker, Body, Broadcast, Delta, Hearsay, Item, Key, Label, MemberName, MetadataNews,
    MetadataTag, Packet, Record, Refusal, Request, Stamp, State, Update,
};
use reader::Reader;

/// The first byte of every message: the family and, in the low half, the version. It is a
/// continuation byte of UTF-8, so no text begins with it, and no heartbeat does.
pub const MAGIC: u8 = 0xB1;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// More bytes than [`MEMBERSHIP_DATAGRAM_BYTES_MAX`] or [`MEMBERSHIP_FRAME_BYTES_MAX`].
    TooLong,
    /// It does not begin with [`MAGIC`]: something else, or a later version.
    Magic,
    /// It ends in the middle of a field.
    Truncated,
    /// Bytes follow its end.
    Trailing,
    /// A kind, state, family or reason that there is not.
    Kind(u8),
    /// A number that does not fit 64 bits, or has superfluous bytes.
    Number,
    /// An incarnation above the greatest.
    Incarnation,
    /// Not UTF-8.
    Utf8,
    /// Not a name.
    Name,
    /// More items than a member can have.
    Count,
}

impl Malformed {
    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Magic => "magic",
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::Kind(_) => "kind",
            Self::Number => "number",
            Self::Incarnation => "incarnation",
            Self::Utf8 => "utf8",
            Self::Name => "name",
            Self::Count => "count",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the message is too long"),
            Self::Magic => write!(f, "the message does not begin with {MAGIC:#04x}"),
            Self::Truncated => write!(f, "the message ends in the middle of a field"),
            Self::Trailing => write!(f, "bytes follow the end of the message"),
            Self::Kind(kind) => write!(f, "{kind:#04x} stands for nothing here"),
            Self::Number => write!(f, "a number is too large or has superfluous bytes"),
            Self::Incarnation => write!(f, "an incarnation is too large"),
            Self::Utf8 => write!(f, "a name is not UTF-8"),
            Self::Name => write!(f, "a name has no, too many or the wrong characters"),
            Self::Count => write!(f, "there are more items than a member can have"),
        }
    }
}

impl core::error::Error for Malformed {}

impl From<IdError> for Malformed {
    fn from(_: IdError) -> Self {
        Self::Name
    }
}

/// Reads a datagram.
///
/// # Errors
/// Why the bytes are none. State: nothing is kept.
pub fn decode_packet(bytes: &[u8]) -> Result<Packet, Malformed> {
    let mut reader = Reader::new(bytes, MEMBERSHIP_DATAGRAM_BYTES_MAX)?;
    let label = reader.tag()?;
    let from = reader.member()?;
    let body = decode_body(&mut reader)?;
    let mut packet = Packet::bare(label, from, body);
    while let Some(kind) = reader.peek() {
        match kind {
            ALIVE..=LEFT if packet.metadata.is_empty() && packet.broadcasts.is_empty() => {
                packet.updates.push(decode_update(&mut reader)?);
            }
            METADATA_STAMP | METADATA_DELTA if packet.broadcasts.is_empty() => {
                packet.metadata.push(decode_metadata(&mut reader)?);
            }
            BROADCAST | BROADCAST_KEYED => packet.broadcasts.push(decode_broadcast(&mut reader)?),
            other => return Err(Malformed::Kind(other)),
        }
    }
    Ok(packet)
}

fn decode_body(reader: &mut Reader<'_>) -> Result<Body, Malformed> {
    let kind = reader.byte()?;
    Ok(match kind {
        GOSSIP => Body::Gossip,
        PING => Body::Ping {
            sequence: reader.sequence()?,
            round: reader.number()?,
        },
        ACK | ACK_UNKNOWN => Body::Ack {
            sequence: reader.sequence()?,
            view: reader.view()?,
            metadata: MetadataTag(reader.byte()?),
            asker: match kind {
                ACK => Asker::Known,
                _ => Asker::Unknown,
            },
        },
        ASK_PING => Body::AskPing {
            sequence: reader.sequence()?,
            target: reader.member()?,
        },
        RELAY_PING => Body::RelayPing {
            sequence: reader.sequence()?,
            origin: reader.member()?,
        },
        RELAY_ACK | RELAY_ACK_NOT_HEARD => Body::RelayAck {
            sequence: reader.sequence()?,
            origin: hearsay(kind == RELAY_ACK),
        },
        RELAYED | RELAYED_NOT_HEARD => Body::Relayed {
            sequence: reader.sequence()?,
            origin: hearsay(kind == RELAYED),
        },
        NACK => Body::Nack {
            sequence: reader.sequence()?,
        },
        REFUSED => Body::Refused(reader.refusal()?),
        HEARTBEAT => Body::Heartbeat {
            number: reader.number()?,
            pace: reader.pace()?,
        },
        WATCH => Body::Watch {
            sequence: reader.sequence()?,
            proof: reader.proof()?,
        },
        WATCHING => Body::Watching {
            sequence: reader.sequence()?,
            proof: reader.proof()?,
            pace: reader.pace()?,
        },
        other => return Err(Malformed::Kind(other)),
    })
}

const fn hearsay(heard: bool) -> Hearsay {
    if heard {
        Hearsay::Heard
    } else {
        Hearsay::NotHeard
    }
}

fn decode_update(reader: &mut Reader<'_>) -> Result<Update, Malformed> {
    Ok(match reader.byte()? {
        ALIVE => Update::Alive {
            name: MemberName::new(reader.text()?)?,
            address: reader.address()?,
            incarnation: reader.incarnation()?,
        },
        SUSPECT => Update::Suspect {
            member: reader.member()?,
            incarnation: reader.incarnation()?,
            by: reader.member()?,
        },
        DEAD => Update::Dead {
            member: reader.member()?,
            incarnation: reader.incarnation()?,
            by: reader.member()?,
        },
        LEFT => Update::Left {
            member: reader.member()?,
            incarnation: reader.incarnation()?,
        },
        other => return Err(Malformed::Kind(other)),
    })
}

fn decode_metadata(reader: &mut Reader<'_>) -> Result<MetadataNews, Malformed> {
    Ok(match reader.byte()? {
        METADATA_STAMP => MetadataNews::Stamp {
            member: reader.member()?,
            stamp: reader.stamp()?,
        },
        _ => MetadataNews::Delta(reader.delta()?),
    })
}

fn decode_broadcast(reader: &mut Reader<'_>) -> Result<Broadcast, Malformed> {
    let kind = reader.byte()?;
    Ok(Broadcast {
        origin: reader.member()?,
        epoch: reader.incarnation()?,
        number: reader.number()?,
        key: match kind {
            BROADCAST_KEYED => Some(Key::new(reader.text()?)?),
            _ => None,
        },
        payload: {
            let bytes = reader.number()?;
            reader.bytes(bytes)?.into()
        },
    })
}

/// Reads a request from a stream, without the length that precedes it.
///
/// # Errors
/// Why the bytes are none. State: nothing is kept.
pub fn decode_request(bytes: &[u8]) -> Result<Request, Malformed> {
    let mut reader = Reader::new(bytes, MEMBERSHIP_FRAME_BYTES_MAX)?;
    let kind = reader.byte()?;
    if !(REQUEST_PING..=REQUEST_METADATA).contains(&kind) {
        return Err(Malformed::Kind(kind));
    }
    let label = Label::new(reader.text()?)?;
    let request = match kind {
        REQUEST_PING => Request::Ping {
            label,
            from: reader.member()?,
        },
        REQUEST_SYNC => Request::Sync {
            label,
            from: reader.record()?.into(),
            round: reader.number()?,
            view: reader.digest()?,
            metadata: reader.digest()?,
        },
        REQUEST_PUSH => Request::Push {
            label,
            from: reader.member()?,
            records: reader.records()?,
        },
        _ => Request::Metadata {
            label,
            from: reader.member()?,
            wants: reader.wants()?,
        },
    };
    reader.end()?;
    Ok(request)
}

/// Reads an answer from a stream, without the length that precedes it.
///
/// # Errors
/// Why the bytes are none. State: nothing is kept.
pub fn decode_answer(bytes: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(bytes, MEMBERSHIP_FRAME_BYTES_MAX)?;
    let answer = match reader.byte()? {
        ANSWER_PONG => Answer::Pong {
            from: reader.member()?,
        },
        ANSWER_SAME => Answer::Same {
            from: reader.member()?,
            round: reader.number()?,
        },
        ANSWER_RECORDS => Answer::Records {
            from: reader.member()?,
            round: reader.number()?,
            records: reader.records()?,
        },
        ANSWER_TAKEN => Answer::Taken,
        ANSWER_METADATA => Answer::Metadata {
            from: reader.member()?,
            left: reader.number()?,
            deltas: reader.deltas()?,
        },
        ANSWER_REFUSED => Answer::Refused(reader.refusal()?),
        other => return Err(Malformed::Kind(other)),
    };
    reader.end()?;
    Ok(answer)
}

/// Appends a datagram to `out`. Flow labels and scopes of IPv6 addresses are not carried.
pub fn encode_packet(packet: &Packet, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&packet.label.0.to_le_bytes());
    out.extend_from_slice(&packet.from.to_bits().to_le_bytes());
    encode_body(packet.body, out);
    for update in &packet.updates {
        encode_update(update, out);
    }
    for news in &packet.metadata {
        match news {
            MetadataNews::Stamp { member, stamp } => {
                out.push(METADATA_STAMP);
                out.extend_from_slice(&member.to_bits().to_le_bytes());
                encode_stamp(*stamp, out);
            }
            MetadataNews::Delta(delta) => {
                out.push(METADATA_DELTA);
                encode_delta(delta, out);
            }
        }
    }
    for broadcast in &packet.broadcasts {
        encode_broadcast(broadcast, out);
    }
}

fn encode_body(body: Body, out: &mut Vec<u8>) {
    let (kind, sequence) = match body {
        Body::Gossip => return out.push(GOSSIP),
        Body::Refused(refusal) => return out.extend_from_slice(&[REFUSED, refusal_code(refusal)]),
        Body::Heartbeat { number, pace } => {
            out.push(HEARTBEAT);
            encode_number(number, out);
            return out.extend_from_slice(&pace.0.to_le_bytes());
        }
        Body::Ping { sequence, .. } => (PING, sequence),
        Body::Ack {
            sequence,
            asker: Asker::Known,
            ..
        } => (ACK, sequence),
        Body::Ack {
            sequence,
            asker: Asker::Unknown,
            ..
        } => (ACK_UNKNOWN, sequence),
        Body::AskPing { sequence, .. } => (ASK_PING, sequence),
        Body::RelayPing { sequence, .. } => (RELAY_PING, sequence),
        Body::RelayAck { sequence, origin } => match origin {
            Hearsay::Heard => (RELAY_ACK, sequence),
            Hearsay::NotHeard => (RELAY_ACK_NOT_HEARD, sequence),
        },
        Body::Relayed { sequence, origin } => match origin {
            Hearsay::Heard => (RELAYED, sequence),
            Hearsay::NotHeard => (RELAYED_NOT_HEARD, sequence),
        },
        Body::Nack { sequence } => (NACK, sequence),
        Body::Watch { sequence, .. } => (WATCH, sequence),
        Body::Watching { sequence, .. } => (WATCHING, sequence),
    };
    out.push(kind);
    out.extend_from_slice(&sequence.0.to_le_bytes());
    match body {
        Body::Ping { round, .. } => encode_number(round, out),
        Body::Ack { view, metadata, .. } => {
            out.extend_from_slice(&view.0.to_le_bytes());
            out.push(metadata.0);
        }
        Body::AskPing { target: member, .. } | Body::RelayPing { origin: member, .. } => {
            out.extend_from_slice(&member.to_bits().to_le_bytes());
        }
        Body::Watch { proof, .. } => out.extend_from_slice(&proof.0.to_le_bytes()),
        Body::Watching { proof, pace, .. } => {
            out.extend_from_slice(&proof.0.to_le_bytes());
            out.extend_from_slice(&pace.0.to_le_bytes());
        }
        Body::RelayAck { .. } | Body::Relayed { .. } | Body::Nack { .. } => {}
        Body::Gossip | Body::Refused(_) | Body::Heartbeat { .. } => {}
    }
}

fn encode_update(update: &Update, out: &mut Vec<u8>) {
    let claim = update.claim();
    let (kind, by) = match update {
        Update::Alive { name, address, .. } => {
            out.push(ALIVE);
            encode_text(name, out);
            encode_address(*address, out);
            return encode_number(claim.incarnation.number(), out);
        }
        Update::Suspect { by, .. } => (SUSPECT, Some(by)),
        Update::Dead { by, .. } => (DEAD, Some(by)),
        Update::Left { .. } => (LEFT, None),
    };
    out.push(kind);
    out.extend_from_slice(&update.member().to_bits().to_le_bytes());
    encode_number(claim.incarnation.number(), out);
    if let Some(by) = by {
        out.extend_from_slice(&by.to_bits().to_le_bytes());
    }
}

fn encode_broadcast(broadcast: &Broadcast, out: &mut Vec<u8>) {
    out.push(match broadcast.key {
        Some(_) => BROADCAST_KEYED,
        None => BROADCAST,
    });
    out.extend_from_slice(&broadcast.origin.to_bits().to_le_bytes());
    encode_number(broadcast.epoch.number(), out);
    encode_number(broadcast.number, out);
    if let Some(key) = &broadcast.key {
        encode_text(key.as_str(), out);
    }
    encode_number(broadcast.payload.len() as u64, out);
    out.extend_from_slice(&broadcast.payload);
}

fn encode_stamp(stamp: Stamp, out: &mut Vec<u8>) {
    encode_number(stamp.epoch.number(), out);
    encode_number(stamp.version, out);
}

fn encode_delta(delta: &Delta, out: &mut Vec<u8>) {
    out.extend_from_slice(&delta.member.to_bits().to_le_bytes());
    encode_stamp(delta.stamp, out);
    encode_number(delta.since, out);
    encode_number(delta.items.len() as u64, out);
    for Item {
        key,
        version,
        value,
    } in &delta.items
    {
        encode_text(key.as_str(), out);
        encode_number(*version, out);
        match value {
            None => encode_number(0, out),
            Some(value) => {
                encode_number(value.len() as u64 + 1, out);
                out.extend_from_slice(value);
            }
        }
    }
}

/// Appends a request to `out`, without the length that precedes it on a stream.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let kind = match request {
        Request::Ping { .. } => REQUEST_PING,
        Request::Sync { .. } => REQUEST_SYNC,
        Request::Push { .. } => REQUEST_PUSH,
        Request::Metadata { .. } => REQUEST_METADATA,
    };
    out.extend_from_slice(&[MAGIC, kind]);
    encode_text(request.label().as_str(), out);
    match request {
        Request::Ping { from, .. } => out.extend_from_slice(&from.to_bits().to_le_bytes()),
        Request::Sync {
            from,
            round,
            view,
            metadata,
            ..
        } => {
            encode_record(from, out);
            encode_number(*round, out);
            out.extend_from_slice(&view.to_le_bytes());
            out.extend_from_slice(&metadata.to_le_bytes());
        }
        Request::Metadata { from, wants, .. } => {
            out.extend_from_slice(&from.to_bits().to_le_bytes());
            encode_number(wants.len() as u64, out);
            for want in wants {
                out.extend_from_slice(&want.member.to_bits().to_le_bytes());
                encode_stamp(want.stamp, out);
            }
        }
        Request::Push { from, records, .. } => {
            out.extend_from_slice(&from.to_bits().to_le_bytes());
            encode_records(records, out);
        }
    }
}

/// Appends an answer to `out`, without the length that precedes it on a stream.
pub fn encode_answer(answer: &Answer, out: &mut Vec<u8>) {
    out.push(MAGIC);
    match answer {
        Answer::Pong { from } => {
            out.push(ANSWER_PONG);
            out.extend_from_slice(&from.to_bits().to_le_bytes());
        }
        Answer::Same { from, round } => {
            out.push(ANSWER_SAME);
            out.extend_from_slice(&from.to_bits().to_le_bytes());
            encode_number(*round, out);
        }
        Answer::Records {
            from,
            round,
            records,
        } => {
            out.push(ANSWER_RECORDS);
            out.extend_from_slice(&from.to_bits().to_le_bytes());
            encode_number(*round, out);
            encode_records(records, out);
        }
        Answer::Metadata { from, deltas, left } => {
            out.push(ANSWER_METADATA);
            out.extend_from_slice(&from.to_bits().to_le_bytes());
            encode_number(*left, out);
            encode_number(deltas.len() as u64, out);
            for delta in deltas {
                encode_delta(delta, out);
            }
        }
        Answer::Taken => out.push(ANSWER_TAKEN),
        Answer::Refused(refusal) => {
            out.extend_from_slice(&[ANSWER_REFUSED, refusal_code(*refusal)]);
        }
    }
}

fn encode_records(records: &[Record], out: &mut Vec<u8>) {
    encode_number(records.len() as u64, out);
    for record in records {
        encode_record(record, out);
    }
}

fn encode_record(record: &Record, out: &mut Vec<u8>) {
    encode_text(&record.name, out);
    encode_address(record.address, out);
    out.push(match record.claim.state {
        State::Alive => 0,
        State::Suspect => 1,
        State::Dead => 2,
        State::Left => 3,
    });
    let incarnation = record.claim.incarnation.number();
    encode_number(incarnation, out);
    encode_number(
        incarnation.saturating_sub(record.metadata.epoch.number()),
        out,
    );
    encode_number(record.metadata.version, out);
}

/// Expects a name that was checked, so at most 128 bytes.
fn encode_text(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

fn encode_address(address: SocketAddr, out: &mut Vec<u8>) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_le_bytes());
}

fn encode_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

const fn refusal_code(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Label => 0,
        Refusal::Name => 1,
        Refusal::Full => 2,
        Refusal::Leaving => 3,
        Refusal::Sealed => 4,
        Refusal::Plain => 5,
        Refusal::UnknownKey => 6,
    }
}

const GOSSIP: u8 = 0x00;
const PING: u8 = 0x01;
const ACK: u8 = 0x02;
const ACK_UNKNOWN: u8 = 0x03;
const ASK_PING: u8 = 0x04;
const RELAY_PING: u8 = 0x05;
const RELAY_ACK: u8 = 0x06;
const RELAY_ACK_NOT_HEARD: u8 = 0x07;
const RELAYED: u8 = 0x08;
const RELAYED_NOT_HEARD: u8 = 0x09;
const NACK: u8 = 0x0A;
const REFUSED: u8 = 0x0B;
const HEARTBEAT: u8 = 0x0C;
const WATCH: u8 = 0x0D;
const WATCHING: u8 = 0x0E;

const ALIVE: u8 = 0x10;
const SUSPECT: u8 = 0x11;
const DEAD: u8 = 0x12;
const LEFT: u8 = 0x13;

const METADATA_STAMP: u8 = 0x18;
const METADATA_DELTA: u8 = 0x19;
const BROADCAST: u8 = 0x1A;
const BROADCAST_KEYED: u8 = 0x1B;

const REQUEST_PING: u8 = 0x20;
const REQUEST_SYNC: u8 = 0x21;
const REQUEST_PUSH: u8 = 0x22;
const REQUEST_METADATA: u8 = 0x23;

const ANSWER_PONG: u8 = 0x30;
const ANSWER_SAME: u8 = 0x31;
const ANSWER_RECORDS: u8 = 0x32;
const ANSWER_TAKEN: u8 = 0x33;
const ANSWER_REFUSED: u8 = 0x34;
const ANSWER_METADATA: u8 = 0x35;

#[cfg(test)]
mod tests;
