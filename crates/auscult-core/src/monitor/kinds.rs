//! How signals are judged, kept once for all signals that are alike: a million of them share a few.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Index;

use super::config::SignalConfig;
use super::hash::HashKey;
use super::target::Signal;
use crate::detector::{DetectorParams, Level, Mark};
use crate::id::SignalName;

/// A name and a configuration, with what is computed from it once.
pub(super) struct Kind {
    pub(super) name: SignalName,
    pub(super) config: SignalConfig,
    pub(super) late: Mark,
    pub(super) down: Mark,
    /// From here on a signal is clearly expected by now, though nothing is said of it yet.
    pub(super) overdue: Mark,
    users: u32,
}

/// All kinds in use.
pub(super) struct Kinds {
    key: HashKey,
    kinds: Vec<Kind>,
    by_digest: BTreeSet<(u64, u32)>,
    free: Vec<u32>,
    /// The one asked for last: targets are often added many alike at a time.
    latest: u32,
}

impl Kinds {
    pub(super) const fn new(key: HashKey) -> Self {
        Self {
            key,
            kinds: Vec::new(),
            by_digest: BTreeSet::new(),
            free: Vec::new(),
            latest: 0,
        }
    }

    /// The kind of `signal`, with one more user.
    pub(super) fn take(&mut self, signal: &Signal) -> u32 {
        let index = self.find(signal).unwrap_or_else(|| self.add(signal));
        self.kinds[index as usize].users += 1;
        self.latest = index;
        index
    }

    /// The kind of `signal`, if some signal has it.
    pub(super) fn find(&self, signal: &Signal) -> Option<u32> {
        if self.is(self.latest, signal) {
            return Some(self.latest);
        }
        let digest = self.digest(signal);
        let alike = self.by_digest.range((digest, 0)..=(digest, u32::MAX));
        alike
            .map(|&(_, index)| index)
            .find(|&index| self.is(index, signal))
    }

    /// One user less.
    pub(super) fn release(&mut self, index: u32) {
        let kind = &mut self.kinds[index as usize];
        kind.users -= 1;
        if kind.users == 0 {
            let signal = Signal {
                name: kind.name.clone(),
                config: kind.config.clone(),
            };
            self.by_digest.remove(&(self.digest(&signal), index));
            self.free.push(index);
        }
    }

    /// Invariant: as many users as there are signals.
    pub(super) fn users(&self) -> usize {
        self.kinds.iter().map(|kind| kind.users as usize).sum()
    }

    fn is(&self, index: u32, signal: &Signal) -> bool {
        self.kinds.get(index as usize).is_some_and(|kind| {
            kind.users > 0 && kind.name == signal.name && kind.config == signal.config
        })
    }

    fn add(&mut self, signal: &Signal) -> u32 {
        let kind = Kind::new(signal);
        let index = match self.free.pop() {
            Some(index) => {
                self.kinds[index as usize] = kind;
                index
            }
            None => {
                self.kinds.push(kind);
                (self.kinds.len() - 1) as u32
            }
        };
        self.by_digest.insert((self.digest(signal), index));
        index
    }

    fn digest(&self, signal: &Signal) -> u64 {
        self.key.hash(format!("{signal:?}").as_bytes())
    }
}

impl Index<u32> for Kinds {
    type Output = Kind;

    #[inline]
    fn index(&self, index: u32) -> &Kind {
        &self.kinds[index as usize]
    }
}

impl Kind {
    fn new(signal: &Signal) -> Self {
        let config = &signal.config;
        // Two standard deviations after the mean, or the time-out itself where there is no
        // deviation.
        let overdue = match config.detector().params() {
            DetectorParams::Phi(_) => Level::new(PHI_OF_TWO_DEVIATIONS),
            DetectorParams::Chen(_) | DetectorParams::Bertier(_) | DetectorParams::Deadline(_) => {
                Level::new(1.0)
            }
        };
        Self {
            name: signal.name.clone(),
            late: Mark::new(config.detector(), config.late()),
            down: Mark::new(config.detector(), config.down()),
            overdue: Mark::new(config.detector(), overdue.min(config.late())),
            config: config.clone(),
            users: 0,
        }
    }
}

/// `-log10` of the normal distribution's tail beyond two standard deviations.
const PHI_OF_TWO_DEVIATIONS: f64 = 1.643;
