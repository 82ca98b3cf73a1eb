//! What is said not to be done is not done: a change that was refused, or for which there was no
//! leader, is not there in the end.

use crate::history::{Answer, History, Wish};

pub(crate) fn check(history: &History) -> Result<(), String> {
    let truth = history.truth()?;
    for request in history.requests() {
        let Wish::Change { author, .. } = request.wish else {
            continue;
        };
        let may_be_done = |answer: &Answer| matches!(answer, Answer::Unclear | Answer::Made(_));
        let mut answers = request.answers.iter();
        // One without an answer was underway when the story ended.
        if request.answers.is_empty() || answers.any(|(_, _, answer)| may_be_done(answer)) {
            continue;
        }
        if let Some(revision) = truth.made_by(author).next() {
            return Err(format!(
                "{author} was told {:?}, and is made in revision {revision}",
                request.answers
            ));
        }
    }
    Ok(())
}
