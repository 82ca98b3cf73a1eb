//! `auscult replay`: judges recorded arrivals again, by the same machine and as fast as it can.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};

use auscult_core::monitor::{
    Arrival, Change, EventKind, Failure, Input, Monitor, MonitorConfig, Output as Said,
    SignalConfig, SignalMemory, SignalParams, Source, Status, Target, Waits,
};
use auscult_core::time::Instant;
use auscult_monitor::settings::Defaults;
use auscult_monitor::settings::documents::Inheritance;
use serde_json::{Value, json};

use super::record::FORMAT;
use crate::args::{Output, ReplayArgs};
use crate::exit::{Exit, Stop, in_words};
use crate::render::table::{self, Cell, Column};
use crate::render::{Ink, Screen};

pub(crate) fn run(args: &ReplayArgs) -> Result<(), Stop> {
    let mut trace = Trace::read(args)?;
    trace.heard.sort_by_key(|heard| heard.at);
    trace.targets.sort_by_key(|recorded| recorded.at);
    let mut replay = Replay::begin(&trace)?;
    for heard in &trace.heard {
        replay.take(heard);
    }
    replay.end(trace.end);
    replay.tell(args.output)
}

/// What a file says.
struct Trace {
    begin: Instant,
    end: Instant,
    targets: Vec<Recorded>,
    heard: Vec<Heard>,
    missed: u64,
}

/// A target, and what its signals remembered when the recording began.
struct Recorded {
    target: Target,
    at: Instant,
    memories: Vec<Remembered>,
}

struct Remembered {
    signal: String,
    last_arrival: Option<Instant>,
    memory: SignalMemory,
}

struct Heard {
    at: Instant,
    target: String,
    signal: String,
    sequence: Option<u64>,
    failure: Option<Failure>,
}

impl Trace {
    fn read(args: &ReplayArgs) -> Result<Self, Stop> {
        let path = args.file.display();
        let wrong = |line: usize, what: &str| Stop::new(Exit::No, format!("{path}:{line}: {what}"));
        let file = File::open(&args.file).map_err(|error| {
            Stop::new(
                Exit::No,
                format!("{path} cannot be read: {}", in_words(&error)),
            )
        })?;
        let mut trace = Self {
            begin: Instant::ORIGIN,
            end: Instant::ORIGIN,
            targets: Vec::new(),
            heard: Vec::new(),
            missed: 0,
        };
        for (n, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| wrong(n + 1, &in_words(&error)))?;
            let value: Value = serde_json::from_str(&line)
                .map_err(|error| wrong(n + 1, &format!("it is no JSON: {error}")))?;
            if n == 0 {
                if value["auscult_trace"].as_u64() != Some(FORMAT) {
                    let what = "it is no recording that this version reads";
                    return Err(wrong(1, what));
                }
                trace.begin = Instant::from_nanos(value["begin_ns"].as_u64().unwrap_or(0));
                for recorded in value["targets"].as_array().into_iter().flatten() {
                    let target = judged(&recorded["spec"], args).map_err(|what| wrong(1, &what))?;
                    let at = recorded["now_ns"].as_u64().map(Instant::from_nanos);
                    let remembered = recorded["remembered"].as_array();
                    let memories = remembered.into_iter().flatten().filter_map(memory);
                    trace.targets.push(Recorded {
                        target,
                        at: at.unwrap_or(trace.begin).max(trace.begin),
                        memories: memories.collect(),
                    });
                }
            } else {
                trace
                    .take(&value)
                    .ok_or_else(|| wrong(n + 1, "it is not a line of a recording"))?;
            }
        }
        trace.end = trace.heard.iter().fold(trace.end, |end, it| end.max(it.at));
        Ok(trace)
    }

    fn take(&mut self, line: &Value) -> Option<()> {
        if let Some(end) = line["end_ns"].as_u64() {
            self.end = Instant::from_nanos(end);
        } else if let Some(missed) = line["missed"].as_u64() {
            self.missed += missed;
        } else {
            self.heard.push(Heard {
                at: Instant::from_nanos(line["at_ns"].as_u64()?),
                target: line["target"].as_str()?.to_owned(),
                signal: line["signal"].as_str()?.to_owned(),
                sequence: line["sequence"].as_u64(),
                failure: match line["failure"].as_str() {
                    Some(text) => Some(failure(text)?),
                    None => None,
                },
            });
        }
        Some(())
    }
}

