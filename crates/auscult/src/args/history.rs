//! The arguments of `auscult history`, `auscult record` and `auscult replay`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  auscult history web-1                          # the last day: availability and transitions
  auscult history web-1 --window 30d --slo 99.95
  auscult history web-1 --window 6h --plot web-1.svg
  auscult history web-1 --output csv > web-1.csv
  auscult history export web-1 --to http://127.0.0.1:9090/api/v1/write
  auscult history export web-1 db --window 30d --to history.snappy";

/// `auscult history`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct HistoryArgs {
    /// The target
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) past: PastArgs,
    /// Percent of the time that it shall be there
    #[arg(long, value_name = "PERCENT", default_value_t = 99.9)]
    pub(crate) slo: f64,
    /// How the result looks
    #[arg(short, long, value_enum, default_value_t = HistoryOutput::Table)]
    pub(crate) output: HistoryOutput,
    /// Draws status, level and response time, with every transition, into this file
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<HistoryCommand>,
}

/// Which past is asked for, and of whom.
#[derive(Debug, clap::Args)]
pub(crate) struct PastArgs {
    /// The monitor to talk to
    #[arg(
        long,
        value_name = "URL",
        env = "AUSCULT_URL",
        default_value = "http://127.0.0.1:8000"
    )]
    pub(crate) url: String,
    /// How far back: 1h, 7d, 30d
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    pub(crate) window: String,
    /// The length of a roll-up: 10s, 5m or 1h [default: what gives at most 1000 of them]
    #[arg(long, value_name = "LENGTH", value_parser = ["10s", "5m", "1h"])]
    pub(crate) resolution: Option<String>,
}

/// How the past looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryOutput {
    /// A summary and the transitions, for people
    Table,
    /// One document: transitions and roll-ups
    Json,
    /// The roll-ups, a line each
    Csv,
}

/// What else to do with the past.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Write roll-ups in the remote-write format of Prometheus, to a file or to a URL
    Export {
        /// The targets
        #[arg(required = true)]
        targets: Vec<String>,
        #[command(flatten)]
        past: PastArgs,
        /// A file, or the URL of a receiver: http://HOST:9090/api/v1/write
        #[arg(long, value_name = "FILE|URL")]
        to: String,
    },
}

const RECORD_EXAMPLES: &str = "\
Examples:
  auscult record --targets web-1,db --out trace.auscult --for 60s
  auscult replay trace.auscult                    # the verdicts anew
  auscult replay trace.auscult --down 12          # with another threshold";

/// `auscult record`.
#[derive(Debug, clap::Args)]
#[command(after_help = RECORD_EXAMPLES)]
pub(crate) struct RecordArgs {
    /// The monitor to talk to
    #[arg(
        long,
        value_name = "URL",
        env = "AUSCULT_URL",
        default_value = "http://127.0.0.1:8000"
    )]
    pub(crate) url: String,
    /// The targets whose arrivals are recorded
    #[arg(long, required = true, value_delimiter = ',', value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// For how long [default: until it is interrupted]
    #[arg(long = "for", value_name = "SPAN")]
    pub(crate) span: Option<String>,
}

/// `auscult replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = RECORD_EXAMPLES)]
pub(crate) struct ReplayArgs {
    /// What `auscult record` wrote
    pub(crate) file: PathBuf,
    /// Another threshold for late [default: as recorded]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) late: Option<f64>,
    /// Another threshold for down [default: as recorded]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) down: Option<f64>,
    /// How the result looks
    #[arg(short, long, value_enum, default_value_t = super::Output::Table)]
    pub(crate) output: super::Output,
}
