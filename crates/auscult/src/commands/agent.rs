//! `auscult agent`: a member of a group, until told to leave.

use std::io::{self, ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use auscult_agent::events::{LoggedEvent, Reading};
use auscult_agent::http::stop::{Stop as Closing, Stopper};
use auscult_agent::http::{AgentState, Company, serve_agent};
use auscult_agent::keys::{KeyRing, Plain};
use auscult_agent::{Agent, AgentConfig, AgentEvent, AgentHandle, Ending, RecordError, StartError};
use auscult_core::swim::{Label, MemberName, Params};
use tokio::net::TcpListener;

use super::node;
use crate::args::{AgentArgs, LogFormat, Profile};
use crate::commands::Interrupts;
use crate::exit::{self, Exit, Stop};
use crate::logging;

pub(crate) async fn run(args: &AgentArgs) -> Result<(), Stop> {
    let mut interrupts = Interrupts::install()?;
    logging::start(&args.log, "info")?;
    let mut config = config(args)?;
    let said = node::Said {
        name: args.name.as_deref(),
        bind: args.bind,
        direct_limit: args.direct_limit,
    };
    node::apply(&args.node, &said, &mut config).await?;
    // Bound first: an agent that cannot be asked should not have joined.
    let http = match args.http {
        Some(addr) => Some(listen(addr).await?),
        None => None,
    };
    let company = match config.join.as_slice() {
        [] => Company::Unexpected,
        [..] => Company::Expected,
    };
    let agent = Agent::start(config).await.map_err(|error| stop(&error))?;
    let (name, address) = (agent.name(), agent.address());
    let lines = Lines(args.log.log_format);
    let up = format!("member {name} is up at {address}");
    lines.say("up", name, &up, None).await?;
    let mut closer = None;
    if let Some(listener) = http {
        let addr = listener.local_addr()?;
        closer = Some(serve(listener, &agent, company));
        let text = format!("members, events and metrics at http://{addr}/v1/members");
        lines.say("http", name, &text, None).await?;
    }
    let told = tokio::select! {
        told = tell(&agent, lines) => told,
        () = interrupts.next() => Ok(()),
        ending = agent.stopped() => has_left(ending),
    };
    interrupts.then_exit_at_once();
    // Whoever is not heard in that time is found out by the others.
    let _silent = tokio::time::timeout(LEAVE_TIME, agent.leave()).await;
    drop(closer);
    told
}

/// Whether an agent that stopped was asked to.
fn has_left(ending: Ending) -> Result<(), Stop> {
    match ending {
        Ending::Left | Ending::Shutdown => Ok(()),
        Ending::NameLost(address) => {
            let message = format!(
                "another process at {address} runs as a member with the same name, so this one has \
                 given it up; give each member a name of its own (--name), or stop the other one \
                 first"
            );
            Err(Stop::new(Exit::Cannot, message))
        }
        Ending::Fault(text) => {
            let message = format!(
                "the member has stopped, as there is a fault in this program: {text}; the others \
                 will find it dead. Please report this, and start it again"
            );
            Err(Stop::new(Exit::Cannot, message))
        }
    }
}

async fn listen(addr: SocketAddr) -> Result<TcpListener, Stop> {
    let bound = TcpListener::bind(addr).await;
    bound.map_err(|error| {
        let why = exit::in_words(&error);
        let message = format!("{addr} cannot be used: {why}; choose another address with --http");
        Stop::new(Exit::Cannot, message)
    })
}

/// Serves what the agent knows, until what is returned is dropped.
fn serve(listener: TcpListener, agent: &AgentHandle, company: Company) -> Stopper {
    let (closer, closing) = Closing::channel();
    let state = AgentState::new(agent.clone(), company, closing);
    tokio::spawn(serve_agent(listener, state));
    closer
}

/// Prints what happens, for ever.
async fn tell(agent: &AgentHandle, lines: Lines) -> Result<(), Stop> {
    let mut reader = agent.events().read_from_start();
    loop {
        match reader.next().await {
            Reading::Event(logged) => {
                let (kind, text) = (logged.event.as_str(), &logged.text);
                let about = logged.event.of_member();
                let member = about.map_or(agent.name(), |event| &event.member);
                lines.say(kind, member, text, Some(&logged)).await?;
            }
            Reading::Lagged(count) => {
                let text = format!("lagged {count}");
                lines.say("lagged", agent.name(), &text, None).await?;
            }
            Reading::OtherRun => {}
        }
    }
}

/// Writes a line for each event to stdout.
#[derive(Clone, Copy)]
struct Lines(LogFormat);

impl Lines {
    /// Returns when the line is written. Whoever does not read it holds up a thread of its own, and
    /// not the member.
    async fn say(
        self,
        kind: &'static str,
        member: &MemberName,
        text: &str,
        logged: Option<&LoggedEvent<AgentEvent>>,
    ) -> io::Result<()> {
        let line = match self.0 {
            LogFormat::Text => text.to_owned(),
            LogFormat::Json => serde_json::to_string(&Line {
                id: logged.map(|logged| logged.id),
                at: logged.map(|logged| logged.at.to_string()),
                event: kind,
                member: member.as_str(),
                text,
            })?,
        };
        let written = tokio::task::spawn_blocking(move || {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()
        });
        written
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// What `--log-format json` prints.
#[derive(serde::Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    event: &'static str,
    member: &'a str,
    text: &'a str,
}

fn config(args: &AgentArgs) -> Result<AgentConfig, Stop> {
    let usage = |flag: &str, error: &dyn std::fmt::Display| {
        Stop::new(Exit::Usage, format!("--{flag}: {error}"))
    };
    let label = Label::new(&args.label).map_err(|error| usage("label", &error))?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => host_name()?,
    };
    let name = MemberName::new(&name).map_err(|error| usage("name", &error))?;
    let mut params = match args.profile {
        Profile::Local => Params::local(label),
        Profile::Lan => Params::lan(label),
        Profile::Wan => Params::wan(label),
    };
    if let Some(limit) = args.direct_limit {
        params.direct_limit = limit;
    }
    let mut config = AgentConfig::new(name, args.bind.unwrap_or(BIND), params);
    config.advertise = args.advertise;
    config.join.clone_from(&args.join);
    config.snapshot.clone_from(&args.snapshot);
    config.keys = match &args.key_file {
        None => None,
        Some(file) => Some(key_ring(file, plain(args))?),
    };
    Ok(config)
}

/// What becomes of what is not sealed.
const fn plain(args: &AgentArgs) -> Plain {
    if args.accept_plain {
        Plain::Accepted
    } else {
        Plain::Refused
    }
}

fn key_ring(file: &Path, plain: Plain) -> Result<KeyRing, Stop> {
    let ring = KeyRing::load(file).map_err(|error| Stop::new(Exit::No, error.to_string()))?;
    if plain == Plain::Accepted {
        tracing::warn!(
            "what is not sealed is accepted: anybody who reaches this port can speak for members. \
             Start again without --accept-plain when all members have the key"
        );
    }
    Ok(ring.with_plain(plain))
}

fn host_name() -> Result<String, Stop> {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = read.map_err(|_| Stop::new(Exit::Usage, "say who this is with --name"))?;
    Ok(name.trim().to_owned())
}

fn stop(error: &StartError) -> Stop {
    let mut message = error.to_string();
    if let StartError::Bind { source, .. } = error {
        let is_said = [ErrorKind::AddrInUse, ErrorKind::PermissionDenied];
        if is_said.contains(&source.kind()) {
            message += "; choose another address with --bind";
        } else if source.kind() != ErrorKind::AddrNotAvailable {
            message = format!("{message}: {}", exit::in_words(source));
        }
    } else if let StartError::Record(RecordError::Io { source, .. }) = error {
        message = format!("{message}: {}", exit::in_words(source));
    } else if let StartError::Record(RecordError::Name { .. } | RecordError::Label { .. }) = error {
        message += "; give each member a file of its own with --snapshot";
    }
    Stop::new(Exit::Cannot, message)
}

/// What `--join` takes: a member's host, with or without its port.
pub(crate) fn seed(text: &str) -> Result<String, String> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT).to_string());
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "7946"));
    let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
    let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == ':');
    if is_host && is_port {
        return Ok(format!("{host}:{port}"));
    }
    Err("not a host and a port such as seed.internal:7946".into())
}

