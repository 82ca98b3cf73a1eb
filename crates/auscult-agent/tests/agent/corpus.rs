//! Replays the fuzzer's corpus, so that what a fuzzer found once stays found without a fuzzer.

#[path = "../../../../fuzz/harness/layers.rs"]
mod layers;
#[path = "../../../../fuzz/harness/replay.rs"]
mod replay;

#[test]
fn traffic_between_agents_with_keys() {
    replay::replay("layers", layers::check);
}
