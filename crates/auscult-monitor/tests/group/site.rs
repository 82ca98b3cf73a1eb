//! Where one monitor lives, over all its starts and ends.

use std::sync::Arc;

use auscult_monitor::replication::Node;
use parking_lot::Mutex;

use crate::disk::{Boot, Platter};

/// A monitor's place: its disk, its address, and the process that runs there, if one does.
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) platter: Platter,
    running: Mutex<Option<Arc<Running>>>,
}

/// A process.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) boot: Boot,
}

impl Site {
    pub(crate) fn new(number: usize, platter: Platter) -> Self {
        Self {
            name: format!("m{number}"),
            address: format!("m{number}:7000"),
            platter,
            running: Mutex::default(),
        }
    }

    /// The process that runs now.
    pub(crate) fn running(&self) -> Option<Arc<Running>> {
        let running = self.running.lock().clone();
        running.filter(|running| running.boot.is_on())
    }

    pub(crate) fn set(&self, running: Option<Arc<Running>>) {
        *self.running.lock() = running;
    }
}
