//! What members tell of themselves: a map of keys and values for each, which only the member
//! itself changes.
//!
//! # Versions
//! Every change raises the owner's version by one and gives it to the key that was changed; a key
//! that was removed stays in the map, without a value, with the version of its removal. So a copy
//! is described by one number: who has version 7 has every key as it was then, and lacks exactly
//! the keys whose version is above 7. That is what a [`Delta`] since 7 holds, and it is all that a
//! change costs. A copy takes a key only where the key's version is above its own, so no older
//! copy ever brings back what was changed or removed since.
//!
//! # What was removed is forgotten
//! [`METADATA_REMOVED_MAX`] removed keys are remembered. With each one forgotten the *floor* of
//! the copy rises to its version. A delta since a version below the floor might lack a removal, so
//! none is made: who is behind the floor gets everything, and puts it in place of all it had.
//! Each copy has a floor of its own, as one that was made from everything knows of no removals
//! before its version.
//!
//! # Runs
//! Versions count within an *epoch*, the incarnation in which the owner's process began. Stamps
//! are ordered by epoch, then by version: what a process says after a restart holds against all
//! that its earlier runs said, even where it says nothing at all. A member that hears of a stamp
//! of its own that is greater than what it has (an earlier run, or another process) moves its map
//! to a new incarnation, as it does to contradict. A stamp counts only where the incarnation that
//! it names has been heard of.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::member::{Incarnation, MemberId};
use crate::bounds::{METADATA_BYTES_MAX, METADATA_KEYS_MAX, METADATA_REMOVED_MAX};
use crate::id::{IdError, name_type};
use crate::rng::mix;

/// Names a value of a member's metadata, or what a broadcast is about. Same rules as a member's
/// name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

name_type!(Key);

/// Says how new a copy of a member's metadata is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The incarnation in which the owner's process began, or in which it took its map anew.
    pub epoch: Incarnation,
    /// Changes since then. 0: there never was anything.
    pub version: u64,
}

/// One key as it is in some version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which key.
    pub key: Key,
    /// The version in which it was changed last.
    pub version: u64,
    /// Its value; `None` where it was removed.
    pub value: Option<Arc<[u8]>>,
}

/// What changed in a member's metadata after a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Whose metadata.
    pub member: MemberId,
    /// What a copy is worth after it.
    pub stamp: Stamp,
    /// What a copy must be worth before it, in the same epoch. 0: the items are everything there
    /// is, whatever the copy was worth.
    pub since: u64,
    /// The keys that changed, in their order, each once.
    pub items: Vec<Item>,
}

impl Delta {
    /// The bytes that it takes in a message, at most: every codec keeps to it.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        let items = self.items.iter().map(|item| {
            let value = item.value.as_ref().map_or(0, |value| value.len());
            1 + item.key.as_str().len() + NUMBER_BYTES_MAX + COUNT_BYTES_MAX + value
        });
        1 + 8 + 3 * NUMBER_BYTES_MAX + COUNT_BYTES_MAX + items.sum::<usize>()
    }

    /// Whether it is one that a member could have made.
    fn is_sound(&self) -> bool {
        let versions = self.since < self.stamp.version || self.since == 0;
        let whole = self.since == 0;
        versions
            && self.items.len() <= METADATA_KEYS_MAX + METADATA_REMOVED_MAX
            && self.items.is_sorted_by(|one, next| one.key < next.key)
            && self.items.iter().all(|item| {
                let after = self.since < item.version && item.version <= self.stamp.version;
                after && (item.value.is_some() || !whole)
            })
    }
}

/// News about a member's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataNews {
    /// There is this version of it: more than a datagram takes. Who lacks it asks.
    Stamp {
        /// Whose metadata.
        member: MemberId,
        /// What it is worth.
        stamp: Stamp,
    },
    /// This changed.
    Delta(Delta),
}

impl MetadataNews {
    /// Whose metadata.
    #[must_use]
    pub const fn member(&self) -> MemberId {
        match self {
            Self::Stamp { member, .. } => *member,
            Self::Delta(delta) => delta.member,
        }
    }

    /// What it is worth.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        match self {
            Self::Stamp { stamp, .. } => *stamp,
            Self::Delta(delta) => delta.stamp,
        }
    }

    /// The bytes that it takes in a datagram, at most: every codec keeps to it.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        match self {
            Self::Stamp { .. } => 1 + 8 + 2 * NUMBER_BYTES_MAX,
            Self::Delta(delta) => delta.bytes_max(),
        }
    }
}

