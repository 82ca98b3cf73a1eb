//! `auscult completions`: what a shell needs to complete our commands.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::args::{Args, CompletionsArgs};
use crate::exit::Stop;

pub(crate) fn run(args: &CompletionsArgs) -> Result<(), Stop> {
    // Into memory first, because the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "auscult", &mut script);
    Ok(io::stdout().write_all(&script)?)
}
