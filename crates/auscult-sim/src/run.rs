//! How a world goes on: the next thing happens, machines are called, and what they say is sent on
//! its way.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::swim::{
    Answer, Body, ExchangeId, Input, Output, Packet, Request, StreamFailure, Wakes,
};
use auscult_core::time::Instant;
use auscult_core::wire::swim::{
    decode_answer, decode_packet, decode_request, encode_answer, encode_packet, encode_request,
};

use crate::address::Listener;
use crate::deed::{Crash, Stall};
use crate::member::{Parcel, Power};
use crate::net::hits;
use crate::observation::{Drop, Interest, Observed, Payload};
use crate::ways::Effect;
use crate::workers::Workers;
use crate::world::{Job, Waiting, Wire, World};

impl World {
    /// Lets the next thing happen, if it is due.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let Some((at, job)) = self.queue.pop(until) else {
            return false;
        };
        self.now = at;
        self.look_ahead();
        match job {
            Job::Wake(place) => self.wake(place as usize),
            Job::Arrive { to, parcel } => {
                if let Some(parcel) = self.parcels.take(parcel) {
                    self.arrive(to as usize, parcel);
                }
            }
            Job::Done { member, life } => self.finish_work(member as usize, life),
        }
        true
    }

    /// Reads what machines will read that are called soon, so that all that memory is waited for at
    /// once. Changes nothing.
    fn look_ahead(&mut self) {
        let Some(jobs) = self.queue.turned() else {
            return;
        };
        let read = jobs.map(|job| match *job {
            Job::Wake(place) => self.members[place as usize].machine.swim().look_ahead(None),
            Job::Arrive { to, parcel } => match self.parcels.get(parcel) {
                Some(Parcel::Datagram { packet, .. }) => {
                    let swim = self.members[to as usize].machine.swim();
                    swim.look_ahead(Some(packet))
                }
                Some(_) | None => 0,
            },
            Job::Done { .. } => 0,
        });
        // Otherwise nothing would be read.
        std::hint::black_box(read.fold(0, u64::wrapping_add));
    }

    fn wake(&mut self, place: usize) {
        let member = &mut self.members[place];
        if member.armed != self.now {
            return;
        }
        member.armed = Instant::FAR_FUTURE;
        if member.wake > self.now {
            member.armed = member.wake;
            return self.queue.push(member.wake, Job::Wake(place as u32));
        }
        match member.power {
            Power::Runs | Power::Stalls(Stall::Messages) => {
                if member.each.is_zero() || member.workers != Workers::One {
                    self.handle(place, Parcel::Tick);
                } else if !member.inbox.iter().any(|one| matches!(one, Parcel::Tick)) {
                    self.enqueue(place, Parcel::Tick);
                }
            }
            // It goes on: what waits for a worker that cannot send is held by the machine.
            Power::Stalls(Stall::Sending) => self.handle(place, Parcel::Tick),
            Power::Stalls(Stall::Process) | Power::Off(_) => {}
        }
    }

    /// Sees to it that the machine is called when it wants to be.
    pub(crate) fn arm(&mut self, place: usize) {
        let member = &mut self.members[place];
        member.wake = match member.machine.poll_timeout() {
            Some((at, _)) => member.clock.world(at).max(self.now),
            None => Instant::FAR_FUTURE,
        };
        // A later one is armed when this one comes, so that most changes cost nothing.
        if member.wake < member.armed {
            member.armed = member.wake;
            self.queue.push(member.wake, Job::Wake(place as u32));
        }
    }

    /// Something is there for a process.
    #[inline]
    pub(crate) fn arrive(&mut self, to: usize, parcel: Parcel) {
        let member = &self.members[to];
        match member.power {
            Power::Runs if member.each.is_zero() && member.inbox.is_empty() => {
                self.handle(to, parcel);
            }
            Power::Runs if member.workers != Workers::One && !parcel.is_datagram() => {
                self.handle(to, parcel);
            }
            Power::Runs | Power::Stalls(_) => self.enqueue(to, parcel),
            Power::Off(crash) => self.bounce(to, parcel, crash),
        }
    }

    /// Nobody is there to take it.
    fn bounce(&mut self, to: usize, parcel: Parcel, crash: Crash) {
        if let Parcel::Request { ticket, .. } = &parcel
            && let Some(waiting) = self.streams.remove(ticket)
            && crash == Crash::Process
        {
            self.refuse(to, waiting);
        }
        if let Some((from, what)) = self.label_of(&parcel) {
            self.drop_on_way(from, Some(to), what, Drop::Nobody);
        }
    }

    fn enqueue(&mut self, to: usize, parcel: Parcel) {
        let member = &self.members[to];
        let most = match member.workers {
            Workers::Many { waiting_max } if parcel.is_datagram() => waiting_max,
            Workers::Many { .. } | Workers::One => INBOX_MAX,
        };
        if member.inbox.len() >= most
            && let Some((from, what)) = self.label_of(&parcel)
        {
            return self.drop_on_way(from, Some(to), what, Drop::Overflow);
        }
        self.members[to].inbox.push_back(parcel);
        self.begin_work(to);
    }

    /// A slow member that runs turns to the first thing of its inbox.
    fn begin_work(&mut self, place: usize) {
        let member = &mut self.members[place];
        if member.runs() && !member.busy && !member.inbox.is_empty() {
            member.busy = true;
            let life = member.life;
            let done = self.now.after(member.each);
            self.queue.push(
                done,
                Job::Done {
                    member: place as u32,
                    life,
                },
            );
        }
    }

    fn finish_work(&mut self, place: usize, life: u32) {
        let member = &mut self.members[place];
        if member.life != life || !member.busy {
            return;
        }
        member.busy = false;
        if member.runs()
            && let Some(parcel) = member.inbox.pop_front()
        {
            self.handle(place, parcel);
            self.begin_work(place);
        }
    }

    /// A member that stopped goes on: first what it wanted to send goes out, then it takes what
    /// waits for it, then it notices what time it is.
    pub(crate) fn go_on(&mut self, place: usize) {
        if !matches!(self.members[place].power, Power::Stalls(_)) {
            return;
        }
        let before = std::mem::replace(&mut self.members[place].power, Power::Runs);
        while let Some(output) = self.members[place].outbox.pop_front() {
            self.take(place, output);
        }
        if before == Power::Stalls(Stall::Sending) {
            self.members[place].machine.swim_mut().hold(Wakes::NONE);
            // Its timers were over before it could read.
            self.handle(place, Parcel::Tick);
        }
        if self.members[place].each.is_zero() {
            while let Some(parcel) = self.members[place].inbox.pop_front() {
                self.handle(place, parcel);
            }
            if self.members[place].runs() {
                self.handle(place, Parcel::Tick);
            }
        } else if self.members[place].workers == Workers::One {
            self.enqueue(place, Parcel::Tick);
        } else {
            self.let_streams_go_on(place);
            self.begin_work(place);
        }
    }

    /// What waited on streams does not wait for the worker that reads datagrams.
    fn let_streams_go_on(&mut self, place: usize) {
        let inbox = std::mem::take(&mut self.members[place].inbox);
        let (datagrams, others) = inbox.into_iter().partition(Parcel::is_datagram);
        self.members[place].inbox = datagrams;
        let others: VecDeque<Parcel> = others;
        for parcel in others {
            self.handle(place, parcel);
        }
    }

    /// A process handles something.
    #[inline]
    fn handle(&mut self, place: usize, parcel: Parcel) {
        if self.interest.has(Interest::DELIVERED)
            && let Some((from, what)) = self.label_of(&parcel)
        {
            let to = place;
            self.note(Interest::DELIVERED, || Observed::Delivered {
                from,
                to,
                what,
            });
        }
        let member = &mut self.members[place];
        let now = member.clock.local(self.now);
        let input = match parcel {
            Parcel::Datagram { from, packet } => {
                member.traffic.delivered += 1;
                Input::Packet { from, packet }
            }
            Parcel::Request {
                from,
                ticket,
                request,
            } => {
                member.traffic.delivered += 1;
                Input::Request {
                    from,
                    ticket,
                    request,
                }
            }
            Parcel::Answer {
                life,
                exchange,
                answer,
            } => {
                if life != member.life {
                    return;
                }
                member.traffic.delivered += 1;
                Input::Answered { exchange, answer }
            }
            Parcel::Failed {
                life,
                exchange,
                failure,
            } => {
                if life != member.life {
                    return;
                }
                Input::Failed { exchange, failure }
            }
            Parcel::Join(seeds) => {
                member.machine.handle(now, Input::Join { seeds: &seeds });
                return self.listen_to(place);
            }
            Parcel::Leave => Input::Leave,
            Parcel::Tick => Input::Tick,
        };
        member.machine.swim_mut().swap_outputs(&mut self.outputs);
        member.machine.handle(now, input);
        self.listen_to(place);
        let machine = &mut self.members[place].machine;
        machine.swim_mut().swap_outputs(&mut self.outputs);
    }

    /// Takes all that a machine has to say.
    pub(crate) fn listen_to(&mut self, place: usize) {
        while let Some(output) = self.members[place].machine.poll_output() {
            self.take(place, output);
        }
        match self.members[place].power {
            Power::Runs | Power::Stalls(_) => self.arm(place),
            Power::Off(_) => {}
        }
    }

    #[inline]
    fn take(&mut self, place: usize, output: Output) {
        let member = &mut self.members[place];
        let held = match member.power {
            Power::Stalls(Stall::Messages | Stall::Sending) => true,
            Power::Runs | Power::Stalls(Stall::Process) | Power::Off(_) => false,
        };
        match output {
            Output::Send { .. } | Output::Ask { .. } | Output::Answer { .. } if held => {
                if member.power == Power::Stalls(Stall::Sending) {
                    let machine = member.machine.swim_mut();
                    machine.hold(machine.held().and(member.workers.held_by(&output)));
                }
                member.outbox.push_back(output);
            }
            Output::Send { to, packet } => self.send(place, to, packet),
            Output::Ask {
                to,
                exchange,
                request,
                ..
            } => self.ask(place, to, exchange, request),
            Output::Answer { ticket, answer } => {
                if let Some(waiting) = self.streams.remove(&ticket) {
                    self.answer(place, waiting, answer);
                }
            }
            Output::Event(event) => self.note(Interest::EVENTS, || Observed::Event {
                observer: place,
                event,
            }),
            Output::Joined { seed, outcome } => self.note(Interest::EVENTS, || Observed::Joined {
                member: place,
                seed,
                outcome,
            }),
            Output::Persist { incarnation } => {
                self.members[place].kept = incarnation;
                self.note(Interest::EVENTS, || Observed::Persisted {
                    member: place,
                    incarnation,
                });
            }
            Output::Rejected { from, reason } => {
                self.note(Interest::REJECTED, || Observed::Rejected {
                    member: place,
                    from,
                    reason,
                });
            }
            Output::Broadcast { from, key, payload } => {
                self.note(Interest::EVENTS, || Observed::Broadcast {
                    member: place,
                    from,
                    key,
                    payload,
                });
            }
            Output::ModeChanged { mode, .. } => {
                self.note(Interest::EVENTS, || Observed::ModeChanged {
                    member: place,
                    mode,
                })
            }
            Output::Gone => {
                self.end_process(place, Crash::Process);
                self.note(Interest::EVENTS, || Observed::Gone { member: place });
            }
        }
    }
}

