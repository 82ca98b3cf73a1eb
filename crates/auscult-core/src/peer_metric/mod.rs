//! The machine that keeps the metrics that peers publish, and says which of them have failed.
//!
//! # Use
//! 1. Say who the peers are ([`Input::Peers`]), whenever that changes.
//! 2. Give it what they publish ([`Input::Published`]).
//! 3. Take what it has to say with [`MetricLog::poll_output`].
//! 4. Ask [`MetricLog::poll_timeout`] when to call again, and do so then with [`Input::Tick`].
//!
//! # What is kept
//! For each metric of each peer the last [`window`](MetricLogParams::window) readings. Everything
//! has a bound: names, peers, pairs of the two, and the bytes of all values; what is beyond is
//! refused with a reason. Peers that depart are not judged any more, and what they published is
//! freed after [`retention`](MetricLogParams::retention).
//!
//! # When a metric has failed
//! A reading is good for its time to live, counted by our clock from its arrival: the sender's
//! clock plays no part. With [`Decision::Accrual`] the rhythm of the readings decides *instead*, as
//! soon as there are [`ACCRUAL_READINGS_MIN`] of them. A sender that starts again (another epoch)
//! begins a new window, so that the pause of its restart is no interval. A peer that never
//! publishes a metric which is expected of everybody has failed when its grace is over.
//!
//! A failure is said once, at the moment it is due, and once more when it is over: it is heard of
//! again ([`Output::Recovered`]), its peer departed ([`Output::Departed`]), or it is not judged any
//! more ([`Output::Released`]). Nothing is looked at periodically: each metric of each peer has one
//! deadline in a wheel, and what is heard of in time costs nothing between two readings.
//!
//! # Where others listen, too
//! What a peer publishes may be lost on its way to one of several monitors. With
//! [`Company::Others`] a metric that is due does not fail at once: the others are asked
//! ([`Output::Ask`]), and it fails when they know nothing newer ([`Input::Answered`]), or after
//! [`ASK_PATIENCE`].
//!
//! # When the observer is at fault
//! Woken later than it asked for by more than
//! [`stall_tolerance`](MetricLogParams::stall_tolerance), the process did not run, and what was
//! published meanwhile may wait to be read. Nothing fails for [`STALL_PAUSE`] then.

mod ask;
mod change;
mod config;
mod input;
pub mod message;
mod restore;
mod series;
mod view;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::bounds::METRIC_VALUE_BYTES_MAX;
use crate::id::{SignalName, TargetId};
use crate::monitor::schedule::{Next, Schedule};
use crate::time::Instant;
use series::Series;

pub use ask::{ASK_PATIENCE, Company};
pub use config::{Accrual, Admission, Decision, MetricLogConfig, MetricLogParams, MetricRule};
pub use input::{
    Cause, Counters, Input, Output, Reading, Rejection, Restored, Sender, Validity, ttl_of_seconds,
};
pub use series::{Kept, Pause, Standing};
pub use view::SeriesView;

/// Readings that it takes to know a rhythm.
pub const ACCRUAL_READINGS_MIN: usize = 6;

/// How long nothing fails after the process did not run: long enough to read what waits.
pub const STALL_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the metrics of many peers. See the [module](self) for its use.
pub struct MetricLog {
    config: MetricLogConfig,
    /// The time of the last call.
    now: Instant,
    peers: BTreeMap<TargetId, Peer>,
    names: BTreeMap<SignalName, BTreeMap<TargetId, u32>>,
    series: Vec<Option<Series>>,
    free: Vec<u32>,
    schedule: Schedule,
    /// When peers that departed are forgotten.
    departures: BTreeSet<(Instant, TargetId)>,
    company: Company,
    /// Nothing fails before, as the process did not run.
    hold_until: Option<Instant>,
    wake: Option<Instant>,
    outputs: VecDeque<Output>,
    counters: Counters,
    /// The slots of what changed since somebody asked.
    changed: Vec<u32>,
}

struct Peer {
    came: Came,
    /// When it is forgotten, if it departed.
    forget_at: Option<Instant>,
    series: BTreeMap<SignalName, u32>,
}

/// How a peer came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// It was named, and departs when it is not any more.
    Named,
    /// It published something, and stays until it is forgotten.
    ByItself,
}

