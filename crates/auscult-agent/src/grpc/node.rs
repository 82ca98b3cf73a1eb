//! The conventions of the demonstrator: a member has a number, its ports follow from it, and a list
//! of addresses says who the others are.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use auscult_core::id::IdError;
use auscult_core::swim::MemberName;

/// A member's number. From 1 to 10: with 11 its port for failure detection would be the first
/// member's port for dissemination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u16);

/// Why a text is no member's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeIdError {
    /// It is not a number.
    NotANumber(String),
    /// Its ports would be another member's.
    OutOfRange(u64),
}

impl fmt::Display for NodeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber(text) => {
                write!(
                    f,
                    "a node id is a number from 1 to {}, not '{text}'",
                    NodeId::MAX
                )
            }
            Self::OutOfRange(0) => write!(f, "a node id is a number from 1 to {}", NodeId::MAX),
            Self::OutOfRange(id) => write!(
                f,
                "a node id is a number from 1 to {}: node {id} would take the ports of another \
                 one ({} + id for failure detection, {} + id for dissemination); name such members \
                 with --name and give them ports with --bind and --dissemination-bind",
                NodeId::MAX,
                NodeId::DETECTOR_PORT,
                NodeId::DISSEMINATION_PORT
            ),
        }
    }
}

impl std::error::Error for NodeIdError {}

impl NodeId {
    /// The greatest.
    pub const MAX: u16 = Self::DISSEMINATION_PORT - Self::DETECTOR_PORT;
    /// The port for failure detection is this and the number.
    pub const DETECTOR_PORT: u16 = 50_050;
    /// The port for dissemination is this and the number.
    pub const DISSEMINATION_PORT: u16 = 50_060;

    /// Reads a number.
    ///
    /// # Errors
    /// Why it is none. State: nothing was changed.
    pub fn parse(text: &str) -> Result<Self, NodeIdError> {
        let text = text.trim();
        let number: u64 = text.parse().map_err(|_| {
            let shown = text.chars().take(SHOWN_CHARS_MAX).collect();
            NodeIdError::NotANumber(shown)
        })?;
        match u16::try_from(number) {
            Ok(id) if (1..=Self::MAX).contains(&id) => Ok(Self(id)),
            Ok(_) | Err(_) => Err(NodeIdError::OutOfRange(number)),
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Where it serves failure detection, and listens as a member.
    #[must_use]
    pub const fn detector_port(self) -> u16 {
        Self::DETECTOR_PORT + self.0
    }

    /// Where it serves dissemination.
    #[must_use]
    pub const fn dissemination_port(self) -> u16 {
        Self::DISSEMINATION_PORT + self.0
    }

    /// Its name as a member.
    ///
    /// # Errors
    /// Never: the name follows the rules for names.
    pub fn name(self) -> Result<MemberName, IdError> {
        MemberName::new(&format!("{PREFIX}{}", self.0))
    }

    /// What others call the member with this name: the number behind `node`, or the name.
    #[must_use]
    pub fn of(name: &MemberName) -> &str {
        match name.strip_prefix(PREFIX) {
            Some(number) if number.parse::<u16>().is_ok() => number,
            Some(_) | None => name.as_str(),
        }
    }

    /// The name of the member that others call by this id, beside the id itself.
    #[must_use]
    pub fn name_of(id: &str) -> String {
        format!("{PREFIX}{id}")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a member with a number listens, and whom it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it listens: at every address of the machine, unless others reach it over loopback.
    pub bind: IpAddr,
    /// Where others reach it.
    pub advertise: IpAddr,
    /// The addresses of the others, as they were written.
    pub others: Vec<String>,
}

/// The members that there are when nobody says which.
#[must_use]
pub fn default_members() -> Vec<String> {
    (1..=5_u16)
        .map(|id| format!("localhost:{}", NodeId::DETECTOR_PORT + id))
        .collect()
}

/// Reads a list of addresses, separated by commas.
///
/// # Errors
/// The first text that is not `host:port`. State: nothing was changed.
pub fn parse_members(list: &str) -> Result<Vec<String>, String> {
    let texts = list
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    texts
        .map(|text| match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(text.to_owned())
            }
            Some(_) | None => Err(format!("'{text}' is no address: write HOST:PORT")),
        })
        .collect()
}

/// Finds out which of the members is this one: the one with its port. Where several have it, on
/// hosts of their own, the one whose host is this machine.
///
/// # Errors
/// What is missing. State: nothing was changed.
pub async fn place(id: NodeId, members: &[String]) -> Result<Place, String> {
    let port = id.detector_port();
    let suffix = format!(":{port}");
    let (mine, mut others): (Vec<String>, Vec<String>) = members
        .iter()
        .cloned()
        .partition(|text| text.ends_with(&suffix));
    let mut own = None;
    for text in mine {
        match resolve(&text).await {
            Some(address) if own.is_none() && is_here(address.ip()) => own = Some(address.ip()),
            Some(_) | None => others.push(text),
        }
    }
    let advertise = own.ok_or_else(|| {
        format!(
            "no address in MEMBERS is node {id}'s: one of them must have the port {port} and be an \
             address of this machine (or say --bind and --advertise)"
        )
    })?;
    let bind = match advertise {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    };
    Ok(Place {
        bind,
        advertise,
        others,
    })
}

/// Only an address of this machine can be listened at.
fn is_here(ip: IpAddr) -> bool {
    std::net::UdpSocket::bind((ip, 0)).is_ok()
}

/// The address behind a text; of several, one of IPv4, which members agree on where names stand
/// for both.
pub(crate) async fn resolve(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let asked = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host(text)).await;
    let found: Vec<SocketAddr> = asked.ok()?.ok()?.collect();
    let v4 = found.iter().find(|address| address.is_ipv4());
    v4.or_else(|| found.first()).copied()
}

