//! Readings that outlive the process: what changed, to be kept, and what was kept, to go on with.

use alloc::collections::{BTreeMap, VecDeque};

use super::config::Admission;
use super::input::Restored;
use super::series::{Kept, Standing};
use super::view::SeriesView;
use super::{Came, MetricLog, Peer};
use crate::id::TargetId;

impl MetricLog {
    /// Gives `each` what changed since it was asked last and is still there, at most `most` of it,
    /// in no order, and says whether there is more.
    pub fn take_changed(&mut self, most: usize, mut each: impl FnMut(SeriesView<'_>)) -> bool {
        for _ in 0..most {
            let Some(slot) = self.changed.pop() else {
                break;
            };
            // What has another one's place now was not asked for.
            let Some(series) = self.series[slot as usize].as_mut() else {
                continue;
            };
            if core::mem::take(&mut series.changed)
                && let Some(view) = self.view(slot)
            {
                each(view);
            }
        }
        !self.changed.is_empty()
    }

    pub(super) fn restore(&mut self, kept: &Restored<'_>) {
        let known = self.series(kept.metric, kept.peer);
        if known.is_some_and(|view| view.readings().next().is_some()) {
            return;
        }
        if known.is_none() && self.check_room(kept.metric).is_err() {
            return;
        }
        let readings = self.that_fit(kept.readings);
        if readings.is_empty() || !self.admit_restored(kept.peer) {
            return;
        }
        self.add_series(kept.peer, kept.metric, self.now);
        let Some(peer) = self.peers.get(kept.peer) else {
            return;
        };
        let departed = peer.forget_at.is_some();
        let Some(&slot) = peer.series.get(kept.metric) else {
            return;
        };
        let Some(series) = self.series[slot as usize].as_mut() else {
            return;
        };
        let bytes: usize = readings.iter().map(|reading| reading.value.len()).sum();
        self.counters.values_bytes += bytes;
        self.counters.restored += 1;
        series.readings = readings;
        series.epoch = kept.epoch;
        if departed {
            series.standing = Standing::Departed;
            self.schedule.clear(slot);
        } else if series.standing == Standing::Awaited {
            series.standing = Standing::Fresh;
            self.arm(slot);
        }
    }

    /// The newest ones that there is room for.
    fn that_fit(&self, readings: &[Kept]) -> VecDeque<Kept> {
        let mut bytes = self.counters.values_bytes;
        let newest = readings.iter().take(self.config.0.window);
        let fitting = newest.take_while(|reading| {
            bytes += reading.value.len();
            bytes <= self.config.0.values_bytes_max
        });
        let received_at = self.now;
        fitting
            .map(|reading| Kept {
                received_at,
                ..reading.clone()
            })
            .collect()
    }

    /// Whether there is such a peer, present or departed, after this.
    fn admit_restored(&mut self, name: &TargetId) -> bool {
        if self.peers.contains_key(name) {
            return true;
        }
        if self.peers.len() >= self.config.0.peers_max {
            self.counters.peers_refused += 1;
            return false;
        }
        match self.config.0.admission {
            Admission::Anybody => self.welcome(name, Came::ByItself, self.now),
            Admission::Named => {
                let forget_at = self.now.after(self.config.0.retention);
                let departed = Peer {
                    came: Came::ByItself,
                    forget_at: Some(forget_at),
                    series: BTreeMap::new(),
                };
                self.peers.insert(name.clone(), departed);
                self.departures.insert((forget_at, name.clone()));
                self.wake_by(forget_at);
            }
        }
        true
    }
}
