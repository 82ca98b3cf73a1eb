//! Three monitors in one process, with letters that are handed over instead of sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::http::stop::{Stop, Stopper};
use auscult_core::detector::{DeadlineParams, DetectorParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::observers::{
    Lineup, Liveness, MonitorName, ObserversConfig, Seat, Teller, Verdict,
};
use auscult_core::monitor::{
    Arrival, Change, EventKind, Labels, MonitorConfig, Signal, SignalConfig, SignalParams, Source,
    Target,
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::wire::{Answer, Letter};
use super::{Group, Observatory, Parts, Post, PostError, Targets};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::events::EventLog;
use crate::ingest::{Admission, Admitted};
use crate::registry::{Handed, Origin};

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_target_that_two_of_three_do_not_hear_is_down_once_in_every_log() {
    let stage = Stage::new();
    stage.watch("web");
    stage.until_verdict("web", Verdict::Unknown).await;
    stage.hear("web", &[0, 1, 2]);
    stage.until_verdict("web", Verdict::Up).await;
    stage.keep_hearing("web", &[1]).await;
    let texts = stage.verdicts(Verdict::Down);
    let expected = "web is down: down for 2 of 3; reachable from m2";
    for (monitor, texts) in texts.iter().enumerate() {
        assert_eq!(texts, &[expected], "m{}", monitor + 1);
    }
    let here = stage.tellers();
    assert_eq!(here.values().max(), Some(&1), "one notifies: {here:?}");
    for monitor in &stage.monitors {
        let page = monitor.engine.events().since(0, 10_000);
        let mut own = page.events.iter().map(|it| &it.event.kind);
        let is_transition = |kind: &&EventKind| matches!(kind, EventKind::Transition { .. });
        assert_eq!(own.find(is_transition), None, "what one sees is no verdict");
    }
}

#[tokio::test]
async fn a_heartbeat_that_comes_to_one_is_heard_by_all() {
    let stage = Stage::new();
    stage.watch("web");
    stage.until_verdict("web", Verdict::Unknown).await;
    stage.push("web", 2);
    stage.until_verdict("web", Verdict::Up).await;
    for monitor in &stage.monitors {
        let heard = monitor.engine.read(|machine, _| {
            let target = machine.target("web").expect("watched");
            target
                .signals()
                .map(|signal| signal.arrivals())
                .sum::<u64>()
        });
        assert_eq!(heard, 1);
    }
    let sent = stage.monitors[2].observatory.forwarder().counters();
    assert_eq!((sent.queued, sent.dropped, sent.lost), (2, 0, 0));
}

#[tokio::test]
async fn a_heartbeat_is_as_old_as_it_was_at_the_other_monitor() {
    let stage = Stage::new();
    stage.watch("web");
    let engine = &stage.monitors[0].engine;
    let before = engine.clock().now();
    let letter = Letter::Heartbeats(vec![super::wire::Heartbeat {
        target: "web".into(),
        signal: None,
        age_us: 40_000,
        sequence: Some(7),
        interval_us: None,
    }]);
    let answer = stage.monitors[0].observatory.take("m2", letter);
    assert_eq!(answer, Answer::HeartbeatsTaken);
    let last = engine.read(|machine, _| {
        let target = machine.target("web").expect("watched");
        target.signals().find_map(|signal| signal.last_arrival())
    });
    let last = last.expect("heard");
    assert!(last < before && before.since(last) < Duration::from_millis(41));
}

#[tokio::test]
async fn a_letter_that_cannot_be_is_refused_and_counted() {
    let stage = Stage::new();
    let text = r#"{"batch":{"session":1,"sequence":1,"answered":0,"serving":true,
        "at_fault":false,"complete":true,"items":[{"target":"a b"}]}}"#;
    let letter: Letter = serde_json::from_str(text).expect("a letter");
    let observatory = &stage.monitors[0].observatory;
    assert!(matches!(
        observatory.take("m2", letter.clone()),
        Answer::Refused { .. }
    ));
    assert!(matches!(
        observatory.take("", letter),
        Answer::Refused { .. }
    ));
    assert_eq!(observatory.letters_refused(), 2);
}

