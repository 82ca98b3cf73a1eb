//! Work that takes long, or ends on the disk, away from the threads that serve requests.

use super::problem::{Kind, Problem};

/// Does `work` on a thread of its own kind. It is done to its end even if the client goes away.
pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "the work on a request broke off");
        Problem::new(Kind::Internal).detail("the work broke off; see the monitor's log")
    })
}
