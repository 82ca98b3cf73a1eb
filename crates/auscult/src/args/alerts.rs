//! The arguments of `auscult alerts`.

use clap::Subcommand;

use super::ClientArgs;

const EXAMPLES: &str = "\
Examples:
  auscult alerts list
  auscult alerts ack 67a73218db295aaef124e7024ebd2181 --comment 'looking'
  auscult alerts silence 'target=~db-*' env=prod --hours 2 --comment 'moving the database'
  auscult alerts test ops";

/// `auscult alerts`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AlertsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: AlertsCommand,
}

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// List alerts: those that are pending or fire, and with --all those that were over lately
    #[command(visible_alias = "ls")]
    List {
        /// Those that were over lately, too
        #[arg(long)]
        all: bool,
        /// Only those of this target or peer
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
    },
    /// Say that you look after alerts: nobody is reminded of them until they are over
    Ack {
        /// The alerts' ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Who you are
        #[arg(long, env = "USER", default_value = "somebody", hide_env_values = true)]
        by: String,
        /// What you want to say
        #[arg(long, default_value = "")]
        comment: String,
        /// Take it back: nobody looks after them any more
        #[arg(long)]
        withdraw: bool,
    },
    /// Tell nobody that alerts fire, for a while; that they are over is told
    Silence {
        /// Which: all must hold. label=value, label!=value, label=~shape* or label!~shape*
        #[arg(required = true, value_name = "CONDITION")]
        matchers: Vec<String>,
        /// For how long, in hours
        #[arg(long, default_value_t = 1.0, value_name = "HOURS")]
        hours: f64,
        /// Its name [default: one is made up]
        #[arg(long)]
        name: Option<String>,
        /// Who you are
        #[arg(long, env = "USER", default_value = "somebody", hide_env_values = true)]
        by: String,
        /// Why
        #[arg(long)]
        comment: String,
    },
    /// List silences
    Silences,
    /// End silences now
    Unsilence {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// List receivers and how they are doing
    Receivers,
    /// Send a receiver a message that says it is a test
    Test {
        /// The receiver's name
        receiver: String,
    },
}
