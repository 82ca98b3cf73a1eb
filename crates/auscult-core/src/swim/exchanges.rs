//! Streams that the machine asked for and waits on.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::input::ExchangeId;
use super::member::MemberId;
use crate::bounds::EXCHANGES_MAX;
use crate::time::Instant;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// A probe of this member.
    Probe(MemberId),
    Sync,
    Push,
    /// To get metadata that another member has.
    Metadata,
    /// To join, and to tell the caller what became of it.
    Join,
    /// To join through a seed that was asked before.
    Rejoin,
}

#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) to: SocketAddr,
    pub(super) errand: Errand,
    until: Instant,
}

/// All of them, at most [`EXCHANGES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    open: Vec<Exchange>,
    asked: u64,
}

impl Exchanges {
    /// Notes a new one; `None` when there are too many.
    pub(super) fn open(
        &mut self,
        to: SocketAddr,
        errand: Errand,
        until: Instant,
    ) -> Option<ExchangeId> {
        if self.open.len() >= EXCHANGES_MAX {
            return None;
        }
        self.asked += 1;
        let id = ExchangeId(self.asked);
        self.open.push(Exchange {
            id,
            to,
            errand,
            until,
        });
        Some(id)
    }

    pub(super) fn close(&mut self, id: ExchangeId) -> Option<Exchange> {
        let at = self.open.iter().position(|exchange| exchange.id == id)?;
        Some(self.open.swap_remove(at))
    }

    pub(super) fn is_on(&self, errand: Errand) -> bool {
        self.open.iter().any(|exchange| exchange.errand == errand)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.open.iter().map(|exchange| exchange.until).min()
    }

    /// One whose time is over.
    pub(super) fn expired(&self, now: Instant) -> Option<ExchangeId> {
        let expired = |exchange: &&Exchange| exchange.until <= now;
        self.open.iter().find(expired).map(|exchange| exchange.id)
    }

    pub(super) fn postpone(&mut self, span: Duration) {
        for exchange in &mut self.open {
            exchange.until = exchange.until.after(span);
        }
    }

    /// # Panics
    /// When a bound does not hold, which is a bug of the machine.
    pub(super) fn check_invariants(&self) {
        assert!(self.open.len() <= EXCHANGES_MAX);
    }
}
