//! The task that owns the machine, the datagram socket and the timer.
//!
//! A turn takes everything that the kernel queued before it lets the machine's timers expire: a
//! process that was stopped for a while thereby hears what the others said meanwhile before it
//! judges them, and the machine, called late, blames nobody for the time in which it did not run.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::bounds::MEMBERSHIP_DATAGRAM_BYTES_MAX;
use auscult_core::swim::{Answer, Input, JoinOutcome, Output, Packet, Swim, Ticket};
use auscult_core::time::Instant;
use auscult_core::wire::swim::{decode_packet, encode_packet};
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot, watch};

use crate::carrier::{Carrier, Connection};
use crate::counters::Counters;
use crate::event::{AgentEvent, RejectReason, Rejection, Rejections};
#[cfg(feature = "grpc")]
use crate::grpc;
use crate::handle::{Broadcast, Command, Ending, Reply, Shared};
use crate::layers::{LayerReject, Layers};
use crate::members::Members;
use crate::record::Recorder;
use crate::sentence::sentence;
use crate::stream::{Broken, Report, Streams};

/// What the task owns.
pub(crate) struct Driver {
    pub(crate) swim: Swim,
    pub(crate) carrier: Carrier,
    pub(crate) layers: Layers,
    pub(crate) streams: Streams,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) shared: Arc<Shared>,
    /// What is served over gRPC.
    #[cfg(feature = "grpc")]
    pub(crate) doors: grpc::Doors,
    /// What the log says of each message.
    #[cfg(feature = "grpc")]
    pub(crate) sentences: Option<grpc::Sentences>,
}

/// What the task keeps besides.
struct Desk {
    counters: Counters,
    joins: Vec<(SocketAddr, oneshot::Sender<JoinOutcome>)>,
    /// Requests that came by another transport.
    answers: VecDeque<(Ticket, oneshot::Sender<Answer>)>,
    leaves: Vec<oneshot::Sender<()>>,
    /// The digest of the members in the snapshot.
    published: u64,
    stale: bool,
    /// Events that are told when the snapshot shows what they tell of: whoever is woken by one and
    /// looks at the members must not see those of before, as nothing wakes it again.
    said: Vec<(Instant, AgentEvent, String)>,
    /// Answers to those who asked for something that the snapshot shows: sent when it does.
    replies: Vec<Reply>,
    body: Vec<u8>,
    datagram: Vec<u8>,
    rejections: Rejections,
}

/// What woke the task.
enum Woken {
    Command(Option<Command>),
    Report(Option<Report>),
    Readable,
    Accepted(io::Result<(Connection, SocketAddr)>),
    Timer,
}

/// Whether the task goes on.
enum Next {
    Go,
    Stop(Ending, Option<oneshot::Sender<()>>),
}

impl Driver {
    /// Runs until it ends, and says why it did: also that of a panic, which nobody who holds a
    /// handle would otherwise see.
    pub(crate) async fn run_until_it_ends(self, ended: watch::Sender<Option<Ending>>) {
        // Nothing of the driver is left when it panicked, so nothing half done is seen.
        let ran = AssertUnwindSafe(self.run()).catch_unwind().await;
        let ending = ran.unwrap_or_else(|thrown| {
            let text = thrown.downcast_ref::<&str>().copied();
            let text = text.or_else(|| thrown.downcast_ref::<String>().map(String::as_str));
            let text = text.unwrap_or("it does not say which");
            tracing::error!("the member has stopped, as there is a fault in this program: {text}");
            Ending::Fault(text.into())
        });
        ended.send_replace(Some(ending));
    }