/// Eight bits that differ between most pairs of members whose copies differ, and are others for
/// every probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct MetadataTag(pub u8);

/// Why metadata was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataRefusal {
    /// It is no key. State: unchanged.
    Key(IdError),
    /// There are [`METADATA_KEYS_MAX`] keys already. State: unchanged.
    TooManyKeys,
    /// All keys and values together would be more than [`METADATA_BYTES_MAX`]. State: unchanged.
    TooLarge {
        /// What they would be, in bytes.
        bytes: usize,
    },
    /// The member leaves, or has left. State: unchanged.
    Leaving,
}

impl fmt::Display for MetadataRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(_) => write!(f, "the key of metadata is no name"),
            Self::TooManyKeys => {
                write!(
                    f,
                    "metadata has {METADATA_KEYS_MAX} keys, which is the most"
                )
            }
            Self::TooLarge { bytes } => write!(
                f,
                "metadata has at most {METADATA_BYTES_MAX} bytes, this would make it {bytes}"
            ),
            Self::Leaving => write!(f, "the member leaves the cluster"),
        }
    }
}

impl core::error::Error for MetadataRefusal {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::TooManyKeys | Self::TooLarge { .. } | Self::Leaving => None,
        }
    }
}

/// What became of a delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// These keys are others now.
    Changed(Vec<Key>),
    /// It was known, or something newer is.
    Known,
    /// Something before it is missing.
    Behind,
    /// It breaks a rule or a bound, or there is no room for it.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    version: u64,
    value: Option<Arc<[u8]>>,
}

/// A copy of one member's metadata.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    stamp: Stamp,
    /// Deltas since an earlier version are not made.
    floor: u64,
    /// Of all keys that have a value, with it.
    bytes: usize,
    removed: usize,
    items: BTreeMap<Key, Held>,
}

impl Metadata {
    pub(super) fn new(epoch: Incarnation) -> Self {
        Self {
            stamp: Stamp { epoch, version: 0 },
            ..Self::default()
        }
    }

