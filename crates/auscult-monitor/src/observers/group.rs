//! Who belongs to the group, and who of them lives.

use std::sync::Arc;

use auscult_core::monitor::observers::Seat;

use super::Post;
use crate::replication::Colleague;
use crate::shared::Monitor;

/// Knows who else is there.
pub trait Group: Send + Sync + 'static {
    /// The monitors of the group, this one among them or not. None or this one alone: there is no
    /// company.
    fn seats(&self) -> Vec<Seat>;
}

/// The monitors that share settings, as whoever keeps the settings knows them: those of a Raft
/// group, or those that stand in etcd.
pub trait Circle: Post {
    /// This monitor, with its addresses as the others know them.
    fn me(&self) -> Monitor;

    /// What stands for all of them together, and for nobody else; empty before it is known.
    fn label(&self) -> String;

    /// All of them, those that are dead among them, this one among them or not.
    fn monitors(&self) -> Vec<Monitor>;

    /// Says who takes their letters. The first one does; before, they are refused.
    fn set_colleague(&self, colleague: Arc<dyn Colleague>);
}
