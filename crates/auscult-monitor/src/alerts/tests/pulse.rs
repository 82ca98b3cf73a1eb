//! A dead man's switch hears a monitor that lives, and no other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auscult_agent::clock::Clock;
use auscult_agent::http::stop::Stop;
use tokio::time::timeout;

use super::sinks::WebSink;
use super::stage::{Stage, TARGETS};
use crate::alerts::AlertDesk;
use crate::alerts::pulse::beat;
use crate::registry::memory::Memory;
use crate::settings::Settings;

fn switch(sink: &WebSink, interval: &str) -> String {
    let addr = sink.addr;
    let headers = "{X-Monitor: main}";
    format!(
        "dead_man_switch: {{url: \"http://{addr}/alive\", interval: {interval}, headers: {headers}}}\n"
    )
}

fn webhook(sink: &WebSink) -> String {
    format!(
        "receivers:\n- {{name: hook, type: webhook, url: \"http://{}/\", group_wait: 0s}}\n",
        sink.addr
    )
}

#[tokio::test]
async fn it_hears_the_monitor_at_its_rhythm_until_the_monitor_ends() {
    let sink = WebSink::start().await;
    let text = format!(
        "{TARGETS}receivers: [{{name: log, type: log}}]\n{}",
        switch(&sink, "100ms")
    );
    let stage = Stage::start(&text).await;
    let heard = || sink.posted.lock().len();
    stage.until(&["web", "db"], || heard() >= 1).await;
    let began = stage.engine.clock().now();
    let before = heard();
    stage.until(&["web", "db"], || heard() >= before + 5).await;
    let took = stage.engine.clock().now().since(began);
    // At most the first of five pauses had begun before.
    assert!(took >= Duration::from_millis(390), "{took:?}");
    let first = sink.posted.lock()[0].clone();
    assert_eq!(first.path, "/alive");
    assert_eq!(first.headers["x-monitor"], "main");
    assert_eq!(first.json()["status"], "alive");
    assert_eq!(first.json()["firing"], 0);
    stage
        .until(&["db"], || {
            let posted = sink.posted.lock();
            posted.iter().any(|beat| beat.json()["firing"] == 1)
        })
        .await;
    stage.end().await;
    let at_the_end = heard();
    // Three times the rhythm.
    let other = Stage::start(TARGETS).await;
    let began = other.engine.clock().now();
    let waited = || other.engine.clock().now().since(began) > Duration::from_millis(300);
    other.until(&[], waited).await;
    assert_eq!(heard(), at_the_end, "it beats after the end");
    other.end().await;
}

#[tokio::test]
async fn it_does_not_hear_a_monitor_that_does_not_follow_its_targets() {
    let sink = WebSink::start().await;
    let settings = Settings::from_yaml(&switch(&sink, "100ms"), "test.yml").unwrap();
    let desk = AlertDesk::new(Clock::new(), &settings.alerts, None);
    let mut called = desk.0.called.lock().take().unwrap();
    let (_stopper, stop) = Stop::channel();
    tokio::spawn(beat(desk.clone(), Arc::new(Memory::new()), stop));
    let (heard, failed) = (
        || sink.posted.lock().len(),
        || desk.pulses().map_or(0, |pulses| pulses.failed),
    );
    while heard() < 2 {
        let call = called.recv().await.unwrap();
        call.send(()).unwrap();
    }
    // It hangs with a call that it took, and takes no more of them.
    let unanswered = called.recv().await.unwrap();
    let before = heard();
    let until = async |holds: &dyn Fn() -> bool| {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !holds() {
            ticks.tick().await;
        }
    };
    let hangs = timeout(Duration::from_secs(30), until(&|| failed() >= 5)).await;
    assert!(hangs.is_ok(), "{} failures", failed());
    assert_eq!(heard(), before, "it says that it lives and does not");
    drop(unanswered);
    tokio::spawn(async move {
        while let Some(call) = called.recv().await {
            let _late = call.send(());
        }
    });
    let lives = timeout(Duration::from_secs(30), until(&|| heard() > before)).await;
    assert!(
        lives.is_ok(),
        "it follows its targets again, and does not say so"
    );
}

#[tokio::test]
async fn one_that_cannot_be_told_is_counted_and_keeps_no_alert_back() {
    let (hook, hanging) = (WebSink::start().await, WebSink::start().await);
    hanging.hangs.store(true, Ordering::Relaxed);
    let text = format!("{TARGETS}{}{}", webhook(&hook), switch(&hanging, "100ms"));
    let stage = Stage::start(&text).await;
    stage.up(&["web", "db"]).await;
    let failed = || stage.alerts.pulses().map_or(0, |pulses| pulses.failed);
    stage.until(&["web", "db"], || failed() >= 3).await;
    stage
        .until(&["db"], || hook.alerts() == ["web firing"])
        .await;
    let pulses = stage.alerts.pulses().unwrap();
    assert_eq!((pulses.sent, pulses.last_success), (0, None));
    // It is heard as soon as it answers.
    hanging.hangs.store(false, Ordering::Relaxed);
    let sent = || stage.alerts.pulses().map_or(0, |pulses| pulses.sent);
    stage.until(&["web", "db"], || sent() >= 2).await;
    stage.end().await;
}
