//! What must hold for any sequence of inputs of a member, from peers who say whatever they like:
//! it never panics and never loops, its parts agree, its memory has bounds, what it sends can be
//! read by others, and the same inputs give the same outputs.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::bounds::{
    BROADCASTS_QUEUED_MAX, INCARNATION_MAX, MEMBERSHIP_FRAME_BYTES_MAX, METADATA_BYTES_MAX,
};
use auscult_core::swim::{
    Answer, Asker, Body, Broadcast, Claim, Config, Delta, ExchangeId, Hearsay, Identity,
    Incarnation, Input, Item, Key, Label, LabelTag, MemberId, MemberName, MetadataNews,
    MetadataTag, Output, Pace, Packet, Params, ProbeOrder, Proof, Record, Refusal, Request,
    Sequence, Stamp, State, StreamFailure, StreamProbe, SuspicionRule, Swim, Ticket, Timing,
    Update, ViewTag, Want,
};
use auscult_core::time::Instant;
use auscult_core::wire::swim::{
    decode_answer, decode_packet, decode_request, encode_answer, encode_packet, encode_request,
};

use super::bytes::Bytes;

/// Panics when the inputs that `bytes` stand for break a promise of the machine.
pub(crate) fn check(bytes: &[u8]) {
    let first = run(bytes);
    assert!(first == run(bytes), "the same inputs gave other outputs");
}

/// Everything that the machine said.
fn run(bytes: &[u8]) -> String {
    let mut bytes = Bytes(bytes);
    let now = Instant::from_secs(1);
    let identity = Identity {
        name: name(0),
        address: address(0),
        incarnation: incarnation(&mut bytes),
    };
    let config = Config::new(params(&mut bytes)).expect("the parameters are in their ranges");
    let seed = u64::from(bytes.next());
    let mut world = World {
        swim: Swim::new(identity, config, seed, now),
        now,
        open: Vec::new(),
        asked: Vec::new(),
        proof: Proof::default(),
        said: String::new(),
    };
    world.swim.handle(now, Input::Tick);
    // Enough for any story; the corpus stays quick to replay.
    for _ in 0..1_000 {
        if bytes.is_empty() {
            break;
        }
        world.step(&mut bytes);
        world.drain();
        world.check();
    }
    world.said
}