/// What a signal remembered; none where a recording of an earlier version does not say it.
fn memory(said: &Value) -> Option<Remembered> {
    let small = |name: &str| u8::try_from(said[name].as_u64()?).ok();
    let moment = |name: &str| said[name].as_u64().map(Instant::from_nanos);
    let waits = said["waits"].as_str()?;
    let learnt = said["learnt"].as_array()?.iter().map(Value::as_u64);
    Some(Remembered {
        signal: said["signal"].as_str()?.to_owned(),
        last_arrival: moment("last_arrival_ns"),
        memory: SignalMemory {
            waits: Waits::ALL.into_iter().find(|it| it.as_str() == waits)?,
            due: moment("due_ns"),
            streak: small("streak")?,
            outages: small("outages")?,
            learnt: learnt.collect::<Option<Vec<u64>>>()?,
        },
    })
}

/// A target as it is to be judged.
fn judged(spec: &Value, args: &ReplayArgs) -> Result<Target, String> {
    let inherited = Inheritance::new(&Defaults::builtin());
    let spec = inherited.target(&spec.to_string());
    let mut target = spec.map_err(|problems| problems.to_string())?.to_target();
    for signal in &mut target.signals {
        let config = &signal.config;
        let params = SignalParams {
            detector: config.detector().params().clone(),
            late: args.late.unwrap_or_else(|| config.late().get()),
            down: args.down.unwrap_or_else(|| config.down().get()),
            grace: config.grace(),
            recovery_arrivals: config.recovery_arrivals(),
        };
        signal.config = SignalConfig::new(params).map_err(|violations| {
            let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
            all.join("; ")
        })?;
    }
    Ok(target)
}

fn failure(text: &str) -> Option<Failure> {
    if let Some(code) = text.strip_prefix("status ") {
        return Some(Failure::Status(code.parse().ok()?));
    }
    [
        Failure::Refused,
        Failure::Timeout,
        Failure::Unreachable,
        Failure::Dns,
        Failure::Tls,
        Failure::Body,
        Failure::Protocol,
        Failure::Local,
    ]
    .into_iter()
    .find(|failure| failure.as_str() == text)
}

/// The machine, and what it said.
struct Replay {
    monitor: Monitor,
    begin: Instant,
    /// The newest arrival of each signal that is in what it remembers.
    known: BTreeMap<(String, String), Instant>,
    /// Signals that began as they were, and all.
    recalled: (u64, u64),
    arrivals: u64,
    said: Vec<Value>,
    downs: BTreeMap<String, u64>,
    missed: u64,
}

impl Replay {
    fn begin(trace: &Trace) -> Result<Self, Stop> {
        // One who suspects itself would be the recorder of that time.
        let config = MonitorConfig {
            mass_fraction: 2.0,
            ..MonitorConfig::server()
        };
        let mut replay = Self {
            monitor: Monitor::new(config, 0, trace.begin),
            begin: trace.begin,
            known: BTreeMap::new(),
            recalled: (0, 0),
            arrivals: 0,
            said: Vec::new(),
            downs: BTreeMap::new(),
            missed: trace.missed,
        };
        for recorded in &trace.targets {
            replay.watch(recorded)?;
        }
        replay.listen();
        Ok(replay)
    }

    /// Has a target go on where it was when its recording began.
    fn watch(&mut self, recorded: &Recorded) -> Result<(), Stop> {
        let Recorded {
            target,
            at,
            memories,
        } = recorded;
        let id = target.id.to_string();
        let applied = self.monitor.apply(*at, Change::Put(target.clone()));
        applied.map_err(|refusal| Stop::new(Exit::No, refusal.to_string()))?;
        self.downs.insert(id.clone(), 0);
        self.recalled.1 += target.signals.len() as u64;
        for Remembered {
            signal,
            last_arrival,
            memory,
        } in memories
        {
            if self.monitor.recall(&id, signal, memory) {
                self.recalled.0 += 1;
                if let Some(last) = last_arrival {
                    self.known.insert((id.clone(), signal.clone()), *last);
                }
            }
        }
        Ok(())
    }

