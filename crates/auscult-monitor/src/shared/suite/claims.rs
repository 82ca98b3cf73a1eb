//! The claims.

use std::collections::BTreeSet;

use auscult_core::monitor::registry::{Action, Refusal};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::*;

/// A claim by its name.
macro_rules! claims {
    ($($name:ident),* $(,)?) => {
        pub(super) const ALL: &[(&str, Claim)] = &[
            $((stringify!($name), |stores| $name(stores).boxed())),*
        ];
    };
}

claims!(
    what_was_acknowledged_can_be_read_where_it_was_asked,
    what_was_acknowledged_anywhere_is_in_a_confirmed_read_everywhere,
    a_waiting_read_is_woken_by_a_change_at_another_one,
    a_put_of_what_is_there_changes_nothing,
    an_edit_that_does_not_find_what_it_expects_is_refused_with_what_is_there,
    a_batch_is_made_as_a_whole_or_not_at_all,
    refusals_say_what_is_in_the_way,
    a_change_that_is_asked_again_elsewhere_is_made_once,
    of_writers_at_the_same_time_none_is_lost_and_each_has_a_revision,
    of_conditional_writers_at_the_same_time_one_wins,
    revisions_never_go_back,
    the_history_tells_who_did_what_and_when,
    every_kind_of_setting_is_kept,
    a_change_of_thousands_is_one_revision,
    replicas_agree,
    a_store_tells_how_it_is,
);

async fn what_was_acknowledged_can_be_read_where_it_was_asked(stores: Stores<'_>) {
    for (number, store) in stores.iter().enumerate() {
        let key = target(&format!("own-{number}"));
        let edit = put_with(key.clone(), "1", Vec::new(), Expect::Nothing);
        let outcome = made(*store, vec![edit]).await;
        assert_eq!(outcome.created, 1);
        assert_eq!(body(*store, &key).as_deref(), Some("1"));
        assert!(revision(*store) >= outcome.revision);
    }
}

async fn what_was_acknowledged_anywhere_is_in_a_confirmed_read_everywhere(stores: Stores<'_>) {
    let key = target("linearizable");
    for (number, writer) in stores.iter().enumerate() {
        for round in 0..5 {
            let text = format!("{number} {round}");
            let outcome = made(*writer, vec![put("linearizable", &text)]).await;
            for reader in stores {
                let confirmed = confirmed(*reader).await;
                assert!(confirmed >= outcome.revision, "a stale read");
                assert_eq!(body(*reader, &key), Some(text.clone()), "a stale read");
            }
        }
    }
}

async fn a_waiting_read_is_woken_by_a_change_at_another_one(stores: Stores<'_>) {
    let (writer, reader) = (stores[0], stores[stores.len() - 1]);
    let before = confirmed(reader).await;
    let mut revisions = reader.revisions();
    let waiting = async {
        let told = revisions.wait_for(|told| *told > before).await;
        told.map(|told| *told).unwrap()
    };
    let waiting = tokio::time::timeout(DEADLINE, waiting);
    let (told, outcome) = tokio::join!(waiting, made(writer, vec![put("awaited", "1")]));
    assert_eq!(told.expect("it is woken"), outcome.revision);
    assert!(
        revision(reader) >= outcome.revision,
        "it is there when it is told"
    );
}

async fn a_put_of_what_is_there_changes_nothing(stores: Stores<'_>) {
    let first = made(stores[0], vec![put("same", "1")]).await;
    for store in stores {
        let again = made(*store, vec![put("same", "1")]).await;
        assert_eq!((again.unchanged, again.changes()), (1, 0));
        assert_eq!(again.revision, first.revision);
    }
    let gone = Edit::Delete {
        key: target("never-there"),
        expect: Expect::Anything,
    };
    let outcome = made(stores[0], vec![gone]).await;
    assert_eq!((outcome.changes(), outcome.revision), (0, first.revision));
}

