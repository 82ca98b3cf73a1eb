//! SIGINT and SIGTERM: the first asks to stop in order, a second one stops at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Exit, Stop};

/// The requests to stop.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Takes the two signals over. From here on they do not kill the process.
    pub(crate) fn install() -> Result<Self, Stop> {
        let failed = |error| Stop::new(Exit::Cannot, format!("cannot handle signals: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Waits for the next request.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// From now on a request ends the process at once: for the time in which it stops in order.
    pub(crate) fn then_exit_at_once(mut self) {
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(Exit::Cannot as i32);
        });
    }
}
