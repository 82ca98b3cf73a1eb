//! `auscult sim`: groups of members in virtual time, played from a story or made from a seed.

mod papers;
mod show;

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use auscult_agent::clock::Clock;
use auscult_sim::checker::seeds::{self, Size};
use auscult_sim::script::Scribe;
use auscult_sim::{Interest, Problems, Script, Wire, checker};

use crate::args::{SimArgs, SimCommand, SimRunArgs};
use crate::exit::{self, Exit, Stop};
use crate::render::{Screen, problems};
use show::Run;

pub(crate) fn run(args: &SimArgs) -> Result<(), Stop> {
    match &args.command {
        SimCommand::Run(args) => run_story(args),
        SimCommand::Lifeguard(args) => papers::lifeguard(args),
        SimCommand::Swim(args) => papers::swim(args),
        SimCommand::Rapid(args) => papers::rapid(args),
    }
}

fn run_story(args: &SimRunArgs) -> Result<(), Stop> {
    let Some(file) = &args.file else {
        return run_seed(args);
    };
    let name = file.display().to_string();
    let text = read(file)?;
    let mut script = Script::parse(&name, &text).map_err(|found| bad(&found))?;
    if let Some(seed) = args.seed {
        script.seed = seed;
    }
    let clock = Clock::new();
    let began = clock.now();
    let played = script.play(wire(args), checker::all());
    let real = clock.now().since(began);
    let run = Run::of_story(&name, &script, played, real);
    show::print(args, &run)?;
    run.verdict()
}

/// A history in which all goes wrong that can, until all is repaired and must be well.
fn run_seed(args: &SimRunArgs) -> Result<(), Stop> {
    let size = Size {
        members: args.members.map(usize::from),
        span: args
            .minutes
            .map(|minutes| Duration::from_secs(60 * u64::from(minutes))),
    };
    // clap wants a seed where there is no file.
    let seed = args.seed.unwrap_or_default();
    let shown = if args.trace {
        Interest::DEEDS | Interest::EVENTS
    } else {
        Interest::DEEDS
    };
    let (scribe, trace) = Scribe::new(shown);
    let mut checkers = checker::all();
    checkers.push(Box::new(scribe));
    let clock = Clock::new();
    let began = clock.now();
    let outcome = seeds::run_sized(seed, size, wire(args), checkers);
    let real = clock.now().since(began);
    let trace = trace.take();
    let run = Run::of_seed(seed, size, outcome, trace, real);
    show::print(args, &run)?;
    run.verdict()
}

fn wire(args: &SimRunArgs) -> Wire {
    if args.codec { Wire::Codec } else { Wire::Typed }
}

fn read(file: &Path) -> Result<String, Stop> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|found| text = found)
    };
    read.map_err(|error| {
        let (file, error) = (file.display(), exit::in_words(&error));
        Stop::new(Exit::No, format!("cannot read {file}: {error}"))
    })?;
    Ok(text)
}

fn bad(found: &Problems) -> Stop {
    let count = found.list.len();
    let text = problems::shown(Screen::stderr(), count, &found.file, &found.to_string());
    Stop::new(Exit::No, text)
}
