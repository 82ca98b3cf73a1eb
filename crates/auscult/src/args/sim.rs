//! The arguments of `auscult sim`.

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand, ValueEnum};

use super::Output;

/// `auscult sim`.
#[derive(Debug, clap::Args)]
pub(crate) struct SimArgs {
    #[command(subcommand)]
    pub(crate) command: SimCommand,
}

/// What to simulate.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Play a story that is written down, or a history of faults from a seed; checkers watch
    Run(SimRunArgs),
    /// Lifeguard's grid: members that are blocked, and who is convicted for it
    Lifeguard(SimLifeguardArgs),
    /// SWIM's experiments: 17 members at 10 % loss, and how soon a crash is found
    Swim(SimSwimArgs),
    /// Rapid's experiments: many join at once, and a hundredth is unwell
    Rapid(SimRapidArgs),
}

/// `auscult sim lifeguard`. The whole grid takes minutes for each setting.
#[derive(Debug, clap::Args)]
pub(crate) struct SimLifeguardArgs {
    /// Settings: swim, lha-probe, lha-suspicion, buddy, lifeguard, ours [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) setting: Vec<String>,
    /// How many members are blocked [default: the paper's 1 to 32]
    #[arg(long, value_delimiter = ',', value_name = "COUNT")]
    pub(crate) affected: Vec<usize>,
    /// For how long they are blocked, in milliseconds [default: the paper's 128 to 32768]
    #[arg(long, value_delimiter = ',', value_name = "MS")]
    pub(crate) spans: Vec<u64>,
    /// For how long they are let go between, in milliseconds [default: the paper's 1 to 16384]
    #[arg(long, value_delimiter = ',', value_name = "MS")]
    pub(crate) gaps: Vec<u64>,
    /// How long a member that was blocked takes to read a datagram, in microseconds [default:
    /// Serf's 50]
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) each: Option<u64>,
}

const SIM_SWIM_EXAMPLES: &str = "\
Examples:
  auscult sim swim --only joins --seeds 100 --minutes 60
  auscult sim swim --only joins --seeds 100 --minutes 10 --direct-limit 100
  auscult sim swim --only detection --crashes 1000";

/// `auscult sim swim`.
#[derive(Debug, clap::Args)]
#[command(after_help = SIM_SWIM_EXAMPLES)]
pub(crate) struct SimSwimArgs {
    /// One of the experiments [default: both]
    #[arg(long, value_enum)]
    pub(crate) only: Option<SwimExperiment>,
    /// How many groups of 17 are founded: the seeds from 0 on
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(crate) seeds: u32,
    /// For how long each of them is watched
    #[arg(long, default_value_t = 60)]
    pub(crate) minutes: u32,
    /// Up to how many members all send heartbeats to all; 0 for SWIM alone
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) direct_limit: u32,
    /// How many members crash, with each order of probes
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) crashes: u32,
}

/// What SWIM's authors measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SwimExperiment {
    /// 17 members join while a tenth of all datagrams is lost
    Joins,
    /// How soon a crash is found
    Detection,
}

const SIM_RAPID_EXAMPLES: &str = "\
Examples:
  auscult sim rapid --members 2000 --only bootstrap
  auscult sim rapid --members 1000 --only dissemination --times 100
  auscult sim rapid --only egress-loss,flip-flop --seconds 300";

/// `auscult sim rapid`.
#[derive(Debug, clap::Args)]
#[command(after_help = SIM_RAPID_EXAMPLES)]
pub(crate) struct SimRapidArgs {
    /// Some of the experiments [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    pub(crate) only: Vec<RapidExperiment>,
    /// How many members
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(100..=10_000))]
    pub(crate) members: u16,
    /// How many join at a time, a second after each other; 0 for all at once
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) wave: u16,
    /// For how many seconds a hundredth is unwell
    #[arg(long, default_value_t = 120)]
    pub(crate) seconds: u32,
    /// How often news is told to all
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(crate) times: u32,
}

/// What Rapid's authors measured, and how news spreads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RapidExperiment {
    /// Many join
    Bootstrap,
    /// One goodbye is told to all
    Dissemination,
    /// A hundredth crashes
    Crash,
    /// Four fifths of what a hundredth sends is lost
    EgressLoss,
    /// What is sent to a hundredth is lost every other 20 s
    FlipFlop,
}

const SIM_RUN_EXAMPLES: &str = "\
Examples:
  auscult sim run crates/auscult-sim/scenarios/partition.txt
  auscult sim run partition.txt --trace             # and all that is said
  auscult sim run partition.txt --seed 7            # the same story by another chance
  auscult sim run --seed 3053                       # a history of faults from a seed
  auscult sim run --seed 1 --members 25 --minutes 10
  for seed in $(seq 100); do auscult sim run --seed $seed || break; done

A story:
  members m 10                # m0 to m9, which know each other when it begins
  5s crash m7
  5s expect within 8s m7 dead at all
  20s end

Exit code 1: something was not as expected, or a checker found something.";

/// `auscult sim run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = SIM_RUN_EXAMPLES,
    group(ArgGroup::new("what").args(["file", "seed"]).multiple(true).required(true))
)]
pub(crate) struct SimRunArgs {
    /// The story, or '-' for stdin
    pub(crate) file: Option<PathBuf>,
    /// Decides everything that happens by chance; without a story, what happens at all
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Without a story: how many members [default: the seed decides, 2 to 40]
    #[arg(
        long,
        value_name = "COUNT",
        conflicts_with = "file",
        value_parser = clap::value_parser!(u16).range(2..=10_000)
    )]
    pub(crate) members: Option<u16>,
    /// Without a story: for how long things go wrong [default: the seed decides]
    #[arg(long, conflicts_with = "file", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) minutes: Option<u16>,
    /// Prints what is done and what members say, a line each
    #[arg(long)]
    pub(crate) trace: bool,
    /// Turns every message into bytes and back: slower, and the same happens
    #[arg(long)]
    pub(crate) codec: bool,
    /// How the result looks
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}
