//! Direct heartbeats: among all while the group is small, and from chosen members always.
//!
//! # Modes
//! Up to [`direct_limit`](super::Params::direct_limit) live members everyone sends heartbeats to
//! everyone ([`Mode::Direct`]); above, nobody does but to those who asked ([`Mode::Gossip`]); back
//! again at nine tenths of the limit. Each member goes by its own count. That members disagree for
//! a while is harmless: a peer is judged by its heartbeats only while it sends some, the last one
//! says that none follows, and the probes of SWIM go on in both modes: they find who sends no
//! heartbeats, measure round trips and compare views.
//!
//! # Judgement
//! A heartbeat says when the next one follows. The intervals between those of one peer go into a
//! phi detector (normal, decayed over [`HISTORY`] intervals, with a quarter of the own interval as
//! the least deviation): lost heartbeats and a busy scheduler make it patient, by as much as they
//! are seen to. Where two heartbeats in a row were due, and what its round trips are seen to take
//! has passed besides, the peer is asked as a probe asks: directly, by way of others, over a
//! stream. It is suspected when nothing comes of that and the level has reached [`THRESHOLD`].
//! Without losses that is 1.3 s after the last heartbeat, for heartbeats every 500 ms. Losses alone
//! therefore do not lead to a suspicion: at 10 % of loss one silence in a hundred heartbeats is
//! asked about, and an eighth of a millionth of those stays unanswered.
//!
//! While heartbeats of a suspect arrive, its time does not end before the longest that it may have.
//! That is for links that pass one way only, and for those who were suspected by somebody who does
//! not hear them.
//!
//! # Watching
//! [`Swim::watch`] asks a peer for heartbeats by [`Body::Watch`], which is repeated, as the answer
//! is good for [`LAPSE`] heartbeats only. The first answer gives a proof that has to come back, and
//! goes where the peer knows the asker to be, as all heartbeats do. So nobody can have more than
//! one datagram for one of his own sent to somebody else. The answers also measure the round trip.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::config::Params;
use super::event::{Attempt, Outcome, Output, Path, Reject};
use super::member::{MemberId, State};
use super::members::{ME, Slot};
use super::message::{BODY_BYTES_MAX, Body, Pace, Proof, Sequence, Update};
use super::probes::Purpose;
use super::{Stage, Swim};
use crate::bounds::WATCHES_MAX;
use crate::detector::{
    DetectorConfig, DetectorParams, DetectorState, Distribution, History, Learn, Level, Mark,
    PhiParams,
};
use crate::rng::{Rng, mix};
use crate::time::Instant;

/// How a group finds failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Everyone sends heartbeats to everyone.
    Direct,
    /// Members are probed, and nothing else.
    Gossip,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Direct, Self::Gossip];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Gossip => "gossip",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a member is not watched. State: unchanged, in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WatchRefusal {
    /// No member of this name is known.
    Unknown,
    /// It is this member itself.
    Myself,
    /// [`WATCHES_MAX`] are watched already.
    TooMany,
}

impl WatchRefusal {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Myself => "myself",
            Self::TooMany => "too_many",
        }
    }
}

impl fmt::Display for WatchRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "no member of this name is known"),
            Self::Myself => write!(f, "a member does not watch itself"),
            Self::TooMany => write!(f, "{WATCHES_MAX} members are watched already"),
        }
    }
}

impl core::error::Error for WatchRefusal {}

/// The heartbeats of one peer, while they are awaited.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    state: DetectorState,
    /// What the last one announced.
    interval: Duration,
    phase: Phase,
    /// When it is looked at next; stands in [`Direct::due`].
    check_at: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Heartbeats come, or nothing was noticed yet.
    Heard,
    /// None came, and the peer is being asked.
    Asked,
    /// None came, but the peer answers on other ways. What stopped is not judged by.
    Answers,
    /// None came, and the peer was asked in these ways in vain.
    Silent(Vec<Attempt>),
}

