//! What a receiver is still to be told of an alert: found from what happened and what it knows.

use super::key::Episode;
use super::message::News;
use super::record::{Delivery, Past, Record};
use super::rule::{Receiver, Rule};
use crate::time::Instant;

/// What is to be told, if anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Nothing, until something happens.
    Nothing,
    /// Nothing before then.
    Later(Instant),
    /// This.
    Now(Telling),
}

/// One thing to tell of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Telling {
    pub(super) news: News,
    pub(super) episode: Episode,
    pub(super) count: u64,
    pub(super) fired: Instant,
}

impl Telling {
    const fn of(past: &Past) -> Self {
        Self {
            news: News::Resolved {
                at: past.ended,
                ending: past.ending,
            },
            episode: past.episode,
            count: past.count,
            fired: past.fired,
        }
    }
}

/// Whether anything hinders that people are told of an alert that fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hindrance {
    None,
    Suppressed,
}

/// What a receiver is to be told.
///
/// An end comes first, whatever else is the case: neither silences nor acknowledgements nor changed
/// rules keep it back from one who may know of the beginning.
pub(super) fn owed(
    record: &Record,
    delivery: &Delivery,
    rule: Option<&Rule>,
    receiver: &Receiver,
    hindrance: Hindrance,
    now: Instant,
) -> Owed {
    if let Some(past) = delivery.exposed.as_ref().and_then(|e| e.past.as_ref()) {
        return Owed::Now(Telling::of(past));
    }
    if !record.fires() {
        return match &delivery.brief {
            Some(past) => Owed::Now(Telling::of(past)),
            None => refreshed_end(record, delivery, receiver, now),
        };
    }
    let telling = |news| {
        Owed::Now(Telling {
            news,
            episode: record.episode,
            count: record.count,
            fired: record.fired,
        })
    };
    let rule = rule.filter(|rule| rule.receivers.contains(&delivery.receiver));
    if delivery.told < record.episode {
        return match (rule, hindrance) {
            (Some(_), Hindrance::None) => telling(News::Firing),
            (None, _) | (_, Hindrance::Suppressed) => Owed::Nothing,
        };
    }
    if let Some(refresh) = receiver.refresh {
        let due = delivery.told_at.after(refresh.every);
        return if due <= now {
            telling(News::Refresh)
        } else {
            Owed::Later(due)
        };
    }
    let Some(repeat) = rule.and_then(|rule| rule.repeat) else {
        return Owed::Nothing;
    };
    let due = delivery.told_at.after(repeat);
    match (due <= now, hindrance) {
        _ if record.acknowledged.is_some() => Owed::Nothing,
        (false, _) => Owed::Later(due),
        (true, Hindrance::None) => telling(News::Repeat(delivery.repeats.saturating_add(1))),
        (true, Hindrance::Suppressed) => Owed::Nothing,
    }
}

/// The end once more, for a receiver that forgets.
fn refreshed_end(record: &Record, delivery: &Delivery, receiver: &Receiver, now: Instant) -> Owed {
    let (Some(refresh), Some((ended, ending))) = (receiver.refresh, record.ended) else {
        return Owed::Nothing;
    };
    let due = delivery.told_at.after(refresh.every);
    if delivery.told_end < record.episode || due > ended.after(refresh.after_end) {
        return Owed::Nothing;
    }
    if due > now {
        return Owed::Later(due);
    }
    Owed::Now(Telling {
        news: News::Resolved { at: ended, ending },
        episode: record.episode,
        count: record.count,
        fired: record.fired,
    })
}
