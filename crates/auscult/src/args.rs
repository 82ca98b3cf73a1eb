//! The command line as clap reads it: every flag, its variable, its default, its sentence of help.

mod alerts;
mod cluster;
mod demo;
mod health;
mod history;
mod member;
mod metric;
mod serve;
mod settings;
mod sim;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use auscult_agent::keys::KeyId;
use clap::{ArgGroup, Parser, Subcommand, ValueEnum};

use crate::commands::{self, JoinArgs, NodeArgs};

pub(crate) use alerts::{AlertsArgs, AlertsCommand};
pub(crate) use cluster::{ClusterArgs, ClusterCommand};
pub(crate) use demo::{DemoArgs, DemoCommand, DemoMetricsArgs};
pub(crate) use health::{HealthArgs, HealthCommand};
pub(crate) use history::{
    HistoryArgs, HistoryCommand, HistoryOutput, PastArgs, RecordArgs, ReplayArgs,
};
pub(crate) use member::MemberArgs;
pub(crate) use metric::{LogMetricArgs, MetricArgs, MetricCommand};
pub(crate) use serve::{GroupArgs, ServeArgs, UdpBind};
pub(crate) use settings::{ApplyArgs, SettingsArgs, SettingsCommand};
pub(crate) use sim::{
    RapidExperiment, SimArgs, SimCommand, SimLifeguardArgs, SimRapidArgs, SimRunArgs, SimSwimArgs,
    SwimExperiment,
};

/// The end of `auscult help`.
const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  the answer is no: the configuration is bad, or no such thing is there
  2  the command line is wrong
  3  no monitor or agent answers
  4  it refused, and says why
  5  the server or agent cannot start or go on: port or data folder in use, disk full

Environment:
  AUSCULT_URL   the monitor or agent that client commands talk to
  AUSCULT_TOKEN the token that client commands show, where the API needs one
  AUSCULT_AUTHOR
                who is said to make a change, in the history [default: USER]
  HTTP_BIND, UDP_BIND, DATA_DIR, AUSCULT_CONFIG, LOG_FORMAT, RAFT_BIND,
  RAFT_ADVERTISE, JOIN, BOOTSTRAP, AUSCULT_MONITOR_NAME
                as the flags of the same meaning of 'auscult serve'
  AUSCULT_NAME, AUSCULT_BIND, AUSCULT_ADVERTISE, AUSCULT_JOIN, AUSCULT_LABEL,
  AUSCULT_KEY_FILE, AUSCULT_DIRECT_LIMIT, AUSCULT_SNAPSHOT, AUSCULT_PROFILE, HTTP_BIND
                as the flags of the same meaning of 'auscult agent'
  RUST_LOG      what is logged, for example 'debug' or 'auscult_monitor=debug,info'
  NO_COLOR      set to anything: no colours

