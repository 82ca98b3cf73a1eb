//! Keys that seal what members say to each other.

/// The keys of a cluster.
#[derive(Clone, Debug)]
pub enum KeyRing {}
