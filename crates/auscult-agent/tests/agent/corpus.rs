//! Replays the fuzzers' corpora, so that what a fuzzer found once stays found without a fuzzer.

#[cfg(feature = "grpc")]
#[path = "../../../../fuzz/harness/grpc_tunnel.rs"]
mod grpc_tunnel;
#[path = "../../../../fuzz/harness/layers.rs"]
mod layers;
#[path = "../../../../fuzz/harness/replay.rs"]
mod replay;

#[test]
fn traffic_between_agents_with_keys() {
    replay::replay("layers", layers::check);
}

#[cfg(feature = "grpc")]
#[test]
fn calls_that_carry_members_traffic() {
    replay::replay("grpc_tunnel", grpc_tunnel::check);
}
