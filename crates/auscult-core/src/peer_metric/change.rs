//! Peers that come and go, and rules that change.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::config::{Admission, MetricLogConfig};
use super::input::{Cause, Output};
use super::series::{Series, Standing};
use super::{Came, MetricLog, Peer};
use crate::id::{SignalName, TargetId};
use crate::time::Instant;

impl MetricLog {
    pub(super) fn take_peers(&mut self, peers: &[TargetId]) {
        let present: BTreeSet<&TargetId> = peers.iter().collect();
        let may_stay = self.config.0.admission == Admission::Anybody;
        let absent = |(name, peer): (&TargetId, &Peer)| {
            let stays = peer.came == Came::ByItself && may_stay;
            let departs = peer.forget_at.is_none() && !stays && !present.contains(name);
            departs.then(|| name.clone())
        };
        let departed: Vec<TargetId> = self.peers.iter().filter_map(absent).collect();
        for name in departed {
            self.dismiss(&name);
        }
        for name in present {
            let known = self.peers.get_mut(name);
            if let Some(peer) = known
                && peer.forget_at.is_none()
            {
                peer.came = Came::Named;
                continue;
            }
            let known = self.peers.get(name);
            if known.is_none() && self.peers.len() >= self.config.0.peers_max {
                self.counters.peers_refused += 1;
                continue;
            }
            self.welcome(name, Came::Named, self.now);
        }
    }

    /// A peer is new, or is back: what it published before is judged again, with as much time as
    /// if it had come now.
    pub(super) fn welcome(&mut self, name: &TargetId, came: Came, at: Instant) {
        let peer = self.peers.entry(name.clone()).or_insert_with(|| Peer {
            came,
            forget_at: None,
            series: BTreeMap::new(),
        });
        peer.came = came;
        if let Some(at) = peer.forget_at.take() {
            self.departures.remove(&(at, name.clone()));
        }
        let slots: Vec<u32> = peer.series.values().copied().collect();
        for slot in slots {
            if let Some(series) = self.series[slot as usize].as_mut() {
                series.expected_since = at;
                series.standing = if series.readings.is_empty() {
                    Standing::Awaited
                } else {
                    Standing::Fresh
                };
            }
            self.arm(slot);
        }
        self.await_all_of(name, at);
    }

    /// Awaits what every peer is to publish.
    fn await_all_of(&mut self, name: &TargetId, at: Instant) {
        let expected = self.config.0.metrics.iter();
        let expected = expected.filter(|(_, rule)| rule.grace.is_some());
        let expected: Vec<SignalName> = expected.map(|(name, _)| name.clone()).collect();
        for metric in expected {
            let known = self.peers.get(name);
            let known = known.is_some_and(|peer| peer.series.contains_key(&metric));
            if !known && self.check_room(&metric).is_ok() {
                self.add_series(name, &metric, at);
            }
        }
    }

    pub(super) fn add_series(&mut self, name: &TargetId, metric: &SignalName, at: Instant) {
        let Some(peer) = self.peers.get_mut(name) else {
            return;
        };
        if peer.series.contains_key(metric) {
            return;
        }
        let slot = self.free.pop().unwrap_or(self.series.len() as u32);
        if slot as usize == self.series.len() {
            self.series.push(None);
        }
        self.schedule.make_room(slot);
        self.series[slot as usize] = Some(Series {
            peer: name.clone(),
            metric: metric.clone(),
            readings: VecDeque::new(),
            epoch: None,
            expected_since: at,
            standing: Standing::Awaited,
            is_asked: false,
            changed: false,
        });
        peer.series.insert(metric.clone(), slot);
        let of_name = self.names.entry(metric.clone()).or_default();
        of_name.insert(name.clone(), slot);
        self.counters.series += 1;
        self.arm(slot);
    }

    /// A peer departed.
    fn dismiss(&mut self, name: &TargetId) {
        let Some(peer) = self.peers.get_mut(name) else {
            return;
        };
        let forget_at = self.now.after(self.config.0.retention);
        peer.forget_at = Some(forget_at);
        for &slot in peer.series.values() {
            self.schedule.clear(slot);
            if let Some(series) = self.series[slot as usize].as_mut() {
                let failed = matches!(series.standing, Standing::Failed { .. });
                self.counters.failing -= usize::from(failed);
                series.standing = Standing::Departed;
            }
        }
        self.departures.insert((forget_at, name.clone()));
        self.outputs
            .push_back(Output::Departed { peer: name.clone() });
        self.wake_by(forget_at);
    }