Results go to stdout, logs and errors to stderr.";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "auscult",
    version,
    about = "Tells, quickly and rarely wrongly, which processes are alive.",
    long_about = "Tells, quickly and rarely wrongly, which processes are alive.\n\n\
        Start with 'auscult demo': ten simulated servers and a monitor that listens to them.",
    after_help = AFTER_HELP,
    disable_help_subcommand = false,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch the targets of a file: checks, heartbeats, metrics, REST and a page
    Serve(ServeArgs),
    /// Ten simulated servers and a monitor in one process: the first thing to try
    Demo(DemoArgs),
    /// Be a member of a group: find the others, tell who joins, fails and leaves
    Agent(Box<AgentArgs>),
    /// Let a program that is no member join over gRPC, and print who is there
    Join(JoinArgs),
    /// Groups of members in virtual time: play a story, or a history of faults from a seed
    Sim(SimArgs),
    /// Make, install, use and remove the keys of a whole cluster, without a message lost
    Keys(KeysArgs),
    /// Simulated servers that answer GET /heartbeat and misbehave on demand
    Pulser(PulserArgs),
    /// List, read, add, remove, pause and resume the targets of a running monitor
    Targets(TargetsArgs),
    /// Show the monitors that share settings, and change who they are and who leads
    Cluster(ClusterArgs),
    /// Make what all monitors share as a file says, or show what that would change
    Apply(ApplyArgs),
    /// Read what all monitors share, who changed it and when; make tokens
    Settings(SettingsArgs),
    /// Show the members of a group as an agent knows them, and who hears whom
    Members(MembersArgs),
    /// Show what people are told, acknowledge and silence it, try receivers
    Alerts(AlertsArgs),
    /// Show the metrics that peers publish, and which failed of late
    Health(HealthArgs),
    /// Publish a metric with a time to live, or forget those of a peer
    Metric(MetricArgs),
    /// Print what happened, and with --follow what happens
    Events(EventsArgs),
    /// Show the past of a target: availability, transitions, a picture; export it
    History(HistoryArgs),
    /// Record the raw arrivals of targets, to be judged again
    Record(RecordArgs),
    /// Judge recorded arrivals again, with the same or other thresholds
    Replay(ReplayArgs),
    /// Send a heartbeat to a running monitor: for cron jobs, scripts and tests
    Heartbeat(HeartbeatArgs),
    /// Read a configuration file and say everything that is wrong with it
    CheckConfig(CheckConfigArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One readable line per entry
    Text,
    /// One JSON object per line
    Json,
}

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Aligned columns for people
    Table,
    /// What the monitor's REST answers: one document, or one object per line for events
    Json,
}

/// Logging flags of the commands that run on.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// How logs on stderr look
    #[arg(long, value_enum, env = "LOG_FORMAT", default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

const PULSER_EXAMPLES: &str = "\
Examples:
  auscult pulser                                  # one at http://127.0.0.1:8081/heartbeat
  auscult pulser --count 10                       # ten, at the ports 8081 to 8090
  curl -X POST localhost:8081/control -d '{\"delay\":10}'     # answers after 10 s
  curl -X POST localhost:8081/control -d '{\"status\":503}'   # answers 'unavailable'
  curl -X POST localhost:8081/control -d '{\"drop\":0.3}'     # closes 30 % without an answer
  curl localhost:8081/control                     # how it behaves now";

