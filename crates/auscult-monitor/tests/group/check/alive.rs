//! A group that is whole comes to rest: every monitor is there, knows a leader and has everything,
//! within a time that follows from its time-outs.

use crate::history::History;

pub(crate) fn check(history: &History) -> Result<(), String> {
    match history.unsettled.as_slice() {
        [] => Ok(()),
        unsettled => Err(unsettled.join("; ")),
    }
}
