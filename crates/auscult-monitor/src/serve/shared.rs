//! The monitor's part of its group, started and ended with the server.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::ServeError;
use crate::replication::{Journal, Nobody, Node, NodeConfig};
use crate::shared::{Monitor, SettingsStore};

/// Ends with its owner.
pub(super) struct SharedSettings(Node);

impl SharedSettings {
    /// The folder, if there is one, must be locked by this process.
    pub(super) async fn start(
        folder: Option<PathBuf>,
        http: SocketAddr,
    ) -> Result<Self, ServeError> {
        let opened = tokio::task::spawn_blocking(move || match folder {
            Some(folder) => Journal::open(&folder),
            None => Journal::in_memory(),
        });
        let journal = opened.await??;
        let monitor = Monitor {
            http: http.to_string(),
            ..Monitor::default()
        };
        let config = NodeConfig::new(monitor, seed()?);
        let node = Node::start(config, journal, Arc::new(Nobody)).await?;
        Ok(Self(node))
    }

    pub(super) fn store(&self) -> Arc<dyn SettingsStore> {
        Arc::new(self.0.clone())
    }

    pub(super) async fn stop(&self) {
        self.0.stop().await;
    }
}

impl Drop for SharedSettings {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Different at every start, so that no id is given twice.
fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(u64::from_le_bytes(bytes))
}