/// `auscult pulser`.
#[derive(Debug, clap::Args)]
#[command(after_help = PULSER_EXAMPLES)]
pub(crate) struct PulserArgs {
    /// The address to serve on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub(crate) bind: std::net::IpAddr,
    /// The port of the first one; the others follow. 0: free ones
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub(crate) first_port: u16,
    /// How many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) count: u16,
    /// Seconds to wait before each answer, at first
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub(crate) delay: f64,
    /// The status code of the answers, at first
    #[arg(long, value_name = "CODE", default_value_t = 200)]
    pub(crate) status: u16,
    /// The fraction of requests that are closed without an answer, at first
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    pub(crate) drop: f64,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

const AGENT_EXAMPLES: &str = "\
Examples:
  auscult agent --name web-1 --bind 127.0.0.1:7946 --http 127.0.0.1:8000
  auscult agent --name web-2 --bind 127.0.0.1:7947 --join 127.0.0.1:7946
  auscult agent --join seed.internal:7946 --label shop --key-file shop.keys \\
      --snapshot /var/lib/auscult/agent.snapshot
  NODE_ID=1 MEMBERS=localhost:50051,localhost:50052 auscult agent     # a numbered member
  auscult members                     # what the agent at 127.0.0.1:8000 knows

Signals:
  SIGTERM, SIGINT  leave the group within 2 s (exit code 0); a second one stops at once";

/// `auscult agent`.
#[derive(Debug, clap::Args)]
#[command(after_help = AGENT_EXAMPLES)]
pub(crate) struct AgentArgs {
    /// The name of this member, unique in its group [default: the name of the machine]
    #[arg(long, env = "AUSCULT_NAME")]
    pub(crate) name: Option<String>,
    /// Where to listen, over UDP and TCP; port 0 takes a free one [default: 127.0.0.1:7946]
    #[arg(
        long,
        value_name = "ADDR[:PORT]",
        env = "AUSCULT_BIND",
        value_parser = commands::bind_addr
    )]
    pub(crate) bind: Option<SocketAddr>,
    /// Where others reach this member [default: where it listens]
    #[arg(
        long,
        value_name = "ADDR[:PORT]",
        env = "AUSCULT_ADVERTISE",
        value_parser = commands::bind_addr
    )]
    pub(crate) advertise: Option<SocketAddr>,
    /// A member to join through; may be repeated. Asked again until one lets us in
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        env = "AUSCULT_JOIN",
        value_delimiter = ',',
        value_parser = commands::seed
    )]
    pub(crate) join: Vec<String>,
    /// The name of the group: members of another one are refused
    #[arg(long, env = "AUSCULT_LABEL", default_value = "default")]
    pub(crate) label: String,
    /// The keys of the cluster, one a line; the first one seals what is said, all of them open it
    #[arg(long, value_name = "FILE", env = "AUSCULT_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Also talk with members that have no key yet: while a running cluster gets its first one
    #[arg(long, requires = "key_file")]
    pub(crate) accept_plain: bool,
    /// Members up to which all exchange direct heartbeats; above it, each is probed by one other.
    /// 0: never [default: as the profile says]
    #[arg(long, value_name = "MEMBERS", env = "AUSCULT_DIRECT_LIMIT")]
    pub(crate) direct_limit: Option<usize>,
    /// Keeps the incarnation and the addresses of others over restarts, in this file
    #[arg(long, value_name = "FILE", env = "AUSCULT_SNAPSHOT")]
    pub(crate) snapshot: Option<PathBuf>,
    /// How far members are from each other, which decides intervals and time-outs
    #[arg(long, value_enum, env = "AUSCULT_PROFILE", default_value_t = Profile::Lan)]
    pub(crate) profile: Profile,
    /// Serves members, links, events and metrics there; without it nothing is served
    #[arg(long, value_name = "ADDR:PORT", env = "HTTP_BIND", value_parser = socket_addr)]
    pub(crate) http: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

const KEYS_EXAMPLES: &str = "\
Examples:
  auscult keys generate > cluster.key            # the first key; copy the file to every member
  auscult agent --key-file cluster.key

  auscult keys generate > new.key                # another one, while the cluster runs:
  auscult keys install new.key --key-file cluster.key      # 1. everybody can open it
  auscult keys use 5f3c10aa --key-file cluster.key         # 2. everybody seals with it
  auscult keys remove 9be01d42 --key-file cluster.key      # 3. nobody opens the old one

Each step is refused when a living member is not ready for it. Members keep their rings in their own
key files. One that was away meanwhile is refused with 'unknown_key': give it the file of another
member and start it again.";

/// `auscult keys`.
#[derive(Debug, clap::Args)]
#[command(after_help = KEYS_EXAMPLES)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Print a new key
    Generate,
    /// Show which keys every member has, and which one it seals with
    List {
        #[command(flatten)]
        cluster: ClusterKeysArgs,
    },
    /// Give every member another key to open with
    Install {
        /// A file with the key, or '-' for standard input
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        cluster: ClusterKeysArgs,
    },
    /// Have every member seal with a key that all have
    Use {
        /// What the key is called
        #[arg(value_name = "ID", value_parser = KeyId::parse)]
        id: KeyId,
        #[command(flatten)]
        cluster: ClusterKeysArgs,
    },
    /// Take a key that nobody seals with from every member
    Remove {
        /// What the key is called
        #[arg(value_name = "ID", value_parser = KeyId::parse)]
        id: KeyId,
        #[command(flatten)]
        cluster: ClusterKeysArgs,
    },
}

