//! A fixed time-out, or a time to live.
//!
//! - **Intuition.** Silence for so long means down.
//! - **Formula.** The level is `silence / timeout`.
//! - **A value means.** The share of the time-out that has passed; 1 when it is over.
//! - **Limits.** None.
//! - **Source.** Everyone's first detector.
//! - **Fails when.** The time-out was chosen for another network than this one. It neither learns
//!   nor forgets, which is also its strength: what it will do is known beforehand.

use super::config::{DeadlineParams, DetectorParams};
use super::standalone::standalone;

standalone! {
    /// A fixed time-out for one sender. Its level is 1 at the time-out.
    ///
    /// ```
    /// use auscult_core::detector::{Deadline, DeadlineParams, Detector};
    /// use auscult_core::time::Instant;
    /// use core::time::Duration;
    ///
    /// let mut detector = Deadline::new(DeadlineParams { timeout: Duration::from_secs(10) })?;
    /// detector.heartbeat(Instant::from_secs(5), None);
    /// assert_eq!(detector.level(Instant::from_secs(10)).get(), 0.5);
    /// # Ok::<(), Vec<auscult_core::detector::Violation>>(())
    /// ```
    Deadline, DeadlineParams, DetectorParams::Deadline
}
