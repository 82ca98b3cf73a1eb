//! Revisions never go back: what can be read at a monitor never becomes older, not when it is
//! killed either, and whoever was answered there finds at least that. Only where the machine loses
//! power, a monitor may show an older revision until it hears a leader; that confirmed reads never
//! do is a property of its own.

use std::collections::BTreeMap;

use crate::history::{Answer, Event, History, Wish};

pub(crate) fn check(history: &History) -> Result<(), String> {
    let mut asked_of = BTreeMap::new();
    let mut reached: BTreeMap<usize, u64> = BTreeMap::new();
    for (at, event) in history.events.iter().enumerate() {
        let (monitor, revision, is_read) = match event {
            Event::Asked { request, monitor } => {
                asked_of.insert(*request, *monitor);
                continue;
            }
            Event::Seen {
                monitor, revision, ..
            } => (*monitor, *revision, true),
            Event::Answered { request, answer } => match answer {
                Answer::Read { revision, .. } => (asked_of[request], *revision, true),
                Answer::Made(outcome) => (asked_of[request], outcome.revision.number(), false),
                Answer::Refused(_) | Answer::NotDone | Answer::Unclear => continue,
            },
            Event::PowerWent { monitor } => {
                reached.remove(monitor);
                continue;
            }
            Event::Torn { .. } => continue,
        };
        let before = reached.entry(monitor).or_default();
        if is_read && revision < *before {
            return Err(format!(
                "event {at}: revision {revision} is read at m{monitor}, which had told of {before}"
            ));
        }
        *before = revision.max(*before);
    }
    one_owner_each(history)
}

/// No revision is given to two changes.
fn one_owner_each(history: &History) -> Result<(), String> {
    let mut owners: BTreeMap<u64, &str> = BTreeMap::new();
    for request in history.requests() {
        let Wish::Change { author, .. } = request.wish else {
            continue;
        };
        for (at, _, answer) in &request.answers {
            let Answer::Made(outcome) = answer else {
                continue;
            };
            let revision = outcome.revision.number();
            if outcome.changes() > 0
                && let Some(other) = owners.insert(revision, author)
                && other != author
            {
                return Err(format!(
                    "event {at}: revision {revision} is of {other} and of {author}"
                ));
            }
        }
    }
    Ok(())
}
