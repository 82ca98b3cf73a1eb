//! Recordings of raw arrivals, as `auscult record` writes them: reading one ([`Trace::read`]), and
//! judging it again ([`Replay`]).
//!
//! A recording has one JSON object a line. The first says how each target is judged and what its
//! detectors knew, the last when it ended; `docs/operating.md` describes all of them. Whatever else
//! a file has in it is an error with its line, and costs no more memory than one line and what was
//! read before it. A recording that was cut off (its writer died, or the disk was full) is judged
//! up to there, and says so.

mod replay;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read as _};

use auscult_core::monitor::{Failure, SignalConfig, SignalMemory, SignalParams, Target, Waits};
use auscult_core::time::Instant;
use serde_json::Value;

use crate::settings::Defaults;
use crate::settings::documents::Inheritance;

pub use replay::{Replay, Verdict};

/// The version of the file.
pub const FORMAT: u64 = 1;

/// How long a line may be. The first one has all targets with their windows: 64 of them, which is
/// what a monitor records at a time, are 1 MB.
const LINE_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// What a recording says.
#[derive(Debug)]
pub struct Trace {
    begin: Instant,
    end: Instant,
    targets: Vec<Recorded>,
    /// Signals by target and name, as they are numbered in what was heard.
    signals: Vec<(String, String)>,
    heard: Vec<Heard>,
    missed: u64,
    ending: Ending,
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its last line.
    Whole,
    /// It has no last line: whoever wrote it was stopped, or still writes.
    Open,
    /// In the middle of this line.
    Cut(usize),
}

/// Thresholds to judge by in place of those of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// For late.
    pub late: Option<f64>,
    /// For down.
    pub down: Option<f64>,
}

/// Why a recording cannot be judged. State: nothing was made.
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// It cannot be read.
    Io(io::Error),
    /// It is something else.
    Foreign,
    /// A line of it, from 1 on, is wrong.
    Line {
        /// Which.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The other thresholds do not do for a target.
    Thresholds {
        /// The target.
        target: String,
        /// Why not.
        what: String,
    },
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("it cannot be read"),
            Self::Foreign => f.write_str(
                "it is no recording that this version reads; 'auscult record' makes them",
            ),
            Self::Line { line, what } => write!(f, "line {line}: {what}"),
            Self::Thresholds { target, what } => {
                write!(f, "{target} cannot be judged by these thresholds: {what}")
            }
        }
    }
}

impl std::error::Error for TraceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Foreign | Self::Line { .. } | Self::Thresholds { .. } => None,
        }
    }
}

/// A target, and what its signals remembered when the recording began.
#[derive(Debug)]
struct Recorded {
    target: Target,
    at: Instant,
    memories: Vec<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    signal: String,
    last_arrival: Option<Instant>,
    memory: SignalMemory,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Instant,
    /// A place in [`Trace::signals`].
    signal: usize,
    sequence: Option<u64>,
    failure: Option<Failure>,
}

impl Trace {
    /// Reads a recording to its end.
    ///
    /// # Errors
    /// Why it is none, or cannot be judged.
    pub fn read(mut from: impl BufRead, thresholds: Thresholds) -> Result<Self, TraceError> {
        let mut line = Vec::new();
        let mut reading = Reading::default();
        let mut number = 0;
        loop {
            line.clear();
            let mut limited = (&mut from).take(LINE_BYTES_MAX as u64);
            let length = limited
                .read_until(b'\n', &mut line)
                .map_err(TraceError::Io)?;
            if length == 0 {
                break;
            }
            number += 1;
            let wrong = |what: String| TraceError::Line { line: number, what };
            let is_whole = line.ends_with(b"\n");
            if !is_whole && length == LINE_BYTES_MAX && number > 1 {
                return Err(wrong(format!("it has more than {LINE_BYTES_MAX} bytes")));
            }
            let value: Value = match serde_json::from_slice(&line) {
                Ok(value) => value,
                Err(_) if number == 1 => return Err(TraceError::Foreign),
                Err(_) if !is_whole => {
                    reading.trace.ending = Ending::Cut(number);
                    break;
                }
                Err(error) => return Err(wrong(format!("it is no JSON: {error}"))),
            };
            match number {
                1 => reading.begin(&value, thresholds)?,
                _ => reading.take(&value).map_err(wrong)?,
            }
        }
        if number == 0 {
            return Err(TraceError::Foreign);
        }
        Ok(reading.end())
    }

