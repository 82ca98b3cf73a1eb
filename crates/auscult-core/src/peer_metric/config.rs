//! How metrics are judged, and how much of them is kept.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use crate::bounds::{
    METRIC_NAMES_MAX, METRIC_PEERS_MAX, METRIC_SERIES_MAX, METRIC_VALUES_BYTES_MAX,
    METRIC_WINDOW_MAX,
};
use crate::detector::{Level, Violation};
use crate::id::SignalName;

/// When a metric that is not heard of any more has failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// When the time to live of its last reading is over.
    Ttl,
    /// When its silence is improbable by the intervals before it. Until there are
    /// [`ACCRUAL_READINGS_MIN`](super::ACCRUAL_READINGS_MIN) readings, the time to live decides.
    Accrual(Accrual),
    /// When either is the case, whichever comes first.
    Either(Accrual),
}

/// When a silence is improbable.
///
/// The intervals between the readings in the window are taken to be normally distributed, and the
/// level is phi: 3 is one silence in a thousand by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accrual {
    /// The level at which the metric has failed. Default 3.
    pub threshold: Level,
    /// The standard deviation is taken to be at least this, so that a regular sender is not failed
    /// for its first hiccup. Default 500 ms.
    pub min_std_deviation: Duration,
}

impl Accrual {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            threshold: Level::new(3.0),
            min_std_deviation: Duration::from_millis(500),
        }
    }
}

impl Default for Accrual {
    fn default() -> Self {
        Self::new()
    }
}

/// How one metric is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricRule {
    /// When it has failed. Default [`Decision::Ttl`].
    pub decision: Decision,
    /// Every peer is expected to publish it, and has failed when it did not within this span.
    /// Default `None`: a peer that never publishes it is not judged.
    pub grace: Option<Duration>,
}

impl MetricRule {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            decision: Decision::Ttl,
            grace: None,
        }
    }
}

impl Default for MetricRule {
    fn default() -> Self {
        Self::new()
    }
}

/// Who may publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The peers that were named.
    Named,
    /// Anybody: who publishes is a peer from then on.
    Anybody,
}

/// Parameters of a [`MetricLog`](super::MetricLog): plain values, to be turned into a
/// [`MetricLogConfig`].
#[derive(Clone, Debug, PartialEq)]
pub struct MetricLogParams {
    /// Metrics with a rule of their own.
    pub metrics: BTreeMap<SignalName, MetricRule>,
    /// The rule of all others.
    pub default_rule: MetricRule,
    /// Who may publish. Default [`Admission::Named`].
    pub admission: Admission,
    /// Readings kept of each metric of each peer, 1 to [`METRIC_WINDOW_MAX`]. Default 25.
    pub window: usize,
    /// How long the readings of a peer that departed are kept. Default 10 minutes.
    pub retention: Duration,
    /// The shortest time to live, above 0. Default 100 ms.
    pub ttl_min: Duration,
    /// The longest time to live. Default 7 days.
    pub ttl_max: Duration,
    /// Names of metrics, at most [`METRIC_NAMES_MAX`]. Default 256.
    pub names_max: usize,
    /// Peers, at most [`METRIC_PEERS_MAX`], which is the default.
    pub peers_max: usize,
    /// Pairs of a metric and a peer, at most [`METRIC_SERIES_MAX`]. Default 262,144.
    pub series_max: usize,
    /// Bytes of all values, at most [`METRIC_VALUES_BYTES_MAX`]. Default 64 MiB.
    pub values_bytes_max: usize,
    /// Woken later than this, the process did not run and could not listen. Default 500 ms.
    pub stall_tolerance: Duration,
}

impl MetricLogParams {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            metrics: BTreeMap::new(),
            default_rule: MetricRule::new(),
            admission: Admission::Named,
            window: 25,
            retention: Duration::from_secs(600),
            ttl_min: Duration::from_millis(100),
            ttl_max: Duration::from_secs(7 * 86_400),
            names_max: 256,
            peers_max: METRIC_PEERS_MAX,
            series_max: 262_144,
            values_bytes_max: 64 * 1_024 * 1_024,
            stall_tolerance: Duration::from_millis(500),
        }
    }
}

impl Default for MetricLogParams {
    fn default() -> Self {
        Self::new()
    }
}

/// Parameters that are valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricLogConfig(pub(super) MetricLogParams);

impl MetricLogConfig {
    /// Who can be a peer.
    #[must_use]
    pub const fn admission(&self) -> Admission {
        self.0.admission
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// Every violated rule. State: nothing was made.
    pub fn new(params: MetricLogParams) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        for (field, found, limit) in [
            ("window", params.window, METRIC_WINDOW_MAX),
            ("names_max", params.names_max, METRIC_NAMES_MAX),
            ("peers_max", params.peers_max, METRIC_PEERS_MAX),
            ("series_max", params.series_max, METRIC_SERIES_MAX),
            (
                "values_bytes_max",
                params.values_bytes_max,
                METRIC_VALUES_BYTES_MAX,
            ),
        ] {
            if !(1..=limit).contains(&found) {
                let text = format!("{found} must be 1 to {limit}");
                violations.push(Violation::new(field, text));
            }
        }
        if params.metrics.len() > params.names_max {
            let (found, limit) = (params.metrics.len(), params.names_max);
            let text = format!("{found} must be at most names_max, {limit}");
            violations.push(Violation::new("metrics", text));
        }
        if params.ttl_min.is_zero() {
            violations.push(Violation::new("ttl_min", "0 s must be longer".into()));
        }
        if params.ttl_max < params.ttl_min {
            let (max, min) = (params.ttl_max, params.ttl_min);
            let text = format!("{max:?} must be at least ttl_min, {min:?}");
            violations.push(Violation::new("ttl_max", text));
        }
        let rules = params.metrics.values().chain([&params.default_rule]);
        for rule in rules {
            if let Decision::Accrual(accrual) | Decision::Either(accrual) = rule.decision
                && accrual.threshold == Level::ZERO
            {
                let text = "0 must be above 0".into();
                violations.push(Violation::new("threshold", text));
            }
        }
        if violations.is_empty() {
            Ok(Self(params))
        } else {
            Err(violations)
        }
    }

    /// How a metric is judged.
    #[must_use]
    pub fn rule(&self, metric: &str) -> &MetricRule {
        self.0.metrics.get(metric).unwrap_or(&self.0.default_rule)
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> &MetricLogParams {
        &self.0
    }
}
