//! What every store of shared settings promises, as claims that are run over each of them: a Raft
//! group of one and of three, and etcd.
//!
//! Claims run one after the other over the same stores, each with keys of its own, and count
//! revisions from what they find.

mod claims;
mod mutants;

use std::time::Duration;

use auscult_core::monitor::registry::{
    Author, Change, ChangeId, Document, Edit, Expect, Key, Kind, Outcome, Registry, Revision,
    WallMillis,
};
use futures_util::future::BoxFuture;

use super::{ChangeError, SettingsStore};

/// Monitors that share settings, and the store of each.
pub(crate) type Stores<'a> = &'a [&'a dyn SettingsStore];

type Claim = for<'a> fn(Stores<'a>) -> BoxFuture<'a, ()>;

/// How long anything may take, in whichever time the test lives.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs every claim.
pub(crate) async fn holds(stores: Stores<'_>) {
    for store in stores {
        confirmed(*store).await;
    }
    for (name, claim) in claims::ALL {
        println!("{name}, over {} stores", stores.len());
        claim(stores).await;
    }
}

/// Waits until a store can decide, and what it has decided.
async fn confirmed(store: &dyn SettingsStore) -> Revision {
    let asking = async {
        loop {
            match store.confirm().await {
                Ok(revision) => return revision,
                Err(ChangeError::NoLeader { .. }) => pause().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let confirmed = tokio::time::timeout(DEADLINE, asking).await;
    confirmed.unwrap_or_else(|_| panic!("never confirmed: {:?}", store.status()))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            pause().await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(waited.is_ok(), "never: {what}");
}

/// Lets others go on. An interval, as it passes in virtual time as well.
async fn pause() {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    ticks.tick().await;
    ticks.tick().await;
}

fn key(kind: Kind, name: &str) -> Key {
    Key::new(kind, name).unwrap()
}

fn target(name: &str) -> Key {
    key(Kind::Target, name)
}

fn put_with(key: Key, body: &str, refers: Vec<Key>, expect: Expect) -> Edit {
    let document = Document::new(body, refers).unwrap();
    Edit::Put {
        key,
        document,
        expect,
    }
}

fn put(name: &str, body: &str) -> Edit {
    put_with(target(name), body, Vec::new(), Expect::Anything)
}

fn change(edits: Vec<Edit>) -> Change {
    Change {
        id: None,
        author: Author::new("ana"),
        at: WallMillis(1_000),
        edits,
    }
}

fn with_id(id: u128, edits: Vec<Edit>) -> Change {
    Change {
        id: Some(ChangeId(id)),
        ..change(edits)
    }
}

async fn made(store: &dyn SettingsStore, edits: Vec<Edit>) -> Outcome {
    store.change(change(edits)).await.unwrap()
}

fn read<R>(store: &dyn SettingsStore, look: impl Fn(&Registry) -> R) -> R {
    let mut found = None;
    store.read(&mut |registry, _| found = Some(look(registry)));
    found.unwrap()
}

fn body(store: &dyn SettingsStore, key: &Key) -> Option<String> {
    read(store, |registry| {
        let setting = registry.get(key);
        setting.map(|setting| setting.document.body().to_owned())
    })
}

fn revision(store: &dyn SettingsStore) -> Revision {
    read(store, Registry::revision)
}
