//! What carries datagrams and streams: sockets, or calls over gRPC.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};

#[cfg(feature = "grpc")]
use crate::grpc;
use crate::udp::Udp;

/// What one agent sends and receives with.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// UDP and TCP on the same port.
    Sockets { udp: Udp, listener: TcpListener },
    /// Calls over gRPC.
    #[cfg(feature = "grpc")]
    Grpc(grpc::Link),
}

/// One stream.
pub(crate) type Connection = Box<dyn Io>;

/// What a stream can do.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Io for T {}

/// Opens streams, for tasks that outlive a borrow of the [`Carrier`].
#[derive(Clone, Debug)]
pub(crate) enum Dialler {
    Sockets {
        /// Where connections of ours come from, unless the system is to choose.
        source: Option<IpAddr>,
    },
    #[cfg(feature = "grpc")]
    Grpc(grpc::Dialler),
}

impl Carrier {
    /// Waits until there may be a datagram to read.
    pub(crate) async fn readable(&self) {
        match self {
            Self::Sockets { udp, .. } => {
                // Reading tells of the error.
                let _in_vain = udp.readable().await;
            }
            #[cfg(feature = "grpc")]
            Self::Grpc(link) => link.readable().await,
        }
    }

    /// The next datagram, if there is one.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::Sockets { udp, .. } => udp.try_receive(buffer),
            #[cfg(feature = "grpc")]
            Self::Grpc(link) => link.try_receive(buffer),
        }
    }

    /// Sends a datagram, or drops it: nobody waits for a full buffer.
    pub(crate) fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        match self {
            Self::Sockets { udp, .. } => udp.try_send(bytes, to),
            #[cfg(feature = "grpc")]
            Self::Grpc(link) => link.try_send(bytes, to),
        }
    }

    /// The next stream that another member opens.
    pub(crate) async fn accept(&self) -> io::Result<(Connection, SocketAddr)> {
        match self {
            Self::Sockets { listener, .. } => {
                let (stream, from) = listener.accept().await?;
                Ok((Box::new(stream), from))
            }
            #[cfg(feature = "grpc")]
            Self::Grpc(link) => {
                let (stream, from) = link.accept().await?;
                Ok((Box::new(stream), from))
            }
        }
    }

    /// What opens streams of ours, for an agent that listens there.
    pub(crate) fn dialler(&self, bound: IpAddr) -> Dialler {
        match self {
            Self::Sockets { .. } => Dialler::Sockets {
                source: (!bound.is_unspecified()).then_some(bound),
            },
            #[cfg(feature = "grpc")]
            Self::Grpc(link) => Dialler::Grpc(link.dialler()),
        }
    }

    /// Datagrams that were lost before the network, or after it: always 0 with sockets, where the
    /// kernel counts them.
    pub(crate) fn dropped(&self) -> u64 {
        match self {
            Self::Sockets { .. } => 0,
            #[cfg(feature = "grpc")]
            Self::Grpc(link) => link.dropped(),
        }
    }
}

impl Dialler {
    /// Opens a stream to another member.
    pub(crate) async fn connect(&self, to: SocketAddr) -> io::Result<Connection> {
        match self {
            Self::Sockets { source } => connect(*source, to).await,
            #[cfg(feature = "grpc")]
            Self::Grpc(dialler) => Ok(Box::new(dialler.connect(to).await?)),
        }
    }
}

async fn connect(source: Option<IpAddr>, to: SocketAddr) -> io::Result<Connection> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    if let Some(ip) = source
        && ip.is_ipv4() == to.is_ipv4()
    {
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}
