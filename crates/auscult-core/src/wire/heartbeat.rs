//! The heartbeat datagram: a binary form for programs and a text form for a shell.
//!
//! The first byte tells them apart: the binary form begins with a byte that begins no UTF-8 text. A
//! binary datagram is one heartbeat, a text datagram one heartbeat a line. Both can carry a message
//! authentication code; this module says over which bytes, and leaves computing it to those who
//! have the key.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::bounds::{HEARTBEAT_DATAGRAM_BYTES_MAX, HEARTBEAT_LINES_MAX, ID_BYTES_MAX};
use crate::id::{IdError, check_name};

/// The first two bytes of the binary form. The first is a continuation byte of UTF-8, so no text
/// begins with it; the second is `H` for heartbeat.
pub const MAGIC: [u8; 2] = [0xAC, b'H'];

/// The version of the binary form that this code speaks.
pub const VERSION: u8 = 1;

/// Bytes in a message authentication code: HMAC-SHA256, not truncated.
pub const MAC_BYTES: usize = 32;

const FLAG_SIGNAL: u8 = 1;
const FLAG_SEQUENCE: u8 = 2;
const FLAG_INTERVAL: u8 = 4;
const FLAG_MAC: u8 = 8;
const FLAGS_KNOWN: u8 = FLAG_SIGNAL | FLAG_SEQUENCE | FLAG_INTERVAL | FLAG_MAC;

const _: () = assert!(ID_BYTES_MAX <= u8::MAX as usize);

/// "I am here."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat<'a> {
    /// The target's name: 1 to [`ID_BYTES_MAX`] bytes. Decoding proves the length and UTF-8;
    /// whether such a name can exist is for those who look it up.
    pub target: &'a str,
    /// The signal's name, same rules; `None` stands for the target's first signal.
    pub signal: Option<&'a str>,
    /// The sender's number of this heartbeat, larger than that of the one before.
    pub sequence: Option<u64>,
    /// When the sender means to send the next one: 1 ms to 2^32 - 1 ms (49 days), in whole
    /// milliseconds.
    pub interval_hint: Option<Duration>,
}

/// A heartbeat as it stood in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// What it says.
    pub heartbeat: Heartbeat<'a>,
    /// Its authentication code, not yet verified.
    pub mac: Option<Mac<'a>>,
}

/// A message authentication code, and what it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac<'a> {
    /// The bytes that it is computed over.
    pub over: &'a [u8],
    /// The code: HMAC-SHA256 of `over`.
    pub code: [u8; MAC_BYTES],
}

/// Why bytes are no heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There is nothing in it.
    Empty,
    /// More bytes than [`HEARTBEAT_DATAGRAM_BYTES_MAX`].
    TooLong,
    /// More lines than [`HEARTBEAT_LINES_MAX`].
    TooManyLines,
    /// The binary form of a later version.
    Version(u8),
    /// Flags that this version does not have.
    Flags(u8),
    /// It ends in the middle of a field.
    Truncated,
    /// Bytes follow its end.
    Trailing,
    /// Not UTF-8.
    Utf8,
    /// A name of no or more than [`ID_BYTES_MAX`] bytes.
    NameLength,
    /// A number that does not fit 64 bits, has superfluous bytes, or is none.
    Number,
    /// An interval of 0 or of more than 2^32 - 1 milliseconds, or one without a unit.
    Interval,
    /// A field that the text form does not have, or has already.
    Field,
    /// A code of other than 64 hexadecimal digits, or one that is not the last field.
    Code,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "more than {HEARTBEAT_DATAGRAM_BYTES_MAX} bytes"),
            Self::TooManyLines => write!(f, "more than {HEARTBEAT_LINES_MAX} lines"),
            Self::Version(version) => write!(f, "version {version}, known is {VERSION}"),
            Self::Flags(flags) => write!(f, "unknown flags {flags:#04x}"),
            Self::Truncated => f.write_str("it ends in the middle of a field"),
            Self::Trailing => f.write_str("bytes follow its end"),
            Self::Utf8 => f.write_str("not UTF-8"),
            Self::NameLength => write!(f, "a name has 1 to {ID_BYTES_MAX} bytes"),
            Self::Number => f.write_str("a number that is none, or not in its shortest form"),
            Self::Interval => f.write_str("an interval is 1ms to 49d, with its unit"),
            Self::Field => f.write_str("a field that is unknown, or there twice"),
            Self::Code => f.write_str("mac is 64 hexadecimal digits, and the last field"),
        }
    }
}

