//! What the detectors promise, from outside.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod inverse;
mod memory;
mod rules;
mod seed_vectors;
mod shared;
mod twin;

use auscult_core::detector::{
    BertierParams, ChenParams, DeadlineParams, DetectorConfig, DetectorParams, Distribution,
    History, PhiParams,
};
use proptest::prelude::*;
use rules::each_kind;
use std::time::Duration;

/// So many random cases, without a file of past failures: those become tests of their own.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn config(params: DetectorParams) -> DetectorConfig {
    DetectorConfig::new(params).unwrap()
}

fn phi(params: PhiParams) -> DetectorConfig {
    config(DetectorParams::Phi(params))
}

/// Spans from a nanosecond to years, each order of magnitude as likely as the next.
fn span() -> impl Strategy<Value = Duration> {
    (0_u32..57, any::<u64>()).prop_map(|(bits, seed)| {
        let nanos = (1 << bits) + (seed & ((1 << bits) - 1));
        Duration::from_nanos(nanos)
    })
}

fn any_phi() -> impl Strategy<Value = PhiParams> {
    let distribution = prop::sample::select(vec![
        Distribution::Normal,
        Distribution::Exponential,
        Distribution::LogNormal,
        Distribution::Empirical,
        Distribution::Logistic,
    ]);
    let pause = prop_oneof![Just(Duration::ZERO), span()];
    (
        distribution,
        any::<bool>(),
        1_usize..20,
        span(),
        pause,
        span(),
    )
        .prop_map(
            |(distribution, decayed, samples, min_std_deviation, acceptable_pause, estimate)| {
                let history = if decayed && distribution != Distribution::Empirical {
                    History::Decayed {
                        samples: samples + 1,
                    }
                } else {
                    History::Window { samples }
                };
                PhiParams {
                    distribution,
                    history,
                    min_std_deviation,
                    acceptable_pause,
                    first_heartbeat_estimate: estimate,
                }
            },
        )
}

fn any_detector() -> impl Strategy<Value = DetectorParams> {
    let chen = (span(), span(), 1_usize..20).prop_map(|(interval, margin, window)| {
        DetectorParams::Chen(ChenParams {
            interval,
            margin,
            window,
        })
    });
    let bertier = (span(), span(), 1_usize..20).prop_map(|(interval, min_margin, window)| {
        DetectorParams::Bertier(BertierParams {
            min_margin,
            window,
            ..BertierParams::new(interval)
        })
    });
    let deadline = span().prop_map(|timeout| DetectorParams::Deadline(DeadlineParams { timeout }));
    prop_oneof![
        5 => any_phi().prop_map(DetectorParams::Phi),
        1 => chen,
        1 => bertier,
        1 => deadline,
    ]
}
