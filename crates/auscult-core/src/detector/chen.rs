//! Chen's detector NFD-E \[CHEN\]: when is the next heartbeat due?
//!
//! - **Intuition.** A regular sender has a phase, and averaging the phase of the last arrivals
//!   removes their jitter. Whoever has not heard by a margin after the next arrival is due
//!   suspects.
//! - **Formula.** `EA = mean(A_i - eta s_i) + (l + 1) eta` over the last n arrivals, l being the
//!   newest number; the freshness point is `EA + margin`, and the level is `(t - EA) / margin`, at
//!   least 0.
//! - **A value means.** 0 until the heartbeat is due, 1 at the freshness point, 2 after as long
//!   again.
//! - **Limits.** One microsecond; a phase that wanders by more than 36 minutes within the window
//!   begins anew.
//! - **Source.** \[CHEN\] Chen, Toueg, Aguilera: On the quality of service of failure detectors,
//!   2002.
//! - **Fails when.** The sender's interval is not the configured one, as the phase then drifts by
//!   the difference at each heartbeat and the estimate lags by half a window of it.
//!
//! s_i are the sender's numbers. Counting arrivals instead, as some do, moves the estimate by a
//! whole interval for every heartbeat lost. Where a sender has no numbers, the number is inferred
//! from the time: the silence over the interval, rounded. An unnumbered arrival less than half an
//! interval after the one before it begins the estimate anew, as does one that ended an outage, and
//! one that lies further from where it was due than an interval and the margin.

use super::config::{ChenParams, DetectorParams};
use super::standalone::standalone;

standalone! {
    /// Chen's detector of one sender. Its level is 1 at the freshness point.
    ///
    /// ```
    /// use auscult_core::detector::{Chen, ChenParams, Detector, Level};
    /// use auscult_core::time::Instant;
    /// use core::time::Duration;
    ///
    /// let mut detector = Chen::new(ChenParams {
    ///     interval: Duration::from_secs(1),
    ///     margin: Duration::from_millis(500),
    ///     window: 100,
    /// })?;
    /// detector.heartbeat(Instant::from_millis(10_000), Some(1));
    /// // Number 2 was lost; the phase is the same.
    /// detector.heartbeat(Instant::from_millis(12_000), Some(3));
    /// let suspect_at = detector.deadline(Level::new(1.0));
    /// assert_eq!(suspect_at, Some(Instant::from_millis(13_500)));
    /// # Ok::<(), Vec<auscult_core::detector::Violation>>(())
    /// ```
    Chen, ChenParams, DetectorParams::Chen
}
