//! Fuzzes the decoder of heartbeat datagrams.
#![no_main]

#[path = "../harness/heartbeat_datagram.rs"]
mod heartbeat_datagram;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| heartbeat_datagram::check(bytes));