/// What a member has to do with heartbeats. What is looked at in each call stands first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Direct {
    pub(super) mode: Mode,
    limit: usize,
    /// When the next heartbeats are sent; `None` while nobody gets any.
    next: Option<Instant>,
    due: BTreeSet<(Instant, Slot)>,
    /// Whom this member watches.
    watches: BTreeMap<Slot, Watch>,
    /// Who watches this member, and until when.
    watchers: BTreeMap<Slot, Instant>,
    config: DetectorConfig,
    mark: Mark,
    number: u64,
    /// When the last heartbeats were sent.
    sent_at: Instant,
    /// To whom, while all send heartbeats to all.
    told: Vec<Slot>,
    /// With how many more of them this member speaks for itself.
    contradictions: u8,
    /// When this process last found that it had not run.
    stalled_at: Instant,
    /// Makes the proofs.
    key: u64,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    renew_at: Instant,
    proof: Proof,
    asked: Option<(Sequence, Instant)>,
}

impl Direct {
    pub(super) fn new(params: &Params, rng: &mut Rng) -> Self {
        let config = judge(params);
        let mark = Mark::new(&config, THRESHOLD);
        Self {
            mode: Mode::Gossip,
            limit: params.direct_limit,
            config,
            mark,
            next: None,
            number: 0,
            sent_at: Instant::ORIGIN,
            told: Vec::new(),
            contradictions: 0,
            due: BTreeSet::new(),
            watches: BTreeMap::new(),
            watchers: BTreeMap::new(),
            stalled_at: Instant::ORIGIN,
            key: rng.next_u64(),
        }
    }

    /// When heartbeats are sent.
    pub(super) const fn next_heartbeats(&self) -> Option<Instant> {
        self.next
    }

    /// When a silence is to be looked at.
    pub(super) fn next_silence(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    /// When somebody is asked for heartbeats again.
    pub(super) fn next_watch(&self) -> Option<Instant> {
        self.watches.values().map(|watch| watch.renew_at).min()
    }

    pub(super) fn watches(&self, slot: Slot) -> bool {
        self.watches.contains_key(&slot)
    }

    pub(super) fn excuse(&mut self, now: Instant) {
        self.stalled_at = now;
    }

    fn proof(&self, id: MemberId) -> Proof {
        Proof(mix(self.key ^ mix(id.to_bits())) as u32)
    }

    fn mode_for(&self, live: usize) -> Mode {
        let enough = match self.mode {
            Mode::Direct => self.limit,
            Mode::Gossip => self.limit - self.limit / 10,
        };
        if live <= enough && self.limit > 0 {
            Mode::Direct
        } else {
            Mode::Gossip
        }
    }
}

/// The detector that judges heartbeats.
fn judge(params: &Params) -> DetectorConfig {
    let interval = params.heartbeat_interval;
    let phi = PhiParams {
        distribution: Distribution::Normal,
        history: History::Decayed { samples: HISTORY },
        min_std_deviation: interval / 4,
        acceptable_pause: Duration::ZERO,
        first_heartbeat_estimate: interval,
    };
    match DetectorConfig::new(DetectorParams::Phi(phi)) {
        Ok(config) => config,
        Err(violations) => panic!("heartbeat_interval was checked: {violations:?}"),
    }
}

impl Swim {
    /// Asks a member for heartbeats, whatever the size of the group, until
    /// [`unwatch`](Self::unwatch); its silence is noticed as fast as in a small group. It is asked
    /// again when it comes back from the dead, and no more once its record is forgotten.
    ///
    /// # Errors
    /// Why it is not watched. State: unchanged.
    pub fn watch(&mut self, now: Instant, peer: &str) -> Result<(), WatchRefusal> {
        let Some(slot) = self.slot_of(peer) else {
            return Err(WatchRefusal::Unknown);
        };
        if slot == ME {
            return Err(WatchRefusal::Myself);
        }
        let known = self.direct.watches(slot);
        if !known && self.direct.watches.len() >= WATCHES_MAX {
            return Err(WatchRefusal::TooMany);
        }
        self.begin(now);
        if !known {
            let watch = Watch {
                renew_at: self.now,
                proof: Proof::default(),
                asked: None,
            };
            self.direct.watches.insert(slot, watch);
        }
        self.end();
        Ok(())
    }

    /// No longer asks for a member's heartbeats. Nothing happens where they are not asked for.
    pub fn unwatch(&mut self, now: Instant, peer: &str) {
        self.begin(now);
        if let Some(slot) = self.slot_of(peer)
            && self.direct.watches.remove(&slot).is_some()
            && self.direct.mode == Mode::Gossip
        {
            self.drop_pulse(slot);
        }
        self.end();
    }

