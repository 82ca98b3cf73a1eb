//! What the machine counts of its own work.

/// Counts since the machine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Episodes that began to fire.
    pub fired: u64,
    /// Episodes that were over.
    pub resolved: u64,
    /// Alerts that were not made, as there were too many.
    pub overflowed: u64,
    /// Messages that were handed out to be sent.
    pub messages: u64,
    /// Notices that a receiver confirmed.
    pub delivered: u64,
    /// Messages that failed.
    pub failed: u64,
    /// Messages that a receiver did not take.
    pub refused: u64,
    /// Messages whose outcome was not told in time; they count as failed, too.
    pub overdue: u64,
    /// Episodes that came and went before a receiver could be told.
    pub skipped: u64,
    /// Ends of alerts that were given up on after [`abandon`](super::Receiver::abandon).
    pub abandoned: u64,
    /// Messages that told of a mass failure.
    pub mass_failures: u64,
    /// Writes that were asked for.
    pub writes: u64,
    /// Writes that failed.
    pub writes_failed: u64,
    /// Messages that were handed out though what they tell is not on the disk, as the disk did not
    /// take it: a duplicate is better than nobody being told.
    pub unwritten: u64,
    /// Alerts that other monitors told this one of.
    pub heard: u64,
    /// Of those, alerts of which something was not known here.
    pub adopted: u64,
    /// Alerts of which this monitor came to have the duty to tell.
    pub taken_over: u64,
    /// Calls with a time before that of an earlier call.
    pub clock_regressions: u64,
}
