//! Recordings of raw arrivals, as they reach the engine: before anybody decides what they mean.
//!
//! A target is recorded from the first request for its arrivals on, until nobody has asked for
//! [`LEASE`]. Without a recording an arrival costs one look at a flag.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::{Arrival, Failure, SignalKey, Source};
use auscult_core::time::Instant;
use parking_lot::Mutex;

/// How long a recording goes on after it was read.
pub const LEASE: Duration = Duration::from_secs(60);

/// Targets that are recorded at a time.
pub const TARGETS_MAX: usize = 64;

/// Arrivals of one target that are kept until somebody reads them: 1 MB.
pub const ARRIVALS_MAX: usize = 16_384;

/// What is being recorded.
#[derive(Debug, Default)]
pub struct Recordings {
    any: AtomicBool,
    targets: Mutex<BTreeMap<TargetId, Recording>>,
}

#[derive(Debug)]
struct Recording {
    signals: Vec<(SignalKey, SignalName)>,
    until: Instant,
    heard: VecDeque<Heard>,
    next: u64,
}

/// Something that reached the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Its number in the recording; they grow by one.
    pub number: u64,
    /// The signal.
    pub signal: SignalName,
    /// When, by the engine's clock.
    pub at: Instant,
    /// What it was.
    pub what: HeardAs,
}

/// What reached the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeardAs {
    /// A sign of life, with the sender's number where it has one.
    Arrival(Option<u64>),
    /// A check that failed.
    Failure(Failure),
}

/// There are [`TARGETS_MAX`] recordings already. State: unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// What was recorded since the last reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heardings {
    /// The oldest first.
    pub heard: Vec<Heard>,
    /// How many before them are gone: nobody read them in time.
    pub missed: u64,
    /// What to give as `after` for what comes behind them.
    pub next: u64,
}

impl Recordings {
    /// Reads what was recorded of a target from number `after` on, and records it for another
    /// [`LEASE`]. `signals` are those that it has now.
    ///
    /// # Errors
    /// It is not recorded, as there are too many.
    pub fn read(
        &self,
        now: Instant,
        target: &TargetId,
        signals: Vec<(SignalKey, SignalName)>,
        (after, limit): (u64, usize),
    ) -> Result<Heardings, TooMany> {
        let mut targets = self.targets.lock();
        targets.retain(|_, recording| recording.until > now);
        if !targets.contains_key(target) && targets.len() >= TARGETS_MAX {
            return Err(TooMany);
        }
        let recording = targets.entry(target.clone()).or_insert_with(|| Recording {
            signals: Vec::new(),
            until: now,
            heard: VecDeque::new(),
            next: 0,
        });
        recording.until = now.after(LEASE);
        recording.signals = signals;
        self.any.store(true, Ordering::Relaxed);
        let oldest = recording
            .heard
            .front()
            .map_or(recording.next, |it| it.number);
        let wanted = recording.heard.iter().filter(|it| it.number >= after);
        let heard: Vec<Heard> = wanted.take(limit).cloned().collect();
        let next = heard
            .last()
            .map_or(recording.next.min(after.max(oldest)), |it| it.number + 1);
        // What was read is not asked for again.
        recording.heard.retain(|it| it.number >= after);
        Ok(Heardings {
            missed: oldest.saturating_sub(after),
            heard,
            next,
        })
    }

