//! Confirmed reads and changes are linearizable: each can be put at one moment between its question
//! and its answer, so that all of them together are the history of one registry.
//!
//! That history is known: the revisions are its order. So it is enough to look at whether each
//! answer fits to a revision that was the last one at some moment between question and answer:
//! not before the last revision that anybody had been told of when it was asked, and not after the
//! first one that was asked for later.

use std::collections::BTreeMap;

use auscult_core::monitor::registry::Refusal;

use crate::history::{Answer, Final, History, Request, Wish};

pub(crate) fn check(history: &History) -> Result<(), String> {
    let truth = history.truth()?;
    let requests = history.requests();
    let told = told(&requests);
    let first_asked = first_asked(&requests, truth);
    for request in &requests {
        let Some((at, _, answer)) = request.answers.last() else {
            continue;
        };
        let least = told
            .range(..request.asked)
            .next_back()
            .map_or(0, |(_, revision)| *revision);
        // The last revision whose change had been asked for by then.
        let asked_by_then = (1..).zip(&first_asked).take_while(|(_, asked)| *asked < at);
        let most = asked_by_then.last().map_or(0, |(revision, _)| revision);
        fits(request, answer, least, most, truth).map_err(|text| {
            let asked = request.asked;
            format!(
                "{:?}, asked in event {asked}, answered in event {at}: {text}",
                request.wish
            )
        })?;
    }
    Ok(())
}

/// The last revision that anybody had been told of in a confirmed way, by event.
fn told(requests: &[Request<'_>]) -> BTreeMap<usize, u64> {
    let mut told = BTreeMap::new();
    for request in requests {
        for (at, _, answer) in &request.answers {
            let revision = match (request.wish, answer) {
                (Wish::Change { .. }, Answer::Made(outcome)) => outcome.revision.number(),
                (Wish::Confirmed, Answer::Read { revision, .. }) => *revision,
                _ => continue,
            };
            told.insert(*at, revision);
        }
    }
    let mut most = 0;
    for revision in told.values_mut() {
        most = most.max(*revision);
        *revision = most;
    }
    told
}

/// For each revision, when its change was first asked for.
fn first_asked(requests: &[Request<'_>], truth: &Final) -> Vec<usize> {
    let by_author: BTreeMap<&str, usize> = (requests.iter())
        .filter_map(|request| match request.wish {
            Wish::Change { author, .. } => Some((author.as_str(), request.asked)),
            Wish::Confirmed | Wish::Local => None,
        })
        .collect();
    let mut first: Vec<usize> = (truth.changes.iter())
        .map(|(author, _)| by_author.get(author.as_str()).copied().unwrap_or(0))
        .collect();
    // A revision was not there before any earlier one.
    let mut most = 0;
    for asked in &mut first {
        most = most.max(*asked);
        *asked = most;
    }
    first
}

fn fits(
    request: &Request<'_>,
    answer: &Answer,
    least: u64,
    most: u64,
    truth: &Final,
) -> Result<(), String> {
    let between = |revision: u64| {
        if (least..=most).contains(&revision) {
            Ok(())
        } else {
            Err(format!(
                "revision {revision} is not one of {least} to {most}, which it could have been"
            ))
        }
    };
    match (request.wish, answer) {
        (Wish::Change { .. }, Answer::Made(outcome)) => {
            let revision = outcome.revision.number();
            between(revision)?;
            // A request that was asked again may have been made at once.
            if outcome.changes() > 0 && revision <= least {
                return Err(format!(
                    "revision {least} had been told of before it was asked"
                ));
            }
            Ok(())
        }
        (Wish::Confirmed, Answer::Read { revision, .. }) => between(*revision),
        (Wish::Change { .. }, Answer::Refused(Refusal::Condition { key, found, .. })) => {
            let found = found.map(|revision| revision.number());
            let course = truth.course_of(key);
            let ends = course[1..]
                .iter()
                .map(|(next, _)| next - 1)
                .chain([u64::MAX]);
            let was = course
                .iter()
                .zip(ends)
                .any(|((from, is), upto)| *is == found && *from <= most && upto >= least);
            if was {
                Ok(())
            } else {
                Err(format!(
                    "{key} was not {found:?} in any of the revisions {least} to {most}: {course:?}"
                ))
            }
        }
        (Wish::Change { .. }, Answer::Refused(refusal)) => Err(format!("it is refused: {refusal}")),
        (Wish::Change { .. } | Wish::Confirmed | Wish::Local, _) => Ok(()),
    }
}
