//! Takes fields off the front of bytes, and never more than there are.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{MAGIC, Malformed};
use crate::bounds::ID_BYTES_MAX;
use crate::swim::{
    Claim, Incarnation, LabelTag, MemberId, MemberName, Record, Refusal, Sequence, State, ViewTag,
};

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The bytes after [`MAGIC`], if there are at most `most`.
    pub(super) fn new(bytes: &'a [u8], most: usize) -> Result<Self, Malformed> {
        if bytes.len() > most {
            return Err(Malformed::TooLong);
        }
        let mut reader = Self { rest: bytes };
        if reader.byte()? == MAGIC {
            Ok(reader)
        } else {
            Err(Malformed::Magic)
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn sequence(&mut self) -> Result<Sequence, Malformed> {
        self.short().map(Sequence)
    }

    pub(super) fn view(&mut self) -> Result<ViewTag, Malformed> {
        self.short().map(ViewTag)
    }

    pub(super) fn tag(&mut self) -> Result<LabelTag, Malformed> {
        self.array().map(u32::from_le_bytes).map(LabelTag)
    }

    pub(super) fn digest(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn member(&mut self) -> Result<MemberId, Malformed> {
        self.digest().map(MemberId::from_bits)
    }

    /// Seven bits a byte, the lowest first, the high bit set on all but the last; no superfluous
    /// byte.
    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Malformed::Number);
            }
            value |= u64::from(byte & 0x7f) << shift;
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

    pub(super) fn incarnation(&mut self) -> Result<Incarnation, Malformed> {
        Incarnation::new(self.number()?).ok_or(Malformed::Incarnation)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let bytes = usize::from(self.byte()?);
        if bytes == 0 || bytes > ID_BYTES_MAX {
            return Err(Malformed::Name);
        }
        let split = self.rest.split_at_checked(bytes);
        let (text, rest) = split.ok_or(Malformed::Truncated)?;
        self.rest = rest;
        core::str::from_utf8(text).map_err(|_| Malformed::Utf8)
    }

    pub(super) fn address(&mut self) -> Result<SocketAddr, Malformed> {
        let ip = match self.byte()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            other => return Err(Malformed::Kind(other)),
        };
        Ok(SocketAddr::new(ip, self.short()?))
    }

    pub(super) fn refusal(&mut self) -> Result<Refusal, Malformed> {
        let code = self.byte()?;
        let refusal = Refusal::ALL.get(usize::from(code));
        refusal.copied().ok_or(Malformed::Kind(code))
    }

    pub(super) fn record(&mut self) -> Result<Record, Malformed> {
        let name = MemberName::new(self.text()?)?;
        let address = self.address()?;
        let code = self.byte()?;
        let state = State::ALL.get(usize::from(code));
        let state = *state.ok_or(Malformed::Kind(code))?;
        let claim = Claim::new(self.incarnation()?, state);
        Ok(Record {
            name,
            address,
            claim,
        })
    }

    /// A number of records, and so many of them. What is said to follow cannot take more memory
    /// than what does.
    pub(super) fn records(&mut self) -> Result<Vec<Record>, Malformed> {
        let count = self.number()?;
        let most = (self.rest.len() / RECORD_BYTES_MIN) as u64;
        if count > most {
            return Err(Malformed::Truncated);
        }
        (0..count).map(|_| self.record()).collect()
    }
}

/// A name of one byte, an IPv4 address, a state, a small incarnation.
const RECORD_BYTES_MIN: usize = 2 + 7 + 1 + 1;