struct World {
    swim: Swim,
    now: Instant,
    /// Streams that the machine asked for, and waits on for all it knows.
    open: Vec<ExchangeId>,
    /// Who was asked something by a datagram lately.
    asked: Vec<(SocketAddr, Sequence)>,
    /// What it gave last to one who watches it.
    proof: Proof,
    said: String,
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.next() % 16 {
            0 => {
                self.now = self.now.after(bytes.span());
                self.swim.handle(self.now, Input::Tick);
            }
            // A clock that goes backwards is the caller's fault, and must do no harm.
            1 => {
                let earlier = self.now.before(bytes.span());
                self.swim.handle(earlier, Input::Tick);
            }
            2 | 3 => self.wake(),
            4 => self.ask_it(bytes),
            5 => {
                let input = Input::Request {
                    from: address(bytes.next()),
                    ticket: Ticket(u64::from(bytes.next())),
                    request: request(bytes),
                };
                self.swim.handle(self.now, input);
            }
            6 => {
                let exchange = self.exchange(bytes);
                let answer = answer(bytes);
                let input = Input::Answered { exchange, answer };
                self.swim.handle(self.now, input);
            }
            7 => {
                let failure = StreamFailure::ALL[usize::from(bytes.next() % 3)];
                let exchange = self.exchange(bytes);
                self.swim
                    .handle(self.now, Input::Failed { exchange, failure });
            }
            8 => self.raw(bytes),
            _ => {
                let mut from = address(bytes.next());
                let mut packet = packet(bytes);
                if bytes.next() < 200 {
                    self.make_fit(&mut from, &mut packet, bytes);
                }
                self.swim.handle(self.now, Input::Packet { from, packet });
            }
        }
    }

    /// Makes an answer one to what the machine asked, from the one it asked.
    fn make_fit(&self, from: &mut SocketAddr, packet: &mut Packet, bytes: &mut Bytes<'_>) {
        let Some(at) = usize::from(bytes.next()).checked_rem(self.asked.len()) else {
            return;
        };
        let (to, asked) = self.asked[at];
        let member = self.swim.members().find(|member| member.address() == to);
        match &mut packet.body {
            Body::Ack { sequence, view, .. } => {
                *sequence = asked;
                if view.0 == 0 {
                    *view = ViewTag(self.swim.view_digest() as u16);
                }
            }
            Body::RelayAck { sequence, .. }
            | Body::Relayed { sequence, .. }
            | Body::Watching { sequence, .. }
            | Body::Nack { sequence } => *sequence = asked,
            Body::Watch { proof, .. } => *proof = self.proof,
            Body::Heartbeat { .. } => {}
            Body::Gossip
            | Body::Ping { .. }
            | Body::AskPing { .. }
            | Body::RelayPing { .. }
            | Body::Refused(_) => return,
        }
        *from = to;
        if let Some(member) = member {
            packet.from = member.id();
        }
    }

    /// The member's user asks for something.
    fn ask_it(&mut self, bytes: &mut Bytes<'_>) {
        let (now, what, some) = (self.now, bytes.next(), bytes.next());
        match what % 12 {
            0 => {
                let seeds: Vec<_> = (0..some % 80).map(address).collect();
                self.swim.handle(now, Input::Join { seeds: &seeds });
            }
            1 => {
                let address = address(some);
                self.swim.handle(now, Input::Moved { address });
            }
            2 if some > 200 => self.swim.handle(now, Input::Leave),
            3 => {
                let done = self.swim.watch(now, &name(some));
                self.say(&done);
            }
            4 => self.swim.unwatch(now, &name(some)),
            5 => {
                let limit = [0, 1, 2, 4, 5, NAMES, 100, usize::MAX];
                let limit = limit[usize::from(some % 8)];
                self.swim.set_direct_limit(now, limit);
            }
            6..=8 => {
                let value = value(bytes);
                let key = format!("k{}", some % 100);
                let done = self.swim.set_metadata(now, &key, value.as_deref());
                self.say(&done);
            }
            _ => {
                let key = ["", "a", "b"].get(usize::from(some % 4)).copied();
                let payload = value(bytes).unwrap_or_default();
                let most = self.swim.broadcast_bytes_max();
                let done = self.swim.broadcast(now, key, &payload);
                let length = payload.len() + key.map_or(0, str::len);
                assert!(
                    length <= most || done.is_err(),
                    "what does not fit is refused"
                );
                self.say(&done);
            }
        }
    }

    /// Bytes as they come from a network.
    fn raw(&mut self, bytes: &mut Bytes<'_>) {
        let count = usize::from(bytes.next()).min(bytes.0.len());
        let (datagram, rest) = bytes.0.split_at(count);
        bytes.0 = rest;
        let from = address(bytes.next());
        if let Ok(packet) = decode_packet(datagram) {
            self.swim.handle(self.now, Input::Packet { from, packet });
        }
        if let Ok(request) = decode_request(datagram) {
            let ticket = Ticket(0);
            let input = Input::Request {
                from,
                ticket,
                request,
            };
            self.swim.handle(self.now, input);
        }
        if let Ok(answer) = decode_answer(datagram) {
            let exchange = self.exchange(bytes);
            self.swim
                .handle(self.now, Input::Answered { exchange, answer });
        }
    }

    /// One that is open, or was, or never was.
    fn exchange(&mut self, bytes: &mut Bytes<'_>) -> ExchangeId {
        let number = usize::from(bytes.next());
        match number.checked_rem(self.open.len()) {
            Some(at) if number < 224 => self.open.swap_remove(at),
            Some(at) => self.open[at],
            None => ExchangeId(number as u64),
        }
    }

    /// Goes to the moment that the machine asked for, and sees that it does not ask for ever.
    fn wake(&mut self) {
        let Some((deadline, wake)) = self.swim.poll_timeout() else {
            return;
        };
        self.say(&(deadline, wake));
        self.now = self.now.max(deadline);
        self.swim.handle(self.now, Input::Tick);
        let next = self.swim.poll_timeout();
        assert!(
            next.is_none_or(|(next, _)| next > deadline),
            "the machine asks again and again to be called at {deadline}"
        );
    }

    fn drain(&mut self) {
        let mut count = 0;
        while let Some(output) = self.swim.poll_output() {
            count += 1;
            assert!(count < OUTPUTS_MAX, "no input is answered for ever");
            self.say(&output);
            self.read_back(output);
        }
        let excess = self.open.len().saturating_sub(64);
        drop(self.open.drain(..excess));
        let excess = self.asked.len().saturating_sub(16);
        drop(self.asked.drain(..excess));
    }

    /// What is sent fits, and others can read it.
    fn read_back(&mut self, output: Output) {
        let mut bytes = Vec::new();
        match output {
            Output::Send { to, packet } => {
                match packet.body {
                    Body::Ping { sequence, .. }
                    | Body::AskPing { sequence, .. }
                    | Body::RelayPing { sequence, .. }
                    | Body::Watch { sequence, .. } => self.asked.push((to, sequence)),
                    Body::Watching { proof, .. } => self.proof = proof,
                    Body::Gossip
                    | Body::Ack { .. }
                    | Body::RelayAck { .. }
                    | Body::Relayed { .. }
                    | Body::Nack { .. }
                    | Body::Refused(_)
                    | Body::Heartbeat { .. } => {}
                }
                encode_packet(&packet, &mut bytes);
                assert!(bytes.len() <= self.swim.config().params().datagram_bytes);
                assert_eq!(decode_packet(&bytes), Ok(packet));
            }
            Output::Ask {
                exchange, request, ..
            } => {
                encode_request(&request, &mut bytes);
                assert!(bytes.len() <= MEMBERSHIP_FRAME_BYTES_MAX);
                assert_eq!(decode_request(&bytes), Ok(request));
                self.open.push(exchange);
            }
            Output::Answer { answer, .. } => {
                encode_answer(&answer, &mut bytes);
                assert!(bytes.len() <= MEMBERSHIP_FRAME_BYTES_MAX);
                assert_eq!(decode_answer(&bytes), Ok(answer));
            }
            Output::Event(_)
            | Output::Joined { .. }
            | Output::Persist { .. }
            | Output::Rejected { .. }
            | Output::Broadcast { .. }
            | Output::ModeChanged { .. }
            | Output::Gone => {}
        }
    }

    fn check(&self) {
        self.swim.check_invariants();
        let members = self.swim.members().count();
        assert!(members <= NAMES, "nobody is invented");
        assert!(self.swim.backlog() <= 2 * members + BROADCASTS_QUEUED_MAX);
        for member in self.swim.members() {
            let sizes = member
                .metadata()
                .map(|(key, value)| key.len() + value.len());
            assert!(sizes.sum::<usize>() <= METADATA_BYTES_MAX);
            assert!(member.since() <= self.now);
        }
    }

    fn say(&mut self, what: &dyn std::fmt::Debug) {
        writeln!(self.said, "{} {what:?}", self.now).expect("a string can be written to");
    }
}

