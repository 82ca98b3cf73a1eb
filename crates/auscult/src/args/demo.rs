//! The flags of `auscult demo`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Subcommand;

use super::{LogArgs, Output, duration, socket_addr};

const DEMO_EXAMPLES: &str = "\
Examples:
  auscult demo
  auscult demo --for 1m
  auscult demo metrics --server server2        # in another terminal: what each monitor says of it";

/// `auscult demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = DEMO_EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArgs {
    /// Ends by itself after this time, for example 30s [default: runs until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// The port of the first simulated server; the others follow. 0: free ones
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub(crate) first_port: u16,
    /// How many monitors
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(1..=9)
    )]
    pub(crate) monitors: u16,
    /// Where the first monitor's page, API and metrics are served, and heartbeats taken over UDP;
    /// the other monitors' ports follow
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "HTTP_BIND",
        default_value = "127.0.0.1:8000",
        value_parser = socket_addr
    )]
    pub(crate) http_bind: SocketAddr,
    /// The port at which the first monitor listens for the others; theirs follow. 0: free ones
    #[arg(long, value_name = "PORT", default_value_t = 7000)]
    pub(crate) first_raft_port: u16,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Option<DemoCommand>,
}

/// What to ask a running demo.
#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// What every monitor's /metrics says of the simulated servers
    Metrics(DemoMetricsArgs),
}

/// `auscult demo metrics`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoMetricsArgs {
    /// Only of this server, and more of it [default: the phi of all]
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// The monitors to ask
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        default_values = ["http://127.0.0.1:8000", "http://127.0.0.1:8001", "http://127.0.0.1:8002"]
    )]
    pub(crate) url: Vec<String>,
    /// How results look
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}
