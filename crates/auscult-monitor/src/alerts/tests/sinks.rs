//! Receivers that keep what they hear.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What was posted.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Posted {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// Serves every connection, as long as the runtime lives.
fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F + Send + 'static)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let served = serve(stream);
            tokio::spawn(async move {
                let _broken = served.await;
            });
        }
    });
}

/// A web server that takes everything; while it hangs, it reads and does not answer.
#[derive(Clone)]
pub(super) struct WebSink {
    pub(super) addr: SocketAddr,
    pub(super) posted: Arc<Mutex<Vec<Posted>>>,
    pub(super) hangs: Arc<AtomicBool>,
}

impl WebSink {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            addr: listener.local_addr().unwrap(),
            posted: Arc::default(),
            hangs: Arc::default(),
        };
        let heard = sink.clone();
        accept(listener, move |stream| {
            let heard = heard.clone();
            async move { heard.serve(stream).await }
        });
        sink
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            // Who came gave up before it said anything.
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|n| n.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await?;
        if self.hangs.load(Ordering::Relaxed) {
            // Until the other side gives up.
            stream.read_to_end(&mut body).await?;
            return Ok(());
        }
        let body = String::from_utf8(body).unwrap_or_default();
        self.posted.lock().push(Posted {
            path,
            headers,
            body,
        });
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
    }

    /// The status of each alert that a webhook was told of, in order: `web firing`.
    pub(super) fn alerts(&self) -> Vec<String> {
        let posted = self.posted.lock();
        let mut told = Vec::new();
        for message in posted.iter().map(Posted::json) {
            for alert in message["alerts"].as_array().into_iter().flatten() {
                let word = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
                told.push(format!("{} {}", word("subject"), word("status")));
            }
        }
        told
    }

    pub(super) fn keys(&self) -> Vec<String> {
        let posted = self.posted.lock();
        let alerts = posted.iter().flat_map(|message| {
            message.json()["alerts"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        });
        alerts
            .map(|alert| alert["key"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

/// A mail server without TLS that takes everything.
#[derive(Clone)]
pub(super) struct MailSink {
    pub(super) addr: SocketAddr,
    pub(super) mails: Arc<Mutex<Vec<String>>>,
}

impl MailSink {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            addr: listener.local_addr().unwrap(),
            mails: Arc::default(),
        };
        let heard = sink.clone();
        accept(listener, move |stream| {
            let heard = heard.clone();
            async move { heard.serve(stream).await }
        });
        sink
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 sink\r\n").await?;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let answer: &[u8] = match line.get(..4).unwrap_or_default() {
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut mail).await?;
                    }
                    self.mails.lock().push(mail);
                    b"250 taken\r\n"
                }
                "QUIT" => return stream.write_all(b"221 bye\r\n").await,
                _ => b"250 yes\r\n",
            };
            stream.write_all(answer).await?;
            line.clear();
        }
        Ok(())
    }
}