/// Members that anybody speaks of.
const NAMES: usize = 12;
/// A join through all seeds, and news to everybody about everybody, are far below it.
const OUTPUTS_MAX: usize = 2_000;

fn params(bytes: &mut Bytes<'_>) -> Params {
    let mut params = Params::lan(Label::new("test").expect("a name"));
    let what = bytes.next();
    if what & 1 != 0 {
        params.order = ProbeOrder::Own;
    }
    if what & 2 != 0 {
        params.stream_probe = StreamProbe::Off;
    }
    if what & 4 != 0 {
        params.suspicion = SuspicionRule::Logarithmic;
    }
    if what & 8 != 0 {
        params.timing = Timing::Fixed;
    }
    params.direct_limit = [0, 4, 100, 100][usize::from(what >> 6)];
    if what & 16 != 0 {
        params.datagram_bytes = 256;
    }
    if what & 32 != 0 {
        params.dead_retention = Duration::from_secs(60);
    }
    params
}

fn name(number: u8) -> MemberName {
    MemberName::new(&format!("m{}", usize::from(number) % NAMES)).expect("a name")
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1_000 + u16::from(number)))
}

/// One of the members, or nobody.
fn id(bytes: &mut Bytes<'_>) -> MemberId {
    match bytes.next() {
        255 => MemberId::from_bits(0),
        number => name(number).id(),
    }
}

