//! Two or three agents' layers, and somebody between them who changes, copies and keeps datagrams.

use std::time::Duration;

use auscult_core::swim::Label;
use auscult_core::wire::swim::MAGIC;
use proptest::prelude::*;

use super::*;
use crate::keys::{Changed, Key, KeyRing, Plain, RingRefusal};

type Step = dyn Fn(&mut KeyRing) -> Result<Changed, RingRefusal>;

/// Numbers that are never the same twice, and the same in every run.
struct Counted(u64);

impl Entropy for Counted {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}

/// A datagram on its way.
#[derive(Clone, Debug)]
struct Flight {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

struct Party {
    address: SocketAddr,
    layers: Layers,
    ring: Option<Arc<SharedRing>>,
    heard: Vec<Vec<u8>>,
    rejected: Vec<LayerReject>,
}

const LABEL: &str = "test";

fn label(text: &str) -> Label {
    Label::new(text).expect("a label")
}

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn ring(byte: u8) -> KeyRing {
    KeyRing::new(key(byte))
}

fn party(number: u8, start: u64, ring: Option<KeyRing>) -> Party {
    party_of(LABEL, number, start, ring)
}

fn party_of(of: &str, number: u8, start: u64, ring: Option<KeyRing>) -> Party {
    let ring = ring.map(|ring| Arc::new(SharedRing::new(label(of), ring)));
    let layers = match &ring {
        Some(ring) => {
            let entropy = Counted(u64::from(number) << 32 | start);
            Layers::sealed(ring.clone(), Box::new(entropy)).expect("entropy")
        }
        None => Layers::plain(),
    };
    Party {
        address: SocketAddr::from(([127, 0, 0, number], 7946)),
        layers,
        ring,
        heard: Vec::new(),
        rejected: Vec::new(),
    }
}

/// A ping as the codec writes it for this cluster.
fn ping() -> Vec<u8> {
    let mut ping = vec![MAGIC];
    ping.extend(label(LABEL).tag().0.to_le_bytes());
    ping.extend([0xF3, 0x75, 0xA3, 0x92, 0x3F, 0xF0, 0x50, 0xC8]);
    ping.extend([1, 2, 1, 0x80, 0x89, 0x7A]);
    ping
}

fn numbered(number: u32) -> Vec<u8> {
    [ping(), number.to_le_bytes().to_vec()].concat()
}

const NOW: Instant = Instant::from_secs(100);

impl Party {
    fn say(&mut self, now: Instant, to: SocketAddr, body: &[u8]) -> Option<Flight> {
        let mut bytes = Vec::new();
        self.layers.wrap(now, to, body, &mut bytes);
        self.flight(to, bytes)
    }

    fn take(&mut self, now: Instant, flight: &Flight) -> Option<Flight> {
        let (mut bytes, mut reply) = (flight.bytes.clone(), Vec::new());
        match self.layers.unwrap(now, flight.from, &mut bytes, &mut reply) {
            Ok(Some(body)) => self.heard.push(body.to_vec()),
            Ok(None) => {}
            Err(reject) => self.rejected.push(reject),
        }
        self.flight(flight.from, reply)
    }

