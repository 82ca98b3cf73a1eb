//! What an agent knows of the peers with which it exchanges sealed datagrams, by their addresses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::bounds::MEMBERS_MAX;
use auscult_core::time::Instant;

use super::seal::{Prefix, Token};
use super::window::Window;

/// Peers with which there is a channel. The one that has been quiet the longest makes room; it
/// and we greet each other again when there is something to say.
const ESTABLISHED_MAX: usize = MEMBERS_MAX;

/// Peers that were greeted, or greeted us, and have not proven yet that they are there now.
const GREETINGS_MAX: usize = 1_024;

/// How long a datagram waits for the answer to a greeting. Later the machine has given up on it.
const WAITING_MAX: Duration = Duration::from_secs(2);

/// A peer that has proven that it is there now: it returned a token that we made for it.
#[derive(Debug)]
pub(crate) struct Established {
    /// What the peer binds to all that it seals for us.
    pub(crate) own: Token,
    /// What we bind to all that we seal for the peer.
    pub(crate) theirs: Token,
    /// The prefix of the peer's process.
    pub(crate) prefix: Prefix,
    pub(crate) window: Window,
    /// Whether the peer has shown that it has the channel, too. Until then our confirmation may
    /// have been lost, and everything that we say confirms again.
    pub(crate) is_shared: bool,
    /// Datagrams since the last good one that could not be opened.
    pub(crate) failures: u8,
    /// When something was sealed or opened last.
    pub(crate) used_at: Instant,
    /// When something was opened last.
    pub(crate) heard_at: Instant,
}

/// A peer that has a token of ours to return.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) offer: Token,
    origin: Origin,
    begun_at: Instant,
    /// When we last asked it for its token without having something to say.
    invited_at: Option<Instant>,
    /// The last thing that we had to say, and since when.
    waiting: Option<(Instant, Vec<u8>)>,
}

/// Who began a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Something that came from the address; anybody can cause it, with somebody else's address.
    Theirs,
    /// We have something to say.
    Ours,
}

#[derive(Debug, Default)]
pub(crate) struct Channels {
    established: HashMap<SocketAddr, Established>,
    greetings: HashMap<SocketAddr, Greeting>,
}

impl Channels {
    pub(crate) fn established(&mut self, peer: SocketAddr) -> Option<&mut Established> {
        self.established.get_mut(&peer)
    }

    pub(crate) fn is_established(&self, peer: SocketAddr) -> bool {
        self.established.contains_key(&peer)
    }

    pub(crate) fn greeting(&mut self, peer: SocketAddr) -> Option<&mut Greeting> {
        self.greetings.get_mut(&peer)
    }

    /// Begins a greeting.
    pub(crate) fn greet(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        origin: Origin,
        offer: Token,
    ) -> &mut Greeting {
        if self.greetings.len() >= GREETINGS_MAX {
            // Those that anybody can cause go first, so that a flood costs us nothing of our own.
            let rank = |(_, one): &(&SocketAddr, &Greeting)| (one.origin, one.begun_at);
            let oldest = self
                .greetings
                .iter()
                .min_by_key(rank)
                .map(|(&peer, _)| peer);
            oldest.map(|peer| self.greetings.remove(&peer));
        }
        self.greetings.entry(peer).or_insert(Greeting {
            offer,
            origin,
            begun_at: now,
            invited_at: None,
            waiting: None,
        })
    }

    /// Makes a channel with a peer that returned our offer, and gives what waited for it. What was
    /// agreed with the same address before is void, and with it everything that was sealed then.
    pub(crate) fn establish(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        theirs: Token,
        prefix: Prefix,
        counter: u32,
    ) -> Option<Vec<u8>> {
        let greeting = self.greetings.remove(&peer)?;
        if self.established.len() >= ESTABLISHED_MAX && !self.is_established(peer) {
            let quietest = self.established.iter().min_by_key(|(_, one)| one.used_at);
            let quietest = quietest.map(|(&peer, _)| peer);
            quietest.map(|peer| self.established.remove(&peer));
        }
        let established = Established {
            own: greeting.offer,
            theirs,
            prefix,
            window: Window::beginning_at(counter),
            is_shared: false,
            failures: 0,
            used_at: now,
            heard_at: now,
        };
        self.established.insert(peer, established);
        let (since, body) = greeting.waiting?;
        (now.since(since) <= WAITING_MAX).then_some(body)
    }

