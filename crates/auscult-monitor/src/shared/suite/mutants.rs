//! Stores with one mistake each, which the claims must find.

use auscult_core::monitor::registry::{Change, Edit, Expect, Outcome, Registry, Revision};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::super::{Age, ChangeError, SettingsStore, StoreStatus};
use super::{Claim, claims};
use crate::registry::memory::Memory;

/// What a store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// It makes edits whatever they expect.
    Unconditional,
    /// Of a batch, it makes what can be made.
    Piecemeal,
    /// It makes a change again that is asked again.
    Forgetful,
    /// It acknowledges every seventh change without making it.
    Losing,
    /// It tells a revision before it can be read, and an older one then.
    Backwards,
}

struct Mutant {
    mistake: Mistake,
    store: Memory,
    revisions: watch::Sender<Revision>,
    count: Mutex<u64>,
}

impl Mutant {
    fn new(mistake: Mistake) -> Self {
        Self {
            mistake,
            store: Memory::new(),
            revisions: watch::Sender::new(Revision::NONE),
            count: Mutex::new(0),
        }
    }

    async fn wrong(&self, mut change: Change) -> Result<Outcome, ChangeError> {
        let count = {
            let mut count = self.count.lock();
            *count += 1;
            *count
        };
        match self.mistake {
            Mistake::None | Mistake::Backwards => {}
            Mistake::Unconditional => {
                for edit in &mut change.edits {
                    let (Edit::Put { expect, .. } | Edit::Delete { expect, .. }) = edit;
                    *expect = Expect::Anything;
                }
            }
            Mistake::Piecemeal if change.edits.len() < 10 => {
                let mut last = None;
                for edit in std::mem::take(&mut change.edits) {
                    let edits = vec![edit];
                    let part = Change {
                        edits,
                        ..change.clone()
                    };
                    last = Some(self.store.change(part).await?);
                }
                return last.ok_or(ChangeError::Unclear);
            }
            Mistake::Piecemeal => {}
            Mistake::Forgetful => change.id = None,
            Mistake::Losing if count.is_multiple_of(7) => {
                let revision = self.store.status().revision;
                return Ok(Outcome {
                    revision,
                    created: 1,
                    replaced: 0,
                    deleted: 0,
                    unchanged: 0,
                });
            }
            Mistake::Losing => {}
        }
        let outcome = self.store.change(change).await?;
        let told = match self.mistake {
            Mistake::Backwards => Revision::new(outcome.revision.number() + 1),
            Mistake::None
            | Mistake::Unconditional
            | Mistake::Piecemeal
            | Mistake::Forgetful
            | Mistake::Losing => outcome.revision,
        };
        self.revisions.send_replace(told);
        tokio::task::yield_now().await;
        self.revisions.send_replace(outcome.revision);
        Ok(outcome)
    }
}

impl SettingsStore for Mutant {
    fn change(&self, change: Change) -> BoxFuture<'_, Result<Outcome, ChangeError>> {
        self.wrong(change).boxed()
    }

    fn read(&self, look: &mut dyn FnMut(&Registry, Age)) {
        self.store.read(look);
    }

    fn confirm(&self) -> BoxFuture<'_, Result<Revision, ChangeError>> {
        self.store.confirm()
    }

    fn revisions(&self) -> watch::Receiver<Revision> {
        self.revisions.subscribe()
    }

    fn status(&self) -> StoreStatus {
        self.store.status()
    }
}

/// Claims about which a store in memory cannot lie, as it counts and lists nothing.
const OF_REAL_STORES: [&str; 1] = ["a_store_tells_how_it_is"];

/// The claims that do not hold of such a store, run one by one.
fn broken_by(mistake: Mistake) -> Vec<&'static str> {
    let all = claims::ALL.iter();
    let run = all.filter(|(name, _)| !OF_REAL_STORES.contains(name));
    let broken = run.filter(|(_, claim)| {
        let claim: Claim = *claim;
        let ran = std::panic::catch_unwind(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_time().start_paused(true).build();
            let mutant = Mutant::new(mistake);
            runtime.unwrap().block_on(claim(&[&mutant]));
        });
        ran.is_err()
    });
    broken.map(|(name, _)| *name).collect()
}

#[test]
fn every_claim_holds_of_a_store_without_mistakes() {
    assert_eq!(broken_by(Mistake::None), [""; 0]);
}

#[test]
fn each_mistake_breaks_the_claim_that_is_about_it() {
    for (mistake, claim) in [
        (
            Mistake::Unconditional,
            "an_edit_that_does_not_find_what_it_expects_is_refused_with_what_is_there",
        ),
        (
            Mistake::Piecemeal,
            "a_batch_is_made_as_a_whole_or_not_at_all",
        ),
        (
            Mistake::Forgetful,
            "a_change_that_is_asked_again_elsewhere_is_made_once",
        ),
        (
            Mistake::Losing,
            "of_writers_at_the_same_time_none_is_lost_and_each_has_a_revision",
        ),
        (Mistake::Backwards, "revisions_never_go_back"),
    ] {
        let broken = broken_by(mistake);
        assert!(broken.contains(&claim), "{mistake:?} broke {broken:?}");
    }
}
