//! `auscult replay`: judges recorded arrivals again, with the same or other thresholds.

use std::fs::File;
use std::io::{self, BufReader, Write as _};

use auscult_core::monitor::Status;
use auscult_monitor::trace::{Ending, Replay, Thresholds, Trace, TraceError, Verdict};
use serde_json::json;

use crate::args::{Output, ReplayArgs};
use crate::exit::{Exit, Stop, in_words};
use crate::render::table::{self, Cell, Column};
use crate::render::{Ink, Screen};

pub(crate) fn run(args: &ReplayArgs) -> Result<(), Stop> {
    let path = args.file.display();
    let unreadable = |error: &io::Error| {
        let message = format!("{path} cannot be read: {}", in_words(error));
        Stop::new(Exit::No, message)
    };
    let wrong = |error: TraceError| {
        if let TraceError::Io(error) = &error {
            return unreadable(error);
        }
        let message = if let TraceError::Line { line, what } = error {
            format!("{path}:{line}: {what}")
        } else {
            format!("{path}: {error}")
        };
        Stop::new(Exit::No, message)
    };
    let file = File::open(&args.file).map_err(|error| unreadable(&error))?;
    let thresholds = Thresholds {
        late: args.late,
        down: args.down,
    };
    let trace = Trace::read(BufReader::new(file), thresholds).map_err(wrong)?;
    let replay = Replay::of(&trace).map_err(wrong)?;
    match args.output {
        Output::Json => document(&trace, &replay),
        Output::Table => {
            verdicts(&replay)?;
            summary(&trace, &replay)
        }
    }
}

fn document(trace: &Trace, replay: &Replay) -> Result<(), Stop> {
    let (recalled, signals) = replay.recalled();
    let ending = match trace.ending() {
        Ending::Whole => "whole",
        Ending::Open => "open",
        Ending::Cut(_) => "cut",
    };
    let transition = |verdict: &Verdict| {
        json!({
            "after_seconds": verdict.after.as_secs_f64(),
            "target": verdict.target,
            "signal": verdict.signal,
            "from": verdict.from.as_str(),
            "to": verdict.to.as_str(),
            "cause": verdict.cause.as_str(),
            "level": verdict.level.get(),
            "silence_seconds": verdict.silence.map(|silence| silence.as_secs_f64()),
        })
    };
    let transitions: Vec<_> = replay.verdicts().iter().map(transition).collect();
    let all = json!({
        "arrivals": replay.arrivals(), "missed": trace.missed(), "downs": replay.downs(),
        "undescribed": replay.undescribed(), "ending": ending,
        "recalled": recalled, "signals": signals, "transitions": transitions,
    });
    Ok(writeln!(io::stdout(), "{all}")?)
}

fn verdicts(replay: &Replay) -> Result<(), Stop> {
    let rows: Vec<Vec<Cell>> = replay
        .verdicts()
        .iter()
        .map(|verdict| {
            let ink = match verdict.to {
                Status::Up => Ink::Good,
                Status::Late => Ink::Warning,
                Status::Down => Ink::Bad,
                Status::Unknown | Status::Paused => Ink::Quiet,
            };
            let silence = verdict
                .silence
                .map(|it| format!("{:.3} s", it.as_secs_f64()));
            vec![
                Cell::new(format!("{:.3} s", verdict.after.as_secs_f64())),
                Cell::new(verdict.target.clone()),
                Cell::new(verdict.signal.clone()),
                Cell::inked(ink, verdict.to.as_str()),
                Cell::new(verdict.cause.as_str()),
                Cell::new(format!("{:.3}", verdict.level.get())),
                Cell::new(silence.unwrap_or_else(|| "never heard".to_owned())),
            ]
        })
        .collect();
    let titles = [
        "AFTER", "TARGET", "SIGNAL", "TO", "CAUSE", "LEVEL", "SILENT",
    ];
    let columns = titles.map(Column::left);
    let out = &mut io::stdout();
    Ok(table::print(out, Screen::stdout(), &columns, &rows)?)
}

/// The count, and what a reader must know before believing it.
fn summary(trace: &Trace, replay: &Replay) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    let downs: u64 = replay.downs().values().sum();
    let lost = match trace.missed() {
        0 => String::new(),
        missed => format!("; {missed} arrivals are missing in the recording"),
    };
    writeln!(
        out,
        "{} arrivals, {downs} times down{lost}",
        replay.arrivals()
    )?;
    match trace.ending() {
        Ending::Whole => {}
        Ending::Open => writeln!(
            out,
            "the recording has no end: it was broken off, or goes on; it was judged up to its last line"
        )?,
        Ending::Cut(line) => writeln!(
            out,
            "the recording breaks off in line {line}; it was judged up to there"
        )?,
    }
    if replay.undescribed() > 0 {
        writeln!(
            out,
            "{} lines are of signals that the recording does not describe, and were not judged",
            replay.undescribed()
        )?;
    }
    let (recalled, signals) = replay.recalled();
    if recalled < signals {
        writeln!(
            out,
            "{} of {signals} detectors began empty, as the recording does not say what they had \
             learnt, or it was another detector",
            signals - recalled
        )?;
    }
    Ok(())
}
