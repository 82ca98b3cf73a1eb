//! Checks: active tests of targets over HTTP and TCP, made on time and reported with their reasons.
//!
//! A good check is an arrival of its signal; a failed one says why, and is otherwise silence. The
//! [`CheckRunner`] spreads first checks over each target's interval, never runs two at once for one
//! target, keeps connections where it may, and measures its own lateness.

mod certificate;
mod connection;
mod context;
mod dial;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod http1;
mod http2;
mod metrics;
mod plan;
mod progress;
mod report;
mod resolve;
mod runner;
mod schedule;
mod spec;
mod task;
#[cfg(test)]
mod tests;
mod tls;

use auscult_core::monitor::Failure;
use auscult_core::time::Instant;

pub use auscult_core::monitor::SignalKey;
pub use metrics::{CheckMetrics, Histogram, HistogramSnapshot, SignalMetrics};
pub use report::{Answer, CheckError, CheckReport, Phases};
pub use runner::{CheckRunner, Prepared, RunnerConfig};
pub use spec::{CheckSpec, InvalidCheck};

/// Where results go. The engine implements it; tests and benches bring their own.
pub trait Sink: Send + Sync + 'static {
    /// A check was answered as expected; `at` is the end of the answer.
    fn arrival(&self, key: SignalKey, at: Instant);
    /// A check failed at `at`.
    fn failed(&self, key: SignalKey, at: Instant, failure: Failure);
}
