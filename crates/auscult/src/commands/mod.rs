//! One file per command.

mod agent;
mod alerts;
mod apply;
mod check_config;
mod cluster;
mod completions;
mod demo;
mod events;
mod health;
mod heartbeat;
mod history;
mod interrupt;
mod keys;
mod members;
mod metric;
mod node;
mod pulser;
mod record;
mod replay;
mod serve;
mod server;
mod settings;
mod sim;
mod targets;
mod watched;

pub(crate) use agent::{bind_addr, seed};
pub(crate) use interrupt::Interrupts;
pub(crate) use node::{JoinArgs, NodeArgs, TlsArgs};

use crate::args::Command;
use crate::exit::Stop;

/// Does what the command line asks for.
pub(crate) async fn run(command: Command) -> Result<(), Stop> {
    match command {
        Command::Agent(args) => agent::run(&args).await,
        Command::Join(args) => node::join(&args).await,
        Command::Sim(args) => sim::run(&args),
        Command::Keys(args) => keys::run(&args).await,
        Command::Pulser(args) => pulser::run(&args).await,
        Command::Targets(args) => targets::run(&args).await,
        Command::Apply(args) => apply::run(&args).await,
        Command::Settings(args) => settings::run(&args).await,
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Members(args) => members::run(&args).await,
        Command::Cluster(args) => cluster::run(&args).await,
        Command::Alerts(args) => alerts::run(&args).await,
        Command::Health(args) => health::run(&args).await,
        Command::Metric(args) => metric::run(&args).await,
        Command::Events(args) => events::run(&args).await,
        Command::History(args) => history::run(&args).await,
        Command::Record(args) => record::run(&args).await,
        Command::Replay(args) => replay::run(&args),
        Command::Heartbeat(args) => heartbeat::run(&args).await,
        Command::Serve(args) => serve::run(&args).await,
        Command::Demo(args) => demo::run(&args).await,
    }
}
