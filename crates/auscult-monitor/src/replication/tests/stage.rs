//! Monitors in one process, and a network between them that can be cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{
    Author, Change, Document, Edit, Expect, Key, Kind, Revision, WallMillis,
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::super::*;
use crate::shared::{ChangeError, MonitorId, SettingsStore as _};

/// Carries requests within the process. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Wires(Arc<Mutex<BTreeMap<String, Node>>>);

impl Network for Wires {
    fn call<'a>(
        &'a self,
        to: &'a str,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Reply, CallError>> {
        let there = self.0.lock().get(to).cloned();
        Box::pin(async move {
            let there = there.ok_or_else(|| CallError::Unreachable("cut off".to_owned()))?;
            let answered = tokio::time::timeout(timeout, there.handle(request)).await;
            answered.map_err(|_| CallError::Broken("too slow".to_owned()))
        })
    }
}

pub(super) fn monitor(name: &str) -> Monitor {
    Monitor {
        name: name.to_owned(),
        raft: format!("{name}:7000"),
        http: format!("{name}:8000"),
        agent: String::new(),
    }
}

pub(super) fn config(number: u64) -> NodeConfig {
    NodeConfig {
        id: Some(MonitorId(number)),
        ..NodeConfig::new(monitor(&format!("m{number}")), number)
    }
}

/// A change that puts one target.
pub(super) fn put(name: &str) -> Change {
    Change {
        id: None,
        author: Author::new("ana"),
        at: WallMillis(0),
        edits: vec![Edit::Put {
            key: Key::new(Kind::Target, name).unwrap(),
            document: Document::new("{}", []).unwrap(),
            expect: Expect::Nothing,
        }],
    }
}

pub(super) async fn made(node: &Node, name: &str) -> Revision {
    node.change(put(name)).await.unwrap().revision
}

pub(super) async fn refused(node: &Node, name: &str) -> ChangeError {
    node.change(put(name)).await.unwrap_err()
}

/// Waits until something holds.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "{what}: it should have happened by now");
}
