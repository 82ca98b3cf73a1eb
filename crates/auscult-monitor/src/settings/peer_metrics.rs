//! Metrics that peers publish: `peer_metrics`.

use std::collections::{BTreeMap, BTreeSet};

use auscult_core::detector::Level;
use auscult_core::id::{SignalName, TargetId};
use auscult_core::peer_metric::{
    Accrual, Admission, Decision, MetricLogConfig, MetricLogParams, MetricRule,
};

use super::load::stands_twice;
use super::report::Report;
use super::section::Section;

/// Who publishes metrics, and how they are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerMetricSettings {
    /// Peers beside the members of the group.
    pub peers: BTreeSet<TargetId>,
    /// Rules and limits, as the machine works with them.
    pub config: MetricLogConfig,
}

impl PeerMetricSettings {
    pub(super) fn read(report: &mut Report<'_>, section: &Section) -> Option<Self> {
        let defaults = MetricLogParams::new();
        let peers = section.names("peers").iter();
        let peers: BTreeSet<TargetId> = peers.filter_map(|name| TargetId::new(name).ok()).collect();
        let default_rule = MetricRule {
            decision: decision(section, section),
            grace: None,
        };
        let metrics = metrics(report, section);
        if !peers.is_empty() && metrics.values().all(|rule| rule.grace.is_none()) {
            let message = "nobody would notice a peer that never reports: no metric has a `grace`";
            let hint = "name one that every peer publishes: `metrics: [{name: ping, grace: 1m}]`";
            let at = section.at("peers");
            report.value(at, message.to_owned(), Some(hint.to_owned()));
        }
        let size = |key, default| {
            let count = section.count(key);
            count
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(default)
        };
        let span = |key, default| section.duration(key).unwrap_or(default);
        let params = MetricLogParams {
            metrics,
            default_rule,
            admission: match section.flag("create") {
                true => Admission::Anybody,
                false => Admission::Named,
            },
            window: size("window", defaults.window),
            retention: span("retention", defaults.retention),
            ttl_min: span("ttl_min", defaults.ttl_min),
            ttl_max: span("ttl_max", defaults.ttl_max),
            names_max: size("names_max", defaults.names_max),
            peers_max: size("peers_max", defaults.peers_max),
            series_max: size("series_max", defaults.series_max),
            values_bytes_max: size("values_bytes_max", defaults.values_bytes_max),
            stall_tolerance: defaults.stall_tolerance,
        };
        match MetricLogConfig::new(params) {
            Ok(config) => Some(Self { peers, config }),
            Err(violations) => {
                for violation in violations {
                    let at = section.at(violation.field);
                    report.value(at, violation.text, None);
                }
                None
            }
        }
    }
}

fn metrics(report: &mut Report<'_>, section: &Section) -> BTreeMap<SignalName, MetricRule> {
    let mut metrics = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for metric in section.list("metrics") {
        let name = metric.text("name").unwrap_or_default();
        let at = metric.at("name");
        if let Some(first) = seen.insert(name.clone(), at.clone()) {
            stands_twice(report, "metric", &name, at, &first);
        }
        let rule = MetricRule {
            decision: decision(metric, section),
            grace: metric.duration("grace"),
        };
        if let Ok(name) = SignalName::new(&name) {
            metrics.insert(name, rule);
        }
    }
    metrics
}

/// What `own` says, and else `base`.
fn decision(own: &Section, base: &Section) -> Decision {
    let who = |key| if own.says(key) { own } else { base };
    let defaults = Accrual::new();
    let threshold = who("threshold").number("threshold").map(Level::new);
    let deviation = who("min_std_deviation").duration("min_std_deviation");
    let accrual = Accrual {
        threshold: threshold.unwrap_or(defaults.threshold),
        min_std_deviation: deviation.unwrap_or(defaults.min_std_deviation),
    };
    match who("decision").word("decision") {
        "accrual" => Decision::Accrual(accrual),
        "both" => Decision::Either(accrual),
        _ => Decision::Ttl,
    }
}
