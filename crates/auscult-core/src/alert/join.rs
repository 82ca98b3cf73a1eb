//! What two monitors know of one alert, put together: nothing that somebody may have been told of
//! is forgotten, and nothing that was confirmed is told again.
//!
//! To join is idempotent and does not depend on the order, but for moments and texts, which are
//! those of whoever knew an episode first.

use alloc::vec::Vec;

use super::key::Episode;
use super::record::{Delivery, Ending, Exposed, Past, Record};

/// How an alert is, from what two monitors know of it.
pub(super) fn joined(mine: &Record, theirs: &Record) -> Record {
    let rank = |record: &Record| (record.episode, record.ended.is_some());
    let (newer, older) = match rank(theirs) > rank(mine) {
        true => (theirs, mine),
        false => (mine, theirs),
    };
    let mut record = with_acknowledgement_of(newer.clone(), older);
    record.count = mine.count.max(theirs.count);
    let ended = |of: &Record| {
        let (ended, ending) = of
            .ended
            .or(newer.ended)
            .unwrap_or((newer.since, Ending::Cleared));
        Past {
            episode: of.episode,
            count: of.count,
            fired: of.fired,
            ended,
            ending,
        }
    };
    for known in &older.deliveries {
        let mut known = known.clone();
        let is_over = newer.episode > older.episode || newer.ended.is_some();
        if let Some(exposed) = known
            .exposed
            .as_mut()
            .filter(|e| e.past.is_none() && is_over)
        {
            exposed.past = Some(ended(older));
        }
        let mut deliveries = record.deliveries.iter_mut();
        match deliveries.find(|d| d.receiver == known.receiver) {
            Some(delivery) => *delivery = join(delivery, &known),
            None => record.deliveries.push(known),
        }
    }
    let (fires, episode, past) = (record.fires(), record.episode, ended(&record));
    for delivery in &mut record.deliveries {
        make_good(delivery, episode, (!fires).then_some(&past));
    }
    record
}

/// The record, with the word that stands of who looks after it.
pub(super) fn with_acknowledgement_of(mut record: Record, other: &Record) -> Record {
    let rank = |record: &Record| (record.acknowledgements, record.acknowledged.is_some());
    if record.episode == other.episode && record.fires() && rank(other) > rank(&record) {
        record.acknowledged.clone_from(&other.acknowledged);
        record.acknowledgements = other.acknowledgements;
    }
    record
}

/// Whether two records differ in nothing but moments and texts.
pub(super) fn say_the_same(one: &Record, other: &Record) -> bool {
    type Known<'a> = (
        &'a str,
        [Episode; 3],
        u32,
        Option<(Episode, bool)>,
        Option<Episode>,
    );
    fn known(delivery: &Delivery) -> Known<'_> {
        let exposed = delivery.exposed.as_ref();
        (
            &delivery.receiver,
            [delivery.wanted, delivery.told, delivery.told_end],
            delivery.repeats,
            exposed.map(|e| (e.episode, e.past.is_some())),
            delivery.brief.as_ref().map(|past| past.episode),
        )
    }
    let deliveries = |record: &'_ Record| -> bool {
        let mut mine: Vec<_> = one.deliveries.iter().map(known).collect();
        let mut theirs: Vec<_> = record.deliveries.iter().map(known).collect();
        mine.sort_unstable();
        theirs.sort_unstable();
        mine == theirs
    };
    one.episode == other.episode
        && one.ended.is_some() == other.ended.is_some()
        && one.flapping == other.flapping
        && one.acknowledged.is_some() == other.acknowledged.is_some()
        && one.acknowledgements == other.acknowledgements
        && deliveries(other)
}

fn join(one: &Delivery, other: &Delivery) -> Delivery {
    let (newer, older) = match (other.told, other.repeats) > (one.told, one.repeats) {
        true => (other, one),
        false => (one, other),
    };
    let told_end = newer.told_end.max(older.told_end);
    let mut exposed: Option<Exposed> = None;
    for known in [&newer.exposed, &older.exposed].into_iter().flatten() {
        let rank = |e: &Exposed| (e.episode, e.past.is_some());
        if known.episode > told_end && exposed.as_ref().is_none_or(|e| rank(known) > rank(e)) {
            exposed = Some(known.clone());
        }
    }
    let mut brief: Option<Past> = None;
    for known in [&newer.brief, &older.brief].into_iter().flatten() {
        if known.episode > told_end && brief.as_ref().is_none_or(|b| known.episode > b.episode) {
            brief = Some(known.clone());
        }
    }
    Delivery {
        receiver: newer.receiver.clone(),
        wanted: newer.wanted.max(older.wanted),
        told: newer.told,
        told_at: newer.told_at.max(older.told_at),
        repeats: newer.repeats,
        told_end,
        exposed,
        brief,
        skipped: newer.skipped.max(older.skipped),
    }
}

/// Makes what a receiver knows agree with how the alert is: `past` where it does not fire.
fn make_good(delivery: &mut Delivery, episode: Episode, past: Option<&Past>) {
    if delivery.brief.as_ref().map(|b| b.episode) <= delivery.exposed.as_ref().map(|e| e.episode) {
        delivery.brief = None;
    }
    // That an earlier episode ended is no news to one who was told of a later one.
    delivery.exposed.take_if(|e| e.episode < delivery.told);
    if past.is_none() && delivery.told == episode && delivery.exposed.is_none() {
        delivery.exposed = Some(Exposed {
            episode,
            past: None,
        });
    }
    match past {
        // What came and went before this episode is counted with it.
        None => {
            if delivery.brief.take().is_some() {
                delivery.skipped = delivery.skipped.saturating_add(1);
            }
        }
        // Somebody was to be told of it, and nobody knows whether that happened.
        Some(past) => {
            let open = delivery.wanted == episode && delivery.told_end < episode;
            if open
                && delivery
                    .exposed
                    .as_ref()
                    .is_none_or(|e| e.episode != episode)
            {
                delivery.brief = Some(past.clone());
            }
        }
    }
}
