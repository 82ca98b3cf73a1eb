//! The ring of a running agent: read without a lock for every datagram, changed now and then.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use auscult_core::swim::Label;

use super::ring::{KeyRing, Plain};
use crate::layers::seal::Ciphers;

/// The ring in force, with what is derived from its keys and the label of the cluster.
#[derive(Debug)]
pub struct SharedRing {
    label: Label,
    sealing: ArcSwap<Sealing>,
}

/// A ring, ready for use.
#[derive(Debug)]
pub(crate) struct Sealing {
    ring: KeyRing,
    /// Of each key, in the order of the ring.
    ciphers: Vec<Ciphers>,
}

impl SharedRing {
    /// The ring of a member of the cluster with this label.
    #[must_use]
    pub fn new(label: Label, ring: KeyRing) -> Self {
        let sealing = ArcSwap::from_pointee(Sealing::new(&label, ring));
        Self { label, sealing }
    }

    /// The label of the cluster.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// The ring as it is now.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        self.sealing.load().ring.clone()
    }

    /// Puts another ring in force: the next datagram is sealed with its primary key.
    pub fn replace(&self, ring: KeyRing) {
        self.sealing
            .store(Arc::new(Sealing::new(&self.label, ring)));
    }

    pub(crate) fn sealing(&self) -> Guard<Arc<Sealing>> {
        self.sealing.load()
    }

    /// The same, to be kept for longer.
    pub(crate) fn sealing_kept(&self) -> Arc<Sealing> {
        self.sealing.load_full()
    }
}

impl Sealing {
    fn new(label: &Label, ring: KeyRing) -> Self {
        let ciphers = ring.keys().iter().map(|key| Ciphers::new(key, label));
        Self {
            ciphers: ciphers.collect(),
            ring,
        }
    }

    /// What seals.
    pub(crate) fn primary(&self) -> &Ciphers {
        &self.ciphers[0]
    }

    /// What opens what says that it is sealed with this key.
    pub(crate) fn find(&self, short: [u8; 2]) -> Option<&Ciphers> {
        self.ciphers.iter().find(|one| one.id().short() == short)
    }

    pub(crate) const fn plain(&self) -> Plain {
        self.ring.plain()
    }
}
