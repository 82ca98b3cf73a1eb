//! One file per command.

mod check_config;
mod completions;
mod demo;
mod events;
mod heartbeat;
mod interrupt;
mod members;
mod pulser;
mod serve;
mod server;
mod targets;
mod watched;

pub(crate) use interrupt::Interrupts;

use crate::args::Command;
use crate::exit::Stop;

/// Does what the command line asks for.
pub(crate) async fn run(command: Command) -> Result<(), Stop> {
    match command {
        Command::Agent(args) => crate::agent::run(&args).await,
        Command::Join(args) => crate::node::join(&args).await,
        Command::Sim(args) => crate::sim::run(&args),
        Command::Keys(args) => crate::keys::run(&args).await,
        Command::Pulser(args) => pulser::run(&args).await,
        Command::Targets(args) => targets::run(&args).await,
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Members(args) => members::run(&args).await,
        Command::Events(args) => events::run(&args).await,
        Command::Heartbeat(args) => heartbeat::run(&args).await,
        Command::Serve(args) => serve::run(&args).await,
        Command::Demo(args) => demo::run(&args).await,
    }
}