    fn flight(&self, to: SocketAddr, bytes: Vec<u8>) -> Option<Flight> {
        (!bytes.is_empty()).then_some(Flight {
            from: self.address,
            to,
            bytes,
        })
    }
}

/// Says something, and delivers that and every reply at once; gives all that was sent.
fn talk(now: Instant, from: &mut Party, to: &mut Party, body: &[u8]) -> Vec<Flight> {
    let mut sent = Vec::new();
    let mut next = from.say(now, to.address, body);
    while let Some(flight) = next {
        let receiver = if flight.to == to.address {
            &mut *to
        } else {
            &mut *from
        };
        next = receiver.take(now, &flight);
        sent.push(flight);
        assert!(sent.len() < 10, "it goes on for ever");
    }
    sent
}

fn pair() -> (Party, Party) {
    (party(1, 1, Some(ring(1))), party(2, 1, Some(ring(1))))
}

/// Two with a channel, and what was sent to make it.
fn acquainted() -> (Party, Party, Vec<Flight>) {
    let (mut a, mut b) = pair();
    let sent = talk(NOW, &mut a, &mut b, &ping());
    assert_eq!(b.heard, [ping()]);
    assert_eq!(talk(NOW, &mut b, &mut a, &ping()).len(), 1);
    assert_eq!(a.heard, [ping()]);
    (a.heard, b.heard) = (Vec::new(), Vec::new());
    (a, b, sent)
}

#[test]
fn the_first_message_takes_three_datagrams_and_the_next_ones_one() {
    let (mut a, mut b, sent) = acquainted();
    let sizes: Vec<usize> = sent.iter().map(|flight| flight.bytes.len()).collect();
    assert_eq!(
        sizes,
        [43, 51, 51 + 19 - 5],
        "ask, answer, confirm with the ping"
    );
    let sent = talk(NOW, &mut a, &mut b, &ping());
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].bytes.len(), ping().len() + 18);
    let sent = talk(NOW, &mut b, &mut a, &ping());
    assert_eq!(sent.len(), 1, "the channel serves both");
    assert!(a.rejected.is_empty() && b.rejected.is_empty());
    assert_eq!((a.heard.len(), b.heard.len()), (1, 1));
}

#[test]
fn a_confirmation_that_is_lost_costs_one_message() {
    // With nothing before it, and in place of a channel with the process before.
    let (fresh, _) = pair();
    let (_, mut b, _) = acquainted();
    for mut a in [fresh, party(1, 2, Some(ring(1)))] {
        let ask = a.say(NOW, b.address, &numbered(1)).expect("a question");
        let answer = b.take(NOW, &ask).expect("an answer");
        let _lost = a.take(NOW, &answer).expect("a confirmation");
        b.heard.clear();
        assert_eq!(talk(NOW, &mut a, &mut b, &numbered(2)).len(), 1);
        assert_eq!(talk(NOW, &mut a, &mut b, &numbered(3)).len(), 1);
        assert_eq!(b.heard, [numbered(2), numbered(3)]);
        assert_eq!(talk(NOW, &mut b, &mut a, &ping()).len(), 1);
        let data = a.say(NOW, b.address, &ping()).expect("data");
        assert_eq!(
            data.bytes.len(),
            ping().len() + 18,
            "it is known to have arrived"
        );
        assert!(a.rejected.is_empty() && b.rejected.is_empty());
    }
}

#[test]
fn both_may_begin_at_once_and_nothing_is_lost() {
    let (mut a, mut b) = pair();
    let mut flights = vec![
        a.say(NOW, b.address, &numbered(1)).expect("a question"),
        b.say(NOW, a.address, &numbered(2)).expect("a question"),
    ];
    while !flights.is_empty() {
        let flight = flights.remove(0);
        let to = if flight.to == a.address {
            &mut a
        } else {
            &mut b
        };
        flights.extend(to.take(NOW, &flight));
    }
    assert_eq!((a.heard, b.heard), (vec![numbered(2)], vec![numbered(1)]));
}

#[test]
fn a_message_that_begins_otherwise_is_carried_whole() {
    let (mut a, mut b) = pair();
    for body in [
        b"x".as_slice(),
        b"another label",
        &[0xB1, 0, 0, 0, 0, 9],
        &[7; 1_400],
    ] {
        talk(NOW, &mut a, &mut b, body);
        assert_eq!(b.heard.pop().as_deref(), Some(body));
    }
    assert!(b.rejected.is_empty());
}

#[test]
fn nothing_adds_more_than_is_announced() {
    let (mut a, mut b, _) = acquainted();
    let plain = party(3, 1, None).layers.datagram_overhead();
    assert_eq!(plain, 4);
    let most = a.layers.datagram_overhead();
    for body in [ping(), b"other".to_vec()] {
        let mut fresh = party(2, 9, Some(ring(1)));
        for flight in talk(NOW, &mut a, &mut b, &body)
            .iter()
            .chain(&talk(NOW, &mut fresh, &mut a, &body))
        {
            assert!(flight.bytes.len() <= body.len().max(1) + most);
        }
    }
}

