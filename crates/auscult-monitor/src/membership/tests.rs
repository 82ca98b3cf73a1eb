//! A monitor in a group of real agents.

use std::time::Duration;

use auscult_agent::{Agent, AgentConfig, AgentHandle};
use auscult_core::monitor::{EventKind as Verdict, Status};
use auscult_core::swim::{Body, Label, MemberName, Packet, Params, Update};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::serve::{ServeConfig, Server};

#[tokio::test]
async fn members_of_a_deaf_monitor_are_unknown_and_not_down() {
    let others = [member("a").await, member("b").await];
    let seed = [others[0].address().to_string()];
    assert!(others[1].join(&seed).await[0].outcome.is_ok());
    let monitor = Monitor::start(&others).await;
    let [a, b] = others;
    // All at once, as when its cable is pulled.
    tokio::join!(a.shutdown(), b.shutdown());
    monitor.until("a", Status::Unknown).await;
    monitor.until("b", Status::Unknown).await;
    let codes = monitor.codes();
    assert_eq!(codes.iter().filter(|code| *code == "isolated").count(), 1);
    assert!(!codes.iter().any(|code| code == "down"), "{codes:?}");
    assert_eq!(monitor.status("m"), Some(Status::Up));

    // One of them is there again.
    let b = member("b").await;
    b.join(&[monitor.agent.address().to_string()]).await;
    monitor.until("b", Status::Up).await;
    assert_eq!(monitor.status("a"), Some(Status::Unknown));
    assert!(monitor.codes().iter().any(|code| code == "reconnected"));
}

#[tokio::test]
async fn one_member_that_dies_among_others_is_down() {
    let others = [member("a").await, member("b").await];
    let seed = [others[0].address().to_string()];
    assert!(others[1].join(&seed).await[0].outcome.is_ok());
    let monitor = Monitor::start(&others).await;
    let [a, _b] = others;
    a.shutdown().await;
    monitor.until("a", Status::Down).await;
    assert_eq!(monitor.status("b"), Some(Status::Up));
    let codes = monitor.codes();
    assert!(!codes.iter().any(|code| code == "isolated"), "{codes:?}");
}

#[tokio::test]
async fn a_refutation_is_in_the_log_of_the_monitor() {
    let others = [member("a").await, member("b").await];
    let monitor = Monitor::start(&others).await;
    let id = |name: &str| MemberName::new(name).unwrap().id();
    let mut accusation = Packet::bare(label().tag(), id("b"), Body::Gossip);
    let incarnation = others[0].members().me().unwrap().incarnation;
    accusation.updates.push(Update::Suspect {
        member: id("a"),
        incarnation,
        by: id("b"),
    });
    let from = others[1].address();
    monitor.agent.take_packet(from, accusation).await.unwrap();
    until(|| monitor.codes().iter().any(|code| code == "refuted")).await;
    let log = monitor.engine.events().since(0, 1_000).events;
    let is_it =
        |kind: &Verdict| matches!(kind, Verdict::Membership { code, .. } if *code == "refuted");
    let said = log.iter().find(|logged| is_it(&logged.event.kind)).unwrap();
    assert_eq!(said.event.target.as_deref(), Some("a"));
    assert!(
        said.text.starts_with("member a refuted after "),
        "{}",
        said.text
    );
}

fn label() -> Label {
    Label::new("test").unwrap()
}

async fn member(name: &str) -> AgentHandle {
    let params = Params::local(label());
    let name = MemberName::new(name).unwrap();
    let config = AgentConfig::new(name, ([127, 0, 0, 1], 0).into(), params);
    Agent::start(config).await.unwrap()
}

/// A monitor that is member `m` of the group. Ends when dropped.
struct Monitor {
    engine: Engine,
    agent: AgentHandle,
    _folder: TempDir,
    _running: oneshot::Sender<()>,
}

impl Monitor {
    /// Joins these, and waits until each is up.
    async fn start(others: &[AgentHandle]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.yml");
        let seeds: Vec<String> = others.iter().map(|one| one.address().to_string()).collect();
        let text = format!(
            "membership:\n  name: m\n  bind: 127.0.0.1:0\n  label: test\n  profile: local\n  \
             join: {}\n",
            seeds.join(",")
        );
        std::fs::write(&path, text).unwrap();
        let mut config = ServeConfig::ephemeral();
        config.settings = Some(path);
        let server = Server::bind(config).await.unwrap();
        let (running, ended) = oneshot::channel();
        let monitor = Self {
            engine: server.engine().clone(),
            agent: server.agent().unwrap().clone(),
            _folder: folder,
            _running: running,
        };
        tokio::spawn(server.run(async {
            let _dropped = ended.await;
        }));
        for name in others.iter().map(|one| one.name().as_str()).chain(["m"]) {
            monitor.until(name, Status::Up).await;
        }
        monitor
    }

    fn status(&self, name: &str) -> Option<Status> {
        self.engine
            .read(|monitor, _| monitor.target(name).map(|target| target.status()))
    }

    async fn until(&self, name: &str, status: Status) {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let reached = tokio::time::timeout(PATIENCE, async {
            while self.status(name) != Some(status) {
                ticks.tick().await;
            }
        });
        let reached = reached.await;
        assert!(reached.is_ok(), "{name} is not {status}: {:?}", self.log());
    }

    fn log(&self) -> Vec<String> {
        let log = self.engine.events().since(0, 1_000).events;
        log.iter().map(|logged| logged.text.clone()).collect()
    }

    /// What was logged: statuses and codes.
    fn codes(&self) -> Vec<String> {
        let log = self.engine.events().since(0, 1_000).events;
        let code = |kind: &Verdict| {
            if let Verdict::Transition { to, .. } = kind {
                to.to_string()
            } else if let Verdict::Membership { code, .. } = kind {
                (*code).to_owned()
            } else {
                String::new()
            }
        };
        log.iter().map(|logged| code(&logged.event.kind)).collect()
    }
}

/// Waits for a condition, with a deadline.
async fn until(holds: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let deadline = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            ticks.tick().await;
        }
    });
    assert!(deadline.await.is_ok(), "not in time");
}

const PATIENCE: Duration = Duration::from_secs(30);
