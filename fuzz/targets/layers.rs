//! Fuzzes the layers between members and the network.
#![no_main]

#[path = "../harness/layers.rs"]
mod layers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| layers::check(bytes));
