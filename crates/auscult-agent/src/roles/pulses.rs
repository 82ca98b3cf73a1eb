//! Who is asked when, and what their silence means: the coordinator's bookkeeping, without IO.
//!
//! Each pulser is asked once per delay. An answer must carry the number of the last question and
//! come from the address that was asked; it ends the count of failures. A question that is not
//! answered in the time that round trips suggest is one failure, and so many in a row as were
//! agreed on mean that the pulser is dead. It is asked on: one that answers again is alive.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{RoundTrip, Sequence};
use auscult_core::time::Instant;

/// How a pulser is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Questions in a row without an answer after which it is dead: at least 1. Default: 3.
    pub max_retry: u32,
    /// From one question to the next: at least a millisecond. Default: 2 s.
    pub delay: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            max_retry: 3,
            delay: Duration::from_secs(2),
        }
    }
}

/// What a coordinator thinks of a pulser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PulseState {
    /// It answered the last question that was decided.
    Alive,
    /// It did not answer as often in a row as was agreed on.
    Dead,
    /// It never answered, and has not been asked often enough.
    Pending,
    /// It did not answer the last question.
    Suspect,
}

impl PulseState {
    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Dead => "dead",
            Self::Pending => "pending",
            Self::Suspect => "suspect",
        }
    }
}

/// What a coordinator knows of a pulser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PulseStatus {
    /// Where it answers; also what it is called.
    pub address: SocketAddr,
    /// What the coordinator thinks of it.
    pub state: PulseState,
    /// Questions in a row that it did not answer.
    pub attempts: u32,
    /// What a round trip takes on average, once one was measured.
    pub round_trip: Option<Duration>,
    /// When it answered for the first time.
    pub first_heard: Option<Instant>,
    /// When it answered last.
    pub last_heard: Option<Instant>,
}

/// Why a pulser is not added. State: unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddRefusal {
    /// It is watched already.
    Duplicate(SocketAddr),
    /// [`PULSERS_MAX`] are watched already.
    Full,
    /// The pace is none: no retry, or less than a millisecond.
    Pace,
}

impl fmt::Display for AddRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(address) => write!(f, "{address} is watched already"),
            Self::Full => write!(f, "{PULSERS_MAX} pulsers are watched, which is the most"),
            Self::Pace => write!(
                f,
                "max_retry must be at least 1, and delay at least a millisecond"
            ),
        }
    }
}

impl std::error::Error for AddRefusal {}

/// Pulsers of one coordinator: one socket asks them all.
pub const PULSERS_MAX: usize = 65_536;

/// All pulsers of a coordinator.
#[derive(Debug)]
pub(super) struct Pulses {
    rng: Rng,
    going: Going,
    pulsers: BTreeMap<SocketAddr, Pulser>,
    /// When something is to be done about whom.
    due: BTreeSet<(Instant, SocketAddr)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    Stopped,
}

#[derive(Debug)]
struct Pulser {
    pace: Pace,
    status: PulseStatus,
    round_trip: RoundTrip,
    /// When it is asked next.
    next: Instant,
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    sequence: Sequence,
    at: Instant,
    until: Instant,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// Ask this one.
    Ask(SocketAddr, Sequence),
    /// Tell that it is dead, or alive again.
    Tell(PulseStatus),
}

