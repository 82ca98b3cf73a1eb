//! The flags of `auscult serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{LogArgs, socket_addr};

const SERVE_EXAMPLES: &str = "\
Examples:
  auscult serve --config servers.yml
  auscult serve --config servers.yml --http-bind 0.0.0.0:8000 --datadir /var/lib/auscult
  RUST_LOG=debug auscult serve -c servers.yml --log-format json

Signals:
  SIGHUP           reads the configuration file again; a bad one changes nothing
  SIGTERM, SIGINT  stop in order within 5 s (exit code 0); a second one stops at once";

/// `auscult serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct ServeArgs {
    /// What to watch (YAML); without it only what was added over the API is watched
    #[arg(short, long, value_name = "FILE", env = "AUSCULT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where the page, the API and the metrics are served
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "HTTP_BIND",
        default_value = "127.0.0.1:8000",
        value_parser = socket_addr
    )]
    pub(crate) http_bind: SocketAddr,
    /// Where heartbeats are taken over UDP, or 'none' [default: the address and port of HTTP]
    #[arg(long, value_name = "ADDR:PORT", env = "UDP_BIND", value_parser = udp_bind)]
    pub(crate) udp_bind: Option<UdpBind>,
    /// Where settings made over the API are kept
    #[arg(
        long,
        alias = "data-dir",
        value_name = "DIR",
        env = "DATA_DIR",
        default_value = "auscult-data"
    )]
    pub(crate) datadir: PathBuf,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Whether and where heartbeats are taken over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UdpBind {
    At(SocketAddr),
    Nowhere,
}

fn udp_bind(text: &str) -> Result<UdpBind, String> {
    if text == "none" {
        return Ok(UdpBind::Nowhere);
    }
    socket_addr(text).map(UdpBind::At)
}
