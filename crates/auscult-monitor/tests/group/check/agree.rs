//! Monitors agree: wherever and whenever a revision is read, it is the same settings.

use std::collections::BTreeMap;

use crate::history::{Answer, Event, History};

pub(crate) fn check(history: &History) -> Result<(), String> {
    let mut digests = BTreeMap::new();
    let mut compare = |place: String, revision: u64, digest: u64| {
        let (first, known) = digests
            .entry(revision)
            .or_insert_with(|| (place.clone(), digest));
        if *known == digest {
            Ok(())
        } else {
            Err(format!(
                "revision {revision} is {known:x} at {first} and {digest:x} at {place}"
            ))
        }
    };
    for (at, event) in history.events.iter().enumerate() {
        match event {
            Event::Seen {
                monitor,
                revision,
                digest,
            } => compare(format!("event {at} (m{monitor})"), *revision, *digest)?,
            Event::Answered {
                answer: Answer::Read { revision, digest },
                ..
            } => compare(format!("event {at}"), *revision, *digest)?,
            Event::Asked { .. }
            | Event::Answered { .. }
            | Event::PowerWent { .. }
            | Event::Torn { .. } => {}
        }
    }
    let truth = history.truth()?;
    for (number, held) in history.finals.iter().enumerate() {
        compare(format!("the end (m{number})"), held.revision, held.digest)?;
        // Where they have not come to rest, one may lag behind.
        let common = held.changes.len().min(truth.changes.len());
        if held.changes[..common] != truth.changes[..common] {
            return Err(format!("m{number} and m0 made other changes"));
        }
    }
    Ok(())
}