impl MetricLog {
    /// A log of nothing.
    #[must_use]
    pub fn new(config: MetricLogConfig, now: Instant) -> Self {
        Self {
            config,
            now,
            peers: BTreeMap::new(),
            names: BTreeMap::new(),
            series: Vec::new(),
            free: Vec::new(),
            schedule: Schedule::new(now),
            departures: BTreeSet::new(),
            company: Company::Alone,
            hold_until: None,
            wake: None,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            changed: Vec::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.begin(now);
        match input {
            Input::Published {
                sender,
                received_at,
                reading,
            } => {
                let received_at = received_at.min(self.now);
                if let Err(reason) = self.publish(sender, received_at, &reading) {
                    self.reject(reason);
                }
            }
            Input::Unreadable(reason) => self.reject(reason),
            Input::Peers(peers) => self.take_peers(peers),
            Input::FailedBefore { peer, metric } => self.remember(peer, metric),
            Input::Restored(kept) => self.restore(&kept),
            Input::Forget { peer, metric } => self.forget(peer, metric),
            Input::Company(company) => self.company = company,
            Input::Answered { peer, metric } => self.take_answers(metric, peer),
            Input::Tick => {}
        }
        self.end();
    }

    /// The next thing to say, in the order in which they happened.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call again; `None` when there is nothing to wait for.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.wake
    }

    fn begin(&mut self, now: Instant) {
        if now < self.now {
            self.counters.clock_regressions += 1;
            return;
        }
        let late = self.wake.map_or(Duration::ZERO, |wake| now.since(wake));
        if self.hold_until.is_none() && late > self.config.0.stall_tolerance {
            self.counters.stalls += 1;
            self.hold_until = Some(now.after(STALL_PAUSE));
        }
        self.now = now;
    }

    /// What every call ends with: what is due by now is done.
    fn end(&mut self) {
        if let Some(until) = self.hold_until {
            if self.now < until {
                self.wake = Some(until);
                return;
            }
            self.hold_until = None;
        } else if self.wake.is_none_or(|at| at > self.now) {
            return;
        }
        while let Some((_, slot)) = self.schedule.pop(self.now) {
            self.judge(slot);
        }
        while let Some((at, peer)) = self.departures.first().cloned() {
            if at > self.now {
                break;
            }
            self.departures.remove(&(at, peer.clone()));
            self.forget(&peer, None);
        }
        let departure = self.departures.first().map(|&(at, _)| at);
        let due = self.schedule.next().map(|next| match next {
            Next::Exact(at, _) => at,
            Next::Early(at) => at.max(self.now),
        });
        self.wake = [departure, due].into_iter().flatten().min();
    }

    fn reject(&mut self, reason: Rejection) {
        self.counters.count_rejection(reason);
        self.outputs.push_back(Output::Rejected(reason));
    }

    fn wake_by(&mut self, at: Instant) {
        if self.wake.is_none_or(|wake| at < wake) {
            self.wake = Some(at);
        }
    }

    fn publish(
        &mut self,
        sender: Sender<'_>,
        received_at: Instant,
        reading: &Reading<'_>,
    ) -> Result<(), Rejection> {
        self.check(sender, reading)?;
        let known = self.peers.get(reading.peer);
        let known = known.and_then(|peer| peer.series.get(reading.metric));
        let series = known.and_then(|&slot| self.series[slot as usize].as_ref());
        let kept = self.make_room(series, received_at, reading)?;
        let slot = self.slot_of(reading, received_at)?;
        let Some(series) = self.series[slot as usize].as_mut() else {
            return Ok(());
        };
        let begins_anew = series.begins_anew(reading);
        let pause = match begins_anew {
            true => Pause::Unheard,
            false => series.pause(),
        };
        if begins_anew {
            self.counters.restarts += 1;
        }
        series.epoch = reading.epoch.or(series.epoch);
        let freed = series.readings.drain(kept..);
        let freed: usize = freed.map(|reading| reading.value.len()).sum();
        series.readings.push_front(Kept {
            value: reading.value.into(),
            received_at,
            earlier: Duration::ZERO,
            pause,
            ttl: reading.ttl,
            valid: reading.valid,
            weight: reading.weight,
        });
        self.counters.values_bytes += reading.value.len();
        self.counters.values_bytes -= freed;
        self.counters.taken += 1;
        if !core::mem::replace(&mut series.changed, true) {
            self.changed.push(slot);
        }
        self.hear(slot);
        Ok(())
    }

    /// How many of the readings that there are can stay beside a new one. When the values weigh too
    /// much together, old ones of the same peer and metric go: so whoever has readings can always
    /// put a new one in their place.
    fn make_room(
        &self,
        series: Option<&Series>,
        received_at: Instant,
        reading: &Reading<'_>,
    ) -> Result<usize, Rejection> {
        let (limit, present) = (self.config.0.values_bytes_max, self.counters.values_bytes);
        let mut bytes = present + reading.value.len();
        let mut kept = 0;
        if let Some(series) = series {
            let newest = series.readings.front();
            if newest.is_some_and(|newest| received_at < newest.received_at) {
                return Err(Rejection::Stale);
            }
            kept = match series.begins_anew(reading) {
                true => 0,
                false => series.readings.len().min(self.config.0.window - 1),
            };
            let dropped = series.readings.iter().skip(kept);
            bytes -= dropped.map(|reading| reading.value.len()).sum::<usize>();
            while bytes > limit && kept > 0 {
                kept -= 1;
                bytes -= series.readings[kept].value.len();
            }
        }
        if bytes > limit {
            return Err(Rejection::TooManyBytes);
        }
        Ok(kept)
    }

