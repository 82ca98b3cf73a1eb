//! What all checks of one event loop share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Sink;
use super::metrics::CheckMetrics;
use super::resolve::Names;
use crate::clock::Clock;

/// What all checks of one event loop share.
pub(super) struct Context {
    pub(super) clock: Clock,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) metrics: Arc<CheckMetrics>,
    pub(super) names: Names,
    /// One permit per socket, over all event loops.
    pub(super) sockets: Arc<Semaphore>,
    /// With fewer permits left than this, connections are not kept: a signal without a socket would
    /// wait for ever for those that hold one and rest.
    pub(super) sockets_reserve: usize,
}
