//! What must hold for what a recording says that a signal remembered: it is recalled or it is not,
//! and the machine goes on without a panic.

use std::time::Duration;

use auscult_core::detector::{
    BertierParams, ChenParams, DeadlineParams, DetectorParams, History, PhiParams,
};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Arrival, Change, Input, Labels, Monitor, MonitorConfig, Signal, SignalConfig, SignalMemory,
    SignalParams, Source, Target, Waits,
};
use auscult_core::time::Instant;

use super::bytes::Bytes;

/// Panics when the memory that `bytes` stand for breaks the machine.
pub(crate) fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let now = Instant::from_secs(1_000);
    let mut monitor = Monitor::new(MonitorConfig::server(), 0, now);
    let Some(target) = target(bytes.next()) else {
        return;
    };
    monitor
        .apply(now, Change::Put(target))
        .expect("one target is not too many");
    let waits = Waits::ALL[usize::from(bytes.next()) % Waits::ALL.len()];
    let due = bytes
        .next()
        .is_multiple_of(2)
        .then(|| now.before(bytes.span()).after(bytes.span()));
    let (streak, outages) = (bytes.next(), bytes.next());
    let count = bytes.next() % 32;
    let learnt = (0..count).map(|_| word(&mut bytes, now)).collect();
    let memory = SignalMemory {
        waits,
        due,
        streak,
        outages,
        learnt,
    };
    if monitor.recall("web", "beat", &memory) {
        let view = monitor.target("web").expect("it was added");
        let again = view.signals().next().expect("it has one").memory();
        assert_eq!(again.learnt.get(..3), memory.learnt.get(..3));
    }
    monitor.check_invariants();
    let mut at = now;
    for _ in 0..200 {
        if bytes.is_empty() {
            break;
        }
        at = at.after(bytes.span());
        let arrival = [Arrival {
            source: Source::Name {
                target: "web",
                signal: None,
            },
            received_at: at,
            sequence: bytes.next().checked_sub(100).map(u64::from),
            interval_hint: None,
        }];
        monitor.handle(at, Input::Tick);
        monitor.handle(at, Input::Arrivals(&arrival));
        while monitor.poll_output().is_some() {}
        let view = monitor.target("web").expect("it was added");
        for signal in view.signals() {
            assert!(signal.level(at.after(bytes.span())).get() >= 0.0);
            let _statistics = signal.statistics();
        }
    }
    monitor.check_invariants();
}

/// Small numbers, moments and anything.
fn word(bytes: &mut Bytes<'_>, now: Instant) -> u64 {
    match bytes.next() % 4 {
        0 => u64::from(bytes.next()),
        1 => now.before(bytes.span()).as_nanos(),
        2 => u64::from(bytes.next()) << 32 | u64::from(bytes.next()),
        _ => (0..8).fold(0, |word, _| word << 8 | u64::from(bytes.next())),
    }
}

fn target(kind: u8) -> Option<Target> {
    let second = Duration::from_secs(1);
    let detector = match kind % 5 {
        0 => DetectorParams::Phi(PhiParams {
            history: History::Window { samples: 8 },
            ..PhiParams::new()
        }),
        1 => DetectorParams::Phi(PhiParams {
            history: History::Decayed { samples: 8 },
            ..PhiParams::new()
        }),
        2 => DetectorParams::Chen(ChenParams {
            interval: second,
            margin: second,
            window: 8,
        }),
        3 => DetectorParams::Bertier(BertierParams::new(second)),
        _ => DetectorParams::Deadline(DeadlineParams { timeout: second }),
    };
    let config = SignalConfig::new(SignalParams {
        detector,
        late: 1.0,
        down: 2.0,
        grace: second,
        recovery_arrivals: 2,
    });
    Some(Target {
        id: TargetId::new("web").ok()?,
        labels: Labels::new(),
        signals: vec![Signal {
            name: SignalName::new("beat").ok()?,
            config: config.ok()?,
        }],
    })
}
