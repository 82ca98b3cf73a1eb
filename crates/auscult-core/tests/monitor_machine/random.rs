//! Everything at once, at random: the machine's parts must agree after every call, and the same
//! inputs must give the same outputs.

use std::fmt::Write as _;
use std::time::Duration;

use auscult_core::detector::{DetectorParams, History, PhiParams};
use auscult_core::id::TargetId;
use auscult_core::monitor::{
    Arrival, Change, Failure, Input, Monitor, MonitorConfig, Output, SignalKey, SignalParams,
    Source, Told,
};
use auscult_core::time::Instant;

use crate::drive::{Random, params, signal, target_of};

const NAMES: u64 = 25;

/// Drives a machine and writes down what it says.
struct Run {
    random: Random,
    monitor: Monitor,
    now: Instant,
    keys: Vec<SignalKey>,
    text: String,
}

impl Run {
    fn new(seed: u64) -> Self {
        let config = MonitorConfig {
            targets_max: 20,
            mass_targets_min: 4,
            mass_hold: Duration::from_secs(60),
            ..MonitorConfig::server()
        };
        Self {
            random: Random(seed),
            monitor: Monitor::new(config, seed, Instant::ORIGIN),
            now: Instant::ORIGIN,
            keys: Vec::new(),
            text: String::new(),
        }
    }

    fn step(&mut self) {
        match self.random.below(30) {
            0 => self.put(),
            1 => self.change(Change::Remove),
            2 => self.change(Change::Pause),
            3 | 4 => self.change(Change::Resume),
            5..8 => self.fail(),
            8..12 => self.tick(),
            12 => self.monitor.handle(self.now, Input::Drained),
            13 => self.jump(),
            14 => self.tell(),
            _ => self.arrive(),
        }
        while let Some(output) = self.monitor.poll_output() {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "{output:?}");
            if output == Output::Drain && self.random.below(4) > 0 {
                self.arrive();
                self.monitor.handle(self.now, Input::Drained);
            }
        }
        let _ = writeln!(self.text, "{:?}", self.monitor.poll_timeout());
        self.monitor.check_invariants();
    }

    fn name(&mut self) -> String {
        format!("t{}", self.random.below(NAMES))
    }

    fn put(&mut self) {
        let name = self.name();
        let mut signals = Vec::new();
        for n in 0..1 + self.random.below(3) {
            let samples = 2 + self.random.below(20) as usize;
            let history = if self.random.below(2) == 0 {
                History::Window { samples }
            } else {
                History::Decayed { samples }
            };
            let params = SignalParams {
                detector: DetectorParams::Phi(PhiParams {
                    history,
                    ..PhiParams::new()
                }),
                late: 1.0 + self.random.below(2) as f64,
                down: 4.0,
                recovery_arrivals: 1 + self.random.below(2) as u32,
                ..params()
            };
            signals.push(signal(&format!("s{n}"), params));
        }
        let target = target_of(&name, signals);
        let applied = self.monitor.apply(self.now, Change::Put(target));
        let _ = writeln!(self.text, "{applied:?}");
        self.keys.extend(self.monitor.signal(&name, "s0"));
    }

    fn change(&mut self, change: fn(TargetId) -> Change) {
        let name = self.name();
        let change = change(TargetId::new(&name).unwrap());
        let applied = self.monitor.apply(self.now, change);
        let _ = writeln!(self.text, "{applied:?}");
    }

    fn fail(&mut self) {
        if let Some(signal) = self.some_key() {
            let failure = if self.random.below(2) == 0 {
                Failure::Timeout
            } else {
                Failure::Local
            };
            let at = self.now;
            let failed = Input::Failed {
                signal,
                at,
                failure,
            };
            self.monitor.handle(self.now, failed);
        }
    }

    fn tell(&mut self) {
        let verdicts = [Told::Up, Told::Late, Told::Down];
        if let Some(signal) = self.some_key() {
            let told = Input::Told {
                signal,
                at: self.now,
                verdict: verdicts[self.random.below(3) as usize],
                why: "somebody says so",
            };
            self.monitor.handle(self.now, told);
        }
    }

    fn some_key(&mut self) -> Option<SignalKey> {
        let n = self.random.next() as usize % self.keys.len().max(1);
        self.keys.get(n).copied()
    }

    fn tick(&mut self) {
        if let Some((at, _)) = self.monitor.poll_timeout()
            && self.random.below(8) > 0
        {
            self.now = at.max(self.now);
        }
        self.monitor.handle(self.now, Input::Tick);
    }

    /// Time jumps: a stall, a long night, years, or backwards.
    fn jump(&mut self) {
        let seconds = match self.random.below(20) {
            0 => self.random.below(3 * 365 * 86_400),
            1..4 => self.random.below(86_400),
            _ => self.random.below(40),
        };
        self.now = self.now.after(Duration::from_secs(seconds));
        let back = Duration::from_secs(self.random.below(3) / 2);
        self.monitor.handle(self.now.before(back), Input::Tick);
        self.monitor.handle(self.now, Input::Tick);
    }

    fn arrive(&mut self) {
        let names: Vec<String> = (0..100).map(|_| self.name()).collect();
        let mut batch = Vec::new();
        for name in names.iter().take(1 + self.random.below(100) as usize) {
            self.now = self.now.after(Duration::from_millis(self.random.below(30)));
            let source = match self.some_key() {
                Some(key) if self.random.below(2) == 0 => Source::Key(key),
                Some(_) | None => Source::Name {
                    target: name,
                    signal: [None, Some("s0"), Some("s1")][self.random.below(3) as usize],
                },
            };
            let old = Duration::from_millis(self.random.below(5) / 4 * self.random.below(60_000));
            let sequence = self.now.as_nanos() / 50_000_000;
            batch.push(Arrival {
                source,
                received_at: self.now.before(old),
                sequence: (self.random.below(3) == 0).then_some(sequence),
                interval_hint: Some(Duration::from_secs(self.random.below(3))),
            });
        }
        self.monitor.handle(self.now, Input::Arrivals(&batch));
    }
}

fn run(seed: u64, steps: usize) -> Run {
    let mut run = Run::new(seed);
    for _ in 0..8 {
        run.put();
    }
    for _ in 0..steps {
        run.step();
    }
    run
}

#[test]
fn the_parts_agree_after_whatever_happens() {
    let mut seen = [0; 4];
    for seed in 0..150 {
        let run = run(seed, 400);
        let counters = run.monitor.counters();
        seen[0] += counters.stalls;
        seen[1] += counters.mass_guards;
        seen[2] += counters.relearnt;
        seen[3] += counters.clock_regressions;
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
}

#[test]
fn the_same_inputs_and_seed_give_the_same_outputs() {
    for seed in 1_000..1_010 {
        let (one, two) = (run(seed, 300).text, run(seed, 300).text);
        assert!(one == two, "seed {seed}");
        assert!(one.len() > 10_000);
    }
}
