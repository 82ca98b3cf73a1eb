//! What the demo consists of: simulated servers, and monitors, one of them in this process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;

use auscult_monitor::serve::{GroupConfig, ServeConfig, ServeError, Server};
use tempfile::TempDir;

use super::super::server;
use super::banner::Places;
use super::others::{Others, Place, Plan, Ports};
use crate::args::DemoArgs;
use crate::exit::{self, Exit, Stop};
use crate::pulser::{Behaviour, Pulser};

/// Simulated servers, as many as seed 000 has.
const PULSERS: u16 = 10;

/// Everything, set up and listening.
pub(super) struct Stage {
    /// The simulated servers with their names, in order.
    pub(super) pulsers: Vec<(String, Pulser)>,
    pub(super) monitor: Server,
    pub(super) others: Others,
    /// Removed when dropped.
    pub(super) folder: TempDir,
    pub(super) places: Places,
}

impl Stage {
    pub(super) async fn set_up(args: &DemoArgs) -> Result<Self, Stop> {
        let mut taken = Vec::new();
        let mut pulsers = Vec::new();
        for index in 0..PULSERS {
            let port = match args.first_port {
                0 => 0,
                first => first.saturating_add(index),
            };
            let pulser = pulser(port, &mut taken).await?;
            pulsers.push((format!("server{}", index + 1), pulser));
        }
        let addrs = pulsers
            .iter()
            .map(|(name, pulser)| (name.clone(), pulser.addr()));
        let servers: Vec<_> = addrs.collect();
        let failed = |error: io::Error| {
            let error = exit::in_words(&error);
            let message = format!("cannot use a temporary folder: {error}; TMPDIR can name one");
            Stop::new(Exit::Cannot, message)
        };
        let folder = TempDir::with_prefix("auscult-demo-").map_err(failed)?;
        let program = std::env::args().next().unwrap_or_else(|| "auscult".into());
        let monitor = monitor(first_of(args, folder.path()), &mut taken).await?;
        let plans = plans(args, &monitor, folder.path(), &mut taken)?;
        let (others, rest) = Others::start(&plans, &program)?;
        let first = Place {
            name: FIRST.into(),
            http: monitor.http_addr(),
            pid: std::process::id(),
        };
        let places = Places {
            monitors: std::iter::once(first).chain(rest).collect(),
            udp: monitor.udp_addr(),
            servers,
            taken,
            folder: folder.path().display().to_string(),
            program,
        };
        Ok(Self {
            pulsers,
            monitor,
            others,
            folder,
            places,
        })
    }
}

/// What the monitor in this process is called.
const FIRST: &str = "monitor1";

fn first_of(args: &DemoArgs, folder: &Path) -> ServeConfig {
    let raft = SocketAddr::new(args.http_bind.ip(), args.first_raft_port);
    ServeConfig {
        http_bind: args.http_bind,
        udp_bind: Some(args.http_bind),
        settings: None,
        data_dir: Some(folder.join(FIRST)),
        group: GroupConfig {
            name: Some(FIRST.into()),
            raft_bind: (args.monitors > 1).then_some(raft),
            ..GroupConfig::default()
        },
        ..ServeConfig::ephemeral()
    }
}

/// The monitors beside the first one.
fn plans(
    args: &DemoArgs,
    first: &Server,
    folder: &Path,
    taken: &mut Vec<u16>,
) -> Result<Vec<Plan>, Stop> {
    let Some(join) = first.raft_addr() else {
        return Ok(Vec::new());
    };
    let mut ports = Ports::new(args.http_bind.ip(), taken);
    let plan = |behind| {
        Ok(Plan {
            name: format!("monitor{}", behind + 1),
            http: ports.next(args.http_bind.port(), behind)?,
            raft: ports.next(args.first_raft_port, behind)?,
            join,
            folder: folder.to_owned(),
        })
    };
    (1..args.monitors).map(plan).collect()
}

/// A monitor where it was asked for, or at free ports where these are taken.
async fn monitor(mut config: ServeConfig, taken: &mut Vec<u16>) -> Result<Server, Stop> {
    loop {
        let in_use = match Server::bind(config.clone()).await {
            Ok(monitor) => return Ok(monitor),
            Err(ServeError::Bind { addr, source, flag })
                if source.kind() == io::ErrorKind::AddrInUse && addr.port() != 0 =>
            {
                (addr, flag)
            }
            Err(error) => return Err(server::stop(&error)),
        };
        let (addr, flag) = in_use;
        let free = SocketAddr::new(addr.ip(), 0);
        match flag {
            "--http-bind" => config.http_bind = free,
            "--raft-bind" => config.group.raft_bind = Some(free),
            _ => config.udp_bind = Some(free),
        }
        if !taken.contains(&addr.port()) {
            taken.push(addr.port());
        }
    }
}

/// A simulated server at this port, or at a free one when it is taken.
async fn pulser(port: u16, taken: &mut Vec<u16>) -> Result<Pulser, Stop> {
    let at = |port| SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    let bound = match Pulser::bind(at(port), Behaviour::STEADY).await {
        Err(_) if port != 0 => {
            taken.push(port);
            Pulser::bind(at(0), Behaviour::STEADY).await
        }
        bound => bound,
    };
    bound.map_err(|error| {
        Stop::new(
            Exit::Cannot,
            format!("cannot listen at a free port: {error}"),
        )
    })
}