    /// Runs until the member has left, somebody shuts it down, or no handle is left.
    async fn run(mut self) -> Ending {
        let mut desk = Desk {
            counters: Counters::default(),
            joins: Vec::new(),
            answers: VecDeque::new(),
            leaves: Vec::new(),
            published: self.swim.view_digest(),
            stale: false,
            said: Vec::new(),
            replies: Vec::new(),
            body: Vec::new(),
            datagram: Vec::new(),
            rejections: Rejections::default(),
        };
        let far = self.shared.clock.std(Instant::FAR_FUTURE);
        let sleep = tokio::time::sleep_until(far.into());
        tokio::pin!(sleep);
        let mut set = Instant::FAR_FUTURE;
        let (ending, stopped) = loop {
            let wanted = self.swim.poll_timeout().map(|(at, _)| at);
            let wanted = wanted.unwrap_or(Instant::FAR_FUTURE);
            if wanted != set {
                set = wanted;
                sleep.as_mut().reset(self.shared.clock.std(set).into());
            }
            let woken = tokio::select! {
                biased;
                command = self.commands.recv() => Woken::Command(command),
                report = self.reports.recv() => Woken::Report(report),
                () = self.carrier.readable() => Woken::Readable,
                accepted = self.carrier.accept() => Woken::Accepted(accepted),
                () = &mut sleep => Woken::Timer,
            };
            if let Next::Stop(ending, waits) = self.turn(woken, &mut desk) {
                break (ending, waits);
            }
        };
        let Self {
            carrier,
            streams,
            recorder,
            ..
        } = self;
        if let Some(recorder) = recorder {
            recorder.close().await;
        }
        drop((carrier, streams));
        #[cfg(feature = "grpc")]
        self.doors.close().await;
        for done in desk.leaves.into_iter().chain(stopped) {
            let _nobody_waits = done.send(());
        }
        ending
    }

    fn turn(&mut self, woken: Woken, desk: &mut Desk) -> Next {
        let now = self.shared.clock.now();
        let due = self.swim.poll_timeout().map(|(at, _)| at);
        let due = due.filter(|&at| at <= now);
        // What is read now came before the timers that are due expire.
        let heard_at = due.map_or(now, |at| at.before(Duration::from_nanos(1)));
        self.receive(heard_at, desk);
        let mut command = None;
        match woken {
            Woken::Command(Some(taken)) => command = Some(taken),
            Woken::Command(None) => return Next::Stop(Ending::Shutdown, None),
            Woken::Report(report) => self.take_reports(heard_at, report, desk),
            Woken::Accepted(accepted) => self.accept(accepted, desk),
            Woken::Readable | Woken::Timer => {}
        }
        if let Some(due) = due {
            desk.counters.count_wake(now.since(due));
            self.swim.handle(now, Input::Tick);
        }
        let mut next = Next::Go;
        if let Some(command) = command {
            next = self.obey(now, command, desk);
        }
        if self.flush(desk) {
            let lost_to = self.swim.name_lost_to();
            next = Next::Stop(lost_to.map_or(Ending::Left, Ending::NameLost), None);
        }
        self.publish(now, desk);
        next
    }

