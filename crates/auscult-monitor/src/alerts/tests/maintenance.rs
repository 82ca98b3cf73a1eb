//! Maintenance windows of a server that runs.

use std::fs;

use auscult_core::alert::{AlertView, Suppression};

use super::sinks::WebSink;
use super::stage::{Stage, TARGETS};

/// Open at any time of any day.
const ALWAYS: &str = "maintenance:
- {name: move, matchers: [\"env=prod\"], at: \"00:00\", for: 24h, timezone: Asia/Tokyo}
";

async fn take(stage: &Stage, text: &str) {
    fs::write(stage.settings().join("settings.yml"), text).unwrap();
    stage.reload.reload().await.unwrap();
}

#[tokio::test]
async fn maintenance_delays_what_begins_in_it_and_not_what_ends_in_it() {
    let sink = WebSink::start().await;
    let quiet = format!(
        "{TARGETS}receivers:
- {{name: hook, type: webhook, url: \"http://{}/\", group_wait: 0s, group_interval: 0s}}
",
        sink.addr
    );
    let stage = Stage::start(&format!("{quiet}{ALWAYS}")).await;
    stage.up(&["web", "db"]).await;
    let is_held = |alert: AlertView<'_>| {
        matches!(alert.suppression(), Some(Suppression::Silenced(name))
            if name.as_str() == "maintenance/move")
    };
    let held = || stage.alerts.read(|alerts, _| alerts.alerts().any(is_held));
    stage.until(&["db"], held).await;
    assert_eq!(sink.alerts(), [""; 0]);

    // What still fires when it is over is told then.
    take(&stage, &quiet).await;
    stage
        .until(&["db"], || sink.alerts() == ["web firing"])
        .await;
    // Who was told that it fires is told that it is over, maintenance or not.
    take(&stage, &format!("{quiet}{ALWAYS}")).await;
    stage.until(&["db"], held).await;
    stage
        .until(&["db", "web"], || {
            sink.alerts() == ["web firing", "web resolved"]
        })
        .await;
    stage.end().await;
}
