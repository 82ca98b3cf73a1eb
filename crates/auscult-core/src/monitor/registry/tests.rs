//! What a registry promises, and a twin that keeps the promises the slow way.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn key(kind: Kind, name: &str) -> Key {
    Key::new(kind, name).unwrap()
}

fn target(name: &str) -> Key {
    key(Kind::Target, name)
}

fn document(body: &str, refers: &[&Key]) -> Document {
    Document::new(body, refers.iter().map(|&key| key.clone())).unwrap()
}

fn put(key: &Key, document: &Document, expect: Expect) -> Edit {
    Edit::Put {
        key: key.clone(),
        document: document.clone(),
        expect,
    }
}

fn delete(key: &Key, expect: Expect) -> Edit {
    Edit::Delete {
        key: key.clone(),
        expect,
    }
}

fn change(edits: Vec<Edit>) -> Change {
    Change {
        id: None,
        author: Author::new("ana"),
        at: WallMillis(1_000),
        edits,
    }
}

#[test]
fn what_is_put_is_there_with_its_revision() {
    let mut registry = Registry::default();
    let (shop, first, second) = (target("shop"), document("1", &[]), document("2", &[]));
    let made = registry.apply(&change(vec![put(&shop, &first, Expect::Nothing)]));
    let outcome = made.unwrap();
    assert_eq!((outcome.revision, outcome.created), (Revision::new(1), 1));
    let mut later = change(vec![put(
        &shop,
        &second,
        Expect::Revision(outcome.revision),
    )]);
    later.author = Author::new("ben");
    later.at = WallMillis(900);
    registry.apply(&later).unwrap();
    let setting = registry.get(&shop).unwrap();
    assert_eq!(setting.document, second);
    assert_eq!(
        (setting.created, setting.revision),
        (Revision::new(1), Revision::new(2))
    );
    assert_eq!(setting.author.as_str(), "ben");
    // A clock that went backwards does not reorder the history.
    assert_eq!(setting.at, WallMillis(1_000));
}

#[test]
fn putting_the_same_again_changes_nothing() {
    let mut registry = Registry::default();
    let edits = vec![put(&target("a"), &document("x", &[]), Expect::Anything)];
    registry.apply(&change(edits.clone())).unwrap();
    let before = registry.digest();
    let outcome = registry.apply(&change(edits)).unwrap();
    assert_eq!(
        (outcome.revision, outcome.changes(), outcome.unchanged),
        (Revision::new(1), 0, 1)
    );
    assert_eq!(registry.digest(), before);
    assert_eq!(registry.history(Revision::NONE).count(), 1);
}

#[test]
fn a_change_is_taken_whole_or_not_at_all() {
    let mut registry = Registry::default();
    let (a, b) = (target("a"), target("b"));
    registry
        .apply(&change(vec![put(
            &a,
            &document("1", &[]),
            Expect::Anything,
        )]))
        .unwrap();
    let before = registry.digest();
    let edits = vec![
        put(&b, &document("1", &[]), Expect::Nothing),
        delete(&a, Expect::Revision(Revision::new(7))),
    ];
    let refusal = registry.apply(&change(edits)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "target a should be at revision 7, but it is at revision 1"
    );
    assert_eq!(registry.digest(), before);
    assert_eq!(registry.get(&b), None);
}

#[test]
fn references_hold() {
    let mut registry = Registry::default();
    let (group, receiver, shop) = (
        key(Kind::Group, "prod"),
        key(Kind::Receiver, "pager"),
        target("shop"),
    );
    let shop_says = document("", &[&group]);
    let put_shop = change(vec![put(&shop, &shop_says, Expect::Anything)]);
    let refusal = registry.apply(&put_shop).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "target shop refers to group prod, and there is none"
    );
    // Together, in any order.
    let edits = vec![
        put(&shop, &shop_says, Expect::Anything),
        put(&group, &document("", &[&receiver]), Expect::Anything),
        put(&receiver, &document("", &[]), Expect::Anything),
    ];
    registry.apply(&change(edits)).unwrap();
    let refusal = registry
        .apply(&change(vec![delete(&group, Expect::Anything)]))
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "group prod cannot be deleted: target shop refers to it"
    );
    let circle = change(vec![put(
        &receiver,
        &document("", &[&shop]),
        Expect::Anything,
    )]);
    assert_eq!(registry.apply(&circle).unwrap_err().as_str(), "circle");
    let both = vec![
        delete(&group, Expect::Anything),
        delete(&shop, Expect::Anything),
    ];
    registry.apply(&change(both)).unwrap();
    assert_eq!(registry.referrers(&receiver).count(), 0);
    assert_eq!(registry.len(), 1);
}

