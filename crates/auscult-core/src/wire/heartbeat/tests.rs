//! The heartbeat datagram against golden bytes, round trips and arbitrary bytes.

use super::*;
use proptest::prelude::*;
use std::string::String;
use std::vec;

const BEAT: Heartbeat<'static> = Heartbeat {
    target: "web",
    signal: Some("beat"),
    sequence: Some(300),
    interval_hint: Some(Duration::from_millis(1_000)),
};

/// The vectors of `api/wire.md`.
#[test]
fn golden_bytes() {
    let minimal = Heartbeat {
        signal: None,
        sequence: None,
        interval_hint: None,
        ..BEAT
    };
    check_golden(minimal, b"\xacH\x01\x00\x03web");
    check_golden(BEAT, b"\xacH\x01\x07\x03web\x04beat\xac\x02\xe8\x07");
    let longest_number = Heartbeat {
        sequence: Some(u64::MAX),
        ..minimal
    };
    check_golden(
        longest_number,
        b"\xacH\x01\x02\x03web\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    );

    let mut signed = Vec::new();
    BEAT.encode_signed(&mut signed, |over| {
        assert_eq!(over, b"\xacH\x01\x0f\x03web\x04beat\xac\x02\xe8\x07");
        [7; MAC_BYTES]
    })
    .unwrap();
    let received = one(&signed).unwrap();
    assert_eq!(received.heartbeat, BEAT);
    let mac = received.mac.unwrap();
    assert_eq!(
        (mac.code, mac.over),
        ([7; MAC_BYTES], &signed[..signed.len() - MAC_BYTES])
    );
}

fn check_golden(heartbeat: Heartbeat<'_>, bytes: &[u8]) {
    let mut out = Vec::new();
    heartbeat.encode(&mut out).unwrap();
    assert_eq!(out, bytes);
    assert_eq!(
        one(bytes),
        Ok(Received {
            heartbeat,
            mac: None
        })
    );
}

fn one(datagram: &[u8]) -> Result<Received<'_>, Malformed> {
    let mut heartbeats = decode(datagram);
    let first = heartbeats.next().unwrap();
    assert_eq!(heartbeats.next(), None);
    first
}

#[test]
fn text_says_the_same() {
    let plain = Heartbeat {
        signal: None,
        sequence: None,
        interval_hint: None,
        ..BEAT
    };
    for text in ["web", "web\n", "  web \r\n", "\nweb\n\n"] {
        assert_eq!(one(text.as_bytes()).unwrap().heartbeat, plain, "{text:?}");
    }
    for text in [
        "web signal=beat seq=300 interval=1s",
        "web\tinterval=1000ms  seq=300 signal=beat\n",
    ] {
        assert_eq!(one(text.as_bytes()).unwrap().heartbeat, BEAT, "{text:?}");
    }
    let odd = "prod/größe:8080";
    assert_eq!(one(odd.as_bytes()).unwrap().heartbeat.target, odd);
}

#[test]
fn lines_are_heartbeats_of_their_own() {
    let found: Vec<_> = decode(b"a\nb seq=x\n\nc seq=3\n").collect();
    let targets: Vec<_> = found
        .iter()
        .map(|item| item.map(|received| received.heartbeat.target))
        .collect();
    assert_eq!(targets, [Ok("a"), Err(Malformed::Number), Ok("c")]);
}

#[test]
fn a_signed_line_covers_what_stands_before_its_code() {
    let code = "0F".repeat(MAC_BYTES);
    let line = std::format!("web  seq=17 mac={code}\n");
    let received = one(line.as_bytes()).unwrap();
    assert_eq!(received.heartbeat.sequence, Some(17));
    let mac = received.mac.unwrap();
    assert_eq!((mac.over, mac.code), (&b"web  seq=17"[..], [15; MAC_BYTES]));
}