/// Small, at the end of what there is, or between.
fn number(bytes: &mut Bytes<'_>) -> u64 {
    match bytes.next() {
        small @ 0..=199 => u64::from(small % 20),
        middle @ 200..=239 => u64::from(middle) << (middle - 200),
        large => u64::MAX - u64::from(large % 4),
    }
}

fn incarnation(bytes: &mut Bytes<'_>) -> Incarnation {
    Incarnation::new(number(bytes).min(INCARNATION_MAX)).expect("it is in its range")
}

fn stamp(bytes: &mut Bytes<'_>) -> Stamp {
    Stamp {
        epoch: incarnation(bytes),
        version: number(bytes),
    }
}

fn value(bytes: &mut Bytes<'_>) -> Option<Vec<u8>> {
    match bytes.next() {
        0..=60 => None,
        small @ 61..=230 => Some(vec![small; usize::from(small) % 40]),
        large => Some(vec![large; (usize::from(large) - 230) * 2_700]),
    }
}

fn delta(bytes: &mut Bytes<'_>) -> Delta {
    let (member, stamp, since) = (id(bytes), stamp(bytes), number(bytes));
    let mut items: Vec<Item> = (0..bytes.next() % 6)
        .map(|_| Item {
            key: Key::new(&format!("k{}", bytes.next() % 100)).expect("a name"),
            version: number(bytes),
            value: value(bytes).map(Into::into),
        })
        .collect();
    // Mostly as a member would say it.
    if bytes.next() < 200 {
        items.sort_by(|one, other| one.key.cmp(&other.key));
        items.dedup_by(|one, other| one.key == other.key);
        for item in &mut items {
            item.version = item.version.clamp(since.saturating_add(1), u64::MAX);
        }
    }
    let versions = items.iter().map(|item| item.version);
    let version = versions.fold(stamp.version, u64::max);
    Delta {
        member,
        stamp: Stamp { version, ..stamp },
        since,
        items,
    }
}

fn metadata_news(bytes: &mut Bytes<'_>) -> MetadataNews {
    if bytes.next().is_multiple_of(4) {
        let (member, stamp) = (id(bytes), stamp(bytes));
        MetadataNews::Stamp { member, stamp }
    } else {
        MetadataNews::Delta(delta(bytes))
    }
}

fn broadcast(bytes: &mut Bytes<'_>) -> Broadcast {
    Broadcast {
        origin: id(bytes),
        epoch: incarnation(bytes),
        number: number(bytes),
        key: match bytes.next() % 3 {
            0 => None,
            some => Some(Key::new(&format!("k{some}")).expect("a name")),
        },
        payload: value(bytes).unwrap_or_default().into(),
    }
}

fn update(bytes: &mut Bytes<'_>) -> Update {
    let (kind, incarnation) = (bytes.next(), incarnation(bytes));
    match kind % 5 {
        0 | 1 => Update::Alive {
            name: name(bytes.next()),
            address: address(bytes.next() % 16),
            incarnation,
        },
        2 => Update::Suspect {
            member: id(bytes),
            incarnation,
            by: id(bytes),
        },
        3 => Update::Dead {
            member: id(bytes),
            incarnation,
            by: id(bytes),
        },
        _ => Update::Left {
            member: id(bytes),
            incarnation,
        },
    }
}