    /// Changes [`direct_limit`](super::Params::direct_limit): 0 for probes alone, `usize::MAX` for
    /// heartbeats always.
    pub fn set_direct_limit(&mut self, now: Instant, limit: usize) {
        self.begin(now);
        self.direct.limit = limit;
        self.end();
    }

    /// How failures are found at present.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.direct.mode
    }

    fn slot_of(&self, name: &str) -> Option<Slot> {
        let slot = self.members.find(MemberId::of(name))?;
        (self.members.entry(slot).name.as_str() == name).then_some(slot)
    }

    /// Takes the mode that the number of members calls for.
    pub(super) fn follow_mode(&mut self) {
        let members = self.members.live();
        let mode = self.direct.mode_for(members);
        if mode == self.direct.mode || self.stage != Stage::Running {
            return;
        }
        if mode == Mode::Gossip {
            // Who never had one need not hear that none follows: a member that just learned of
            // thousands is not to greet them with a datagram each.
            let mut told = core::mem::take(&mut self.direct.told);
            told.retain(|&slot| self.members.is_live(slot));
            self.pulse(Pace::NONE, &told);
        }
        self.direct.mode = mode;
        match mode {
            Mode::Direct => {
                let interval = self.config.params().heartbeat_interval;
                let first = self.now.after(self.rng.span_below(interval));
                self.direct.next = Some(self.direct.next.map_or(first, |at| at.min(first)));
            }
            Mode::Gossip => {
                if self.direct.watchers.is_empty() {
                    self.direct.next = None;
                }
                let heard: Vec<Slot> = self.members.entries().map(|(slot, _)| slot).collect();
                for slot in heard {
                    if !self.direct.watches(slot) {
                        self.drop_pulse(slot);
                    }
                }
            }
        }
        let changed = Output::ModeChanged { mode, members };
        self.outputs.push_back(changed);
    }

    /// The next heartbeats are due.
    pub(super) fn send_heartbeats(&mut self) {
        let interval = self.config.params().heartbeat_interval;
        let now = self.now;
        self.direct.watchers.retain(|_, until| *until > now);
        let silent = self.direct.mode == Mode::Gossip && self.direct.watchers.is_empty();
        self.direct.next = (!silent).then(|| now.after(interval));
        self.direct.number += 1;
        self.direct.sent_at = now;
        let receivers = self.receivers();
        self.pulse(self.pace(), &receivers);
        if self.direct.mode == Mode::Direct {
            self.direct.told = receivers;
        }
    }

    fn pace(&self) -> Pace {
        let millis = self.config.params().heartbeat_interval.as_millis();
        Pace(u16::try_from(millis).unwrap_or(u16::MAX))
    }

    /// Says to these that this member is here.
    fn pulse(&mut self, pace: Pace, receivers: &[Slot]) {
        let number = self.direct.number;
        let body = Body::Heartbeat { number, pace };
        let told = self.tell_with_heartbeats();
        for &slot in receivers {
            self.send_heartbeat(slot, body, &told);
        }
    }

    /// Who should hear that this member is here. Somebody else is first each time, as what news
    /// there is goes to the first ones.
    fn receivers(&mut self) -> Vec<Slot> {
        match (self.direct.mode, self.members.my_place()) {
            (Mode::Direct, Some(place)) => {
                let others = self.members.live().saturating_sub(1);
                let first = self.rng.below(others as u64) as usize;
                let offsets = (0..others).map(|turn| (1 + (first + turn) % others) as u32);
                let further = |offset| self.members.further(place, offset);
                offsets.filter_map(further).collect()
            }
            (Mode::Direct, None) => Vec::new(),
            (Mode::Gossip, _) => self.direct.watchers.keys().copied().collect(),
        }
    }

    fn send_heartbeat(&mut self, slot: Slot, body: Body, told: &[Update]) {
        let (to, accusation) = (self.members.address(slot), self.accusation_of(slot));
        self.counters.heartbeats_sent += 1;
        let updates = accusation.into_iter().chain(told.iter().cloned());
        self.send_with(to, body, updates);
    }

