//! Sealed datagrams, and the greeting that comes before them.
//!
//! # The greeting
//! Members share a key, so a seal proves that *some* member made a datagram, *some* time. That it
//! was made by a process that is there now, for this process, is proven by tokens: each side makes
//! one for each peer, and takes only what has its own token bound to it.
//!
//! 1. *Ask*: the sender has something to say and no channel. It sends a token of its own.
//! 2. *Answer*: the other one sends a token, and returns the one that it was sent. It keeps nothing
//!    but the token that it offered.
//! 3. *Confirm*: the sender has a channel now, returns the token that it was offered, and says what
//!    it had to say. When it arrives, the other one has a channel, too. It can be lost, so all that
//!    the sender says confirms again, until something comes back on the channel.
//!
//! A token is offered to one address, and used for one channel: what was recorded before is worth
//! nothing to a process that started since, at another address, or after the channel was made
//! anew. Within a channel the [window](super::window) takes each number once.
//!
//! # When the two do not agree
//! One that gets data, or a confirmation, for which it has no channel asks. So does one that could
//! not open a few datagrams in a row on a channel it has. Both are bounded in number, as anybody
//! can cause them.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::time::Instant;
use auscult_core::wire::swim::MAGIC;

use super::LayerReject;
use super::channel::{Allowance, Channels, Origin};
use super::entropy::{Entropy, NoEntropy};
use super::seal::{Ciphers, Nonce96, Prefix, Purpose, TAG_BYTES, Token};
use crate::keys::{Plain, SharedRing};

/// The first bytes of sealed datagrams. None begins a message of the codec.
pub(crate) const KINDS: Range<u8> = 0xB8..0xBE;
const DATA_WHOLE: u8 = 0xB8;
const DATA: u8 = 0xB9;
const ASK: u8 = 0xBA;
const ANSWER: u8 = 0xBB;
const CONFIRM_WHOLE: u8 = 0xBC;
const CONFIRM: u8 = 0xBD;

/// Magic and label of the codec: what every message of a cluster begins with is not sent.
const HEAD_BYTES: usize = 5;
/// Kind, key, counter.
const DATA_HEADER_BYTES: usize = 1 + 2 + 4;
/// Kind, key, prefix, counter.
const GREETING_HEADER_BYTES: usize = 1 + 2 + 8 + 4;
/// Label, token.
const ASK_BYTES: usize = 4 + 8;
/// Label, token, returned token.
const ANSWER_BYTES: usize = 4 + 8 + 8;

/// The most that sealing adds to a message: a confirmation of a message that begins otherwise.
pub(crate) const OVERHEAD_MAX: usize = GREETING_HEADER_BYTES + ANSWER_BYTES + TAG_BYTES;

/// Datagrams in a row that cannot be opened before the peer is asked whether it has another
/// channel. A few, so that forged ones between good ones do nothing.
const FAILURES_MAX: u8 = 4;

/// Between two unprompted questions to an address.
const ASK_APART: Duration = Duration::from_secs(1);
/// Between two questions to an address that sends plain datagrams: it may not know how to answer.
const INVITE_APART: Duration = Duration::from_secs(10);

/// After so long without a sealed datagram, a plain one means that the peer has started without
/// keys: where plain ones are taken, we then write plain ones to it.
const PLAIN_AFTER: Duration = Duration::from_secs(5);

/// Counters that are left when a new prefix is taken.
const COUNTERS_SPARE: u32 = 16;

/// Seals and opens datagrams.
pub(crate) struct Sealer {
    ring: Arc<SharedRing>,
    entropy: Box<dyn Entropy>,
    head: [u8; HEAD_BYTES],
    prefix: Prefix,
    /// Of the next datagram. One for all peers: with the prefix it makes a nonce.
    counter: u32,
    channels: Channels,
    allowance: Allowance,
}

/// Where in a datagram the message is, if there is one.
type Place = Option<Range<usize>>;

/// What a greeting says.
struct Greeted {
    prefix: Prefix,
    counter: u32,
    token: Token,
    echo: Token,
    body: Place,
}

