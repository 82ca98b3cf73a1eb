//! `auscult check-config`: everything that is wrong with a file, or what it would watch.

use std::io::{self, Write as _};
use std::path::Path;

use auscult_monitor::settings::Settings;

use super::watched::Watched;
use crate::args::CheckConfigArgs;
use crate::exit::{self, Exit, Stop};
use crate::render::{Screen, problems};

pub(crate) fn run(args: &CheckConfigArgs) -> Result<(), Stop> {
    let settings = read(&args.file)?;
    let watched = Watched::count(&settings.targets);
    let (file, watched) = (args.file.display(), watched.in_words());
    Ok(writeln!(io::stdout(), "{file} is valid: {watched}")?)
}

/// Reads settings; the error shows every problem with its line.
fn read(file: &Path) -> Result<Settings, Stop> {
    let name = file.display().to_string();
    let text = if name == "-" {
        io::read_to_string(io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| {
        let error = exit::in_words(&error);
        Stop::new(Exit::No, format!("cannot read {name}: {error}"))
    })?;
    Settings::from_yaml(&text, &name)
        .map_err(|found| Stop::new(Exit::No, problems::in_words(Screen::stderr(), &found)))
}
