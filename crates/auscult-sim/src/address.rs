//! The addresses of a world: each place has hosts of its own, and each host has ports.

use std::net::SocketAddr;

use crate::world::World;

/// Who is asked at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// This member.
    Member(usize),
    /// Nobody any more, but the member's host answers that.
    Host(usize),
    /// Nobody.
    Nobody,
}

impl World {
    pub(crate) fn listener(&self, address: SocketAddr) -> Listener {
        let SocketAddr::V4(v4) = address else {
            return Listener::Nobody;
        };
        let [NET, _, high, low] = v4.ip().octets() else {
            return Listener::Nobody;
        };
        let place = usize::from(u16::from_be_bytes([high, low]));
        match self.members.get(place) {
            Some(member) if member.address == address => Listener::Member(place),
            Some(member) if member.address.ip() == address.ip() => Listener::Host(place),
            Some(_) | None => Listener::Nobody,
        }
    }
}

/// The first byte of every address; the second one is the host, the others are the place.
const NET: u8 = 10;
pub(crate) const PORT: u16 = 7946;

pub(crate) fn address_of(place: usize, host: u8, port: u16) -> SocketAddr {
    let Ok(place) = u16::try_from(place) else {
        panic!("a world has at most 65,536 members");
    };
    let [high, low] = place.to_be_bytes();
    SocketAddr::from(([NET, host, high, low], port))
}

pub(crate) fn host_and_port(address: SocketAddr) -> (u8, u16) {
    match address {
        SocketAddr::V4(v4) => (v4.ip().octets()[1], v4.port()),
        SocketAddr::V6(v6) => (0, v6.port()),
    }
}
