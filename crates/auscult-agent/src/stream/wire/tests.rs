//! Two ends of a stream, and somebody between them.

use std::time::Duration;

use auscult_core::swim::Label;
use auscult_core::wire::swim::decode_answer;
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::keys::{Key, KeyRing};

const PIPE_BYTES: usize = 64 * 1024;

fn ring(byte: u8, label: &str) -> SharedRing {
    let label = Label::new(label).expect("a label");
    SharedRing::new(label, KeyRing::new(Key::new([byte; 32])))
}

fn large() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(LARGE_MESSAGES_MAX))
}

fn block<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let bounded = async { timeout(Duration::from_secs(20), future).await };
    runtime.block_on(bounded).expect("it ends")
}

/// Begins a stream between an asker and an answerer with these rings.
async fn begin(
    asks: Option<&SharedRing>,
    answers: Option<&SharedRing>,
) -> (
    Result<Wire<DuplexStream>, Broken>,
    Result<Wire<DuplexStream>, Broken>,
) {
    let (near, far) = duplex(PIPE_BYTES);
    let ask = async {
        match asks {
            Some(ring) => Wire::ask(near, ring, large()).await,
            None => {
                let mut wire = Wire::plain(near, large());
                wire.write(b"a request").await?;
                Ok(wire)
            }
        }
    };
    tokio::join!(ask, Wire::take(far, answers, large()))
}

#[test]
fn messages_of_every_size_go_both_ways() {
    let sealed = ring(1, "test");
    for ring in [None, Some(&sealed)] {
        block(async {
            let (mut near, mut far) = match ring {
                Some(_) => {
                    let (near, far) = begin(ring, ring).await;
                    (near.expect("a stream"), far.expect("a stream"))
                }
                None => {
                    let (near, far) = duplex(PIPE_BYTES);
                    (Wire::plain(near, large()), Wire::plain(far, large()))
                }
            };
            assert_eq!(near.is_sealed(), ring.is_some());
            for size in [0, 1, 16_384, 16_385, 32_768, 65_537, 1_000_000] {
                let message: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
                let (sent, read) = tokio::join!(near.write(&message), far.read());
                sent.expect("it was written");
                assert!(read.expect("a message").bytes == message, "{size} bytes");
                let (sent, read) = tokio::join!(far.write(&message), near.read());
                sent.expect("it was written");
                assert!(
                    read.expect("a message").bytes == message,
                    "{size} bytes back"
                );
            }
        });
    }
}

#[test]
fn a_plain_member_is_told_that_it_needs_a_key() {
    let ring = ring(1, "test");
    block(async {
        let (near, far) = duplex(PIPE_BYTES);
        let ask = async {
            let mut wire = Wire::plain(near, large());
            wire.write(b"a request").await.expect("it was written");
            wire.read().await.expect("an answer")
        };
        let (answer, far) = tokio::join!(ask, Wire::take(far, Some(&ring), large()));
        assert_eq!(far.err(), Some(Broken::Layer(LayerReject::Plain)));
        let answer = decode_answer(&answer.bytes).expect("an answer of the codec");
        assert_eq!(answer, Answer::Refused(Refusal::Sealed));
    });
}

#[test]
fn a_member_with_a_key_is_told_that_there_is_none_or_another() {
    let (ours, other) = (ring(1, "test"), ring(2, "test"));
    block(async {
        let (near, far) = begin(Some(&ours), None).await;
        assert_eq!(near.err(), Some(Broken::Refused(Refusal::Plain)));
        assert_eq!(far.err(), Some(Broken::Layer(LayerReject::Sealed)));
        let (near, far) = begin(Some(&ours), Some(&other)).await;
        assert_eq!(near.err(), Some(Broken::Refused(Refusal::UnknownKey)));
        assert_eq!(far.err(), Some(Broken::Layer(LayerReject::UnknownKey)));
    });
}

#[test]
fn plain_is_taken_where_it_is_accepted() {
    let label = Label::new("test").expect("a label");
    let keys = KeyRing::new(Key::new([1; 32])).with_plain(Plain::Accepted);
    let ring = SharedRing::new(label, keys);
    block(async {
        let (_near, far) = begin(None, Some(&ring)).await;
        let mut far = far.expect("a stream");
        assert!(!far.is_sealed());
        assert_eq!(far.read().await.expect("a message").bytes, b"a request");
    });
}

#[test]
fn the_label_is_bound_to_a_stream() {
    block(async {
        let (near, far) = begin(Some(&ring(1, "test")), Some(&ring(1, "prod"))).await;
        near.expect("a stream")
            .write(b"x")
            .await
            .expect("it was written");
        let read = far.expect("a stream").read().await;
        assert_eq!(read.err(), Some(Broken::Layer(LayerReject::Seal)));
    });
}

