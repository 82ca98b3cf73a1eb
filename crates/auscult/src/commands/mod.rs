//! One file per command.

mod completions;
mod heartbeat;
mod interrupt;
mod pulser;

use crate::args::Command;
use crate::exit::{Exit, Stop};

/// Does what the command line asks for.
pub(crate) async fn run(command: Command) -> Result<(), Stop> {
    match command {
        Command::Pulser(args) => pulser::run(&args).await,
        Command::Completions(args) => completions::run(&args),
        Command::Heartbeat(args) => heartbeat::run(&args).await,
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Targets(_)
        | Command::Events(_)
        | Command::CheckConfig(_) => Err(Stop::new(Exit::Cannot, "not in this build yet")),
    }
}
