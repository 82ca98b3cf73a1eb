//! What the benchmarks share: the detectors that are compared, the arrivals that they hear, and how
//! a figure is printed.
//!
//! A benchmark asserts nothing. It prints one line per figure, which `bench/run` gathers in one
//! table.

pub mod arrivals;
pub mod crowd;
pub mod figure;
pub mod memory;
pub mod subject;

pub use arrivals::Arrivals;
pub use figure::{Effort, cpu_time, print};
pub use subject::Subject;
