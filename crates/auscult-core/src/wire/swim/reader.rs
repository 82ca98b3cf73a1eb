//! Takes fields off the front of bytes, and never more than there are.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{MAGIC, Malformed};
use crate::bounds::{ID_BYTES_MAX, METADATA_KEYS_MAX, METADATA_REMOVED_MAX};
use crate::swim::{
    Claim, Delta, Incarnation, Item, Key, LabelTag, MemberId, MemberName, Pace, Proof, Record,
    Refusal, Sequence, Stamp, State, ViewTag, Want,
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

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
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

    pub(super) fn pace(&mut self) -> Result<Pace, Malformed> {
        self.short().map(Pace)
    }

    pub(super) fn proof(&mut self) -> Result<Proof, Malformed> {
        self.array().map(u32::from_le_bytes).map(Proof)
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
        let text = self.bytes(bytes as u64)?;
        core::str::from_utf8(text).map_err(|_| Malformed::Utf8)
    }

    pub(super) fn bytes(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_| Malformed::Truncated)?;
        let split = self.rest.split_at_checked(count);
        let (bytes, rest) = split.ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn stamp(&mut self) -> Result<Stamp, Malformed> {
        let (epoch, version) = (self.incarnation()?, self.number()?);
        Ok(Stamp { epoch, version })
    }

    pub(super) fn delta(&mut self) -> Result<Delta, Malformed> {
        let member = self.member()?;
        let stamp = self.stamp()?;
        let since = self.number()?;
        let count = self.count(ITEM_BYTES_MIN)?;
        if count > (METADATA_KEYS_MAX + METADATA_REMOVED_MAX) as u64 {
            return Err(Malformed::Count);
        }
        let items = (0..count).map(|_| self.item()).collect::<Result<_, _>>()?;
        Ok(Delta {
            member,
            stamp,
            since,
            items,
        })
    }

    fn item(&mut self) -> Result<Item, Malformed> {
        let key = Key::new(self.text()?)?;
        let version = self.number()?;
        let value = match self.number()?.checked_sub(1) {
            None => None,
            Some(bytes) => Some(self.bytes(bytes)?.into()),
        };
        Ok(Item {
            key,
            version,
            value,
        })
    }

    pub(super) fn deltas(&mut self) -> Result<Vec<Delta>, Malformed> {
        let count = self.count(DELTA_BYTES_MIN)?;
        (0..count).map(|_| self.delta()).collect()
    }

    pub(super) fn wants(&mut self) -> Result<Vec<Want>, Malformed> {
        let count = self.count(WANT_BYTES_MIN)?;
        let want = |_| {
            let (member, stamp) = (self.member()?, self.stamp()?);
            Ok(Want { member, stamp })
        };
        (0..count).map(want).collect()
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
        let incarnation = self.incarnation()?;
        let epoch = incarnation.number().checked_sub(self.number()?);
        let epoch = epoch.and_then(Incarnation::new);
        let metadata = Stamp {
            epoch: epoch.ok_or(Malformed::Incarnation)?,
            version: self.number()?,
        };
        let claim = Claim::new(incarnation, state);
        Ok(Record {
            name,
            address,
            claim,
            metadata,
        })
    }

    pub(super) fn records(&mut self) -> Result<Vec<Record>, Malformed> {
        let count = self.count(RECORD_BYTES_MIN)?;
        (0..count).map(|_| self.record()).collect()
    }

    /// How many things of at least so many bytes follow. What is said to follow cannot take more
    /// memory than what does.
    fn count(&mut self, bytes_min: usize) -> Result<u64, Malformed> {
        let count = self.number()?;
        if count > (self.rest.len() / bytes_min) as u64 {
            return Err(Malformed::Truncated);
        }
        Ok(count)
    }
}

/// A name of one byte, an IPv4 address, a state, a small incarnation, a small stamp.
const RECORD_BYTES_MIN: usize = 2 + 7 + 1 + 1 + 2;
/// A key of one byte, a small version, no value.
const ITEM_BYTES_MIN: usize = 2 + 1 + 1;
/// An id, a small stamp, a small version, no items.
const DELTA_BYTES_MIN: usize = 8 + 2 + 1 + 1;
/// An id, a small stamp.
const WANT_BYTES_MIN: usize = 8 + 2;
