//! Where settings stand in etcd: `etcd://HOST:PORT[,HOST:PORT..][/PREFIX]`, or `etcds://` for TLS.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use tokio::net::lookup_host;

/// What keys begin with where nothing else is said.
const PREFIX: &str = "auscult";

/// The port at which etcd serves clients.
const PORT: u16 = 2379;

/// Members of an etcd cluster, and what our keys there begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// How its members are reached.
    pub scheme: Scheme,
    /// Where its members are reached, as host and port.
    pub endpoints: Vec<String>,
    /// What every key begins with; begins with `/` and does not end with one.
    pub prefix: String,
}

/// How etcd is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// As it is.
    Plain,
    /// Over TLS.
    Tls,
}

impl Scheme {
    const ALL: [Self; 2] = [Self::Plain, Self::Tls];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "etcd://",
            Self::Tls => "etcds://",
        }
    }
}

/// Why a text names no place in etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlace(String);

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; expected etcd://HOST:PORT[,HOST:PORT..][/PREFIX], such as \
             etcd://127.0.0.1:2379/auscult, or etcds:// for TLS",
            self.0
        )
    }
}

impl std::error::Error for NoPlace {}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut schemes = Scheme::ALL.into_iter();
        let found = schemes.find_map(|it| Some((it, text.strip_prefix(it.as_str())?)));
        // Whatever stands there may hold a password, so it is not repeated.
        let no_scheme = || NoPlace("it does not begin with etcd:// or etcds://".to_owned());
        let (scheme, rest) = found.ok_or_else(no_scheme)?;
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if hosts.contains('@') {
            let text = "name and password do not stand in the address, where others would see \
                        them: use --settings-user and --settings-password-file";
            return Err(NoPlace(text.to_owned()));
        }
        let endpoints: Result<Vec<String>, NoPlace> = hosts.split(',').map(endpoint).collect();
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        let prefix = match prefix.trim_matches('/') {
            "" => PREFIX,
            named if named.bytes().all(is_part) => named,
            other => {
                let text = format!("{other:?} has more than letters, digits and - _ . : /");
                return Err(NoPlace(text));
            }
        };
        Ok(Self {
            scheme,
            endpoints: endpoints?,
            prefix: format!("/{prefix}"),
        })
    }
}

impl Place {
    /// The address of this machine on the way there; none where no endpoint is found by its name.
    /// Nothing is sent.
    pub async fn way_there(&self) -> Option<IpAddr> {
        for endpoint in &self.endpoints {
            let Ok(found) = lookup_host(endpoint).await else {
                continue;
            };
            for there in found {
                let any: IpAddr = match there {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let socket = UdpSocket::bind((any, 0));
                let here = socket.and_then(|socket| {
                    socket.connect(there)?;
                    socket.local_addr()
                });
                if let Ok(here) = here {
                    return Some(here.ip());
                }
            }
        }
        None
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_str();
        write!(f, "{scheme}{}{}", self.endpoints.join(","), self.prefix)
    }
}

fn endpoint(text: &str) -> Result<String, NoPlace> {
    let bracketed = text.starts_with('[');
    let has_port = match text.rsplit_once(':') {
        Some((_, port)) if !bracketed || !port.ends_with(']') => {
            if port.parse::<u16>().is_err() {
                return Err(NoPlace(format!("{text:?} has no port that is a number")));
            }
            true
        }
        _ => false,
    };
    if text.is_empty() || text.starts_with(':') {
        return Err(NoPlace("a host is missing".to_owned()));
    }
    Ok(if has_port {
        text.to_owned()
    } else {
        format!("{text}:{PORT}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        for (text, endpoints, prefix) in [
            ("etcd://127.0.0.1:2379", "127.0.0.1:2379", "/auscult"),
            ("etcd://127.0.0.1", "127.0.0.1:2379", "/auscult"),
            ("etcd://one,two:1/a/b/", "one:2379,two:1", "/a/b"),
            ("etcds://one:1/a", "one:1", "/a"),
            ("etcd://[::1]/x", "[::1]:2379", "/x"),
            ("etcd://[::1]:7/x", "[::1]:7", "/x"),
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.endpoints.join(","), endpoints, "{text}");
            assert_eq!(place.prefix, prefix, "{text}");
            assert_eq!(place.to_string().parse(), Ok(place), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_says_why() {
        for (text, why) in [
            ("http://me:secret@one", "does not begin with etcd://"),
            ("etcd://", "a host is missing"),
            ("etcd://one,,two", "a host is missing"),
            ("etcd://:2379", "a host is missing"),
            ("etcd://one:port", "no port"),
            ("etcd://me:secret@one", "--settings-user"),
            ("etcd://one/a b", "letters"),
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
