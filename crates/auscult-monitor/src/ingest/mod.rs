//! Heartbeats that programs send us by themselves.
//!
//! Over UDP they are taken here, on a thread of their own. Those over HTTP are routes of the API,
//! which give them to the engine one by one.

mod kernel;
use auscult_core::monitor::Arrival;

mod key;
pub mod udp;

pub use kernel::KernelQueue;
pub use key::{Key, KeyError};
pub use udp::{RejectReason, UdpMetrics, UdpReceiver};

/// Decides about heartbeats of targets that nobody has described.
pub trait Admission: Send + Sync {
    /// Whether such heartbeats create targets at all.
    fn is_open(&self) -> bool;

    /// Creates the target of a heartbeat, unless it may not or there are enough of them.
    fn admit(&self, heartbeat: &Arrival<'_>) -> Admitted;
}

/// What became of an unknown target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is watched now.
    Created,
    /// It cannot be: its name is none.
    Refused,
    /// It cannot be: as many as allowed were created already.
    Full,
}
