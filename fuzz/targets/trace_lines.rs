//! Fuzzes the reader of recordings, and their replay.
#![no_main]

#[path = "../harness/trace_lines.rs"]
mod trace_lines;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trace_lines::check(bytes));
