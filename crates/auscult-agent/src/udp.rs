//! The datagram socket, and the listener beside it on the same port.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::config::StartError;

/// The datagram socket.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    family: Family,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    /// Takes IPv4 as well where it listens everywhere, under addresses of its own form.
    V6,
}

/// Opens both sockets at one port.
pub(crate) fn bind(at: SocketAddr) -> Result<(Udp, TcpListener), StartError> {
    // A free TCP port need not be a free UDP port.
    for _ in 1..FREE_PORT_TRIES {
        match bind_once(at) {
            Err(StartError::Bind { source, .. })
                if at.port() == 0 && source.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    bind_once(at)
}

fn bind_once(at: SocketAddr) -> Result<(Udp, TcpListener), StartError> {
    let listener = listen(at).map_err(failed("TCP", at))?;
    let at = listener.local_addr().map_err(failed("TCP", at))?;
    let udp = Udp::bind(at).map_err(failed("UDP", at))?;
    Ok((udp, listener))
}

fn failed(socket: &'static str, address: SocketAddr) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Bind {
        socket,
        address,
        source,
    }
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    // Else a restart would wait for the connections of the run before to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Udp {
    pub(crate) fn bind(at: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // As much as the system allows: what arrives while the process does not run is kept there.
        let _as_it_was = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.bind(&at.into())?;
        let family = match at {
            SocketAddr::V4(_) => Family::V4,
            SocketAddr::V6(_) => Family::V6,
        };
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, family })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits until there may be something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next datagram, if there is one.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (bytes, from) = self.socket.try_recv_from(buffer)?;
        Ok((bytes, plain(from)))
    }

    /// Hands a datagram to the kernel, or drops it: nobody waits for a full buffer.
    pub(crate) fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.try_send_to(bytes, self.reachable(to))
    }

    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match (self.family, to.ip()) {
            (Family::V6, IpAddr::V4(ip)) => SocketAddr::new(mapped(ip.to_ipv6_mapped()), to.port()),
            (Family::V6, IpAddr::V6(_)) | (Family::V4, _) => to,
        }
    }
}

const fn mapped(ip: Ipv6Addr) -> IpAddr {
    IpAddr::V6(ip)
}

/// The address without the form that IPv4 takes on a socket of IPv6: members are told apart by
/// what others call them.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

const FREE_PORT_TRIES: usize = 16;
const LISTEN_BACKLOG: i32 = 256;
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
