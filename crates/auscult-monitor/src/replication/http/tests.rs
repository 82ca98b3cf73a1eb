//! Real monitors over loopback.

use std::sync::Arc;
use std::time::Duration;

use auscult_agent::http::connections::{ConnectionCounters, ConnectionLimits, serve};
use auscult_agent::http::stop::{Stop, Stopper};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::tests::stage::{config, has, leader, made, until, voters};
use super::super::*;
use super::*;
use crate::shared::SettingsStore as _;

struct Served {
    node: Node,
    address: String,
    stopper: Stopper,
    serving: JoinHandle<()>,
}

async fn start(number: u64, join: Vec<String>) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let calls = Calls::new();
    let (stopper, stop) = Stop::channel();
    let serving = tokio::spawn(serve(
        listener,
        routes(calls.clone()),
        ConnectionLimits::default(),
        Arc::new(ConnectionCounters::default()),
        stop,
    ));
    let mut config = config(number);
    config.monitor.raft.clone_from(&address);
    config.join = join;
    let journal = Journal::in_memory().unwrap();
    let network = Arc::new(HttpNetwork::default());
    let node = Node::start(config, journal, network).await.unwrap();
    calls.answer(Arc::new(node.clone()));
    Served {
        node,
        address,
        stopper,
        serving,
    }
}

impl Served {
    async fn end(self) {
        self.node.stop().await;
        self.stopper.stop();
        self.serving.await.unwrap();
    }
}

#[tokio::test]
async fn three_monitors_over_loopback_elect_replicate_and_forward() {
    let first = start(1, Vec::new()).await;
    let join = || vec![first.address.clone()];
    let mut all = vec![start(2, join()).await, start(3, join()).await];
    all.insert(0, first);
    let nodes: Vec<Node> = all.iter().map(|served| served.node.clone()).collect();
    until("all vote", || nodes.iter().all(|node| voters(node) == 3)).await;
    for (node, name) in nodes.iter().zip(["a", "b", "c"]) {
        made(node, name).await;
    }
    let dead = all.remove(leader(&nodes).unwrap());
    dead.end().await;
    let nodes: Vec<Node> = all.iter().map(|served| served.node.clone()).collect();
    until("another leads", || leader(&nodes).is_some()).await;
    made(&nodes[0], "d").await;
    made(&nodes[1], "e").await;
    nodes[0].confirm().await.unwrap();
    assert!(
        ["a", "b", "c", "d", "e"]
            .iter()
            .all(|name| has(&nodes[0], name))
    );
    for served in all {
        served.end().await;
    }
}

async fn answer(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .unwrap()
        .unwrap();
    answer
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_a_stranger_is_told_so() {
    let served = start(1, Vec::new()).await;
    let head = "POST /group/v1/ask HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
    for (rest, status) in [
        ("\r\n", "411"),
        ("content-length: 99999999999\r\n\r\n", "413"),
        ("content-length: 2\r\n\r\n{}", "400"),
        ("content-length: 6\r\n\r\n\0\0\0\x02{}", "400"),
        ("content-length: 6\r\n\r\n\u{7f}\0\0\x02{}", "400"),
    ] {
        let told = answer(&served.address, format!("{head}{rest}").as_bytes()).await;
        assert!(
            told.starts_with(&format!("HTTP/1.1 {status}")),
            "{rest:?}: {told}"
        );
    }
    let request = Request {
        group: "other".to_owned(),
        from: 9,
        to: None,
        ask: Ask::Confirm,
    };
    let network = HttpNetwork::default();
    let asked = network.call(&served.address, request, Duration::from_secs(5));
    let told = asked.await.unwrap();
    assert!(matches!(told, Reply::OtherGroup { .. }), "{told:?}");
    served.end().await;
}

#[test]
fn a_piece_of_a_snapshot_travels_beside_the_text() {
    let piece = openraft::raft::InstallSnapshotRequest {
        vote: openraft::Vote::new(1, 1),
        meta: openraft::SnapshotMeta::default(),
        offset: 7,
        data: vec![0, 255, 10],
        done: true,
    };
    let request = Request {
        group: "g".to_owned(),
        from: 1,
        to: None,
        ask: Ask::Snapshot(piece.clone()),
    };
    let bytes = encode_request(request).unwrap();
    assert!(bytes.ends_with(&[b'}', 0, 255, 10]));
    let Ask::Snapshot(found) = decode_request(&bytes).unwrap().ask else {
        panic!("something else came out");
    };
    assert_eq!(found, piece);
}
