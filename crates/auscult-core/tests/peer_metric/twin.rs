//! The log against a twin that looks at everything every millisecond.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::peer_metric::{MetricLogParams, MetricRule, Reading, Rejection};
use proptest::prelude::*;

use crate::shell::{Shell, metric, ms, ping};

#[derive(Clone, Debug)]
enum Step {
    Publish { peer: usize, ttl: u64, epoch: u64 },
    Present { peer: usize },
    Absent { peer: usize },
}

#[derive(Default)]
struct Series {
    /// When it fails, and how.
    due: Option<(u64, &'static str)>,
    failed: bool,
    ttl: Option<u64>,
    heard: u64,
}

const PEERS: [&str; 3] = ["a", "b", "c"];
const GRACE: u64 = 700;

/// Looks at every peer, every millisecond.
#[derive(Default)]
struct Twin {
    series: BTreeMap<usize, Series>,
    present: [bool; 3],
    said: Vec<String>,
}

impl Twin {
    fn look(&mut self, at: u64) {
        for (&peer, series) in &mut self.series {
            if let Some((due, how)) = series.due
                && due <= at
                && self.present[peer]
                && !series.failed
            {
                series.failed = true;
                self.said.push(format!("{due} {} ping {how}", PEERS[peer]));
            }
        }
    }

    fn step(&mut self, at: u64, step: &Step) {
        match *step {
            Step::Publish { peer, ttl, .. } if self.present[peer] => {
                let series = self.series.entry(peer).or_default();
                if series.failed {
                    self.said
                        .push(format!("{at} {} ping recovered", PEERS[peer]));
                }
                *series = Series {
                    due: Some((at + ttl, "expired")),
                    failed: false,
                    ttl: Some(ttl),
                    heard: at,
                };
            }
            Step::Present { peer } if !self.present[peer] => {
                self.present[peer] = true;
                let series = self.series.entry(peer).or_default();
                series.failed = false;
                series.due = Some(match series.ttl {
                    Some(ttl) => (at.max(series.heard) + ttl, "expired"),
                    None => (at + GRACE, "never_reported"),
                });
            }
            Step::Absent { peer } if self.present[peer] => {
                self.present[peer] = false;
                self.said.push(format!("{at} {}  departed", PEERS[peer]));
            }
            Step::Publish { .. } | Step::Present { .. } | Step::Absent { .. } => {}
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 100..900_u64, 0..3_u64)
            .prop_map(|(peer, ttl, epoch)| Step::Publish { peer, ttl, epoch: epoch / 2 }),
        1 => (0..3_usize).prop_map(|peer| Step::Present { peer }),
        1 => (0..3_usize).prop_map(|peer| Step::Absent { peer }),
    ]
}

fn run(steps: &[(u64, Step)]) -> (Vec<String>, Vec<String>) {
    let grace = Some(Duration::from_millis(GRACE));
    let rule = MetricRule {
        grace,
        ..MetricRule::new()
    };
    let mut shell = Shell::new(MetricLogParams {
        metrics: [(metric("ping"), rule)].into(),
        retention: Duration::from_secs(3_600),
        ..MetricLogParams::new()
    });
    let mut twin = Twin::default();
    let mut at = 0;
    for (gap, step) in steps {
        for _ in 0..*gap {
            at += 1;
            twin.look(at);
        }
        shell.run_to(ms(at));
        twin.step(at, step);
        match *step {
            Step::Publish { peer, ttl, epoch } => {
                let ttl = Duration::from_millis(ttl);
                let taken = shell.publish(Reading {
                    ttl,
                    epoch: Some(epoch),
                    ..ping(PEERS[peer])
                });
                assert_ne!(taken, Err(Rejection::Stale));
            }
            Step::Present { .. } | Step::Absent { .. } => {
                let named = PEERS.iter().zip(twin.present);
                let present: Vec<&str> = named.filter(|(_, p)| *p).map(|(n, _)| *n).collect();
                shell.peers(&present);
            }
        }
        shell.log.check_invariants();
    }
    (shell.said, twin.said)
}

proptest! {
    #[test]
    fn fails_and_recovers_exactly_as_its_twin(
        steps in prop::collection::vec((1..600_u64, step()), 1..60),
    ) {
        let (mut said, mut expected) = run(&steps);
        // Those of one moment have no order.
        said.sort();
        expected.sort();
        prop_assert_eq!(said, expected);
    }
}
