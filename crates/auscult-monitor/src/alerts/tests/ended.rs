//! What is on the disk when a monitor ended in order.

use std::sync::Arc;

use auscult_agent::clock::Clock;
use auscult_core::alert::{Concern, Input, Observation, Subject};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::Status;

use crate::alerts::AlertDesk;
use crate::settings::Settings;
use crate::store::AlertStore;

const ALERTS: usize = 50;

#[tokio::test]
async fn what_fired_in_the_last_moment_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let text = "receivers: [{name: journal, type: log}]\n";
    let settings = Settings::from_yaml(text, "test.yml").unwrap();
    let store = AlertStore::open(folder.path()).unwrap();
    let desk = AlertDesk::new(Clock::new(), &settings.alerts, Some(store));
    // The first one is being written when the others come.
    for number in 0..ALERTS {
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
    desk.stop().await;
    drop(desk);
    let (_store, texts) = AlertStore::open(folder.path()).unwrap();
    assert_eq!(texts.alerts.len(), ALERTS);
}
