//! A change of status as a row: 128 bytes of numbers, then the signal's name and the sentence.

use std::time::Duration;

use auscult_core::detector::DetectorParams;
use auscult_core::monitor::{Cause, EventKind, Evidence, Failure, Status};
use auscult_core::time::nanos;

use super::clock::Timeline;
use crate::events::LoggedEvent;
use crate::events::sentence::failure_text;
use crate::store::Fields;

/// Bytes of the part of a row that every change has.
const HEAD_BYTES: usize = 128;

/// Bytes of a sentence that are kept: those that evidence makes have some 120.
const TEXT_BYTES_MAX: usize = 1_024;

/// Intervals that are kept as evidence.
const INTERVALS: usize = 8;

/// Stands for a number that is not there.
const NONE: u64 = u64::MAX;
const NO_CODE: u8 = u8::MAX;

/// A change of a target's status, as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it happened: nanoseconds since the Unix epoch.
    pub at_nanos: u64,
    /// The number of the event.
    pub id: u64,
    /// What changed.
    pub what: What,
    /// The status before.
    pub from: Status,
    /// The status from then on.
    pub to: Status,
    /// Why, as one sentence.
    pub text: String,
    /// Why, in numbers. A verdict of several monitors has none of its own.
    pub grounds: Option<Grounds>,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The target's status.
    Target,
    /// The status of one of several signals, and the target's did not.
    Signal,
    /// What this monitor sees of a target that several observe.
    Seen,
    /// What several monitors find.
    Verdict,
    /// It is watched no longer.
    Removed,
}

impl What {
    const ALL: [Self; 5] = [
        Self::Target,
        Self::Signal,
        Self::Seen,
        Self::Verdict,
        Self::Removed,
    ];

    /// The code of the event of the same meaning.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "transition",
            Self::Signal => "signal_transition",
            Self::Seen => "observed",
            Self::Verdict => "verdict",
            Self::Removed => "removed",
        }
    }
}

/// The evidence of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Grounds {
    /// The signal that decided.
    pub signal: String,
    /// The rule that fired.
    pub cause: &'static str,
    /// The kind of detector.
    pub detector: &'static str,
    /// The level then.
    pub level: f64,
    /// What it was compared with.
    pub threshold: f64,
    /// How long before the last arrival was.
    pub last_arrival_ago: Option<Duration>,
    /// How long it was silent.
    pub silence: Duration,
    /// The last intervals between arrivals, newest first.
    pub recent_intervals: Vec<Duration>,
    /// The mean interval expected.
    pub mean: Duration,
    /// The deviation worked with.
    pub std_deviation: Duration,
    /// Intervals learnt from.
    pub samples: u32,
    /// The thresholds in force: late, and down.
    pub thresholds: (f64, f64),
    /// The last failed check since the last arrival.
    pub last_failure: Option<LastFailure>,
}

/// A failed check.
#[derive(Clone, Debug, PartialEq)]
pub struct LastFailure {
    /// How long before.
    pub ago: Duration,
    /// Its class.
    pub failure: &'static str,
    /// What happened, for people.
    pub text: String,
}

const CAUSES: [Cause; 9] = [
    Cause::Arrival,
    Cause::Silence,
    Cause::NeverHeard,
    Cause::Told,
    Cause::ObserverAtFault,
    Cause::ObserverSuspectsItself,
    Cause::ObserverTrustsItself,
    Cause::Operator,
    Cause::Settings,
];

const DETECTORS: [&str; 4] = ["phi", "chen", "bertier", "deadline"];