#[test]
fn nothing_counts_twice_whenever_it_comes_again() {
    let (mut a, mut b, greeting) = acquainted();
    let data = a.say(NOW, b.address, &ping()).expect("data");
    b.take(NOW, &data);
    assert_eq!(b.heard.len(), 1);
    for old in greeting.iter().chain([&data]) {
        for later in [0, 1, 3_600] {
            let now = NOW.after(Duration::from_secs(later));
            b.take(now, old);
            a.take(now, old);
        }
    }
    assert_eq!(b.heard.len(), 1, "the copies were not taken");
    assert!(a.heard.is_empty());
    // And nothing that the copies did stands in the way of what is new.
    talk(NOW, &mut a, &mut b, &numbered(5));
    assert_eq!(b.heard.last(), Some(&numbered(5)));
    assert_eq!(talk(NOW, &mut b, &mut a, &ping()).len(), 1);
}

#[test]
fn a_restart_voids_what_was_recorded_and_loses_nothing_new() {
    let (mut a, b, mut recorded) = acquainted();
    for number in 0..20 {
        recorded.extend(a.say(NOW, b.address, &numbered(number)));
    }
    let mut restarted = party(2, 2, Some(ring(1)));
    for flight in recorded.iter().filter(|flight| flight.to == b.address) {
        restarted.take(NOW, flight);
    }
    assert!(restarted.heard.is_empty(), "{:?}", restarted.heard);
    // The one that did not restart does not know. Its next message is lost; it is asked, and knows.
    let mut now = NOW.after(Duration::from_secs(2));
    talk(now, &mut a, &mut restarted, &numbered(100));
    now = now.after(Duration::from_secs(1));
    talk(now, &mut a, &mut restarted, &numbered(101));
    assert_eq!(restarted.heard.last(), Some(&numbered(101)));
    assert_eq!(talk(now, &mut a, &mut restarted, &ping()).len(), 1);
}

#[test]
fn a_restarted_one_that_speaks_first_is_heard_at_once() {
    let (mut a, mut b, recorded) = acquainted();
    let old = a.say(NOW, b.address, &numbered(1)).expect("data");
    let mut restarted = party(1, 2, Some(ring(1)));
    assert_eq!(talk(NOW, &mut restarted, &mut b, &ping()).len(), 3);
    assert_eq!(b.heard, [ping()]);
    for flight in recorded.iter().chain([&old]) {
        b.take(NOW, flight);
    }
    assert_eq!(b.heard.len(), 1, "the process that is gone is not heard");
    assert_eq!(talk(NOW, &mut b, &mut restarted, &ping()).len(), 1);
}

#[test]
fn what_was_sealed_for_one_is_nothing_to_another_or_from_elsewhere() {
    let (mut a, b, _) = acquainted();
    let mut c = party(3, 1, Some(ring(1)));
    talk(NOW, &mut a, &mut c, &ping());
    c.heard.clear();
    let mut data = a.say(NOW, b.address, &ping()).expect("data");
    c.take(NOW, &data);
    assert_eq!(c.rejected, [LayerReject::Seal]);
    // Sent back to who sealed it, as if the other one had.
    data.from = b.address;
    a.take(NOW, &data);
    assert_eq!(a.rejected, [LayerReject::Seal]);
    data.from = SocketAddr::from(([127, 0, 0, 9], 1));
    a.take(NOW, &data);
    assert_eq!(a.rejected[1], LayerReject::NoChannel);
    assert!(c.heard.is_empty() && a.heard.is_empty());
}