/// Datagrams.
impl World {
    fn send(&mut self, from: usize, to: SocketAddr, mut packet: Packet) {
        let bytes = match self.wire {
            Wire::Typed => 0,
            Wire::Measured | Wire::Codec => self.encode(&mut packet),
        };
        let what = Payload::of(&packet.body);
        let listener = self.listener(to);
        let target = match listener {
            Listener::Member(place) | Listener::Host(place) => Some(place),
            Listener::Nobody => None,
        };
        let traffic = &mut self.members[from].traffic;
        traffic.sent += 1;
        traffic.bytes += u64::from(bytes);
        self.note(Interest::SENT, || Observed::Sent {
            from,
            to: target,
            what,
            bytes,
        });
        let Listener::Member(to) = listener else {
            return self.drop_on_way(Some(from), target, what, Drop::Nobody);
        };
        let delay = match self.way(from, to) {
            Ok(delay) => delay,
            Err(why) => return self.drop_on_way(Some(from), Some(to), what, why),
        };
        if hits(&mut self.rng, self.net.duplication)
            && let Ok(delay) = self.way(from, to)
        {
            self.post(from, to, packet.clone(), delay);
        }
        self.post(from, to, packet, delay);
    }

    #[inline]
    fn post(&mut self, from: usize, to: usize, packet: Packet, delay: Duration) {
        let from = self.members[from].address;
        let parcel = Parcel::Datagram { from, packet };
        self.plan_arrival(to, parcel, delay);
    }

