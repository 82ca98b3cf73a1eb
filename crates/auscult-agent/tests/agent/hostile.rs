//! Bytes of those who mean no good.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_agent::Agent;
use auscult_core::rng::Rng;
use auscult_core::swim::State;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::harness::{config, start, state, until};

#[tokio::test]
async fn datagrams_of_noise_are_counted_and_change_nothing() {
    let first = start("first").await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut rng = Rng::new(7);
    for length in [1, 2, 100, 1_400, 9_001] {
        let noise: Vec<u8> = (0..length).map(|_| rng.next_u64() as u8).collect();
        socket.send_to(&noise, first.address()).await.unwrap();
    }
    let rejected = || {
        let counters = first.counters();
        counters.datagrams_malformed + counters.layer_rejected.iter().sum::<u64>()
    };
    until("all are rejected", || rejected() == 5).await;
    assert_eq!(first.members().members.len(), 1);
    assert_eq!(first.counters().datagrams_sent, 0, "noise is not answered");
}

#[tokio::test]
async fn streams_of_noise_are_closed() {
    let first = start("first").await;
    let mut rng = Rng::new(7);
    for claimed in [0_u32, 1, 100, 16 << 20, u32::MAX] {
        let mut bytes = claimed.to_le_bytes().to_vec();
        let sent = claimed.min(1_000) as usize;
        bytes.extend((0..sent).map(|_| rng.next_u64() as u8));
        let mut stream = connect(first.address()).await;
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        ends(&mut stream).await;
    }
    until("each is counted", || {
        let counters = first.counters();
        let bad = counters.streams_failed + counters.streams_malformed;
        bad + counters.layer_rejected.iter().sum::<u64>() == 5
    })
    .await;
    let second = start("second").await;
    let joined = second.join(&[first.address().to_string()]).await;
    assert!(joined[0].outcome.is_ok());
}

#[tokio::test]
async fn whoever_says_nothing_is_cut_off() {
    let first = start("first").await;
    let mut silent = connect(first.address()).await;
    let mut slow = connect(first.address()).await;
    slow.write_all(&[200, 0, 0, 0, 0xB1]).await.unwrap();
    // The time of a stream is a second with these parameters.
    for stream in [&mut silent, &mut slow] {
        ends(stream).await;
    }
    until("both are counted", || first.counters().streams_failed == 2).await;
}

#[tokio::test]
async fn those_who_hold_streams_open_keep_nobody_out() {
    let mut few = config("first");
    few.streams_max = 4;
    few.params.stream_timeout = Duration::from_secs(60);
    let first = Agent::start(few).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(connect(first.address()).await);
    }
    until("later ones push out earlier ones", || {
        first.counters().streams_evicted == 16
    })
    .await;
    ends(&mut held[0]).await;
    let second = start("second").await;
    let joined = second.join(&[first.address().to_string()]).await;
    assert!(joined[0].outcome.is_ok(), "{joined:?}");
    assert_eq!(state(&second, "first"), Some(State::Alive));
}

async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.unwrap()
}

/// Reads to the end, which comes, and says nothing.
async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    match read.unwrap() {
        Ok(_) => assert!(rest.is_empty(), "{rest:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}