/// A hundred thousand targets in one change, each the parent of the next: no way is walked twice.
#[test]
fn a_long_chain_is_one_change() {
    let mut registry = Registry::default();
    let chain: Vec<Key> = (0..100_000).map(|n| target(&n.to_string())).collect();
    let mut edits = vec![put(&chain[0], &document("", &[]), Expect::Nothing)];
    edits.extend(
        chain
            .windows(2)
            .map(|pair| put(&pair[1], &document("", &[&pair[0]]), Expect::Nothing)),
    );
    assert_eq!(registry.apply(&change(edits)).unwrap().created, chain.len());
    let closed = change(vec![put(
        &chain[0],
        &document("", &[&chain[99_999]]),
        Expect::Anything,
    )]);
    assert_eq!(registry.apply(&closed).unwrap_err().as_str(), "circle");
}

#[test]
fn a_change_that_was_answered_is_not_made_again() {
    let mut registry = Registry::default();
    let a = target("a");
    let mut create = change(vec![put(&a, &document("1", &[]), Expect::Nothing)]);
    create.id = Some(ChangeId(1));
    let answer = registry.apply(&create);
    let digest = registry.digest();
    assert_eq!(registry.apply(&create), answer);
    assert_eq!(registry.digest(), digest);
    create.id = Some(ChangeId(2));
    assert!(matches!(
        registry.apply(&create),
        Err(Refusal::Condition { .. })
    ));
}

#[test]
fn answers_and_history_are_bounded() {
    let mut registry = Registry::default();
    for number in 0..HISTORY_ENTRIES as u128 + 10 {
        let mut next = change(vec![put(
            &target("a"),
            &document(&number.to_string(), &[]),
            Expect::Anything,
        )]);
        next.id = Some(ChangeId(number));
        registry.apply(&next).unwrap();
    }
    assert_eq!(registry.history(Revision::NONE).count(), HISTORY_ENTRIES);
    assert_eq!(registry.answered().count(), ANSWERED_CHANGES_MAX);
    let many = (0..150).map(|n| {
        put(
            &target(&n.to_string()),
            &document("", &[]),
            Expect::Anything,
        )
    });
    registry.apply(&change(many.collect())).unwrap();
    let last = registry.history(Revision::NONE).last().unwrap();
    assert_eq!((last.edits.len(), last.more), (100, 50));
}

const HISTORY_ENTRIES: usize = crate::bounds::HISTORY_ENTRIES_MAX;

#[test]
fn limits_are_refused() {
    let long = "x".repeat(crate::bounds::DOCUMENT_BYTES_MAX + 1);
    assert!(matches!(
        Document::new(&long, []),
        Err(DocumentError::TooLong { .. })
    ));
    let mut registry = Registry::default();
    let twice = vec![delete(&target("a"), Expect::Anything); 2];
    assert_eq!(
        registry.apply(&change(twice)).unwrap_err().as_str(),
        "named_twice"
    );
    let many = vec![delete(&target("a"), Expect::Anything); EDITS_PER_CHANGE_MAX + 1];
    assert_eq!(
        registry.apply(&change(many)).unwrap_err().as_str(),
        "too_many_edits"
    );
}

#[test]
fn a_plan_leads_to_what_is_wanted_or_is_refused() {
    let mut registry = Registry::default();
    let says = |body| document(body, &[]);
    let edits =
        ["gone", "kept", "changed"].map(|name| put(&target(name), &says("1"), Expect::Anything));
    registry.apply(&change(edits.to_vec())).unwrap();
    let token = key(Kind::Token, "ci");
    registry
        .apply(&change(vec![put(&token, &says("t"), Expect::Anything)]))
        .unwrap();
    let wanted: BTreeMap<Key, Document> = [("kept", "1"), ("changed", "2"), ("new", "3")]
        .map(|(name, body)| (target(name), says(body)))
        .into();
    let plan = registry.plan(&[Kind::Target], &wanted);
    let steps: Vec<(&str, Action)> = plan
        .steps
        .iter()
        .map(|step| (step.key.name(), step.action))
        .collect();
    assert_eq!(
        steps,
        [
            ("changed", Action::Replaced),
            ("gone", Action::Deleted),
            ("new", Action::Created)
        ]
    );
    assert_eq!(plan.unchanged, 1);
    let mut meanwhile = registry.clone();
    meanwhile
        .apply(&change(vec![put(
            &target("gone"),
            &says("again"),
            Expect::Anything,
        )]))
        .unwrap();
    assert_eq!(
        meanwhile.apply(&change(plan.edits())).unwrap_err().as_str(),
        "condition"
    );
    registry.apply(&change(plan.edits())).unwrap();
    assert!(registry.plan(&[Kind::Target], &wanted).steps.is_empty());
    // Kinds that the file does not speak of are left alone.
    assert!(registry.get(&token).is_some());
}