#[test]
fn what_is_wrong_is_named() {
    let long = "x".repeat(ID_BYTES_MAX + 1);
    let code = "00".repeat(MAC_BYTES);
    let mut many = "a\n".repeat(HEARTBEAT_LINES_MAX + 1);
    let wrong: Vec<(Vec<u8>, Malformed)> = vec![
        (vec![], Malformed::Empty),
        (b"\n \r\n".to_vec(), Malformed::Empty),
        (
            vec![b'a'; HEARTBEAT_DATAGRAM_BYTES_MAX + 1],
            Malformed::TooLong,
        ),
        (b"\xff\xfe".to_vec(), Malformed::Utf8),
        (b"\xac".to_vec(), Malformed::Truncated),
        (b"\xacX\x01\x00\x03web".to_vec(), Malformed::Field),
        (b"\xacH\x02\x00\x03web".to_vec(), Malformed::Version(2)),
        (b"\xacH\x01\x10\x03web".to_vec(), Malformed::Flags(0x10)),
        (b"\xacH\x01\x00\x04web".to_vec(), Malformed::Truncated),
        (b"\xacH\x01\x00\x00".to_vec(), Malformed::NameLength),
        (b"\xacH\x01\x00\x81".to_vec(), Malformed::NameLength),
        (b"\xacH\x01\x00\x02\xc3\x28".to_vec(), Malformed::Utf8),
        (b"\xacH\x01\x00\x03web!".to_vec(), Malformed::Trailing),
        (b"\xacH\x01\x02\x01a\x80\x00".to_vec(), Malformed::Number),
        (
            b"\xacH\x01\x02\x01a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02".to_vec(),
            Malformed::Number,
        ),
        (b"\xacH\x01\x04\x01a\x00".to_vec(), Malformed::Interval),
        (b"\xacH\x01\x08\x01ashort".to_vec(), Malformed::Truncated),
        (long.into_bytes(), Malformed::NameLength),
        (b"web beat".to_vec(), Malformed::Field),
        (b"web colour=red".to_vec(), Malformed::Field),
        (b"web seq=1 seq=2".to_vec(), Malformed::Field),
        (b"web seq=-1".to_vec(), Malformed::Number),
        (b"web seq=18446744073709551616".to_vec(), Malformed::Number),
        (b"web interval=0s".to_vec(), Malformed::Interval),
        (b"web interval=5".to_vec(), Malformed::Interval),
        (b"web interval=50d".to_vec(), Malformed::Interval),
        (b"web mac=00".to_vec(), Malformed::Code),
        (
            std::format!("web mac={code} seq=1").into_bytes(),
            Malformed::Code,
        ),
    ];
    for (bytes, expected) in wrong {
        assert_eq!(
            one(&bytes),
            Err(expected),
            "{:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    many.push('a');
    let last = decode(many.as_bytes()).last().unwrap();
    assert_eq!(last, Err(Malformed::TooManyLines));
    assert_eq!(decode(many.as_bytes()).count(), HEARTBEAT_LINES_MAX + 1);
}

#[test]
fn what_cannot_be_read_cannot_be_written() {
    let mut out = Vec::new();
    for heartbeat in [
        Heartbeat {
            target: "a b",
            ..BEAT
        },
        Heartbeat {
            signal: Some(""),
            ..BEAT
        },
        Heartbeat {
            interval_hint: Some(Duration::ZERO),
            ..BEAT
        },
        Heartbeat {
            interval_hint: Some(Duration::from_micros(1_500)),
            ..BEAT
        },
        Heartbeat {
            interval_hint: Some(Duration::MAX),
            ..BEAT
        },
    ] {
        assert!(heartbeat.encode(&mut out).is_err());
        assert!(out.is_empty());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic_and_within_bounds(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        header in 0..3_usize,
        flags in 0..20_u8,
    ) {
        let mut datagram = match header {
            0 => vec![],
            1 => vec![MAGIC[0], MAGIC[1], VERSION, flags],
            _ => b"web seq=".to_vec(),
        };
        datagram.extend(bytes);
        prop_assert!(decode(&datagram).count() <= HEARTBEAT_LINES_MAX + 1);
        for received in decode(&datagram).flatten() {
            prop_assert!((1..=ID_BYTES_MAX).contains(&received.heartbeat.target.len()));
        }
    }

    #[test]
    fn what_is_written_is_read(
        target in "[a-zA-Z0-9ä._:@/~+-]{1,60}",
        signal in proptest::option::of("[a-z0-9-]{1,60}"),
        sequence: Option<u64>,
        millis in proptest::option::of(1..=u32::MAX),
        code: Option<[u8; MAC_BYTES]>,
    ) {
        let heartbeat = Heartbeat {
            target: &target,
            signal: signal.as_deref(),
            sequence,
            interval_hint: millis.map(|millis| Duration::from_millis(u64::from(millis))),
        };
        let mut out = Vec::new();
        match code {
            Some(code) => heartbeat.encode_signed(&mut out, |_| code),
            None => heartbeat.encode(&mut out),
        }.unwrap();
        let received = one(&out).unwrap();
        prop_assert_eq!(received.heartbeat, heartbeat);
        prop_assert_eq!(received.mac.map(|mac| mac.code), code);
        // Every proper prefix is refused: nothing in it is optional at the end.
        for end in 0..out.len() {
            prop_assert!(one(&out[..end]).is_err());
        }
    }
}
