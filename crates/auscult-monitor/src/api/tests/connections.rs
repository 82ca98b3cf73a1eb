//! The accept loop against clients that are slow, many, or there at the end.

use std::time::Duration;

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// A server on a port of its own.
struct Served {
    addr: std::net::SocketAddr,
    counters: Arc<ConnectionCounters>,
    stopper: Stopper,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(limits: ConnectionLimits) -> Self {
        let large = || async { vec![b'x'; 64 << 20] };
        let read = |request: axum::extract::Request| async {
            let read = json::read_body(request, 1_000).await;
            read.map(|body| body.len().to_string())
        };
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(large))
            .route("/read", post(read));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let counters = Arc::new(ConnectionCounters::default());
        let (stopper, stop) = Stop::channel();
        let served = serve(listener, router, limits, Arc::clone(&counters), stop);
        Self {
            addr,
            counters,
            stopper,
            task: tokio::spawn(served),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("a connection")
    }
}

/// Sends `request`, and reads until the other side closes.
async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A reset is an end as well.
    let _read = tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

fn brief() -> ConnectionLimits {
    ConnectionLimits {
        head_timeout: Duration::from_millis(100),
        write_timeout: Duration::from_millis(100),
        ..ConnectionLimits::default()
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let served = Served::start(brief()).await;
    let mut stream = served.connect().await;
    let answer = exchange(&mut stream, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    let mut idle = served.connect().await;
    let answer = exchange(&mut idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        answer.ends_with("here"),
        "and so is the wait for a next request: {answer}"
    );
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let served = Served::start(brief()).await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    let given_up = async {
        while served
            .counters
            .write_timeouts
            .load(std::sync::atomic::Ordering::Relaxed)
            == 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), given_up)
        .await
        .expect("given up");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_however_it_comes() {
    let served = Served::start(ConnectionLimits::default()).await;
    let head = "POST /read HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1_001));
    let long = "x".repeat(1_000);
    for (rest, status) in [
        (format!("Content-Length: 1000\r\n\r\n{long}"), "200"),
        ("Content-Length: 1001\r\n\r\n".to_owned(), "413"),
        (
            "Content-Length: 99999999999999999999\r\n\r\n".to_owned(),
            "400",
        ),
        (format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"), "413"),
    ] {
        let mut stream = served.connect().await;
        let answer = exchange(&mut stream, &format!("{head}{rest}")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{rest:.40}: {answer}"
        );
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let limits = ConnectionLimits {
        connections_max: 1,
        ..ConnectionLimits::default()
    };
    let served = Served::start(limits).await;
    let mut first = served.connect().await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    first.write_all(request.as_bytes()).await.expect("sent");
    let mut one = [0; 1];
    first.read_exact(&mut one).await.expect("an answer");
    let mut second = served.connect().await;
    second.write_all(request.as_bytes()).await.expect("sent");
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut one));
    assert!(early.await.is_err(), "it waits in the kernel");
    drop(first);
    let late = tokio::time::timeout(Duration::from_secs(10), second.read_exact(&mut one));
    late.await.expect("in time").expect("and is served then");
}

#[tokio::test]
async fn the_end_lets_requests_end_and_closes_the_rest() {
    let served = Served::start(ConnectionLimits::default()).await;
    let mut idle = served.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    let mut one = [0; 1];
    idle.read_exact(&mut one).await.expect("an answer");
    served.stopper.stop();
    let ended = tokio::time::timeout(Duration::from_secs(2), served.task);
    ended.await.expect("at once").expect("in order");
    assert!(
        TcpStream::connect(served.addr).await.is_err(),
        "the port is free"
    );
}
