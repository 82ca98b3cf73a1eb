//! The machine against a dumb twin: a list of deadlines that is searched from end to end, no wheel,
//! no index, no lazy anything. Same changes of status, at the same moments, in the same order.

use std::time::Duration;

use auscult_core::detector::{
    BertierParams, ChenParams, DeadlineParams, DetectorParams, DetectorState, Distribution, Heard,
    History, Learn, Mark, PhiParams,
};
use auscult_core::monitor::{Cause, Change, EventKind, Input, SignalConfig, SignalParams, Status};
use auscult_core::time::Instant;

use crate::drive::{Random, Shell, arrival, at, cause_of, params, signal, target_of, unguarded};

#[derive(Debug, PartialEq)]
struct Told {
    at: Instant,
    id: String,
    from: Status,
    to: Status,
    cause: Cause,
}

struct TwinSignal {
    config: SignalConfig,
    state: DetectorState,
    status: Status,
    due: Instant,
    arrivals_in_a_row: u32,
    outages: u32,
    since: Instant,
}

#[derive(Default)]
struct Twin {
    signals: Vec<TwinSignal>,
    told: Vec<Told>,
}

impl Twin {
    fn turn(&mut self, n: usize, to: Status, at: Instant, cause: Cause) {
        let signal = &mut self.signals[n];
        let from = std::mem::replace(&mut signal.status, to);
        signal.since = at;
        signal.due = match to {
            Status::Up => signal.deadline(signal.config.late()),
            Status::Late => signal.deadline(signal.config.down()),
            Status::Down | Status::Unknown | Status::Paused => Instant::FAR_FUTURE,
        };
        let id = format!("t{n}");
        self.told.push(Told {
            at,
            id,
            from,
            to,
            cause,
        });
    }

    /// Steps from deadline to deadline.
    fn run(&mut self, until: Instant) {
        loop {
            let due = self.signals.iter().map(|signal| signal.due);
            let Some((due, n)) = due.zip(0..).min().filter(|(due, _)| *due <= until) else {
                break;
            };
            let signal = &mut self.signals[n];
            let silent = signal.deadline(signal.config.down());
            match signal.status {
                Status::Up => self.turn(n, Status::Late, due, Cause::Silence),
                Status::Late => self.turn(n, Status::Down, due, Cause::Silence),
                Status::Unknown if signal.state.last_arrival().is_none() => {
                    self.turn(n, Status::Down, due, Cause::NeverHeard);
                }
                Status::Unknown if silent > due => signal.due = silent,
                Status::Unknown => self.turn(n, Status::Down, due, Cause::Silence),
                Status::Down => {
                    signal.arrivals_in_a_row = 0;
                    signal.due = Instant::FAR_FUTURE;
                }
                Status::Paused => unreachable!("a paused signal is never due"),
            }
        }
    }

    fn beat(&mut self, n: usize, now: Instant, sequence: Option<u64>) {
        self.run(now);
        let signal = &mut self.signals[n];
        let outage = match signal.status {
            Status::Up | Status::Late => false,
            Status::Down => signal.arrivals_in_a_row == 0,
            Status::Unknown | Status::Paused => {
                signal.state.last_arrival().is_some()
                    && signal.deadline(signal.config.down()) <= now
            }
        };
        let last = signal.state.last_arrival();
        let outage = outage && last.is_some();
        let learn = if outage { Learn::Skip } else { Learn::Interval };
        let config = signal.config.clone();
        let heard = signal
            .state
            .heartbeat(config.detector(), now, sequence, learn);
        if heard != Heard::Taken {
            return;
        }
        signal.outages = if outage { signal.outages + 1 } else { 0 };
        if signal.outages == 3 {
            signal.outages = 0;
            let interval = now.since(last.unwrap());
            signal.state.restart(config.detector(), interval);
        }
        match signal.status {
            Status::Up => signal.due = signal.deadline(config.late()),
            Status::Late | Status::Unknown => self.turn(n, Status::Up, now, Cause::Arrival),
            Status::Down => {
                signal.arrivals_in_a_row += 1;
                if signal.arrivals_in_a_row >= config.recovery_arrivals() {
                    signal.arrivals_in_a_row = 0;
                    self.turn(n, Status::Up, now, Cause::Arrival);
                } else {
                    signal.due = signal.deadline(config.down());
                }
            }
            Status::Paused => {}
        }
    }
}

