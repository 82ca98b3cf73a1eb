//! How moments and spans are written as JSON.

use std::time::Duration;

use auscult_core::time::Instant;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::clock::Clock;

/// A moment: RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-21T09:15:03.250Z")]
pub struct Time(pub jiff::Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

impl Time {
    /// A moment of the machine.
    #[must_use]
    pub fn of(clock: &Clock, at: Instant) -> Self {
        Self(clock.wall(at))
    }
}

/// A span in milliseconds, to the microsecond.
#[must_use]
pub fn millis(span: Duration) -> f64 {
    let micros = u32::try_from(span.as_micros()).map_or(span.as_micros() as f64, f64::from);
    micros / 1_000.0
}