    /// How it ends.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        self.ending
    }

    /// Of each of its signals, whether it says how that is judged.
    fn described(&self) -> Vec<bool> {
        let is_described = |(target, signal): &(String, String)| {
            let mut of_name = self
                .targets
                .iter()
                .filter(|it| it.target.id.as_str() == target);
            of_name.any(|it| {
                it.target
                    .signals
                    .iter()
                    .any(|it| it.name.as_str() == signal)
            })
        };
        self.signals.iter().map(is_described).collect()
    }

    /// Arrivals that the recorder did not get in time, as it says.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}

/// A recording of which the beginning was read.
struct Reading {
    trace: Trace,
    /// The numbers of signals, by target and name.
    numbers: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Default for Reading {
    fn default() -> Self {
        let trace = Trace {
            begin: Instant::ORIGIN,
            end: Instant::ORIGIN,
            targets: Vec::new(),
            signals: Vec::new(),
            heard: Vec::new(),
            missed: 0,
            ending: Ending::Open,
        };
        Self {
            trace,
            numbers: BTreeMap::new(),
        }
    }
}

impl Reading {
    /// Takes the first line.
    fn begin(&mut self, head: &Value, thresholds: Thresholds) -> Result<(), TraceError> {
        if head["auscult_trace"].as_u64() != Some(FORMAT) {
            return Err(TraceError::Foreign);
        }
        self.trace.begin = Instant::from_nanos(head["begin_ns"].as_u64().unwrap_or(0));
        self.trace.end = self.trace.begin;
        for recorded in head["targets"].as_array().into_iter().flatten() {
            let target = judged(&recorded["spec"], thresholds)?;
            let at = recorded["now_ns"].as_u64().map(Instant::from_nanos);
            let remembered = recorded["remembered"].as_array();
            let memories = remembered.into_iter().flatten().filter_map(memory);
            self.trace.targets.push(Recorded {
                at: at.unwrap_or(self.trace.begin).max(self.trace.begin),
                memories: memories.collect(),
                target,
            });
        }
        Ok(())
    }

    /// Takes another line, or says what is wrong with it.
    fn take(&mut self, line: &Value) -> Result<(), String> {
        if self.trace.ending == Ending::Whole {
            return Err("it stands behind the end".to_owned());
        }
        if let Some(end) = line["end_ns"].as_u64() {
            self.trace.end = self.trace.end.max(Instant::from_nanos(end));
            self.trace.ending = Ending::Whole;
        } else if let Some(missed) = line["missed"].as_u64() {
            self.trace.missed = self.trace.missed.saturating_add(missed);
        } else {
            let none = || "it is not a line of a recording".to_owned();
            let text = |name: &str| line[name].as_str().ok_or_else(none);
            let at = line["at_ns"].as_u64().ok_or_else(none)?;
            let failure = match line["failure"].as_str() {
                Some(text) => Some(failure(text).ok_or_else(none)?),
                None => None,
            };
            let signal = self.number(text("target")?, text("signal")?);
            self.trace.heard.push(Heard {
                at: Instant::from_nanos(at),
                signal,
                sequence: line["sequence"].as_u64(),
                failure,
            });
        }
        Ok(())
    }

    fn number(&mut self, target: &str, signal: &str) -> usize {
        if let Some(&number) = self.numbers.get(target).and_then(|it| it.get(signal)) {
            return number;
        }
        let number = self.trace.signals.len();
        let of_target = self.numbers.entry(target.to_owned()).or_default();
        of_target.insert(signal.to_owned(), number);
        self.trace
            .signals
            .push((target.to_owned(), signal.to_owned()));
        number
    }

    fn end(self) -> Trace {
        let mut trace = self.trace;
        // In the order of each target; what counts is the order of all.
        trace.heard.sort_by_key(|heard| heard.at);
        trace.targets.sort_by_key(|recorded| recorded.at);
        trace.end = trace
            .heard
            .last()
            .map_or(trace.end, |last| last.at.max(trace.end));
        trace
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
fn judged(spec: &Value, thresholds: Thresholds) -> Result<Target, TraceError> {
    let inherited = Inheritance::new(&Defaults::builtin());
    let spec = inherited.target(&spec.to_string());
    let spec = spec.map_err(|problems| TraceError::Line {
        line: 1,
        what: problems.to_string(),
    })?;
    let mut target = spec.to_target();
    for signal in &mut target.signals {
        let config = &signal.config;
        let params = SignalParams {
            detector: config.detector().params().clone(),
            late: thresholds.late.unwrap_or_else(|| config.late().get()),
            down: thresholds.down.unwrap_or_else(|| config.down().get()),
            grace: config.grace(),
            recovery_arrivals: config.recovery_arrivals(),
        };
        signal.config = SignalConfig::new(params).map_err(|violations| {
            let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
            TraceError::Thresholds {
                target: target.id.to_string(),
                what: all.join("; "),
            }
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
