//! What `peer_metrics` says of peers and their metrics.

use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::peer_metric::{Accrual, Admission, Decision};

use super::super::{PeerMetricSettings, Settings};
use super::settings;

fn read(text: &str) -> PeerMetricSettings {
    settings(text).peer_metrics
}

#[test]
fn without_a_word_the_defaults_hold() {
    let settings = read("targets: []");
    assert!(settings.peers.is_empty());
    let params = settings.config.params();
    assert_eq!(params.admission, Admission::Named);
    assert_eq!(
        (params.window, params.names_max, params.peers_max),
        (25, 256, 65_536)
    );
    assert_eq!(params.retention, Duration::from_secs(600));
    assert_eq!(settings.config.rule("any").decision, Decision::Ttl);
    assert_eq!(settings.config.rule("any").grace, None);
}

/// What a metric does not say for itself, the whole section says.
#[test]
fn a_metric_inherits_what_it_does_not_say() {
    let settings = read(
        "
peer_metrics:
  decision: accrual
  threshold: 4
  metrics:
  - {name: ping, grace: 1m, min_std_deviation: 2s}
  - {name: disk, decision: ttl}
  - {name: load, decision: both, threshold: 2.5}
",
    );
    let accrual = |threshold, ms| Accrual {
        threshold: Level::new(threshold),
        min_std_deviation: Duration::from_millis(ms),
    };
    for (metric, decision) in [
        ("other", Decision::Accrual(accrual(4.0, 500))),
        ("ping", Decision::Accrual(accrual(4.0, 2_000))),
        ("disk", Decision::Ttl),
        ("load", Decision::Either(accrual(2.5, 500))),
    ] {
        assert_eq!(settings.config.rule(metric).decision, decision, "{metric}");
    }
    assert_eq!(
        settings.config.rule("ping").grace,
        Some(Duration::from_secs(60))
    );
}

#[test]
fn what_would_notice_nothing_or_makes_no_sense_is_refused() {
    for (text, part) in [
        (
            "{peers: [a]}",
            "nobody would notice a peer that never reports",
        ),
        (
            "{peers: [a], metrics: [{name: ping}]}",
            "no metric has a `grace`",
        ),
        ("{ttl_min: 1m, ttl_max: 1s}", "ttl_min"),
        (
            "{names_max: 1, metrics: [{name: a}, {name: b}]}",
            "at most names_max",
        ),
        (
            "{metrics: [{name: a}, {name: a}]}",
            "the metric `a` stands twice",
        ),
        ("{threshold: 0}", "above 0"),
        ("{threshold: NaN}", "threshold"),
        ("{window: 0}", "window"),
        ("{decision: sometimes}", "decision"),
        ("{check_interval: 15s}", "check_interval"),
    ] {
        let text = format!("peer_metrics: {text}\n");
        let problems = match Settings::from_yaml(&text, "test.yml") {
            Ok(_) => panic!("{text} is taken"),
            Err(problems) => problems.to_string(),
        };
        assert!(problems.contains(part), "{text}: {problems}");
    }
}
