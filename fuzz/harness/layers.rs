//! What must hold for any traffic between agents with keys, whoever keeps, copies, changes and
//! turns round their datagrams, and whenever they start anew: what is heard was said, to the one
//! who hears it, is heard once, and was sealed after the one who hears it began.
//!
//! Addresses are not sealed, as a network may translate them. So whoever stands between two agents
//! and exchanges the addresses of a whole greeting, in both directions, connects one with another
//! than it meant, as a router that is set up wrongly does. What is said on such a channel may be
//! heard by the other one, and still once, unchanged, and after it began.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::keys::{Key, KeyRing, Plain, SharedRing};
use auscult_agent::layers::Layers;
use auscult_agent::layers::entropy::{Entropy, NoEntropy};
use auscult_core::swim::Label;
use auscult_core::time::Instant;

/// Panics when the story that `bytes` stand for breaks a promise of the layers.
pub(crate) fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut world = World {
        now: Instant::from_secs(1),
        drawn: 0,
        said: 0,
        datagrams: Vec::new(),
        heard: BTreeSet::new(),
        misled: BTreeSet::new(),
        parties: Vec::new(),
    };
    for number in 0..PARTIES {
        let party = world.start(number);
        world.parties.push(party);
    }
    for _ in 0..2_000 {
        if bytes.0.is_empty() {
            break;
        }
        world.step(&mut bytes);
    }
}

const PARTIES: u8 = 3;
/// Datagrams that the one between the agents keeps.
const KEPT_MAX: usize = 256;

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }
}

/// Numbers that are never the same twice, and the same in every run.
struct Drawn(u64);

impl Entropy for Drawn {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        self.0 += 1;
        for (byte, drawn) in bytes.iter_mut().zip(self.0.to_le_bytes().iter().cycle()) {
            *byte = *drawn;
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
    sealed_at: Instant,
    /// Its bytes are not those that somebody sealed.
    is_forged: bool,
    /// Its addresses are not those with which it was sent.
    is_diverted: bool,
    /// It was sealed for an address from which something diverted had come.
    is_misled: bool,
}

struct Party {
    layers: Layers,
    ring: Arc<SharedRing>,
    started_at: Instant,
}

struct World {
    now: Instant,
    drawn: u64,
    said: u32,
    datagrams: Vec<Datagram>,
    /// What was heard: the number of the message.
    heard: BTreeSet<u32>,
    /// Agents, and the addresses from which something diverted came to them.
    misled: BTreeSet<(SocketAddr, SocketAddr)>,
    parties: Vec<Party>,
}

impl World {
    fn start(&mut self, number: u8) -> Party {
        self.now = self.now.after(Duration::from_nanos(1));
        self.drawn += 1 << 32;
        let label = Label::new("fuzz").expect("a label");
        let mut ring = KeyRing::new(Key::new([1; 32]));
        let _ = ring.install(Key::new([2; 32]));
        let ring = Arc::new(SharedRing::new(label, ring.with_plain(Plain::Refused)));
        let entropy = Box::new(Drawn(self.drawn + (u64::from(number) << 56)));
        Party {
            layers: Layers::sealed(Arc::clone(&ring), entropy).expect("entropy"),
            ring,
            started_at: self.now,
        }
    }

