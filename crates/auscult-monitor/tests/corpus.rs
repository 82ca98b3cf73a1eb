//! Replays the fuzzers' corpora, so that what a fuzzer found once stays found without a fuzzer.

#[path = "../../../fuzz/harness/check_answer.rs"]
mod check_answer;
#[path = "../../../fuzz/harness/metric_json.rs"]
mod metric_json;
#[path = "../../../fuzz/harness/replay.rs"]
mod replay;
#[path = "../../../fuzz/harness/settings_yaml.rs"]
mod settings_yaml;
#[path = "../../../fuzz/harness/target_json.rs"]
mod target_json;
#[path = "../../../fuzz/harness/trace_lines.rs"]
mod trace_lines;

#[test]
fn answers_of_checked_targets() {
    replay::replay("check_answer", check_answer::check);
}

#[test]
fn metrics_over_http() {
    replay::replay("metric_json", metric_json::check);
}

#[test]
fn recordings() {
    replay::replay("trace_lines", trace_lines::check);
}

#[test]
fn settings_files() {
    replay::replay("settings_yaml", settings_yaml::check);
}

#[test]
fn targets_that_come_over_the_api() {
    replay::replay("target_json", target_json::check);
}