/// Flags of commands about the keys of a cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterKeysArgs {
    /// The member to talk to, where it listens
    #[arg(
        long,
        value_name = "ADDR[:PORT]",
        default_value = "127.0.0.1:7946",
        value_parser = commands::bind_addr
    )]
    pub(crate) agent: SocketAddr,
    /// The key file of a member
    #[arg(long, value_name = "FILE", env = "AUSCULT_KEY_FILE")]
    pub(crate) key_file: PathBuf,
    /// The name of the cluster
    #[arg(long, default_value = "default")]
    pub(crate) label: String,
    /// How the result looks
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// How far members of a group are from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// One machine
    Local,
    /// One network
    Lan,
    /// Several sites
    Wan,
}

/// Flags of every command that talks to a running monitor.
#[derive(Debug, clap::Args)]
pub(crate) struct ClientArgs {
    /// The monitor or agent to talk to
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "AUSCULT_URL",
        default_value = "http://127.0.0.1:8000"
    )]
    pub(crate) url: String,
    /// How results look
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// `auscult targets`.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: TargetsCommand,
}

const ADD_EXAMPLES: &str = "\
Examples:
  auscult targets add shop https://shop.example/healthz --interval 5s
  auscult targets add db tcp://db.internal:5432 --label team=data
  auscult targets add backup --push 24h
  auscult targets add shop --file shop.json
  echo '{\"url\":\"https://shop.example/\",\"http\":{\"expect_body\":\"cart\"}}' |
      auscult targets add shop --file -";

/// What to do with targets.
#[derive(Debug, Subcommand)]
pub(crate) enum TargetsCommand {
    /// List targets, worst first
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Read one target: status, evidence, signals
    Get {
        /// The target's name
        id: String,
    },
    /// Add a target, or with --replace change one
    Add(AddArgs),
    /// Forget targets that were added over the API
    Rm {
        /// The targets' names
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Stop judging targets; they keep their history
    Pause {
        /// The targets' names
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Judge paused targets again
    Resume {
        /// The targets' names
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// `auscult targets list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only those with this status: up, late, down, unknown or paused; may be repeated
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<String>,
    /// Only those with this label; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// Only those of this group
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only those whose name, group or labels contain this
    #[arg(short = 'q', long, value_name = "TEXT")]
    pub(crate) query: Option<String>,
}

/// `auscult targets add`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = ADD_EXAMPLES,
    override_usage = "auscult targets add [OPTIONS] <ID> <ADDRESS | --push [INTERVAL] | --file FILE>"
)]
#[command(group = ArgGroup::new("source").required(true).args(["address", "push", "file"]))]
pub(crate) struct AddArgs {
    /// The target's name
    pub(crate) id: String,
    /// Check this: http://host/path, https://host/path or tcp://host:port
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Wait for heartbeats instead, which come this often if it is known
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "")]
    pub(crate) push: Option<String>,
    /// Read the settings (JSON, as the API takes them) from a file, or with '-' from stdin
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["interval", "timeout", "group", "label"]
    )]
    pub(crate) file: Option<PathBuf>,
    /// How often to check [default: 1s]
    #[arg(long, value_name = "TIME", conflicts_with = "push")]
    pub(crate) interval: Option<String>,
    /// How long an answer may take [default: 10s]
    #[arg(long, value_name = "TIME", conflicts_with = "push")]
    pub(crate) timeout: Option<String>,
    /// The group to show it in
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// A label to give it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_value)]
    pub(crate) label: Vec<(String, String)>,
    /// Replace the target of that name, if there is one
    #[arg(long)]
    pub(crate) replace: bool,
}

const MEMBERS_EXAMPLES: &str = "\
Examples:
  auscult members                     # who is there
  auscult members --watch             # and again whenever something happens
  auscult members links               # who hears whom
  auscult members get web-2           # one, with the evidence against it
  auscult members --url 10.0.0.7:8000 --state suspect,dead --output json";

