//! A group of members in virtual time: latency, loss, blocked ways, crashes, stalls; the same
//! seed gives the same bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{
    Answer, Config, Event, EventKind, ExchangeId, Identity, Incarnation, Input, JoinOutcome, Label,
    MemberName, Output, Packet, Params, Reject, Request, State, StreamFailure, Swim, Ticket,
};
use auscult_core::time::Instant;
use auscult_core::wire::swim::{
    decode_answer, decode_packet, decode_request, encode_answer, encode_packet, encode_request,
};

pub(crate) struct Cluster {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) log: Vec<Logged>,
    pub(crate) joins: Vec<(usize, JoinOutcome)>,
    pub(crate) rejected: Vec<(usize, Reject)>,
    /// Every datagram and event as text, when somebody asked for it.
    pub(crate) trace: Option<String>,
    /// In a thousand, in each direction.
    pub(crate) loss: u64,
    /// The same for what is sent to or by some members.
    pub(crate) loss_at: BTreeMap<usize, u64>,
    /// Datagrams that arrive twice, in a thousand.
    pub(crate) duplicated: u64,
    pub(crate) latency: (Duration, Duration),
    /// Who was told what by whom.
    pub(crate) broadcasts: Vec<(usize, String, Option<String>, Vec<u8>)>,
    /// Datagrams sent since the last reset.
    pub(crate) sent: u64,
    /// Bytes of those that were delivered, without headers.
    pub(crate) bytes: u64,
    /// Pings by the target's index, with the time of arrival at where it would be.
    pub(crate) pings: Vec<(usize, Instant)>,
    /// From one node to another one: nothing passes.
    blocked: BTreeSet<(usize, usize)>,
    params: Params,
    rng: Rng,
    queue: BTreeMap<(Instant, u64), Delivery>,
    deliveries: u64,
    wakes: BTreeSet<(Instant, usize)>,
    streams: BTreeMap<Ticket, (usize, ExchangeId)>,
    tickets: u64,
}

pub(crate) struct Node {
    pub(crate) swim: Swim,
    pub(crate) address: SocketAddr,
    pub(crate) power: Power,
    wake: Option<Instant>,
    /// What arrives while it does not run.
    held: VecDeque<Delivery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    Runs,
    Stalls,
    Off,
}

pub(crate) struct Logged {
    pub(crate) node: usize,
    pub(crate) event: Event,
}

enum Delivery {
    Datagram {
        to: usize,
        from: SocketAddr,
        packet: Packet,
    },
    Request {
        to: usize,
        from: SocketAddr,
        ticket: Ticket,
        request: Request,
    },
    Answer {
        to: usize,
        exchange: ExchangeId,
        answer: Answer,
    },
    Refused {
        to: usize,
        exchange: ExchangeId,
    },
}

impl Delivery {
    fn to(&self) -> usize {
        match self {
            Self::Datagram { to, .. }
            | Self::Request { to, .. }
            | Self::Answer { to, .. }
            | Self::Refused { to, .. } => *to,
        }
    }
}

/// SWIM alone.
pub(crate) fn lan() -> Params {
    let mut params = hybrid();
    params.direct_limit = 0;
    params
}

/// With heartbeats in small groups, as users have it.
pub(crate) fn hybrid() -> Params {
    Params::lan(Label::new("test").unwrap())
}

