//! Judging peers together with the other monitors of the group: who judges which peer, and what
//! came to whom ([`Exchange`](super::exchange::Exchange)).

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_agent::http::stop::Stop;
use auscult_core::monitor::observers::MonitorName;
use auscult_core::peer_metric::{Company, Input, Sender};
use tokio::task::AbortHandle;

use super::PeerMonitor;
use super::exchange::{ItemRecord, ReadingRecord, ReadingsRecord};
use crate::alerts::AlertDesk;
use crate::observers::wire::{Answer, Letter};
use crate::observers::{Hearer, Observatory};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long readings are gathered, so that many make one letter. Their age is told, so it costs no
/// precision.
const GATHER: Duration = Duration::from_millis(20);

/// How long one that did not answer is left alone.
const PAUSE: Duration = Duration::from_millis(250);

/// How often it is looked who is there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whether a reading of another monitor can be one that came here by itself.
#[derive(Clone, Copy)]
enum News {
    /// It was published there.
    Surely,
    /// It is the newest that is known there.
    Perhaps,
}

/// Takes what peers published to other monitors.
struct Ear {
    monitor: PeerMonitor,
    desk: AlertDesk,
}

/// Passes on what is published here, and takes what is published to the others, until `stop`.
pub(super) fn start(monitor: PeerMonitor, desk: AlertDesk, observatory: Observatory, stop: Stop) {
    let ear = Ear {
        monitor: monitor.clone(),
        desk: desk.clone(),
    };
    observatory.set_hearer(Box::new(ear));
    tokio::spawn(keep(monitor, desk, observatory, stop));
}

async fn keep(monitor: PeerMonitor, desk: AlertDesk, observatory: Observatory, stop: Stop) {
    let session = desk.session();
    let mut writers: BTreeMap<MonitorName, AbortHandle> = BTreeMap::new();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = &mut stopped => break,
        }
        if let Some(roll) = monitor.roll() {
            monitor.exchange().set_roll(roll.clone());
            desk.note_own_roll(Some(roll));
        }
        let colleagues = desk.colleagues();
        let met = monitor.exchange().meet(&colleagues);
        if !(met.come.is_empty() && met.gone.is_empty()) {
            let company = match colleagues.is_empty() {
                true => Company::Alone,
                false => Company::Others,
            };
            monitor.drive(|log, now| log.handle(now, Input::Company(company)));
        }
        monitor.note_answered(&met.answered);
        for name in met.gone {
            desk.note_roll(&name, None);
            if let Some(writer) = writers.remove(&name) {
                writer.abort();
            }
        }
        for name in met.come {
            let writer = write(monitor.clone(), observatory.clone(), session, name.clone());
            writers.insert(name, tokio::spawn(writer).abort_handle());
        }
    }
    for writer in writers.into_values() {
        writer.abort();
    }
}

async fn write(monitor: PeerMonitor, observatory: Observatory, session: u64, to: MonitorName) {
    let exchange = monitor.exchange();
    while let Some(letter) = exchange.next(&monitor, session, &to).await {
        let letter = Letter::Readings(letter);
        match observatory.send(&to, letter, ANSWER_MAX).await {
            Ok(answer @ (Answer::ReadingsTaken | Answer::ReadingsKnown(_))) => {
                if let Answer::ReadingsKnown(newer) = answer {
                    newer
                        .iter()
                        .for_each(|reading| take(&monitor, reading, News::Perhaps));
                }
                monitor.note_answered(&exchange.letter_taken(&to));
                tokio::time::sleep(GATHER).await;
            }
            other => {
                tracing::debug!(monitor = %to, ?other, "readings of peers were not taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Hearer for Ear {
    fn take(&self, from: &MonitorName, mut letter: ReadingsRecord) -> Answer {
        let refused = |text: &str| Answer::Refused {
            text: text.to_owned(),
        };
        let exchange = self.monitor.exchange();
        match exchange.note_letter(from, letter.session, letter.number) {
            None => return refused("the sender is not known to live yet; try again"),
            Some(false) => return self.answer(&letter),
            Some(true) => {}
        }
        if let Some(roll) = letter.roll.take() {
            let Some(roll) = roll.into_roll() else {
                return refused("a name of a peer is none");
            };
            exchange.note_roll(from, &roll, self.monitor.all_series());
            self.desk.note_roll(from, Some(roll));
        }
        for item in &letter.items {
            match item {
                ItemRecord::Published(reading) => take(&self.monitor, reading, News::Surely),
                ItemRecord::Known(reading) => take(&self.monitor, reading, News::Perhaps),
                ItemRecord::Forgotten { peer, metric } => {
                    self.monitor.forget(peer, metric.as_deref());
                }
            }
        }
        self.answer(&letter)
    }
}

impl Ear {
    /// A letter was taken; what is newer here, where it asks.
    fn answer(&self, letter: &ReadingsRecord) -> Answer {
        if letter.asked.is_empty() {
            return Answer::ReadingsTaken;
        }
        let newer = self.monitor.read(|log, now| {
            let asked = letter.asked.iter();
            asked.filter_map(|it| it.answer(log, now)).collect()
        });
        Answer::ReadingsKnown(newer)
    }
}

/// Takes a reading of another monitor, unless it is known.
fn take(monitor: &PeerMonitor, record: &ReadingRecord, news: News) {
    let (now, age) = (monitor.clock().now(), Duration::from_micros(record.age_us));
    let received_at = now.before(age);
    // Our clock has no name for that moment: what an earlier process heard was not passed on.
    let is_before_us = now.since(received_at) < age;
    let reading = record.reading();
    let is_known = monitor.read(|log, _| match news {
        News::Surely => log.has(&reading, received_at),
        News::Perhaps => log.may_have(&reading, received_at),
    });
    let (peer, metric) = (&record.peer, &record.metric);
    let is_forgotten = monitor.exchange().is_forgotten(peer, metric, received_at);
    if is_before_us || is_known || is_forgotten {
        return;
    }
    match monitor.log_metric_at(Sender::Trusted, &reading, received_at) {
        Ok(()) => monitor.exchange().count_taken(),
        Err(reason) => tracing::debug!(
            peer,
            metric,
            "a reading of another monitor is not taken: {reason}"
        ),
    }
}
