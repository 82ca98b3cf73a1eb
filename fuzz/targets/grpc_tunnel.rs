//! Fuzzes the calls that carry members' datagrams and connections.
#![no_main]

#[path = "../harness/grpc_tunnel.rs"]
mod grpc_tunnel;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| grpc_tunnel::check(bytes));