    /// Notes arrivals of targets that are recorded.
    pub(crate) fn note(&self, batch: &[Arrival<'_>]) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut targets = self.targets.lock();
        for arrival in batch {
            let what = HeardAs::Arrival(arrival.sequence);
            match arrival.source {
                Source::Key(key) => note_key(&mut targets, key, arrival.received_at, what),
                Source::Name { target, signal } => {
                    if let Some(recording) = targets.get_mut(target) {
                        let named = |(_, name): &&(SignalKey, SignalName)| {
                            signal.is_none_or(|signal| signal == name.as_str())
                        };
                        let name = recording.signals.iter().find(named);
                        if let Some(name) = name.map(|(_, name)| name.clone()) {
                            recording.push(name, arrival.received_at, what);
                        }
                    }
                }
            }
        }
        self.forget(&mut targets, batch.last().map(|it| it.received_at));
    }

    /// Notes a failed check of a target that is recorded.
    pub(crate) fn note_failure(&self, key: SignalKey, at: Instant, failure: Failure) {
        if self.any.load(Ordering::Relaxed) {
            let mut targets = self.targets.lock();
            note_key(&mut targets, key, at, HeardAs::Failure(failure));
        }
    }

    /// Ends what nobody has read for too long.
    fn forget(&self, targets: &mut BTreeMap<TargetId, Recording>, now: Option<Instant>) {
        if let Some(now) = now
            && targets.values().any(|recording| recording.until <= now)
        {
            targets.retain(|_, recording| recording.until > now);
            self.any.store(!targets.is_empty(), Ordering::Relaxed);
        }
    }
}

impl Recording {
    fn push(&mut self, signal: SignalName, at: Instant, what: HeardAs) {
        if self.heard.len() == ARRIVALS_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(Heard {
            number: self.next,
            signal,
            at,
            what,
        });
        self.next += 1;
    }
}

fn note_key(
    targets: &mut BTreeMap<TargetId, Recording>,
    key: SignalKey,
    at: Instant,
    what: HeardAs,
) {
    for recording in targets.values_mut() {
        let found = recording.signals.iter().find(|(own, _)| *own == key);
        if let Some(name) = found.map(|(_, name)| name.clone()) {
            recording.push(name, at, what);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_the_engine_is_read_once_and_in_order() {
        let (recordings, id) = (Recordings::default(), TargetId::new("web").unwrap());
        let name = SignalName::new("beat").unwrap();
        let signals = || vec![(SignalKey::from_bits(7), name.clone())];
        let now = Instant::from_secs(1);
        recordings.note(&[named("web", 1)]);
        let first = recordings.read(now, &id, signals(), (0, 10)).unwrap();
        assert_eq!(
            (first.heard.len(), first.next),
            (0, 0),
            "nobody asked before"
        );
        recordings.note(&[named("web", 2), named("other", 3), named("web", 4)]);
        recordings.note_failure(SignalKey::from_bits(7), now, Failure::Timeout);
        recordings.note_failure(SignalKey::from_bits(8), now, Failure::Timeout);
        let page = recordings.read(now, &id, signals(), (0, 2)).unwrap();
        let what: Vec<_> = page.heard.iter().map(|it| it.what).collect();
        assert_eq!(what, [HeardAs::Arrival(Some(2)), HeardAs::Arrival(Some(4))]);
        let page = recordings
            .read(now, &id, signals(), (page.next, 2))
            .unwrap();
        assert_eq!(page.heard[0].what, HeardAs::Failure(Failure::Timeout));
        assert_eq!((page.missed, page.next), (0, 3));
        let page = recordings
            .read(now, &id, signals(), (page.next, 2))
            .unwrap();
        assert_eq!((page.heard.len(), page.next), (0, 3));
    }

    #[test]
    fn what_nobody_reads_is_bounded_counted_and_ends() {
        let (recordings, id) = (Recordings::default(), TargetId::new("web").unwrap());
        let name = SignalName::new("beat").unwrap();
        let signals = || vec![(SignalKey::from_bits(7), name.clone())];
        let now = Instant::from_secs(1);
        recordings.read(now, &id, signals(), (0, 10)).unwrap();
        for n in 0..ARRIVALS_MAX as u64 + 5 {
            recordings.note(&[named("web", n)]);
        }
        let page = recordings.read(now, &id, signals(), (0, 1)).unwrap();
        assert_eq!((page.missed, page.heard[0].number), (5, 5));

        let mut late = named("web", 1);
        late.received_at = now.after(LEASE);
        recordings.note(&[late]);
        assert!(!recordings.any.load(Ordering::Relaxed));
        for n in 0..TARGETS_MAX {
            let id = TargetId::new(&format!("t{n}")).unwrap();
            recordings.read(now, &id, signals(), (0, 1)).unwrap();
        }
        assert_eq!(recordings.read(now, &id, signals(), (0, 1)), Err(TooMany));
    }

    fn named(target: &str, sequence: u64) -> Arrival<'_> {
        Arrival {
            source: Source::Name {
                target,
                signal: None,
            },
            received_at: Instant::from_secs(1),
            sequence: Some(sequence),
            interval_hint: None,
        }
    }
}