    /// What all who get heartbeats are told at once: that this member contradicts, and whom it
    /// suspects itself, so that they know how many agree. When there are more than fit, others have
    /// their turn the next time.
    fn tell_with_heartbeats(&mut self) -> Vec<Update> {
        let mut told = Vec::new();
        if self.direct.contradictions > 0 {
            self.direct.contradictions -= 1;
            told.push(self.introduction());
        }
        let room = self.config.params().datagram_bytes - BODY_BYTES_MAX;
        let mut left = room.saturating_sub(told.iter().map(Update::bytes_max).sum());
        let by = self.me;
        let mine: Vec<_> = self.suspicions.accused_by(by).collect();
        let turn = self.direct.number as usize * ACCUSED_MAX;
        for at in 0..mine.len().min(ACCUSED_MAX) {
            let (slot, incarnation) = mine[(turn + at) % mine.len()];
            let member = self.members.entry(slot).id;
            let accusation = Update::Suspect {
                member,
                incarnation,
                by,
            };
            // One more may be said to the receiver itself.
            if left >= 2 * accusation.bytes_max() {
                left -= accusation.bytes_max();
                told.push(accusation);
            }
        }
        told
    }

    /// Tells all who get heartbeats that this member contradicts: twice, as one may be lost.
    pub(super) fn contradict_with_heartbeats(&mut self) {
        self.direct.contradictions = 2;
        self.hurry_heartbeats();
    }

    /// Sends the next heartbeats as soon as may be: there is something to be told with them.
    pub(super) fn hurry_heartbeats(&mut self) {
        let interval = self.config.params().heartbeat_interval;
        let soonest = self.direct.sent_at.after(interval / 4).max(self.now);
        self.direct.next = self.direct.next.map(|at| at.min(soonest));
    }

    /// Sends no more heartbeats.
    pub(super) fn stop_heartbeats(&mut self) {
        self.direct.next = None;
    }

    /// A heartbeat arrived.
    pub(super) fn take_heartbeat(
        &mut self,
        from: SocketAddr,
        sender: Option<Slot>,
        number: u64,
        pace: Pace,
    ) {
        // What comes from elsewhere does not say that the member is where it is said to be.
        let here = |&slot: &Slot| self.members.is_at(slot, from);
        let Some(slot) = sender.filter(here) else {
            return;
        };
        self.counters.heartbeats_heard += 1;
        let state = self.members.entry(slot).claim().state;
        if state != State::Alive {
            // Whoever is not thought to be alive is told, so that it can contradict. [LG: buddy]
            let accusation = self.accusation_of(slot);
            self.send(from, Body::Gossip, accusation);
        }
        let awaited = self.direct.mode == Mode::Direct || self.direct.watches(slot);
        let (Some(interval), true, true) = (pace.span(), awaited, state.is_live()) else {
            self.drop_pulse(slot);
            return;
        };
        let interval = interval.max(self.config.params().heartbeat_interval / 4);
        let check_at = self.now.after(self.patience(slot, interval));
        let (now, direct) = (self.now, &mut self.direct);
        let pulse = self.members.pulse_or(slot, || Pulse {
            state: DetectorState::new(&direct.config),
            interval: Duration::ZERO,
            phase: Phase::Heard,
            check_at: None,
        });
        pulse.hear(direct, now, number, interval);
        if pulse.check_at.is_none() {
            pulse.check_at = Some(check_at);
            direct.due.insert((check_at, slot));
        }
    }

    /// How long a peer may be silent that announced this interval: two heartbeats may be lost, and
    /// the third may be late by what round trips are seen to take.
    fn patience(&self, slot: Slot, interval: Duration) -> Duration {
        interval * 2 + self.direct_time(slot)
    }

    /// No longer waits for a peer's heartbeats.
    pub(super) fn drop_pulse(&mut self, slot: Slot) {
        if let Some(pulse) = self.members.take_pulse(slot)
            && let Some(at) = pulse.check_at
        {
            self.direct.due.remove(&(at, slot));
        }
    }

    /// Forgets all that a peer has to do with heartbeats.
    pub(super) fn forget_pulse(&mut self, slot: Slot) {
        self.drop_pulse(slot);
        self.direct.watches.remove(&slot);
        self.direct.watchers.remove(&slot);
    }

    /// Some peers may be silent.
    pub(super) fn judge_silences(&mut self) {
        while let Some(&(at, slot)) = self.direct.due.first()
            && at <= self.now
        {
            self.direct.due.pop_first();
            if let Some(pulse) = self.members.pulse_mut(slot) {
                pulse.check_at = None;
            }
            self.judge_silence(slot);
        }
    }

