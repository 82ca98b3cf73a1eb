//! What must hold for any sequence of inputs: the machine never panics and never loops, its events
//! add up to what it says of its targets, and the same inputs give the same outputs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use auscult_core::detector::{
    BertierParams, ChenParams, DeadlineParams, DetectorParams, Distribution, History, PhiParams,
};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Arrival, Change, EventKind, Failure, Input, Labels, Monitor, MonitorConfig, Output, Signal,
    SignalConfig, SignalKey, SignalParams, Source, Status, Target,
};
use auscult_core::time::Instant;

use super::bytes::Bytes;

/// Panics when the inputs that `bytes` stand for break a promise of the machine.
pub(crate) fn check(bytes: &[u8]) {
    let first = run(bytes);
    assert!(first == run(bytes), "the same inputs gave other outputs");
}

/// Everything that the machine said.
fn run(bytes: &[u8]) -> String {
    let mut bytes = Bytes(bytes);
    let config = MonitorConfig {
        targets_max: 6,
        mass_targets_min: 3,
        mass_hold: Duration::from_secs(30),
        ..MonitorConfig::server()
    };
    let now = Instant::from_secs(1);
    let mut world = World {
        monitor: Monitor::new(config, u64::from(bytes.next()), now),
        now,
        status: BTreeMap::new(),
        said: String::new(),
    };
    // Enough for any story; the corpus stays quick to replay.
    for _ in 0..2_000 {
        if bytes.is_empty() {
            break;
        }
        world.step(&mut bytes);
        world.drain();
        world.check();
    }
    world.said
}

struct World {
    monitor: Monitor,
    now: Instant,
    /// The status of each target as its events tell it.
    status: BTreeMap<TargetId, Status>,
    said: String,
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.next() % 12 {
            0 => self.now = self.now.after(bytes.span()),
            // A clock that goes backwards is the caller's fault, and must do no harm.
            1 => {
                let earlier = self.now.before(bytes.span());
                self.monitor.handle(earlier, Input::Tick);
            }
            2 | 3 => {
                let target = target(bytes);
                self.apply(Change::Put(target));
            }
            4 => self.apply(Change::Remove(id(bytes))),
            5 => self.apply(Change::Pause(id(bytes))),
            6 => self.apply(Change::Resume(id(bytes))),
            7 => self.arrivals(bytes),
            8 => {
                let failed = Input::Failed {
                    signal: key(&self.monitor, bytes),
                    at: self.now.before(bytes.span()),
                    failure: failure(bytes),
                };
                self.monitor.handle(self.now, failed);
            }
            9 => self.monitor.handle(self.now, Input::Drained),
            10 => self.wake(),
            _ => self.monitor.handle(self.now, Input::Tick),
        }
    }

    fn apply(&mut self, change: Change) {
        let applied = self.monitor.apply(self.now, change);
        self.say(&applied);
    }

    fn arrivals(&mut self, bytes: &mut Bytes<'_>) {
        let mut names = Vec::new();
        for _ in 0..=bytes.next() % 4 {
            names.push((id(bytes), bytes.next(), key(&self.monitor, bytes)));
        }
        let batch: Vec<Arrival<'_>> = names
            .iter()
            .map(|(id, kind, key)| Arrival {
                source: match kind % 4 {
                    0 => Source::Key(*key),
                    1 => Source::Name {
                        target: id,
                        signal: Some("s1"),
                    },
                    _ => Source::Name {
                        target: id,
                        signal: None,
                    },
                },
                received_at: match bytes.next() % 4 {
                    0 => self.now.before(bytes.span()),
                    1 => self.now.after(bytes.span()),
                    _ => self.now,
                },
                sequence: (kind & 16 != 0).then(|| u64::from(bytes.next())),
                interval_hint: (kind & 32 != 0).then(|| bytes.span()),
            })
            .collect();
        self.monitor.handle(self.now, Input::Arrivals(&batch));
    }

    /// Goes to the moment that the machine asked for, and sees that it does not ask for ever.
    fn wake(&mut self) {
        for _ in 0..10_000 {
            let Some((deadline, wake)) = self.monitor.poll_timeout() else {
                return;
            };
            self.say(&(deadline, wake));
            if deadline > self.now {
                self.now = deadline;
                self.monitor.handle(self.now, Input::Tick);
                return;
            }
            self.monitor.handle(self.now, Input::Tick);
            self.drain();
        }
        panic!(
            "the machine asks again and again to be called at {}",
            self.now
        );
    }

    fn drain(&mut self) {
        while let Some(output) = self.monitor.poll_output() {
            self.say(&output);
            let Output::Event(event) = output else {
                continue;
            };
            let Some(target) = event.target else { continue };
            match event.kind {
                EventKind::Added => {
                    let before = self.status.insert(target, Status::Unknown);
                    assert_eq!(before, None, "what is added was not there");
                }
                EventKind::Removed => {
                    assert!(
                        self.status.remove(&target).is_some(),
                        "what is removed was there"
                    );
                }
                EventKind::Transition { from, to, evidence } => {
                    assert_ne!(from, to);
                    let before = self.status.insert(target, to);
                    assert_eq!(
                        before,
                        Some(from),
                        "a transition begins where the last one ended"
                    );
                    assert!(evidence.level.get().is_finite());
                }
                EventKind::FlappingStarted { score } | EventKind::FlappingStopped { score } => {
                    assert!((0.0..=1.0).contains(&score), "flap score {score}");
                }
                EventKind::SignalTransition { from, to, evidence } => {
                    assert_ne!(from, to);
                    assert!(evidence.level.get().is_finite());
                }
                EventKind::Replaced
                | EventKind::Relearnt { .. }
                | EventKind::ObserverSuspectsItself { .. }
                | EventKind::ObserverTrustsItself { .. }
                | EventKind::Stalled { .. }
                | EventKind::Membership { .. } => {}
                EventKind::Observed { .. }
                | EventKind::Verdict { .. }
                | EventKind::Isolated { .. }
                | EventKind::Rejoined { .. }
                | EventKind::ObserverIsolated { .. }
                | EventKind::ObserverRejoined { .. } => {
                    panic!("a monitor alone has no company");
                }
            }
        }
    }

    fn check(&self) {
        self.monitor.check_invariants();
        let views: BTreeMap<TargetId, Status> = self
            .monitor
            .targets()
            .map(|target| (target.id().clone(), target.status()))
            .collect();
        assert_eq!(views, self.status, "the events tell what the views show");
        for target in self.monitor.targets() {
            assert!(target.since() <= self.now.max(Instant::from_secs(1)));
            assert!((0.0..=1.0).contains(&target.flap_score(self.now)));
            for signal in target.signals() {
                assert!(signal.level(self.now).get().is_finite());
                let found = self.monitor.signal(target.id(), signal.name());
                assert_eq!(found, Some(signal.key()), "a signal is found by its name");
            }
        }
    }

    fn say(&mut self, what: &dyn std::fmt::Debug) {
        writeln!(self.said, "{} {what:?}", self.now).expect("a string can be written to");
    }
}

