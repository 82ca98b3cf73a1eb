//! What `auscult agent` does over gRPC: the numbered members of the demonstrator (`NODE_ID`,
//! `MEMBERS`), the transport for networks where only HTTP/2 passes, and certificates.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use auscult_agent::grpc::node::{self, NodeId};
use auscult_agent::grpc::{self, DoorsConfig, JoinRefused, Newcomer, Speech, Tls};
use auscult_agent::{AgentConfig, Transport};
use clap::ValueEnum;

use crate::args::LogArgs;
use crate::exit::{Exit, Stop};
use crate::logging;

/// Flags of `auscult agent` about gRPC.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "gRPC")]
pub(crate) struct NodeArgs {
    /// Be the member with this number, 1 to 10: called node1 to node10, talking over gRPC at port
    /// 50050 + ID and serving swim.Dissemination at 50060 + ID. Without ID, asks at the terminal
    #[arg(long, value_name = "ID", env = "NODE_ID", num_args = 0..=1, default_missing_value = "")]
    node_id: Option<String>,
    /// The addresses of all numbered members, this one's included
    /// [default: localhost:50051 to localhost:50055]
    #[arg(long, value_name = "HOST:PORT,...", env = "MEMBERS")]
    members: Option<String>,
    /// What carries the messages of members [default: sockets; grpc for a numbered member]
    #[arg(long, value_enum)]
    transport: Option<TransportArg>,
    /// Serve swim.FailureDetector here to programs that are no members [default: where a numbered
    /// member listens; nowhere for others]
    #[arg(long, value_name = "ADDR:PORT", value_parser = crate::args::socket_addr)]
    detector_bind: Option<SocketAddr>,
    /// Serve swim.Dissemination here [default: see --node-id; nowhere for others]
    #[arg(long, value_name = "ADDR:PORT", value_parser = crate::args::socket_addr)]
    dissemination_bind: Option<SocketAddr>,
    #[command(flatten)]
    tls: TlsArgs,
}

/// What carries the messages of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TransportArg {
    /// UDP and TCP
    Sockets,
    /// gRPC, where only HTTP/2 passes; all members must do the same
    Grpc,
}

/// Certificates for gRPC.
#[derive(Debug, clap::Args)]
pub(crate) struct TlsArgs {
    /// This member's certificate (PEM): then everybody who calls over gRPC must show one, too
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_ca"])]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The authority that signed the certificates of all (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,
    /// The name in the certificates of the others [default: the host or address that is dialled]
    #[arg(long, value_name = "NAME", requires = "tls_cert")]
    tls_name: Option<String>,
}

impl TlsArgs {
    pub(crate) fn read(&self) -> Result<Option<Tls>, Stop> {
        let (Some(certificate), Some(key), Some(authority)) =
            (&self.tls_cert, &self.tls_key, &self.tls_ca)
        else {
            return Ok(None);
        };
        let tls = Tls::read(certificate, key, authority).map_err(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            Stop::new(
                Exit::Cannot,
                format!("{error}: {}", why.unwrap_or_default()),
            )
        })?;
        Ok(Some(match &self.tls_name {
            Some(name) => tls.expecting(name),
            None => tls,
        }))
    }
}

/// What other flags of `auscult agent` say, where they say something.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) bind: Option<SocketAddr>,
    pub(crate) direct_limit: Option<usize>,
}

/// Changes how an agent is to be started.
pub(crate) async fn apply(
    args: &NodeArgs,
    said: &Said<'_>,
    config: &mut AgentConfig,
) -> Result<(), Stop> {
    config.tls = args.tls.read()?;
    config.transport = match args.transport {
        Some(TransportArg::Grpc) => Transport::Grpc,
        Some(TransportArg::Sockets) => Transport::Sockets,
        None if args.is_numbered() => Transport::Grpc,
        None => Transport::Sockets,
    };
    if args.is_numbered() {
        return number(args, said, config).await;
    }
    if args.detector_bind.is_some() || args.dissemination_bind.is_some() {
        config.doors = Some(DoorsConfig {
            node: config.name.to_string(),
            detector: args.detector_bind,
            dissemination: args.dissemination_bind,
            members: Vec::new(),
            sentences: Speech::Silent,
        });
    }
    Ok(())
}

impl NodeArgs {
    fn is_numbered(&self) -> bool {
        self.node_id.is_some() || self.members.is_some()
    }
}