/// What `--bind` takes: an address with or without a port.
pub(crate) fn bind_addr(text: &str) -> Result<SocketAddr, String> {
    if let Ok(ip) = text.parse() {
        return Ok(SocketAddr::new(ip, PORT));
    }
    text.parse()
        .map_err(|_| "not an address such as 127.0.0.1:7946".into())
}

/// Loopback: who wants to be heard by other machines says so.
const BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
/// The port that memberlist's users know.
const PORT: u16 = 7946;
const LEAVE_TIME: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::seed;

    #[test]
    fn a_seed_is_a_host_with_or_without_a_port() {
        for (text, taken) in [
            ("127.0.0.1:9", Some("127.0.0.1:9")),
            ("[::1]:9", Some("[::1]:9")),
            ("seed.internal:9", Some("seed.internal:9")),
            ("seed", Some("seed:7946")),
            ("10.0.0.7", Some("10.0.0.7:7946")),
            ("::1", Some("[::1]:7946")),
            ("", None),
            (":9", None),
            ("seed:", None),
            ("seed:0", None),
            ("seed:70000", None),
            ("a:b:9", None),
            ("http://seed:9", None),
            ("two seeds:9", None),
        ] {
            assert_eq!(seed(text).ok().as_deref(), taken, "{text:?}");
        }
    }
}
