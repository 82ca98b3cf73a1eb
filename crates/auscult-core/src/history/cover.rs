//! Which roll-ups a window is made of: the coarsest ones, and finer ones at its edges.

use alloc::vec::Vec;

use super::resolution::Resolution;

/// Roll-ups of one length, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Their length.
    pub resolution: Resolution,
    /// Where the first one begins.
    pub since_ms: u64,
    /// Where the last one ends.
    pub until_ms: u64,
}

impl Segment {
    /// How many roll-ups it has.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        (self.until_ms - self.since_ms) / self.resolution.millis()
    }
}

/// From when on roll-ups of each length can be used, by when the first one that is kept of each
/// begins ([`u64::MAX`] of none): from ever, where nothing is gone that a coarser one tells of.
#[must_use]
pub fn kept_since(first_ms: [u64; 3]) -> [u64; 3] {
    let [fine, middle, coarse] = first_ms;
    let complete = |own: u64, above: Resolution, first: u64| above.floor(own) <= first;
    let middle_since = match complete(middle, Resolution::OneHour, coarse) {
        true => 0,
        false => middle,
    };
    let fine_since = match complete(fine, Resolution::FiveMinutes, middle) {
        true => middle_since,
        false => fine,
    };
    [fine_since, middle_since, 0]
}

/// The fewest roll-ups that make up the window from `since_ms` to `until_ms`: at most 29 of 10 s
/// and 11 of 5 min at each edge, however long it is. They join without gap or overlap.
///
/// `kept_since_ms` says from when on roll-ups of each length are kept, in the order of
/// [`Resolution::ALL`]; a coarser one must be kept for at least as long as a finer one. Where the
/// finer ones are gone that would fit an edge, that edge lies further out.
#[must_use]
pub fn cover(since_ms: u64, until_ms: u64, kept_since_ms: [u64; 3]) -> Vec<Segment> {
    let mut segments = Vec::new();
    if since_ms >= until_ms {
        return segments;
    }
    let kept = |one: Resolution, from: u64| kept_since_ms[one as usize] <= from;
    let left = Resolution::ALL
        .into_iter()
        .find(|one| kept(*one, one.floor(since_ms)))
        .unwrap_or(Resolution::OneHour);
    let right = Resolution::ALL
        .into_iter()
        .find(|one| kept(*one, one.coarser().floor(until_ms - 1)))
        .unwrap_or(Resolution::OneHour);
    let mut at = left.floor(since_ms);
    let end = right.ceil(until_ms);
    while at < end {
        let fits =
            |one: &&Resolution| at % one.millis() == 0 && at.saturating_add(one.millis()) <= end;
        let coarsest = Resolution::ALL.iter().rev().find(fits);
        let resolution = *coarsest.unwrap_or(&Resolution::TenSeconds);
        // As many as go before a coarser one would fit, or the end comes.
        let next = resolution.coarser().ceil(at + 1);
        let stop = match resolution {
            Resolution::OneHour => resolution.floor(end),
            Resolution::TenSeconds | Resolution::FiveMinutes => next.min(resolution.floor(end)),
        };
        let until_ms = stop.max(at + resolution.millis());
        segments.push(Segment {
            resolution,
            since_ms: at,
            until_ms,
        });
        at = until_ms;
    }
    segments
}
