//! Debian's Alertmanager, where it is installed.

use std::fs;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stage::{Stage, TARGETS};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The alerts that it knows, as JSON; null while it does not answer.
async fn alerts(addr: SocketAddr) -> Value {
    let Ok(mut stream) = TcpStream::connect(addr).await else {
        return Value::Null;
    };
    let request = "GET /api/v2/alerts HTTP/1.0\r\nhost: a\r\n\r\n";
    let mut answer = String::new();
    let asked = stream.write_all(request.as_bytes()).await;
    let read = stream.read_to_string(&mut answer).await;
    if asked.is_err() || read.is_err() {
        return Value::Null;
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_default()
}

#[tokio::test]
async fn an_alertmanager_takes_what_fires_and_what_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("alertmanager.yml");
    fs::write(
        &config,
        "route: {receiver: none}\nreceivers: [{name: none}]\n",
    )
    .unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={addr}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _alertmanager = match started {
        Ok(child) => Killed(child),
        Err(error) => {
            println!("skipped: no prometheus-alertmanager: {error}");
            return;
        }
    };
    let text = format!(
        "{TARGETS}receivers:\n- {{name: am, type: alertmanager, url: \"http://{addr}\"}}\n"
    );
    let stage = Stage::start(&text).await;
    stage.up(&["web", "db"]).await;
    wait_for(&stage, &["db"], addr, 1).await;
    assert_eq!(alerts(addr).await[0]["labels"]["target"], "web");
    wait_for(&stage, &["db", "web"], addr, 0).await;
    stage.end().await;
}

/// Waits until it knows so many alerts that are not over, while these targets send heartbeats.
async fn wait_for(stage: &Stage, alive: &[&str], addr: SocketAddr, count: usize) {
    let waiting = async {
        let mut beats = tokio::time::interval(Duration::from_millis(20));
        while alerts(addr).await.as_array().map(Vec::len) != Some(count) {
            beats.tick().await;
            alive.iter().for_each(|id| stage.beat(id));
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    waited.expect("it should have happened by now");
}
