//! How letters get to other monitors.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::observers::MonitorName;
use futures_util::future::BoxFuture;

use super::Circle;
use super::wire::{Answer, Letter};
use crate::replication::{Colleague, Node};
use crate::shared::{Monitor, SettingsStore as _};

/// Carries letters to other monitors.
pub trait Post: Send + Sync + 'static {
    /// Has a monitor answer a letter. Given up when it takes longer than `timeout`; the other one
    /// may have taken it then.
    fn send<'a>(
        &'a self,
        to: &'a MonitorName,
        letter: Letter,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Answer, PostError>>;
}

/// Why there is no answer. State: it may have been taken all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostError(pub String);

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PostError {}

/// The network of the group that shares the settings.
pub struct GroupPost(pub Node);

impl Post for GroupPost {
    fn send<'a>(
        &'a self,
        to: &'a MonitorName,
        letter: Letter,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Answer, PostError>> {
        Box::pin(async move {
            let answer = self.0.send_letter(to, letter, timeout).await;
            answer.map_err(PostError)
        })
    }
}

impl Circle for GroupPost {
    fn me(&self) -> Monitor {
        self.0.monitor()
    }

    fn label(&self) -> String {
        self.0.status().group
    }

    fn monitors(&self) -> Vec<Monitor> {
        let monitors = self.0.status().monitors.into_iter();
        monitors.map(|status| status.monitor).collect()
    }

    fn set_colleague(&self, colleague: Arc<dyn Colleague>) {
        self.0.set_colleague(colleague);
    }
}