/// Addresses are not sealed (decision 15). Who stands between three members may so connect one with
/// another than it meant, by the whole greeting; what comes of that is no more than this.
#[test]
fn a_diverted_greeting_misleads_and_ends_with_the_one_who_diverts() {
    let (mut a, mut b) = pair();
    let mut c = party(3, 1, Some(ring(1)));
    let (to_b, b_at) = (numbered(1), b.address);
    // Whatever a sends to b goes to c, and what c answers comes from b's address.
    let mut next = a.say(NOW, b_at, &to_b);
    let mut diverted = Vec::new();
    while let Some(flight) = next {
        diverted.push(flight.clone());
        next = if flight.to == b_at {
            c.take(NOW, &flight)
        } else {
            a.take(
                NOW,
                &Flight {
                    from: b_at,
                    ..flight
                },
            )
        };
    }
    assert_eq!(c.heard, [to_b], "it is heard by the wrong one");
    // Nothing of it is heard again, by anybody, nor is it when it was changed.
    for flight in &diverted {
        c.take(NOW, flight);
        b.take(NOW, flight);
    }
    let mut changed = a.say(NOW, b_at, &numbered(2)).expect("data");
    *changed.bytes.last_mut().expect("a byte") ^= 1;
    c.take(NOW, &changed);
    assert_eq!((c.heard.len(), b.heard.len(), a.heard.len()), (1, 0, 0));
    assert!(
        c.rejected.contains(&LayerReject::Replay),
        "{:?}",
        c.rejected
    );
    assert!(c.rejected.contains(&LayerReject::Seal), "{:?}", c.rejected);
    // The way is straight again: the first message is lost, and asked about.
    b.rejected.clear();
    let later = NOW.after(Duration::from_secs(2));
    talk(later, &mut a, &mut b, &numbered(3));
    assert_eq!(b.rejected, [LayerReject::Replay]);
    talk(later, &mut a, &mut b, &numbered(4));
    talk(later, &mut b, &mut a, &numbered(5));
    assert_eq!(
        (&b.heard, &a.heard),
        (&vec![numbered(4)], &vec![numbered(5)])
    );
    // Where there is a channel, nothing can be diverted any more.
    let data = a.say(later, b_at, &numbered(6)).expect("data");
    c.take(later, &data);
    assert_eq!(
        (c.heard.len(), c.rejected.last()),
        (1, Some(&LayerReject::Seal))
    );
}

#[test]
fn keys_change_under_way_and_nothing_is_lost() {
    let (mut a, mut b, _) = acquainted();
    let change = |party: &Party, change: &Step| {
        let shared = party.ring.as_ref().expect("a ring");
        let mut ring = shared.ring();
        assert_eq!(change(&mut ring), Ok(Changed::Done));
        shared.replace(ring);
    };
    let install = |ring: &mut KeyRing| ring.install(key(2));
    let promote = |ring: &mut KeyRing| ring.promote(key(2).id());
    let remove = |ring: &mut KeyRing| ring.remove(key(1).id());
    let steps: [&Step; 3] = [&install, &promote, &remove];
    let mut said = 0;
    for step in steps {
        for first in [true, false] {
            change(if first { &a } else { &b }, step);
            for _ in 0..3 {
                assert_eq!(talk(NOW, &mut a, &mut b, &numbered(said)).len(), 1);
                assert_eq!(talk(NOW, &mut b, &mut a, &numbered(said)).len(), 1);
                said += 1;
            }
        }
    }
    let all: Vec<Vec<u8>> = (0..said).map(numbered).collect();
    assert_eq!((&a.heard, &b.heard), (&all, &all));
    let mut late = party(3, 1, Some(ring(1)));
    talk(NOW, &mut late, &mut a, &ping());
    assert_eq!(
        a.rejected,
        [LayerReject::UnknownKey],
        "who has the old key only"
    );
}

#[test]
fn other_keys_and_labels_are_told_apart() {
    let (mut a, _) = pair();
    let mut stranger = party(4, 1, Some(ring(9)));
    talk(NOW, &mut stranger, &mut a, &ping());
    let mut elsewhere = party_of("prod", 5, 1, Some(ring(1)));
    talk(NOW, &mut elsewhere, &mut a, &ping());
    assert_eq!(a.rejected, [LayerReject::UnknownKey, LayerReject::Label]);
    assert!(a.heard.is_empty());
}

#[test]
fn plain_and_sealed_members_refuse_each_other() {
    let (mut a, _) = pair();
    let mut plain = party(6, 1, None);
    let sent = talk(NOW, &mut plain, &mut a, &ping());
    assert_eq!(sent[0].bytes.len(), ping().len() + 4);
    assert_eq!(a.rejected, [LayerReject::Plain]);
    assert_eq!(
        plain.rejected,
        [LayerReject::Sealed],
        "the question whether it can seal"
    );
    talk(NOW, &mut a, &mut plain, &ping());
    assert!(a.heard.is_empty() && plain.heard.is_empty());
}

