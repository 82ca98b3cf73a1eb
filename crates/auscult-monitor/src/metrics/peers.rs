//! The figures of the metrics that peers publish.

use auscult_agent::http::exposition::Exposition;
use auscult_agent::http::figures::Count;
use auscult_core::peer_metric::{Counters, Rejection};

use super::families as family;
use crate::peer_metrics::{ExchangeCounters, Keeping, KeepingState, PeerMonitor};

/// The metrics of peers.
#[derive(Debug, Default)]
pub(crate) struct PeerFigures {
    peers: usize,
    names: usize,
    counters: Counters,
    wakeups: u64,
    gossip_missed: u64,
    exchanged: ExchangeCounters,
    keeping: Keeping,
}

impl PeerFigures {
    pub(crate) fn read(monitor: &PeerMonitor) -> Self {
        let (peers, names, counters) = monitor.read(|log, _| {
            let counters = *log.counters();
            (log.peers().count(), log.metric_names().count(), counters)
        });
        Self {
            peers,
            names,
            counters,
            wakeups: monitor.wakeups(),
            gossip_missed: monitor.gossip_missed(),
            exchanged: monitor.exchanged(),
            keeping: monitor.keeping(),
        }
    }
}

pub(super) fn write_peers(out: &mut Exposition, figures: &PeerFigures) {
    let counters = &figures.counters;
    out.single(&family::PEERS, figures.peers);
    out.single(&family::PEER_METRIC_NAMES, figures.names);
    out.single(&family::PEER_METRICS, counters.series);
    out.single(&family::PEER_METRICS_FAILING, counters.failing);
    out.single(&family::PEER_METRIC_VALUES, counters.values_bytes);
    out.single(&family::PEER_READINGS, counters.taken);
    let rejected = |reason: Rejection| -> Count { (reason.as_str(), counters.rejections(reason)) };
    let rejected = Rejection::ALL.into_iter().map(rejected);
    out.by(&family::PEER_READINGS_REJECTED, rejected);
    let exchanged = &figures.exchanged;
    let passed: [Count; 4] = [
        ("sent", exchanged.sent),
        ("dropped", exchanged.dropped),
        ("taken", exchanged.taken),
        ("asked", counters.asked),
    ];
    out.by(&family::PEER_READINGS_PASSED, passed.into_iter());
    out.single(&family::PEER_METRICS_FAILED, counters.failed);
    out.single(&family::PEER_METRICS_RECOVERED, counters.recovered);
    out.single(&family::PEER_METRIC_RESTARTS, counters.restarts);
    out.single(&family::PEERS_REFUSED, counters.peers_refused);
    out.single(&family::PEER_METRIC_WAKEUPS, figures.wakeups);
    out.single(&family::PEER_METRIC_STALLS, counters.stalls);
    out.single(&family::PEER_GOSSIP_MISSED, figures.gossip_missed);
    let states = KeepingState::ALL.into_iter();
    let is = |state: KeepingState| (state.as_str(), u64::from(figures.keeping.state == state));
    out.by(&family::PEER_READINGS_STATE, states.map(is));
    out.single(&family::PEER_READINGS_FAILURES, figures.keeping.failures);
}