const PREFIX: &str = "node";
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
const SHOWN_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_from_the_number() {
        let node = NodeId::parse(" 3\n").expect("a number");
        assert_eq!(
            (node.detector_port(), node.dissemination_port()),
            (50_053, 50_063)
        );
        let name = node.name().expect("a name");
        assert_eq!((name.as_str(), NodeId::of(&name)), ("node3", "3"));
    }

    #[test]
    fn numbers_whose_ports_collide_are_refused() {
        let last = NodeId::parse("10").expect("the last one");
        let first = NodeId::parse("1").expect("the first one");
        assert!(last.detector_port() < first.dissemination_port());
        for (text, says) in [
            ("0", "from 1 to 10"),
            ("11", "50050 + id"),
            ("x", "not 'x'"),
        ] {
            let error = NodeId::parse(text).expect_err("refused").to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert_eq!(
            NodeId::parse("99999999"),
            Err(NodeIdError::OutOfRange(99_999_999))
        );
    }

    #[test]
    fn names_that_are_no_numbers_stand_for_themselves() {
        for name in ["web-1", "nodes", "node"] {
            let name = MemberName::new(name).expect("a name");
            assert_eq!(NodeId::of(&name), name.as_str());
        }
    }

    #[tokio::test]
    async fn the_own_address_is_the_one_with_the_own_port() {
        let node = NodeId::parse("2").expect("a number");
        let members = parse_members("127.0.0.1:50051, 127.0.0.1:50052,").expect("a list");
        let place = place(node, &members).await.expect("a place");
        assert_eq!(place.others, ["127.0.0.1:50051"]);
        assert!(place.bind.is_loopback() && place.advertise.is_loopback());
        let lonely = super::place(node, &members[..1]).await;
        assert!(lonely.is_err_and(|error| error.contains("50052")));
        assert!(parse_members("node1").is_err_and(|error| error.contains("HOST:PORT")));
    }
}