    pub(super) const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// What it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        self.bytes + self.items.len() * ITEM_WEIGHT
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.items.iter().filter_map(|(key, held)| {
            let value = held.value.as_deref()?;
            Some((key.as_str(), value))
        })
    }

    /// The owner changes a key. Says whether it is another one now.
    pub(super) fn set(&mut self, key: Key, value: Option<&[u8]>) -> Result<bool, MetadataRefusal> {
        let before = self.items.get(&key).and_then(|held| held.value.as_deref());
        if before == value {
            return Ok(false);
        }
        let size = |value: Option<&[u8]>| value.map_or(0, |value| key.as_str().len() + value.len());
        let bytes = self.bytes - size(before) + size(value);
        if before.is_none() && self.items.len() - self.removed >= METADATA_KEYS_MAX {
            return Err(MetadataRefusal::TooManyKeys);
        }
        if bytes > METADATA_BYTES_MAX {
            return Err(MetadataRefusal::TooLarge { bytes });
        }
        self.stamp.version += 1;
        let version = self.stamp.version;
        let value = value.map(Arc::from);
        self.put(Item {
            key,
            version,
            value,
        });
        self.forget_removed();
        Ok(true)
    }

    /// The owner takes its map along into a new epoch: nobody has anything of it.
    pub(super) fn renew(&mut self, epoch: Incarnation) {
        self.items.retain(|_, held| held.value.is_some());
        self.removed = 0;
        self.stamp.epoch = epoch;
        self.floor = self.stamp.version;
    }

    /// What a copy of this worth lacks.
    pub(super) fn delta(&self, member: MemberId, copy: Stamp) -> Delta {
        let whole = copy.epoch != self.stamp.epoch || copy.version < self.floor;
        let since = if whole { 0 } else { copy.version };
        let items = self.items.iter().filter(|(_, held)| {
            let wanted = held.value.is_some() || since > 0;
            wanted && held.version > since
        });
        Delta {
            member,
            stamp: self.stamp,
            since,
            items: items.map(|(key, held)| held.item(key)).collect(),
        }
    }

    /// Takes what the owner said. `room` is what the copy may weigh afterwards.
    pub(super) fn take(&mut self, delta: &Delta, room: usize) -> Taken {
        if delta.stamp <= self.stamp {
            return Taken::Known;
        }
        if !delta.is_sound() {
            return Taken::Refused;
        }
        let (same, had) = (delta.stamp.epoch == self.stamp.epoch, self.stamp.version);
        let mut after = if delta.since == 0 {
            Self::default()
        } else if same && delta.since <= had {
            self.clone()
        } else {
            return Taken::Behind;
        };
        for item in &delta.items {
            let known = after.items.get(&item.key);
            if known.is_none_or(|known| known.version < item.version) {
                after.put(item.clone());
            }
        }
        after.stamp = delta.stamp;
        if delta.since == 0 {
            after.floor = delta.stamp.version;
        }
        let keys = after.items.len() - after.removed;
        if keys > METADATA_KEYS_MAX || after.bytes > METADATA_BYTES_MAX {
            return Taken::Refused;
        }
        after.forget_removed();
        if after.weight() > room {
            return Taken::Refused;
        }
        let changed = after.changed_from(self);
        *self = after;
        Taken::Changed(changed)
    }

    fn put(&mut self, item: Item) {
        let length = item.key.as_str().len();
        let size =
            |value: &Option<Arc<[u8]>>| value.as_ref().map_or(0, |value| length + value.len());
        self.bytes += size(&item.value);
        self.removed += usize::from(item.value.is_none());
        let held = Held {
            version: item.version,
            value: item.value,
        };
        if let Some(before) = self.items.insert(item.key, held) {
            self.bytes -= size(&before.value);
            self.removed -= usize::from(before.value.is_none());
        }
    }

    fn forget_removed(&mut self) {
        while self.removed > METADATA_REMOVED_MAX {
            let removed = self.items.iter().filter(|(_, held)| held.value.is_none());
            let oldest = removed.min_by_key(|(_, held)| held.version);
            let Some((key, version)) = oldest.map(|(key, held)| (key.clone(), held.version)) else {
                break;
            };
            self.items.remove(&key);
            self.removed -= 1;
            self.floor = self.floor.max(version);
        }
    }

    /// Keys whose value is another one than in `before`.
    fn changed_from(&self, before: &Self) -> Vec<Key> {
        fn value<'a>(of: &'a Metadata, key: &Key) -> Option<&'a [u8]> {
            of.items.get(key)?.value.as_deref()
        }
        let gone = before
            .items
            .keys()
            .filter(|key| !self.items.contains_key(*key));
        let mut keys: Vec<Key> = self.items.keys().chain(gone).cloned().collect();
        keys.retain(|key| value(self, key) != value(before, key));
        keys.sort_unstable();
        keys
    }

    /// # Panics
    /// When a bound does not hold or a sum is wrong, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        let sizes = self.iter().map(|(key, value)| key.len() + value.len());
        assert_eq!(self.bytes, sizes.sum::<usize>());
        assert!(self.bytes <= METADATA_BYTES_MAX);
        assert_eq!(self.items.len(), self.iter().count() + self.removed);
        assert!(self.iter().count() <= METADATA_KEYS_MAX);
        assert!(self.removed <= METADATA_REMOVED_MAX);
        let versions = self.items.values().map(|held| held.version);
        assert!(versions.max().unwrap_or(0) <= self.stamp.version);
        assert!(self.floor <= self.stamp.version);
    }
}

impl Held {
    fn item(&self, key: &Key) -> Item {
        Item {
            key: key.clone(),
            version: self.version,
            value: self.value.clone(),
        }
    }
}

/// What a copy adds to the digest of all copies: nothing where there never was anything.
pub(super) fn fingerprint(id: MemberId, stamp: Stamp) -> u64 {
    if stamp.version == 0 {
        return 0;
    }
    let epoch = mix(stamp.epoch.number().wrapping_add(1));
    mix(id.to_bits() ^ mix(stamp.version ^ epoch))
}

/// 64 bits, seven a byte.
const NUMBER_BYTES_MAX: usize = 10;
/// 21 bits, seven a byte: more than [`METADATA_BYTES_MAX`].
const COUNT_BYTES_MAX: usize = 3;
/// A key and a value are two allocations and a place in a map.
const ITEM_WEIGHT: usize = 128;

const _: () = assert!(METADATA_BYTES_MAX + 1 < 1 << 21);

#[cfg(test)]
mod tests;
