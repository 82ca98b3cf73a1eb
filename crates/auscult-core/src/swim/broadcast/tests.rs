//! The queue and the memory of broadcasts, each against a dumb twin.

use std::collections::{BTreeMap, BTreeSet};
use std::vec;

use super::*;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

fn broadcast(epoch: u64, number: u64, key: Option<u8>) -> Broadcast {
    Broadcast {
        origin: MemberId::of("origin"),
        epoch: Incarnation::new(epoch).unwrap(),
        number,
        key: key.map(|key| Key::new(&std::format!("k{key}")).unwrap()),
        payload: Arc::new([]),
    }
}

proptest! {
    /// The dumb twin remembers everything. Nothing is delivered twice, or after a later one with
    /// its key; and whatever is not that old is delivered.
    #[test]
    fn each_is_delivered_once_and_in_the_order_of_its_key(
        steps in proptest::collection::vec((0..3_u64, 0..600_u64, 0..4_u8, 0..20_u64), 1..400),
    ) {
        let mut heard = Heard::default();
        let mut delivered: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut latest: BTreeMap<(u64, Option<u8>), u64> = BTreeMap::new();
        let (mut newest, mut highest) = (0, 0);
        for (epoch, number, key, jump) in steps {
            // Mostly in one run of the origin, and about where it is.
            let epoch = if jump == 0 { newest + epoch } else { newest };
            let number = if jump < 10 { highest + jump } else { number };
            // A number always comes with the same key.
            let key = Some((number % 5) as u8).filter(|_| number % 3 > 0 && key < 4);
            let noted = heard.note(&broadcast(epoch, number, key));
            heard.check_invariants();
            if epoch > newest {
                (newest, highest) = (epoch, 0);
            }
            let before = highest;
            highest = highest.max(number);
            let fresh = epoch == newest && number > 0 && number + BROADCAST_WINDOW > before;
            let new = delivered.insert((epoch, number));
            let last = latest.entry((epoch, key)).or_default();
            let in_order = key.is_none() || number >= *last;
            if noted {
                prop_assert!(new && in_order && epoch == newest, "{} {}", epoch, number);
            }
            if fresh && new && in_order {
                prop_assert!(noted, "{} {} of {}", epoch, number, before);
            }
            if fresh {
                *last = (*last).max(number);
            }
        }
    }

    /// The dumb twin: a list of everything, looked through each time.
    #[test]
    fn the_queue_sends_each_so_often_and_to_the_next_one(
        steps in proptest::collection::vec((0..4_u8, 0..3_u8, 1..5_usize), 1..200),
    ) {
        let mut queue = Broadcasts::default();
        let mut twin: Vec<(Broadcast, u32, bool)> = vec![];
        let size = broadcast(0, 0, Some(0)).bytes_max();
        for (number, (step, key, room)) in steps.into_iter().enumerate() {
            if step < 2 {
                let added = broadcast(0, number as u64 + 1, Some(key).filter(|&key| key > 0));
                twin.retain(|(old, _, _)| old.key.is_none() || old.key != added.key);
                prop_assert_eq!(queue.add(added.clone()), 0);
                twin.push((added, 0, false));
            } else {
                let to = if step == 2 { Recipient::Next } else { Recipient::Any };
                let mut found = vec![];
                queue.take(room * size, 3, to, &mut found);
                // A list sorted by what is most urgent; what has no key takes less room.
                let mut left = room * size;
                let mut order: Vec<_> = (0..twin.len()).collect();
                order.sort_by_key(|&at| (step == 2 && twin[at].2, twin[at].1, at));
                let mut expected = vec![];
                for at in order {
                    let (one, sent, told) = &mut twin[at];
                    let due = *sent < 3 || (step == 2 && !*told);
                    if due && one.bytes_max() <= left {
                        left -= one.bytes_max();
                        (*sent, *told) = (*sent + 1, *told || step == 2);
                        expected.push(one.clone());
                    }
                }
                prop_assert_eq!(found, expected);
                twin.retain(|&(_, sent, told)| sent < 3 || !told);
            }
            queue.check_invariants();
            prop_assert_eq!(queue.len(), twin.len());
        }
    }
}

/// Numbers at the end of what a number holds.
#[test]
fn the_greatest_number_is_one_like_others() {
    let mut heard = Heard::default();
    assert!(heard.note(&broadcast(0, u64::MAX - 1, Some(1))));
    assert!(heard.note(&broadcast(0, u64::MAX, Some(1))));
    assert!(!heard.note(&broadcast(0, u64::MAX, Some(1))));
    assert!(!heard.note(&broadcast(0, 1, None)));
    assert!(heard.note(&broadcast(1, 1, None)));
}

#[test]
fn what_was_sent_most_often_makes_room() {
    let mut queue = Broadcasts::default();
    for number in 1..=BROADCASTS_QUEUED_MAX as u64 {
        assert_eq!(queue.add(broadcast(0, number, None)), 0);
    }
    // Nothing was sent: the new one goes.
    assert_eq!(queue.add(broadcast(0, 1_000, None)), 1);
    let mut sent = vec![];
    queue.take(
        2 * broadcast(0, 1, None).bytes_max(),
        9,
        Recipient::Any,
        &mut sent,
    );
    let numbers: Vec<u64> = sent.iter().map(|sent| sent.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(queue.add(broadcast(0, 1_001, None)), 1);
    let queued = queue.queue.iter().map(|queued| queued.broadcast.number);
    let expected = (2..=BROADCASTS_QUEUED_MAX as u64).chain([1_001]);
    assert!(queued.eq(expected));
    queue.check_invariants();
}
