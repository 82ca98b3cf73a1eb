//! From an origin to a connection: resolve, connect, TLS; each part timed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use auscult_core::monitor::Failure;
use jiff::Timestamp;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::certificate;
use super::context::Context;
use super::failure;
use super::plan::{Connecting, Origin};
use super::progress::{Progress, Stage};
use super::report::CheckError;
use super::resolve::Addresses;
use crate::settings::{Connection, HttpVersion};

/// A connection's bytes, encrypted or not.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A new connection that speaks no HTTP yet.
pub(super) struct Dialled {
    pub(super) stream: Stream,
    pub(super) speaks_http2: bool,
    pub(super) tls_expires_at: Option<Timestamp>,
    pub(super) permit: OwnedSemaphorePermit,
}

/// Addresses of the last name that was looked up, so that a new connection per check costs no
/// lookup.
#[derive(Default)]
pub(super) struct AddressCache {
    name: String,
    addresses: Option<Addresses>,
}

/// Connects and closes at once.
pub(super) async fn touch(
    origin: &Origin,
    cache: &mut AddressCache,
    context: &Context,
    progress: &mut Progress,
) -> Result<(), CheckError> {
    let stream = connect(origin, cache, context, progress).await?;
    // Without this each check would leave a port in TIME_WAIT for a minute, and ports are soon
    // gone.
    let _ = stream.set_zero_linger();
    Ok(())
}

/// Makes a connection for HTTP.
pub(super) async fn dial(
    origin: &Origin,
    connecting: &Connecting,
    permit: OwnedSemaphorePermit,
    cache: &mut AddressCache,
    context: &Context,
    progress: &mut Progress,
) -> Result<Dialled, CheckError> {
    let stream = connect(origin, cache, context, progress).await?;
    match connecting.connection {
        Connection::Fresh => {
            let _ = stream.set_zero_linger();
        }
        Connection::Reuse => {
            let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(connecting.path_timeout));
        }
    }
    if !origin.secure {
        return Ok(Dialled {
            stream: Stream::Plain(stream),
            speaks_http2: connecting.version == HttpVersion::Http2,
            tls_expires_at: None,
            permit,
        });
    }
    let stream = Box::pin(encrypt(stream, origin, connecting, context, progress)).await?;
    let session = stream.get_ref().1;
    let speaks_http2 = session.alpn_protocol() == Some(b"h2");
    if connecting.version == HttpVersion::Http2 && !speaks_http2 {
        let text = "the server does not offer HTTP/2";
        return Err(CheckError::new(Failure::Protocol, text));
    }
    let leaf = session.peer_certificates().and_then(|chain| chain.first());
    Ok(Dialled {
        tls_expires_at: leaf.and_then(|leaf| certificate::expiry(leaf)),
        stream: Stream::Tls(Box::new(stream)),
        speaks_http2,
        permit,
    })
}

async fn encrypt(
    stream: TcpStream,
    origin: &Origin,
    connecting: &Connecting,
    context: &Context,
    progress: &mut Progress,
) -> Result<TlsStream<TcpStream>, CheckError> {
    let config = connecting.tls_config()?;
    let name = connecting
        .server_name(origin)
        .map_err(|error| CheckError::new(Failure::Tls, error.text))?;
    progress.enter(Stage::Tls, context.clock.now());
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| failure::handshaking(&error, context.clock.wall_now()))?;
    progress.leave(context.clock.now());
    Ok(stream)
}

async fn connect(
    origin: &Origin,
    cache: &mut AddressCache,
    context: &Context,
    progress: &mut Progress,
) -> Result<TcpStream, CheckError> {
    let name = match &origin.host {
        Host::Ipv4(address) => {
            return connect_to(IpAddr::V4(*address), origin.port, context, progress).await;
        }
        Host::Ipv6(address) => {
            return connect_to(IpAddr::V6(*address), origin.port, context, progress).await;
        }
        Host::Domain(name) => name,
    };
    Box::pin(connect_to_name(name, origin.port, cache, context, progress)).await
}

/// Tries the addresses in order; each but the last gets an even share of what time is left.
async fn connect_to_name(
    name: &str,
    port: u16,
    cache: &mut AddressCache,
    context: &Context,
    progress: &mut Progress,
) -> Result<TcpStream, CheckError> {
    let list = cache.find(name, context, progress).await?;
    let count = list.len();
    let mut first_error = None;
    for (position, address) in list.into_iter().enumerate() {
        let left = progress.deadline.since(context.clock.now());
        let share = left / u32::try_from(count - position).unwrap_or(u32::MAX);
        let attempt = connect_to(address, port, context, progress);
        let error = match tokio::time::timeout(share, attempt).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => silent(share),
        };
        first_error.get_or_insert(error);
    }
    // What the name stood for may have changed.
    cache.addresses = None;
    let mut error = first_error.unwrap_or_else(|| silent(Duration::ZERO));
    if count > 1 {
        error.text = format!("{} ({count} addresses tried)", error.text);
    }
    Err(error)
}

fn silent(share: Duration) -> CheckError {
    let text = format!("no answer within {} (not connected)", failure::Span(share));
    CheckError::new(Failure::Timeout, text)
}

async fn connect_to(
    address: IpAddr,
    port: u16,
    context: &Context,
    progress: &mut Progress,
) -> Result<TcpStream, CheckError> {
    progress.enter(Stage::Connect, context.clock.now());
    let stream = open(SocketAddr::new(address, port))
        .await
        .map_err(|error| failure::connecting(&error))?;
    progress.leave(context.clock.now());
    context
        .metrics
        .connections_opened
        .fetch_add(1, Ordering::Relaxed);
    Ok(stream)
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.connect(address).await
}

impl AddressCache {
    async fn find(
        &mut self,
        name: &str,
        context: &Context,
        progress: &mut Progress,
    ) -> Result<Vec<IpAddr>, CheckError> {
        let now = context.clock.now();
        let known = self
            .addresses
            .as_ref()
            .filter(|known| known.valid_until > now);
        if let Some(known) = known.filter(|_| self.name == name) {
            return Ok(known.list.clone());
        }
        progress.enter(Stage::Resolve, now);
        let found = context.names.find(name).await?;
        progress.leave(context.clock.now());
        name.clone_into(&mut self.name);
        let list = found.list.clone();
        self.addresses = Some(found);
        Ok(list)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(task, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(task, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(task, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(task, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(task),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(task),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(task),
        }
    }
}
