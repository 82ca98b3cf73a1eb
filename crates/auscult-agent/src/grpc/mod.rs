//! gRPC: doors into the machine for programs in any language, and a transport for members.
//!
//! The services of `api/swim.proto` are doors: what comes through them reaches the machine as what
//! it is, the word of somebody who may be wrong. A call that says that a member failed is one more
//! suspicion, which the member contradicts; where members seal what they say, and callers show no
//! certificate, such calls are refused. Programs that join are [`guests`](Guests): they are pinged
//! and told of failures by the member that let them in, but have no part in the protocol.
//!
//! `api/auscult.proto` carries members' datagrams and connections where only HTTP/2 passes, and
//! takes metrics that programs publish as the member beside them.

mod detector;
mod dissemination;
mod generated;
mod guests;
mod inside;
mod link;
mod listen;
mod metrics;
pub mod node;
mod queue;
mod register;
mod sentences;
mod spelling;
#[cfg(test)]
mod tests;
mod tls;
mod tunnel;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::swim::Label;
use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::server::Router;
use tonic::transport::{Endpoint, Server};
use tonic_health::ServingStatus;

use crate::config::{AgentConfig, StartError};
use crate::handle::AgentHandle;
use detector::Detector;
use dissemination::Disseminator;
use generated::auscult_v1::metrics_server::MetricsServer;
use generated::swim::dissemination_server::DisseminationServer;
use generated::swim::failure_detector_server::FailureDetectorServer;
use guests::Guests;
use inside::{Inside, Reached};
use metrics::Publisher;

pub use dissemination::{JoinRefused, Newcomer, join};
pub(crate) use link::{Dialler, Link};
pub use metrics::{PublishRefused, publish};
pub(crate) use sentences::Sentences;
pub(crate) use spelling::Spelling;
pub use tls::{Tls, TlsError};

/// `auscult.v1.Monitor`, for those who serve it or call it.
pub mod monitor {
    pub use super::generated::auscult_v1::monitor_client::MonitorClient;
    pub use super::generated::auscult_v1::monitor_server::{Monitor, MonitorServer};
    pub use super::generated::auscult_v1::watch_response::What;
    pub use super::generated::auscult_v1::{Event, Lagged, WatchRequest, WatchResponse};
}

/// What an agent serves over gRPC, beside being a member.
#[derive(Clone, Debug)]
pub struct DoorsConfig {
    /// What callers and the log call this member: its number, or its name.
    pub node: String,
    /// Where `swim.FailureDetector` is served. Where gRPC is the transport, that is where the
    /// member listens, and this is left out; otherwise leaving it out means that it is not served.
    pub detector: Option<SocketAddr>,
    /// Where `swim.Dissemination` is served. Left out: it is not.
    pub dissemination: Option<SocketAddr>,
    /// Addresses of members as callers should see them written, for example with host names.
    pub members: Vec<String>,
    /// What the log says.
    pub sentences: Speech,
}

/// Whether each message is told of in the log, in the sentences of the demonstrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Only what is worth it.
    Silent,
    /// Each message.
    Spoken,
}

/// Whether those who call may change what members think of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// They may.
    Open,
    /// Members seal what they say, so those who show nothing may only ask.
    AskOnly,
}

/// Where the services of `api/swim.proto` are served; `None` for one that is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// `swim.FailureDetector`.
    pub detector: Option<SocketAddr>,
    /// `swim.Dissemination`.
    pub dissemination: Option<SocketAddr>,
}

/// The tasks that serve. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Doors {
    /// Those who listen end when nobody holds it.
    open: watch::Sender<()>,
    servers: JoinSet<()>,
}

impl Doors {
    /// Ends what is served, and waits until the sockets are closed.
    pub(crate) async fn close(self) {
        let Self { open, mut servers } = self;
        drop(open);
        let closed = async { while servers.join_next().await.is_some() {} };
        // Calls that are being answered end first, unless they take too long.
        let _cut_off = tokio::time::timeout(CLOSE_TIME, closed).await;
    }
}

/// What is to be served, with its sockets open.
#[derive(Debug)]
pub(crate) struct Bound {
    config: Option<DoorsConfig>,
    tls: Option<Tls>,
    link: Option<(TcpListener, link::Service)>,
    detector: Option<TcpListener>,
    dissemination: Option<TcpListener>,
    access: Access,
    spelling: Spelling,
}

impl Bound {
    /// Opens the sockets of the doors.
    pub(crate) fn open(agent: &AgentConfig) -> Result<Self, StartError> {
        let (config, tls) = (agent.doors.clone(), agent.tls.clone());
        let open = |at: Option<SocketAddr>| at.map(listen::bind).transpose();
        let access = match (&agent.keys, &tls) {
            (Some(_), None) => Access::AskOnly,
            (Some(_), Some(_)) | (None, _) => Access::Open,
        };
        Ok(Self {
            detector: open(config.as_ref().and_then(|config| config.detector))?,
            dissemination: open(config.as_ref().and_then(|config| config.dissemination))?,
            spelling: Spelling::default(),
            link: None,
            access,
            config,
            tls,
        })
    }

    /// Opens the socket of a member that is reached over gRPC.
    pub(crate) fn link(&mut self, at: SocketAddr) -> Result<(Link, SocketAddr), StartError> {
        let listener = listen::bind(at)?;
        let bound = listener.local_addr().map_err(listen::failed(at))?;
        let (link, service) = Link::new(self.tls.clone());
        self.link = Some((listener, service));
        Ok((link, bound))
    }