/// What a stream's first message looks like on the way, and a fresh end that would read it.
fn recorded(message: &[u8]) -> (Vec<u8>, Seals, Seals) {
    let ring = ring(1, "test");
    let sealing = ring.sealing_kept();
    let ends = |side| Seals::new(sealing.primary(), side, &[1; 16], &[2; 16]);
    let mut bytes = Vec::new();
    ends(Side::Asks).seal(message, &mut bytes);
    (bytes, ends(Side::Answers), ends(Side::Asks))
}

fn read(bytes: &[u8], seals: &mut Seals) -> Result<Vec<u8>, Broken> {
    block(async {
        let message = read_sealed(&mut &*bytes, seals, &large()).await;
        message.map(|message| message.bytes)
    })
}

#[test]
fn records_cannot_be_changed_cut_swapped_repeated_or_turned_round() {
    let message = vec![7; RECORD_BODY_MAX + 10];
    let (bytes, mut reads, _) = recorded(&message);
    assert_eq!(read(&bytes, &mut reads), Ok(message.clone()));
    assert!(read(&bytes, &mut reads).is_err(), "the same stream again");

    let first = RECORD_HEADER_BYTES + RECORD_BODY_MAX + 16;
    for at in (0..bytes.len())
        .step_by(97)
        .chain([0, 1, 2, first, first + 1, bytes.len() - 1])
    {
        for bit in [0, 7] {
            let (mut bytes, mut reads, _) = recorded(&message);
            bytes[at] ^= 1 << bit;
            assert!(read(&bytes, &mut reads).is_err(), "bit {bit} of byte {at}");
        }
    }
    let (bytes, mut reads, mut asks) = recorded(&message);
    assert!(
        read(&bytes[..first], &mut reads).is_err(),
        "the end is missing"
    );
    let (_, mut reads, _) = recorded(&message);
    let swapped = [&bytes[first..], &bytes[..first]].concat();
    assert!(read(&swapped, &mut reads).is_err(), "swapped");
    let (_, mut reads, _) = recorded(&message);
    assert!(
        read(&bytes[first..], &mut reads).is_err(),
        "the beginning is missing"
    );
    assert!(
        read(&bytes, &mut asks).is_err(),
        "sent back to who sealed it"
    );
}

/// The stream of `api/wire.md`.
#[test]
fn the_golden_vectors_hold() {
    let label = Label::new("test").expect("a label");
    let key = Key::new(std::array::from_fn(|at| at as u8));
    let ring = SharedRing::new(label, KeyRing::new(key));
    let sealing = ring.sealing_kept();
    let (asks, answers) = ([0xA2; 16], [0xB2; 16]);
    let ends = |side| Seals::new(sealing.primary(), side, &asks, &answers);
    let web = [0xF3, 0x75, 0xA3, 0x92, 0x3F, 0xF0, 0x50, 0xC8];
    let ping = [[0xB1, 0x20, 4].as_slice(), b"test", &web].concat();
    let pong = [[0xB1, 0x30].as_slice(), &web].concat();
    let mut said = [
        hello(sealing.primary().id(), &asks).to_vec(),
        Vec::new(),
        Vec::new(),
    ];
    ends(Side::Asks).seal(&ping, &mut said[1]);
    ends(Side::Answers).seal(&pong, &mut said[2]);
    let wire = include_str!("../../../../../api/wire.md");
    let wire: String = wire.split_whitespace().collect();
    for bytes in said {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        assert!(wire.contains(&hex), "not in api/wire.md: {hex}");
    }
}

#[test]
fn another_stream_opens_nothing_of_this_one() {
    let (bytes, ..) = recorded(b"a request");
    let ring = ring(1, "test");
    let sealing = ring.sealing_kept();
    for (asks, answers) in [([1; 16], [3; 16]), ([3; 16], [2; 16]), ([2; 16], [1; 16])] {
        let mut other = Seals::new(sealing.primary(), Side::Answers, &asks, &answers);
        assert!(read(&bytes, &mut other).is_err());
    }
}

#[test]
fn claims_of_length_cost_nothing() {
    // A plain claim of 16 MiB, of which nothing comes.
    let claimed = (MEMBERSHIP_FRAME_BYTES_MAX as u32).to_le_bytes();
    let read = block(async {
        read_plain(&mut [0; 10].as_slice(), claimed, &large())
            .await
            .err()
    });
    assert_eq!(read, Some(Broken::Unreachable));
    let claimed = (MEMBERSHIP_FRAME_BYTES_MAX as u32 + 1).to_le_bytes();
    let read = block(async {
        read_plain(&mut [0; 10].as_slice(), claimed, &large())
            .await
            .err()
    });
    assert_eq!(read, Some(Broken::Malformed));
    // A record of no bytes, of fewer than its tag, and of more than there may be.
    for length in [0, 15, (RECORD_BODY_MAX + 17) as u16, u16::MAX] {
        assert_eq!(
            record(length.to_le_bytes()),
            Err(LayerReject::Short),
            "{length}"
        );
    }
}

const RECORD_BODY_MAX: usize = crate::layers::stream::RECORD_BODY_MAX;