impl Pulses {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            going: Going::On,
            pulsers: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        now: Instant,
        address: SocketAddr,
        pace: Pace,
    ) -> Result<(), AddRefusal> {
        if pace.max_retry == 0 || pace.delay < Duration::from_millis(1) {
            return Err(AddRefusal::Pace);
        }
        if self.pulsers.contains_key(&address) {
            return Err(AddRefusal::Duplicate(address));
        }
        if self.pulsers.len() >= PULSERS_MAX {
            return Err(AddRefusal::Full);
        }
        let status = PulseStatus {
            address,
            state: PulseState::Pending,
            attempts: 0,
            round_trip: None,
            first_heard: None,
            last_heard: None,
        };
        let pulser = Pulser {
            pace,
            status,
            round_trip: RoundTrip::default(),
            next: now,
            asked: None,
        };
        self.pulsers.insert(address, pulser);
        if self.going == Going::On {
            self.due.insert((now, address));
        }
        Ok(())
    }

    /// Says what was known of the one that is no longer watched.
    pub(super) fn remove(&mut self, address: SocketAddr) -> Option<PulseStatus> {
        let pulser = self.pulsers.remove(&address)?;
        self.due.remove(&(pulser.wake(), address));
        Some(pulser.status)
    }

    /// Nobody is asked any more; what is known stays.
    pub(super) fn stop(&mut self) {
        self.going = Going::Stopped;
        self.due.clear();
        for pulser in self.pulsers.values_mut() {
            pulser.asked = None;
        }
    }

    /// All are asked again, from now on.
    pub(super) fn start(&mut self, now: Instant) {
        if self.going == Going::On {
            return;
        }
        self.going = Going::On;
        for (&address, pulser) in &mut self.pulsers {
            pulser.next = now;
            self.due.insert((now, address));
        }
    }

    pub(super) fn status(&self, address: SocketAddr) -> Option<PulseStatus> {
        self.pulsers.get(&address).map(|pulser| pulser.status)
    }

    pub(super) fn all(&self) -> Vec<PulseStatus> {
        self.pulsers.values().map(|pulser| pulser.status).collect()
    }

    /// When to ask for the next chore.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    /// The next thing to do by now, if there is one.
    pub(super) fn chore(&mut self, now: Instant) -> Option<Chore> {
        while let Some(&(at, address)) = self.due.first().filter(|&&(at, _)| at <= now) {
            self.due.remove(&(at, address));
            let Some(pulser) = self.pulsers.get_mut(&address) else {
                continue;
            };
            let chore = match pulser.asked.take() {
                Some(_) => pulser.miss(),
                None => {
                    let sequence = Sequence(self.rng.next_u64() as u16);
                    pulser.ask(now, sequence);
                    Some(Chore::Ask(address, sequence))
                }
            };
            self.due.insert((pulser.wake(), address));
            if chore.is_some() {
                return chore;
            }
        }
        None
    }

    /// The process did not run for so long: what was asked before may be answered later.
    pub(super) fn postpone(&mut self, late: Duration) {
        self.due.clear();
        for (&address, pulser) in &mut self.pulsers {
            if let Some(asked) = &mut pulser.asked {
                asked.until = asked.until.after(late);
            }
            self.due.insert((pulser.wake(), address));
        }
    }

    /// An answer came. Says whom to tell of, if it was dead.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        from: SocketAddr,
        sequence: Sequence,
    ) -> Option<PulseStatus> {
        let pulser = self.pulsers.get_mut(&from)?;
        let asked = pulser.asked.filter(|asked| asked.sequence == sequence)?;
        self.due.remove(&(pulser.wake(), from));
        pulser.asked = None;
        pulser.round_trip.add(now.since(asked.at));
        let status = &mut pulser.status;
        let before = std::mem::replace(&mut status.state, PulseState::Alive);
        status.attempts = 0;
        status.round_trip = pulser.round_trip.mean();
        status.first_heard = status.first_heard.or(Some(now));
        status.last_heard = Some(now);
        let told = (before == PulseState::Dead).then_some(*status);
        self.due.insert((pulser.wake(), from));
        told
    }
}

impl Pulser {
    fn wake(&self) -> Instant {
        self.asked.map_or(self.next, |asked| asked.until)
    }

    fn ask(&mut self, now: Instant, sequence: Sequence) {
        let patience = match self.round_trip.patience() {
            Some(patience) => patience.max(PATIENCE_LEAST),
            None => PATIENCE_AT_FIRST,
        };
        self.asked = Some(Asked {
            sequence,
            at: now,
            until: now.after(patience.min(self.pace.delay)),
        });
        self.next = now.after(self.pace.delay);
    }

    /// A question was not answered in time.
    fn miss(&mut self) -> Option<Chore> {
        let status = &mut self.status;
        status.attempts = status.attempts.saturating_add(1);
        let is_dead = status.attempts >= self.pace.max_retry;
        match (status.state, is_dead) {
            (PulseState::Dead, _) | (PulseState::Pending, false) => None,
            (PulseState::Alive | PulseState::Suspect, false) => {
                status.state = PulseState::Suspect;
                None
            }
            (PulseState::Alive | PulseState::Suspect | PulseState::Pending, true) => {
                status.state = PulseState::Dead;
                Some(Chore::Tell(*status))
            }
        }
    }
}

