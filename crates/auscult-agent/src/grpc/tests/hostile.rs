//! Bytes of those who mean no good, where gRPC carries them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use auscult_core::swim::Label;
use auscult_core::time::Instant;
use futures_util::stream;
use tokio::time::timeout;

use super::{channel, config, until};
use crate::grpc::generated::auscult_v1::transport_client::TransportClient;
use crate::grpc::generated::auscult_v1::{Chunk, Datagram};
use crate::layers::Layers;
use crate::{Agent, AgentHandle};

/// What fuzzers found of the codec and of the layers, as it is and with the outer layer around it.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut found = Vec::new();
    let mut plain = Layers::plain();
    for target in ["membership", "layers"] {
        for file in fs::read_dir(folder.join(target)).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let mut wrapped = Vec::new();
            let to = ([127, 0, 0, 1], 1).into();
            plain.wrap(Instant::ORIGIN, to, &bytes, &mut wrapped);
            found.extend([bytes, wrapped]);
        }
    }
    assert!(found.len() > 50, "the corpus is there");
    found
}

/// A member of another cluster than the inputs speak of: what is well formed is refused, too.
async fn stranger(name: &str) -> AgentHandle {
    let mut config = config(name);
    config.params.label = Label::new("elsewhere").unwrap();
    Agent::start(config).await.unwrap()
}

#[tokio::test]
async fn datagrams_of_the_corpus_change_nothing() {
    let agent = stranger("node1").await;
    let mut client = TransportClient::new(channel(Some(agent.address())).await);
    let mut sent = corpus();
    sent.push(vec![7; 60_000]);
    let count = sent.len() as u64;
    let datagrams = sent.into_iter().map(|content| Datagram {
        content: content.into(),
    });
    let answers = client.datagrams(stream::iter(datagrams)).await;
    let mut answers = answers.unwrap().into_inner();
    while let Ok(Some(_)) = answers.message().await {}
    let taken = || {
        let counters = agent.counters();
        counters.datagrams_received + counters.datagrams_dropped
    };
    until("all came", || taken() >= count).await;
    assert_eq!(agent.members().members.len(), 1);
    let second = stranger("node2").await;
    let joined = second.join(&[agent.address().to_string()]).await;
    assert!(joined[0].outcome.is_ok(), "{joined:?}");
}

#[tokio::test]
async fn connections_of_the_corpus_end() {
    let agent = stranger("node1").await;
    let mut client = TransportClient::new(channel(Some(agent.address())).await);
    for (number, bytes) in corpus().into_iter().enumerate() {
        // A length in front, as of a real request, for every second one; in pieces of any size.
        let mut content = bytes;
        if number % 2 == 0 {
            let length = u32::try_from(content.len()).unwrap();
            content.splice(0..0, length.to_le_bytes());
        }
        let pieces = content.chunks(1 + number % 7);
        let pieces: Vec<Chunk> = pieces
            .map(|piece| Chunk {
                content: piece.to_vec().into(),
            })
            .collect();
        let served = async {
            let answers = client.connection(stream::iter(pieces)).await;
            let mut answers = answers.unwrap().into_inner();
            while let Ok(Some(_)) = answers.message().await {}
        };
        let ended = timeout(Duration::from_secs(10), served).await;
        assert!(ended.is_ok(), "input {number} is held");
    }
    // More than a message may take: the call is refused, and nothing else.
    let huge = vec![Chunk {
        content: vec![0; 1 << 20].into(),
    }];
    let answers = client.connection(stream::iter(huge)).await;
    if let Ok(answers) = answers {
        let mut answers = answers.into_inner();
        while let Ok(Some(_)) = answers.message().await {}
    }
    assert_eq!(agent.members().members.len(), 1);
    let second = stranger("node2").await;
    let joined = second.join(&[agent.address().to_string()]).await;
    assert!(joined[0].outcome.is_ok(), "{joined:?}");
}