impl Cluster {
    pub(crate) fn new(params: Params, seed: u64) -> Self {
        Self {
            now: Instant::from_secs(1),
            nodes: Vec::new(),
            log: Vec::new(),
            joins: Vec::new(),
            rejected: Vec::new(),
            broadcasts: Vec::new(),
            trace: None,
            loss: 0,
            loss_at: BTreeMap::new(),
            duplicated: 0,
            latency: (Duration::from_micros(200), Duration::from_millis(1)),
            sent: 0,
            bytes: 0,
            pings: Vec::new(),
            blocked: BTreeSet::new(),
            params,
            rng: Rng::new(seed),
            queue: BTreeMap::new(),
            deliveries: 0,
            wakes: BTreeSet::new(),
            streams: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// `count` members that all know each other.
    pub(crate) fn joined(params: Params, seed: u64, count: usize) -> Self {
        let mut cluster = Self::new(params, seed);
        for _ in 0..count {
            cluster.add();
        }
        for node in 1..count {
            cluster.join(node, 0);
        }
        cluster.run_until_agreed(Duration::from_secs(60));
        cluster.run(Duration::from_secs(10));
        cluster.log.clear();
        cluster
    }

    pub(crate) fn add(&mut self) -> usize {
        let params = self.params.clone();
        self.add_with(params)
    }

    pub(crate) fn add_with(&mut self, params: Params) -> usize {
        let node = self.nodes.len();
        let address = address_of(node);
        let swim = self.machine(node, address, Incarnation::FIRST, params);
        let wake = swim.poll_timeout().map(|(at, _)| at);
        self.nodes.push(Node {
            swim,
            address,
            power: Power::Runs,
            wake,
            held: VecDeque::new(),
        });
        self.wakes.extend(wake.map(|at| (at, node)));
        node
    }

    fn machine(
        &mut self,
        node: usize,
        address: SocketAddr,
        incarnation: Incarnation,
        params: Params,
    ) -> Swim {
        let identity = Identity {
            name: MemberName::new(&name_of(node)).unwrap(),
            address,
            incarnation,
        };
        let config = Config::new(params).unwrap();
        Swim::new(identity, config, self.rng.next_u64(), self.now)
    }

    pub(crate) fn join(&mut self, node: usize, seed: usize) {
        let seeds = [self.nodes[seed].address];
        self.feed(node, Input::Join { seeds: &seeds });
    }

    pub(crate) fn leave(&mut self, node: usize) {
        self.feed(node, Input::Leave);
    }

    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].power = Power::Off;
        self.nodes[node].held.clear();
        self.arm(node, None);
    }

    /// A new process with the same name and nothing remembered, elsewhere if `address` says so.
    pub(crate) fn restart(&mut self, node: usize, address: SocketAddr, incarnation: Incarnation) {
        let params = self.params.clone();
        self.nodes[node].swim = self.machine(node, address, incarnation, params);
        self.nodes[node].address = address;
        self.nodes[node].power = Power::Runs;
        let wake = self.nodes[node].swim.poll_timeout().map(|(at, _)| at);
        self.arm(node, wake);
    }

    /// The node takes the name of another one.
    pub(crate) fn rename(&mut self, node: usize, as_node: usize) {
        let address = self.nodes[node].address;
        let params = self.params.clone();
        self.nodes[node].swim = self.machine(as_node, address, Incarnation::FIRST, params);
    }

    pub(crate) fn move_to(&mut self, node: usize, address: SocketAddr) {
        self.nodes[node].address = address;
        self.feed(node, Input::Moved { address });
    }

    pub(crate) fn stall(&mut self, node: usize) {
        self.nodes[node].power = Power::Stalls;
        self.arm(node, None);
    }

    /// The process runs again, and reads first what came meanwhile.
    pub(crate) fn resume(&mut self, node: usize) {
        self.nodes[node].power = Power::Runs;
        while let Some(delivery) = self.nodes[node].held.pop_front() {
            self.deliver(delivery);
        }
        self.feed(node, Input::Tick);
    }

    /// Nothing passes from the first ones to the second ones.
    pub(crate) fn block(&mut self, from: &[usize], to: &[usize]) {
        for &from in from {
            self.blocked.extend(to.iter().map(|&to| (from, to)));
        }
    }

