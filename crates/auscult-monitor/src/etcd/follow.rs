//! What goes on by itself: following the head, and being listed among the monitors.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::gateway::{Failure, number, text};
use super::layout::Present;
use super::store::{Inner, to_json};
use crate::base64;

/// Reads up to the head whenever it may have changed, and once in a while in any case.
pub(super) async fn follow(inner: Arc<Inner>) {
    let mut pause = inner.timing.pause;
    loop {
        let caught_up = {
            let _turn = inner.turn.lock().await;
            inner.catch_up().await
        };
        match caught_up {
            Ok(()) => {
                pause = inner.timing.pause;
                let _woken = timeout(inner.timing.poll, inner.wake.notified()).await;
            }
            Err(failure) => {
                tracing::debug!(%failure, "the shared settings cannot be followed");
                sleep(pause).await;
                pause = (pause * 2).min(inner.timing.poll);
            }
        }
    }
}

/// Wakes the follower as soon as the head changes.
pub(super) async fn watch(inner: Arc<Inner>) {
    let key = inner.keys.head();
    loop {
        let failure = inner.gateway.watch(&key, || inner.wake.notify_one()).await;
        tracing::debug!(%failure, "the watch of the shared settings broke");
        sleep(inner.timing.poll).await;
    }
}

/// Keeps this monitor listed, under a lease that ends when it does not come back.
pub(super) async fn be_present(inner: Arc<Inner>) {
    let pause = inner.timing.presence / 3;
    loop {
        let Err(failure) = keep_a_lease(&inner, pause).await;
        tracing::debug!(%failure, "this monitor cannot be listed");
        sleep(inner.timing.poll.min(pause)).await;
    }
}

async fn keep_a_lease(inner: &Inner, pause: Duration) -> Result<Infallible, Failure> {
    #[derive(Deserialize)]
    struct Granted {
        #[serde(rename = "ID", deserialize_with = "number")]
        id: u64,
    }
    let seconds = inner.timing.presence.as_secs().max(2);
    let ask = json!({ "TTL": seconds.to_string() });
    let granted: Granted = inner.gateway.ask("lease/grant", &ask).await?;
    *inner.lease.lock() = Some(granted.id);
    let keep = json!({ "ID": granted.id.to_string() });
    loop {
        stand(inner).await?;
        sleep(pause).await;
        let _alive: Value = inner.gateway.ask("lease/keepalive", &keep).await?;
    }
}

/// Writes down that this monitor is there, and how it is. Refused when the lease has ended: a new
/// one is asked for then.
pub(super) async fn stand(inner: &Inner) -> Result<(), Failure> {
    let Some(lease) = *inner.lease.lock() else {
        return Ok(());
    };
    let present = Present {
        monitor: inner.monitor.clone(),
        applied: inner.state.read().applied,
        leaving: inner.leaving.load(Ordering::Relaxed),
    };
    let put = json!({
        "key": text(&inner.keys.monitor(inner.id)),
        "value": base64::encode(&to_json(&present)?),
        "lease": lease.to_string(),
    });
    let _done: Value = inner.gateway.ask("kv/put", &put).await?;
    Ok(())
}