    /// What can be wrong with a reading whatever is known.
    fn check(&self, sender: Sender<'_>, reading: &Reading<'_>) -> Result<(), Rejection> {
        if crate::id::check_name(reading.metric).is_err()
            || crate::id::check_name(reading.peer).is_err()
        {
            return Err(Rejection::Name);
        }
        match sender {
            Sender::Peer(name) if name != reading.peer => return Err(Rejection::ForeignPeer),
            Sender::Peer(_) | Sender::Trusted => {}
        }
        if reading.value.len() > METRIC_VALUE_BYTES_MAX {
            return Err(Rejection::Value);
        }
        let limits = self.config.0.ttl_min..=self.config.0.ttl_max;
        if !limits.contains(&reading.ttl) {
            return Err(Rejection::Ttl);
        }
        Ok(())
    }

    /// Where the metric of the peer is kept; makes room if there is none yet.
    fn slot_of(&mut self, reading: &Reading<'_>, at: Instant) -> Result<u32, Rejection> {
        let peer = match self.peers.get(reading.peer) {
            Some(peer) if peer.forget_at.is_none() => Some(peer),
            Some(_) | None if self.config.0.admission == Admission::Named => {
                return Err(Rejection::UnknownPeer);
            }
            Some(_) => None,
            None if self.peers.len() >= self.config.0.peers_max => {
                return Err(Rejection::TooManyPeers);
            }
            None => None,
        };
        if let Some(&slot) = peer.and_then(|peer| peer.series.get(reading.metric)) {
            return Ok(slot);
        }
        let metric = SignalName::new(reading.metric).map_err(|_| Rejection::Name)?;
        let name = TargetId::new(reading.peer).map_err(|_| Rejection::Name)?;
        self.check_room(&metric)?;
        if peer.is_none() {
            self.welcome(&name, Came::ByItself, at);
        }
        self.add_series(&name, &metric, at);
        let peer = self.peers.get(&name);
        peer.and_then(|peer| peer.series.get(&metric).copied())
            .ok_or(Rejection::TooManySeries)
    }

    fn check_room(&self, metric: &SignalName) -> Result<(), Rejection> {
        let configured = self.config.0.metrics.contains_key(metric);
        let known = configured || self.names.contains_key(metric);
        let named = self.config.0.metrics.keys();
        // Room is kept for the metrics that have a rule of their own.
        let unseen = named.filter(|name| !self.names.contains_key(*name)).count();
        if !known && self.names.len() + unseen >= self.config.0.names_max {
            return Err(Rejection::TooManyNames);
        }
        if self.counters.series >= self.config.0.series_max {
            return Err(Rejection::TooManySeries);
        }
        Ok(())
    }

    /// A metric of a peer was heard of.
    fn hear(&mut self, slot: u32) {
        let Some(series) = self.series[slot as usize].as_mut() else {
            return;
        };
        if let Standing::Failed { .. } = series.standing {
            self.counters.failing -= 1;
            self.counters.recovered += 1;
            self.outputs.push_back(Output::Recovered {
                peer: series.peer.clone(),
                metric: series.metric.clone(),
                at: self.now,
            });
        }
        series.standing = Standing::Fresh;
        self.arm(slot);
    }

    /// Notes when a metric of a peer fails.
    fn arm(&mut self, slot: u32) {
        let Some(series) = self.series[slot as usize].as_mut() else {
            return;
        };
        series.is_asked = false;
        let rule = self.config.rule(&series.metric);
        let due = series
            .deadline(rule)
            .map_or(Instant::FAR_FUTURE, |(at, _)| at);
        if self.schedule.set(slot, due) {
            self.wake_by(due);
        }
    }

    fn judge(&mut self, slot: u32) {
        if self.asks_others(slot) {
            return;
        }
        let Some(series) = self.series[slot as usize].as_mut() else {
            return;
        };
        let rule = self.config.rule(&series.metric);
        let Some((at, cause)) = series.deadline(rule) else {
            return;
        };
        series.standing = Standing::Failed { at, cause };
        self.counters.failed += 1;
        self.counters.failing += 1;
        self.outputs.push_back(Output::Failed {
            peer: series.peer.clone(),
            metric: series.metric.clone(),
            at,
            cause,
        });
    }
}
