//! What fuzzers drive: the readers of what peers publish over HTTP, and of what was kept of it.

use auscult_core::peer_metric::Reading;
use serde_json::Value;

use super::keep;
use crate::api::metrics_log::reading;

/// Reads one reading of a request of one who speaks for every peer, or for `bound` alone, and gives
/// it to `take` if it is one.
pub fn read_json(item: &Value, bound: Option<&str>, take: impl FnOnce(&Reading<'_>)) {
    reading::with_reading(item, bound, take);
}

/// Reads a row of the file of readings at this time of the wall clock, in nanoseconds since the
/// epoch, and says how many readings it has, if it is one.
#[must_use]
pub fn read_row(row: &[u8], now: u64) -> Option<usize> {
    keep::decode(row, now).map(|(_, readings)| readings.len())
}