async fn an_edit_that_does_not_find_what_it_expects_is_refused_with_what_is_there(
    stores: Stores<'_>,
) {
    let key = target("conditional");
    let edit = |body: &str, expect| vec![put_with(key.clone(), body, Vec::new(), expect)];
    let first = made(stores[0], edit("1", Expect::Nothing)).await.revision;
    let second = made(stores[0], edit("2", Expect::Revision(first))).await;
    for store in stores {
        // Whoever is asked may not have heard of it yet, and must refuse all the same.
        for expected in [Expect::Revision(first), Expect::Nothing] {
            match store.change(change(edit("3", expected))).await {
                Err(ChangeError::Refused(Refusal::Condition { found, .. })) => {
                    assert_eq!(found, Some(second.revision));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(body(*store, &key).as_deref(), Some("2"));
    }
    let missing = target("not-there");
    let edit = put_with(missing.clone(), "1", Vec::new(), Expect::Something);
    match stores[0].change(change(vec![edit])).await {
        Err(ChangeError::Refused(Refusal::Condition { found, key, .. })) => {
            assert_eq!((found, key), (None, missing));
        }
        other => panic!("{other:?}"),
    }
}

async fn a_batch_is_made_as_a_whole_or_not_at_all(stores: Stores<'_>) {
    let before = confirmed(stores[0]).await;
    let last = stores[stores.len() - 1];
    let bad = put_with(target("batch-3"), "1", Vec::new(), Expect::Something);
    let batch = vec![put("batch-1", "1"), put("batch-2", "1"), bad];
    assert!(last.change(change(batch)).await.is_err());
    for store in stores {
        assert_eq!(confirmed(*store).await, before);
        assert_eq!(body(*store, &target("batch-1")), None);
    }
    let batch = vec![put("batch-1", "1"), put("batch-2", "1")];
    let outcome = made(last, batch).await;
    assert_eq!((outcome.created, outcome.changes()), (2, 2));
    assert_eq!(outcome.revision.number(), before.number() + 1);
}

async fn refusals_say_what_is_in_the_way(stores: Stores<'_>) {
    let group = key(Kind::Group, "shops");
    let shop = |refers| vec![put_with(target("shop"), "1", refers, Expect::Anything)];
    for store in stores {
        let refused = store.change(change(shop(vec![group.clone()]))).await;
        match refused {
            Err(ChangeError::Refused(Refusal::RefersToNothing { key, to })) => {
                assert_eq!((key, to), (target("shop"), group.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    let mut both = shop(vec![group.clone()]);
    both.push(put_with(group.clone(), "1", Vec::new(), Expect::Nothing));
    made(stores[0], both).await;
    let delete = |key: &Key| Edit::Delete {
        key: key.clone(),
        expect: Expect::Anything,
    };
    let last = stores[stores.len() - 1];
    match last.change(change(vec![delete(&group)])).await {
        Err(ChangeError::Refused(Refusal::ReferredTo { key, by })) => {
            assert_eq!((key, by), (group.clone(), target("shop")));
        }
        other => panic!("{other:?}"),
    }
    let twice = vec![put("twice", "1"), put("twice", "2")];
    match last.change(change(twice)).await {
        Err(ChangeError::Refused(Refusal::NamedTwice { key })) => {
            assert_eq!(key, target("twice"));
        }
        other => panic!("{other:?}"),
    }
    let both = vec![delete(&target("shop")), delete(&group)];
    assert_eq!(made(last, both).await.deleted, 2);
}

async fn a_change_that_is_asked_again_elsewhere_is_made_once(stores: Stores<'_>) {
    let once = with_id(77, vec![put("once", "1")]);
    let first = stores[0].change(once.clone()).await.unwrap();
    made(stores[0], vec![put("once", "2")]).await;
    for store in stores {
        assert_eq!(store.change(once.clone()).await.unwrap(), first);
        confirmed(*store).await;
        assert_eq!(body(*store, &target("once")).as_deref(), Some("2"));
    }
    let refused = with_id(
        78,
        vec![put_with(target("once"), "3", Vec::new(), Expect::Nothing)],
    );
    let ask = |store: usize| stores[store].change(refused.clone());
    let (first, again) = (ask(0).await, ask(stores.len() - 1).await);
    assert_eq!(
        format!("{:?}", first.unwrap_err()),
        format!("{:?}", again.unwrap_err())
    );
}

async fn of_writers_at_the_same_time_none_is_lost_and_each_has_a_revision(stores: Stores<'_>) {
    const EACH: u64 = 20;
    let before = confirmed(stores[0]).await.number();
    let writers = stores.iter().enumerate().map(|(number, store)| async move {
        let mut revisions = Vec::new();
        for turn in 0..EACH {
            let outcome = made(*store, vec![put(&format!("w{number}-{turn}"), "1")]).await;
            revisions.push(outcome.revision.number());
        }
        revisions
    });
    let revisions: Vec<Vec<u64>> = join_all(writers).await;
    for of_one in &revisions {
        assert!(of_one.is_sorted(), "a later write has a later revision");
    }
    let all: BTreeSet<u64> = revisions.into_iter().flatten().collect();
    let count = EACH * stores.len() as u64;
    assert_eq!(all, (before + 1..=before + count).collect());
    for store in stores {
        assert_eq!(confirmed(*store).await.number(), before + count);
        for number in 0..stores.len() {
            for turn in 0..EACH {
                let key = target(&format!("w{number}-{turn}"));
                assert!(body(*store, &key).is_some(), "{key} is lost");
            }
        }
    }
}

async fn of_conditional_writers_at_the_same_time_one_wins(stores: Stores<'_>) {
    let mut at = made(stores[0], vec![put("prize", "0")]).await.revision;
    for round in 0..10 {
        let writers = stores.iter().enumerate().map(|(number, store)| {
            let text = format!("{round} of {number}");
            let edit = put_with(target("prize"), &text, Vec::new(), Expect::Revision(at));
            store.change(change(vec![edit]))
        });
        let answers = join_all(writers).await;
        let won: Vec<&Outcome> = answers.iter().filter_map(|it| it.as_ref().ok()).collect();
        let [winner] = won.as_slice() else {
            panic!("one wins: {answers:?}");
        };
        at = winner.revision;
    }
}

async fn revisions_never_go_back(stores: Stores<'_>) {
    let watched = stores.iter().map(|store| {
        let mut revisions = store.revisions();
        async move {
            let mut last = Revision::NONE;
            let mut before_end = 30;
            while before_end > 0 && revisions.changed().await.is_ok() {
                let told = *revisions.borrow_and_update();
                assert!(told >= last, "{told} after {last}");
                assert!(revision(*store) >= told, "told before it is there");
                last = told;
                before_end -= 1;
            }
        }
    });
    let writes = async {
        for number in 0..40 {
            let store = stores[number % stores.len()];
            let read_before = revision(store);
            made(store, vec![put("clock", &number.to_string())]).await;
            assert!(revision(store) > read_before);
        }
    };
    let watched = tokio::time::timeout(DEADLINE, join_all(watched));
    // Who follows may be told of several at once, so it is not known how often it is told.
    tokio::select! {
        _ = watched => {}
        () = writes => {}
    }
    let end = confirmed(stores[0]).await;
    for store in stores {
        until("all have it", || revision(*store) >= end).await;
    }
}

async fn the_history_tells_who_did_what_and_when(stores: Stores<'_>) {
    let before = confirmed(stores[0]).await;
    made(stores[0], vec![put("told", "1")]).await;
    made(stores[0], vec![put("told", "2")]).await;
    let gone = Edit::Delete {
        key: target("told"),
        expect: Expect::Something,
    };
    let mut last = change(vec![gone]);
    last.author = Author::new("bob");
    last.at = WallMillis(2_000);
    stores[stores.len() - 1].change(last).await.unwrap();
    for store in stores {
        confirmed(*store).await;
        let told: Vec<_> = read(*store, |registry| {
            let entries = registry.history(before);
            let told = entries.map(|entry| {
                let [(key, action)] = entry.edits.as_slice() else {
                    panic!("{entry:?}");
                };
                assert_eq!(*key, target("told"));
                let after = entry.revision.number() - before.number();
                (after, entry.author.as_str().to_owned(), entry.at, *action)
            });
            told.collect()
        });
        let ana = || "ana".to_owned();
        assert_eq!(
            told,
            [
                (1, ana(), WallMillis(1_000), Action::Created),
                (2, ana(), WallMillis(1_000), Action::Replaced),
                (3, "bob".to_owned(), WallMillis(2_000), Action::Deleted),
            ]
        );
    }
}

async fn every_kind_of_setting_is_kept(stores: Stores<'_>) {
    let edits = Kind::ALL.map(|kind| {
        let text = format!("{{\"of\":\"{}\"}}", kind.as_str());
        put_with(key(kind, "kept"), &text, Vec::new(), Expect::Nothing)
    });
    let outcome = made(stores[0], edits.to_vec()).await;
    assert_eq!(outcome.created, Kind::ALL.len());
    for store in stores {
        confirmed(*store).await;
        for kind in Kind::ALL {
            let found = body(*store, &key(kind, "kept"));
            let expected = format!("{{\"of\":\"{}\"}}", kind.as_str());
            assert_eq!(found, Some(expected), "{}", kind.as_str());
        }
    }
}

async fn a_change_of_thousands_is_one_revision(stores: Stores<'_>) {
    const COUNT: usize = 5_000;
    let before = confirmed(stores[0]).await;
    let text = "x".repeat(200);
    let edits = (0..COUNT).map(|number| put(&format!("many-{number}"), &text));
    let outcome = made(stores[stores.len() - 1], edits.collect()).await;
    assert_eq!(outcome.created, COUNT);
    assert_eq!(outcome.revision.number(), before.number() + 1);
    for store in stores {
        confirmed(*store).await;
        let last = target(&format!("many-{}", COUNT - 1));
        assert_eq!(body(*store, &last).as_deref(), Some(text.as_str()));
    }
}

async fn replicas_agree(stores: Stores<'_>) {
    for store in stores {
        confirmed(*store).await;
    }
    let digest = |store: &dyn SettingsStore| read(store, Registry::digest);
    for store in stores {
        assert_eq!(digest(*store), digest(stores[0]));
    }
}

async fn a_store_tells_how_it_is(stores: Stores<'_>) {
    for store in stores {
        until("it knows who leads", || store.status().leader.is_some()).await;
        let status = store.status();
        assert_eq!(status.trouble, None);
        assert_eq!(status.revision, revision(*store));
        assert!(status.age.0.is_some_and(|age| age < DEADLINE));
        assert!(status.counters.proposed > 0);
        assert_eq!(status.group, stores[0].status().group);
        until("all is applied", || {
            let status = store.status();
            status.log_last == status.log_applied
        })
        .await;
        until("all are listed", || {
            let monitors = store.status().monitors;
            let ids: BTreeSet<_> = monitors.iter().map(|it| it.id).collect();
            stores.iter().all(|other| ids.contains(&other.status().id))
        })
        .await;
    }
}