/// The row of an event of the target with this number, if it is one that is kept.
pub(super) fn encode(logged: &LoggedEvent, target: u32, clock: &Timeline) -> Option<Vec<u8>> {
    let event = &logged.event;
    let (what, from, to, evidence) = match &event.kind {
        EventKind::Transition { from, to, evidence } => (What::Target, *from, *to, Some(evidence)),
        EventKind::SignalTransition { from, to, evidence } => {
            (What::Signal, *from, *to, Some(evidence))
        }
        EventKind::Observed { from, to, evidence } => (What::Seen, *from, *to, Some(evidence)),
        EventKind::Verdict { ruling, .. } => {
            let (from, to) = (plain(ruling.from), plain(ruling.verdict));
            (What::Verdict, from, to, None)
        }
        EventKind::Removed => (What::Removed, Status::Unknown, Status::Unknown, None),
        EventKind::Added
        | EventKind::Replaced
        | EventKind::Isolated { .. }
        | EventKind::Rejoined { .. }
        | EventKind::ObserverIsolated { .. }
        | EventKind::ObserverRejoined { .. }
        | EventKind::FlappingStarted { .. }
        | EventKind::FlappingStopped { .. }
        | EventKind::Relearnt { .. }
        | EventKind::ObserverSuspectsItself { .. }
        | EventKind::ObserverTrustsItself { .. }
        | EventKind::Stalled { .. }
        | EventKind::Membership { .. } => return None,
    };
    let mut row = Row::with_capacity(HEAD_BYTES + 32 + logged.text.len());
    let codes = [what as u8, from.severity(), to.severity()];
    row.bytes(&codes);
    let signal = match evidence {
        Some(evidence) => {
            put_evidence(&mut row, evidence, clock.nanos(event.at), clock);
            evidence.signal.as_str()
        }
        None => {
            row.bytes(&[NO_CODE]);
            row.0.resize(HEAD_BYTES - 8, 0);
            ""
        }
    };
    let text = cut(&logged.text);
    // Both are far below 64 KiB.
    row.bytes(&(signal.len() as u16).to_le_bytes());
    row.bytes(&(text.len() as u16).to_le_bytes());
    row.bytes(&target.to_le_bytes());
    row.bytes(signal.as_bytes());
    row.bytes(text.as_bytes());
    Some(row.0)
}

/// A verdict as one of the statuses that time is counted by. What most observers reach is there,
/// although not for all.
pub(super) const fn plain(verdict: auscult_core::monitor::observers::Verdict) -> Status {
    use auscult_core::monitor::observers::Verdict;
    match verdict {
        Verdict::Paused => Status::Paused,
        Verdict::Up => Status::Up,
        Verdict::Unknown | Verdict::ObserverIsolated => Status::Unknown,
        Verdict::Late | Verdict::PartiallyReachable => Status::Late,
        Verdict::Down => Status::Down,
    }
}

fn put_evidence(row: &mut Row, evidence: &Evidence, at_nanos: u64, clock: &Timeline) {
    let ago = |at| at_nanos.saturating_sub(clock.nanos(at));
    let cause = CAUSES.iter().position(|&cause| cause == evidence.cause);
    let detector = match evidence.config.detector().params() {
        DetectorParams::Phi(_) => 0,
        DetectorParams::Chen(_) => 1,
        DetectorParams::Bertier(_) => 2,
        DetectorParams::Deadline(_) => 3,
    };
    let (failure, status) = match evidence.last_failure {
        Some((_, failure)) => (failure_code(failure), status_of(failure)),
        None => (NO_CODE, 0),
    };
    // There are fewer than 255 causes.
    row.bytes(&[cause.unwrap_or(0) as u8, detector, failure]);
    row.bytes(&status.to_le_bytes());
    row.bytes(&evidence.samples.to_le_bytes());
    for number in [evidence.level.get(), evidence.threshold.get()] {
        row.bytes(&number.to_le_bytes());
    }
    for span in [
        evidence.last_arrival.map_or(NONE, ago),
        nanos(evidence.silence),
        nanos(evidence.mean),
        nanos(evidence.std_deviation),
        evidence.last_failure.map_or(NONE, |(at, _)| ago(at)),
    ] {
        row.bytes(&span.to_le_bytes());
    }
    let mut intervals = evidence.recent_intervals.iter();
    for _ in 0..INTERVALS {
        let micros = intervals.next().map_or(u32::MAX, |span| {
            u32::try_from(span.as_micros()).unwrap_or(u32::MAX - 1)
        });
        row.bytes(&micros.to_le_bytes());
    }
    for threshold in [evidence.config.late(), evidence.config.down()] {
        row.bytes(&threshold.get().to_le_bytes());
    }
    row.0.resize(HEAD_BYTES - 8, 0);
}

/// The number of the target that a row is about.
pub(super) fn target_of(row: &[u8]) -> Option<u32> {
    Fields::of(row.get(HEAD_BYTES - 4..)?).word()
}

