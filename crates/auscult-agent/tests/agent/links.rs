//! Who hears whom, from the mouth of every member.

use std::time::Duration;

use auscult_agent::keys::{Key, KeyRing};
use auscult_agent::links::{LinkError, LinkRow, collect};
use auscult_agent::{Agent, AgentHandle};
use auscult_core::swim::{Answer, Direction, Refusal};
use auscult_core::wire::swim::decode_answer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{config, soon, start, until};

/// Three members that know each other, with these keys.
async fn cluster(keys: Option<KeyRing>) -> [AgentHandle; 3] {
    let member = async |name: &str| {
        let mut config = config(name);
        config.keys.clone_from(&keys);
        Agent::start(config).await.unwrap()
    };
    let agents = [member("a").await, member("b").await, member("c").await];
    let seed = [agents[0].address().to_string()];
    for agent in &agents[1..] {
        assert!(agent.join(&seed).await[0].outcome.is_ok());
    }
    for agent in &agents {
        until("all see all", || agent.members().live == 3).await;
    }
    agents
}

fn peers(row: &LinkRow) -> Vec<&str> {
    let links = row.links.as_ref().unwrap();
    links.iter().map(|link| link.peer.as_str()).collect()
}

async fn every_member_tells_of_its_links(keys: Option<KeyRing>) {
    let [a, b, c] = cluster(keys).await;
    let heard = |row: &LinkRow| {
        let mut links = row.links.iter().flatten();
        links.all(|one| one.link.hears == Direction::Passes)
    };
    // Every look opens streams, whose ports are not free again at once.
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let rows = soon(async {
        loop {
            looks.tick().await;
            let rows = collect(&a).await;
            if rows.iter().all(heard) {
                return rows;
            }
        }
    });
    let rows = rows.await;
    let observers: Vec<&str> = rows.iter().map(|row| row.observer.as_str()).collect();
    assert_eq!(observers, ["a", "b", "c"]);
    for (row, others) in rows.iter().zip([["b", "c"], ["a", "c"], ["a", "b"]]) {
        let mut named = peers(row);
        named.sort_unstable();
        assert_eq!(named, others, "{row:?}");
    }

    c.shutdown().await;
    let rows = collect(&a).await;
    assert_eq!(rows[2].observer.as_str(), "c", "nobody has judged it yet");
    assert_eq!(rows[2].links, Err(LinkError::Unanswered));
    assert_eq!(peers(&rows[1]).len(), 2, "the others answer as before");
    b.shutdown().await;
}

#[tokio::test]
async fn links_are_told_by_every_member() {
    every_member_tells_of_its_links(None).await;
}

#[tokio::test]
async fn links_are_told_over_sealed_streams() {
    every_member_tells_of_its_links(Some(KeyRing::new(Key::new([1; 32])))).await;
}

/// What an agent answers to these bytes, without the length before it.
async fn asked(agent: &AgentHandle, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(agent.address()).await.unwrap();
    let length = u32::try_from(request.len()).unwrap().to_le_bytes();
    stream
        .write_all(&[&length, request].concat())
        .await
        .unwrap();
    let mut answer = Vec::new();
    // One that is not answered may be reset.
    let _ended = soon(stream.read_to_end(&mut answer)).await;
    answer.split_off(answer.len().min(4))
}

#[tokio::test]
async fn links_are_told_to_members_of_the_cluster() {
    let agent = start("a").await;
    assert_eq!(asked(&agent, b"\xB3\x00test").await, [0xB3, 0x20]);
    let refused = asked(&agent, b"\xB3\x00other").await;
    assert_eq!(decode_answer(&refused), Ok(Answer::Refused(Refusal::Label)));
    for malformed in [&b"\xB3"[..], b"\xB3\x01test"] {
        assert!(asked(&agent, malformed).await.is_empty());
    }
    assert_eq!(agent.members().live, 1);
}