#[tokio::test]
async fn one_that_nobody_hears_says_so_and_shows_it() {
    let stage = Stage::new();
    stage.watch("web");
    stage.hear("web", &[0, 1, 2]);
    stage.until_verdict("web", Verdict::Up).await;
    stage.cut.lock().insert(0);
    let isolated = || {
        let view = stage.monitors[0].observatory.view("web");
        view.is_some_and(|view| view.verdict == Verdict::ObserverIsolated)
    };
    stage.until("isolated", isolated).await;
    assert!(stage.verdicts(Verdict::Down)[0].is_empty());
}

struct Stage {
    monitors: Vec<Monitor>,
    cut: Arc<Mutex<BTreeSet<usize>>>,
    _stopper: Stopper,
}

struct Monitor {
    engine: Engine,
    observatory: Observatory,
}

type Offices = Arc<Mutex<Vec<Observatory>>>;

/// Hands letters over.
struct Hand {
    from: usize,
    offices: Offices,
    cut: Arc<Mutex<BTreeSet<usize>>>,
}

struct All;

struct Known(Engine);

impl Stage {
    fn new() -> Self {
        let (stopper, stop) = Stop::channel();
        let offices = Offices::default();
        let cut = Arc::<Mutex<BTreeSet<usize>>>::default();
        let monitors = (0..3).map(|number| {
            let clock = Clock::new();
            let events = EventLog::new(clock.clone());
            let engine = Engine::start(MonitorConfig::server(), clock, events).expect("a thread");
            let observatory = Observatory::start(Parts {
                config: ObserversConfig {
                    beat: Duration::from_millis(100),
                    fresh: Duration::from_millis(1_500),
                    settle: Duration::from_secs(2),
                    // Longer than any test: an owner that takes over may tell again what the one
                    // before it has just told.
                    return_delay: Duration::from_secs(60),
                    ..ObserversConfig::server()
                },
                name: name(number),
                engine: engine.clone(),
                targets: Arc::new(Known(engine.clone())),
                group: Arc::new(All),
                post: Arc::new(Hand {
                    from: number,
                    offices: Arc::clone(&offices),
                    cut: Arc::clone(&cut),
                }),
                stop: stop.clone(),
            });
            offices.lock().push(observatory.clone());
            Monitor {
                engine,
                observatory,
            }
        });
        Self {
            monitors: monitors.collect(),
            cut,
            _stopper: stopper,
        }
    }

    /// Watches a target that is silent for a second when it is down.
    fn watch(&self, id: &str) {
        for monitor in &self.monitors {
            let config = SignalConfig::new(SignalParams {
                detector: DetectorParams::Deadline(DeadlineParams {
                    timeout: Duration::from_secs(1),
                }),
                late: 0.5,
                down: 1.0,
                grace: Duration::from_secs(60),
                recovery_arrivals: 1,
            });
            let target = Target {
                id: TargetId::new(id).expect("a name"),
                labels: Labels::new(),
                signals: vec![Signal {
                    name: SignalName::new("beat").expect("a name"),
                    config: config.expect("valid"),
                }],
            };
            monitor.engine.apply(Change::Put(target)).expect("new");
        }
    }

    /// Some monitors hear a target, each for itself.
    fn hear(&self, target: &str, monitors: &[usize]) {
        for &number in monitors {
            let signal = Source::Name {
                target,
                signal: None,
            };
            let heard = self.monitors[number].engine.arrival(signal, None);
            heard.expect("watched");
        }
    }

    /// A heartbeat is pushed to one monitor.
    fn push(&self, target: &str, number: usize) {
        let engine = &self.monitors[number].engine;
        let tally = engine.heartbeats(&[Arrival {
            source: Source::Name {
                target,
                signal: None,
            },
            received_at: engine.clock().now(),
            sequence: None,
            interval_hint: None,
        }]);
        assert_eq!(tally.taken, 1);
    }