impl TwinSignal {
    fn new(config: SignalConfig, now: Instant) -> Self {
        Self {
            state: DetectorState::new(config.detector()),
            status: Status::Unknown,
            due: now.after(config.grace()),
            arrivals_in_a_row: 0,
            outages: 0,
            since: now,
            config,
        }
    }

    fn deadline(&self, threshold: auscult_core::detector::Level) -> Instant {
        let detector = self.config.detector();
        let mark = Mark::new(detector, threshold);
        let due = self.state.deadline(detector, &mark);
        due.unwrap_or(Instant::FAR_FUTURE)
    }
}

fn some_params(random: &mut Random) -> SignalParams {
    let interval = Duration::from_millis(1 + random.below(4_000));
    let history = match random.below(3) {
        0 => History::Window { samples: 5 },
        1 => History::Window { samples: 200 },
        _ => History::Decayed { samples: 20 },
    };
    let distribution = [
        Distribution::Normal,
        Distribution::Exponential,
        Distribution::LogNormal,
        Distribution::Logistic,
    ][random.below(4) as usize];
    let detector = match random.below(8) {
        0 => DetectorParams::Deadline(DeadlineParams { timeout: interval }),
        1 => DetectorParams::Chen(ChenParams {
            interval,
            margin: interval / 2,
            window: 10,
        }),
        2 => DetectorParams::Bertier(BertierParams {
            interval,
            window: 10,
            beta: 1.0,
            phi: 4.0,
            gamma: 0.1,
            min_margin: interval / 4,
        }),
        _ => DetectorParams::Phi(PhiParams {
            distribution,
            history,
            min_std_deviation: Duration::from_millis(1 + random.below(1_000)),
            acceptable_pause: Duration::from_millis(random.below(2_000)),
            first_heartbeat_estimate: interval,
        }),
    };
    SignalParams {
        detector,
        late: 0.5 + random.below(80) as f64 / 10.0,
        down: 9.0 + random.below(80) as f64 / 10.0,
        grace: Duration::from_millis(1 + random.below(20_000)),
        recovery_arrivals: 1 + random.below(3) as u32,
    }
}

/// The step to the next thing: mostly short, sometimes to a round moment, sometimes a year.
fn some_step(random: &mut Random) -> u64 {
    match random.below(300) {
        0 => random.below(365 * 86_400) * 1_000_000_000,
        1..5 => random.below(3_600) * 1_000_000_000,
        5..60 => random.below(20_000) * 1_000_000,
        60..90 => 0,
        _ => random.below(400_000_000),
    }
}

fn check(seed: u64, steps: usize) {
    let mut random = Random(seed);
    let mut shell = Shell::new(unguarded());
    let mut twin = Twin::default();
    let mut now = at(random.below(100_000));
    for n in 0..12 {
        let signal = signal("heartbeat", some_params(&mut random));
        twin.signals
            .push(TwinSignal::new(signal.config.clone(), now));
        shell.put(now, target_of(&format!("t{n}"), vec![signal]));
    }
    for _ in 0..steps {
        now = Instant::from_nanos(now.as_nanos().saturating_add(some_step(&mut random)));
        let n = random.below(12) as usize;
        let name = format!("t{n}");
        match random.below(40) {
            0 => turn(&mut shell, &mut twin, n, now),
            1..8 => {
                shell.run(now);
                twin.run(now);
            }
            _ => {
                let sequence = (random.below(3) == 0).then(|| now.as_nanos() / 500_000_000);
                // The machine is not called before: it must do what is due by itself.
                let beat = auscult_core::monitor::Arrival {
                    sequence,
                    ..arrival(&name, now)
                };
                shell.call(now, Input::Arrivals(&[beat]));
                twin.beat(n, now, sequence);
            }
        }
        twin.run(now);
    }
    let told: Vec<Told> = shell
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Transition { from, to, .. } => Some(Told {
                at: event.at,
                id: event.target.as_ref()?.to_string(),
                from: *from,
                to: *to,
                cause: cause_of(&event.kind)?,
            }),
            _ => None,
        })
        .collect();
    for (n, (one, two)) in told.iter().zip(&twin.told).enumerate() {
        assert_eq!(one, two, "seed {seed}, change {n}");
    }
    assert_eq!(told.len(), twin.told.len(), "seed {seed}");
    assert!(told.len() > 100, "seed {seed}: only {}", told.len());
    for (n, signal) in twin.signals.iter().enumerate() {
        let view = shell.monitor.target(&format!("t{n}")).unwrap();
        assert_eq!(view.status(), signal.status);
        if view.transitions() > 0 {
            assert_eq!(view.since(), signal.since);
        }
    }
}

