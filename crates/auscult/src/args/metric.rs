//! The arguments of `auscult metric`.

use std::time::Duration;

use clap::Subcommand;

use super::ClientArgs;
use crate::commands::TlsArgs;

const EXAMPLES: &str = "\
Examples:
  auscult metric log freespace 93412 --ttl 2m                  # from a timer, every minute
  auscult metric log ping ok --ttl 30s --every 15s             # as long as it runs
  auscult metric log freespace 93412 --ttl 2m --peer node-1    # of another machine
  auscult metric log ping ok --ttl 30s --agent localhost:50051  # through a member of a group
  auscult metric forget --peer node-1                          # it will not come back";

/// `auscult metric`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MetricArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: MetricCommand,
}

/// What to do with metrics of peers.
#[derive(Debug, Subcommand)]
pub(crate) enum MetricCommand {
    /// Publish a metric with a time to live: when nothing more comes within it, that is an alert
    Log(LogMetricArgs),
    /// Forget what a peer published: an alert of that is over
    Forget {
        /// The metric [default: all of the peer's]
        name: Option<String>,
        /// The peer
        #[arg(long, value_name = "NAME")]
        peer: String,
    },
}

/// `auscult metric log`.
#[derive(Debug, clap::Args)]
pub(crate) struct LogMetricArgs {
    /// The metric
    pub(crate) name: String,
    /// Its value
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    /// How long it is good for, counted by the monitor's clock
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub(crate) ttl: Duration,
    /// Whose it is [default: the name of this machine, or of the member]
    #[arg(long, value_name = "NAME", env = "AUSCULT_PEER")]
    pub(crate) peer: Option<String>,
    /// Publish it through the member of a group that serves gRPC here, as that member: all monitors
    /// of the group hear of it
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) agent: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    /// How much it counts beside those of others
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    pub(crate) weight: i64,
    /// It lives, but cannot tell the value
    #[arg(long)]
    pub(crate) invalid: bool,
    /// Go on, one per this time, until Ctrl-C
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub(crate) every: Option<Duration>,
}