    /// Lets every verdict fall that is due before, then takes what was heard.
    fn take(&mut self, heard: &Heard) {
        let of = (heard.target.clone(), heard.signal.clone());
        if self.known.get(&of).is_some_and(|&last| heard.at <= last) {
            return;
        }
        self.pass(heard.at);
        let input = match heard.failure {
            None => {
                self.arrivals += 1;
                let arrival = [Arrival {
                    source: Source::Name {
                        target: &heard.target,
                        signal: Some(&heard.signal),
                    },
                    received_at: heard.at,
                    sequence: heard.sequence,
                    interval_hint: None,
                }];
                self.monitor.handle(heard.at, Input::Arrivals(&arrival));
                return self.listen();
            }
            Some(failure) => {
                let Some(signal) = self.monitor.signal(&heard.target, &heard.signal) else {
                    return;
                };
                Input::Failed {
                    signal,
                    at: heard.at,
                    failure,
                }
            }
        };
        self.monitor.handle(heard.at, input);
        self.listen();
    }

    fn pass(&mut self, until: Instant) {
        while let Some((at, _)) = self.monitor.poll_timeout() {
            if at > until {
                break;
            }
            self.monitor.handle(at, Input::Tick);
            self.listen();
        }
    }

    fn end(&mut self, at: Instant) {
        self.pass(at);
        self.monitor.handle(at, Input::Tick);
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(output) = self.monitor.poll_output() {
            let Said::Event(event) = output else {
                continue;
            };
            let EventKind::Transition { from, to, evidence } = &event.kind else {
                continue;
            };
            let target = event.target.map(|id| id.to_string()).unwrap_or_default();
            if *to == Status::Down {
                *self.downs.entry(target.clone()).or_default() += 1;
            }
            self.said.push(json!({
                "after_seconds": event.at.since(self.begin).as_secs_f64(),
                "target": target,
                "signal": evidence.signal.as_str(),
                "from": from.as_str(),
                "to": to.as_str(),
                "cause": evidence.cause.as_str(),
                "level": evidence.level.get(),
                "silence_seconds": evidence.last_arrival.map(|at| {
                    event.at.since(at).as_secs_f64()
                }),
            }));
        }
    }

    fn tell(&self, output: Output) -> Result<(), Stop> {
        let mut out = io::stdout().lock();
        if output == Output::Json {
            let all = json!({
                "arrivals": self.arrivals, "missed": self.missed, "downs": self.downs,
                "recalled": self.recalled.0, "signals": self.recalled.1,
                "transitions": self.said,
            });
            return Ok(writeln!(out, "{all}")?);
        }
        let rows: Vec<Vec<Cell>> = self
            .said
            .iter()
            .map(|said| {
                let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
                let number = |name: &str| {
                    let number = said[name].as_f64();
                    number
                        .map(|number| format!("{number:.3}"))
                        .unwrap_or_default()
                };
                let ink = match said["to"].as_str() {
                    Some("up") => Ink::Good,
                    Some("late") => Ink::Warning,
                    Some("down") => Ink::Bad,
                    Some(_) | None => Ink::Quiet,
                };
                vec![
                    Cell::new(number("after_seconds")),
                    Cell::new(text("target")),
                    Cell::new(text("signal")),
                    Cell::inked(ink, text("to")),
                    Cell::new(text("cause")),
                    Cell::new(number("level")),
                    Cell::new(number("silence_seconds")),
                ]
            })
            .collect();
        let titles = [
            "AFTER", "TARGET", "SIGNAL", "TO", "CAUSE", "LEVEL", "SILENT",
        ];
        let columns = titles.map(Column::left);
        table::print(&mut out, Screen::stdout(), &columns, &rows)?;
        let downs: u64 = self.downs.values().sum();
        let lost = match self.missed {
            0 => String::new(),
            missed => format!("; {missed} arrivals are missing in the recording"),
        };
        let arrivals = self.arrivals;
        writeln!(out, "{arrivals} arrivals, {downs} times down{lost}")?;
        let (recalled, signals) = self.recalled;
        if recalled < signals {
            let anew = signals - recalled;
            writeln!(
                out,
                "{anew} of {signals} detectors began empty, as the recording does not say what they \
                 had learnt, or it was another detector"
            )?;
        }
        Ok(())
    }
}
