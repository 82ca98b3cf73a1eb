//! Who belongs to the group, and who of them lives.

use auscult_core::monitor::observers::Seat;

/// Knows who else is there.
pub trait Group: Send + Sync + 'static {
    /// The monitors of the group, this one among them or not. None or this one alone: there is no
    /// company.
    fn seats(&self) -> Vec<Seat>;
}
