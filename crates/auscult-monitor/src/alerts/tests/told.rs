//! Who is told what, from a heartbeat that does not come to what arrives at each receiver.

use std::fs;
use std::sync::atomic::Ordering;

use ring::hmac;

use super::sinks::{MailSink, Posted, WebSink};
use super::stage::{Stage, TARGETS};

const QUICK: &str = "group_wait: 0s, group_interval: 0s";

fn webhook(sink: &WebSink) -> String {
    format!(
        "receivers:\n- {{name: hook, type: webhook, url: \"http://{}/in\", {QUICK}, timeout: 1s}}\n",
        sink.addr
    )
}

#[tokio::test]
async fn every_kind_of_receiver_is_told_once_and_again_when_it_is_over() {
    let (hook, slack, manager) = (
        WebSink::start().await,
        WebSink::start().await,
        WebSink::start().await,
    );
    let mail = MailSink::start().await;
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    fs::write(folder.path().join("secret"), "sesame\n").unwrap();
    let script = format!("cat >> {}; echo >> {}", told.display(), told.display());
    let text = format!(
        "{TARGETS}
receivers:
- {{name: hook, type: webhook, url: \"http://{}/in\", secret_file: secret, {QUICK}}}
- {{name: chat, type: slack, url: \"http://{}/chat\", channel: \"#ops\", {QUICK}}}
- {{name: manager, type: alertmanager, url: \"http://{}/\"}}
- {{name: mail, type: email, smarthost: \"{}\", from: a@b.example, to: [c@d.example], {QUICK}}}
- {{name: script, type: command, command: [/bin/sh, -c, \"{script}\"], {QUICK}}}
- {{name: journal, type: log, {QUICK}}}
",
        hook.addr, slack.addr, manager.addr, mail.addr
    );
    let stage = Stage::start_in(folder, &text).await;
    stage.up(&["web", "db"]).await;
    let lines = || fs::read_to_string(&told).map_or(0, |text| text.lines().count());
    let counts = || {
        let posted = [&hook, &slack, &manager].map(|sink| sink.posted.lock().len());
        (posted, mail.mails.lock().len(), lines())
    };
    let all = |count| move |counts| counts == ([count; 3], count, count);
    stage.until_counts(&["db"], counts, all(1)).await;
    stage.until_counts(&["db", "web"], counts, all(2)).await;
    assert_eq!(hook.alerts(), ["web firing", "web resolved"]);

    check_webhook(&hook.posted.lock()[0]);
    check_alertmanager(&manager.posted.lock());
    let chat = slack.posted.lock()[0].json();
    assert_eq!(chat["channel"], "#ops");
    let text = chat["text"].as_str().unwrap();
    assert!(
        text.starts_with("[critical] web heartbeat: down since"),
        "{text}"
    );
    let mails = mail.mails.lock().clone();
    let subject = "Subject: [critical] web heartbeat: down since";
    assert!(mails[0].contains(subject), "{}", mails[0]);
    assert!(mails[1].contains("Subject: [resolved] web"), "{}", mails[1]);
    stage.end().await;
}

/// The signature is over the time and the body.
fn check_webhook(posted: &Posted) {
    let signature = &posted.headers["x-auscult-signature"];
    let (time, tag) = signature.split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"sesame");
    let signed = format!("{}.{}", &time[2..], posted.body);
    let expected = hmac::sign(&key, signed.as_bytes());
    let hex: String = expected
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(tag, hex);
    assert_eq!(posted.headers["idempotency-key"].len(), 32);
}

fn check_alertmanager(posted: &[Posted]) {
    assert_eq!(posted[0].path, "/api/v2/alerts");
    let (fired, ended) = (&posted[0].json()[0], &posted[1].json()[0]);
    assert_eq!(
        fired["labels"], ended["labels"],
        "the labels are the identity"
    );
    assert_eq!(fired["labels"]["alertname"], "down");
    assert_eq!(fired["labels"]["env"], "prod");
    assert_eq!(fired["startsAt"], ended["startsAt"]);
    assert!(fired["endsAt"].as_str() > ended["endsAt"].as_str());
}

#[tokio::test]
async fn a_restart_neither_tells_twice_nor_forgets_the_end() {
    let sink = WebSink::start().await;
    let text = format!("{TARGETS}{}", webhook(&sink));
    let stage = Stage::start(&text).await;
    stage.up(&["web", "db"]).await;
    stage
        .until(&["db"], || sink.alerts() == ["web firing"])
        .await;
    let folder = stage.end().await;
    // Down still, and then up again, in another process.
    let stage = Stage::start_in(folder, &text).await;
    stage
        .until(&["db", "web"], || sink.alerts().len() > 1)
        .await;
    assert_eq!(sink.alerts(), ["web firing", "web resolved"]);
    let folder = stage.end().await;

    // What ended while nobody ran, as its target is no longer watched.
    let stage = Stage::start_in(folder, &text).await;
    stage.up(&["web", "db"]).await;
    stage.until(&["db"], || sink.alerts().len() == 3).await;
    let folder = stage.end().await;
    let text = webhook(&sink);
    let stage = Stage::start_in(folder, &text).await;
    stage.until(&[], || sink.alerts().len() == 4).await;
    assert_eq!(sink.alerts()[2..], ["web firing", "web resolved"]);
    stage.end().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_is_told_when_it_is_back_and_keeps_nobody_waiting() {
    let (slow, other) = (WebSink::start().await, WebSink::start().await);
    slow.hangs.store(true, Ordering::Relaxed);
    let text = format!(
        "{TARGETS}{}- {{name: other, type: webhook, url: \"http://{}/\", {QUICK}}}\n",
        webhook(&slow),
        other.addr
    );
    let stage = Stage::start(&text).await;
    stage.up(&["web", "db"]).await;
    stage
        .until(&["db"], || other.alerts() == ["web firing"])
        .await;
    assert!(slow.alerts().is_empty());
    slow.hangs.store(false, Ordering::Relaxed);
    stage
        .until(&["db"], || slow.alerts() == ["web firing"])
        .await;
    stage
        .until(&["db", "web"], || slow.alerts().len() == 2)
        .await;
    assert_eq!(slow.alerts(), ["web firing", "web resolved"]);
    stage.end().await;
}

#[tokio::test]
async fn nobody_is_told_of_a_target_whose_parent_is_down() {
    let sink = WebSink::start().await;
    // The parent is found down a little later than its child, at worst.
    let patient = webhook(&sink).replace("group_wait: 0s", "group_wait: 1s");
    let stage = Stage::start(&format!("{TARGETS}{patient}")).await;
    stage.up(&["web", "db"]).await;
    stage.until(&[], || sink.alerts() == ["web firing"]).await;
    stage.until(&["web"], || sink.alerts().len() == 3).await;
    let mut rest = sink.alerts().split_off(1);
    rest.sort();
    assert_eq!(rest, ["db firing", "web resolved"]);
    stage.end().await;
}

#[tokio::test]
async fn other_rules_are_taken_while_it_runs_and_end_what_they_do_not_cover() {
    let sink = WebSink::start().await;
    let text = format!("{TARGETS}{}", webhook(&sink));
    let stage = Stage::start(&text).await;
    stage.up(&["web", "db"]).await;
    stage
        .until(&["db"], || sink.alerts() == ["web firing"])
        .await;
    let others = format!("{text}rules:\n- {{name: down, matchers: [\"env=test\"]}}\n");
    fs::write(stage.settings().join("settings.yml"), others).unwrap();
    stage.reload.reload().await.unwrap();
    stage
        .until(&["db"], || sink.alerts() == ["web firing", "web resolved"])
        .await;
    // And back: it is down still, and that is news again.
    fs::write(stage.settings().join("settings.yml"), text).unwrap();
    stage.reload.reload().await.unwrap();
    stage.until(&["db"], || sink.alerts().len() == 3).await;
    let keys = sink.keys();
    assert_ne!(keys[0], keys[2], "another episode has another key");
    stage.end().await;
}