    pub(crate) fn unblock_all(&mut self) {
        self.blocked.clear();
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let delivery = self.queue.first_key_value().map(|(&(at, _), _)| at);
            let wake = self.wakes.first().copied();
            match (delivery, wake) {
                (Some(at), wake) if at <= until && wake.is_none_or(|(wake, _)| at <= wake) => {
                    self.now = at;
                    if let Some((_, delivery)) = self.queue.pop_first() {
                        self.deliver(delivery);
                    }
                }
                (_, Some((at, node))) if at <= until => {
                    self.now = at.max(self.now);
                    self.feed(node, Input::Tick);
                }
                _ => break,
            }
        }
        self.now = until;
    }

    /// Runs until all that run have the same view of all that run; says how long it took.
    pub(crate) fn run_until_agreed(&mut self, most: Duration) -> Duration {
        let began = self.now;
        while !self.agreed() {
            assert!(self.now.since(began) < most, "no agreement after {most:?}");
            self.run(Duration::from_millis(100));
        }
        self.now.since(began)
    }

    pub(crate) fn agreed(&self) -> bool {
        let running: Vec<_> = self.running().collect();
        running.iter().all(|&node| {
            let swim = &self.nodes[node].swim;
            swim.live() == running.len()
                && swim.view_digest() == self.nodes[running[0]].swim.view_digest()
        })
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].power == Power::Runs)
    }

    pub(crate) fn state(&self, node: usize, of: usize) -> Option<State> {
        Some(self.nodes[node].swim.member(&name_of(of))?.state())
    }

    pub(crate) fn check_invariants(&self) {
        for node in self.running() {
            self.nodes[node].swim.check_invariants();
        }
    }

    /// Who convicted whom.
    pub(crate) fn convictions(&self) -> Vec<(usize, String)> {
        let failed = |logged: &&Logged| matches!(logged.event.kind, EventKind::Failed { .. });
        let log = self.log.iter().filter(failed);
        log.map(|logged| (logged.node, logged.event.member.as_str().into()))
            .collect()
    }

    fn feed(&mut self, node: usize, input: Input<'_>) {
        self.with(node, |swim, now| swim.handle(now, input));
    }

    /// The node's user asks something of it.
    pub(crate) fn with<R>(&mut self, node: usize, ask: impl FnOnce(&mut Swim, Instant) -> R) -> R {
        let swim = &mut self.nodes[node].swim;
        let answer = ask(swim, self.now);
        let wake = swim.poll_timeout().map(|(at, _)| at);
        self.arm(node, wake);
        while let Some(output) = self.nodes[node].swim.poll_output() {
            self.take(node, output);
        }
        answer
    }

    fn arm(&mut self, node: usize, wake: Option<Instant>) {
        let before = std::mem::replace(&mut self.nodes[node].wake, wake);
        if before != wake {
            if let Some(before) = before {
                self.wakes.remove(&(before, node));
            }
            self.wakes.extend(wake.map(|at| (at, node)));
        }
    }

    fn take(&mut self, node: usize, output: Output) {
        if let Some(trace) = &mut self.trace {
            writeln!(trace, "{} {node} {output:?}", self.now).unwrap();
        }
        match output {
            Output::Send { to, packet } => self.send(node, to, packet),
            Output::Ask {
                to,
                exchange,
                request,
                ..
            } => self.ask(node, to, exchange, request),
            Output::Answer { ticket, answer } => {
                let mut bytes = Vec::new();
                encode_answer(&answer, &mut bytes);
                assert_eq!(decode_answer(&bytes).as_ref(), Ok(&answer));
                let (to, exchange) = self.streams.remove(&ticket).unwrap();
                if !self.blocked.contains(&(node, to)) && !self.breaks(node, to) {
                    let delivery = Delivery::Answer {
                        to,
                        exchange,
                        answer,
                    };
                    self.post(delivery);
                }
            }
            Output::Broadcast { from, key, payload } => {
                let key = key.map(|key| key.to_string());
                self.broadcasts.push((node, from.to_string(), key, payload));
            }
            Output::Event(event) => self.log.push(Logged { node, event }),
            Output::Joined { outcome, .. } => self.joins.push((node, outcome)),
            Output::Rejected { reason, .. } => self.rejected.push((node, reason)),
            Output::Persist { .. } | Output::ModeChanged { .. } => {}
            Output::Gone => {
                self.nodes[node].power = Power::Off;
                self.arm(node, None);
            }
        }
    }

    fn send(&mut self, node: usize, to: SocketAddr, packet: Packet) {
        use auscult_core::swim::Body;
        self.sent += 1;
        let Some(to) = self.at(to) else {
            return;
        };
        if let Body::Ping { .. } = packet.body {
            self.pings.push((to, self.now));
        }
        if self.loses(node, to) || self.blocked.contains(&(node, to)) {
            return;
        }
        let from = self.nodes[node].address;
        let mut bytes = Vec::new();
        encode_packet(&packet, &mut bytes);
        assert!(bytes.len() <= self.params.datagram_bytes);
        assert_eq!(decode_packet(&bytes).as_ref(), Ok(&packet));
        self.bytes += bytes.len() as u64;
        if self.duplicated > 0 && self.rng.below(1_000) < self.duplicated {
            let packet = packet.clone();
            self.post(Delivery::Datagram { to, from, packet });
        }
        self.post(Delivery::Datagram { to, from, packet });
    }

    fn loses(&mut self, from: usize, to: usize) -> bool {
        let ends = [from, to].map(|end| self.loss_at.get(&end).copied().unwrap_or(0));
        let loss = ends.into_iter().fold(self.loss, u64::max);
        self.rng.below(1_000) < loss
    }

    /// A stream tries three times in the time that it has.
    fn breaks(&mut self, from: usize, to: usize) -> bool {
        (0..3).all(|_| self.loses(from, to))
    }

    fn ask(&mut self, node: usize, to: SocketAddr, exchange: ExchangeId, request: Request) {
        let Some(to) = self.at(to).filter(|&to| self.nodes[to].power != Power::Off) else {
            self.post(Delivery::Refused { to: node, exchange });
            return;
        };
        let blocked = self.blocked.contains(&(node, to)) || self.blocked.contains(&(to, node));
        if blocked || self.breaks(node, to) {
            return;
        }
        let mut bytes = Vec::new();
        encode_request(&request, &mut bytes);
        assert_eq!(decode_request(&bytes).as_ref(), Ok(&request));
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.streams.insert(ticket, (node, exchange));
        let from = self.nodes[node].address;
        self.post(Delivery::Request {
            to,
            from,
            ticket,
            request,
        });
    }

    fn at(&self, address: SocketAddr) -> Option<usize> {
        let node = usize::from(address.port()).checked_sub(1_000)? % PORTS_BETWEEN;
        (self.nodes.get(node)?.address == address).then_some(node)
    }

    fn post(&mut self, delivery: Delivery) {
        let (least, most) = self.latency;
        let at = self.now.after(least + self.rng.span_below(most - least));
        self.deliveries += 1;
        self.queue.insert((at, self.deliveries), delivery);
    }

    fn deliver(&mut self, delivery: Delivery) {
        let to = delivery.to();
        match self.nodes[to].power {
            Power::Runs => {}
            Power::Stalls => return self.nodes[to].held.push_back(delivery),
            Power::Off => return,
        }
        match delivery {
            Delivery::Datagram { from, packet, .. } => {
                self.feed(to, Input::Packet { from, packet });
            }
            Delivery::Request {
                from,
                ticket,
                request,
                ..
            } => self.feed(
                to,
                Input::Request {
                    from,
                    ticket,
                    request,
                },
            ),
            Delivery::Answer {
                exchange, answer, ..
            } => self.feed(to, Input::Answered { exchange, answer }),
            Delivery::Refused { exchange, .. } => {
                let failure = StreamFailure::Unreachable;
                self.feed(to, Input::Failed { exchange, failure });
            }
        }
    }
}

pub(crate) fn name_of(node: usize) -> String {
    format!("member-{node}")
}

pub(crate) fn address_of(node: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1_000 + node as u16))
}

/// Another address of the same node.
pub(crate) fn moved_address_of(node: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], (1_000 + PORTS_BETWEEN + node) as u16))
}

const PORTS_BETWEEN: usize = 20_000;