/// Why a heartbeat cannot be written. State: nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A name that cannot exist.
    Name(IdError),
    /// An interval of less than 1 ms, of more than 2^32 - 1 ms, or not of whole milliseconds.
    Interval,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Interval => f.write_str("an interval is 1 to 4294967295 whole milliseconds"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Reads a datagram: one item for each heartbeat in it, or for what should have been one. Bounded,
/// and never panics; nothing is copied.
#[must_use]
pub fn decode(datagram: &[u8]) -> Heartbeats<'_> {
    Heartbeats(if datagram.len() > HEARTBEAT_DATAGRAM_BYTES_MAX {
        Rest::One(Err(Malformed::TooLong))
    } else if datagram.first() == Some(&MAGIC[0]) {
        Rest::One(decode_binary(datagram))
    } else {
        Rest::text(datagram)
    })
}

/// The heartbeats of one datagram.
#[derive(Clone, Debug)]
pub struct Heartbeats<'a>(Rest<'a>);

#[derive(Clone, Debug)]
enum Rest<'a> {
    One(Result<Received<'a>, Malformed>),
    Lines { text: &'a str, taken: usize },
    Done,
}

impl<'a> Rest<'a> {
    fn text(datagram: &'a [u8]) -> Self {
        match core::str::from_utf8(datagram) {
            Ok(text) if text.bytes().all(is_blank) => Self::One(Err(Malformed::Empty)),
            Ok(text) => Self::Lines { text, taken: 0 },
            Err(_) => Self::One(Err(Malformed::Utf8)),
        }
    }
}

impl<'a> Iterator for Heartbeats<'a> {
    type Item = Result<Received<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match core::mem::replace(&mut self.0, Rest::Done) {
            Rest::Done => None,
            Rest::One(item) => Some(item),
            Rest::Lines { mut text, taken } => {
                while !text.is_empty() {
                    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
                    text = rest;
                    if line.bytes().all(is_blank) {
                        continue;
                    }
                    if taken == HEARTBEAT_LINES_MAX {
                        return Some(Err(Malformed::TooManyLines));
                    }
                    self.0 = Rest::Lines {
                        text,
                        taken: taken + 1,
                    };
                    return Some(decode_line(line));
                }
                None
            }
        }
    }
}

const fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

fn decode_binary(datagram: &[u8]) -> Result<Received<'_>, Malformed> {
    let mut reader = Reader { rest: datagram };
    if reader.byte()? != MAGIC[0] || reader.byte()? != MAGIC[1] {
        return Err(Malformed::Field);
    }
    let version = reader.byte()?;
    if version != VERSION {
        return Err(Malformed::Version(version));
    }
    let flags = reader.byte()?;
    if flags & !FLAGS_KNOWN != 0 {
        return Err(Malformed::Flags(flags));
    }
    let target = reader.name()?;
    let signal = (flags & FLAG_SIGNAL != 0)
        .then(|| reader.name())
        .transpose()?;
    let sequence = (flags & FLAG_SEQUENCE != 0)
        .then(|| reader.number())
        .transpose()?;
    let interval_hint = if flags & FLAG_INTERVAL == 0 {
        None
    } else {
        Some(interval_of_millis(reader.number()?)?)
    };
    let mac = if flags & FLAG_MAC == 0 {
        None
    } else {
        let over = &datagram[..datagram.len() - reader.rest.len()];
        let code = reader.code()?;
        Some(Mac { over, code })
    };
    if !reader.rest.is_empty() {
        return Err(Malformed::Trailing);
    }
    Ok(Received {
        heartbeat: Heartbeat {
            target,
            signal,
            sequence,
            interval_hint,
        },
        mac,
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    fn name(&mut self) -> Result<&'a str, Malformed> {
        let bytes = usize::from(self.byte()?);
        if bytes == 0 || bytes > ID_BYTES_MAX {
            return Err(Malformed::NameLength);
        }
        let (name, rest) = self
            .rest
            .split_at_checked(bytes)
            .ok_or(Malformed::Truncated)?;
        self.rest = rest;
        core::str::from_utf8(name).map_err(|_| Malformed::Utf8)
    }

    /// Seven bits a byte, the lowest first, the high bit set on all but the last; no superfluous
    /// byte.
    fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                return Err(Malformed::Number);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let superfluous = byte == 0 && shift > 0;
                return if superfluous {
                    Err(Malformed::Number)
                } else {
                    Ok(value)
                };
            }
        }
        Err(Malformed::Number)
    }

    fn code(&mut self) -> Result<[u8; MAC_BYTES], Malformed> {
        let (code, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*code)
    }
}

