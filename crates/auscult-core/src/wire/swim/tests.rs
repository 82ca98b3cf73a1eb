//! The native codec: golden vectors, round trips, and that nothing else is taken.

use alloc::sync::Arc;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::string::String;
use std::vec;

use super::*;
use crate::bounds::INCARNATION_MAX;
use crate::swim::{Claim, Incarnation, LabelTag, MemberId, Pace, Proof, Sequence, ViewTag, Want};
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    let pairs = bytes.iter().map(|byte| std::format!("{byte:02X}"));
    pairs.collect::<Vec<_>>().join(" ")
}

fn incarnation(number: u64) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn name() -> impl Strategy<Value = MemberName> {
    "[a-zä._:@/~+-]{1,40}".prop_map(|text| MemberName::new(&text).unwrap())
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn member() -> impl Strategy<Value = MemberId> {
    any::<u64>().prop_map(MemberId::from_bits)
}

fn any_incarnation() -> impl Strategy<Value = Incarnation> {
    prop_oneof![0..300_u64, 0..=INCARNATION_MAX].prop_map(incarnation)
}

fn update() -> impl Strategy<Value = Update> {
    let parts = (
        0..4_u8,
        name(),
        address(),
        member(),
        member(),
        any_incarnation(),
    );
    parts.prop_map(
        |(kind, name, address, member, by, incarnation)| match kind {
            0 => Update::Alive {
                name,
                address,
                incarnation,
            },
            1 => Update::Suspect {
                member,
                incarnation,
                by,
            },
            2 => Update::Dead {
                member,
                incarnation,
                by,
            },
            _ => Update::Left {
                member,
                incarnation,
            },
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let parts = (0..15_u8, any::<u16>(), any::<u16>(), any::<u64>());
    parts.prop_map(|(kind, sequence, small, large)| {
        let sequence = Sequence(sequence);
        let member = MemberId::from_bits(large);
        let origin = hearsay(small % 2 == 0);
        let view = ViewTag(small);
        match kind {
            0 => Body::Gossip,
            1 => Body::Ping {
                sequence,
                round: large >> (small % 64),
            },
            2 | 3 => Body::Ack {
                sequence,
                view,
                metadata: MetadataTag(large as u8),
                asker: if kind == 2 {
                    Asker::Known
                } else {
                    Asker::Unknown
                },
            },
            4 => Body::AskPing {
                sequence,
                target: member,
            },
            5 => Body::RelayPing {
                sequence,
                origin: member,
            },
            6 | 7 => Body::RelayAck { sequence, origin },
            8 | 9 => Body::Relayed { sequence, origin },
            10 => Body::Nack { sequence },
            11 => Body::Heartbeat {
                number: large >> (small % 64),
                pace: Pace(sequence.0),
            },
            12 => Body::Watch {
                sequence,
                proof: Proof(large as u32),
            },
            13 => Body::Watching {
                sequence,
                proof: Proof(large as u32),
                pace: Pace(small),
            },
            _ => Body::Refused(Refusal::ALL[usize::from(small) % Refusal::ALL.len()]),
        }
    })
}

fn record() -> impl Strategy<Value = Record> {
    let parts = (
        name(),
        address(),
        0..4_usize,
        any_incarnation(),
        any::<u64>(),
    );
    parts.prop_map(|(name, address, state, incarnation, version)| Record {
        name,
        address,
        claim: Claim::new(incarnation, State::ALL[state]),
        metadata: Stamp {
            epoch: Incarnation::new(incarnation.number() / (1 + version % 3)).unwrap(),
            version,
        },
    })
}

fn key() -> impl Strategy<Value = Key> {
    "[a-z./]{1,20}".prop_map(|text| Key::new(&text).unwrap())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let parts = (any_incarnation(), any::<u64>());
    parts.prop_map(|(epoch, version)| Stamp { epoch, version })
}

fn delta() -> impl Strategy<Value = Delta> {
    let value = proptest::option::of(bytes());
    let item = (key(), any::<u64>(), value).prop_map(|(key, version, value)| Item {
        key,
        version,
        value: value.map(Into::into),
    });
    let parts = (
        member(),
        stamp(),
        any::<u64>(),
        proptest::collection::vec(item, 0..4),
    );
    parts.prop_map(|(member, stamp, since, items)| Delta {
        member,
        stamp,
        since,
        items,
    })
}

fn metadata() -> impl Strategy<Value = MetadataNews> {
    prop_oneof![
        (member(), stamp()).prop_map(|(member, stamp)| MetadataNews::Stamp { member, stamp }),
        delta().prop_map(MetadataNews::Delta),
    ]
}

fn broadcast() -> impl Strategy<Value = Broadcast> {
    let key = proptest::option::of(key());
    let parts = (member(), any_incarnation(), any::<u64>(), key, bytes());
    parts.prop_map(|(origin, epoch, number, key, payload)| Broadcast {
        origin,
        epoch,
        number,
        key,
        payload: payload.into(),
    })
}

proptest! {
    #[test]
    fn packets_come_back_and_take_no_more_than_they_say(
        label in any::<u32>(),
        from in member(),
        body in body(),
        updates in proptest::collection::vec(update(), 0..6),
        metadata in proptest::collection::vec(metadata(), 0..3),
        broadcasts in proptest::collection::vec(broadcast(), 0..3),
    ) {
        let label = LabelTag(label);
        let packet = Packet { label, from, body, updates, metadata, broadcasts };
        let mut bytes = vec![];
        encode_packet(&packet, &mut bytes);
        let said = packet.updates.iter().map(Update::bytes_max).sum::<usize>()
            + packet.metadata.iter().map(MetadataNews::bytes_max).sum::<usize>()
            + packet.broadcasts.iter().map(Broadcast::bytes_max).sum::<usize>();
        prop_assert!(bytes.len() <= said + 26, "{} bytes", bytes.len());
        prop_assert_eq!(decode_packet(&bytes), Ok(packet.clone()));
        // Cut anywhere, it is either refused or one with fewer updates.
        for end in 0..bytes.len() {
            if let Ok(shorter) = decode_packet(&bytes[..end]) {
                let news = |of: &Packet| of.updates.len() + of.metadata.len() + of.broadcasts.len();
                prop_assert!(news(&shorter) < news(&packet));
            }
        }
    }

    #[test]
    fn requests_and_answers_come_back_and_nothing_shorter_is_taken(
        records in proptest::collection::vec(record(), 1..6),
        from in member(),
        round in any::<u64>(),
        kind in 0..9_u8,
        deltas in proptest::collection::vec(delta(), 0..3),
    ) {
        let label = Label::new("production").unwrap();
        let wants = deltas.iter().map(|delta| Want { member: delta.member, stamp: delta.stamp });
        let wants = wants.collect();
        let sync = Request::Sync {
            label: label.clone(),
            from: records[0].clone().into(),
            round,
            view: !round,
            metadata: round / 2,
        };
        let request = match kind {
            0 => Request::Ping { label, from },
            1 | 2 => sync,
            3 | 4 => Request::Metadata { label, from, wants },
            _ => Request::Push { label, from, records: records.clone() },
        };
        let answer = match kind {
            0 => Answer::Pong { from },
            1 => Answer::Same { from, round },
            2 => Answer::Taken,
            3 => Answer::Refused(Refusal::Full),
            4 | 5 => Answer::Metadata { from, deltas, left: round },
            _ => Answer::Records { from, round, records },
        };
        let (mut asked, mut answered) = (vec![], vec![]);
        encode_request(&request, &mut asked);
        encode_answer(&answer, &mut answered);
        prop_assert_eq!(decode_request(&asked), Ok(request));
        prop_assert_eq!(decode_answer(&answered), Ok(answer));
        for end in 0..asked.len() {
            prop_assert!(decode_request(&asked[..end]).is_err());
        }
        for end in 0..answered.len() {
            prop_assert!(decode_answer(&answered[..end]).is_err());
        }
        asked.push(0);
        answered.push(0);
        prop_assert_eq!(decode_request(&asked), Err(Malformed::Trailing));
        prop_assert_eq!(decode_answer(&answered), Err(Malformed::Trailing));
    }

    /// What is taken is taken in its one form.
    #[test]
    fn whatever_is_decoded_encodes_to_the_same_bytes(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
        kind in 0..0x36_u8,
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = MAGIC;
        }
        if let Some(at) = bytes.get_mut(13) {
            *at = kind;
        }
        if let Ok(packet) = decode_packet(&bytes) {
            let mut again = vec![];
            encode_packet(&packet, &mut again);
            prop_assert_eq!(&again, &bytes);
        }
        if let Some(at) = bytes.get_mut(1) {
            *at = kind;
        }
        let (_, _) = (decode_request(&bytes), decode_answer(&bytes));
    }
}

fn packet(body: Body, updates: Vec<Update>) -> Packet {
    let label = Label::new("test").unwrap().tag();
    Packet {
        updates,
        ..Packet::bare(label, MemberId::of("web"), body)
    }
}

/// Two messages a period of at most 94 bytes with their IP and UDP headers of 28: as `api/wire.md`
/// says.
#[test]
fn golden_vectors() {
    let ping = Body::Ping {
        sequence: Sequence(0x0102),
        round: 2_000_000,
    };
    let ack = Body::Ack {
        sequence: Sequence(0x0102),
        view: ViewTag(0xBEEF),
        metadata: MetadataTag(0xDB),
        asker: Asker::Known,
    };
    let alive = Update::Alive {
        name: MemberName::new("db").unwrap(),
        address: SocketAddr::from(([10, 0, 0, 7], 7_946)),
        incarnation: incarnation(300),
    };
    let suspect = Update::Suspect {
        member: MemberId::of("db"),
        incarnation: incarnation(300),
        by: MemberId::of("web"),
    };
    let mut sizes = vec![];
    let encoded = |packet: &Packet, sizes: &mut Vec<usize>| {
        let mut bytes = vec![];
        encode_packet(packet, &mut bytes);
        sizes.push(bytes.len());
        hex(&bytes)
    };
    assert_eq!(
        encoded(&packet(ping, vec![]), &mut sizes),
        "B1 69 1B D2 43 F3 75 A3 92 3F F0 50 C8 01 02 01 80 89 7A"
    );
    assert_eq!(
        encoded(&packet(ack, vec![]), &mut sizes),
        "B1 69 1B D2 43 F3 75 A3 92 3F F0 50 C8 02 02 01 EF BE DB"
    );
    assert!(sizes.iter().all(|&bytes| bytes <= 19), "{sizes:?}");
    assert!(sizes.iter().map(|bytes| bytes + 28).sum::<usize>() <= 94);
    assert_eq!(
        encoded(&packet(Body::Gossip, vec![alive, suspect]), &mut sizes),
        "B1 69 1B D2 43 F3 75 A3 92 3F F0 50 C8 00 10 02 64 62 04 0A 00 00 07 0A 1F AC 02 11 \
         5E D8 C1 16 B8 9D 9F 9C AC 02 F3 75 A3 92 3F F0 50 C8"
    );
}

/// As `api/wire.md` says.
#[test]
fn golden_vectors_of_metadata_and_broadcasts() {
    let stamp = Stamp {
        epoch: incarnation(300),
        version: 7,
    };
    let item = |key, version, value: Option<&[u8]>| Item {
        key: Key::new(key).unwrap(),
        version,
        value: value.map(Into::into),
    };
    let delta = Delta {
        member: MemberId::of("web"),
        stamp,
        since: 5,
        items: vec![item("role", 6, None), item("zone", 7, Some(b"b2"))],
    };
    let said = Broadcast {
        origin: MemberId::of("web"),
        epoch: incarnation(300),
        number: 1,
        key: Some(Key::new("load").unwrap()),
        payload: Arc::from(*b"high"),
    };
    let mut gossip = packet(Body::Gossip, vec![]);
    gossip.metadata = vec![MetadataNews::Delta(delta.clone())];
    gossip.broadcasts = vec![said];
    let mut bytes = vec![];
    encode_packet(&gossip, &mut bytes);
    assert_eq!(
        hex(&bytes),
        "B1 69 1B D2 43 F3 75 A3 92 3F F0 50 C8 00 19 F3 75 A3 92 3F F0 50 C8 AC 02 07 05 02 04 \
         72 6F 6C 65 06 00 04 7A 6F 6E 65 07 03 62 32 1B F3 75 A3 92 3F F0 50 C8 AC 02 01 04 6C 6F \
         61 64 04 68 69 67 68"
    );
    let member = MemberId::of("web");
    gossip.metadata = vec![MetadataNews::Stamp { member, stamp }];
    gossip.broadcasts = vec![];
    bytes.clear();
    encode_packet(&gossip, &mut bytes);
    assert_eq!(hex(&bytes[14..]), "18 F3 75 A3 92 3F F0 50 C8 AC 02 07");
    let request = Request::Metadata {
        label: Label::new("test").unwrap(),
        from: MemberId::of("db"),
        wants: vec![Want { member, stamp }],
    };
    bytes.clear();
    encode_request(&request, &mut bytes);
    assert_eq!(
        hex(&bytes),
        "B1 23 04 74 65 73 74 5E D8 C1 16 B8 9D 9F 9C 01 F3 75 A3 92 3F F0 50 C8 AC 02 07"
    );
    let answer = Answer::Metadata {
        from: member,
        deltas: vec![delta],
        left: 0,
    };
    bytes.clear();
    encode_answer(&answer, &mut bytes);
    assert_eq!(
        hex(&bytes),
        "B1 35 F3 75 A3 92 3F F0 50 C8 00 01 F3 75 A3 92 3F F0 50 C8 AC 02 07 05 02 04 72 6F 6C \
         65 06 00 04 7A 6F 6E 65 07 03 62 32"
    );
}

#[test]
fn what_is_none_says_why() {
    let check =
        |bytes: &[u8], expected| assert_eq!(decode_packet(bytes), Err(expected), "{bytes:?}");
    let head = [MAGIC, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8];
    let with = |tail: &[u8]| [&head[..], tail].concat();
    check(&[], Malformed::Truncated);
    check(&[0xAC], Malformed::Magic);
    check(&[MAGIC; 9_001], Malformed::TooLong);
    check(&head, Malformed::Truncated);
    check(&with(&[0x0F]), Malformed::Kind(0x0F));
    check(&with(&[PING, 1, 2, 0x80, 0x00]), Malformed::Number);
    check(&with(&[REFUSED, 7]), Malformed::Kind(7));
    check(&with(&[GOSSIP, 0x14]), Malformed::Kind(0x14));
    check(&with(&[GOSSIP, 0x1C]), Malformed::Kind(0x1C));
    check(&with(&[GOSSIP, ALIVE, 0]), Malformed::Name);
    // News has an order.
    let broadcast = [BROADCAST, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0];
    let stamp = [METADATA_STAMP, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1];
    let late = |kind: u8| [&[GOSSIP], &broadcast[..], &[kind]].concat();
    check(
        &with(&late(METADATA_STAMP)),
        Malformed::Kind(METADATA_STAMP),
    );
    check(&with(&late(LEFT)), Malformed::Kind(LEFT));
    let late = [&[GOSSIP], &stamp[..], &[ALIVE]].concat();
    check(&with(&late), Malformed::Kind(ALIVE));
    // More items than a member can have, though there are bytes for them.
    let head = [
        GOSSIP,
        METADATA_DELTA,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        0,
        1,
        0,
        0xC1,
        0x08,
    ];
    check(&with(&[&head[..], &[0; 5_000]].concat()), Malformed::Count);
    check(
        &with(&[&head[..], &[0; 4_000]].concat()),
        Malformed::Truncated,
    );
    check(&with(&[GOSSIP, ALIVE, 129]), Malformed::Name);
    check(&with(&[GOSSIP, ALIVE, 1, b' ']), Malformed::Name);
    check(&with(&[GOSSIP, ALIVE, 1, 0xFF]), Malformed::Utf8);
    check(&with(&[GOSSIP, ALIVE, 1, b'a', 5]), Malformed::Kind(5));
    let mut left = with(&[GOSSIP, LEFT, 1, 2, 3, 4, 5, 6, 7, 8]);
    left.extend([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]);
    check(&left, Malformed::Incarnation);
    let many = [MAGIC, ANSWER_TAKEN, 0];
    assert_eq!(decode_answer(&many), Err(Malformed::Trailing));
    // A count of records that cannot follow is refused before memory is taken for them.
    let mut push = vec![MAGIC, REQUEST_PUSH, 1, b'a', 1, 2, 3, 4, 5, 6, 7, 8];
    push.extend([0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
    assert_eq!(decode_request(&push), Err(Malformed::Truncated));
}
