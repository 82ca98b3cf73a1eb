//! What is on the disk when a monitor ended in order.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::clock::Clock;
use auscult_core::alert::{Concern, Input, Observation, Subject};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::Status;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::alerts::{AlertDesk, Place};
use crate::settings::Settings;
use crate::store::AlertStore;

const ALERTS: usize = 50;

fn desk(folder: &Path) -> AlertDesk {
    let text = "receivers: [{name: journal, type: log}]\n";
    let settings = Settings::from_yaml(text, "test.yml").unwrap();
    let store = AlertStore::open(folder).unwrap();
    AlertDesk::new(Clock::new(), &settings.alerts, Some(store))
}

fn goes_down(desk: &AlertDesk, number: usize) {
    let subject = Subject::Target(TargetId::new(&format!("target-{number}")).unwrap());
    desk.handle(Input::Observed(Observation {
        subject: &subject,
        signal: &SignalName::new("http").unwrap(),
        concern: Concern::Own,
        at: desk.clock().now(),
        status: Status::Down,
        labels: &Arc::default(),
        parents: &Arc::from([]),
        reason: "nobody answers",
    }));
}

#[tokio::test]
async fn what_fired_in_the_last_moment_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    // The first one is being written when the others come.
    for number in 0..ALERTS {
        goes_down(&desk, number);
    }
    desk.stop().await;
    drop(desk);
    let (_store, texts) = AlertStore::open(folder.path()).unwrap();
    assert_eq!(texts.alerts.len(), ALERTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_hangs_keeps_the_end_waiting_for_a_moment_only() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let place = desk.0.place.lock().clone();
    let Place::File(store) = place else {
        panic!("it has a file");
    };
    let hanging = Arc::clone(&store);
    let (hangs, hung) = oneshot::channel();
    let (goes_on, waits) = std::sync::mpsc::channel::<()>();
    let disk = tokio::task::spawn_blocking(move || {
        let _held = hanging.hang();
        hangs.send(()).unwrap();
        let _told = waits.recv();
    });
    hung.await.unwrap();
    goes_down(&desk, 0);
    let stopped = timeout(Duration::from_secs(20), desk.stop()).await;
    assert!(stopped.is_ok(), "it waits for ever");
    // It lets the file go as soon as the disk goes on, and not before.
    assert!(Arc::strong_count(&store) > 1);
    drop(goes_on);
    disk.await.unwrap();
    let let_go = timeout(Duration::from_secs(20), desk.released(&store)).await;
    assert!(let_go.is_ok(), "it never lets the file go");
}
