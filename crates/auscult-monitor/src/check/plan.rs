//! A check made ready: parsed, validated and serialised once, so that making it costs little.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use url::{Host, Url};

use super::report::CheckError;
use super::spec::{CheckSpec, InvalidCheck};
use super::tls::TlsConfigs;
use crate::settings::{Connection, HttpCheck, HttpVersion, Pattern, StatusRanges, TlsSpec};

/// A check made ready.
pub(super) struct Plan {
    pub(super) spec: CheckSpec,
    pub(super) work: Work,
}

pub(super) enum Work {
    Http(Box<HttpPlan>),
    Tcp(Origin),
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) secure: bool,
    pub(super) host: Host<String>,
    pub(super) port: u16,
}

pub(super) struct HttpPlan {
    pub(super) first: Request,
    pub(super) expect_status: StatusRanges,
    pub(super) expect_body: Option<Pattern>,
    pub(super) redirects: u8,
    pub(super) connecting: Connecting,
}

/// How connections are made and whether they are kept.
pub(super) struct Connecting {
    pub(super) version: HttpVersion,
    pub(super) connection: Connection,
    pub(super) expires_within: Option<Duration>,
    /// The longest that sent bytes may stay unacknowledged on a kept connection: past it the path
    /// is dead, and there is still time to try a new connection.
    pub(super) path_timeout: Duration,
    tls: TlsSpec,
    tls_configs: Arc<TlsConfigs>,
    first_origin: Origin,
}

/// One request, to the first address or to where a redirect leads.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) url: Url,
    pub(super) origin: Origin,
    pub(super) method: Method,
    /// Those of checks without headers of their own are the same.
    pub(super) headers: Arc<HeaderMap>,
    pub(super) body: Bytes,
    /// As HTTP/1.1 says it.
    pub(super) bytes: Vec<u8>,
}

impl Plan {
    pub(super) fn new(
        spec: CheckSpec,
        tls_configs: &Arc<TlsConfigs>,
    ) -> Result<Self, InvalidCheck> {
        if spec.interval().is_zero() {
            return Err(invalid("interval", "must be above 0"));
        }
        if spec.timeout().is_zero() {
            return Err(invalid("timeout", "must be above 0"));
        }
        let work = match &spec {
            CheckSpec::Http(check) => Work::Http(Box::new(HttpPlan::new(check, tls_configs)?)),
            CheckSpec::Tcp(check) => Work::Tcp(Origin {
                secure: false,
                host: host(&check.host)?,
                port: check.port,
            }),
        };
        Ok(Self { spec, work })
    }

    /// Whether connections made for one of the two also serve the other.
    pub(super) fn same_endpoint(&self, other: &Self) -> bool {
        match (&self.work, &other.work) {
            (Work::Http(one), Work::Http(two)) => {
                let (a, b) = (&one.connecting, &two.connecting);
                one.first.origin == two.first.origin
                    && (a.version, a.connection) == (b.version, b.connection)
                    && a.tls == b.tls
            }
            (Work::Tcp(one), Work::Tcp(two)) => one == two,
            (Work::Http(_), Work::Tcp(_)) | (Work::Tcp(_), Work::Http(_)) => false,
        }
    }
}

impl HttpPlan {
    fn new(check: &HttpCheck, tls_configs: &Arc<TlsConfigs>) -> Result<Self, InvalidCheck> {
        let url = Url::parse(&check.url.to_string()).map_err(|error| invalid("url", error))?;
        for name in check.headers.keys() {
            if FRAMING.contains(&name.as_str()) {
                return Err(invalid(
                    "headers",
                    format!("{name} is set by the check itself"),
                ));
            }
        }
        if check.url.scheme_str() == Some("https") {
            // The system's authorities take a while to read: here, where no check waits for it. If
            // it fails, the checks will say so, until it does not any more.
            let _ = tls_configs.get(&check.tls, check.version);
        }
        let body = check.body.as_deref().unwrap_or_default().as_bytes();
        let body = Bytes::copy_from_slice(body);
        let first = Request::new(url, check.method.clone(), headers(check), body)
            .map_err(|text| invalid("url", text))?;
        if let Some(name) = &check.tls.server_name {
            ServerName::try_from(&**name)
                .map_err(|_| invalid("server_name", format!("{name:?} is no host name")))?;
        }
        Ok(Self {
            expect_status: check.expect_status.clone(),
            expect_body: check.expect_body.clone(),
            redirects: check.redirects,
            connecting: Connecting {
                version: check.version,
                connection: check.connection,
                expires_within: check.tls.expires_within,
                path_timeout: (check.timeout / 2).min(PATH_TIMEOUT_MAX),
                tls: check.tls.clone(),
                tls_configs: Arc::clone(tls_configs),
                first_origin: first.origin.clone(),
            },
            first,
        })
    }
}

