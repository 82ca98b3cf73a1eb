//! Where datagrams do not pass in one direction, streams do.

use std::net::SocketAddr;

use auscult_agent::Agent;
use auscult_core::swim::State;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::harness::{config, start, state, until};

#[tokio::test]
async fn a_member_that_only_streams_reach_is_no_suspect() {
    let first = start("first").await;
    // Others reach the second one by way of an address at which datagrams are not read.
    // Both have an IP that no other test takes ports of.
    let listener = TcpListener::bind("127.0.0.78:0").await.unwrap();
    let outside = listener.local_addr().unwrap();
    let _deaf = UdpSocket::bind(outside).await.unwrap();
    let mut behind = config("second");
    behind.advertise = Some(outside);
    let free = UdpSocket::bind("127.0.0.77:0").await.unwrap();
    let bound = free.local_addr().unwrap();
    drop(free);
    behind.bind = bound;
    let second = Agent::start(behind).await.unwrap();
    tokio::spawn(forward(listener, bound));
    let joined = second.join(&[first.address().to_string()]).await;
    assert!(joined[0].outcome.is_ok(), "{joined:?}");

    until("several probes went the way round", || {
        first.counters().swim.detours >= 3
    })
    .await;
    assert_eq!(state(&first, "second"), Some(State::Alive));
    assert_eq!(first.counters().swim.suspicions, 0);
}

async fn forward(listener: TcpListener, to: SocketAddr) {
    while let Ok((mut from, _)) = listener.accept().await {
        if let Ok(mut to) = TcpStream::connect(to).await {
            let _ended = copy_bidirectional(&mut from, &mut to).await;
        }
    }
}