    /// Forgets the channel with a peer.
    pub(crate) fn forget(&mut self, peer: SocketAddr) {
        self.established.remove(&peer);
    }

    /// Forgets every channel: our prefix changed.
    pub(crate) fn clear(&mut self) {
        self.established.clear();
        self.greetings.clear();
    }

    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.established.len(), self.greetings.len())
    }
}

impl Greeting {
    /// Keeps what is to be said when the peer has answered; it takes the place of what waited.
    pub(crate) fn wait(&mut self, now: Instant, body: &[u8]) {
        self.origin = Origin::Ours;
        let (since, waiting) = self.waiting.get_or_insert_with(|| (now, Vec::new()));
        *since = now;
        waiting.clear();
        waiting.extend_from_slice(body);
    }

    /// Whether the peer may be asked for its token again, unprompted; if so, it counts as asked.
    pub(crate) fn invite(&mut self, now: Instant, apart: Duration) -> bool {
        let due = self.invited_at.is_none_or(|at| now.since(at) >= apart);
        if due {
            self.invited_at = Some(now);
        }
        due
    }
}

/// How many peers may be asked for their tokens because of datagrams that anybody could have sent.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: u32,
    filled_at: Instant,
}

impl Allowance {
    /// In one second, at most.
    const PER_SECOND: u32 = 64;

    pub(crate) const fn full(now: Instant) -> Self {
        Self {
            left: Self::PER_SECOND,
            filled_at: now,
        }
    }

    pub(crate) fn take(&mut self, now: Instant) -> bool {
        if now.since(self.filled_at) >= Duration::from_secs(1) {
            *self = Self::full(now);
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, (number >> 8) as u8, number as u8], 7946))
    }

    #[test]
    fn greetings_that_anybody_can_cause_push_out_none_of_ours() {
        let mut channels = Channels::default();
        let now = Instant::from_secs(1);
        channels
            .greet(now, peer(0), Origin::Ours, [0; 8])
            .wait(now, b"ping");
        for number in 1..=3 * GREETINGS_MAX {
            let later = now.after(Duration::from_millis(number as u64));
            channels.greet(later, peer(number), Origin::Theirs, [1; 8]);
        }
        assert_eq!(channels.counts(), (0, GREETINGS_MAX));
        assert!(channels.greeting(peer(0)).is_some());
        assert!(channels.greeting(peer(1)).is_none(), "the oldest went");
        assert!(channels.greeting(peer(3 * GREETINGS_MAX)).is_some());
    }

    #[test]
    fn what_waited_too_long_is_not_said() {
        let now = Instant::from_secs(1);
        for (wait, said) in [(WAITING_MAX, true), (WAITING_MAX * 2, false)] {
            let mut channels = Channels::default();
            let greeting = channels.greet(now, peer(0), Origin::Ours, [0; 8]);
            greeting.wait(now, b"an earlier one");
            greeting.wait(now, b"ping");
            let body = channels.establish(now.after(wait), peer(0), [1; 8], [2; 8], 3);
            assert_eq!(body.as_deref(), said.then_some(b"ping".as_slice()));
            assert_eq!(channels.counts(), (1, 0));
        }
    }

    #[test]
    fn an_allowance_fills_up_once_in_a_second() {
        let now = Instant::from_secs(1);
        let mut allowance = Allowance::full(now);
        let mut taken = |at| (0..1_000).filter(|_| allowance.take(at)).count();
        assert_eq!(taken(now), 64);
        assert_eq!(taken(now.after(Duration::from_millis(999))), 0);
        assert_eq!(taken(now.after(Duration::from_secs(1))), 64);
    }
}