impl Connecting {
    /// The TLS configuration for a new connection.
    pub(super) fn tls_config(&self) -> Result<Arc<ClientConfig>, CheckError> {
        self.tls_configs.get(&self.tls, self.version)
    }

    /// The name that the server's certificate must be for.
    pub(super) fn server_name(&self, origin: &Origin) -> Result<ServerName<'static>, InvalidCheck> {
        let given = self.tls.server_name.as_deref();
        let name = match (&origin.host, given.filter(|_| *origin == self.first_origin)) {
            (_, Some(name)) => name.to_owned(),
            (Host::Domain(name), None) => name.trim_end_matches('.').to_owned(),
            (Host::Ipv4(address), None) => {
                return Ok(ServerName::from(std::net::IpAddr::from(*address)));
            }
            (Host::Ipv6(address), None) => {
                return Ok(ServerName::from(std::net::IpAddr::from(*address)));
            }
        };
        ServerName::try_from(name)
            .map_err(|_| invalid("url", format!("{:?} is no name for TLS", origin.host)))
    }
}

impl Request {
    fn new(url: Url, method: Method, headers: Arc<HeaderMap>, body: Bytes) -> Result<Self, String> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(format!("the scheme {other:?} is neither http nor https")),
        };
        let host = url.host().ok_or("there is no host")?.to_owned();
        let port = url.port_or_known_default().ok_or("there is no port")?;
        let mut request = Self {
            origin: Origin { secure, host, port },
            url,
            method,
            headers,
            body,
            bytes: Vec::new(),
        };
        request.bytes = request.serialise();
        Ok(request)
    }

    /// What a redirect asks for instead.
    pub(super) fn redirected(&self, status: u16, location: &str) -> Result<Self, String> {
        let url = self
            .url
            .join(location)
            .map_err(|error| format!("redirected to {location:?}: {error}"))?;
        if self.origin.secure && url.scheme() == "http" {
            return Err(format!(
                "redirected from https to {url}, which is not encrypted"
            ));
        }
        let (mut method, mut body) = (self.method.clone(), self.body.clone());
        let rewritten = status == 303 || (matches!(status, 301 | 302) && method == Method::POST);
        if rewritten && method != Method::HEAD {
            method = Method::GET;
            body = Bytes::new();
        }
        let mut headers = Arc::clone(&self.headers);
        if url.origin() != self.url.origin() {
            let headers = Arc::make_mut(&mut headers);
            // What was meant for one server must not be shown to another.
            for name in ["authorization", "cookie", "host"] {
                headers.remove(name);
            }
        }
        Self::new(url, method, headers, body)
            .map_err(|text| format!("redirected to {location:?}: {text}"))
    }

    fn serialise(&self) -> Vec<u8> {
        let path = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut bytes = format!("{} {path} HTTP/1.1\r\n", self.method).into_bytes();
        if !self.headers.contains_key("host") {
            let host = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
            bytes.extend_from_slice(format!("host: {host}\r\n").as_bytes());
        }
        for (name, value) in self.headers.iter() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let has_meaning = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        if has_meaning || !self.body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What a check sends, with our own headers.
fn headers(check: &HttpCheck) -> Arc<HeaderMap> {
    static KEPT: OnceLock<Arc<HeaderMap>> = OnceLock::new();
    static CLOSED: OnceLock<Arc<HeaderMap>> = OnceLock::new();
    let made = || Arc::new(with_ours(check.headers.clone(), check.connection));
    match (check.headers.is_empty(), check.connection) {
        (false, _) => made(),
        (true, Connection::Reuse) => Arc::clone(KEPT.get_or_init(made)),
        (true, Connection::Fresh) => Arc::clone(CLOSED.get_or_init(made)),
    }
}

fn with_ours(mut headers: HeaderMap, connection: Connection) -> HeaderMap {
    for (name, value) in [("user-agent", USER_AGENT), ("accept", "*/*")] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if connection == Connection::Fresh {
        headers.insert("connection", HeaderValue::from_static("close"));
    }
    headers
}

const USER_AGENT: &str = concat!("auscult/", env!("CARGO_PKG_VERSION"));

const PATH_TIMEOUT_MAX: Duration = Duration::from_secs(3);

/// Headers that say how messages are cut out of a connection: what the check itself does.
const FRAMING: [&str; 5] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
];

fn host(text: &str) -> Result<Host<String>, InvalidCheck> {
    // An IPv6 address is written with brackets in a URL and without them elsewhere.
    match text.parse() {
        Ok(address) => Ok(Host::Ipv6(address)),
        Err(_) => Host::parse(text).map_err(|error| invalid("host", error)),
    }
}

fn invalid(field: &'static str, text: impl ToString) -> InvalidCheck {
    InvalidCheck {
        field,
        text: text.to_string(),
    }
}
