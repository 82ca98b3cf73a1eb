//! Replays the fuzzers' corpora, so that what a fuzzer found once stays found without a fuzzer.

#[path = "../../../fuzz/harness/bytes.rs"]
mod bytes;
#[path = "../../../fuzz/harness/heartbeat_datagram.rs"]
mod heartbeat_datagram;
#[path = "../../../fuzz/harness/machine.rs"]
mod machine;
#[path = "../../../fuzz/harness/membership.rs"]
mod membership;
#[path = "../../../fuzz/harness/peer_metrics.rs"]
mod peer_metrics;
#[path = "../../../fuzz/harness/replay.rs"]
mod replay;
#[path = "../../../fuzz/harness/signal_memory.rs"]
mod signal_memory;
#[path = "../../../fuzz/harness/swim_machine.rs"]
mod swim_machine;

#[test]
fn heartbeat_datagrams() {
    replay::replay("heartbeat_datagram", heartbeat_datagram::check);
}

#[test]
fn inputs_of_the_machine() {
    replay::replay("machine", machine::check);
}

#[test]
fn messages_of_members() {
    replay::replay("membership", membership::check);
}

#[test]
fn metrics_of_peers() {
    replay::replay("peer_metrics", peer_metrics::check);
}

#[test]
fn memories_of_signals() {
    replay::replay("signal_memory", signal_memory::check);
}

#[test]
fn inputs_of_a_member() {
    replay::replay("swim_machine", swim_machine::check);
}
