//! What an alert is about, and how it is called.

use core::fmt;

use crate::id::{RuleName, SignalName, TargetId};

/// What an alert is about: there is at most one alert for each key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// Whose signal.
    pub subject: Subject,
    /// The signal, or the metric of a peer.
    pub signal: SignalName,
    /// The rule that makes the alert.
    pub rule: RuleName,
}

/// Who can be the subject of an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A target of the monitor.
    Target(TargetId),
    /// A peer that publishes metrics.
    Peer(TargetId),
}

impl Subject {
    /// Its name, which is unique among those of its kind.
    #[must_use]
    pub const fn name(&self) -> &TargetId {
        match self {
            Self::Target(name) | Self::Peer(name) => name,
        }
    }

    /// Its kind, as every interface calls it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Target(_) => "target",
            Self::Peer(_) => "peer",
        }
    }
}

/// Which time an alert fires: one that begins later is greater, and where several monitors know of
/// it, it is the same to all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Episode {
    /// Milliseconds of the wall clock: when it began to fire, or when rulings on its target began.
    pub epoch: u64,
    /// The ruling by which it began; 0 where no group ruled.
    pub number: u64,
    /// Counts from 0 the episodes that are otherwise the same.
    pub again: u32,
}

impl Episode {
    /// The one before the first.
    pub const NONE: Self = Self {
        epoch: 0,
        number: 0,
        again: 0,
    };

    /// Whether it began by a later ruling than this one.
    #[must_use]
    pub const fn is_later_than(&self, (epoch, number): (u64, u64)) -> bool {
        self.epoch == epoch && self.number > number
    }

    /// Whether it began by this ruling, or by a later one.
    #[must_use]
    pub const fn is_not_before(&self, (epoch, number): (u64, u64)) -> bool {
        self.epoch == epoch && self.number >= number
    }

    /// This one, or the next that is greater than `before`.
    #[must_use]
    pub fn after(self, before: Self) -> Self {
        if self > before {
            return self;
        }
        Self {
            again: before.again.saturating_add(1),
            ..before
        }
    }
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.epoch, self.number)?;
        match self.again {
            0 => Ok(()),
            again => write!(f, ".{again}"),
        }
    }
}

/// A short name of an alert: the same in every process and for ever, as it is made of the key
/// alone. Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(u128);

impl AlertId {
    /// The id of the alert with this key: FNV-1a with 128 bits, over its texts with their lengths.
    #[must_use]
    pub fn of(key: &AlertKey) -> Self {
        let texts = [
            key.subject.kind(),
            key.subject.name().as_str(),
            key.signal.as_str(),
            key.rule.as_str(),
        ];
        let mut sum = FNV_BASIS;
        for text in texts {
            let length = (text.len() as u64).to_le_bytes();
            for &byte in length.iter().chain(text.as_bytes()) {
                sum = (sum ^ u128::from(byte)).wrapping_mul(FNV_PRIME);
            }
        }
        Self(sum)
    }

    /// The id that [`to_bits`](Self::to_bits) gave.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The id as a number.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const FNV_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn key(subject: Subject, signal: &str, rule: &str) -> AlertKey {
        AlertKey {
            subject,
            signal: SignalName::new(signal).unwrap(),
            rule: RuleName::new(rule).unwrap(),
        }
    }

    fn name(text: &str) -> TargetId {
        TargetId::new(text).unwrap()
    }

    /// What was told with this id must be found again by every later version.
    #[test]
    fn an_id_is_the_same_for_ever() {
        let id = AlertId::of(&key(Subject::Target(name("web")), "http", "down"));
        assert_eq!(id.to_string(), "67a73218db295aaef124e7024ebd2181");
        assert_eq!(AlertId::from_bits(id.to_bits()), id);
    }

    #[test]
    fn keys_that_join_to_the_same_text_have_different_ids() {
        let keys = [
            key(Subject::Target(name("ab")), "c", "d"),
            key(Subject::Target(name("a")), "bc", "d"),
            key(Subject::Target(name("a")), "b", "cd"),
            key(Subject::Peer(name("ab")), "c", "d"),
        ];
        for (at, key) in keys.iter().enumerate() {
            for other in &keys[at + 1..] {
                assert_ne!(AlertId::of(key), AlertId::of(other));
            }
        }
    }
}
