//! The flags of `auscult cluster`.

use clap::Subcommand;

use super::ClientArgs;

const CLUSTER_EXAMPLES: &str = "\
Examples:
  auscult cluster status                       # who leads, and what is wrong
  auscult cluster members                      # every monitor, and how far behind it is
  auscult cluster transfer m2                  # before m1 is stopped
  auscult cluster remove m3                    # one that is gone for good
  auscult cluster leave --url 10.0.0.3:8000    # this one";

/// `auscult cluster`.
#[derive(Debug, clap::Args)]
#[command(after_help = CLUSTER_EXAMPLES)]
pub(crate) struct ClusterArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: ClusterCommand,
}

/// What to do with the group of monitors.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Show how the group is, as one monitor knows it
    Status,
    /// List the monitors of the group: role, addresses, lag
    Members,
    /// Have another monitor lead
    Transfer {
        /// Its name or id
        #[arg(value_name = "MONITOR")]
        to: String,
    },
    /// Let a monitor of the group go, be it alive or dead
    Remove {
        /// Its name or id
        #[arg(value_name = "MONITOR")]
        monitor: String,
    },
    /// Have the monitor that is talked to leave its group
    Leave,
    /// Have the monitor that is talked to join the group of others; it must have no settings
    Join {
        /// Monitors of that group: their --raft-bind or --http-bind
        #[arg(value_name = "HOST:PORT", required = true)]
        addresses: Vec<String>,
    },
}