/// Pauses a target, or resumes one that is paused.
fn turn(shell: &mut Shell, twin: &mut Twin, n: usize, now: Instant) {
    shell.run(now);
    twin.run(now);
    let id = auscult_core::id::TargetId::new(&format!("t{n}")).unwrap();
    let pauses = twin.signals[n].status != Status::Paused;
    let (change, to) = if pauses {
        (Change::Pause(id), Status::Paused)
    } else {
        (Change::Resume(id), Status::Unknown)
    };
    shell.monitor.apply(now, change).unwrap();
    shell.collect(now);
    twin.turn(n, to, now, Cause::Operator);
    let signal = &mut twin.signals[n];
    signal.arrivals_in_a_row = 0;
    if !pauses {
        signal.due = now.after(signal.config.grace());
    }
}

#[test]
fn says_what_a_sorted_list_of_deadlines_says() {
    for seed in 0..60 {
        check(seed, 1_500);
    }
}

#[test]
fn the_deadline_it_names_is_exact_and_never_too_late() {
    let mut random = Random(99);
    let mut shell = Shell::new(unguarded());
    for n in 0..20 {
        let signal = signal("heartbeat", params());
        shell.put(Instant::ORIGIN, target_of(&format!("t{n}"), vec![signal]));
    }
    let mut now = Instant::ORIGIN;
    let (mut exact, mut early) = (0, 0);
    for _ in 0..20_000 {
        let earliest = shell
            .monitor
            .targets()
            .flat_map(|target| target.signals())
            .filter_map(|signal| signal.deadline())
            .min();
        let wake = shell.monitor.poll_timeout().map(|(at, _)| at);
        match (wake, earliest) {
            (Some(wake), Some(due)) => {
                assert!(wake <= due && wake > now);
                exact += usize::from(wake == due);
                early += usize::from(wake < due);
            }
            (wake, due) => assert!(due.is_none(), "{wake:?} {due:?}"),
        }
        let step = Duration::from_millis(random.below(100));
        now = wake.map_or(now.after(step), |wake| wake.min(now.after(step)));
        shell.arrive(&format!("t{}", random.below(20)), now);
    }
    // A heartbeat leaves the wake-up alone, so some are early; after each of those it is exact.
    assert!(exact > 0 && early > 0, "{exact} {early}");
    shell.run(now.after(Duration::from_secs(60)));
    assert_eq!(shell.monitor.poll_timeout(), None);
}

/// Far more signals than the machine looks through for the next deadline, all due within a
/// millisecond: every call gets on, and none is wasted.
#[test]
fn many_signals_due_in_one_millisecond_are_judged_one_by_one_at_their_moments() {
    let mut shell = Shell::new(unguarded());
    let names: Vec<String> = (0..1_000).map(|n| format!("t{n}")).collect();
    for name in &names {
        shell.put(
            Instant::ORIGIN,
            target_of(name, vec![signal("heartbeat", params())]),
        );
    }
    for (n, name) in names.iter().enumerate() {
        let now = Instant::from_nanos(1_000_000_000 + n as u64 * 500);
        shell.arrive(name, now);
    }
    let mut calls = 0;
    while let Some((at, _)) = shell.monitor.poll_timeout() {
        shell.call(at, Input::Tick);
        calls += 1;
        assert!(calls <= 2 * 1_000 + 50, "{calls} calls for 2000 verdicts");
    }
    let downs: Vec<_> = shell
        .events
        .iter()
        .filter(|event| crate::drive::is_transition_to(&event.kind, Status::Down))
        .map(|event| event.at)
        .collect();
    assert_eq!(downs.len(), 1_000);
    assert!(
        downs
            .windows(2)
            .all(|pair| pair[1].since(pair[0]) == Duration::from_nanos(500))
    );
}