impl Sealer {
    pub(crate) fn new(
        ring: Arc<SharedRing>,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self, NoEntropy> {
        let prefix = draw(&mut *entropy)?;
        let mut head = [MAGIC, 0, 0, 0, 0];
        head[1..].copy_from_slice(&ring.label().tag().0.to_le_bytes());
        Ok(Self {
            ring,
            entropy,
            head,
            prefix,
            counter: 0,
            channels: Channels::default(),
            allowance: Allowance::full(Instant::from_nanos(0)),
        })
    }

    pub(crate) const fn ring(&self) -> &Arc<SharedRing> {
        &self.ring
    }

    pub(crate) fn is_established(&self, peer: SocketAddr) -> bool {
        self.channels.is_established(peer)
    }

    /// Writes what is to be sent to `to` now: the sealed message, or a question, behind which it
    /// waits. Nothing, when the system gives no random bytes.
    pub(crate) fn wrap(&mut self, now: Instant, to: SocketAddr, body: &[u8], out: &mut Vec<u8>) {
        let Ok(()) = self.renew_when_spent() else {
            return;
        };
        let Some(channel) = self.channels.established(to) else {
            let Ok(offer) = self.offer(now, to, Origin::Ours) else {
                return;
            };
            if let Some(greeting) = self.channels.greeting(to) {
                greeting.wait(now, body);
            }
            return self.write_ask(offer, out);
        };
        channel.used_at = now;
        let theirs = channel.theirs;
        if !channel.is_shared {
            let own = channel.own;
            return self.write_reply(CONFIRM, own, theirs, body, out);
        }
        let counter = self.count();
        let sealing = self.ring.sealing();
        let ciphers = sealing.primary();
        let (kind, rest) = match body.strip_prefix(&self.head) {
            Some(rest) => (DATA, rest),
            None => (DATA_WHOLE, body),
        };
        out.push(kind);
        out.extend_from_slice(&ciphers.id().short());
        out.extend_from_slice(&counter.to_le_bytes());
        let bound = bound(out, theirs);
        out.extend_from_slice(rest);
        let nonce = Nonce96::new(self.prefix, counter);
        ciphers.seal(Purpose::Data, nonce, &bound, out, DATA_HEADER_BYTES);
    }

    /// Opens a datagram that begins with one of [`KINDS`]. Appends to `reply` what is to be sent
    /// back.
    pub(crate) fn unwrap<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &'a mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, LayerReject> {
        let Ok(()) = self.renew_when_spent() else {
            return Err(LayerReject::NoChannel);
        };
        let place = match bytes.first() {
            Some(&(DATA | DATA_WHOLE)) => self.open_data(now, from, bytes, reply)?,
            Some(&ASK) => self.on_ask(now, from, bytes, reply)?,
            Some(&ANSWER) => self.on_answer(now, from, bytes, reply)?,
            Some(&(CONFIRM | CONFIRM_WHOLE)) => self.on_confirm(now, from, bytes, reply)?,
            Some(_) | None => return Err(LayerReject::Short),
        };
        Ok(place.map(|place| &bytes[place]))
    }

    /// Takes it that a peer sends plain datagrams, and asks it whether it can seal.
    pub(crate) fn on_plain(&mut self, now: Instant, from: SocketAddr, reply: &mut Vec<u8>) {
        if let Some(channel) = self.channels.established(from) {
            // It may have been on its way while the channel was made.
            if only_sealed(&self.ring) || now.since(channel.heard_at) < PLAIN_AFTER {
                return;
            }
            self.channels.forget(from);
        }
        self.ask_unprompted(now, from, INVITE_APART, reply);
    }

