//! Reading answers: however the bytes are cut, and whatever they are.

use proptest::prelude::*;

use super::super::http1::{BODY_BYTES_MAX, BodyUse, DRAIN_BYTES_MAX, Head, Malformed, Reader};

/// What became of an answer: head, body, done, reusable.
type Read = Result<(Option<Head>, Vec<u8>, bool, bool), Malformed>;

fn read(pieces: &[&[u8]], body_use: BodyUse) -> Read {
    let mut reader = Reader::new(body_use);
    for piece in pieces {
        reader.feed(piece)?;
    }
    let (done, reusable) = (reader.is_done(), reader.is_reusable());
    let head = reader.head().cloned();
    Ok((head, reader.into_parts().1, done, reusable))
}

fn whole(bytes: &[u8]) -> (u16, String, bool, bool) {
    let (head, body, done, reusable) = read(&[bytes], BodyUse::Keep).unwrap();
    let status = head.map_or(0, |head| head.status);
    (status, String::from_utf8(body).unwrap(), done, reusable)
}

fn malformed(bytes: &[u8]) -> String {
    read(&[bytes], BodyUse::Keep).unwrap_err().0
}

#[test]
fn an_answer_ends_where_its_framing_says() {
    let known = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
    assert_eq!(whole(known), (200, "fine".into(), true, true));
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        2\r\nfi\r\n002;name=\"v\"\r\nne\r\n0\r\nx: y\r\n\r\n";
    assert_eq!(whole(chunked), (200, "fine".into(), true, true));
    let endless = b"HTTP/1.1 200 OK\r\n\r\nfine";
    assert_eq!(whole(endless), (200, "fine".into(), false, false));
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine";
    assert_eq!(whole(short), (200, "fine".into(), false, false));
    for status in ["204 No Content", "304 Not Modified"] {
        let bodiless = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\n");
        let (_, body, done, reusable) = whole(bodiless.as_bytes());
        assert_eq!((body.as_str(), done, reusable), ("", true, true));
    }
}

#[test]
fn heads_before_the_real_one_are_passed_over() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
        HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(whole(answer), (200, String::new(), true, true));
    let many = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(9);
    assert_eq!(malformed(&many), "too many 1xx answers");
}

#[test]
fn a_connection_is_reused_only_if_both_sides_agree_on_its_state() {
    let reusable = |head: &str| whole(format!("{head}\r\ncontent-length: 0\r\n\r\n").as_bytes()).3;
    assert!(reusable("HTTP/1.1 200 OK"));
    assert!(!reusable("HTTP/1.1 200 OK\r\nConnection: Close"));
    assert!(!reusable("HTTP/1.0 200 OK"));
    assert!(reusable("HTTP/1.0 200 OK\r\nconnection: keep-alive"));
    let surplus = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert_eq!(whole(surplus), (200, String::new(), true, false));
    let ambiguous = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n\
        0\r\n\r\n";
    assert_eq!(whole(ambiguous), (200, String::new(), true, false));
}

#[test]
fn answers_that_are_none_say_why() {
    let ssh = malformed(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
    assert!(
        ssh.starts_with("not an HTTP answer: ") && ssh.contains("SSH-2.0-OpenSSH"),
        "{ssh}"
    );
    let head = "HTTP/1.1 200 OK\r\n";
    for (rest, why) in [
        (
            "content-length: -1\r\n\r\n",
            "the content length is no number",
        ),
        (
            "content-length: 1\r\ncontent-length: 2\r\n\r\n",
            "the content length is no number",
        ),
        (
            "transfer-encoding: chunked\r\n\r\nxyz\r\n",
            "a chunk has no valid size",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n\r\n",
            "a chunk has no valid size",
        ),
        (
            "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "a chunk has no valid size",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n1\r\nab",
            "a chunk is longer than its size says",
        ),
    ] {
        assert_eq!(
            malformed(format!("{head}{rest}").as_bytes()),
            why,
            "{rest:?}"
        );
    }
    let long = format!("{head}x: {}\r\n", "y".repeat(70_000));
    assert!(malformed(long.as_bytes()).contains("longer than 65536 bytes"));
    assert_eq!(
        malformed(b"HTTP/1.1 101 Switching\r\n\r\n"),
        "the server switched protocols"
    );
}

#[test]
fn bodies_are_read_to_their_limits_and_no_further() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n";
    for (body_use, limit, kept) in [
        (BodyUse::Keep, BODY_BYTES_MAX, BODY_BYTES_MAX),
        (BodyUse::Drain, DRAIN_BYTES_MAX, 0),
        (BodyUse::Absent, 0, 0),
    ] {
        let body = vec![b'x'; limit];
        let (_, collected, done, reusable) = read(&[head, &body], body_use).unwrap();
        assert_eq!((collected.len(), done), (kept, true), "{body_use:?}");
        assert_eq!(reusable, body_use == BodyUse::Absent, "{body_use:?}");
    }
}

fn answers() -> impl Strategy<Value = Vec<u8>> {
    let length = any::<Vec<u8>>().prop_map(|body| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    });
    let chunks = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..5);
    let chunked = chunks.prop_map(|chunks| {
        let mut bytes = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in chunks {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(&chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    });
    let garbage = any::<Vec<u8>>().prop_map(|bytes| [b"HTTP/1.1 2".to_vec(), bytes].concat());
    prop_oneof![length, chunked, garbage]
}

proptest! {
    /// Cutting the bytes elsewhere changes nothing.
    #[test]
    fn how_bytes_are_cut_makes_no_difference(
        bytes in answers(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..10),
    ) {
        let at_once = read(&[&bytes], BodyUse::Keep);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(&bytes[start..cut]);
            start = cut;
        }
        let in_pieces = read(&pieces, BodyUse::Keep);
        match (at_once, in_pieces) {
            (Err(_), Err(_)) => {}
            (at_once, in_pieces) => prop_assert_eq!(at_once, in_pieces),
        }
    }

    #[test]
    fn whole_answers_are_read_whole(body: Vec<u8>) {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let (_, read, done, reusable) =
            read(&[head.as_bytes(), &body], BodyUse::Keep).unwrap();
        prop_assert_eq!((read, done, reusable), (body, true, true));
    }
}
