//! Fuzzes what recordings say that signals remember.
#![no_main]

#[path = "../harness/bytes.rs"]
mod bytes;
#[path = "../harness/signal_memory.rs"]
mod signal_memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| signal_memory::check(bytes));