    fn restart(&mut self, number: u8) {
        let me = address(number);
        self.misled.retain(|&(agent, _)| agent != me);
        self.parties[usize::from(number)] = self.start(number);
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        // No two things happen at the same moment.
        self.now = self.now.after(Duration::from_nanos(1));
        match bytes.next() % 16 {
            0..5 => self.say(bytes),
            5..11 => {
                let Some(datagram) = self.pick(bytes) else {
                    return;
                };
                self.deliver(datagram);
            }
            11 => {
                let Some(mut datagram) = self.pick(bytes) else {
                    return;
                };
                let at = usize::from(bytes.next()) % datagram.bytes.len();
                datagram.bytes[at] ^= 1 << (bytes.next() % 8);
                datagram.is_forged = true;
                self.deliver(datagram);
            }
            12 => {
                let Some(mut datagram) = self.pick(bytes) else {
                    return;
                };
                let (from, to) = (address(bytes.next()), address(bytes.next()));
                datagram.is_diverted |= (from, to) != (datagram.from, datagram.to);
                (datagram.from, datagram.to) = (from, to);
                self.deliver(datagram);
            }
            13 => {
                let Some(mut datagram) = self.pick(bytes) else {
                    return;
                };
                let sealed = datagram.bytes.clone();
                datagram.bytes.truncate(usize::from(bytes.next()));
                datagram.bytes.push(bytes.next());
                datagram.is_forged = datagram.bytes != sealed;
                self.deliver(datagram);
            }
            14 => match bytes.next() % 4 {
                0 => self.restart(bytes.next() % PARTIES),
                1 => self.now = self.now.after(Duration::from_millis(700)),
                2 => self.now = self.now.after(Duration::from_secs(20)),
                _ => {
                    let party = &self.parties[usize::from(bytes.next() % PARTIES)];
                    let mut ring = party.ring.ring();
                    let other = ring.keys()[1].id();
                    ring.promote(other).expect("it is there");
                    party.ring.replace(ring);
                }
            },
            _ => {
                let length = usize::from(bytes.next());
                let datagram = Datagram {
                    from: address(bytes.next()),
                    to: address(bytes.next()),
                    bytes: (0..length).map(|_| bytes.next()).collect(),
                    sealed_at: self.now,
                    is_forged: true,
                    is_diverted: false,
                    is_misled: false,
                };
                self.deliver(datagram);
            }
        }
    }

    fn say(&mut self, bytes: &mut Bytes<'_>) {
        let (from, to) = (bytes.next() % PARTIES, bytes.next() % PARTIES);
        self.said += 1;
        let mut body = vec![to];
        body.extend(self.said.to_le_bytes());
        let mut out = vec![0xEE];
        let party = &mut self.parties[usize::from(from)];
        party.layers.wrap(self.now, address(to), &body, &mut out);
        assert!(out.len() <= body.len() + party.layers.datagram_overhead());
        self.keep(address(from), address(to), out);
    }

    fn pick(&self, bytes: &mut Bytes<'_>) -> Option<Datagram> {
        // The newest ones first, so that greetings come to an end.
        let back = usize::from(bytes.next());
        self.datagrams.iter().rev().nth(back).cloned()
    }

    fn keep(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        if self.datagrams.len() == KEPT_MAX {
            self.datagrams.remove(0);
        }
        self.datagrams.push(Datagram {
            from,
            to,
            bytes,
            sealed_at: self.now,
            is_forged: false,
            is_diverted: false,
            is_misled: self.misled.contains(&(from, to)),
        });
    }

    fn deliver(&mut self, datagram: Datagram) {
        let Some(number) = (0..PARTIES).find(|number| address(*number) == datagram.to) else {
            return;
        };
        let party = &mut self.parties[usize::from(number)];
        let (mut taken, mut reply) = (datagram.bytes, vec![0xEE]);
        let result = party
            .layers
            .unwrap(self.now, datagram.from, &mut taken, &mut reply);
        let is_answered = result.is_ok() || reply.len() > 1;
        if is_answered && (datagram.is_diverted || datagram.is_misled) {
            self.misled.insert((datagram.to, datagram.from));
        }
        if let Ok(Some(body)) = result {
            assert!(!datagram.is_forged, "what was changed is heard");
            assert!(
                datagram.is_misled || !datagram.is_diverted,
                "what was diverted is heard"
            );
            assert!(
                datagram.sealed_at >= party.started_at,
                "from before the start"
            );
            let (&[to], said) = body.split_first_chunk().expect("what was said");
            assert!(datagram.is_misled || to == number, "said to another one");
            let said = said.try_into().expect("what was said");
            assert!(self.heard.insert(u32::from_le_bytes(said)), "heard twice");
        }
        let (from, to) = (datagram.to, datagram.from);
        self.keep(from, to, reply);
    }
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, number % (PARTIES + 1)], 7946))
}
