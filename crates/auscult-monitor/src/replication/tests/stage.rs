//! Monitors in one process, and a network between them that can be cut.
//!
//! Groups of several live in virtual time: it passes when all of them wait, so a busy machine makes
//! no test fail, and to sleep in it takes no time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{
    Author, Change, Document, Edit, Expect, Key, Kind, Revision, WallMillis,
};
use futures_util::future::BoxFuture;
use openraft::type_config::TypeConfigExt as _;
use parking_lot::Mutex;

use super::super::*;
use crate::shared::{ChangeError, MonitorId, Role, SettingsStore as _};
use crate::store::StoreError;

/// Carries requests within the process. Clones are the same one.
#[derive(Clone, Default)]
pub(in crate::replication) struct Wires(Arc<Mutex<BTreeMap<String, Node>>>, Arc<Mutex<Duration>>);

impl Network for Wires {
    fn call<'a>(
        &'a self,
        to: &'a str,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Reply, CallError>> {
        let there = self.0.lock().get(to).cloned();
        let large = matches!(&request.ask, Ask::Append(append) if large::is_large(&append.entries));
        let delay = if large {
            *self.1.lock()
        } else {
            Duration::ZERO
        };
        Box::pin(async move {
            Group::sleep(delay).await;
            let there = there.ok_or_else(|| CallError::Unreachable("cut off".to_owned()))?;
            let answered = tokio::time::timeout(timeout, there.handle(request)).await;
            answered.map_err(|_| CallError::Broken("too slow".to_owned()))
        })
    }
}

impl Wires {
    pub(in crate::replication) fn connect(&self, node: &Node, address: &str) {
        self.0.lock().insert(address.to_owned(), node.clone());
    }

    /// From now on large entries take this long.
    pub(in crate::replication) fn slow(&self, delay: Duration) {
        *self.1.lock() = delay;
    }

    pub(in crate::replication) fn cut(&self, address: &str) {
        self.0.lock().remove(address);
    }
}

impl Wires {
    /// Starts a monitor that others reach.
    pub(in crate::replication) async fn start(&self, config: NodeConfig, journal: Journal) -> Node {
        let address = config.monitor.raft.clone();
        let node = Node::start(config, journal, Arc::new(self.clone()));
        let node = node.await.unwrap();
        self.connect(&node, &address);
        node
    }

    /// Starts one that joins the first one.
    pub(in crate::replication) async fn join(&self, number: u64) -> Node {
        let config = NodeConfig {
            join: vec!["m1:7000".to_owned()],
            ..config(number)
        };
        self.start(config, Journal::in_memory().unwrap()).await
    }

    /// Starts the monitors 1 to `count`, and waits until all of them vote.
    pub(in crate::replication) async fn group(&self, count: u64) -> Vec<Node> {
        let mut nodes = vec![self.start(config(1), Journal::in_memory().unwrap()).await];
        for number in 2..=count {
            nodes.push(self.join(number).await);
        }
        for node in &nodes {
            until("all vote", || voters(node) == count as usize).await;
        }
        nodes
    }
}

/// How many vote, as this one knows; nobody while that is being changed.
pub(in crate::replication) fn voters(node: &Node) -> usize {
    let metrics = node.raft().metrics();
    let metrics = metrics.borrow();
    match metrics
        .membership_config
        .membership()
        .get_joint_config()
        .as_slice()
    {
        [voters] => voters.len(),
        _ => 0,
    }
}

/// The one that leads and can decide.
pub(in crate::replication) fn leader(nodes: &[Node]) -> Option<usize> {
    nodes.iter().position(|node| {
        let status = node.status();
        status.role == Role::Leader && status.leader == Some(status.id)
    })
}

pub(in crate::replication) fn has(node: &Node, name: &str) -> bool {
    let key = Key::new(Kind::Target, name).unwrap();
    let mut found = false;
    node.read(&mut |registry, _| found = registry.get(&key).is_some());
    found
}

pub(in crate::replication) fn monitor(name: &str) -> Monitor {
    Monitor {
        name: name.to_owned(),
        raft: format!("{name}:7000"),
        http: format!("{name}:8000"),
        agent: String::new(),
    }
}

pub(in crate::replication) fn config(number: u64) -> NodeConfig {
    NodeConfig {
        id: Some(MonitorId(number)),
        ..NodeConfig::new(monitor(&format!("m{number}")), number)
    }
}

/// A change that puts one target.
pub(in crate::replication) fn put(name: &str) -> Change {
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

/// A change of so many targets, each of some 60,000 bytes.
pub(in crate::replication) fn many(count: usize) -> Change {
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(60_000));
    let edits = (0..count).map(|number| Edit::Put {
        key: Key::new(Kind::Target, &format!("t{number}")).unwrap(),
        document: Document::new(&body, []).unwrap(),
        expect: Expect::Anything,
    });
    Change {
        edits: edits.collect(),
        ..put("none")
    }
}

pub(in crate::replication) async fn made(node: &Node, name: &str) -> Revision {
    node.change(put(name)).await.unwrap().revision
}

pub(in crate::replication) async fn refused(node: &Node, name: &str) -> ChangeError {
    node.change(put(name)).await.unwrap_err()
}

/// Opens a journal as soon as those who had it open are done with it.
pub(in crate::replication) async fn open(folder: &Path) -> Journal {
    let opened = async {
        loop {
            match Journal::open(folder) {
                Ok(journal) => return journal,
                Err(StoreError::InUse { .. }) => Group::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let opened = tokio::time::timeout(Duration::from_secs(20), opened).await;
    opened.expect("it should be closed by now")
}

/// Waits until something holds, in whichever time the test lives.
pub(in crate::replication) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            Group::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "{what}: it should have happened by now");
}
