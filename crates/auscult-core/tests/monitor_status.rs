//! The status rule, step by step, at the library's face.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Applied, Arrival, Change, EventKind, Input, Labels, Monitor, MonitorConfig, Output, Signal,
    SignalConfig, SignalParams, Source, Status, Target, Wake,
};
use auscult_core::time::Instant;

fn config() -> SignalConfig {
    SignalConfig::new(SignalParams {
        detector: DetectorParams::Phi(PhiParams::new()),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(10),
        recovery_arrivals: 1,
    })
    .unwrap()
}

fn target(id: &str) -> Target {
    Target {
        id: TargetId::new(id).unwrap(),
        labels: Labels::new(),
        signals: vec![Signal {
            name: SignalName::new("heartbeat").unwrap(),
            config: config(),
        }],
    }
}

fn beat(monitor: &mut Monitor, id: &str, millis: u64) {
    let at = Instant::from_millis(millis);
    let arrival = Arrival {
        source: Source::Name {
            target: id,
            signal: None,
        },
        received_at: at,
        sequence: None,
        interval_hint: None,
    };
    monitor.handle(at, Input::Arrivals(&[arrival]));
}

/// Calls whenever the machine asks for it.
fn run(monitor: &mut Monitor, until_millis: u64) {
    let until = Instant::from_millis(until_millis);
    while let Some((at, _)) = monitor.poll_timeout()
        && at <= until
    {
        monitor.handle(at, Input::Tick);
    }
    monitor.handle(until, Input::Tick);
    monitor.check_invariants();
}

fn transitions(monitor: &mut Monitor) -> Vec<(u64, Status, Status)> {
    let mut found = Vec::new();
    while let Some(output) = monitor.poll_output() {
        if let Output::Event(event) = output
            && let EventKind::Transition { from, to, .. } = event.kind
        {
            found.push((event.at.as_nanos() / 1_000_000, from, to));
        }
    }
    found
}

/// After 200 intervals of 1 s the exact phi is 8 after 3806 ms of silence (5.612 standard deviations of
/// 500 ms after the mean) and 16 after 5111 ms (8.222).
#[test]
fn a_silent_target_is_late_and_down_at_the_moments_that_are_due_and_up_at_an_arrival() {
    let mut monitor = Monitor::new(MonitorConfig::server(), 1, Instant::ORIGIN);
    let put = monitor.apply(Instant::ORIGIN, Change::Put(target("web")));
    assert_eq!(put, Ok(Applied::Added));
    assert_eq!(
        monitor.poll_timeout(),
        Some((Instant::from_secs(10), Wake::Grace))
    );
    for second in 1..=302 {
        run(&mut monitor, second * 1_000);
        beat(&mut monitor, "web", second * 1_000);
    }
    run(&mut monitor, 320_000);
    beat(&mut monitor, "web", 320_000);
    assert_eq!(
        transitions(&mut monitor),
        [
            (1_000, Status::Unknown, Status::Up),
            (305_806, Status::Up, Status::Late),
            (307_111, Status::Late, Status::Down),
            (320_000, Status::Down, Status::Up),
        ]
    );
}

#[test]
fn a_target_that_never_answers_is_down_when_its_grace_ends() {
    let mut monitor = Monitor::new(MonitorConfig::server(), 1, Instant::ORIGIN);
    assert!(
        monitor
            .apply(Instant::ORIGIN, Change::Put(target("web")))
            .is_ok()
    );
    run(&mut monitor, 9_999);
    assert_eq!(monitor.target("web").unwrap().status(), Status::Unknown);
    run(&mut monitor, 10_000);
    assert_eq!(
        transitions(&mut monitor),
        [(10_000, Status::Unknown, Status::Down)]
    );
    assert_eq!(monitor.poll_timeout(), None);
}
