//! A shell around the log: calls it when it asks to be called, and keeps what it says.

use std::time::Duration;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::peer_metric::{
    Input, MetricLog, MetricLogConfig, MetricLogParams, Output, Reading, Rejection, Sender,
    Validity,
};
use auscult_core::time::Instant;

pub(crate) fn peer(name: &str) -> TargetId {
    TargetId::new(name).unwrap()
}

pub(crate) fn metric(name: &str) -> SignalName {
    SignalName::new(name).unwrap()
}

pub(crate) fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A reading of the metric `ping` that is good for a second.
pub(crate) fn ping(peer: &str) -> Reading<'_> {
    Reading {
        metric: "ping",
        peer,
        value: "ok",
        ttl: Duration::from_secs(1),
        valid: Validity::Valid,
        weight: 0,
        epoch: None,
    }
}

pub(crate) struct Shell {
    pub(crate) log: MetricLog,
    pub(crate) now: Instant,
    /// What was said: `<millisecond> <peer> <metric> <what>`.
    pub(crate) said: Vec<String>,
    pub(crate) rejected: Vec<Rejection>,
    /// Peers of whose metric others are to be asked.
    pub(crate) asked: Vec<TargetId>,
    pub(crate) wakes: u64,
}

impl Shell {
    pub(crate) fn new(params: MetricLogParams) -> Self {
        let config = MetricLogConfig::new(params).unwrap();
        Self {
            log: MetricLog::new(config, Instant::ORIGIN),
            now: Instant::ORIGIN,
            said: Vec::new(),
            rejected: Vec::new(),
            asked: Vec::new(),
            wakes: 0,
        }
    }

    pub(crate) fn peers(&mut self, names: &[&str]) {
        let peers: Vec<TargetId> = names.iter().map(|name| peer(name)).collect();
        self.handle(Input::Peers(&peers));
    }

    pub(crate) fn publish(&mut self, reading: Reading<'_>) -> Result<(), Rejection> {
        self.publish_as(Sender::Peer(reading.peer), reading)
    }

    pub(crate) fn publish_as(
        &mut self,
        sender: Sender<'_>,
        reading: Reading<'_>,
    ) -> Result<(), Rejection> {
        let before = self.rejected.len();
        let received_at = self.now;
        self.handle(Input::Published {
            sender,
            received_at,
            reading,
        });
        self.rejected
            .get(before)
            .map_or(Ok(()), |&reason| Err(reason))
    }

    pub(crate) fn configure(&mut self, params: MetricLogParams) {
        let config = MetricLogConfig::new(params).unwrap();
        self.log.configure(self.now, config);
        self.listen();
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.log.handle(self.now, input);
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(output) = self.log.poll_output() {
            let text = |at: Instant, peer: &TargetId, metric: &str, what: &str| {
                let at = at.as_nanos() / 1_000_000;
                format!("{at} {peer} {metric} {what}")
            };
            match &output {
                Output::Failed {
                    peer,
                    metric,
                    at,
                    cause,
                } => self.said.push(text(*at, peer, metric, cause.as_str())),
                Output::Recovered { peer, metric, at } => {
                    self.said.push(text(*at, peer, metric, "recovered"));
                }
                Output::Released { peer, metric } => {
                    self.said.push(text(self.now, peer, metric, "released"));
                }
                Output::Departed { peer } => self.said.push(text(self.now, peer, "", "departed")),
                Output::Ask { peer, .. } => self.asked.push(peer.clone()),
                Output::Rejected(reason) => self.rejected.push(*reason),
            }
        }
    }

    /// Lets time pass, and calls the machine exactly when it asks for it.
    pub(crate) fn run_to(&mut self, until: Instant) {
        while let Some(at) = self.log.poll_timeout().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            self.wakes += 1;
            self.handle(Input::Tick);
        }
        self.now = until;
    }

    pub(crate) fn last(&self, metric: &str) -> Vec<String> {
        let last = self.log.last_metrics(self.now, metric);
        last.map(|(peer, reading)| format!("{peer}={}", reading.value))
            .collect()
    }
}
