//! The receiver against real sockets.

use super::*;
use crate::clock::Clock;
use crate::events::EventLog;
use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Change, MonitorConfig, Signal, SignalConfig, SignalParams, Target};
use auscult_core::wire::heartbeat::Heartbeat;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

const KEY: &[u8] = b"0123456789abcdef";

#[test]
fn text_and_binary_heartbeats_are_taken() {
    let stage = Stage::watching(&["web", "db"]);
    stage.send(b"web\n");
    stage.send(b"web signal=beat seq=7\ndb interval=1s\n");
    stage.send(&binary("db", Some(1)));
    stage.settled(3);
    assert_eq!(stage.counts(), (4, 0));
    assert_eq!((stage.arrivals("web"), stage.arrivals("db")), (2, 2));
}

#[test]
fn what_cannot_be_taken_is_counted_by_reason() {
    let stage = Stage::watching(&["web"]);
    let cases: [(&[u8], RejectReason); 7] = [
        (b"", RejectReason::Malformed),
        (b"web colour=red", RejectReason::Malformed),
        (b"\xacH\x02\x00\x03web", RejectReason::Malformed),
        (&[b'a'; 9_000], RejectReason::Malformed),
        (b"nobody", RejectReason::UnknownTarget),
        (b"web signal=other", RejectReason::UnknownSignal),
        (b"\xacH\x01\x00\x01\xff", RejectReason::Malformed),
    ];
    for (sent, (datagram, reason)) in (1..).zip(cases) {
        let before = stage.receiver.metrics().rejected(reason);
        stage.send(datagram);
        stage.settled(sent);
        let after = stage.receiver.metrics().rejected(reason);
        assert_eq!(after, before + 1, "{datagram:?} is {reason:?}");
    }
    assert_eq!(stage.counts(), (0, 7));
}

#[test]
fn a_recorded_heartbeat_is_not_taken_again() {
    let stage = Stage::watching(&["web"]);
    for sequence in [5, 6, 6, 5, 7] {
        stage.send(&binary("web", Some(sequence)));
    }
    stage.settled(5);
    let metrics = stage.receiver.metrics();
    assert_eq!(stage.counts(), (3, 2));
    assert_eq!(metrics.rejected(RejectReason::Duplicate), 1);
    assert_eq!(metrics.rejected(RejectReason::Stale), 1);
}

