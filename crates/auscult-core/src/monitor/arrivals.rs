//! The way of a heartbeat: from a name or key to its detector, and on to the status rule.
//!
//! A batch goes through in chunks, and each chunk in passes: hash the names and read the table,
//! find the targets, compare the names and read the signals, read what the detectors will write,
//! and only then update. In a pass nothing depends on anything else, so the processor fetches the
//! memory of many heartbeats at a time.

use core::hint::black_box;
use core::time::Duration;

use super::Monitor;
use super::deaf::Hearing;
use super::event::{Cause, EventKind, Output, Rejection};
use super::input::{Arrival, SignalKey, Source};
use super::signals::Standing;
use super::status::Failure;
use super::verdict::Why;
use crate::detector::{Heard, Learn};
use crate::time::Instant;

/// What the time between two arrivals was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    /// There was no arrival before.
    First,
    /// Waiting, and being heard.
    Ordinary,
    /// The signal was down, or would have been if it had been judged.
    Outage,
    /// Nobody listened for some of it.
    Deaf,
}

/// The slot of the signal that an arrival belongs to.
type Place = Result<u32, Rejection>;

impl Monitor {
    pub(super) fn take_arrivals(&mut self, arrivals: &[Arrival<'_>]) {
        for chunk in arrivals.chunks(CHUNK) {
            let mut places = [Err(Rejection::UnknownTarget); CHUNK];
            self.locate(chunk, &mut places);
            self.touch(&places[..chunk.len()]);
            for (arrival, place) in chunk.iter().zip(places) {
                match place {
                    Ok(slot) => self.take(slot, arrival),
                    Err(reason) => self.reject(reason),
                }
            }
        }
    }

    pub(super) fn take_failure(&mut self, key: SignalKey, at: Instant, failure: Failure) {
        let Some(slot) = self.signals.resolve(key) else {
            self.reject(Rejection::StaleKey);
            return;
        };
        self.counters.failures += 1;
        let at = at.min(self.now);
        let last = self.signals.records[slot as usize].state.last_arrival();
        if last.is_some_and(|last| last > at) {
            return;
        }
        let was_ours = self.fault_is_ours(slot);
        self.signals.fail(slot, at, failure);
        let held = self.signals.records[slot as usize].standing == Standing::Held;
        if held && was_ours && !self.fault_is_ours(slot) && !self.guard.suspects() {
            // A check was made at last, and the silence is the target's after all.
            match last {
                Some(_) => self.pass(slot, Standing::Late, at, Cause::Silence),
                None => self.pass(slot, Standing::Down, at, Cause::NeverHeard),
            }
        }
    }

    pub(super) fn reject(&mut self, reason: Rejection) {
        self.counters.count_rejection(reason);
        self.outputs.push_back(Output::Rejected(reason));
    }

    /// Finds the signals of a chunk.
    fn locate(&self, chunk: &[Arrival<'_>], places: &mut [Place; CHUNK]) {
        let mut hashes = [0_u64; CHUNK];
        for (arrival, hash) in chunk.iter().zip(&mut hashes) {
            if let Source::Name { target, .. } = arrival.source {
                *hash = self.targets.index().hash(target);
            }
        }
        let mut read = 0_u32;
        for &hash in &hashes[..chunk.len()] {
            read ^= self.targets.index().touch(hash);
        }
        // The first target whose fingerprint fits is the right one, but for one in a million times.
        let mut likely = [u32::MAX; CHUNK];
        for ((arrival, hash), likely) in chunk.iter().zip(hashes).zip(&mut likely) {
            if let Source::Name { .. } = arrival.source {
                *likely = self
                    .targets
                    .index()
                    .find(hash, |_| true)
                    .unwrap_or(u32::MAX);
            }
        }
        let mut names = [""; CHUNK];
        for (name, &likely) in names.iter_mut().zip(&likely[..chunk.len()]) {
            *name = self.targets.id(likely).map_or("", |id| id);
        }
        for name in &names[..chunk.len()] {
            read ^= name.as_bytes().first().map_or(0, |&byte| u32::from(byte));
        }
        black_box(read);
        for (n, arrival) in chunk.iter().enumerate() {
            places[n] = match arrival.source {
                Source::Key(key) => self.signals.resolve(key).ok_or(Rejection::StaleKey),
                Source::Name { target, signal } => {
                    let found = if !target.is_empty() && names[n] == target {
                        Some(likely[n])
                    } else {
                        self.targets.find_hashed(hashes[n], target)
                    };
                    let found = found.ok_or(Rejection::UnknownTarget);
                    found.and_then(|slot| self.signal_of(slot, signal))
                }
            };
        }
    }

    fn signal_of(&self, target: u32, signal: Option<&str>) -> Result<u32, Rejection> {
        let head = self.targets.get(target).ok_or(Rejection::UnknownTarget)?;
        let Some(name) = signal else {
            return Ok(head.first);
        };
        let mut chain = self.signals.chain(head.first);
        chain
            .find(|&slot| &*self.kind(slot).name == name)
            .ok_or(Rejection::UnknownSignal)
    }

    /// Reads what the updates will write.
    fn touch(&self, places: &[Place]) {
        let mut read = 0;
        for &slot in places.iter().flatten() {
            let record = &self.signals.records[slot as usize];
            read ^= record.arrivals ^ self.schedule.touch(slot);
        }
        for &slot in places.iter().flatten() {
            read ^= self.signals.records[slot as usize].state.touch();
        }
        black_box(read);
    }

    #[inline]
    fn take(&mut self, slot: u32, arrival: &Arrival<'_>) {
        if let Standing::Told(_) = self.signals.records[slot as usize].standing {
            return self.reject(Rejection::Told);
        }
        let received_at = arrival.received_at.min(self.now);
        self.catch_up(received_at);
        let gap = self.gap(slot, received_at);
        let learn = match gap {
            Gap::First | Gap::Ordinary => Learn::Interval,
            Gap::Outage | Gap::Deaf => Learn::Skip,
        };
        let record = &mut self.signals.records[slot as usize];
        let kind = &self.kinds[record.kind];
        let config = kind.config.detector();
        let last = record.state.last_arrival();
        match record
            .state
            .heartbeat(config, received_at, arrival.sequence, learn)
        {
            Heard::Taken => {}
            Heard::Duplicate => return self.reject(Rejection::Duplicate),
            Heard::Stale => return self.reject(Rejection::Stale),
        }
        record.arrivals += 1;
        self.counters.arrivals += 1;
        if record.failed {
            self.signals.forget_failure(slot);
        }
        match gap {
            Gap::First => self.hint(slot, arrival.interval_hint),
            Gap::Ordinary => self.signals.records[slot as usize].outages = 0,
            Gap::Outage => {
                let from = last.unwrap_or(received_at);
                self.note_outage(slot, received_at, from);
            }
            Gap::Deaf => {}
        }
        let why = Why {
            at: received_at,
            cause: Cause::Arrival,
            before: last,
        };
        self.heard(slot, why);
    }

    /// Lets the verdicts fall that are due before an arrival.
    #[inline]
    fn catch_up(&mut self, received_at: Instant) {
        if let Some((at, _)) = self.wake
            && at <= received_at
            && self.hearing == Hearing::Listening
        {
            self.sweep(received_at);
            self.settle();
        }
    }

    #[inline]
    fn gap(&self, slot: u32, received_at: Instant) -> Gap {
        let record = &self.signals.records[slot as usize];
        let Some(last) = record.state.last_arrival() else {
            return Gap::First;
        };
        if self.deaf.since(last) && !self.deaf.overlap(last, received_at).is_zero() {
            return Gap::Deaf;
        }
        match record.standing {
            Standing::Up | Standing::Late => Gap::Ordinary,
            Standing::Down if record.streak > 0 => Gap::Ordinary,
            Standing::Down | Standing::Held => Gap::Outage,
            Standing::Awaited
            | Standing::Told(_)
            | Standing::Paused
            | Standing::Resting
            | Standing::Vacant => {
                if self.down_at(slot) <= received_at {
                    Gap::Outage
                } else {
                    Gap::Ordinary
                }
            }
        }
    }

    /// The status rule at an arrival.
    #[inline]
    fn heard(&mut self, slot: u32, why: Why) {
        let record = &mut self.signals.records[slot as usize];
        match record.standing {
            Standing::Up => {
                let due = self.late_at(slot);
                self.set_due(slot, due);
            }
            Standing::Awaited | Standing::Late | Standing::Held => {
                self.stand(slot, Standing::Up, why);
            }
            Standing::Down => {
                record.streak = record.streak.saturating_add(1);
                let needed = self.kinds[record.kind].config.recovery_arrivals();
                if u32::from(record.streak) >= needed {
                    self.stand(slot, Standing::Up, why);
                } else {
                    let due = self.down_at(slot);
                    self.set_due(slot, due);
                }
            }
            Standing::Told(_) | Standing::Paused | Standing::Resting | Standing::Vacant => {}
        }
    }

    /// Takes the sender's word for its interval, as long as nothing was measured.
    #[cold]
    fn hint(&mut self, slot: u32, interval: Option<Duration>) {
        let record = &mut self.signals.records[slot as usize];
        if let Some(interval) = interval
            && !interval.is_zero()
        {
            let config = self.kinds[record.kind].config.detector();
            record.state.restart(config, interval.min(HINT_MAX));
        }
    }

    /// An interval was an outage. Several in a row, with no ordinary one between, are a new rhythm.
    #[cold]
    fn note_outage(&mut self, slot: u32, received_at: Instant, last: Instant) {
        let record = &mut self.signals.records[slot as usize];
        record.outages += 1;
        if record.outages < OUTAGES_OF_A_NEW_RHYTHM {
            return;
        }
        record.outages = 0;
        let interval = received_at.since(last);
        let kind = &self.kinds[record.kind];
        record.state.restart(kind.config.detector(), interval);
        self.counters.relearnt += 1;
        let signal = kind.name.clone();
        let target = self.signals.target(slot);
        self.say_of(
            received_at,
            target,
            EventKind::Relearnt { signal, interval },
        );
    }
}

/// Arrivals whose memory is fetched together: more than a processor can wait for at once, and few
/// enough for what is noted of them to stay on the stack.
const CHUNK: usize = 64;

/// The longest interval that a sender is believed to keep.
const HINT_MAX: Duration = Duration::from_secs(31 * 86_400);

/// One or two lone arrivals may be a sender that tries to recover; three with silence between them
/// are a rhythm.
pub(super) const OUTAGES_OF_A_NEW_RHYTHM: u8 = 3;
