//! What an agent is told when it starts, and why it cannot.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use auscult_core::id::IdError;
use auscult_core::swim::{MemberName, Params, Violation};

#[cfg(feature = "grpc")]
use crate::grpc::{DoorsConfig, Tls};
use crate::keys::KeyRing;
use crate::layers::entropy::NoEntropy;
use crate::record::RecordError;

/// Who an agent is, where it listens and whom it asks.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The name of the member.
    pub name: MemberName,
    /// Where to listen, over UDP and TCP. Port 0: a free one.
    pub bind: SocketAddr,
    /// Where others reach it. Default: where it listens.
    pub advertise: Option<SocketAddr>,
    /// How the machine behaves, with the label of the cluster.
    pub params: Params,
    /// Whom to ask to join, as `host:port`; names are resolved at each try. Asked again, less and
    /// less often, until one of them lets us in, and whenever this member is alone. Default:
    /// nobody.
    pub join: Vec<String>,
    /// Keys that seal what is said. Default: none, nothing is sealed.
    pub keys: Option<KeyRing>,
    /// A file that keeps the member's incarnation and the addresses of others over restarts.
    /// Default: none.
    pub snapshot: Option<PathBuf>,
    /// What carries the messages. Default: sockets.
    pub transport: Transport,
    /// What is served over gRPC to programs that are no members. Default: nothing.
    #[cfg(feature = "grpc")]
    pub doors: Option<DoorsConfig>,
    /// What whoever calls over gRPC must show, and is shown: members and other programs alike.
    /// Default: nothing, calls are not encrypted.
    #[cfg(feature = "grpc")]
    pub tls: Option<Tls>,
    /// The seed of what the machine draws. Default: one that nobody knows.
    pub seed: Option<u64>,
    /// Events kept for readers: at least 1. Default: 1,024, some hundred kilobytes at most.
    pub events_kept: usize,
    /// Streams of others that are served at a time: at least 1. Default: 64. One more pushes out
    /// the one that has been waited on the longest.
    pub streams_max: usize,
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams over UDP, requests over TCP, on the same port.
    Sockets,
    /// Calls over gRPC (HTTP/2), where nothing else passes. Only members that do the same hear
    /// each other.
    #[cfg(feature = "grpc")]
    Grpc,
}

impl AgentConfig {
    /// An agent that listens there and asks nobody.
    #[must_use]
    pub const fn new(name: MemberName, bind: SocketAddr, params: Params) -> Self {
        Self {
            name,
            bind,
            advertise: None,
            params,
            join: Vec::new(),
            keys: None,
            snapshot: None,
            transport: Transport::Sockets,
            #[cfg(feature = "grpc")]
            doors: None,
            #[cfg(feature = "grpc")]
            tls: None,
            seed: None,
            events_kept: 1_024,
            streams_max: 64,
        }
    }
}

/// Why an agent did not start. State: no socket is open, no file was changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It is no name.
    Name(IdError),
    /// The parameters contradict each other: every violated rule.
    Params(Vec<Violation>),
    /// The socket could not be opened.
    Bind {
        /// Which one: `UDP` or `TCP`.
        socket: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The snapshot cannot be used.
    Record(RecordError),
    /// The certificate, the key or the authority cannot be used.
    #[cfg(feature = "grpc")]
    Tls(tonic::transport::Error),
    /// There are keys, and the system gives no random bytes to seal with.
    NoEntropy,
    /// It listens at every address of the machine, so others must be told one.
    Advertise {
        /// Where it would listen.
        bind: SocketAddr,
    },
}

impl From<NoEntropy> for StartError {
    fn from(NoEntropy: NoEntropy) -> Self {
        Self::NoEntropy
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "the name: {error}"),
            Self::Params(violations) => {
                write!(f, "the parameters contradict each other")?;
                for violation in violations {
                    write!(f, "; {violation}")?;
                }
                Ok(())
            }
            Self::Bind {
                socket,
                address,
                source,
            } => {
                let is = |kind| source.kind() == kind;
                if is(io::ErrorKind::AddrInUse) {
                    write!(f, "{socket} {address} is in use by another process")
                } else if is(io::ErrorKind::AddrNotAvailable) {
                    write!(f, "{} is no address of this machine", address.ip())
                } else if is(io::ErrorKind::PermissionDenied) {
                    write!(f, "this user may not listen at {socket} {address}")
                } else {
                    write!(f, "cannot listen at {socket} {address}")
                }
            }
            Self::Record(error) => fmt::Display::fmt(error, f),
            #[cfg(feature = "grpc")]
            Self::Tls(_) => write!(
                f,
                "the certificate, the key or the authority cannot be used"
            ),
            Self::NoEntropy => write!(f, "the system gives no random bytes to seal with"),
            Self::Advertise { bind } => write!(
                f,
                "{bind} stands for every address of this machine: say which one others reach it \
                 at (advertise)"
            ),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } => Some(source),
            Self::Record(error) => error.source(),
            #[cfg(feature = "grpc")]
            Self::Tls(source) => Some(source),
            Self::Name(_) | Self::Params(_) | Self::NoEntropy | Self::Advertise { .. } => None,
        }
    }
}
