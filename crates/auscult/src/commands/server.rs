//! What `serve` and `demo` do alike: start a monitor, reload it, and say why it cannot go on.

use std::convert::Infallible;

use auscult_monitor::registry::ReloadError;
use auscult_monitor::serve::{ReloadHandle, ServeError};
use auscult_monitor::settings::LoadError;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{self, Exit, Stop};
use crate::render::{Screen, problems};

/// SIGHUP: the settings are read again.
pub(super) struct Hangups(Signal);

impl Hangups {
    /// Takes the signal over. From here on it does not kill the process.
    pub(super) fn install() -> Result<Self, Stop> {
        let failed = |error| Stop::new(Exit::Cannot, format!("cannot handle signals: {error}"));
        signal(SignalKind::hangup()).map(Self).map_err(failed)
    }

    /// Reloads at each signal, for ever. What comes of it is in the log.
    pub(super) async fn reload_each(&mut self, server: &ReloadHandle) -> Infallible {
        loop {
            if self.0.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            let _logged = server.reload().await;
        }
    }
}

/// Settings that cannot be used, in words.
pub(super) fn unusable(error: &LoadError) -> Stop {
    let message = match error {
        LoadError::Problems(problems) => problems::in_words(Screen::stderr(), problems),
        LoadError::Io { path, source } => {
            format!("cannot read {}: {}", path.display(), exit::in_words(source))
        }
    };
    Stop::new(Exit::No, message)
}

/// The end of a server in words, with the exit code that goes with it.
pub(super) fn stop(error: &ServeError) -> Stop {
    match error {
        ServeError::Settings(ReloadError::Settings(error)) => unusable(error),
        ServeError::Settings(error) => Stop::new(Exit::No, error.to_string()),
        // The enum may grow: whatever else keeps a server from running is of this kind.
        ServeError::Bind { .. } | ServeError::Store(_) | ServeError::System(_) | _ => {
            Stop::new(Exit::Cannot, error.to_string())
        }
    }
}