/// The change that a row tells of; `None` if no version of ours wrote it.
pub(super) fn decode(at_nanos: u64, id: u64, row: &[u8]) -> Option<Change> {
    let mut read = Fields::of(row);
    let [what, from, to, cause] = read.array()?;
    let what = *What::ALL.get(usize::from(what))?;
    let status = |code: u8| Status::ALL.get(usize::from(code)).copied();
    let (from, to) = (status(from)?, status(to)?);
    let (head, tail) = row.split_at_checked(HEAD_BYTES)?;
    let mut lengths = Fields::of(head.get(HEAD_BYTES - 8..)?);
    let signal = usize::from(lengths.half_word()?);
    let text = usize::from(lengths.half_word()?);
    let signal = String::from_utf8_lossy(tail.get(..signal)?).into_owned();
    let text = String::from_utf8_lossy(tail.get(tail.len().checked_sub(text)?..)?).into_owned();
    let grounds = match cause {
        NO_CODE => None,
        cause => Some(grounds(&mut read, cause, signal)?),
    };
    Some(Change {
        at_nanos,
        id,
        what,
        from,
        to,
        text,
        grounds,
    })
}

fn grounds(read: &mut Fields<'_>, cause: u8, signal: String) -> Option<Grounds> {
    let [detector, failure] = read.array()?;
    let status = read.half_word()?;
    let samples = read.word()?;
    let (level, threshold) = (read.float()?, read.float()?);
    let last_arrival = read.number()?;
    let (silence, mean, deviation) = (read.number()?, read.number()?, read.number()?);
    let failed = read.number()?;
    let mut recent_intervals = Vec::with_capacity(INTERVALS);
    for _ in 0..INTERVALS {
        let micros = read.word()?;
        if micros != u32::MAX {
            recent_intervals.push(Duration::from_micros(u64::from(micros)));
        }
    }
    let thresholds = (read.float()?, read.float()?);
    let last_failure = failure_of(failure, status).map(|failure| LastFailure {
        ago: Duration::from_nanos(failed),
        failure: failure.as_str(),
        text: failure_text(failure),
    });
    Some(Grounds {
        signal,
        cause: CAUSES.get(usize::from(cause))?.as_str(),
        detector: DETECTORS.get(usize::from(detector))?,
        level,
        threshold,
        last_arrival_ago: (last_arrival != NONE).then(|| Duration::from_nanos(last_arrival)),
        silence: Duration::from_nanos(silence),
        recent_intervals,
        mean: Duration::from_nanos(mean),
        std_deviation: Duration::from_nanos(deviation),
        samples,
        thresholds,
        last_failure,
    })
}

const fn failure_code(failure: Failure) -> u8 {
    match failure {
        Failure::Refused => 0,
        Failure::Timeout => 1,
        Failure::Unreachable => 2,
        Failure::Dns => 3,
        Failure::Tls => 4,
        Failure::Status(_) => 5,
        Failure::Body => 6,
        Failure::Protocol => 7,
        Failure::Local => 8,
    }
}

const fn status_of(failure: Failure) -> u16 {
    match failure {
        Failure::Status(code) => code,
        Failure::Refused
        | Failure::Timeout
        | Failure::Unreachable
        | Failure::Dns
        | Failure::Tls
        | Failure::Body
        | Failure::Protocol
        | Failure::Local => 0,
    }
}

fn failure_of(code: u8, status: u16) -> Option<Failure> {
    let all = [
        Failure::Refused,
        Failure::Timeout,
        Failure::Unreachable,
        Failure::Dns,
        Failure::Tls,
        Failure::Status(status),
        Failure::Body,
        Failure::Protocol,
        Failure::Local,
    ];
    all.get(usize::from(code)).copied()
}

/// A sentence that is too long ends where a letter does.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

struct Row(Vec<u8>);

impl Row {
    fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

// 4 codes, 4 of the evidence, the samples, 2 and 2 floats, 5 spans, the intervals, 2 lengths.
const _: () = assert!(4 + 4 + 4 + 16 + 16 + 40 + 4 * INTERVALS + 8 <= HEAD_BYTES);