fn body(bytes: &mut Bytes<'_>) -> Body {
    let sequence = Sequence(u16::from(bytes.next()));
    let hearsay = |byte: u8| match byte % 2 {
        0 => Hearsay::Heard,
        _ => Hearsay::NotHeard,
    };
    match bytes.next() % 14 {
        0 | 1 => Body::Gossip,
        10 | 11 => Body::Heartbeat {
            number: number(bytes),
            pace: pace(bytes),
        },
        12 => Body::Watch {
            sequence,
            proof: Proof(u32::from(bytes.next() % 2)),
        },
        13 => Body::Watching {
            sequence,
            proof: Proof(u32::from(bytes.next() % 2)),
            pace: pace(bytes),
        },
        2 => Body::Ping {
            sequence,
            round: number(bytes),
        },
        3 => Body::Ack {
            sequence,
            view: ViewTag(u16::from(bytes.next() % 2)),
            metadata: MetadataTag(bytes.next() % 2),
            asker: match bytes.next() % 2 {
                0 => Asker::Known,
                _ => Asker::Unknown,
            },
        },
        4 => Body::AskPing {
            sequence,
            target: id(bytes),
        },
        5 => Body::RelayPing {
            sequence,
            origin: id(bytes),
        },
        6 => Body::RelayAck {
            sequence,
            origin: hearsay(bytes.next()),
        },
        7 => Body::Relayed {
            sequence,
            origin: hearsay(bytes.next()),
        },
        8 => Body::Nack { sequence },
        _ => Body::Refused(Refusal::ALL[usize::from(bytes.next()) % Refusal::ALL.len()]),
    }
}

fn pace(bytes: &mut Bytes<'_>) -> Pace {
    match bytes.next() {
        0..=50 => Pace::NONE,
        short @ 51..=200 => Pace(u16::from(short) * 5),
        long => Pace(u16::from(long) * 257),
    }
}

fn packet(bytes: &mut Bytes<'_>) -> Packet {
    let label = match bytes.next() {
        255 => LabelTag(0),
        _ => Label::new("test").expect("a name").tag(),
    };
    let mut packet = Packet::bare(label, id(bytes), body(bytes));
    let counts = bytes.next();
    packet.updates = (0..counts % 4).map(|_| update(bytes)).collect();
    packet.metadata = (0..counts / 4 % 4).map(|_| metadata_news(bytes)).collect();
    packet.broadcasts = (0..counts / 16 % 4).map(|_| broadcast(bytes)).collect();
    packet
}

fn record(bytes: &mut Bytes<'_>) -> Record {
    Record {
        name: name(bytes.next()),
        address: address(bytes.next() % 16),
        claim: Claim::new(
            incarnation(bytes),
            State::ALL[usize::from(bytes.next() % 4)],
        ),
        metadata: stamp(bytes),
    }
}

fn records(bytes: &mut Bytes<'_>) -> Vec<Record> {
    (0..bytes.next() % 8).map(|_| record(bytes)).collect()
}

fn request(bytes: &mut Bytes<'_>) -> Request {
    let label = match bytes.next() {
        255 => Label::new("other"),
        _ => Label::new("test"),
    };
    let label = label.expect("a name");
    match bytes.next() % 4 {
        0 => Request::Ping {
            label,
            from: id(bytes),
        },
        1 => Request::Sync {
            label,
            from: record(bytes).into(),
            round: number(bytes),
            view: number(bytes),
            metadata: number(bytes),
        },
        2 => Request::Push {
            label,
            from: id(bytes),
            records: records(bytes),
        },
        _ => Request::Metadata {
            label,
            from: id(bytes),
            wants: (0..bytes.next() % 20)
                .map(|_| Want {
                    member: id(bytes),
                    stamp: stamp(bytes),
                })
                .collect(),
        },
    }
}

fn answer(bytes: &mut Bytes<'_>) -> Answer {
    let (kind, from) = (bytes.next(), id(bytes));
    match kind % 7 {
        0 => Answer::Pong { from },
        1 => Answer::Same {
            from,
            round: number(bytes),
        },
        2 | 3 => Answer::Records {
            from,
            round: number(bytes),
            records: records(bytes),
        },
        4 => Answer::Metadata {
            from,
            deltas: (0..bytes.next() % 5).map(|_| delta(bytes)).collect(),
            left: number(bytes),
        },
        5 => Answer::Taken,
        _ => Answer::Refused(Refusal::ALL[usize::from(bytes.next()) % Refusal::ALL.len()]),
    }
}