    fn judge_silence(&mut self, slot: Slot) {
        let Some(pulse) = self.members.pulse(slot) else {
            return;
        };
        let Some(last) = pulse.state.last_arrival() else {
            return;
        };
        match &pulse.phase {
            Phase::Heard => {
                let patience = self.patience(slot, pulse.interval);
                let ask_at = last.max(self.direct.stalled_at).after(patience);
                if ask_at > self.now {
                    self.look_again(slot, ask_at);
                } else {
                    self.ask_the_silent(slot);
                }
            }
            Phase::Asked | Phase::Answers => {}
            Phase::Silent(attempts) => {
                let attempts = attempts.clone();
                self.silence(slot, attempts);
            }
        }
    }

    fn look_again(&mut self, slot: Slot, at: Instant) {
        if let Some(pulse) = self.members.pulse_mut(slot) {
            if let Some(before) = pulse.check_at.replace(at) {
                self.direct.due.remove(&(before, slot));
            }
            self.direct.due.insert((at, slot));
        }
    }

    fn ask_the_silent(&mut self, slot: Slot) {
        let entry = self.members.entry(slot);
        let (id, suspect) = (entry.id, entry.claim().state == State::Suspect);
        if suspect {
            // Somebody asked it already. That nothing came here either is one more opinion.
            self.silence(slot, Vec::new());
        } else if self.probes.is_full() || self.probes.is_probing(id) {
            let soon = self.now.after(self.config.params().probe_timeout_least);
            self.look_again(slot, soon);
        } else {
            self.counters.silences += 1;
            self.set_phase(slot, Phase::Asked);
            self.probe(slot, Purpose::Silence);
        }
    }

    fn set_phase(&mut self, slot: Slot, phase: Phase) {
        if let Some(pulse) = self.members.pulse_mut(slot) {
            pulse.phase = phase;
        }
    }

    /// Who was asked for its silence answers.
    pub(super) fn end_silence(&mut self, slot: Slot) {
        if let Some(pulse) = self.members.pulse_mut(slot)
            && let Phase::Asked = pulse.phase
        {
            pulse.phase = Phase::Answers;
        }
    }

    /// A silent peer was asked in vain. It is accused when the level says so too.
    pub(super) fn silence(&mut self, slot: Slot, attempts: Vec<Attempt>) {
        let Some(pulse) = self.members.pulse(slot) else {
            return;
        };
        let (config, mark) = (&self.direct.config, &self.direct.mark);
        let at = pulse.state.deadline(config, mark);
        let Some(at) = at else {
            return;
        };
        self.set_phase(slot, Phase::Silent(attempts.clone()));
        if at > self.now {
            self.look_again(slot, at);
            return;
        }
        self.accuse(slot, attempts);
        self.hurry_heartbeats();
    }

    /// How long a peer is silent already, where heartbeats of it were awaited.
    pub(super) fn silence_of(&self, slot: Slot) -> Option<Attempt> {
        let pulse = self.members.pulse(slot)?;
        let level = pulse.level(&self.direct, self.now);
        let threshold = self.direct.mark.threshold();
        Some(Attempt {
            path: Path::Heartbeats { level, threshold },
            outcome: Outcome::Silence,
        })
    }

    /// Until when a suspect is not convicted, as its heartbeats arrive; at most the longest time
    /// that it may have.
    pub(super) fn reprieve(&self, slot: Slot) -> Option<Instant> {
        let pulse = self.members.pulse(slot)?;
        let last = pulse.state.last_arrival()?;
        let level = pulse
            .state
            .deadline(&self.direct.config, &self.direct.mark)?;
        let fresh = level.max(last.after(self.patience(slot, pulse.interval)));
        let suspicion = self.suspicions.get(slot)?;
        let longest = suspicion.since.after(suspicion.allowance.most);
        (fresh > self.now && longest > self.now).then(|| fresh.min(longest))
    }

    /// Asks for heartbeats, again and again.
    pub(super) fn ask_for_heartbeats(&mut self) {
        let now = self.now;
        let due: Vec<Slot> = self
            .direct
            .watches
            .iter()
            .filter(|(_, watch)| watch.renew_at <= now)
            .map(|(&slot, _)| slot)
            .collect();
        for slot in due {
            self.ask_for_heartbeats_of(slot);
        }
    }