fn interval_of_millis(millis: u64) -> Result<Duration, Malformed> {
    if millis == 0 || millis > u64::from(u32::MAX) {
        return Err(Malformed::Interval);
    }
    Ok(Duration::from_millis(millis))
}

fn decode_line(line: &str) -> Result<Received<'_>, Malformed> {
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
    let (fields, mac) = match line.rfind("mac=") {
        Some(at) if at > 0 && is_blank(line.as_bytes()[at - 1]) => {
            let over = &line.as_bytes()[..at - 1];
            let code = hexadecimal(&line.as_bytes()[at + 4..])?;
            (&line[..at - 1], Some(Mac { over, code }))
        }
        _ => (line, None),
    };
    let mut words = fields.split_ascii_whitespace();
    let target = words.next().ok_or(Malformed::Empty)?;
    let mut heartbeat = Heartbeat {
        target: name(target)?,
        signal: None,
        sequence: None,
        interval_hint: None,
    };
    for word in words {
        let (key, value) = word.split_once('=').ok_or(Malformed::Field)?;
        let first_time = match key {
            "signal" => heartbeat.signal.replace(name(value)?).is_none(),
            "seq" => heartbeat.sequence.replace(decimal(value)?).is_none(),
            "interval" => heartbeat.interval_hint.replace(span(value)?).is_none(),
            "mac" => return Err(Malformed::Code),
            _ => return Err(Malformed::Field),
        };
        if !first_time {
            return Err(Malformed::Field);
        }
    }
    Ok(Received { heartbeat, mac })
}

fn name(text: &str) -> Result<&str, Malformed> {
    if text.is_empty() || text.len() > ID_BYTES_MAX {
        return Err(Malformed::NameLength);
    }
    Ok(text)
}

fn decimal(text: &str) -> Result<u64, Malformed> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed::Number);
    }
    text.parse().map_err(|_| Malformed::Number)
}

/// A whole number with its unit: `500ms`, `1s`, `5m`, `12h`, `1d`.
fn span(text: &str) -> Result<Duration, Malformed> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let unit_millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(Malformed::Interval),
    };
    let count = decimal(count).map_err(|_| Malformed::Interval)?;
    interval_of_millis(count.saturating_mul(unit_millis))
}

fn hexadecimal(text: &[u8]) -> Result<[u8; MAC_BYTES], Malformed> {
    let text: &[u8; 2 * MAC_BYTES] = text.try_into().map_err(|_| Malformed::Code)?;
    let mut code = [0; MAC_BYTES];
    for (byte, pair) in code.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(code)
}

fn digit(character: u8) -> Result<u8, Malformed> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(Malformed::Code),
    }
}

impl Heartbeat<'_> {
    /// Appends the binary form to `out`.
    ///
    /// # Errors
    /// What cannot be written. State: `out` is as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write(0, out)
    }

    /// Appends the binary form with an authentication code to `out`; `mac` computes the code over
    /// the bytes that it is given.
    ///
    /// # Errors
    /// What cannot be written. State: `out` is as it was.
    pub fn encode_signed(
        &self,
        out: &mut Vec<u8>,
        mac: impl FnOnce(&[u8]) -> [u8; MAC_BYTES],
    ) -> Result<(), EncodeError> {
        let start = out.len();
        self.write(FLAG_MAC, out)?;
        let code = mac(&out[start..]);
        out.extend_from_slice(&code);
        Ok(())
    }

    fn write(&self, mut flags: u8, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        check_name(self.target).map_err(EncodeError::Name)?;
        if let Some(signal) = self.signal {
            check_name(signal).map_err(EncodeError::Name)?;
            flags |= FLAG_SIGNAL;
        }
        if self.sequence.is_some() {
            flags |= FLAG_SEQUENCE;
        }
        let millis = self.interval_hint.map(whole_millis).transpose()?;
        if millis.is_some() {
            flags |= FLAG_INTERVAL;
        }
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, flags]);
        write_name(self.target, out);
        if let Some(signal) = self.signal {
            write_name(signal, out);
        }
        for number in [self.sequence, millis].into_iter().flatten() {
            write_number(number, out);
        }
        Ok(())
    }
}

fn whole_millis(span: Duration) -> Result<u64, EncodeError> {
    let millis = u32::try_from(span.as_millis()).map_err(|_| EncodeError::Interval)?;
    if millis == 0 || Duration::from_millis(u64::from(millis)) != span {
        return Err(EncodeError::Interval);
    }
    Ok(u64::from(millis))
}

/// Expects a name that was checked.
fn write_name(name: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests;