    #[inline]
    fn plan_arrival(&mut self, to: usize, parcel: Parcel, delay: Duration) {
        let (to, parcel) = (to as u32, self.parcels.put(parcel));
        self.queue
            .push(self.now.after(delay), Job::Arrive { to, parcel });
    }

    /// How long something sent now takes, or why it does not arrive.
    fn way(&mut self, from: usize, to: usize) -> Result<Duration, Drop> {
        let (now, rng) = (self.now, &mut self.rng);
        let mut delay = Duration::ZERO;
        for imposed in &mut self.rules {
            if !imposed.rule.holds(imposed.since, now, from, to) {
                continue;
            }
            match &imposed.rule.effect {
                Effect::Cut => return Err(Drop::Cut),
                Effect::Loss(loss) => {
                    if imposed.weather.len() <= from {
                        imposed.weather.resize(from + 1, None);
                    }
                    if loss.takes(rng, now, &mut imposed.weather[from]) {
                        return Err(Drop::Lost);
                    }
                }
                Effect::Delay(more) => delay += more.sample(rng),
            }
        }
        let weather = &mut self.members[from].weather;
        if self.net.loss.takes(rng, now, weather) {
            return Err(Drop::Lost);
        }
        delay += self.net.delay.sample(rng);
        if let Some(reordering) = self.net.reordering
            && hits(rng, reordering.fraction)
        {
            delay += reordering.by;
        }
        Ok(delay)
    }

