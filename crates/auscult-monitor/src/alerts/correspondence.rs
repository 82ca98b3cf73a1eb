//! What the monitors of a group say to each other of alerts: one letter at a time to each, so that
//! a slow one holds up nobody but itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::http::stop::Stop;
use auscult_core::monitor::observers::MonitorName;
use tokio::task::AbortHandle;

use super::AlertDesk;
use super::feed::Feed;
use super::record::LetterRecord;
use crate::observers::wire::{Answer, Letter};
use crate::observers::{Correspondent, Observatory};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long news is gathered, so that many make one letter.
const GATHER: Duration = Duration::from_millis(5);

/// How long one that did not answer is left alone.
const PAUSE: Duration = Duration::from_millis(250);

/// How often it is looked who is there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Takes letters.
pub(super) struct Desk(pub(super) Arc<Feed>);

impl Correspondent for Desk {
    fn take(&self, from: &MonitorName, letter: LetterRecord) -> Answer {
        let Some(letter) = letter.into_letter() else {
            let text = "a letter of alerts says what cannot be".to_owned();
            return Answer::Refused { text };
        };
        let desk = &self.0.desk;
        let taken = desk.drive(|machine, now| machine.take_letter(now, from, letter));
        for subject in &taken.newcomers {
            self.0.introduce(subject);
        }
        let session = desk.read(|machine, _| machine.session());
        Answer::AlertsTaken { session }
    }
}

/// Writes to every other monitor until `stop`.
pub(super) async fn correspond(feed: Arc<Feed>, observatory: Observatory, stop: Stop) {
    let mut writers: BTreeMap<MonitorName, AbortHandle> = BTreeMap::new();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.clone().stopped() => break,
        }
        let names = feed.office.lock().colleagues();
        writers.retain(|name, writer| {
            let stays = names.contains(name);
            if !stays {
                writer.abort();
            }
            stays
        });
        for name in names {
            writers.entry(name.clone()).or_insert_with(|| {
                let letters = write(feed.desk.clone(), observatory.clone(), name);
                tokio::spawn(letters).abort_handle()
            });
        }
    }
    for writer in writers.into_values() {
        writer.abort();
    }
}

async fn write(desk: AlertDesk, observatory: Observatory, to: MonitorName) {
    // What an earlier writer had under way was not answered.
    desk.drive(|machine, now| machine.letter_lost(now, &to));
    loop {
        let spoke = desk.spoke();
        tokio::pin!(spoke);
        spoke.as_mut().enable();
        let Some(letter) = desk.poll_letter(&to) else {
            spoke.await;
            tokio::time::sleep(GATHER).await;
            continue;
        };
        let letter = Letter::Alerts(LetterRecord::of(&letter));
        match observatory.send(&to, letter, ANSWER_MAX).await {
            Ok(Answer::AlertsTaken { session }) => {
                desk.drive(|machine, now| machine.letter_taken(now, &to, session));
            }
            other => {
                tracing::debug!(monitor = %to, ?other, "what is known of alerts was not taken");
                desk.drive(|machine, now| machine.letter_lost(now, &to));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