    fn ask_for_heartbeats_of(&mut self, slot: Slot) {
        let own = self.config.params().heartbeat_interval;
        let entry = self.members.entry(slot);
        let (to, live) = (self.members.address(slot), entry.claim().state.is_live());
        let interval = self.members.pulse(slot).map_or(own, |pulse| pulse.interval);
        let renew_at = self.now.after(interval * RENEWAL);
        let asked = live.then(|| (self.probes.next_sequence(), self.now));
        let Some(watch) = self.direct.watches.get_mut(&slot) else {
            return;
        };
        watch.renew_at = renew_at;
        watch.asked = asked;
        let proof = watch.proof;
        if let Some((sequence, _)) = asked {
            self.send(to, Body::Watch { sequence, proof }, None);
        }
    }

    /// Another member asks for heartbeats. Whatever it gets goes where it is known to be.
    pub(super) fn take_watch(
        &mut self,
        from: SocketAddr,
        sender: Option<Slot>,
        sequence: Sequence,
        proof: Proof,
    ) {
        let known = sender.map(|slot| (slot, self.members.entry(slot)));
        let known = known.filter(|&(slot, _)| self.members.is_at(slot, from));
        let Some((slot, entry)) = known.filter(|(_, entry)| entry.claim().state.is_live()) else {
            self.reject(from, Reject::Unasked);
            return;
        };
        let expected = self.direct.proof(entry.id);
        let (full, known) = (
            self.direct.watchers.len() >= WATCHES_MAX,
            self.direct.watchers.contains_key(&slot),
        );
        let pace = if full && !known {
            Pace::NONE
        } else {
            self.pace()
        };
        if proof == expected && pace != Pace::NONE {
            let interval = self.config.params().heartbeat_interval;
            self.direct
                .watchers
                .insert(slot, self.now.after(interval * LAPSE));
            // The first one at once.
            self.direct.next.get_or_insert(self.now);
        }
        let proof = expected;
        self.send(
            from,
            Body::Watching {
                sequence,
                proof,
                pace,
            },
            None,
        );
    }

    /// A member that was asked for heartbeats answers.
    pub(super) fn take_watching(
        &mut self,
        from: SocketAddr,
        sender: Option<Slot>,
        sequence: Sequence,
        proof: Proof,
    ) {
        let found = sender.and_then(|slot| Some((slot, self.direct.watches.get_mut(&slot)?)));
        let asked = found.and_then(|(slot, watch)| Some((slot, watch.asked?, watch)));
        let asked = asked.filter(|(_, (number, _), _)| *number == sequence);
        let Some((slot, (_, asked_at), watch)) = asked else {
            self.reject(from, Reject::Unasked);
            return;
        };
        watch.asked = None;
        let first = core::mem::replace(&mut watch.proof, proof) != proof;
        let sample = self.now.since(asked_at);
        self.members.entry_mut(slot).round_trip.add(sample);
        if first {
            self.ask_for_heartbeats_of(slot);
        }
    }
}

impl Pulse {
    /// A heartbeat of it came.
    fn hear(&mut self, direct: &Direct, now: Instant, number: u64, interval: Duration) {
        let config = &direct.config;
        let learn = match self.state.last_arrival() {
            // While this process did not run, nothing was heard. What had queued up meanwhile
            // comes all at once.
            Some(last) if last <= direct.stalled_at || now.since(last) < interval / 4 => {
                Learn::Skip
            }
            // An outage is no sample of the usual.
            Some(_) if self.state.level(config, now) >= direct.mark.threshold() => Learn::Skip,
            Some(_) | None => Learn::Interval,
        };
        let _heard = self.state.heartbeat(config, now, Some(number), learn);
        if self.interval != interval {
            self.interval = interval;
            self.state.restart(config, interval);
        }
        self.phase = Phase::Heard;
    }

    pub(super) fn level(&self, direct: &Direct, now: Instant) -> Level {
        self.state.level(&direct.config, now)
    }
}

/// Intervals over which the detector's history fades: half a minute.
const HISTORY: usize = 64;
/// Beyond it a silence is no accident: phi 8 is 5.6 deviations.
const THRESHOLD: Level = Level::new(8.0);
/// Accusations in a heartbeat.
const ACCUSED_MAX: usize = 7;
/// For how many heartbeats a watcher is remembered.
const LAPSE: u32 = 10;
/// After how many heartbeats it asks again: three times before it is forgotten.
const RENEWAL: u32 = 3;
