//! Copies of a map against a dumb twin: everything the map ever was, version by version.

use std::collections::BTreeMap;
use std::format;
use std::vec;

use super::*;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

type Plain = BTreeMap<std::string::String, Vec<u8>>;

fn plain(metadata: &Metadata) -> Plain {
    let items = metadata.iter();
    items
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

fn owner() -> MemberId {
    MemberId::of("owner")
}

fn key(number: usize) -> Key {
    Key::new(&format!("key-{number}")).unwrap()
}

fn epoch(number: u64) -> Incarnation {
    Incarnation::new(number).unwrap()
}

const ROOM: usize = usize::MAX;

/// What happens next: what, to which copy or key, and a number.
fn steps() -> impl Strategy<Value = Vec<(u8, usize, usize)>> {
    proptest::collection::vec((0..12_u8, 0..4_usize, 0..200_usize), 1..80)
}

proptest! {
    /// Copies hear some deltas, in any order, from the owner and from each other, and miss the
    /// others: each one is at any time what the map was in the version that it says. Who asks the
    /// owner is what the map is now.
    #[test]
    fn a_copy_is_what_its_stamp_says(steps in steps()) {
        let mut source = Metadata::new(epoch(0));
        let mut copies = vec![Metadata::default(); 4];
        let mut history = BTreeMap::from([(source.stamp(), Plain::new())]);
        let mut on_the_way: Vec<Delta> = vec![];
        for (step, place, number) in steps {
            match step {
                0..=2 => {
                    source.set(key(number), Some(&[place as u8, number as u8])).unwrap();
                }
                // Runs of keys, so that removals are forgotten.
                3 | 4 => for at in 0..40 {
                    let value = [number as u8];
                    source.set(key(at + number), Some(&value[..]).filter(|_| step == 3)).unwrap();
                    history.insert(source.stamp(), plain(&source));
                },
                5 => {
                    source.set(key(number), None).unwrap();
                }
                6 if number < 20 => {
                    let next = epoch(source.stamp().epoch.number() + 1);
                    source.renew(next);
                }
                7 => on_the_way.push(source.delta(owner(), copies[place].stamp())),
                8 => on_the_way.push(copies[number % 4].delta(owner(), copies[place].stamp())),
                _ => if let Some(at) = number.checked_rem(on_the_way.len()) {
                    let _taken = copies[place].take(&on_the_way[at], ROOM);
                },
            }
            history.insert(source.stamp(), plain(&source));
            source.check_invariants();
            for copy in &copies {
                copy.check_invariants();
                prop_assert_eq!(Some(&plain(copy)), history.get(&copy.stamp()));
            }
        }
        for copy in &mut copies {
            let taken = copy.take(&source.delta(owner(), copy.stamp()), ROOM);
            prop_assert!(matches!(taken, Taken::Changed(_) | Taken::Known));
            prop_assert_eq!(copy.stamp(), source.stamp());
            prop_assert_eq!(plain(copy), plain(&source));
        }
    }
}

fn delta(version: u64, since: u64, items: Vec<Item>) -> Delta {
    Delta {
        member: owner(),
        stamp: Stamp {
            epoch: epoch(1),
            version,
        },
        since,
        items,
    }
}

fn item(number: usize, version: u64, value: Option<&[u8]>) -> Item {
    Item {
        key: key(number),
        version,
        value: value.map(Arc::from),
    }
}

#[test]
fn a_change_costs_its_key_and_a_joiner_gets_all() {
    let mut source = Metadata::new(epoch(1));
    for number in 0..9 {
        source.set(key(number), Some(&[0; 100])).unwrap();
    }
    let before = source.stamp();
    assert_eq!(source.set(key(3), Some(&[0; 100])), Ok(false), "no other");
    source.set(key(3), Some(b"new")).unwrap();
    source.set(key(4), None).unwrap();
    let changes = source.delta(owner(), before);
    let expected = vec![item(3, 10, Some(b"new")), item(4, 11, None)];
    assert_eq!(changes, delta(11, 9, expected));
    assert!(changes.bytes_max() < 120, "{}", changes.bytes_max());
    let all = source.delta(owner(), Stamp::default());
    assert_eq!((all.since, all.items.len()), (0, 8));
}

#[test]
fn a_delta_after_what_is_missing_is_not_taken() {
    let mut copy = Metadata::default();
    let later = delta(5, 4, vec![item(1, 5, Some(b"x"))]);
    assert_eq!(copy.take(&later, ROOM), Taken::Behind);
    let first = delta(4, 0, vec![item(1, 2, Some(b"w")), item(2, 4, Some(b"y"))]);
    assert_eq!(
        copy.take(&first, ROOM),
        Taken::Changed(vec![key(1), key(2)])
    );
    assert_eq!(copy.take(&later, ROOM), Taken::Changed(vec![key(1)]));
    assert_eq!(copy.take(&first, ROOM), Taken::Known);
    // What a removal takes away does not come back, once it is forgotten least of all.
    let removed = delta(6, 4, vec![item(1, 6, None)]);
    assert_eq!(copy.take(&removed, ROOM), Taken::Changed(vec![key(1)]));
    assert_eq!(copy.take(&later, ROOM), Taken::Known);
    assert_eq!(
        plain(&copy),
        BTreeMap::from([("key-2".into(), b"y".to_vec())])
    );
}

#[test]
fn who_is_behind_the_floor_gets_everything() {
    let mut source = Metadata::new(epoch(1));
    source.set(key(500), Some(b"stays")).unwrap();
    for number in 0..=METADATA_REMOVED_MAX {
        source.set(key(number), Some(b"goes")).unwrap();
    }
    let mut copy = Metadata::default();
    copy.take(&source.delta(owner(), copy.stamp()), ROOM);
    for number in 0..METADATA_REMOVED_MAX {
        source.set(key(number), None).unwrap();
    }
    assert_ne!(source.delta(owner(), copy.stamp()).since, 0);
    source.set(key(METADATA_REMOVED_MAX), None).unwrap();
    let all = source.delta(owner(), copy.stamp());
    assert_eq!((all.since, all.items.len()), (0, 1));
    copy.take(&all, ROOM);
    assert_eq!(plain(&copy), plain(&source));
}

/// State: unchanged, in every case.
#[test]
fn what_no_owner_would_say_is_refused() {
    let mut copy = Metadata::default();
    copy.take(&delta(4, 0, vec![item(1, 4, Some(b"x"))]), ROOM);
    let before = plain(&copy);
    let mut check = |said: Delta, room| {
        assert_eq!(copy.take(&said, room), Taken::Refused, "{said:?}");
        assert_eq!(plain(&copy), before);
        copy.check_invariants();
    };
    let large = vec![0; METADATA_BYTES_MAX];
    let number_of = |count: usize| {
        let mut items: Vec<_> = (0..count).map(|at| item(at, 5, Some(b""))).collect();
        items.sort_by(|one, other| one.key.cmp(&other.key));
        items
    };
    // Versions that the stamp does not cover, that were known, or a delta that leads nowhere.
    check(delta(6, 4, vec![item(1, 7, Some(b""))]), ROOM);
    check(delta(6, 4, vec![item(1, 4, Some(b""))]), ROOM);
    check(delta(6, 6, vec![]), ROOM);
    check(delta(6, u64::MAX, vec![]), ROOM);
    // Everything there is has no removed keys.
    check(delta(6, 0, vec![item(1, 5, None)]), ROOM);
    // A key twice, or out of order.
    check(
        delta(6, 4, vec![item(1, 5, None), item(1, 6, Some(b""))]),
        ROOM,
    );
    check(
        delta(6, 4, vec![item(2, 5, None), item(1, 6, Some(b""))]),
        ROOM,
    );
    // Too large, too many, and no room.
    check(delta(6, 4, vec![item(2, 5, Some(&large))]), ROOM);
    check(delta(6, 4, number_of(METADATA_KEYS_MAX + 1)), ROOM);
    check(
        delta(
            6,
            4,
            number_of(METADATA_KEYS_MAX + METADATA_REMOVED_MAX + 1),
        ),
        ROOM,
    );
    check(delta(6, 4, vec![item(2, 5, Some(b"y"))]), 200);
}

#[test]
fn the_owner_keeps_to_its_bounds() {
    let mut source = Metadata::new(epoch(1));
    let most = vec![1; METADATA_BYTES_MAX - "key-0".len()];
    source.set(key(0), Some(&most)).unwrap();
    let bytes = METADATA_BYTES_MAX + "key-1".len();
    let refused = source.set(key(1), Some(b""));
    assert_eq!(refused, Err(MetadataRefusal::TooLarge { bytes }));
    source.set(key(0), Some(b"")).unwrap();
    for number in 1..METADATA_KEYS_MAX {
        source.set(key(number), Some(b"")).unwrap();
    }
    let one_more = key(METADATA_KEYS_MAX);
    let refused = source.set(one_more.clone(), Some(b""));
    assert_eq!(refused, Err(MetadataRefusal::TooManyKeys));
    source.set(key(7), None).unwrap();
    assert_eq!(source.set(one_more, Some(b"")), Ok(true));
    source.check_invariants();
}

/// A newer run that has said nothing holds against an older one that said much.
#[test]
fn a_restart_begins_anew() {
    let mut copy = Metadata::default();
    copy.take(&delta(4, 0, vec![item(1, 4, Some(b"x"))]), ROOM);
    let mut again = delta(0, 0, vec![]);
    again.stamp.epoch = epoch(2);
    assert_eq!(copy.take(&again, ROOM), Taken::Changed(vec![key(1)]));
    assert_eq!(plain(&copy), Plain::new());
    let older = delta(9, 0, vec![item(1, 9, Some(b"x"))]);
    assert_eq!(copy.take(&older, ROOM), Taken::Known);
}