    /// Makes of what is sent what arrives; its bytes.
    fn encode(&self, packet: &mut Packet) -> u32 {
        let mut bytes = Vec::new();
        encode_packet(packet, &mut bytes);
        if self.wire == Wire::Codec {
            match decode_packet(&bytes) {
                Ok(decoded) => *packet = decoded,
                Err(error) => {
                    panic!("the codec does not read what it wrote: {error:?}, {packet:?}")
                }
            }
        }
        bytes.len() as u32
    }

    fn drop_on_way(&mut self, from: Option<usize>, to: Option<usize>, what: Payload, why: Drop) {
        if let Some(to) = to {
            self.members[to].traffic.dropped += 1;
        }
        self.note(Interest::DROPPED, || Observed::Dropped {
            from,
            to,
            what,
            why,
        });
    }

    /// Who sent something and what it is; `None` for what comes from no other member.
    fn label_of(&self, parcel: &Parcel) -> Option<(Option<usize>, Payload)> {
        let sender = |address| match self.listener(address) {
            Listener::Member(place) => Some(place),
            Listener::Host(_) | Listener::Nobody => None,
        };
        match parcel {
            Parcel::Datagram { from, packet } => Some((sender(*from), Payload::of(&packet.body))),
            Parcel::Request { from, .. } => Some((sender(*from), Payload::Request)),
            Parcel::Answer { .. } => Some((None, Payload::Answer)),
            Parcel::Failed { .. } | Parcel::Join(_) | Parcel::Leave | Parcel::Tick => None,
        }
    }
}

/// Streams: a connection, a request, an answer.
impl World {
    fn ask(&mut self, from: usize, to: SocketAddr, exchange: ExchangeId, request: Request) {
        self.members[from].traffic.streams += 1;
        let waiting = Waiting {
            member: from,
            life: self.members[from].life,
            exchange,
        };
        let to = match self.listener(to) {
            Listener::Member(to) => to,
            Listener::Host(to) => return self.refuse(to, waiting),
            Listener::Nobody => {
                return self.drop_on_way(Some(from), None, Payload::Request, Drop::Nobody);
            }
        };
        // The connection's way there and back, and the request's way there.
        let Some(delay) = self.stream_way(from, to, &[Leg::There, Leg::Back, Leg::There]) else {
            return self.drop_on_way(Some(from), Some(to), Payload::Request, Drop::Cut);
        };
        self.tickets += 1;
        let ticket = auscult_core::swim::Ticket(self.tickets);
        self.streams.insert(ticket, waiting);
        let request = self.encode_request(request);
        let parcel = Parcel::Request {
            from: self.members[from].address,
            ticket,
            request,
        };
        self.plan_arrival(to, parcel, delay);
    }

