//! The store against a real etcd, where there is one (Debian: etcd-server).

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auscult_core::monitor::registry::{
    Author, Change, Document, Edit, Expect, Key, Kind, Registry, Revision, WallMillis,
};
use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::shared::{ChangeError, Monitor, SettingsStore, suite};

mod secure;

const DEADLINE: Duration = Duration::from_secs(30);

/// An etcd of one, at ports of its own.
struct Etcd {
    process: Option<Child>,
    folder: TempDir,
    client: u16,
    peer: u16,
    options: Vec<String>,
    scheme: Scheme,
}

impl Etcd {
    /// `None` where none is installed; the reason is printed.
    fn start() -> Option<Self> {
        Self::with(Scheme::Plain, Vec::new())
    }

    fn with(scheme: Scheme, options: Vec<String>) -> Option<Self> {
        let free = || {
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port()
        };
        let mut etcd = Self {
            process: None,
            folder: TempDir::new().unwrap(),
            client: free(),
            peer: free(),
            options,
            scheme,
        };
        match etcd.run() {
            Ok(()) => Some(etcd),
            Err(error) => {
                println!("skipped: etcd cannot be started ({error}); Debian has it in etcd-server");
                None
            }
        }
    }

    fn run(&mut self) -> std::io::Result<()> {
        let (client, peer) = (
            match self.scheme {
                Scheme::Plain => format!("http://127.0.0.1:{}", self.client),
                Scheme::Tls => format!("https://127.0.0.1:{}", self.client),
            },
            format!("http://127.0.0.1:{}", self.peer),
        );
        let process = Command::new("etcd")
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &format!("default={peer}")])
            .args(["--log-level", "error"])
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.process = Some(process);
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn place(&self) -> Place {
        let scheme = match self.scheme {
            Scheme::Plain => "etcd",
            Scheme::Tls => "etcds",
        };
        let text = format!("{scheme}://127.0.0.1:{}/auscult", self.client);
        text.parse().unwrap()
    }

    fn store(&self, number: u64) -> Store {
        self.store_with(number, Timing::LAN)
    }

    fn store_with(&self, number: u64, timing: Timing) -> Store {
        self.store_in(None, number, timing)
    }

    fn store_in(&self, folder: Option<PathBuf>, number: u64, timing: Timing) -> Store {
        let config = StoreConfig {
            folder,
            timing,
            ..self.config(number, Access::default())
        };
        Store::start(config).unwrap()
    }

    fn config(&self, number: u64, access: Access) -> StoreConfig {
        StoreConfig {
            place: self.place(),
            access,
            monitor: Monitor {
                name: format!("m{number}"),
                ..Monitor::default()
            },
            id: None,
            seed: number,
            timing: Timing::LAN,
            folder: None,
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let waiting = async {
        while !holds() {
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(waited.is_ok(), "not in time: {what}");
}

/// Waits for etcd as well.
async fn confirmed(store: &Store) -> Revision {
    let end = Instant::now() + DEADLINE;
    loop {
        match store.confirm().await {
            Ok(revision) => return revision,
            Err(error) => assert!(Instant::now() < end, "{error}: {:?}", store.status()),
        }
    }
}

fn key(name: &str) -> Key {
    Key::new(Kind::Target, name).unwrap()
}

fn put(name: &str, body: &str) -> Edit {
    Edit::Put {
        key: key(name),
        document: Document::new(body, Vec::new()).unwrap(),
        expect: Expect::Anything,
    }
}

fn change(edits: Vec<Edit>) -> Change {
    Change {
        id: None,
        author: Author::new("me"),
        at: WallMillis(1_000),
        edits,
    }
}

fn digest(store: &Store) -> u64 {
    let mut digest = 0;
    store.read(&mut |registry: &Registry, _| digest = registry.digest());
    digest
}

fn body(store: &Store, name: &str) -> Option<String> {
    let mut found = None;
    store.read(&mut |registry, _| {
        let setting = registry.get(&key(name));
        found = setting.map(|setting| setting.document.body().to_owned());
    });
    found
}

fn applied(store: &Store) -> u64 {
    store.revisions().borrow().number()
}

#[tokio::test]
async fn two_monitors_see_the_same_settings() {
    let Some(etcd) = Etcd::start() else { return };
    let (one, two) = (etcd.store(1), etcd.store(2));
    confirmed(&one).await;
    assert_eq!(confirmed(&two).await, Revision::NONE);
    for number in 1..=20_u64 {
        let writer = if number.is_multiple_of(2) { &one } else { &two };
        let name = format!("t{number}");
        let outcome = writer.change(change(vec![put(&name, "{}")])).await.unwrap();
        assert_eq!(outcome.revision, Revision::new(number));
        // Acknowledged is readable, and without a word of etcd.
        assert_eq!(body(writer, &name).as_deref(), Some("{}"));
    }
    assert_eq!(one.confirm().await.unwrap().number(), 20);
    assert_eq!(two.confirm().await.unwrap().number(), 20);
    assert_eq!(digest(&one), digest(&two));
    // Who does nothing learns of it as well, and soon.
    let began = Instant::now();
    one.change(change(vec![put("last", "{}")])).await.unwrap();
    until("the change at the other one", || applied(&two) == 21).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    until("both in the list", || one.status().monitors.len() == 2).await;
    assert_eq!(one.status().group, two.status().group);
}

#[tokio::test]
async fn every_promise_of_a_store_is_kept_by_one_monitor_and_by_three() {
    for count in [1, 3] {
        let Some(etcd) = Etcd::start() else { return };
        let stores: Vec<Store> = (1..=count).map(|number| etcd.store(number)).collect();
        let stores: Vec<&dyn SettingsStore> = stores.iter().map(|store| store as _).collect();
        suite::holds(&stores).await;
    }
}

#[tokio::test]
async fn a_large_batch_is_one_change_and_a_snapshot_takes_the_place_of_the_log() {
    let Some(etcd) = Etcd::start() else { return };
    let mut timing = Timing::LAN;
    timing.snapshot_after = 16;
    let one = etcd.store_with(1, timing);
    confirmed(&one).await;
    let edits =
        (0..20_000).map(|number| put(&format!("t{number}"), r#"{"url":"http://127.0.0.1:9/"}"#));
    let outcome = one.change(change(edits.collect())).await.unwrap();
    assert_eq!((outcome.created, outcome.revision.number()), (20_000, 1));
    for number in 0..40 {
        one.change(change(vec![put("t0", &number.to_string())]))
            .await
            .unwrap();
    }
    let snapshot = || {
        let state = one.inner.state.read();
        state.head.as_ref().unwrap().0.base
    };
    until("a snapshot", || snapshot() >= 16).await;
    // Who comes later reads the snapshot and what is behind it.
    let late = etcd.store(2);
    assert_eq!(confirmed(&late).await.number(), 41);
    assert_eq!(digest(&late), digest(&one));
    assert_eq!(body(&late, "t0").as_deref(), Some("39"));
    // Of two at once, either may find that the other tidied its pieces away, and what is named is
    // there in any case.
    let _either = tokio::join!(compact::compact(&late.inner), compact::compact(&one.inner));
    assert_eq!(confirmed(&etcd.store(3)).await.number(), 41);
    // The pieces of the batch are in the snapshot now, and nothing else is left of them.
    let names = || async {
        let (from, to) = one.inner.keys.all_pieces();
        let values = gateway::Values::Without;
        let range = gateway::Range {
            from,
            to: Some(to),
            limit: 0,
            revision: 0,
            values,
        };
        let found = one.inner.gateway.range(&range).await.unwrap().kvs;
        let mut names: Vec<String> = (found.iter())
            .map(|piece| one.inner.keys.name_of(&piece.key).unwrap().to_owned())
            .collect();
        names.dedup();
        names
    };
    let end = Instant::now() + DEADLINE;
    while names().await.len() != 1 {
        assert!(Instant::now() < end, "{:?}", names().await);
        tokio::task::yield_now().await;
    }
    assert!(names().await[0].starts_with("snapshot-"));
}

#[tokio::test]
async fn without_etcd_settings_stay_and_changes_are_refused_until_it_is_back() {
    let Some(mut etcd) = Etcd::start() else {
        return;
    };
    let mut timing = Timing::LAN;
    timing.change = Duration::from_millis(500);
    let one = etcd.store_with(1, timing);
    confirmed(&one).await;
    one.change(change(vec![put("shop", "1")])).await.unwrap();
    etcd.kill();
    match one.change(change(vec![put("shop", "2")])).await {
        Err(ChangeError::NoLeader { retry_after }) => assert!(retry_after > Duration::ZERO),
        other => panic!("{other:?}"),
    }
    assert!(one.confirm().await.is_err());
    assert_eq!(body(&one, "shop").as_deref(), Some("1"));
    assert!(one.status().trouble.is_some());
    etcd.run().unwrap();
    assert_eq!(confirmed(&one).await.number(), 1);
    one.change(change(vec![put("shop", "3")])).await.unwrap();
    assert_eq!(body(&one, "shop").as_deref(), Some("3"));
    until("no trouble", || one.status().trouble.is_none()).await;
    // And whoever starts while it is away begins when it is there.
    etcd.kill();
    let late = etcd.store(2);
    until("that it tried", || late.status().trouble.is_some()).await;
    assert!(late.status().leader.is_none());
    etcd.run().unwrap();
    assert_eq!(confirmed(&late).await.number(), 2);
}

#[tokio::test]
async fn settings_that_somebody_deleted_in_etcd_are_put_back_by_those_who_know_them() {
    let Some(etcd) = Etcd::start() else { return };
    let mut timing = Timing::LAN;
    timing.put_back_after = Duration::from_secs(2);
    let one = etcd.store_with(1, timing);
    confirmed(&one).await;
    one.change(change(vec![put("shop", "1")])).await.unwrap();
    let all = gateway::delete("/auscult/", "/auscult0");
    one.inner.gateway.transact(&[], &[all]).await.unwrap();
    until("the trouble told", || {
        let trouble = one.status().trouble;
        trouble.is_some_and(|text| text.contains("were deleted"))
    })
    .await;
    assert_eq!(body(&one, "shop").as_deref(), Some("1"));
    until("the end of it", || one.status().trouble.is_none()).await;
    // They are there for whoever comes, and the log goes on.
    let two = etcd.store(2);
    confirmed(&two).await;
    assert_eq!(body(&two, "shop").as_deref(), Some("1"));
    assert_eq!(one.status().group, two.status().group);
    let outcome = two.change(change(vec![put("shop", "2")])).await.unwrap();
    assert_eq!(outcome.revision, Revision::new(2));
    until("it at the other one", || applied(&one) == 2).await;
}

#[tokio::test]
async fn settings_that_somebody_put_in_the_place_of_others_wait_for_an_operator() {
    let Some(etcd) = Etcd::start() else { return };
    let one = etcd.store(1);
    confirmed(&one).await;
    one.change(change(vec![put("shop", "1")])).await.unwrap();
    let head = br#"{"format":1,"group":"another","last":0,"base":0}"#;
    let other = gateway::put("/auscult/head", head);
    one.inner.gateway.transact(&[], &[other]).await.unwrap();
    until("the trouble told", || {
        let trouble = one.status().trouble;
        trouble.is_some_and(|text| text.contains("were replaced by others"))
    })
    .await;
    assert_eq!(body(&one, "shop").as_deref(), Some("1"));
    assert!(one.change(change(vec![put("shop", "2")])).await.is_err());
}

#[tokio::test]
async fn one_that_starts_while_etcd_is_away_has_the_settings_that_it_knew() {
    let Some(mut etcd) = Etcd::start() else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let path = || Some(folder.path().to_owned());
    let one = etcd.store_in(path(), 1, Timing::LAN);
    confirmed(&one).await;
    one.change(change(vec![put("shop", "1")])).await.unwrap();
    let before = one.status();
    let kept = || std::fs::read_to_string(folder.path().join("etcd-settings"));
    until("they are kept", || {
        kept().is_ok_and(|text| text.contains("shop"))
    })
    .await;
    drop(one);
    etcd.kill();

    let again = etcd.store_in(path(), 9, Timing::LAN);
    assert_eq!(body(&again, "shop").as_deref(), Some("1"));
    assert_eq!(applied(&again), 1);
    until("it says so", || {
        let trouble = again.status().trouble.unwrap_or_default();
        trouble.contains("knew before it was started: revision 1, ")
    })
    .await;
    let status = again.status();
    assert_eq!((status.id, &status.group), (before.id, &before.group));
    assert!(status.leader.is_none() && status.age.0.is_some());
    assert!(again.confirm().await.is_err());
    assert!(again.change(change(vec![put("shop", "2")])).await.is_err());

    etcd.run().unwrap();
    assert_eq!(confirmed(&again).await, Revision::new(1));
    until("no trouble", || again.status().trouble.is_none()).await;
    again.change(change(vec![put("shop", "3")])).await.unwrap();
    assert_eq!(body(&again, "shop").as_deref(), Some("3"));
}

#[tokio::test]
async fn what_was_kept_of_other_settings_gives_way_to_what_is_there() {
    let Some(first) = Etcd::start() else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let path = || Some(folder.path().to_owned());
    let one = first.store_in(path(), 1, Timing::LAN);
    confirmed(&one).await;
    one.change(change(vec![put("shop", "1")])).await.unwrap();
    let file = folder.path().join("etcd-settings");
    until("they are kept", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("shop"))
    })
    .await;
    drop(one);
    let Some(second) = Etcd::start() else {
        return;
    };
    let other = second.store(2);
    confirmed(&other).await;
    other.change(change(vec![put("farm", "1")])).await.unwrap();
    let again = second.store_in(path(), 9, Timing::LAN);
    assert_eq!(body(&again, "shop").as_deref(), Some("1"));
    confirmed(&again).await;
    assert_eq!(body(&again, "shop"), None);
    assert_eq!(body(&again, "farm").as_deref(), Some("1"));
    // A file that is damaged is as good as none.
    drop(again);
    std::fs::write(&file, b"{\"format\":1,").unwrap();
    let again = second.store_in(path(), 9, Timing::LAN);
    confirmed(&again).await;
    assert_eq!(body(&again, "farm").as_deref(), Some("1"));
}
