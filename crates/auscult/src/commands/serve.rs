//! `auscult serve`: the monitor, until told to stop.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use auscult_monitor::etcd::NoPlace;
use auscult_monitor::registry::Registry;
use auscult_monitor::serve::{GroupConfig, ServeConfig, Server};

use super::interrupt::Interrupts;
use super::server::{self, Hangups};
use super::watched::Watched;
use crate::args::{GroupArgs, ServeArgs, UdpBind};
use crate::exit::{Exit, Stop};
use crate::logging;

/// State changes and what went wrong; no line per check, and none of openraft's, which has several
/// for each heartbeat to a monitor that is away.
const LOG_FILTER: &str = "info,openraft=off";

pub(crate) async fn run(args: &ServeArgs) -> Result<(), Stop> {
    let mut interrupts = Interrupts::install()?;
    let mut hangups = Hangups::install()?;
    logging::start(&args.log, LOG_FILTER)?;
    let config = config(args)?;
    let server = tokio::select! {
        server = Server::bind(config) => server.map_err(|error| server::stop(&error))?,
        () = interrupts.next() => return Ok(()),
    };
    let start = Start {
        raft: server.raft_addr(),
        http: server.http_addr(),
        udp: server.udp_addr(),
        registry: Arc::clone(server.registry()),
    };
    let reload = server.reload_handle();
    let mut outcome = Ok(());
    // Waited for when everything runs, so the first line is printed when the first request is
    // answered.
    let shutdown = async {
        outcome = start.announce(args).map_err(Stop::from);
        if outcome.is_ok() {
            tokio::select! {
                () = interrupts.next() => {}
                () = end_of_stdin(), if args.end_with_stdin => {}
                never = hangups.reload_each(&reload) => match never {},
            }
        }
        interrupts.then_exit_at_once();
    };
    let ended = server.run(shutdown).await;
    ended.map_err(|error| server::stop(&error))?;
    outcome
}

/// Waits for the end of standard input.
async fn end_of_stdin() {
    let (tell, ended) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own: a read that never returns would hold up the end of the runtime.
    std::thread::spawn(move || {
        // Whatever comes, even an error, the one who started us has gone.
        let _end = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(tell);
    });
    let _told = ended.await;
}

fn config(args: &ServeArgs) -> Result<ServeConfig, Stop> {
    Ok(ServeConfig {
        http_bind: args.http_bind,
        udp_bind: match args.udp_bind {
            None => Some(args.http_bind),
            Some(UdpBind::At(addr)) => Some(addr),
            Some(UdpBind::Nowhere) => None,
        },
        settings: args.config.clone(),
        data_dir: Some(args.datadir.clone()),
        group: group(&args.group)?,
        member: args.member.flags(),
    })
}

fn group(args: &GroupArgs) -> Result<GroupConfig, Stop> {
    let password = std::env::var("AUSCULT_SETTINGS_PASSWORD").ok();
    let access = args.etcd.access(password);
    let etcd = args.settings.as_deref().map(str::parse).transpose();
    let etcd =
        etcd.map_err(|error: NoPlace| Stop::new(Exit::Usage, format!("--settings: {error}")))?;
    Ok(GroupConfig {
        name: args.name.clone(),
        raft_bind: args.raft_bind(),
        raft_advertise: args.raft_advertise.clone(),
        join: args.join(),
        no_group: args.no_group(),
        etcd,
        etcd_access: access.map_err(|text| Stop::new(Exit::Usage, text))?,
    })
}

/// What is said at the start.
struct Start {
    raft: Option<SocketAddr>,
    http: SocketAddr,
    udp: Option<SocketAddr>,
    registry: Arc<Registry>,
}

impl Start {
    /// What is watched, where that can be seen, and how it is changed: three lines, and one for a
    /// group.
    fn announce(&self, args: &ServeArgs) -> io::Result<()> {
        let specs = self.registry.specs();
        let watched = Watched::count(specs.iter().map(AsRef::as_ref)).in_words();
        let data = match &args.group.settings {
            Some(place) => place.clone(),
            None => args.datadir.display().to_string(),
        };
        let http = self.http;
        let heartbeats = match self.udp {
            Some(udp) => format!("heartbeats over UDP at {udp}"),
            None => "no heartbeats over UDP".into(),
        };
        let pid = std::process::id();
        let (from, how) = match (&args.config, self.raft) {
            (Some(file), None) => {
                let file = file.display();
                (
                    format!(" of {file}"),
                    format!("kill -HUP {pid} reads {file} again"),
                )
            }
            (Some(file), Some(_)) => {
                let file = file.display();
                let share = format!("auscult apply -f {file} --url http://{http}");
                (
                    " of the group".to_owned(),
                    format!("{share} changes what the group watches"),
                )
            }
            (None, _) => {
                let add =
                    format!("auscult targets add NAME ADDRESS --url http://{http} adds a target");
                (String::new(), add)
            }
        };
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "watching {watched}{from}; what is added later is kept in {data}"
        )?;
        writeln!(out, "page, API and metrics at http://{http}/, {heartbeats}")?;
        if let Some(raft) = self.raft {
            writeln!(
                out,
                "other monitors reach it at {raft}; \
                 auscult cluster status --url http://{http} shows them"
            )?;
        }
        writeln!(out, "{how}; Ctrl-C stops")?;
        out.flush()
    }
}