async fn number(args: &NodeArgs, said: &Said<'_>, config: &mut AgentConfig) -> Result<(), Stop> {
    let usage = |error: String| Stop::new(Exit::Usage, error);
    let id = match args.node_id.as_deref() {
        Some(text) if !text.trim().is_empty() => text.to_owned(),
        Some(_) | None => ask_id()?,
    };
    let id = NodeId::parse(&id).map_err(|error| usage(format!("NODE_ID: {error}")))?;
    let members = match args
        .members
        .as_deref()
        .filter(|list| !list.trim().is_empty())
    {
        Some(list) => {
            node::parse_members(list).map_err(|error| usage(format!("MEMBERS: {error}")))?
        }
        None => node::default_members(),
    };
    if said.name.is_none() {
        config.name = id.name().map_err(|error| usage(error.to_string()))?;
    }
    let ip: IpAddr;
    let others;
    if let Some(bind) = said.bind {
        ip = bind.ip();
        others = members.clone();
    } else {
        let place = node::place(id, &members).await.map_err(usage)?;
        ip = place.bind;
        others = place.others;
        config.bind = SocketAddr::new(ip, id.detector_port());
        let reached = SocketAddr::new(place.advertise, id.detector_port());
        config.advertise = config.advertise.or(Some(reached));
    }
    config.join.extend(others);
    // The demonstrator pings, at every size, and its log says so.
    config.params.direct_limit = said.direct_limit.unwrap_or(0);
    let detector = match config.transport {
        Transport::Grpc => args.detector_bind,
        Transport::Sockets => {
            let at = SocketAddr::new(ip, id.detector_port());
            Some(args.detector_bind.unwrap_or(at))
        }
    };
    let at = SocketAddr::new(ip, id.dissemination_port());
    config.doors = Some(DoorsConfig {
        node: id.to_string(),
        detector,
        dissemination: Some(args.dissemination_bind.unwrap_or(at)),
        members,
        sentences: Speech::Spoken,
    });
    Ok(())
}

/// Asks at the terminal, as the demonstrator does.
fn ask_id() -> Result<String, Stop> {
    let no_id = || {
        Stop::new(
            Exit::Usage,
            "NODE_ID is not set, and there is no terminal to ask at",
        )
    };
    if !io::stdin().is_terminal() {
        return Err(no_id());
    }
    let mut out = io::stdout().lock();
    write!(out, "Enter node ID: ")?;
    out.flush()?;
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(bytes) if bytes > 0 => Ok(line),
        Ok(_) | Err(_) => Err(no_id()),
    }
}

const JOIN_EXAMPLES: &str = "\
Examples:
  auscult join --id 6 --address localhost:50056 --bootstrap localhost:50061
  MEMBERS=$(NEW_NODE_ID=6 NEW_NODE_ADDRESS=node6:50056 BOOTSTRAP_ADDRESS=node1:50061 auscult join)

The member that is asked pings the program at the address from then on (swim.FailureDetector), and tells
it of failures (swim.Dissemination). Only the list goes to stdout.";

/// `auscult join`.
#[derive(Debug, clap::Args)]
#[command(after_help = JOIN_EXAMPLES)]
pub(crate) struct JoinArgs {
    /// What others are to call the program
    #[arg(long, env = "NEW_NODE_ID", default_value = "6")]
    id: String,
    /// Where the program serves swim.FailureDetector
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "NEW_NODE_ADDRESS",
        default_value = "node6:50056"
    )]
    address: String,
    /// Where a member serves swim.Dissemination
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "BOOTSTRAP_ADDRESS",
        default_value = "localhost:50061"
    )]
    bootstrap: String,
    /// What that member is called in the log
    #[arg(
        long,
        value_name = "ID",
        env = "BOOTSTRAP_NODE_ID",
        default_value = "1"
    )]
    bootstrap_id: String,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// Joins in the name of a program, and prints who is there.
pub(crate) async fn join(args: &JoinArgs) -> Result<(), Stop> {
    logging::start(&args.log, "info")?;
    let tls = args.tls.read()?;
    let newcomer = Newcomer {
        id: args.id.clone(),
        address: args.address.clone(),
        bootstrap_address: args.bootstrap.clone(),
        bootstrap_id: args.bootstrap_id.clone(),
    };
    let list = grpc::join(&newcomer, tls.as_ref(), Speech::Spoken).await;
    let list = list.map_err(|error| {
        let silent = matches!(error, JoinRefused::Silent(_));
        let exit = if silent {
            Exit::Unreachable
        } else {
            Exit::Refused
        };
        Stop::new(
            exit,
            format!("cannot join through {}: {error}", args.bootstrap),
        )
    })?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", list.join(","))?;
    Ok(out.flush()?)
}
