//! A server that answers as it is told, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

/// One thing that a server does after a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Send(Vec<u8>),
    /// Sends byte by byte, each in a packet of its own.
    Drip(Vec<u8>),
    /// Never does anything again, with the connection open.
    Hang,
    Pause(Duration),
    Close,
}

pub(super) fn send(text: impl AsRef<[u8]>) -> Act {
    Act::Send(text.as_ref().to_vec())
}

/// A plain good answer.
pub(super) fn ok(body: &str) -> Act {
    send(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// What was asked: the request as text, and its number on its connection, from 0.
pub(super) struct Asked<'a> {
    pub(super) text: &'a str,
    pub(super) number: usize,
}

/// A running server; it ends when this is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    accepted: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Server {
    /// Speaks HTTP/1.1.
    pub(super) fn start(answer: impl Fn(Asked<'_>) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::run(move |stream, shared| {
            let answer = Arc::clone(&answer);
            async move { speak(stream, &*answer, &shared).await }
        })
    }

    /// Speaks HTTP/1.1, or HTTP/2 when that is agreed upon, inside TLS: answers with 200, or in
    /// HTTP/1.1 on `/insecure` with a redirect out of TLS.
    pub(super) fn start_tls(config: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::run(move |stream, shared| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    speak_http2(stream, shared).await;
                } else {
                    speak(stream, &answer_secure, &shared).await;
                }
            }
        })
    }

    /// Says something as soon as anybody connects, and listens no further.
    pub(super) fn start_greeting(greeting: &'static str) -> Self {
        Self::run(move |mut stream, _| async move {
            let _ = stream.write_all(greeting.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
    }

    /// Speaks HTTP/2 without TLS; always answers with 200.
    pub(super) fn start_http2() -> Self {
        Self::run(speak_http2)
    }

    fn run<F>(serve: impl Fn(TcpStream, Arc<Shared>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                ours.accepted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, Arc::clone(&ours)));
            }
        });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections accepted.
    pub(super) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// The requests that came, as text.
    pub(super) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().clone()
    }
}

fn answer_secure(asked: Asked<'_>) -> Vec<Act> {
    if asked.text.starts_with("GET /insecure ") {
        let head = "HTTP/1.1 302 Found\r\nlocation: http://localhost/\r\ncontent-length: 0\r\n\r\n";
        return vec![send(head)];
    }
    vec![ok("fine")]
}

async fn speak(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &(impl Fn(Asked<'_>) -> Vec<Act> + ?Sized),
    shared: &Shared,
) {
    for number in 0.. {
        let Some(text) = read_request(&mut stream).await else {
            return;
        };
        shared.requests.lock().push(text.clone());
        for act in answer(Asked {
            text: &text,
            number,
        }) {
            let done = match act {
                Act::Send(bytes) => stream.write_all(&bytes).await,
                Act::Drip(bytes) => drip(&mut stream, &bytes).await,
                Act::Hang => std::future::pending().await,
                Act::Pause(span) => {
                    tokio::time::sleep(span).await;
                    Ok(())
                }
                Act::Close => {
                    let _ = stream.shutdown().await;
                    return;
                }
            };
            if done.is_err() {
                return;
            }
        }
        let _ = stream.flush().await;
    }
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// The head, and as much of a body as it announces.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let announced = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= announced {
                return Some(text);
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
        }
    }
}

async fn speak_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared>,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let text = format!(
            "{} {} {:?}",
            request.method(),
            request.uri(),
            request.headers()
        );
        shared.requests.lock().push(text);
        async { Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(b"fine")))) }
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// An address on which nobody listens.
pub(super) fn refusing() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
