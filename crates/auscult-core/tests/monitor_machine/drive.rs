//! A shell around the machine: calls it when it asks to be called, and keeps what it says.

use std::time::Duration;

use auscult_core::detector::{DetectorParams, PhiParams};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{
    Arrival, Cause, Change, Event, EventKind, Input, Labels, Monitor, MonitorConfig, Output,
    Rejection, Signal, SignalConfig, SignalParams, Source, Status, Target,
};
use auscult_core::time::Instant;

pub(crate) struct Shell {
    pub(crate) monitor: Monitor,
    pub(crate) events: Vec<Event>,
    pub(crate) rejections: Vec<Rejection>,
    /// What the machine is fed when it asks for what is queued: target and time of arrival.
    pub(crate) queued: Vec<(String, Instant)>,
    calls: u64,
}

/// A change of a target's status: when in milliseconds, whose, and what to.
pub(crate) type Change3 = (u64, String, Status);

impl Shell {
    pub(crate) fn new(config: MonitorConfig) -> Self {
        Self {
            monitor: Monitor::new(config, 1, Instant::ORIGIN),
            events: Vec::new(),
            rejections: Vec::new(),
            queued: Vec::new(),
            calls: 0,
        }
    }

    pub(crate) fn put(&mut self, at: Instant, target: Target) {
        self.monitor.apply(at, Change::Put(target)).unwrap();
        self.collect(at);
    }

    /// Calls whenever the machine asks for it.
    pub(crate) fn run(&mut self, until: Instant) {
        while let Some((at, _)) = self.monitor.poll_timeout()
            && at <= until
        {
            self.call(at, Input::Tick);
        }
        self.call(until, Input::Tick);
    }

    pub(crate) fn beat(&mut self, id: &str, at: Instant) {
        self.run(at);
        self.arrive(id, at);
    }

    /// An arrival without the calls that were due before.
    pub(crate) fn arrive(&mut self, id: &str, at: Instant) {
        self.call(at, Input::Arrivals(&[arrival(id, at)]));
    }

    pub(crate) fn call(&mut self, now: Instant, input: Input<'_>) {
        self.monitor.handle(now, input);
        self.collect(now);
    }

    /// Takes what the machine says, and feeds it what is queued if it asks.
    pub(crate) fn collect(&mut self, now: Instant) {
        while let Some(output) = self.monitor.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Rejected(reason) => self.rejections.push(reason),
                Output::Drain => {
                    let queued = std::mem::take(&mut self.queued);
                    for (id, at) in &queued {
                        self.monitor
                            .handle(now, Input::Arrivals(&[arrival(id, *at)]));
                    }
                    self.monitor.handle(now, Input::Drained);
                }
            }
        }
        self.calls += 1;
        // It looks at everything, so not after every call.
        if self.calls.is_multiple_of(61) || self.calls < 200 {
            self.monitor.check_invariants();
        }
    }

    /// The status of a target.
    pub(crate) fn status(&self, id: &str) -> Status {
        self.monitor.target(id).unwrap().status()
    }

    /// The changes of targets' status so far, and forgets them.
    pub(crate) fn transitions(&mut self) -> Vec<Change3> {
        let events = std::mem::take(&mut self.events);
        let changes = events.into_iter().filter_map(|event| match event.kind {
            EventKind::Transition { to, .. } => {
                Some((millis(event.at), event.target?.to_string(), to))
            }
            _ => None,
        });
        changes.collect()
    }

    pub(crate) fn count(&self, is: impl Fn(&EventKind) -> bool) -> usize {
        self.events.iter().filter(|event| is(&event.kind)).count()
    }
}

pub(crate) fn is_transition_to(kind: &EventKind, status: Status) -> bool {
    matches!(kind, EventKind::Transition { to, .. } if *to == status)
}

pub(crate) fn cause_of(kind: &EventKind) -> Option<Cause> {
    match kind {
        EventKind::Transition { evidence, .. } | EventKind::SignalTransition { evidence, .. } => {
            Some(evidence.cause)
        }
        _ => None,
    }
}

pub(crate) fn arrival(id: &str, at: Instant) -> Arrival<'_> {
    Arrival {
        source: Source::Name {
            target: id,
            signal: None,
        },
        received_at: at,
        sequence: None,
        interval_hint: None,
    }
}

/// A server's settings with both guards off.
pub(crate) const fn unguarded() -> MonitorConfig {
    MonitorConfig {
        mass_fraction: 2.0,
        stall_tolerance: Duration::MAX,
        ..MonitorConfig::server()
    }
}

pub(crate) const fn params() -> SignalParams {
    SignalParams {
        detector: DetectorParams::Phi(PhiParams::new()),
        late: 8.0,
        down: 16.0,
        grace: Duration::from_secs(10),
        recovery_arrivals: 1,
    }
}

pub(crate) fn signal(name: &str, params: SignalParams) -> Signal {
    Signal {
        name: SignalName::new(name).unwrap(),
        config: SignalConfig::new(params).unwrap(),
    }
}

pub(crate) fn target(id: &str) -> Target {
    target_of(id, vec![signal("heartbeat", params())])
}

pub(crate) fn target_of(id: &str, signals: Vec<Signal>) -> Target {
    Target {
        id: TargetId::new(id).unwrap(),
        labels: Labels::new(),
        signals,
    }
}

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub(crate) const fn millis(at: Instant) -> u64 {
    at.as_nanos() / 1_000_000
}

/// A small generator of test cases: the seed is the case.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
