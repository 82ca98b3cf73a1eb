//! What is acknowledged is kept: every change that was answered with a revision is, in the end, the
//! change of that revision, and each setting is as its last change left it.

use std::collections::BTreeMap;

use crate::history::{Answer, Event, History, Wish};

pub(crate) fn check(history: &History) -> Result<(), String> {
    for event in &history.events {
        if let Event::Torn { monitor, text } = event {
            return Err(format!("m{monitor} lost its journal: {text}"));
        }
    }
    let truth = history.truth()?;
    for request in history.requests() {
        let Wish::Change { author, .. } = request.wish else {
            continue;
        };
        for (at, _, answer) in &request.answers {
            let Answer::Made(outcome) = answer else {
                continue;
            };
            if outcome.changes() == 0 {
                continue;
            }
            let revision = outcome.revision.number();
            let made = truth.changes.get(revision as usize - 1);
            let by = made.map(|(by, _)| by.as_str());
            if by != Some(author) {
                return Err(format!(
                    "event {at}: {author} was told that it made revision {revision}; that is of {by:?}"
                ));
            }
        }
    }
    let mut last = BTreeMap::new();
    for (revision, (_, edits)) in (1_u64..).zip(&truth.changes) {
        for (key, is_there) in edits {
            if *is_there {
                last.insert(key, revision);
            } else {
                last.remove(key);
            }
        }
    }
    let found: BTreeMap<_, _> = (truth.settings.iter())
        .map(|(key, revision)| (key, *revision))
        .collect();
    if found == last {
        Ok(())
    } else {
        Err(format!(
            "the settings are {found:?}, and their changes make {last:?}"
        ))
    }
}