    /// What the log says of each message, if it does.
    pub(crate) fn sentences(&self) -> Option<Sentences> {
        let config = self.config.as_ref()?;
        match config.sentences {
            Speech::Silent => None,
            Speech::Spoken => Some(Sentences::new(config.node.clone(), self.spelling.clone())),
        }
    }

    /// What the services share.
    fn inside(&self, agent: &AgentHandle, label: &Label) -> Option<Inside> {
        let config = self.config.as_ref()?;
        Some(Inside {
            agent: agent.downgrade(),
            node: config.node.clone(),
            label: label.clone(),
            spelling: self.spelling.clone(),
            members: config.members.clone(),
            speech: config.sentences,
            access: self.access,
            tls: self.tls.clone(),
            detector: self.detector.as_ref().and_then(|at| at.local_addr().ok()),
            reached: match self.link {
                Some(_) => Reached::AsMembers,
                None => Reached::AsTheySay,
            },
            guests: Guests::default(),
        })
    }

    /// Begins to serve.
    pub(crate) fn serve(self, agent: &AgentHandle, label: &Label) -> Result<Doors, StartError> {
        let mut serving = Serving {
            tls: self.tls.clone(),
            open: watch::Sender::new(()),
            servers: JoinSet::new(),
        };
        let mut served = Served::default();
        let inside = self.inside(agent, label).map(Arc::new);
        let detector = inside.as_ref().map(|inside| {
            FailureDetectorServer::new(Detector(Arc::clone(inside)))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
        });
        let publisher = inside.as_ref().map(|inside| {
            MetricsServer::new(Publisher(Arc::clone(inside)))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
        });
        if let Some((listener, service)) = self.link {
            let mut services = vec![link::Service::NAME];
            if detector.is_some() {
                services.extend([DETECTOR, Publisher::NAME]);
            }
            let mut router = serving
                .router(&services)?
                .add_service(service.into_server());
            if let (Some(detector), Some(publisher)) = (detector.clone(), publisher.clone()) {
                served.detector = listener.local_addr().ok();
                router = router.add_service(detector).add_service(publisher);
            }
            serving.begin(router, listener);
        }
        if let (Some(listener), Some(detector)) = (self.detector, detector) {
            served.detector = listener.local_addr().ok();
            let router = serving.router(&[DETECTOR, Publisher::NAME])?;
            let router = router.add_service(detector);
            let publisher = publisher.clone();
            serving.begin(router.add_optional_service(publisher), listener);
        }
        if let (Some(listener), Some(inside)) = (self.dissemination, &inside) {
            served.dissemination = listener.local_addr().ok();
            let port = served.dissemination.map_or(0, |at| at.port());
            inside.say(|| {
                let node = &inside.node;
                format!("Component Dissemination of Node {node} listening on port {port}")
            });
            let service = DisseminationServer::new(Disseminator(Arc::clone(inside)))
                .max_decoding_message_size(REQUEST_BYTES_MAX);
            let router = serving.router(&[DISSEMINATION, Publisher::NAME])?;
            let router = router.add_service(service);
            serving.begin(router.add_optional_service(publisher), listener);
        }
        if let Some(inside) = inside {
            let mut open = serving.open.subscribe();
            serving.servers.spawn(async move {
                tokio::select! {
                    () = inside.follow() => {}
                    _ = open.changed() => {}
                }
            });
        }
        agent.set_served(served);
        Ok(Doors {
            open: serving.open,
            servers: serving.servers,
        })
    }
}

/// What is being served.
struct Serving {
    tls: Option<Tls>,
    open: watch::Sender<()>,
    servers: JoinSet<()>,
}

impl Serving {
    fn begin(&mut self, router: Router, listener: TcpListener) {
        let server = listen::serve(router, listener, self.open.subscribe());
        self.servers.spawn(server);
    }

    /// A server that says what it serves, and that it is well.
    fn router(&self, services: &[&str]) -> Result<Router, StartError> {
        let mut server = Server::builder()
            .tcp_nodelay(true)
            .concurrency_limit_per_connection(CALLS_PER_CONNECTION_MAX)
            .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
            .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
            .http2_max_header_list_size(HEADER_BYTES_MAX);
        if let Some(tls) = &self.tls {
            server = server.tls_config(tls.server()).map_err(StartError::Tls)?;
        }
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(generated::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .expect("the descriptors are those that the services were generated from");
        // Everything is served from the first moment to the last.
        let (reporter, health) = tonic_health::server::health_reporter();
        for service in services {
            let said = reporter.set_service_status(service, ServingStatus::Serving);
            said.now_or_never().expect("nobody else holds the reporter");
        }
        Ok(server.add_service(health).add_service(reflection))
    }
}

/// How to reach a server, `HOST:PORT`.
fn endpoint(tls: Option<&Tls>, at: &str) -> Result<Endpoint, tonic::transport::Error> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{at}"))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true);
    match tls {
        Some(tls) => endpoint.tls_config(tls.client()),
        None => Ok(endpoint),
    }
}

const DETECTOR: &str = generated::swim::failure_detector_server::SERVICE_NAME;
const DISSEMINATION: &str = generated::swim::dissemination_server::SERVICE_NAME;
/// What a request may take: a few names and addresses.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
const CALLS_PER_CONNECTION_MAX: usize = 32;
const STREAMS_PER_CONNECTION_MAX: u32 = 64;
const HEADER_BYTES_MAX: u32 = 8 * 1024;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIME: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
