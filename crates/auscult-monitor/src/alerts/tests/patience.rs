//! Receivers that do not answer: a program that never ends, and one Alertmanager of two.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::sinks::WebSink;
use super::stage::{Stage, TARGETS};

/// The script writes down who its child is: that one has the script's input, and never ends.
#[tokio::test]
async fn a_program_that_takes_too_long_is_killed_with_what_it_started_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let child = "exec 3<&0; tail -f /dev/null &";
    let script = format!("{child} echo $$ $! >> {}; wait", runs.display());
    let text = format!(
        "{TARGETS}
receivers:
- {{name: script, type: command, command: [/bin/sh, -c, \"{script}\"], timeout: 1s,
   group_wait: 0s}}
"
    );
    let stage = Stage::start_in(folder, &text).await;
    stage.up(&["web", "db"]).await;
    let processes = || -> Vec<String> {
        let text = fs::read_to_string(&runs).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    stage.until(&["db"], || processes().len() > 1).await;
    let first = processes()[0].clone();
    let runs_on = |id: &str| {
        let status = fs::read_to_string(Path::new("/proc").join(id).join("status"));
        // One that was killed and is not waited for yet is still listed.
        status.is_ok_and(|status| !status.contains("State:\tZ"))
    };
    let any_runs_on = || first.split(' ').any(runs_on);
    stage.until(&["db"], || !any_runs_on()).await;
    let failures = stage.alerts.read(|alerts, _| {
        let failures = alerts.lanes().map(|lane| lane.failures);
        failures.sum::<u32>()
    });
    assert!(failures > 0);
    stage.end().await;
}

#[tokio::test]
async fn every_alertmanager_is_told_though_one_hangs_and_that_one_when_it_is_back() {
    let sinks = [WebSink::start().await, WebSink::start().await];
    sinks[0].hangs.store(true, Ordering::Relaxed);
    let text = format!(
        "{TARGETS}
receivers:
- {{name: am1, type: alertmanager, url: \"http://{}/\", timeout: 1s}}
- {{name: am2, type: alertmanager, url: \"http://{}/\", timeout: 1s}}
",
        sinks[0].addr, sinks[1].addr
    );
    let stage = Stage::start(&text).await;
    stage.up(&["web", "db"]).await;
    let told = |sink: &WebSink| sink.posted.lock().len();
    stage.until(&["db"], || told(&sinks[1]) == 1).await;
    assert_eq!(told(&sinks[0]), 0);
    sinks[0].hangs.store(false, Ordering::Relaxed);
    stage.until(&["db"], || told(&sinks[0]) == 1).await;
    let all = || sinks.iter().all(|sink| told(sink) == 2);
    stage.until(&["db", "web"], all).await;
    for sink in &sinks {
        let posted = sink.posted.lock();
        let [fired, ended] = [&posted[0], &posted[1]].map(|it| it.json()[0].clone());
        assert_eq!(fired["labels"], ended["labels"]);
        assert!(fired["endsAt"].as_str() > ended["endsAt"].as_str());
    }
    stage.end().await;
}
