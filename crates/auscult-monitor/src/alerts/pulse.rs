//! A dead man's switch of our own: this monitor tells something outside that it lives, so that its
//! death is noticed there.
//!
//! Each monitor of a group does so for itself, with its name in the body.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auscult_agent::http::stop::Stop;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::AlertDesk;
use crate::settings::Pulse;
use crate::shared::SettingsStore;

/// What was counted of heartbeats to the outside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pulses {
    /// Those that were taken.
    pub sent: u64,
    /// Those that were not.
    pub failed: u64,
    /// When the last one was taken, as Unix time in seconds.
    pub last_success: Option<f64>,
}

/// Counts heartbeats to the outside.
#[derive(Debug, Default)]
pub(super) struct Counting {
    sent: AtomicU64,
    failed: AtomicU64,
    last_success_ms: AtomicU64,
}

impl Counting {
    pub(super) fn read(&self) -> Pulses {
        let last = self.last_success_ms.load(Ordering::Relaxed);
        Pulses {
            sent: self.sent.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            last_success: (last > 0).then(|| Duration::from_millis(last).as_secs_f64()),
        }
    }
}

/// Sends heartbeats as the settings say, until `stop`.
pub(super) async fn beat(desk: AlertDesk, group: Arc<dyn SettingsStore>, stop: Stop) {
    loop {
        let settings_changed = desk.pulse_changed();
        tokio::pin!(settings_changed);
        settings_changed.as_mut().enable();
        let pulse = desk.pulse();
        let beating = async {
            match pulse {
                Some(pulse) => beat_to(&desk, &pulse, &*group).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = beating => {}
            () = settings_changed => {}
            () = stop.clone().stopped() => return,
        }
    }
}

async fn beat_to(desk: &AlertDesk, pulse: &Pulse, group: &dyn SettingsStore) {
    let mut beats = interval(pulse.interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        beats.tick().await;
        let error = match timeout(pulse.interval, desk.answers()).await {
            Ok(()) => push(desk, pulse, name(group)).await,
            // To say that it lives would keep the switch from acting.
            Err(_) => Some("this monitor does not follow its targets".to_owned()),
        };
        let counting = desk.counting();
        match error {
            None => {
                failing = false;
                let now = desk.clock().wall(desk.clock().now()).as_millisecond();
                let now = u64::try_from(now).unwrap_or(0);
                counting.last_success_ms.store(now, Ordering::Relaxed);
                counting.sent.fetch_add(1, Ordering::Relaxed);
            }
            Some(error) => {
                counting.failed.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!("the dead man's switch does not hear this monitor: {error}");
                }
            }
        }
    }
}

/// Why a heartbeat was not taken, if it was not.
async fn push(desk: &AlertDesk, pulse: &Pulse, monitor: String) -> Option<String> {
    let firing = desk.firing();
    let body = json!({ "monitor": monitor, "status": "alive", "firing": firing }).to_string();
    // One that takes longer is late for the next one.
    match timeout(pulse.interval, desk.push(pulse, body)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("it took too long".to_owned()),
    }
}

/// What this monitor is called in its group.
fn name(group: &dyn SettingsStore) -> String {
    let status = group.status();
    let me = status.monitors.into_iter().find(|it| it.id == status.id);
    me.map(|it| it.monitor.name).unwrap_or_default()
}
