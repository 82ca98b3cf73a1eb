//! Nothing is made twice, however often it is asked, and nothing that nobody asked for.

use std::collections::BTreeSet;

use crate::history::{History, Wish};

pub(crate) fn check(history: &History) -> Result<(), String> {
    let truth = history.truth()?;
    let mut asked: BTreeSet<&str> = (history.wishes.iter())
        .filter_map(|wish| match wish {
            Wish::Change { author, .. } => Some(author.as_str()),
            Wish::Confirmed | Wish::Local => None,
        })
        .collect();
    for (author, _) in &truth.changes {
        if !asked.remove(author.as_str()) {
            let revisions: Vec<u64> = truth.made_by(author).collect();
            return Err(format!("{author} is made in the revisions {revisions:?}"));
        }
    }
    Ok(())
}
