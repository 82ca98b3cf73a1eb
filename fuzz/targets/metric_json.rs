//! Fuzzes the readers of metrics that come over HTTP, and of what is kept of them.
#![no_main]

#[path = "../harness/metric_json.rs"]
mod metric_json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| metric_json::check(bytes));
