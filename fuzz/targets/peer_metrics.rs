//! Fuzzes what peers publish and what is kept of it.
#![no_main]

#[path = "../harness/bytes.rs"]
mod bytes;
#[path = "../harness/peer_metrics.rs"]
mod peer_metrics;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peer_metrics::check(bytes));