    fn open_data(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Place, LayerReject> {
        if bytes.len() < DATA_HEADER_BYTES + TAG_BYTES {
            return Err(LayerReject::Short);
        }
        let sealing = self.ring.sealing();
        let ciphers = sealing.find([bytes[1], bytes[2]]);
        let ciphers = ciphers.ok_or(LayerReject::UnknownKey)?;
        let Some(channel) = self.channels.established(from) else {
            self.ask_unprompted(now, from, ASK_APART, reply);
            return Err(LayerReject::NoChannel);
        };
        let counter = counter_at(bytes, 3);
        if !channel.window.is_fresh(counter) {
            return Err(LayerReject::Replay);
        }
        let bound = bound(bytes, channel.own);
        let nonce = Nonce96::new(channel.prefix, counter);
        let sealed = &mut bytes[DATA_HEADER_BYTES..];
        if let Err(reject) = ciphers.open(Purpose::Data, nonce, &bound, sealed) {
            channel.failures += 1;
            if channel.failures >= FAILURES_MAX {
                channel.failures = 0;
                self.ask_unprompted(now, from, ASK_APART, reply);
            }
            return Err(reject);
        }
        channel.window.mark(counter);
        channel.is_shared = true;
        channel.failures = 0;
        channel.used_at = now;
        channel.heard_at = now;
        Ok(Some(self.message(bytes, DATA_HEADER_BYTES)))
    }

    /// Answers, and keeps nothing of what the question said: it may be an old one.
    fn on_ask(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Place, LayerReject> {
        let asked = self.open_greeting(bytes)?;
        let offer = self.offer(now, from, Origin::Theirs);
        let offer = offer.map_err(|NoEntropy| LayerReject::NoChannel)?;
        self.write_reply(ANSWER, offer, asked.token, &[], reply);
        Ok(None)
    }

    fn on_answer(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Place, LayerReject> {
        let answer = self.open_greeting(bytes)?;
        let waiting = self.prove(now, from, &answer)?;
        let body = waiting.as_deref().unwrap_or_default();
        // The tokens say it all; what waited goes along.
        self.write_reply(CONFIRM, answer.echo, answer.token, body, reply);
        Ok(None)
    }

    fn on_confirm(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Place, LayerReject> {
        let confirmed = self.open_greeting(bytes)?;
        let waiting = self.prove(now, from, &confirmed);
        if waiting.is_err() && self.channels.established(from).is_none() {
            // A member that heard nothing yet on a channel with the process before this one, or
            // with another one, says all that it says in this way, and would go on for ever.
            self.ask_unprompted(now, from, ASK_APART, reply);
        }
        let waiting = waiting?;
        if let Some(channel) = self.channels.established(from) {
            channel.is_shared = true;
        }
        if let Some(waiting) = waiting {
            // Both sides had something to say.
            self.wrap(now, from, &waiting, reply);
        }
        Ok(confirmed.body)
    }

    /// Takes a greeting that returns the token which we offered, and makes a channel of it; or one
    /// that returns the token of the channel there is, and says the same as the one before.
    fn prove(
        &mut self,
        now: Instant,
        from: SocketAddr,
        greeted: &Greeted,
    ) -> Result<Option<Vec<u8>>, LayerReject> {
        let Greeted {
            prefix,
            counter,
            token,
            echo,
            ..
        } = *greeted;
        if self
            .channels
            .greeting(from)
            .is_some_and(|one| one.offer == echo)
        {
            return Ok(self.channels.establish(now, from, token, prefix, counter));
        }
        let channel = self.channels.established(from);
        let channel =
            channel.filter(|one| one.own == echo && one.theirs == token && one.prefix == prefix);
        match channel {
            Some(channel) if channel.window.is_fresh(counter) => {
                channel.window.mark(counter);
                Ok(None)
            }
            Some(_) | None => Err(LayerReject::Replay),
        }
    }

    fn open_greeting(&self, bytes: &mut [u8]) -> Result<Greeted, LayerReject> {
        let kind = bytes[0];
        let (purpose, said, more) = match kind {
            ASK => (Purpose::Greeting, ASK_BYTES, false),
            ANSWER => (Purpose::Greeting, ANSWER_BYTES, false),
            _ => (Purpose::Data, ANSWER_BYTES, true),
        };
        let least = GREETING_HEADER_BYTES + said + TAG_BYTES;
        if bytes.len() < least || bytes.len() > least && !more {
            return Err(LayerReject::Short);
        }
        let sealing = self.ring.sealing();
        let ciphers = sealing.find([bytes[1], bytes[2]]);
        let ciphers = ciphers.ok_or(LayerReject::UnknownKey)?;
        let prefix = eight_at(bytes, 3);
        if prefix == self.prefix {
            // Our own, sent back to us.
            return Err(LayerReject::Replay);
        }
        let counter = counter_at(bytes, 11);
        let nonce = Nonce96::new(prefix, counter);
        let (header, sealed) = bytes.split_at_mut(GREETING_HEADER_BYTES);
        let opened = ciphers.open(purpose, nonce, header, sealed)?;
        if opened[..4] != self.head[1..] {
            return Err(LayerReject::Label);
        }
        let token = eight_at(opened, 4);
        let echo = match kind {
            ASK => Token::default(),
            _ => eight_at(opened, 12),
        };
        let begin = GREETING_HEADER_BYTES + said;
        let body = more && bytes.len() > least;
        Ok(Greeted {
            prefix,
            counter,
            token,
            echo,
            body: body.then(|| self.message(bytes, begin)),
        })
    }

    /// Where the message is that begins there, after what is not sent of it was put before it.
    fn message(&self, bytes: &mut [u8], begin: usize) -> Range<usize> {
        let end = bytes.len() - TAG_BYTES;
        match bytes[0] {
            DATA | CONFIRM => {
                bytes[begin - HEAD_BYTES..begin].copy_from_slice(&self.head);
                begin - HEAD_BYTES..end
            }
            _ => begin..end,
        }
    }

    /// The token that is offered to the peer, or a new one.
    fn offer(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        origin: Origin,
    ) -> Result<Token, NoEntropy> {
        if let Some(greeting) = self.channels.greeting(peer) {
            return Ok(greeting.offer);
        }
        let offer = draw(&mut *self.entropy)?;
        self.channels.greet(now, peer, origin, offer);
        Ok(offer)
    }

    fn ask_unprompted(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        apart: Duration,
        reply: &mut Vec<u8>,
    ) {
        if !self.allowance.take(now) {
            return;
        }
        let Ok(offer) = self.offer(now, peer, Origin::Theirs) else {
            return;
        };
        let greeting = self.channels.greeting(peer);
        if greeting.is_some_and(|one| one.invite(now, apart)) {
            self.write_ask(offer, reply);
        }
    }

    fn write_ask(&mut self, offer: Token, out: &mut Vec<u8>) {
        let tag = self.label_tag();
        self.write_greeting(ASK, Purpose::Greeting, &[&tag, &offer], out);
    }

    fn write_reply(&mut self, kind: u8, own: Token, theirs: Token, body: &[u8], out: &mut Vec<u8>) {
        let tag = self.label_tag();
        let (kind, purpose, body) = match (kind, body.strip_prefix(&self.head)) {
            (ANSWER, _) => (ANSWER, Purpose::Greeting, body),
            (_, Some(rest)) => (CONFIRM, Purpose::Data, rest),
            (_, None) => (CONFIRM_WHOLE, Purpose::Data, body),
        };
        self.write_greeting(kind, purpose, &[&tag, &own, &theirs, body], out);
    }

    fn write_greeting(&mut self, kind: u8, purpose: Purpose, says: &[&[u8]], out: &mut Vec<u8>) {
        let counter = self.count();
        let sealing = self.ring.sealing();
        let ciphers: &Ciphers = sealing.primary();
        let begin = out.len();
        out.push(kind);
        out.extend_from_slice(&ciphers.id().short());
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(&counter.to_le_bytes());
        let mut header = [0; GREETING_HEADER_BYTES];
        header.copy_from_slice(&out[begin..]);
        for part in says {
            out.extend_from_slice(part);
        }
        let nonce = Nonce96::new(self.prefix, counter);
        let from = begin + GREETING_HEADER_BYTES;
        ciphers.seal(purpose, nonce, &header, out, from);
    }

    fn label_tag(&self) -> [u8; 4] {
        let [_, tag @ ..] = self.head;
        tag
    }

    fn count(&mut self) -> u32 {
        self.counter += 1;
        self.counter
    }

    /// Takes another prefix before a counter would come again. That voids every channel; at a
    /// thousand datagrams in a second it happens every 49 days.
    fn renew_when_spent(&mut self) -> Result<(), NoEntropy> {
        if self.counter < u32::MAX - COUNTERS_SPARE {
            return Ok(());
        }
        self.prefix = draw(&mut *self.entropy)?;
        self.counter = 0;
        self.channels.clear();
        Ok(())
    }
}

pub(crate) fn only_sealed(ring: &SharedRing) -> bool {
    match ring.sealing().plain() {
        Plain::Refused => true,
        Plain::Accepted => false,
    }
}

/// What the seal of data speaks for besides the message: the header, and the receiver's token.
fn bound(bytes: &[u8], token: Token) -> [u8; DATA_HEADER_BYTES + 8] {
    let mut bound = [0; DATA_HEADER_BYTES + 8];
    bound[..DATA_HEADER_BYTES].copy_from_slice(&bytes[..DATA_HEADER_BYTES]);
    bound[DATA_HEADER_BYTES..].copy_from_slice(&token);
    bound
}

fn draw(entropy: &mut dyn Entropy) -> Result<[u8; 8], NoEntropy> {
    let mut drawn = [0; 8];
    entropy.fill(&mut drawn)?;
    Ok(drawn)
}

fn counter_at(bytes: &[u8], at: usize) -> u32 {
    let mut counter = [0; 4];
    counter.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(counter)
}

fn eight_at(bytes: &[u8], at: usize) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    eight
}
