//! Telling the others: one message at a time to each of them.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_agent::http::stop::Stop;
use auscult_core::monitor::observers::{MonitorName, Reply};
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::wire::{Answer, Letter};
use super::{Observatory, TICK};

/// How long an answer may take. Longer than that, the other one is as good as not there.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long changes are gathered, so that many at once make one message.
const GATHER: Duration = Duration::from_millis(10);

/// How long one that did not answer is left alone.
const PAUSE: Duration = Duration::from_millis(250);

/// Lets time pass for the machine, and keeps a talker for every other monitor.
pub(super) async fn keep_time(observatory: Observatory, stop: Stop) {
    let mut talkers: BTreeMap<MonitorName, AbortHandle> = BTreeMap::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.clone().stopped() => break,
        }
        if observatory.tick() {
            observatory.hand_all().await;
        }
        let names = observatory.read(|machine| {
            let seats = machine.roster().into_iter().skip(1);
            seats.map(|seat| seat.name).collect::<Vec<_>>()
        });
        talkers.retain(|name, talker| {
            let stays = names.contains(name);
            if !stays {
                talker.abort();
            }
            stays
        });
        for name in names {
            talkers.entry(name.clone()).or_insert_with(|| {
                let talk = talk(observatory.clone(), name.clone());
                let forward = forward(observatory.clone(), name);
                tokio::spawn(async move {
                    tokio::join!(talk, forward);
                })
                .abort_handle()
            });
        }
    }
    for talker in talkers.into_values() {
        talker.abort();
    }
}

/// Tells another monitor what changes, and beats.
async fn talk(observatory: Observatory, to: MonitorName) {
    let shared = &observatory.0;
    let clock = shared.engine.clock().clone();
    let mut refused = String::new();
    loop {
        let changed = shared.changed.notified();
        let batch = shared.machine.lock().poll_batch(clock.now(), &to);
        let Some(batch) = batch else {
            let _later = tokio::time::timeout(TICK, changed).await;
            tokio::time::sleep(GATHER).await;
            continue;
        };
        let letter = Letter::Batch(batch.into());
        let answer = shared.post.send(&to, letter, ANSWER_MAX).await;
        let reply = match answer {
            Ok(Answer::Reply(record)) => {
                refused.clear();
                Reply::try_from(record).ok()
            }
            Ok(
                Answer::HeartbeatsTaken
                | Answer::AlertsTaken { .. }
                | Answer::ReadingsTaken
                | Answer::ReadingsKnown(_),
            ) => None,
            Ok(Answer::Refused { text }) => {
                // Once: who is outside of its group hears it from everybody, until it ends.
                if refused != text {
                    tracing::warn!(monitor = %to, "what this observer sees was not taken: {text}");
                    refused = text;
                }
                None
            }
            Err(error) => {
                tracing::debug!(monitor = %to, %error, "an observer did not answer");
                None
            }
        };
        let answered = reply.is_some();
        let now = clock.now();
        match reply {
            Some(reply) => shared.machine.lock().take_reply(now, &to, reply),
            None => shared.machine.lock().lose_batch(now, &to),
        }
        observatory.say();
        if !answered {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Sends another monitor the heartbeats that came here and that it observes.
async fn forward(observatory: Observatory, to: MonitorName) {
    let shared = &observatory.0;
    loop {
        let heartbeats = shared.forwarder.next(&to).await;
        let count = heartbeats.len() as u64;
        let letter = Letter::Heartbeats(heartbeats);
        let answer = shared.post.send(&to, letter, ANSWER_MAX).await;
        if matches!(answer, Ok(Answer::HeartbeatsTaken)) {
            shared.forwarder.count_sent(count);
        } else {
            shared.forwarder.count_lost(count);
            tokio::time::sleep(PAUSE).await;
        }
    }
}
