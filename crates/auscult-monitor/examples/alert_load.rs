//! Measures how long it takes from a verdict to the webhook that is told of it.
//!
//! `cargo run --release -p auscult-monitor --example alert_load [ALERTS_PER_SECOND [SECONDS]]`
//!
//! A whole server with its data folder, and a webhook on loopback. Each target sends heartbeats, is
//! silent for a while, and sends heartbeats again, so that so many alerts begin to fire in each
//! second, and as many are over. An alert is late by the time between the moment of the verdict,
//! which the message names in whole milliseconds, and the moment at which the webhook read the
//! message to its end.

#![expect(clippy::print_stdout, reason = "a program that reports figures")]

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::Source;
use auscult_monitor::clock::Clock;
use auscult_monitor::engine::Engine;
use auscult_monitor::serve::{ServeConfig, Server};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

type Outcome = Result<(), Box<dyn Error>>;

/// How long a target goes from one outage to the next.
const CYCLE: Duration = Duration::from_secs(10);

/// Heartbeats of a cycle, one after each beat. In the rest of it the target is silent.
const BEATS: u32 = 32;
const BEAT: Duration = Duration::from_millis(250);

#[tokio::main]
async fn main() -> Outcome {
    let mut words = std::env::args().skip(1);
    let mut number = |otherwise| {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(otherwise)
    };
    let rate: u32 = number(1_000);
    let seconds: u32 = number(30);
    let sink = Heard::start().await?;
    let folder = std::env::temp_dir().join(format!("auscult-alert-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let targets = rate * CYCLE.as_secs() as u32;
    let settings = folder.join("settings.yml");
    std::fs::write(&settings, settings_for(targets, &sink.address))?;
    let config = ServeConfig {
        settings: Some(settings),
        data_dir: Some(folder.join("data")),
        ..ServeConfig::ephemeral()
    };
    let server = Server::bind(config).await?;
    let engine = server.engine().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ended = stopped.await;
    }));
    // All are heard once; what happens in the first cycle is not counted.
    while engine.read(|monitor, _| monitor.targets_from(0).count()) < targets as usize {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let beating = tokio::task::spawn_blocking({
        let span = CYCLE * 2 + Duration::from_secs(seconds.into());
        move || beat(&engine, targets, span)
    });
    tokio::time::sleep(CYCLE * 2).await;
    sink.clear();
    beating.await?;
    sink.report(seconds);
    let _gone = stop.send(());
    running.await??;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn settings_for(targets: u32, address: &str) -> String {
    let mut text = format!(
        "defaults: {{detector: {{kind: deadline, timeout: 1s}}, grace: 1h}}\n\
         receivers:\n- {{name: hook, type: webhook, url: \"http://{address}/\", group_wait: 0s, \
         group_interval: 0s}}\ntargets:\n"
    );
    for number in 0..targets {
        text += &format!("- {{id: t{number}, push: {{interval: 250ms}}}}\n");
    }
    text
}

/// Sends heartbeats for a time, each target's a little after those of the one before.
fn beat(engine: &Engine, targets: u32, span: Duration) {
    let clock = Clock::new();
    let (began, names) = (clock.now(), (0..targets).map(|number| format!("t{number}")));
    let names: Vec<String> = names.collect();
    let steps = span.as_millis() as u32 / 5;
    let per_step =
        |at: Duration| (at.as_secs_f64() / CYCLE.as_secs_f64() * f64::from(targets)) as u64;
    let mut done = [0_u64; BEATS as usize];
    for step in 0..steps {
        let at = Duration::from_millis(5) * step;
        let due = began.after(at);
        while clock.now() < due {
            std::thread::sleep(due.since(clock.now()));
        }
        for (beat, done) in (0_u32..).zip(&mut done) {
            let reached = at.checked_sub(BEAT * beat).map_or(0, per_step);
            for number in *done..reached {
                let target = &names[(number % u64::from(targets)) as usize];
                let source = Source::Name {
                    target,
                    signal: None,
                };
                let _counted = engine.arrival(source, None);
            }
            *done = reached;
        }
    }
}

/// A webhook, and how late each notice was.
#[derive(Clone)]
struct Heard {
    address: String,
    clock: Clock,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    late: Vec<f64>,
    keys: BTreeSet<String>,
    messages: usize,
    twice: usize,
}

impl Heard {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let heard = Self {
            address: listener.local_addr()?.to_string(),
            clock: Clock::new(),
            kept: Arc::default(),
        };
        let sink = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sink = sink.clone();
                tokio::spawn(async move {
                    if let Err(error) = sink.take(stream).await {
                        println!("the webhook missed a message: {error}");
                    }
                });
            }
        });
        Ok(heard)
    }

    async fn take(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let now = self.clock.wall_now();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await?;
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut kept = self.kept.lock();
        kept.messages += 1;
        for alert in message["alerts"].as_array().into_iter().flatten() {
            let moment = ["ended_at", "started_at"].map(|name| alert[name].as_str());
            let moment = moment[0].or(moment[1]).and_then(|text| text.parse().ok());
            let moment: jiff::Timestamp = moment.unwrap_or(now);
            kept.late
                .push(now.duration_since(moment).as_secs_f64() * 1e3);
            if !kept.keys.insert(alert["key"].to_string()) {
                kept.twice += 1;
            }
        }
        Ok(())
    }

    fn clear(&self) {
        *self.kept.lock() = Kept::default();
    }

    fn report(&self, seconds: u32) {
        let mut kept = self.kept.lock();
        kept.late.sort_by(f64::total_cmp);
        let count = kept.late.len();
        let at = |share: f64| {
            let index = ((count as f64 * share) as usize).min(count.saturating_sub(1));
            kept.late.get(index).copied().unwrap_or(f64::NAN)
        };
        println!(
            "{:.0} notices a second (half of them ends) in {:.0} messages a second, {} came twice",
            count as f64 / f64::from(seconds),
            kept.messages as f64 / f64::from(seconds),
            kept.twice
        );
        println!(
            "from the verdict to the webhook: median {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
}
