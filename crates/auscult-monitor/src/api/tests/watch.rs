//! Events over gRPC: what a program follows, resumes and misses.

use std::time::Duration;

use auscult_agent::grpc::monitor::{MonitorClient, WatchRequest, What};
use auscult_core::id::TargetId;
use auscult_core::monitor::{Event, EventKind};
use auscult_core::time::Instant;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic::{Code, Request as Call, Streaming};

use super::*;

type Stream = Streaming<auscult_agent::grpc::monitor::WatchResponse>;

fn happens(bench: &Bench, target: &str) {
    bench.events.append(Event {
        at: Instant::from_secs(1),
        target: Some(TargetId::new(target).expect("a name")),
        kind: EventKind::Added,
    });
}

fn ask(after: Option<u64>, target: &str) -> WatchRequest {
    let target = target.to_owned();
    WatchRequest { after, target }
}

async fn watch(bench: &Bench, asked: WatchRequest) -> Stream {
    let mut client = MonitorClient::new(bench.router.clone());
    client.watch(asked).await.expect("a stream").into_inner()
}

/// What comes next: the target of an event, or how many were missed.
async fn next(stream: &mut Stream) -> Option<String> {
    let message = timeout(Duration::from_secs(10), stream.message());
    let message = message.await.expect("a message in time");
    Some(
        match message
            .expect("a message")?
            .what
            .expect("it says something")
        {
            What::Event(event) => {
                let json: Value = serde_json::from_str(&event.json).expect("JSON");
                assert_eq!(
                    (&json["id"], &json["kind"]),
                    (&event.id.into(), &"added".into())
                );
                assert_eq!(event.kind, "added");
                event.target
            }
            What::Lagged(lagged) => format!("{:?} lost", lagged.lost),
        },
    )
}

#[tokio::test]
async fn a_program_resumes_after_the_event_seen_last() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        happens(&bench, name);
    }
    let first = bench.events.oldest_id().expect("events");
    let mut all = watch(&bench, ask(Some(0), "")).await;
    let mut rest = watch(&bench, ask(Some(first), "")).await;
    let mut new = watch(&bench, ask(None, "")).await;
    let mut one = watch(&bench, ask(Some(0), "d")).await;
    happens(&bench, "d");
    for (stream, expected) in [
        (&mut all, &["a", "b", "c", "d"][..]),
        (&mut rest, &["b", "c", "d"]),
        (&mut new, &["d"]),
        (&mut one, &["d"]),
    ] {
        for name in expected {
            assert_eq!(next(stream).await.as_deref(), Some(*name));
        }
    }
    bench.stopper.stop();
    assert_eq!(next(&mut all).await, None, "until the monitor ends");
}

#[tokio::test]
async fn a_slow_program_is_told_how_much_it_missed() {
    let bench = Bench::new();
    for number in 0..20 {
        happens(&bench, &number.to_string());
    }
    let oldest = bench.events.oldest_id().expect("events");
    let mut stream = watch(&bench, ask(Some(oldest - 6), "")).await;
    assert_eq!(next(&mut stream).await.as_deref(), Some("Some(5) lost"));
    assert_eq!(next(&mut stream).await.as_deref(), Some("12"));
    let mut stream = watch(&bench, ask(Some(7), "")).await;
    assert_eq!(
        next(&mut stream).await.as_deref(),
        Some("None lost"),
        "of another run"
    );
}

#[tokio::test]
async fn there_are_no_more_streams_than_there_may_be() {
    let bench = Bench::new();
    let mut open = Vec::new();
    for _ in 0..log::STREAMS_MAX {
        open.push(watch(&bench, ask(None, "")).await);
    }
    let mut client = MonitorClient::new(bench.router.clone());
    let refused = client.watch(ask(None, "")).await.expect_err("it is full");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    open.pop();
    watch(&bench, ask(None, "")).await;
}

#[tokio::test]
async fn it_is_served_beside_http_and_asks_for_a_token_as_that_does() {
    let bench = Bench::new();
    let body = r#"{"role": "admin", "name": "root"}"#;
    let made = bench
        .ask(Method::POST, "/v1/settings/tokens", &[], body)
        .await;
    let root = made.json()["token"].as_str().expect("a token").to_owned();
    let body = r#"{"role": "read", "name": "program"}"#;
    let bearer = format!("Bearer {root}");
    let headers = [("authorization", bearer.as_str())];
    let made = bench
        .ask(Method::POST, "/v1/settings/tokens", &headers, body)
        .await;
    let token = made.json()["token"].as_str().expect("a token").to_owned();

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let (stopper, stop) = Stop::channel();
    let (limits, counters) = (ConnectionLimits::default(), Arc::default());
    let served = tokio::spawn(serve(
        listener,
        bench.router.clone(),
        limits,
        counters,
        stop,
    ));
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address");
    let channel = endpoint.connect().await.expect("it speaks HTTP/2");
    let mut client = MonitorClient::new(channel);
    let refused = client.watch(ask(None, "")).await.expect_err("no token");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut call = Call::new(ask(None, ""));
    let value: MetadataValue<_> = format!("Bearer {token}").parse().expect("a header");
    call.metadata_mut().insert("authorization", value);
    let mut stream = client.watch(call).await.expect("it may read").into_inner();
    happens(&bench, "a");
    assert_eq!(next(&mut stream).await.as_deref(), Some("a"));
    // As the server does when it ends: streams first.
    bench.stopper.stop();
    assert_eq!(next(&mut stream).await, None);
    stopper.stop();
    let ended = timeout(Duration::from_secs(10), served).await;
    ended.expect("it ends").expect("it did not panic");
}