/// What a busy scheduler adds to the shortest of round trips.
const PATIENCE_LEAST: Duration = Duration::from_millis(50);
/// Before anything is known: a connection around the world, with one loss of it.
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        max_retry: 3,
        delay: Duration::from_secs(2),
    };

    #[test]
    fn an_answer_ends_the_count_of_failures() {
        let mut pulses = one();
        let first = asked(&mut pulses, 0);
        assert_eq!(pulses.answer(ms(10), web(), first), None);
        // Two misses, again and again, are never three in a row.
        for round in 0..5 {
            let from = 2_000 + round * 6_000;
            let _lost = [asked(&mut pulses, from), asked(&mut pulses, from + 2_000)];
            let sequence = asked(&mut pulses, from + 4_000);
            assert_eq!(state(&pulses), PulseState::Suspect);
            assert_eq!(pulses.answer(ms(from + 4_010), web(), sequence), None);
            assert_eq!(state(&pulses), PulseState::Alive);
        }
        assert_eq!(pulses.status(web()).unwrap().attempts, 0);
    }

    #[test]
    fn who_is_dead_is_told_once_and_is_back_when_it_answers() {
        let mut pulses = one();
        let first = asked(&mut pulses, 0);
        pulses.answer(ms(10), web(), first);
        let mut told = Vec::new();
        let mut last = first;
        for at in (2_000..20_000).step_by(10) {
            while let Some(chore) = pulses.chore(ms(at)) {
                match chore {
                    Chore::Ask(_, sequence) => last = sequence,
                    Chore::Tell(status) => told.push((at, status.state, status.attempts)),
                }
            }
        }
        assert_eq!(told, [(6_050, PulseState::Dead, 3)]);
        let back = pulses.answer(ms(20_000), web(), last);
        assert_eq!(back, None, "the question was given up");
        let sequence = asked(&mut pulses, 20_000);
        let back = pulses.answer(ms(20_005), web(), sequence).unwrap();
        assert_eq!((back.state, back.attempts), (PulseState::Alive, 0));
        assert_eq!(back.first_heard, Some(ms(10)));
        assert_eq!(back.last_heard, Some(ms(20_005)));
    }

    #[test]
    fn an_answer_to_an_earlier_question_or_from_elsewhere_is_none() {
        let mut pulses = one();
        let first = asked(&mut pulses, 0);
        let elsewhere = "127.0.0.1:2".parse().unwrap();
        pulses.answer(ms(5), elsewhere, first);
        pulses.answer(ms(5), web(), Sequence(first.0.wrapping_add(1)));
        assert_eq!(state(&pulses), PulseState::Pending);
        let second = asked(&mut pulses, 2_000);
        if first != second {
            pulses.answer(ms(2_001), web(), first);
            assert_eq!(state(&pulses), PulseState::Pending);
        }
        pulses.answer(ms(2_002), web(), second);
        assert_eq!(state(&pulses), PulseState::Alive);
        pulses.answer(ms(2_003), web(), second);
        let trip = pulses.status(web()).unwrap().round_trip;
        assert_eq!(trip, Some(Duration::from_millis(2)), "once");
    }

    #[test]
    fn what_is_stopped_asks_nobody_and_goes_on_where_it_was() {
        let mut pulses = one();
        let first = asked(&mut pulses, 0);
        pulses.answer(ms(10), web(), first);
        pulses.stop();
        assert_eq!((pulses.next(), pulses.chore(ms(60_000))), (None, None));
        assert_eq!(state(&pulses), PulseState::Alive);
        pulses.start(ms(60_000));
        asked(&mut pulses, 60_000);
        assert!(pulses.remove(web()).is_some());
        assert_eq!((pulses.next(), pulses.remove(web())), (None, None));
    }

    #[test]
    fn the_same_pulser_and_a_pace_of_nothing_are_refused() {
        let mut pulses = one();
        let again = pulses.add(ms(0), web(), PACE);
        assert_eq!(again, Err(AddRefusal::Duplicate(web())));
        let busy = Pace {
            delay: Duration::ZERO,
            ..PACE
        };
        assert_eq!(pulses.add(ms(0), web(), busy), Err(AddRefusal::Pace));
        assert_eq!(pulses.all().len(), 1);
    }

    #[test]
    fn nobody_is_blamed_for_a_time_in_which_the_coordinator_did_not_run() {
        let mut pulses = one();
        let first = asked(&mut pulses, 0);
        pulses.postpone(Duration::from_secs(10));
        assert_eq!(pulses.chore(ms(10_000)), None);
        pulses.answer(ms(10_000), web(), first);
        assert_eq!(state(&pulses), PulseState::Alive);
    }

    fn one() -> Pulses {
        let mut pulses = Pulses::new(7);
        pulses.add(ms(0), web(), PACE).unwrap();
        pulses
    }

    /// The question that is asked by then.
    fn asked(pulses: &mut Pulses, at: u64) -> Sequence {
        loop {
            match pulses.chore(ms(at)) {
                Some(Chore::Ask(_, sequence)) => break sequence,
                Some(Chore::Tell(_)) => {}
                None => panic!("nothing is asked by {at} ms"),
            }
        }
    }

    fn state(pulses: &Pulses) -> PulseState {
        pulses.status(web()).unwrap().state
    }

    fn web() -> SocketAddr {
        "127.0.0.1:1".parse().unwrap()
    }

    fn ms(at: u64) -> Instant {
        Instant::from_millis(at)
    }
}
