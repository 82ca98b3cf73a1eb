//! A whole server over its sockets.

use super::*;
use auscult_core::monitor::Status;
use std::fs;
use std::net::UdpSocket;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[tokio::test]
async fn checks_and_heartbeats_are_heard_and_http_is_answered() {
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = web.local_addr().unwrap();
    let text = format!(
        "targets:\n- {{id: web, url: \"tcp://{addr}\", interval: 100ms}}\n- {{id: job, push: {{}}}}\n"
    );
    let stage = Stage::start(&text).await;
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"job seq=1\n", stage.udp_addr).unwrap();
    stage
        .until(|stage| stage.is("web", Status::Up) && stage.is("job", Status::Up))
        .await;
    let answer = get(stage.http_addr, "/-/healthy").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stage.end().await;
    drop(web);
}

#[tokio::test]
async fn a_reload_is_taken_while_it_runs() {
    let stage = Stage::start("targets: []\n").await;
    let settings = stage.folder.path().join("settings.yml");
    fs::write(&settings, "targets:\n- {id: job, push: {}}\n").unwrap();
    assert_eq!(stage.reload.reload().await.unwrap().added, 1);
    assert!(stage.is("job", Status::Unknown));
    fs::write(&settings, "targets: {\n").unwrap();
    assert!(stage.reload.reload().await.is_err());
    assert!(stage.is("job", Status::Unknown));
    stage.end().await;
}

#[tokio::test]
async fn what_is_missing_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = ServeConfig {
        http_bind: taken.local_addr().unwrap(),
        ..ServeConfig::ephemeral()
    };
    let text = refusal(config).await;
    assert!(
        text.contains("in use by another process") && text.contains("--http-bind"),
        "{text}"
    );

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = ServeConfig {
        udp_bind: Some(taken.local_addr().unwrap()),
        ..ServeConfig::ephemeral()
    };
    let text = refusal(config).await;
    assert!(
        text.contains("in use by another process") && text.contains("--udp-bind"),
        "{text}"
    );

    let folder = tempfile::tempdir().unwrap();
    let config = ServeConfig {
        settings: Some(folder.path().join("none.yml")),
        ..ServeConfig::ephemeral()
    };
    assert!(refusal(config).await.contains("none.yml"));

    fs::write(folder.path().join("file"), "").unwrap();
    let config = ServeConfig {
        data_dir: Some(folder.path().join("file")),
        ..ServeConfig::ephemeral()
    };
    assert!(refusal(config).await.contains("--datadir"));
}

#[tokio::test]
async fn an_open_stream_and_a_silent_client_do_not_hold_up_the_end() {
    let stage = Stage::start("targets: []\n").await;
    let mut stream = TcpStream::connect(stage.http_addr).await.unwrap();
    stream
        .write_all(b"GET /v1/events HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    let mut silent = TcpStream::connect(stage.http_addr).await.unwrap();
    silent.write_all(b"GET /-/hea").await.unwrap();
    // Does not return before the server has ended, and the server has a bound of its own.
    stage.end().await;
}

#[tokio::test]
async fn a_data_folder_has_one_process() {
    let stage = Stage::start("targets: []\n").await;
    let config = ServeConfig {
        data_dir: Some(stage.folder.path().join("data")),
        ..ServeConfig::ephemeral()
    };
    let text = refusal(config).await;
    assert!(text.contains("used by another process"), "{text}");
    let folder = stage.end().await;
    let config = ServeConfig {
        data_dir: Some(folder.path().join("data")),
        ..ServeConfig::ephemeral()
    };
    Server::bind(config).await.map(drop).expect("is free again");
}

async fn refusal(config: ServeConfig) -> String {
    match Server::bind(config).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

async fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

struct Stage {
    folder: TempDir,
    http_addr: SocketAddr,
    udp_addr: SocketAddr,
    engine: Engine,
    reload: ReloadHandle,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Stage {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("settings.yml");
        fs::write(&settings, text).unwrap();
        let config = ServeConfig {
            settings: Some(settings),
            data_dir: Some(folder.path().join("data")),
            ..ServeConfig::ephemeral()
        };
        let server = Server::bind(config).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let stage = Self {
            folder,
            http_addr: server.http_addr(),
            udp_addr: server.udp_addr().unwrap(),
            engine: server.engine().clone(),
            reload: server.reload_handle(),
            stop,
            running: tokio::spawn(server.run(async {
                let _ = stopped.await;
            })),
        };
        // Answered as soon as everything runs.
        get(stage.http_addr, "/-/healthy").await;
        stage
    }

    fn is(&self, id: &str, status: Status) -> bool {
        let found = self
            .engine
            .read(|monitor, _| monitor.target(id).map(|it| it.status()));
        found == Some(status)
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        waited.expect("it should have happened by now");
    }

    async fn end(self) -> TempDir {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        self.folder
    }
}
