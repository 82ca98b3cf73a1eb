//! What the demo consists of: simulated servers, a file of settings, and a monitor.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use auscult_monitor::serve::{ServeConfig, ServeError, Server};
use tempfile::TempDir;

use super::super::server;
use super::banner::Places;
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
        let settings = folder.path().join("servers.yml");
        std::fs::write(&settings, yaml(&servers)).map_err(failed)?;
        let config = ServeConfig {
            http_bind: args.http_bind,
            udp_bind: Some(args.http_bind),
            settings: Some(settings.clone()),
            data_dir: Some(folder.path().join("data")),
            ..ServeConfig::ephemeral()
        };
        let monitor = monitor(config, &mut taken).await?;
        let places = Places {
            http: monitor.http_addr(),
            udp: monitor.udp_addr(),
            servers,
            taken,
            settings: settings.display().to_string(),
            program: std::env::args().next().unwrap_or_else(|| "auscult".into()),
        };
        Ok(Self {
            pulsers,
            monitor,
            folder,
            places,
        })
    }
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
        if flag == "--http-bind" {
            config.http_bind = free;
        } else {
            config.udp_bind = Some(free);
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

/// The settings, as somebody would write them. The time-out lets an answer count that takes 10 s.
fn yaml(servers: &[(String, SocketAddr)]) -> String {
    let mut text = String::from("defaults:\n  interval: 1s\n  timeout: 15s\ntargets:\n");
    for (name, addr) in servers {
        text += &format!("  - id: {name}\n    url: http://{addr}/heartbeat\n");
    }
    text
}
