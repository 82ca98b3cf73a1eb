//! Figures that every process of ours shows in `/metrics`, and how they are written.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::swim::{Direction, Mode, Reject, State, Wake};

use super::exposition::{Exposition, LabelText, Number};
use super::families as family;
use super::process::Process;
use crate::counters::Counters;
use crate::handle::AgentHandle;
use crate::layers::LayerReject;
use crate::members::Members;
use crate::metric::MetricReject;

/// A count under a name.
pub type Count = (&'static str, u64);

/// The HTTP server.
#[derive(Debug, Default)]
pub struct HttpFigures {
    /// Answers by class of status.
    pub responses: Vec<Count>,
    /// Problems by kind.
    pub problems: Vec<Count>,
    /// Open connections.
    pub open: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections that broke.
    pub broken: u64,
    /// Connections given up.
    pub write_timeouts: u64,
    /// Open streams of events.
    pub streams: u64,
    /// Events that readers were too slow for.
    pub events_missed: u64,
}

/// A member of a group, and what it knows of the others.
#[derive(Debug, Default)]
pub struct MembershipFigures {
    /// Members by state.
    pub states: [u64; State::ALL.len()],
    /// Live members that are not heard here, and those that do not hear this one.
    pub blocked: [u64; 2],
    /// Members, and the seconds that a round trip to them takes.
    pub round_trips: Vec<(LabelText, f64)>,
    /// How failures are found now.
    pub mode: Option<Mode>,
    /// Its own incarnation.
    pub incarnation: u64,
    /// What the agent counted.
    pub counters: Arc<Counters>,
    /// Events logged.
    pub events: u64,
    /// Metrics that it published.
    pub metrics_published: u64,
    /// Metrics that it was to publish and did not, by reason.
    pub metrics_rejected: [u64; MetricReject::ALL.len()],
}

/// Members up to which each has series of its own: a full mesh of larger groups would be a flood.
const MEMBER_SERIES_MAX: usize = 128;

impl MembershipFigures {
    /// Reads an agent.
    #[must_use]
    pub fn read(agent: &AgentHandle) -> Self {
        let members = agent.members();
        let mut figures = Self {
            states: [0; State::ALL.len()],
            blocked: [0; 2],
            round_trips: Vec::new(),
            mode: Some(members.mode),
            incarnation: members.me().map_or(0, |me| me.incarnation.number()),
            counters: agent.counters(),
            events: agent.events().appended(),
            metrics_published: agent.metrics_published(),
            metrics_rejected: MetricReject::ALL.map(|reason| agent.metrics_rejected(reason)),
        };
        figures.count(&members);
        figures
    }

    fn count(&mut self, members: &Members) {
        let few = members.members.len() <= MEMBER_SERIES_MAX;
        for member in &members.members {
            self.states[member.state as usize] += 1;
            if !member.state.is_live() {
                continue;
            }
            let blocked = |direction| u64::from(direction == Direction::Blocked);
            self.blocked[0] += blocked(member.link.hears);
            self.blocked[1] += blocked(member.link.heard);
            if let Some(round_trip) = member.round_trip
                && few
            {
                let labels = LabelText::new(&[("member", member.name.as_str())]);
                self.round_trips.push((labels, round_trip.as_secs_f64()));
            }
        }
    }
}

/// Writes the section of the group.
pub fn write_membership(out: &mut Exposition, figures: &MembershipFigures) {
    let states = State::ALL.iter().map(|&state| {
        let count = figures.states[state as usize];
        (state.as_str(), count)
    });
    out.by(&family::MEMBERS, states);
    let directions = ["hears", "heard"].into_iter();
    out.by(&family::LINKS_BLOCKED, directions.zip(figures.blocked));
    out.family(&family::ROUND_TRIP);
    for (labels, seconds) in &figures.round_trips {
        out.sample(labels, *seconds);
    }
    let counters = &figures.counters;
    let modes = Mode::ALL.iter();
    let is = |mode: Mode| u64::from(figures.mode == Some(mode));
    out.by(&family::MODE, modes.map(|&mode| (mode.as_str(), is(mode))));
    out.single(&family::HEARTBEATS_SENT, counters.swim.heartbeats_sent);
    out.single(&family::HEARTBEATS_HEARD, counters.swim.heartbeats_heard);
    out.single(&family::LOCAL_HEALTH, u64::from(counters.local_health));
    out.single(&family::BACKLOG, counters.backlog);
    let swim = &counters.swim;
    let dropped = [
        ("news", swim.news_dropped),
        ("broadcasts", swim.broadcasts_dropped),
    ];
    out.by(&family::GOSSIP_DROPPED, dropped.into_iter());
    out.single(&family::INCARNATION, figures.incarnation);
    out.single(&family::PROBES, swim.probes);
    out.single(&family::PROBE_DETOURS, swim.detours);
    out.single(&family::PROBE_FAILURES, swim.probes_failed);
    out.single(&family::MEMBER_SUSPICIONS, swim.suspicions);
    out.single(&family::REFUTATIONS, swim.refutations);
    out.single(&family::CONVICTIONS, swim.convictions);
    out.single(&family::SYNCS, swim.syncs);
    out.single(&family::OWN_ORDER_ROUNDS, swim.own_order_rounds);
    let wakes = Wake::ALL.iter().map(|&why| (why.as_str(), swim.wakes(why)));
    out.by(&family::SWIM_WAKEUPS, wakes);
    out.single(&family::SWIM_STALLS, swim.stalls);
    out.single(&family::SWIM_CLOCK_REGRESSIONS, swim.clock_regressions);
    let none = LabelText::default();
    out.family(&family::LATENESS);
    out.summary(&none, seconds(counters.lateness_sum), counters.wakes);
    out.single(&family::LATENESS_MAX, seconds(counters.lateness_max));
    write_rejected(out, figures);
    write_traffic(out, figures);
    out.single(&family::METRICS_PUBLISHED, figures.metrics_published);
    let reasons = MetricReject::ALL.map(MetricReject::as_str).into_iter();
    out.by(
        &family::METRICS_REJECTED,
        reasons.zip(figures.metrics_rejected),
    );
    out.single(&family::MEMBER_EVENTS, figures.events);
}

fn write_rejected(out: &mut Exposition, figures: &MembershipFigures) {
    let counters = &figures.counters;
    out.family(&family::SWIM_REJECTED);
    let mut write = |layer: &str, reason: &str, count: u64| {
        out.sample(
            &LabelText::new(&[("layer", layer), ("reason", reason)]),
            count,
        );
    };
    for &reason in &LayerReject::ALL {
        write("seal", reason.as_str(), counters.layer_rejected(reason));
    }
    write("codec", "datagram", counters.datagrams_malformed);
    write("codec", "stream", counters.streams_malformed);
    for &reason in &Reject::ALL {
        write("machine", reason.as_str(), counters.swim.rejected(reason));
    }
}

fn write_traffic(out: &mut Exposition, figures: &MembershipFigures) {
    let counters = &figures.counters;
    out.single(&family::SWIM_RECEIVED, counters.datagrams_received);
    out.single(&family::SWIM_SENT, counters.datagrams_sent);
    out.single(&family::SWIM_RECEIVED_BYTES, counters.bytes_received);
    out.single(&family::SWIM_SENT_BYTES, counters.bytes_sent);
    out.single(&family::SWIM_SEND_ERRORS, counters.send_errors);
    out.single(&family::STREAMS_ACCEPTED, counters.streams_accepted);
    out.single(&family::STREAMS_EVICTED, counters.streams_evicted);
    out.single(&family::STREAMS_FAILED, counters.streams_failed);
    out.single(&family::STREAMS_OPENED, counters.streams_opened);
    out.single(&family::STREAMS_UNANSWERED, counters.streams_unanswered);
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

/// Writes the section of the HTTP server.
pub fn write_http(out: &mut Exposition, http: &HttpFigures) {
    out.by(&family::HTTP_RESPONSES, http.responses.iter().copied());
    out.by(&family::HTTP_PROBLEMS, http.problems.iter().copied());
    out.single(&family::HTTP_CONNECTIONS, http.open);
    out.single(&family::HTTP_ACCEPTED, http.accepted);
    out.single(&family::HTTP_BROKEN, http.broken);
    out.single(&family::HTTP_WRITE_TIMEOUTS, http.write_timeouts);
    out.single(&family::EVENT_STREAMS, http.streams);
    out.single(&family::EVENTS_MISSED, http.events_missed);
}

/// Writes the section of the process.
pub fn write_process(out: &mut Exposition, version: &str) {
    out.family(&family::BUILD_INFO);
    out.sample(&LabelText::new(&[("version", version)]), 1_u64);
    let process = Process::read();
    let mut each = |family, value: Option<Number>| {
        out.family(family);
        if let Some(value) = value {
            out.sample(&LabelText::default(), value);
        }
    };
    each(&family::PROCESS_CPU, process.cpu_seconds.map(Number::Real));
    each(
        &family::PROCESS_RESIDENT,
        process.resident_bytes.map(Number::Whole),
    );
    each(
        &family::PROCESS_VIRTUAL,
        process.virtual_bytes.map(Number::Whole),
    );
    each(&family::PROCESS_FDS, process.open_fds.map(Number::Whole));
    each(&family::PROCESS_FDS_MAX, process.max_fds.map(Number::Whole));
    each(&family::PROCESS_START, process.started_at.map(Number::Real));
}
