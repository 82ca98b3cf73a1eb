//! The arguments of `auscult health`.

use clap::Subcommand;

use super::ClientArgs;

const EXAMPLES: &str = "\
Examples:
  auscult health metrics                       # which metrics peers publish
  auscult health metrics freespace             # the latest of each peer
  auscult health metrics freespace --history --peer node-1
  auscult health alerts                        # what failed of late";

/// `auscult health`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: HealthCommand,
}

/// What to show.
#[derive(Debug, Subcommand)]
pub(crate) enum HealthCommand {
    /// List the metrics that peers publish, or the latest readings of one
    Metrics {
        /// The metric
        name: Option<String>,
        /// The readings before the last one, too, newest first
        #[arg(long, requires = "name")]
        history: bool,
        /// That of this peer only
        #[arg(long, requires = "name", value_name = "NAME")]
        peer: Option<String>,
    },
    /// List the metrics that failed of late, the newest first: those that are well again, too
    Alerts,
}
