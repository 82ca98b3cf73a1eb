//! Shared settings in etcd, for those who run one already.
//!
//! # What stands there
//! The same log of changes that monitors otherwise replicate themselves: a head, which says how
//! far the log goes, an entry for each change, and now and then a snapshot in place of the entries
//! before it. A change is one transaction that holds only if the head is as it was when the
//! monitor last read it, so of two monitors one comes first and the other reads on and tries
//! again. What becomes of a change is decided by the registry, the same one everywhere: so every
//! answer is as it would be with monitors of their own, and a change with any number of edits is
//! made whole or not at all, although a transaction of etcd has at most 128 operations and 1.5 MiB.
//! A long value is written in pieces first; they count once an entry or the head names them.
//!
//! # Who follows
//! Each monitor watches the head, and asks for it once a second in any case: that is how it knows
//! that it has read everything. When etcd is away or has no leader, the settings stay as they are
//! and can be read; a change is refused with the time after which to ask again. What is known is
//! kept in the data folder, too, for a monitor that starts meanwhile.
//!
//! # Who else is there
//! Each monitor stands below the prefix with its addresses, under a lease that it keeps. So they
//! find each other, and observe together as monitors of a Raft group do ([`Neighbours`]).

mod access;
mod cache;
mod compact;
mod follow;
mod gateway;
mod layout;
mod neighbours;
mod place;
mod reading;
mod roster;
mod store;

pub use access::{Access, ClientCertificate, Login, NoAccess, Password};
pub use neighbours::Neighbours;
pub use place::{NoPlace, Place, Scheme};
pub use store::{Store, StoreConfig, Timing};

#[cfg(test)]
mod tests;