#[test]
fn a_cluster_gets_its_first_key_without_losing_a_word() {
    let accepting = || ring(1).with_plain(Plain::Accepted);
    let mut old = party(1, 1, None);
    let mut new = party(2, 1, Some(accepting()));
    for number in 0..5 {
        talk(NOW, &mut old, &mut new, &numbered(number));
        talk(NOW, &mut new, &mut old, &numbered(number));
    }
    assert_eq!(
        (old.heard.len(), new.heard.len()),
        (5, 5),
        "plain while one has no key"
    );
    // The other one gets the key, too: within a few messages all is sealed.
    let mut old = party(1, 2, Some(accepting()));
    let now = NOW.after(Duration::from_secs(20));
    for number in 5..8 {
        talk(now, &mut old, &mut new, &numbered(number));
        talk(now, &mut new, &mut old, &numbered(number));
    }
    assert_eq!((old.heard.len(), new.heard.len()), (3, 8));
    let last = old.say(now, new.address, &ping()).expect("a datagram");
    assert_eq!(last.bytes.len(), ping().len() + 18, "sealed");
    // Then plain is no longer taken, first by one.
    let mut strict = party(1, 3, Some(ring(1)));
    let now = now.after(Duration::from_secs(20));
    for number in 8..11 {
        talk(now, &mut strict, &mut new, &numbered(number));
        talk(now, &mut new, &mut strict, &numbered(number));
    }
    assert_eq!((strict.heard.len(), new.heard.len()), (3, 11));
}

#[test]
fn where_plain_is_taken_a_peer_may_lose_its_keys() {
    let accepting = || ring(1).with_plain(Plain::Accepted);
    let (mut a, mut b) = (party(1, 1, Some(accepting())), party(2, 1, Some(ring(1))));
    talk(NOW, &mut b, &mut a, &ping());
    let mut bare = party(2, 2, None);
    talk(NOW, &mut bare, &mut a, &ping());
    talk(NOW, &mut a, &mut bare, &ping());
    assert!(bare.heard.is_empty(), "the plain one could be late");
    let now = NOW.after(Duration::from_secs(6));
    talk(now, &mut bare, &mut a, &ping());
    talk(now, &mut a, &mut bare, &ping());
    assert_eq!(bare.heard.len(), 1);
}

#[test]
fn questions_that_anybody_can_cause_are_few() {
    let (_, mut b) = pair();
    let mut forged = vec![0xB9];
    forged.extend(key(1).id().short());
    forged.extend([9; 40]);
    let mut asked = 0;
    for number in 0..2_000_u32 {
        let from = SocketAddr::from(([127, 1, (number >> 8) as u8, number as u8], 7));
        let flight = Flight {
            from,
            to: b.address,
            bytes: forged.clone(),
        };
        asked += usize::from(b.take(NOW, &flight).is_some());
    }
    assert_eq!(asked, 64);
    let from = SocketAddr::from(([127, 1, 0, 0], 7));
    let flight = Flight {
        from,
        to: b.address,
        bytes: forged,
    };
    let now = NOW.after(Duration::from_secs(1));
    let asked = (0..50).filter(|_| b.take(now, &flight).is_some()).count();
    assert_eq!(asked, 1, "one address, one question in a second");
    assert!(
        b.rejected
            .iter()
            .all(|&reject| reject == LayerReject::NoChannel)
    );
}

/// Draws what it was given, in its order.
struct Listed(Vec<[u8; 8]>);

impl Entropy for Listed {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        bytes.copy_from_slice(&self.0.remove(0));
        Ok(())
    }
}

/// The datagrams of `api/wire.md`: their values stand there, and were made by another program, too.
#[test]
fn the_golden_vectors_hold() {
    let known = |number: u8, drawn: [u8; 2]| {
        let mut party = party(number, 1, Some(KeyRing::new(golden_key())));
        let ring = party.ring.clone().expect("a ring");
        let drawn = drawn.map(|byte| [byte; 8]).to_vec();
        party.layers = Layers::sealed(ring, Box::new(Listed(drawn))).expect("entropy");
        party
    };
    assert_eq!(golden_key().id().to_string(), GOLDEN_ID);
    let (mut a, mut b) = (known(1, [0xA0, 0xA1]), known(2, [0xB0, 0xB1]));
    let mut sent = talk(NOW, &mut a, &mut b, &ping());
    sent.extend(talk(NOW, &mut b, &mut a, &ping()));
    assert_eq!((b.heard.pop(), a.heard.pop()), (Some(ping()), Some(ping())));
    sent.extend(party(3, 1, None).say(NOW, a.address, &ping()));
    let wire = include_str!("../../../../api/wire.md");
    let wire: String = wire.split_whitespace().collect();
    for flight in sent {
        let hex: String = flight
            .bytes
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        assert!(wire.contains(&hex), "not in api/wire.md: {hex}");
    }
}