    /// Hears a target all the time until everybody calls it down.
    async fn keep_hearing(&self, target: &str, monitors: &[usize]) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while !self.agree(target, Verdict::Down) {
            assert!(tokio::time::Instant::now() < deadline, "never down");
            self.hear(target, monitors);
            ticks.tick().await;
        }
    }

    fn agree(&self, target: &str, verdict: Verdict) -> bool {
        self.monitors.iter().all(|monitor| {
            let view = monitor.observatory.view(target);
            view.is_some_and(|view| view.verdict == verdict)
        })
    }

    async fn until_verdict(&self, target: &str, verdict: Verdict) {
        self.until(verdict.as_str(), || self.agree(target, verdict))
            .await;
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !holds() {
            assert!(tokio::time::Instant::now() < deadline, "never {what}");
            ticks.tick().await;
        }
    }

    /// The sentences of all events with that verdict, by monitor.
    fn verdicts(&self, verdict: Verdict) -> Vec<Vec<String>> {
        let logs = self.monitors.iter().map(|monitor| {
            let page = monitor.engine.events().since(0, 10_000);
            let found = page.events.iter().filter(|logged| {
                matches!(&logged.event.kind,
                    EventKind::Verdict { ruling, .. } if ruling.verdict == verdict)
            });
            found.map(|logged| logged.text.clone()).collect()
        });
        logs.collect()
    }

    /// How many monitors notify of each key.
    fn tellers(&self) -> BTreeMap<String, u32> {
        let mut tellers = BTreeMap::new();
        for monitor in &self.monitors {
            for logged in &monitor.engine.events().since(0, 10_000).events {
                if let EventKind::Verdict { ruling, teller } = &logged.event.kind {
                    let target = logged.event.target.as_deref().expect("of a target");
                    let count = tellers.entry(ruling.key(target)).or_default();
                    *count += u32::from(*teller == Teller::Here);
                }
            }
        }
        tellers
    }
}

fn name(number: usize) -> MonitorName {
    MonitorName::new(&format!("m{}", number + 1)).expect("a name")
}

impl Group for All {
    fn seats(&self) -> Vec<Seat> {
        let seats = (0..3).map(|number| Seat {
            name: name(number),
            liveness: Liveness::Live,
        });
        seats.collect()
    }
}

impl Post for Hand {
    fn send<'a>(
        &'a self,
        to: &'a MonitorName,
        letter: Letter,
        _timeout: Duration,
    ) -> BoxFuture<'a, Result<Answer, PostError>> {
        Box::pin(async move {
            let office = (0..3).find(|&number| name(number) == *to).expect("one");
            let cut = self.cut.lock();
            if cut.contains(&self.from) || cut.contains(&office) {
                return Err(PostError("the line is cut".into()));
            }
            drop(cut);
            let found = self.offices.lock().get(office).cloned();
            let observatory = found.ok_or_else(|| PostError("not there yet".into()))?;
            // As it would be on its way.
            let text = serde_json::to_string(&letter).expect("it can be written");
            let letter = serde_json::from_str(&text).expect("it can be read");
            Ok(observatory.take(&name(self.from), letter))
        })
    }
}

impl Admission for Known {
    fn is_open(&self) -> bool {
        false
    }

    fn admit(&self, _heartbeat: &Arrival<'_>) -> Admitted {
        Admitted::Refused
    }
}

impl Targets for Known {
    fn names(&self) -> Vec<TargetId> {
        self.0
            .read(|machine, _| machine.targets().map(|it| it.id().clone()).collect())
    }

    fn are_followed(&self) -> bool {
        false
    }

    fn origin(&self, target: &str) -> Option<Origin> {
        let known = self.0.read(|machine, _| machine.target(target).is_some());
        known.then_some(Origin::Api)
    }

    fn observers(&self) -> usize {
        3
    }

    fn set_lineup(&self, _lineup: Option<Lineup>) {}

    fn hand(&self, _target: &str) -> Handed {
        Handed::AsBefore
    }
}