fn id(bytes: &mut Bytes<'_>) -> TargetId {
    TargetId::new(["a", "b", "c", "d", "e", "f", "g", "h"][usize::from(bytes.next() % 8)])
        .expect("a letter is a name")
}

fn target(bytes: &mut Bytes<'_>) -> Target {
    let id = id(bytes);
    // None, and two of one name, are refused.
    let signals = (0..bytes.next() % 4)
        .map(|number| Signal {
            name: SignalName::new(if number % 3 == 1 { "s1" } else { "s0" }).expect("a name"),
            config: signal_config(bytes),
        })
        .collect();
    Target {
        id,
        labels: Labels::new(),
        signals,
    }
}

fn signal_config(bytes: &mut Bytes<'_>) -> SignalConfig {
    let interval = Duration::from_millis(1 + u64::from(bytes.next()) * 10);
    let samples = 2 + usize::from(bytes.next() % 20);
    let detector = match bytes.next() % 8 {
        0 => DetectorParams::Chen(ChenParams {
            interval,
            margin: interval,
            window: samples,
        }),
        1 => DetectorParams::Bertier(BertierParams {
            interval,
            window: samples,
            beta: 1.0,
            phi: 4.0,
            gamma: 0.1,
            min_margin: interval,
        }),
        2 => DetectorParams::Deadline(DeadlineParams { timeout: interval }),
        kind => DetectorParams::Phi(PhiParams {
            distribution: match kind {
                3 => Distribution::Exponential,
                4 => Distribution::LogNormal,
                5 => Distribution::Empirical,
                6 => Distribution::Logistic,
                _ => Distribution::Normal,
            },
            history: if kind != 5 && samples % 2 == 0 {
                History::Decayed { samples }
            } else {
                History::Window { samples }
            },
            first_heartbeat_estimate: interval,
            ..PhiParams::new()
        }),
    };
    let late = f64::from(1 + bytes.next() % 16);
    SignalConfig::new(SignalParams {
        detector,
        late,
        down: late * 2.0,
        grace: interval * 3,
        recovery_arrivals: u32::from(1 + bytes.next() % 3),
    })
    .expect("the parameters are in their ranges")
}

/// One that stands for a signal, or for one that is gone, or for nothing.
fn key(monitor: &Monitor, bytes: &mut Bytes<'_>) -> SignalKey {
    let number = bytes.next();
    let signals = monitor.targets().flat_map(|target| {
        target
            .signals()
            .map(|signal| signal.key())
            .collect::<Vec<_>>()
    });
    let invented = u64::from(number) << 32 | u64::from(number % 3);
    signals
        .into_iter()
        .nth(usize::from(number % 16))
        .unwrap_or(SignalKey::from_bits(invented))
}

fn failure(bytes: &mut Bytes<'_>) -> Failure {
    match bytes.next() % 4 {
        0 => Failure::Refused,
        1 => Failure::Timeout,
        2 => Failure::Status(u16::from(bytes.next())),
        _ => Failure::Local,
    }
}
