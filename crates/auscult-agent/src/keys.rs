//! Keys that seal what members say to each other: the ring, its file, and how it is changed while
//! the cluster runs.

mod cluster;
mod file;
mod message;
mod ring;
mod shared;

pub(crate) use cluster::EVERYWHERE_TIME;
pub use cluster::{ControlError, Keys, control};
pub use file::KeyFileError;
pub(crate) use message::MAGIC;
pub use message::{KeyCommand, KeyOutcome, KeyReport, KeyVerdict, MemberKeys};
pub(crate) use ring::expand;
pub use ring::{Changed, KEY_BYTES, KEYS_MAX, Key, KeyError, KeyId, KeyRing, Plain, RingRefusal};
pub use shared::SharedRing;