/// `auscult members`.
#[derive(Debug, clap::Args)]
#[command(after_help = MEMBERS_EXAMPLES)]
pub(crate) struct MembersArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// Only those with this state: alive, suspect, dead or left; may be repeated
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) state: Vec<String>,
    /// Show them again whenever something happens, until Ctrl-C
    #[arg(short, long)]
    pub(crate) watch: bool,
    #[command(subcommand)]
    pub(crate) command: Option<MembersCommand>,
}

/// What to do with members.
#[derive(Debug, Subcommand)]
pub(crate) enum MembersCommand {
    /// Who hears whom: every live member is asked
    Links,
    /// Read one member, with the evidence if it is suspected
    Get {
        /// The member's name
        name: String,
    },
    /// Exchange direct heartbeats with members, however large the group is
    Watch {
        /// The members' names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// End that
    Unwatch {
        /// The members' names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// `auscult events`.
#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// Go on with what happens, until Ctrl-C; reconnects without a gap
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only events after the one with this number; 0: from the oldest one kept
    #[arg(long, value_name = "ID")]
    pub(crate) since: Option<u64>,
    /// How many at most, before --follow goes on [default: the newest 20; with --since all]
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// Only events of this target, or of this member
    #[arg(long, visible_alias = "member", value_name = "NAME")]
    pub(crate) target: Option<String>,
}

const HEARTBEAT_EXAMPLES: &str = "\
Examples:
  auscult heartbeat backup                       # at the end of a cron job
  auscult heartbeat worker-7 --every 1s          # as long as it runs
  auscult heartbeat worker-7 --udp 127.0.0.1:8000";

/// `auscult heartbeat`.
#[derive(Debug, clap::Args)]
#[command(after_help = HEARTBEAT_EXAMPLES)]
pub(crate) struct HeartbeatArgs {
    /// The target that is alive
    pub(crate) id: String,
    /// The signal of the target [default: its first]
    #[arg(long, value_name = "NAME")]
    pub(crate) signal: Option<String>,
    /// The monitor to tell, over HTTP
    #[arg(
        long,
        value_name = "URL",
        env = "AUSCULT_URL",
        default_value = "http://127.0.0.1:8000"
    )]
    pub(crate) url: String,
    /// Tell it over UDP instead, here; nobody answers, so a loss is not noticed
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) udp: Option<String>,
    /// Go on, one per this time, until Ctrl-C
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) every: Option<Duration>,
}

/// `auscult check-config`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckConfigArgs {
    /// The file (YAML), or '-' for stdin
    pub(crate) file: PathBuf,
}

/// `auscult completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  auscult completions bash > /etc/bash_completion.d/auscult")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

pub(crate) fn socket_addr(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    if text.parse::<u16>().is_ok() {
        return Err(format!("an address is missing: say 127.0.0.1:{text}"));
    }
    if let Some(port) = text.strip_prefix(':') {
        return Err(format!(
            "an address is missing: say 127.0.0.1:{port}, or 0.0.0.0:{port} for every interface"
        ));
    }
    if !text.contains(':') {
        return Err(format!("a port is missing: say {text}:8000"));
    }
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| format!("not an address and port such as 127.0.0.1:8000 ({error})"))?;
    found
        .next()
        .ok_or_else(|| "that name has no address".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = "not a time such as 500ms, 30s, 5m or 1h30m";
    let span: jiff::SignedDuration = text.parse().map_err(|_| expected.to_owned())?;
    match Duration::try_from(span) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err("must be above 0".into()),
    }
}

fn name_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("not of the form NAME=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn an_address_that_lacks_a_part_says_which() {
        check_address("8000", "an address is missing");
        check_address(":8000", "0.0.0.0:8000");
        check_address("127.0.0.1", "a port is missing");
        assert_eq!(socket_addr("[::1]:9"), Ok("[::1]:9".parse().unwrap()));
        assert!(socket_addr("localhost:9").is_ok());
    }

    fn check_address(text: &str, says: &str) {
        let error = socket_addr(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("1h30m", 5_400_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
        }
        for text in ["", "30", "0s", "-1s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
