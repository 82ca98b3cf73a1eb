//! Fuzzes the reader of targets that come over the API.
#![no_main]

#[path = "../harness/target_json.rs"]
mod target_json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target_json::check(bytes));