    /// Frees what a peer published, or one metric of it.
    pub(super) fn forget(&mut self, name: &str, metric: Option<&str>) {
        let Some(peer) = self.peers.get_mut(name) else {
            return;
        };
        let mut freed = Vec::new();
        peer.series.retain(|known, &mut slot| {
            let chosen = metric.is_none_or(|metric| metric == known.as_str());
            if chosen {
                freed.push((known.clone(), slot));
            }
            !chosen
        });
        let whole = metric.is_none();
        if let Some(at) = peer.forget_at.filter(|_| whole)
            && let Ok(name) = TargetId::new(name)
        {
            self.departures.remove(&(at, name));
        }
        if whole {
            self.peers.remove(name);
        }
        for (metric, slot) in freed {
            self.free_series(name, &metric, slot);
        }
    }

    fn free_series(&mut self, peer: &str, metric: &SignalName, slot: u32) {
        self.schedule.clear(slot);
        if let Some(series) = self.series[slot as usize].take() {
            if let Standing::Failed { .. } = series.standing {
                self.counters.failing -= 1;
                self.outputs.push_back(Output::Released {
                    peer: series.peer.clone(),
                    metric: series.metric.clone(),
                });
            }
            self.counters.series -= 1;
            self.counters.forgotten += 1;
            let bytes = series.readings.iter().map(|r| r.value.len());
            self.counters.values_bytes -= bytes.sum::<usize>();
            self.free.push(slot);
        }
        if let Some(of_name) = self.names.get_mut(metric) {
            of_name.remove(peer);
            if of_name.is_empty() {
                self.names.remove(metric);
            }
        }
    }

    /// An earlier process found a metric failed, and nobody has heard of it since.
    pub(super) fn remember(&mut self, name: &TargetId, metric: &SignalName) {
        if self.check_room(metric).is_err() {
            return;
        }
        if !self.peers.contains_key(name) {
            if self.peers.len() >= self.config.0.peers_max {
                self.counters.peers_refused += 1;
                return;
            }
            self.welcome(name, Came::ByItself, self.now);
        }
        self.add_series(name, metric, self.now);
        let Some(peer) = self.peers.get(name) else {
            return;
        };
        let Some(&slot) = peer.series.get(metric) else {
            return;
        };
        let Some(series) = self.series[slot as usize].as_mut() else {
            return;
        };
        if series.standing == Standing::Awaited {
            self.schedule.clear(slot);
            self.counters.failing += 1;
            series.standing = Standing::Failed {
                at: self.now,
                cause: Cause::FailedBefore,
            };
        }
    }

    /// Takes other rules and limits, which hold from now on. What has failed stays failed until it
    /// is heard of; readings beyond a smaller window go, and so does what was awaited and is not
    /// expected any more. What is beyond other limits that are lower now stays as it is.
    pub fn configure(&mut self, now: Instant, config: MetricLogConfig) {
        self.begin(now);
        self.config = config;
        for slot in 0..self.series.len() as u32 {
            self.adopt_rule(slot);
        }
        let present = self.peers.iter().filter(|(_, p)| p.forget_at.is_none());
        let present: Vec<TargetId> = present.map(|(name, _)| name.clone()).collect();
        for name in present {
            self.await_all_of(&name, self.now);
        }
        self.end();
    }

    fn adopt_rule(&mut self, slot: u32) {
        let Some(series) = self.series[slot as usize].as_mut() else {
            return;
        };
        let kept = series.readings.len().min(self.config.0.window);
        let freed = series.readings.drain(kept..);
        self.counters.values_bytes -= freed.map(|reading| reading.value.len()).sum::<usize>();
        let expected = self.config.rule(&series.metric).grace.is_some();
        let remembered = matches!(
            series.standing,
            Standing::Failed {
                cause: Cause::FailedBefore,
                ..
            }
        );
        if series.readings.is_empty() && !expected && !remembered {
            let (peer, metric) = (series.peer.clone(), series.metric.clone());
            self.forget(&peer, Some(metric.as_str()));
            return;
        }
        match series.standing {
            Standing::Awaited | Standing::Fresh => self.arm(slot),
            Standing::Failed { .. } | Standing::Departed => {}
        }
    }
}