fn golden_key() -> Key {
    Key::new(std::array::from_fn(|at| at as u8))
}

const GOLDEN_ID: &str = "128b5c58";

#[test]
fn every_reason_has_a_code_of_its_own() {
    let codes: std::collections::BTreeSet<_> = LayerReject::ALL.map(LayerReject::as_str).into();
    assert_eq!(codes.len(), LayerReject::ALL.len());
    for (at, reject) in LayerReject::ALL.into_iter().enumerate() {
        assert_eq!(reject as usize, at);
    }
}

proptest! {
    #[test]
    fn whatever_is_changed_in_a_datagram_is_noticed(
        which in 0..6_usize, place in any::<prop::sample::Index>(), bit in 0..8_u32, cut in any::<bool>(),
    ) {
        let (mut a, mut b, _) = acquainted();
        let mut fresh = party(1, 2, Some(ring(1)));
        let ask = fresh.say(NOW, b.address, &ping()).expect("a question");
        let answer = b.take(NOW, &ask).expect("an answer");
        let confirm = party_confirms(&mut fresh, &answer);
        // Drew the same token, and waits for the same answer.
        let mut twin = party(1, 2, Some(ring(1)));
        twin.say(NOW, b.address, &ping());
        let data = a.say(NOW, b.address, &ping()).expect("data");
        let mut plain = party(1, 3, None);
        let bare = plain.say(NOW, b.address, &ping()).expect("data");
        let mut open = party(7, 3, None);
        let (receiver, mut flight): (&mut Party, Flight) = match which {
            0 => (&mut b, ask),
            1 => (&mut twin, answer),
            2 => (&mut b, confirm),
            3 | 4 => (&mut b, data),
            _ => (&mut open, bare),
        };
        receiver.rejected.clear();
        let at = place.index(flight.bytes.len());
        if cut {
            flight.bytes.truncate(at);
        } else {
            flight.bytes[at] ^= 1_u8 << bit;
        }
        receiver.take(NOW, &flight);
        prop_assert!(receiver.heard.is_empty());
        prop_assert_eq!(receiver.rejected.len(), 1);
    }

    #[test]
    fn datagrams_may_come_in_any_order_and_are_taken_once(
        order in Just((0..300_u32).collect::<Vec<_>>()).prop_shuffle(),
        twice in prop::collection::vec(0..300_usize, 0..100),
    ) {
        let (mut a, mut b, _) = acquainted();
        let flights: Vec<Flight> = (0..300)
            .filter_map(|number| a.say(NOW, b.address, &numbered(number)))
            .collect();
        for &number in &order {
            b.take(NOW, &flights[number as usize]);
        }
        for number in twice {
            b.take(NOW, &flights[number]);
        }
        let all: Vec<Vec<u8>> = order.into_iter().map(numbered).collect();
        prop_assert_eq!(&b.heard, &all);
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0xB0..0xC0_u8, known: bool) {
        let (mut a, mut b, _) = acquainted();
        let mut forged = bytes;
        if let Some(first) = forged.first_mut() {
            *first = kind;
        }
        if known && forged.len() > 2 {
            forged[1..3].copy_from_slice(&key(1).id().short());
        }
        for from in [a.address, SocketAddr::from(([127, 0, 0, 77], 7))] {
            b.take(NOW, &Flight { from, to: b.address, bytes: forged.clone() });
        }
        prop_assert_eq!(b.rejected.len(), 2);
        prop_assert!(b.heard.is_empty());
        prop_assert_eq!(talk(NOW, &mut a, &mut b, &ping()).len(), 1);
        prop_assert_eq!(b.heard.len(), 1);
    }
}

fn party_confirms(party: &mut Party, answer: &Flight) -> Flight {
    party.take(NOW, answer).expect("a confirmation")
}
