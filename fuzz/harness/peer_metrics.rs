//! What must hold for anything that peers publish and that an earlier process kept: the log of
//! metrics never panics, its parts agree, it keeps to its limits, and says of each metric in turn
//! that it failed and that it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use auscult_core::detector::Level;
use auscult_core::id::{SignalName, TargetId};
use auscult_core::peer_metric::{
    Accrual, Admission, Company, Decision, Input, Kept, MetricLog, MetricLogConfig,
    MetricLogParams, MetricRule, Output, Pause, Reading, Restored, Sender, Validity, message,
};
use auscult_core::time::Instant;

use super::bytes::Bytes;

const PEERS: [&str; 4] = ["a", "b", "c", "not a name"];
const METRICS: [&str; 4] = ["ping", "free", "load", ""];
const VALUES_BYTES_MAX: usize = 8_192;

/// Panics when the inputs that `bytes` stand for break a promise of the log.
pub(crate) fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let accrual = Accrual {
        threshold: Level::new(3.0),
        min_std_deviation: Duration::from_millis(1),
    };
    let rule = |decision| MetricRule {
        decision,
        grace: Some(Duration::from_secs(5)),
    };
    let named = |name: &str| SignalName::new(name).expect("a name");
    let first = bytes.next();
    let params = MetricLogParams {
        admission: match first % 2 {
            0 => Admission::Named,
            _ => Admission::Anybody,
        },
        window: 1 + usize::from(bytes.next() % 9),
        values_bytes_max: VALUES_BYTES_MAX,
        metrics: [
            (named("ping"), rule(Decision::Accrual(accrual))),
            (named("load"), rule(Decision::Either(accrual))),
        ]
        .into(),
        ..MetricLogParams::new()
    };
    let Ok(config) = MetricLogConfig::new(params) else {
        return;
    };
    let mut world = World {
        log: MetricLog::new(config, Instant::ORIGIN),
        now: Instant::ORIGIN,
        failing: BTreeSet::new(),
        answers: first & 4 != 0,
    };
    if first & 2 != 0 {
        let company = Input::Company(Company::Others);
        world.log.handle(Instant::ORIGIN, company);
    }
    for _ in 0..500 {
        if bytes.is_empty() {
            break;
        }
        world.step(&mut bytes);
        world.listen();
        world.log.check_invariants();
        assert!(world.log.counters().values_bytes <= VALUES_BYTES_MAX);
    }
}

struct World {
    log: MetricLog,
    now: Instant,
    failing: BTreeSet<(TargetId, SignalName)>,
    /// Whether the others answer, where there are any.
    answers: bool,
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let what = bytes.next();
        let peer = PEERS[usize::from(what >> 4 & 3)];
        let metric = METRICS[usize::from(what >> 6)];
        match what % 7 {
            0 => self.broadcast(bytes, metric, peer),
            1 => {
                let reading = Reading {
                    metric,
                    peer,
                    value: "v",
                    ttl: bytes.span(),
                    valid: Validity::Valid,
                    weight: i64::from(bytes.next()) << 55,
                    epoch: (bytes.next() % 3).checked_sub(1).map(u64::from),
                };
                let received_at = self.now.before(bytes.span());
                let sender = Sender::Trusted;
                self.log.handle(
                    self.now,
                    Input::Published {
                        sender,
                        received_at,
                        reading,
                    },
                );
            }
            2 => {
                let present = bytes.next();
                let named = PEERS.iter().enumerate().take(3);
                let named = named.filter(|(n, _)| present >> n & 1 == 1);
                let peers: Vec<TargetId> = named
                    .filter_map(|(_, name)| TargetId::new(name).ok())
                    .collect();
                self.log.handle(self.now, Input::Peers(&peers));
            }
            3 => self.restore(bytes, metric, peer),
            4 => {
                let metric = bytes.next().is_multiple_of(2).then_some(metric);
                self.log.handle(self.now, Input::Forget { peer, metric });
                // What is forgotten is not said to be over when it had been remembered only.
                self.failing.retain(|(p, m)| {
                    &**p != peer || metric.is_some_and(|metric| metric != m.as_str())
                });
                while self.log.poll_output().is_some() {}
            }
            5 => {
                self.log.take_changed(usize::from(bytes.next()), |view| {
                    assert!(view.readings().next().is_some(), "a change is a reading");
                });
            }
            _ => {
                let until = self.now.after(bytes.span());
                for _ in 0..64 {
                    let Some(at) = self.log.poll_timeout().filter(|&at| at <= until) else {
                        break;
                    };
                    self.now = self.now.max(at);
                    self.log.handle(self.now, Input::Tick);
                    self.listen();
                }
                self.now = until;
                self.log.handle(self.now, Input::Tick);
            }
        }
    }

    /// Whatever a member sends is a reading or nothing, and a reading comes back as it went.
    fn broadcast(&mut self, bytes: &mut Bytes<'_>, metric: &str, peer: &str) {
        let length = usize::from(bytes.next()).min(bytes.0.len());
        let (payload, rest) = bytes.0.split_at(length);
        bytes.0 = rest;
        let Some(reading) = message::decode(metric, peer, payload) else {
            return;
        };
        assert_eq!(message::encode(&reading), payload);
        let (sender, received_at) = (Sender::Peer(peer), self.now);
        self.log.handle(
            self.now,
            Input::Published {
                sender,
                received_at,
                reading,
            },
        );
    }

    fn restore(&mut self, bytes: &mut Bytes<'_>, metric: &str, peer: &str) {
        let (Ok(peer), Ok(metric)) = (TargetId::new(peer), SignalName::new(metric)) else {
            return;
        };
        let mut earlier = Duration::ZERO;
        let readings: Vec<Kept> = (0..bytes.next() % 12)
            .map(|n| {
                earlier += bytes.span();
                Kept {
                    value: "v".repeat(usize::from(bytes.next()) * 16).into(),
                    received_at: self.now,
                    earlier,
                    pause: if n % 3 == 0 {
                        Pause::Unheard
                    } else {
                        Pause::Interval
                    },
                    ttl: bytes.span(),
                    valid: Validity::Valid,
                    weight: 0,
                }
            })
            .collect();
        self.log.handle(
            self.now,
            Input::Restored(Restored {
                peer: &peer,
                metric: &metric,
                epoch: None,
                readings: &readings,
            }),
        );
    }

    fn listen(&mut self) {
        while let Some(output) = self.log.poll_output() {
            match output {
                Output::Failed { peer, metric, .. } => {
                    let name = format!("{metric} of {peer}");
                    assert!(self.failing.insert((peer, metric)), "{name} failed twice");
                }
                Output::Recovered { peer, metric, .. } | Output::Released { peer, metric } => {
                    let name = format!("{metric} of {peer}");
                    assert!(
                        self.failing.remove(&(peer, metric)),
                        "{name} had not failed"
                    );
                }
                Output::Departed { peer } => self.failing.retain(|(name, _)| *name != peer),
                Output::Ask { peer, metric } if self.answers => {
                    let (peer, metric) = (&peer, &metric);
                    self.log.handle(self.now, Input::Answered { peer, metric });
                }
                Output::Ask { .. } | Output::Rejected(_) => {}
            }
        }
        assert_eq!(self.log.counters().failing, self.failing.len());
    }
}