#[test]
fn with_a_key_only_signed_and_numbered_heartbeats_are_taken() {
    let stage = Stage::watching(&["web"]);
    let key = Key::new(KEY).unwrap();
    stage.key.store(Some(Arc::new(key.clone())));
    let other = Key::new(b"fedcba9876543210").unwrap();
    let line = "web seq=2";
    let code: String = key
        .sign(line.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for (sent, (datagram, taken, reason)) in (1..).zip([
        (signed("web", Some(1), &key), true, RejectReason::Malformed),
        (
            format!("{line} mac={code}\n").into_bytes(),
            true,
            RejectReason::Malformed,
        ),
        (binary("web", Some(3)), false, RejectReason::Unsigned),
        (b"web seq=4".to_vec(), false, RejectReason::Unsigned),
        (signed("web", Some(5), &other), false, RejectReason::BadMac),
        (signed("web", None, &key), false, RejectReason::Unsequenced),
    ]) {
        let metrics = stage.receiver.metrics();
        let before = (metrics.accepted(), metrics.rejected(reason));
        stage.send(&datagram);
        stage.settled(sent);
        let after = (metrics.accepted(), metrics.rejected(reason));
        let expected = if taken { (1, 0) } else { (0, 1) };
        assert_eq!(
            (after.0 - before.0, after.1 - before.1),
            expected,
            "{datagram:?}"
        );
    }
    stage.key.store(None);
    stage.send(&signed("web", Some(9), &other));
    stage.settled(7);
    assert_eq!(stage.counts(), (3, 4), "without a key nothing is verified");
}

#[test]
fn an_unknown_target_is_created_while_there_is_room() {
    let stage = Stage::with_room_for(2);
    for target in ["a", "b", "c", "a", "bad name", "b\u{1}"] {
        stage.send(target.as_bytes());
    }
    stage.settled(6);
    let metrics = stage.receiver.metrics();
    assert_eq!(metrics.accepted(), 3);
    assert_eq!(metrics.rejected(RejectReason::Full), 1, "c");
    assert_eq!(metrics.rejected(RejectReason::Malformed), 1, "bad name");
    assert_eq!(
        metrics.rejected(RejectReason::UnknownTarget),
        1,
        "b\\u{{1}}"
    );
}

#[test]
fn arrivals_have_the_time_at_which_the_kernel_received_them() {
    let stage = Stage::watching(&["web"]);
    let clock = stage.engine.clock().clone();
    let stalled = stage.receiver.shared.buffers.lock();
    let before = clock.now();
    stage.send(b"web");
    let sent = clock.now();
    // Nobody reads while the buffers are held: this is what a stalled process looks like.
    let later = sent.after(Duration::from_millis(50));
    while clock.now() < later {
        thread::yield_now();
    }
    drop(stalled);
    stage.settled(1);
    let arrived = stage.engine.read(|monitor, _| {
        let target = monitor.target("web").unwrap();
        target.signals().next().unwrap().last_arrival().unwrap()
    });
    assert!(
        (before..=sent).contains(&arrived),
        "{before} <= {arrived} <= {sent}"
    );
}

#[test]
fn a_drain_reads_what_waits_at_once() {
    let stage = Stage::watching(&["web"]);
    let stalled = stage.receiver.shared.buffers.lock();
    for _ in 0..200 {
        stage.send(b"web");
    }
    drop(stalled);
    stage.receiver.drain_source().drain();
    assert_eq!(stage.receiver.metrics().datagrams(), 200);
    assert_eq!(stage.receiver.kernel_queue().unwrap().queued_bytes, 0);
}

#[test]
fn accepted_and_rejected_and_dropped_make_up_what_was_sent() {
    let stage = Stage::watching(&["web"]);
    let mut sent = 0;
    // More than the receive buffer holds, while nobody reads.
    let stalled = stage.receiver.shared.buffers.lock();
    while stage.dropped() < 100 {
        for datagram in [&b"web"[..], b"nobody", b"?=!", &[0xAC; 100]] {
            stage.send(datagram);
            sent += 1;
        }
    }
    drop(stalled);
    let read = |stage: &Stage| stage.receiver.metrics().datagrams();
    stage.until(|stage| read(stage) + stage.dropped() == sent);
    let (accepted, rejected) = stage.counts();
    assert_eq!(accepted + rejected + stage.dropped(), sent);
    assert!(accepted > 0 && rejected > 0);
}

#[test]
fn no_bytes_do_harm() {
    let stage = Stage::watching(&["web"]);
    let mut runner = TestRunner::new(Config::with_cases(300));
    let bytes = proptest::collection::vec(any::<u8>(), 0..400);
    let sent = AtomicUsize::new(0);
    runner
        .run(&(bytes, 0..4_usize), |(bytes, kept)| {
            let mut datagram = binary("web", Some(1));
            datagram.truncate(kept * 3);
            datagram.extend(bytes);
            stage.send(&datagram);
            sent.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    stage.settled(sent.load(Ordering::Relaxed) as u64);
    let (accepted, _) = stage.counts();
    stage.send(b"web");
    stage.until(|stage| stage.counts().0 == accepted + 1);
}

#[test]
fn the_end_reads_what_waits() {
    let stage = Stage::watching(&["web"]);
    let stalled = stage.receiver.shared.buffers.lock();
    for _ in 0..100 {
        stage.send(b"web");
    }
    drop(stalled);
    stage.receiver.stop();
    assert_eq!(stage.receiver.metrics().datagrams(), 100);
    stage.receiver.stop();
}

/// A receiver, and a socket that sends to it.
struct Stage {
    engine: Engine,
    receiver: UdpReceiver,
    key: Arc<ArcSwapOption<Key>>,
    sender: UdpSocket,
}

impl Stage {
    fn watching(targets: &[&str]) -> Self {
        let stage = Self::with_room_for(0);
        for id in targets {
            stage.engine.apply(Change::Put(target(id, "beat"))).unwrap();
        }
        stage
    }

    fn with_room_for(created_max: usize) -> Self {
        let clock = Clock::new();
        let events = EventLog::new(clock.clone());
        let engine = Engine::start(MonitorConfig::server(), clock, events).unwrap();
        let room = Room {
            engine: engine.clone(),
            left: AtomicUsize::new(created_max),
            open: created_max > 0,
        };
        let key = Arc::new(ArcSwapOption::empty());
        let bound = BoundUdp::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = bound.local_addr().unwrap();
        let shared_key = Arc::clone(&key);
        let receiver =
            UdpReceiver::start(bound, engine.clone(), Arc::new(room), shared_key).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender.connect(addr).unwrap();
        Self {
            engine,
            receiver,
            key,
            sender,
        }
    }

    fn send(&self, datagram: &[u8]) {
        self.sender.send(datagram).unwrap();
    }

    /// Waits until so many datagrams were read.
    fn settled(&self, datagrams: u64) {
        self.until(|stage| {
            let metrics = stage.receiver.metrics();
            let judged = metrics.accepted() + metrics.rejected_total();
            metrics.datagrams() == datagrams && judged >= datagrams
        });
    }

    fn until(&self, holds: impl Fn(&Self) -> bool) {
        let clock = self.engine.clock();
        let deadline = clock.now().after(Duration::from_secs(20));
        while !holds(self) {
            let counts = (self.counts(), self.receiver.metrics());
            assert!(clock.now() < deadline, "gave up waiting at {counts:?}");
            thread::yield_now();
        }
    }

    fn counts(&self) -> (u64, u64) {
        let metrics = self.receiver.metrics();
        (metrics.accepted(), metrics.rejected_total())
    }

    fn dropped(&self) -> u64 {
        self.receiver.kernel_queue().unwrap().dropped
    }

    fn arrivals(&self, id: &str) -> u64 {
        self.engine.read(|monitor, _| {
            let target = monitor.target(id).unwrap();
            target.signals().map(|signal| signal.arrivals()).sum()
        })
    }
}

struct Room {
    engine: Engine,
    left: AtomicUsize,
    open: bool,
}

impl Admission for Room {
    fn is_open(&self) -> bool {
        self.open
    }

    fn admit(&self, heartbeat: &Arrival<'_>) -> Admitted {
        let Source::Name { target: id, signal } = heartbeat.source else {
            return Admitted::Refused;
        };
        if self.engine.read(|monitor, _| monitor.target(id).is_some()) {
            return Admitted::Created;
        }
        if TargetId::new(id).is_err() {
            return Admitted::Refused;
        }
        if self.left.load(Ordering::Relaxed) == 0 {
            return Admitted::Full;
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        self.engine
            .apply(Change::Put(target(id, signal.unwrap_or("beat"))))
            .unwrap();
        Admitted::Created
    }
}

fn target(id: &str, signal: &str) -> Target {
    let config = SignalConfig::new(SignalParams {
        detector: DetectorParams::Phi(PhiParams::new()),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(10),
        recovery_arrivals: 1,
    });
    Target {
        id: TargetId::new(id).unwrap(),
        labels: auscult_core::monitor::Labels::new(),
        signals: vec![Signal {
            name: SignalName::new(signal).unwrap(),
            config: config.unwrap(),
        }],
    }
}

fn heartbeat(target: &str, sequence: Option<u64>) -> Heartbeat<'_> {
    Heartbeat {
        target,
        signal: None,
        sequence,
        interval_hint: None,
    }
}

fn binary(target: &str, sequence: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    heartbeat(target, sequence).encode(&mut out).unwrap();
    out
}

fn signed(target: &str, sequence: Option<u64>, key: &Key) -> Vec<u8> {
    let mut out = Vec::new();
    let written = heartbeat(target, sequence).encode_signed(&mut out, |bytes| key.sign(bytes));
    written.unwrap();
    out
}
