//! Receivers that monitors share.

use auscult_core::monitor::registry::{Author, Key, Kind};
use serde_json::json;

use super::sinks::WebSink;
use super::stage::{Stage, TARGETS};
use crate::registry::Wanted;
use crate::settings::documents::{Written, document};

async fn put(stage: &Stage, sink: &WebSink) {
    let body = json!({
        "type": "webhook", "url": format!("http://{}/in", sink.addr), "group_wait": "0s",
        "group_interval": "0s", "body": "{\"alerts\": {{ alerts | json }}}",
    });
    let (key, document) = document(Kind::Receiver, Some("hook"), Written::Json(&body)).unwrap();
    let wanted = Wanted::put(key, document);
    let author = Author::new("test");
    let made = stage.registry.make_shared_as(&author, wanted).await;
    assert!(made.is_ok(), "{made:?}");
}

#[tokio::test]
async fn a_shared_receiver_is_told_as_one_of_the_file_over_restarts_too() {
    let sink = WebSink::start().await;
    let stage = Stage::start(TARGETS).await;
    stage.up(&["web", "db"]).await;
    put(&stage, &sink).await;
    stage
        .until(&["db"], || sink.alerts() == ["web firing"])
        .await;
    let folder = stage.end().await;
    // What was told to a receiver that the file does not have is not over for that.
    let stage = Stage::start_in(folder, TARGETS).await;
    stage
        .until(&["db", "web"], || sink.alerts().len() > 1)
        .await;
    assert_eq!(sink.alerts(), ["web firing", "web resolved"]);
    let gone = Wanted::delete(Key::new(Kind::Receiver, "hook").unwrap());
    let author = Author::new("test");
    stage.registry.make_shared_as(&author, gone).await.unwrap();
    let receivers = || stage.alerts.read(|alerts, _| alerts.lanes().count());
    stage.until(&["web", "db"], || receivers() == 0).await;
    stage.end().await;
}

#[test]
fn a_shared_receiver_is_checked_as_one_of_the_file() {
    let body = json!({ "type": "webhook", "url": "http://127.0.0.1:9/", "body": "{{ titel }}" });
    let refused = document(Kind::Receiver, Some("hook"), Written::Json(&body)).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("there is no `titel`"), "{text}");
}