    fn answer(&mut self, from: usize, waiting: Waiting, answer: Answer) {
        let to = waiting.member;
        let Some(delay) = self.stream_way(from, to, &[Leg::There]) else {
            return self.drop_on_way(Some(from), Some(to), Payload::Answer, Drop::Cut);
        };
        let parcel = Parcel::Answer {
            life: waiting.life,
            exchange: waiting.exchange,
            answer: self.encode_answer(answer),
        };
        self.plan_arrival(to, parcel, delay);
    }

    /// The host of `by` says that nobody listens.
    fn refuse(&mut self, by: usize, waiting: Waiting) {
        let to = waiting.member;
        if let Some(delay) = self.stream_way(to, by, &[Leg::There, Leg::Back]) {
            let parcel = Parcel::Failed {
                life: waiting.life,
                exchange: waiting.exchange,
                failure: StreamFailure::Unreachable,
            };
            self.plan_arrival(to, parcel, delay);
        }
    }

    /// How long the legs of a stream take one after the other. What is lost is sent again after a
    /// time that doubles, as kernels do. `None` where nothing passes.
    fn stream_way(&mut self, from: usize, to: usize, legs: &[Leg]) -> Option<Duration> {
        if !self.is_open(from, to) || !self.is_open(to, from) {
            return None;
        }
        let mut total = Duration::ZERO;
        for (index, leg) in legs.iter().enumerate() {
            let mut wait = if index == 0 && legs.len() > 1 {
                CONNECT_RETRY
            } else {
                SEGMENT_RETRY
            };
            let ends = match leg {
                Leg::There => (from, to),
                Leg::Back => (to, from),
            };
            let mut tries = 0;
            loop {
                match self.way(ends.0, ends.1) {
                    Ok(delay) => {
                        total += delay;
                        break;
                    }
                    Err(_) if tries == TRIES => return None,
                    Err(_) => total += wait,
                }
                wait *= 2;
                tries += 1;
            }
        }
        Some(total)
    }

    fn encode_request(&self, request: Request) -> Request {
        if self.wire != Wire::Codec {
            return request;
        }
        let mut bytes = Vec::new();
        encode_request(&request, &mut bytes);
        match decode_request(&bytes) {
            Ok(request) => request,
            Err(error) => panic!("the codec does not read what it wrote: {error:?}, {request:?}"),
        }
    }

    fn encode_answer(&self, answer: Answer) -> Answer {
        if self.wire != Wire::Codec {
            return answer;
        }
        let mut bytes = Vec::new();
        encode_answer(&answer, &mut bytes);
        match decode_answer(&bytes) {
            Ok(answer) => answer,
            Err(error) => panic!("the codec does not read what it wrote: {error:?}, {answer:?}"),
        }
    }
}

/// One way of a stream between the one who opened it and the other one.
#[derive(Clone, Copy, Debug)]
enum Leg {
    There,
    Back,
}

impl Payload {
    const fn of(body: &Body) -> Self {
        match body {
            Body::Gossip => Self::Gossip,
            Body::Ping { .. } => Self::Ping,
            Body::Ack { .. } => Self::Ack,
            Body::AskPing { .. } => Self::AskPing,
            Body::RelayPing { .. } => Self::RelayPing,
            Body::RelayAck { .. } => Self::RelayAck,
            Body::Relayed { .. } => Self::Relayed,
            Body::Nack { .. } => Self::Nack,
            Body::Refused(_) => Self::Refused,
            Body::Heartbeat { .. } => Self::Heartbeat,
            Body::Watch { .. } => Self::Watch,
            Body::Watching { .. } => Self::Watching,
        }
    }
}

/// The first wait for a lost connection request, and for anything else lost on a stream, as Linux
/// has them.
const CONNECT_RETRY: Duration = Duration::from_secs(1);
const SEGMENT_RETRY: Duration = Duration::from_millis(200);
const TRIES: u32 = 6;
/// What a process that does not read may leave waiting: far more than kernels keep, so that a
/// stall loses nothing, and not so much that one that never goes on fills the memory.
const INBOX_MAX: usize = 65_536;
