//! `auscult sim`: groups of members in virtual time, played from a story or made from a seed.

mod show;

use std::io::{self, Read as _};
use std::path::Path;

use auscult_agent::clock::Clock;
use auscult_sim::{Problems, Script, Wire, checker};

use crate::args::{SimArgs, SimCommand, SimRunArgs};
use crate::exit::{self, Exit, Stop};
use crate::render::{Screen, problems};
use show::Run;

pub(crate) fn run(args: &SimArgs) -> Result<(), Stop> {
    match &args.command {
        SimCommand::Run(args) => run_story(args),
    }
}

fn run_story(args: &SimRunArgs) -> Result<(), Stop> {
    let file = &args.file;
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
