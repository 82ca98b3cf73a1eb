//! `auscult check-config`: everything that is wrong with a file, or what it would watch.

use std::io::{self, Write as _};
use std::path::Path;

use auscult_monitor::settings::{LoadError, Settings};

use super::server;
use super::watched::Watched;
use crate::args::CheckConfigArgs;
use crate::exit::{self, Exit, Stop};

pub(crate) fn run(args: &CheckConfigArgs) -> Result<(), Stop> {
    let settings = read(&args.file)?;
    let watched = Watched::count(&settings.targets);
    let (file, watched) = (args.file.display(), watched.in_words());
    Ok(writeln!(io::stdout(), "{file} is valid: {watched}")?)
}

/// Reads settings; the error shows every problem with its line.
fn read(file: &Path) -> Result<Settings, Stop> {
    if file != Path::new("-") {
        return Settings::load(file).map_err(|error| server::unusable(&error));
    }
    let text = io::read_to_string(io::stdin()).map_err(|error| {
        let error = exit::in_words(&error);
        Stop::new(Exit::No, format!("cannot read stdin: {error}"))
    })?;
    Settings::from_yaml(&text, "-").map_err(|found| server::unusable(&LoadError::Problems(found)))
}
