//! Fuzzes a member with sequences of inputs, from peers who say whatever they like.
#![no_main]

#[path = "../harness/bytes.rs"]
mod bytes;
#[path = "../harness/swim_machine.rs"]
mod swim_machine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_machine::check(bytes));
