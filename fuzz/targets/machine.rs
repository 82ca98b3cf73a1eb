//! Fuzzes the whole machine with sequences of inputs.
#![no_main]

#[path = "../harness/bytes.rs"]
mod bytes;
#[path = "../harness/machine.rs"]
mod machine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| machine::check(bytes));
