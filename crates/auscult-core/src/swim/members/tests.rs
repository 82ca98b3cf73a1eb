//! The table against a dumb twin: a map from names to claims.

use std::collections::BTreeMap;
use std::format;
use std::string::String;

use super::*;
use crate::rng::Rng;
use proptest::prelude::{Strategy, prop_assert_eq, proptest};

fn record(number: u8, claim: Claim) -> Record {
    Record {
        name: MemberName::new(&format!("member-{number}")).unwrap(),
        address: SocketAddr::from(([127, 0, 0, 1], 1_000 + u16::from(number))),
        claim,
        metadata: Default::default(),
    }
}

fn claim() -> impl Strategy<Value = Claim> {
    (0..4_u64, 0..4_usize).prop_map(|(incarnation, state)| {
        Claim::new(Incarnation::new(incarnation).unwrap(), State::ALL[state])
    })
}

proptest! {
    #[test]
    fn agrees_with_a_map(steps in proptest::collection::vec((0..12_u8, 0..3_u8, claim()), 1..200)) {
        let mut members = Members::new(7);
        let alive = Claim::new(Incarnation::FIRST, State::Alive);
        members.add(record(200, alive), Instant::ORIGIN).unwrap();
        let mut twin: BTreeMap<String, Claim> = BTreeMap::new();
        twin.insert("member-200".into(), alive);
        for (number, step, claim) in steps {
            let name = format!("member-{number}");
            let slot = members.find(MemberId::of(&name));
            prop_assert_eq!(slot.is_some(), twin.contains_key(&name));
            match (slot, step) {
                (None, _) => {
                    members.add(record(number, claim), Instant::ORIGIN).unwrap();
                    twin.insert(name, claim);
                }
                (Some(slot), 0) => {
                    members.remove(slot);
                    twin.remove(&name);
                }
                (Some(slot), _) => {
                    members.set_claim(slot, claim, Instant::ORIGIN);
                    twin.insert(name, claim);
                }
            }
            members.check_invariants();
            let found: BTreeMap<String, Claim> = members
                .entries()
                .map(|(_, entry)| (entry.name.as_str().into(), entry.claim()))
                .collect();
            prop_assert_eq!(&found, &twin);
        }
    }

    /// The digest depends on what is known and not on the way to it.
    #[test]
    fn the_same_view_has_the_same_digest(claims in proptest::collection::vec(claim(), 1..20)) {
        let mut forwards = Members::new(7);
        let mut backwards = Members::new(7);
        for (number, &claim) in claims.iter().enumerate() {
            forwards.add(record(number as u8, claim), Instant::ORIGIN).unwrap();
        }
        for (number, &claim) in claims.iter().enumerate().rev() {
            let other = Claim::new(Incarnation::FIRST, State::Dead);
            let slot = backwards.add(record(number as u8, other), Instant::ORIGIN).unwrap();
            backwards.set_claim(slot, claim, Instant::ORIGIN);
        }
        prop_assert_eq!(forwards.view(), backwards.view());
    }
}

#[test]
fn a_sample_has_different_live_members_and_never_oneself() {
    let mut members = Members::new(7);
    for number in 0..20 {
        let state = if number % 5 == 4 {
            State::Dead
        } else {
            State::Alive
        };
        let claim = Claim::new(Incarnation::FIRST, state);
        members.add(record(number, claim), Instant::ORIGIN).unwrap();
    }
    let mut rng = Rng::new(1);
    for _ in 0..200 {
        let mut chosen = members.sample(&mut rng, 3, |_| true);
        assert_eq!(chosen.len(), 3);
        assert!(!chosen.contains(&ME));
        assert!(
            chosen
                .iter()
                .all(|&slot| members.entry(slot).claim().state == State::Alive)
        );
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 3);
    }
}

/// Against halving the list, with ids as they come and with those that somebody chose so that they
/// stand together.
#[test]
fn a_guess_finds_what_halving_finds() {
    let mut rng = Rng::new(4);
    for round in 0..400_u64 {
        let len = rng.below(300);
        let spread = [u64::MAX, 1 << 20, 400][round as usize % 3];
        let base = rng.next_u64();
        let mut id = || MemberId::from_bits(base.wrapping_add(rng.below(spread)));
        let mut list: Vec<_> = (0..len).map(|_| id()).collect();
        list.sort_unstable();
        list.dedup();
        // The slot of the last one is 0, that of the one before it 1.
        let ring: Vec<_> = (0..list.len() as PackedSlot).rev().collect();
        let id_of = |slot: Slot| list[list.len() - 1 - slot as usize];
        let ends = [0, u64::MAX].map(MemberId::from_bits);
        let others: Vec<_> = (0..50).map(|_| id()).collect();
        for id in list.iter().copied().chain(others).chain(ends) {
            let expected = list.binary_search(&id);
            let found = search(&ring, id_of, id);
            assert_eq!(found, expected, "{id:?} of {}", list.len());
        }
    }
}