    /// Reads what the kernel queued, up to a bound: a flood must not stop the clock.
    fn receive(&mut self, at: Instant, desk: &mut Desk) {
        let mut buffer = [0; MEMBERSHIP_DATAGRAM_BYTES_MAX + 1];
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            let (bytes, from) = match self.carrier.try_receive(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What others made of an earlier datagram of ours (ICMP): the next one may be well.
                Err(_) => continue,
            };
            let counters = &mut desk.counters;
            counters.datagrams_received += 1;
            counters.bytes_received += bytes as u64;
            let received = &mut buffer[..bytes];
            match self.layers.unwrap(at, from, received, &mut desk.datagram) {
                Err(reason) => self.shared.say(at, desk.reject(at, Some(from), reason)),
                Ok(None) => {}
                Ok(Some(body)) => match decode_packet(body) {
                    Err(_) => counters.datagrams_malformed += 1,
                    Ok(packet) => {
                        #[cfg(feature = "grpc")]
                        if let Some(sentences) = &self.sentences {
                            sentences.received(&self.swim, &packet);
                        }
                        self.swim.handle(at, Input::Packet { from, packet });
                    }
                },
            }
            self.send_datagram(from, desk);
        }
    }

    fn take_reports(&mut self, at: Instant, report: Option<Report>, desk: &mut Desk) {
        let mut next = report;
        for _ in 0..REPORTS_PER_TURN_MAX {
            match next {
                Some(report) => self.take_report(at, report, desk),
                None => break,
            }
            next = self.reports.try_recv().ok();
        }
        if let Some(report) = next {
            self.take_report(at, report, desk);
        }
    }

    fn take_report(&mut self, at: Instant, report: Report, desk: &mut Desk) {
        match report {
            Report::Asked {
                ticket,
                from,
                request,
            } => self.swim.handle(
                at,
                Input::Request {
                    from,
                    ticket,
                    request,
                },
            ),
            Report::Ended { ticket, result } => {
                self.streams.ended(ticket);
                if let Err(broken) = result {
                    self.shared.say(at, desk.count_broken(at, broken));
                }
            }
            Report::Answered { exchange, result } => match result {
                Ok(answer) => self.swim.handle(at, Input::Answered { exchange, answer }),
                Err(broken) => {
                    desk.counters.streams_unanswered += 1;
                    if let Broken::Layer(reason) = broken {
                        self.shared.say(at, desk.reject(at, None, reason));
                    }
                    let failure = broken.failure();
                    self.swim.handle(at, Input::Failed { exchange, failure });
                }
            },
        }
    }

    fn accept(&mut self, accepted: io::Result<(Connection, SocketAddr)>, desk: &mut Desk) {
        // An error is that of one connection, or of a table that is full for a moment.
        if let Ok((stream, from)) = accepted {
            desk.counters.streams_accepted += 1;
            if self.streams.serve(stream, from) {
                desk.counters.streams_evicted += 1;
            }
        }
    }

    fn obey(&mut self, now: Instant, command: Command, desk: &mut Desk) -> Next {
        match command {
            Command::Join { address, reply } => {
                desk.joins.push((address, reply));
                let seeds = &[address];
                self.swim.handle(now, Input::Join { seeds });
            }
            Command::Leave { done } => {
                desk.leaves.push(done);
                self.swim.handle(now, Input::Leave);
            }
            Command::Shutdown { done } => return Next::Stop(Ending::Shutdown, Some(done)),
            Command::Read(read) => read(&self.swim, now),
            Command::Change(change) => {
                let reply = change(&mut self.swim, now);
                desk.replies.push(reply);
                desk.stale = true;
            }
            Command::Packet { from, packet } => {
                self.swim.handle(now, Input::Packet { from, packet });
            }
            Command::Request {
                from,
                request,
                reply,
            } => {
                let ticket = self.streams.next_ticket();
                desk.answers.push_back((ticket, reply));
                self.swim.handle(
                    now,
                    Input::Request {
                        from,
                        ticket,
                        request,
                    },
                );
            }
        }
        Next::Go
    }

    /// Does what the machine says. Tells whether the member is gone.
    fn flush(&mut self, desk: &mut Desk) -> bool {
        let mut gone = false;
        while let Some(output) = self.swim.poll_output() {
            match output {
                Output::Send { to, packet } => self.send(to, &packet, desk),
                Output::Ask {
                    to,
                    exchange,
                    request,
                    until,
                } => {
                    desk.counters.streams_opened += 1;
                    let until = self.shared.clock.std(until);
                    self.streams.ask(to, exchange, request, until);
                }
                Output::Answer { ticket, answer } => self.answer(ticket, answer, desk),
                Output::Event(event) => {
                    desk.stale = true;
                    #[cfg(feature = "grpc")]
                    if let Some(sentences) = &self.sentences {
                        sentences.happened(&self.swim, &event);
                    }
                    let text = sentence(&event, &self.swim);
                    tracing::debug!(target: "auscult::membership", "{text}");
                    desk.said.push((event.at, AgentEvent::Member(event), text));
                }
                Output::Joined { seed, outcome } => {
                    let asked = |join: &mut (SocketAddr, _)| join.0 == seed;
                    for (_, reply) in desk.joins.extract_if(.., asked) {
                        desk.replies.push(Box::new(move || {
                            let _nobody_waits = reply.send(outcome);
                        }));
                    }
                }
                Output::Persist { incarnation } => {
                    if let Some(recorder) = &mut self.recorder {
                        recorder.persist(incarnation);
                    }
                }
                Output::Broadcast { from, key, payload } => {
                    let text = format!("member {from} broadcast {} bytes", payload.len());
                    let broadcast = Broadcast { from, key, payload };
                    let now = self.shared.clock.now();
                    self.shared.broadcasts.append(now, broadcast, text);
                }
                Output::ModeChanged { mode, members } => {
                    desk.stale = true;
                    tracing::info!(target: "auscult::membership", %mode, members, "mode");
                    // Somebody alone has nobody to listen to: that is how every member begins.
                    if members > 1 {
                        let text = format!("{mode} from now on, among {members} live members");
                        let event = AgentEvent::ModeChanged { mode, members };
                        desk.said.push((self.shared.clock.now(), event, text));
                    }
                }
                Output::Rejected { from, reason } => {
                    tracing::debug!(target: "auscult::membership", %from, %reason, "rejected");
                    let now = self.shared.clock.now();
                    let reason = RejectReason::Machine(reason);
                    self.shared
                        .say(now, desk.rejections.note(now, Some(from), reason));
                }
                Output::Gone => gone = true,
            }
        }
        gone
    }

    fn send(&mut self, to: SocketAddr, packet: &Packet, desk: &mut Desk) {
        #[cfg(feature = "grpc")]
        if let Some(sentences) = &mut self.sentences {
            sentences.sent(&self.swim, to, packet);
        }
        desk.body.clear();
        encode_packet(packet, &mut desk.body);
        let now = self.shared.clock.now();
        self.layers.wrap(now, to, &desk.body, &mut desk.datagram);
        self.send_datagram(to, desk);
    }

    /// Sends what the layers wrote, if they wrote something.
    fn send_datagram(&self, to: SocketAddr, desk: &mut Desk) {
        if desk.datagram.is_empty() {
            return;
        }
        match self.carrier.try_send(&desk.datagram, to) {
            Ok(bytes) => {
                desk.counters.datagrams_sent += 1;
                desk.counters.bytes_sent += bytes as u64;
            }
            Err(_) => desk.counters.send_errors += 1,
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer, desk: &mut Desk) {
        let mut waiting = desk.answers.iter();
        match waiting.position(|(waits, _)| *waits == ticket) {
            None => self.streams.answer(ticket, answer),
            Some(at) => {
                if let Some((_, reply)) = desk.answers.remove(at) {
                    desk.replies.push(Box::new(move || {
                        let _nobody_waits = reply.send(answer);
                    }));
                }
            }
        }
    }

    /// Takes a new snapshot, if anybody would see a difference, and tells what happened.
    fn publish(&self, now: Instant, desk: &mut Desk) {
        let view = self.swim.view_digest();
        let changed = desk.stale || view != desk.published;
        if changed || self.shared.was_read() {
            desk.stale = false;
            desk.published = view;
            desk.counters.snapshots += 1;
            let members = Arc::new(Members::read(&self.swim, now, &self.shared.published()));
            if changed && let Some(recorder) = &self.recorder {
                recorder.note(&members);
            }
            self.shared.publish(members);
        }
        for (at, event, text) in desk.said.drain(..) {
            self.shared.events.append(at, event, text);
        }
        desk.counters.swim = self.swim.counters().clone();
        desk.counters.local_health = self.swim.local_health();
        desk.counters.record_errors = self.recorder.as_ref().map_or(0, Recorder::errors);
        desk.counters.backlog = self.swim.backlog();
        desk.counters.datagrams_dropped = self.carrier.dropped();
        self.shared.counters.store(Arc::new(desk.counters.clone()));
        for reply in desk.replies.drain(..) {
            reply();
        }
    }
}

impl Desk {
    fn count_broken(&mut self, at: Instant, broken: Broken) -> Option<Rejection> {
        match broken {
            Broken::Unreachable | Broken::TimedOut | Broken::Refused(_) => {
                self.counters.streams_failed += 1;
            }
            Broken::Malformed => self.counters.streams_malformed += 1,
            Broken::Layer(reason) => return self.reject(at, None, reason),
        }
        None
    }

    /// Counts what the layers did not take. Gives what an operator should hear of it now.
    fn reject(
        &mut self,
        at: Instant,
        from: Option<SocketAddr>,
        reason: LayerReject,
    ) -> Option<Rejection> {
        self.counters.count_layer_rejected(reason);
        self.rejections.note(at, from, RejectReason::Layer(reason))
    }
}

impl Shared {
    /// Tells those who read the log or the events.
    fn say(&self, at: Instant, rejection: Option<Rejection>) {
        if let Some(rejection) = rejection {
            let text = rejection.to_string();
            tracing::warn!(target: "auscult::membership", "{text}");
            self.events
                .append(at, AgentEvent::Rejected(rejection), text);
        }
    }
}

const DATAGRAMS_PER_TURN_MAX: usize = 1_024;
const REPORTS_PER_TURN_MAX: usize = 64;
