//! The auscult command line: one file per command under `commands/`, results on stdout, everything
//! else on stderr, exit codes as `auscult help` lists them.

mod args;
mod client;
mod commands;
mod exit;
mod logging;
mod pulser;
#[cfg(test)]
mod recipes;
mod render;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::exit::{Exit, Stop};

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args.command) {
        Ok(()) | Err(Stop::ReaderGone) => ExitCode::SUCCESS,
        Err(Stop::Failed { exit, message }) => {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(io::stderr(), "auscult: {}", message.trim_end());
            ExitCode::from(exit as u8)
        }
    }
}

fn run(command: Command) -> Result<(), Stop> {
    // The cryptography behind TLS is chosen once per process; a second choice would be refused, and
    // the first one is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = if matches!(command, Command::Agent(_) | Command::Join(_)) {
        // One task does it all, and each thread costs memory.
        tokio::runtime::Builder::new_current_thread()
    } else {
        // Enough threads for sockets, checks and requests side by side.
        let workers = std::thread::available_parallelism().map_or(2, |count| count.get().min(4));
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(workers);
        builder
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Stop::new(Exit::Cannot, format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(commands::run(command));
    // Whatever still runs (a slow name look-up, an open connection) must not delay the exit.
    runtime.shutdown_background();
    result
}
