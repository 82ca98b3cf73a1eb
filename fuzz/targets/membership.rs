//! Fuzzes the decoders of membership messages.
#![no_main]

#[path = "../harness/membership.rs"]
mod membership;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| membership::check(bytes));
