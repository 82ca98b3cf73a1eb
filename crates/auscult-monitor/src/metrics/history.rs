//! The figures of the history.

use auscult_agent::http::exposition::{Exposition, LabelText};
use auscult_core::history::Kind;

use super::families as family;
use crate::history::{HistoryStatus, State};

pub(super) fn write_history(out: &mut Exposition, status: &HistoryStatus) {
    let states = State::ALL.into_iter();
    let is = |state: State| (state.as_str(), u64::from(status.state == state));
    out.by(&family::HISTORY_STATE, states.map(is));
    let both = |transitions, rollups| [("transitions", transitions), ("rollups", rollups)];
    let lost = both(status.changes_lost, status.rollups_lost);
    out.by(&family::HISTORY_LOST, lost.into_iter());
    out.single(&family::HISTORY_OVERLAPPED, status.rollups_overlapped);
    out.single(&family::HISTORY_OVER_LIMIT, status.targets_over_limit);
    out.single(&family::HISTORY_WAITING, status.waiting);
    let written = both(status.changes_written, status.rollups_written);
    out.by(&family::HISTORY_WRITTEN, written.into_iter());
    out.family(&family::HISTORY_COMMITS);
    out.summary(&LabelText::default(), status.commit_seconds, status.commits);
    out.single(&family::HISTORY_FAILURES, status.failures);
    out.single(&family::HISTORY_PUT_ASIDE, status.put_aside);
    out.single(&family::HISTORY_DISCARDED, status.rows_discarded);
    out.single(&family::HISTORY_FILE, status.file_bytes);
    let rows = Kind::ALL.into_iter().zip(status.rows);
    out.by(
        &family::HISTORY_ROWS,
        rows.map(|(kind, rows)| (kind.as_str(), rows)),
    );
    out.family(&family::HISTORY_OLDEST);
    for (kind, oldest) in Kind::ALL.into_iter().zip(status.oldest_ms) {
        if let Some(oldest) = oldest {
            let labels = LabelText::new(&[("kind", kind.as_str())]);
            out.sample(&labels, oldest as f64 / 1_000.0);
        }
    }
}
