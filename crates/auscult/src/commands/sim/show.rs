//! What a simulation is told with: a table for people, a document for programs.

use std::io::{self, Write as _};
use std::time::Duration;

use auscult_core::time::Instant;
use auscult_sim::checker::seeds::{self, Size};
use auscult_sim::script::Outcome;
use auscult_sim::{Finding, Played, Script, Traffic};
use serde_json::json;

use crate::args::{Output, SimRunArgs};
use crate::exit::{Exit, Stop};
use crate::render::table::{Cell, Column, print as print_table};
use crate::render::{Ink, Screen, time};

/// A simulation that is over.
pub(super) struct Run {
    /// The file, or what it was made from.
    pub(super) title: String,
    /// How to see the same once more.
    pub(super) replay: String,
    pub(super) seed: u64,
    pub(super) members: usize,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) findings: Vec<Finding>,
    /// Members that said of another one that it failed, where they were counted.
    pub(super) verdicts: Option<usize>,
    pub(super) trace: String,
    pub(super) traffic: Traffic,
    pub(super) virtual_time: Duration,
    pub(super) real_time: Duration,
}

impl Run {
    pub(super) fn of_story(file: &str, script: &Script, played: Played, real: Duration) -> Self {
        Self {
            title: file.to_owned(),
            replay: format!("auscult sim run {file} --seed {}", script.seed),
            seed: script.seed,
            members: script.members(),
            outcomes: played.outcomes,
            findings: played.findings,
            verdicts: Some(played.verdicts),
            trace: played.trace,
            traffic: played.traffic,
            virtual_time: played.span,
            real_time: real,
        }
    }

    pub(super) fn of_seed(
        seed: u64,
        size: Size,
        outcome: seeds::Outcome,
        trace: String,
        real: Duration,
    ) -> Self {
        let mut replay = format!("auscult sim run --seed {seed}");
        if let Some(members) = size.members {
            replay += &format!(" --members {members}");
        }
        if let Some(span) = size.span {
            replay += &format!(" --minutes {}", span.as_secs() / 60);
        }
        let deeds = trace.lines().filter(|line| line.contains("s * ")).count();
        let agreed = Outcome {
            at: outcome.span,
            text: format!(
                "expect agreed within {} of all repairs",
                time::span(outcome.bound)
            ),
            refuted: match outcome.agreed_after {
                Some(_) => None,
                None => Some("some differ".into()),
            },
        };
        Self {
            title: format!("a history with {deeds} deeds"),
            replay,
            seed,
            members: outcome.members,
            outcomes: vec![agreed],
            findings: outcome.findings,
            verdicts: None,
            trace,
            traffic: outcome.traffic,
            virtual_time: outcome.span,
            real_time: real,
        }
    }

    /// Whether all was well, as an exit code.
    pub(super) fn verdict(&self) -> Result<(), Stop> {
        let wrong = self.unmet();
        let found = self.findings.len();
        if wrong == 0 && found == 0 {
            return Ok(());
        }
        let message = format!(
            "{wrong} of {} not as expected, checkers found {found}; again: {}",
            counted(self.outcomes.len(), "expectation"),
            self.replay,
        );
        Err(Stop::new(Exit::No, message))
    }

    fn unmet(&self) -> usize {
        let outcomes = self.outcomes.iter();
        outcomes.filter(|one| one.refuted.is_some()).count()
    }

    fn messages_per_second(&self) -> f64 {
        // Below a microsecond nothing can be said.
        self.traffic.delivered as f64 / self.real_time.as_secs_f64().max(1e-6)
    }
}

pub(super) fn print(args: &SimRunArgs, run: &Run) -> Result<(), Stop> {
    match args.output {
        Output::Json => Ok(writeln!(io::stdout(), "{}", document(args, run))?),
        Output::Table => Ok(tell(args, run)?),
    }
}

fn document(args: &SimRunArgs, run: &Run) -> serde_json::Value {
    let seconds = |at: Instant| at.since(Instant::ORIGIN).as_secs_f64();
    let outcomes: Vec<_> = run
        .outcomes
        .iter()
        .map(|one| {
            json!({
                "at_seconds": one.at.as_secs_f64(),
                "expected": one.text,
                "met": one.refuted.is_none(),
                "instead": one.refuted,
            })
        })
        .collect();
    let findings: Vec<_> = run
        .findings
        .iter()
        .map(|one| {
            let at = seconds(one.at);
            json!({ "at_seconds": at, "property": one.property, "text": one.text })
        })
        .collect();
    let mut document = json!({
        "title": run.title,
        "replay": run.replay,
        "seed": run.seed,
        "members": run.members,
        "expectations": outcomes,
        "findings": findings,
        "verdicts": run.verdicts,
        "messages_sent": run.traffic.sent,
        "messages_delivered": run.traffic.delivered,
        "messages_dropped": run.traffic.dropped,
        "virtual_seconds": run.virtual_time.as_secs_f64(),
        "real_seconds": run.real_time.as_secs_f64(),
        "messages_per_second": run.messages_per_second(),
    });
    if args.trace || run.verdicts.is_none() {
        document["trace"] = run.trace.lines().collect();
    }
    document
}

const COLUMNS: [Column; 3] = [
    Column::right("TIME"),
    Column::left("RESULT"),
    Column::left("EXPECTED"),
];

fn tell(args: &SimRunArgs, run: &Run) -> io::Result<()> {
    let screen = Screen::stdout();
    let mut out = io::stdout().lock();
    let members = counted(run.members, "member");
    writeln!(out, "{}: {members}, seed {}", run.title, run.seed)?;
    // What was done in a history from a seed is told in any case: nobody wrote it down before.
    if args.trace || run.verdicts.is_none() {
        writeln!(out, "\n{}", run.trace.trim_end())?;
    }
    if !run.outcomes.is_empty() {
        let rows: Vec<Vec<Cell>> = run.outcomes.iter().map(row).collect();
        writeln!(out)?;
        print_table(&mut out, screen, &COLUMNS, &rows)?;
    }
    for finding in &run.findings {
        let text = format!("{} {}: {}", finding.at, finding.property, finding.text);
        let text = screen.paint(Ink::Bad, &text);
        writeln!(out, "\n{text}")?;
    }
    let met = run.outcomes.len() - run.unmet();
    let verdicts = run.verdicts.map_or_else(String::new, |count| {
        format!(", {}", counted(count, "verdict"))
    });
    writeln!(
        out,
        "\n{met} of {} met, checkers found {}{verdicts}",
        counted(run.outcomes.len(), "expectation"),
        run.findings.len(),
    )?;
    writeln!(
        out,
        "{} delivered, {} virtual in {} real: {:.0} messages/s",
        counted(run.traffic.delivered as usize, "message"),
        time::span(run.virtual_time),
        time::span(run.real_time),
        run.messages_per_second(),
    )?;
    writeln!(out, "again: {}", run.replay)
}

fn row(one: &Outcome) -> Vec<Cell> {
    let result = match &one.refuted {
        None => Cell::inked(Ink::Good, "met"),
        Some(why) => Cell::inked(Ink::Bad, format!("no, {why}")),
    };
    let text = one.text.strip_prefix("expect ").unwrap_or(&one.text);
    let at = format!("{:.3}s", one.at.as_secs_f64());
    vec![Cell::new(at), result, Cell::new(text)]
}

/// `1 member`, `2 members`.
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