/// The same rules, the slow way: a plain map, copied for each change.
#[derive(Clone, Default)]
struct Twin {
    revision: u64,
    settings: BTreeMap<Key, (Document, u64)>,
}

impl Twin {
    fn apply(&mut self, change: &Change) -> Result<usize, ()> {
        let before = self.clone();
        let mut after = self.clone();
        let mut named = Vec::new();
        for edit in &change.edits {
            let (key, expect) = match edit {
                Edit::Put { key, expect, .. } | Edit::Delete { key, expect } => (key, expect),
            };
            let found = before.settings.get(key).map(|(_, revision)| *revision);
            let fits = match expect {
                Expect::Anything => true,
                Expect::Nothing => found.is_none(),
                Expect::Something => found.is_some(),
                Expect::Revision(revision) => found == Some(revision.number()),
            };
            if !fits || named.contains(key) {
                return Err(());
            }
            named.push(key.clone());
            match edit {
                Edit::Put { document, .. } => {
                    if before
                        .settings
                        .get(key)
                        .is_none_or(|(known, _)| known != document)
                    {
                        let next = self.revision + 1;
                        after.settings.insert(key.clone(), (document.clone(), next));
                    }
                }
                Edit::Delete { .. } => {
                    after.settings.remove(key);
                }
            }
        }
        let hangs = |(document, _): &(Document, u64)| {
            document
                .refers()
                .iter()
                .any(|to| !after.settings.contains_key(to))
        };
        if after.settings.values().any(hangs) || after.has_circle() {
            return Err(());
        }
        let keys = named.iter();
        let changed = keys.filter(|key| after.settings.get(*key) != before.settings.get(*key));
        let changed = changed.count();
        after.revision += u64::from(changed > 0);
        *self = after;
        Ok(changed)
    }

    /// Takes away what refers to nothing that is left, until nothing can be taken.
    fn has_circle(&self) -> bool {
        let mut left: Vec<&Key> = self.settings.keys().collect();
        loop {
            let before = left.len();
            let still = left.clone();
            left.retain(|key| {
                let (document, _) = &self.settings[*key];
                document.refers().iter().any(|to| still.contains(&to))
            });
            if left.len() == before {
                return before > 0;
            }
        }
    }
}

fn keys() -> impl Strategy<Value = Key> {
    (0..3_usize, 0..3_u8).prop_map(|(kind, name)| key(Kind::ALL[kind], &name.to_string()))
}

fn edits() -> impl Strategy<Value = Edit> {
    let expect = prop_oneof![
        6 => Just(Expect::Anything),
        1 => Just(Expect::Nothing),
        1 => Just(Expect::Something),
        1 => (0..6_u64).prop_map(|revision| Expect::Revision(Revision::new(revision))),
    ];
    let body = (0..2_u8).prop_map(|body| String::from(if body == 0 { "a" } else { "b" }));
    let refers = proptest::collection::vec(keys(), 0..2);
    (keys(), expect, body, refers, 0..3_u8).prop_map(|(key, expect, body, refers, deletes)| {
        if deletes == 0 {
            Edit::Delete { key, expect }
        } else {
            let document = Document::new(&body, refers).unwrap();
            Edit::Put {
                key,
                document,
                expect,
            }
        }
    })
}

proptest! {
    #[test]
    fn it_agrees_with_its_twin(
        changes in proptest::collection::vec(proptest::collection::vec(edits(), 0..5), 1..30)
    ) {
        let (mut registry, mut twin) = (Registry::default(), Twin::default());
        for edits in changes {
            let change = change(edits);
            let checked = registry.check(&change);
            let made = registry.apply(&change);
            prop_assert_eq!(&checked, &made);
            let expected = twin.apply(&change);
            prop_assert_eq!(made.as_ref().map(Outcome::changes).map_err(|_| ()), expected);
            prop_assert_eq!(registry.revision().number(), twin.revision);
            let known: Vec<_> = registry
                .settings()
                .map(|(key, setting)| (key, &setting.document, setting.revision.number()))
                .collect();
            let same: Vec<_> = twin
                .settings
                .iter()
                .map(|(key, (document, revision))| (key, document, *revision))
                .collect();
            prop_assert_eq!(known, same);
        }
        // A copy in parts goes on as the first one does.
        let copy = Registry::restore(
            registry.revision(),
            registry.at(),
            registry.settings().map(|(key, setting)| (key.clone(), setting.clone())),
            registry.history(Revision::NONE).cloned(),
            registry.answered().cloned(),
        );
        prop_assert_eq!(copy.digest(), registry.digest());
        for kind in Kind::ALL {
            for (key, _) in registry.of_kind(kind) {
                prop_assert!(copy.referrers(key).eq(registry.referrers(key)));
            }
        }
    }
}
