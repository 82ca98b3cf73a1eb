//! What is said of members: which claim holds, what follows from it, and who is told.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::config::SuspicionRule;
use super::event::{Accusation, Accuser, Attempt, EventKind, Output, Reject};
use super::member::{Claim, MemberId, State};
use super::members::{ME, NotAdded, Slot};
use super::message::{Body, Record, Update};
use super::metadata::Stamp;
use super::probes::Purpose;
use super::suspicion::{Allowance, Confirmed, LastWord, Suspicion};
use super::{Stage, Swim};
use crate::time::Instant;

impl Swim {
    /// Whether news says what is known, so that nothing follows from it: most of it does, as each
    /// piece is told many times. To look at all of a datagram in one go spares time in a large
    /// group, where memory that was not touched for long answers several questions at once.
    pub(super) fn is_known(&self, update: &Update) -> bool {
        let Some(slot) = self.members.find(update.member()) else {
            return false;
        };
        let entry = self.members.entry(slot);
        let same = slot != ME && entry.claim() == update.claim();
        same && match update {
            Update::Alive { name, address, .. } => {
                self.members.is_at(slot, *address) && entry.name == *name
            }
            Update::Suspect { .. } => false,
            Update::Dead { .. } | Update::Left { .. } => true,
        }
    }

    /// News about somebody.
    pub(super) fn take_update(&mut self, from: SocketAddr, update: Update) {
        let member = update.member();
        if member == self.me {
            self.hear_of_myself(from, &update);
            return;
        }
        let Some(slot) = self.members.find(member) else {
            self.hear_of_stranger(from, update);
            return;
        };
        let entry = self.members.entry(slot);
        if let Update::Alive { name, .. } = &update
            && entry.name != *name
        {
            self.reject(from, Reject::Name);
            return;
        }
        let (known, known_address) = (entry.claim(), self.members.address(slot));
        if let Update::Dead { by, .. } = update
            && update.claim().overrides(known)
            && known.state == State::Suspect
            && self.reprieve(slot).is_some()
        {
            self.agree(slot, by);
            return;
        }
        if let Update::Dead { by, .. } = update
            && update.claim().overrides(known)
            && update.claim().incarnation == known.incarnation
            && let Some(until) = self.ask_for_last_word(slot)
        {
            if self.suspicions.condemn(slot, by, until) {
                // Others ask for themselves, so they need not wait for this answer.
                self.spread(update);
            }
            return;
        }
        if update.claim().overrides(known) {
            self.apply(slot, weighed(update, known));
            self.hear_of_suspicion(slot);
            return;
        }
        if update.claim() != known {
            self.correct(from, slot, &update);
            return;
        }
        match update {
            Update::Suspect { by, .. } => self.agree(slot, by),
            Update::Alive { address, .. } if address != known_address => {
                // Two processes, one name, and neither has contradicted yet.
                self.say(slot, EventKind::NameConflict { address });
            }
            Update::Alive { .. } | Update::Dead { .. } | Update::Left { .. } => {}
        }
    }

    /// Only who is alive is added: a stranger's death is no news.
    fn hear_of_stranger(&mut self, from: SocketAddr, update: Update) {
        let claim = update.claim();
        let Update::Alive {
            ref name,
            address,
            incarnation,
        } = update
        else {
            return;
        };
        let record = Record {
            name: name.clone(),
            address,
            claim,
            metadata: Stamp::default(),
        };
        let mut added = self.members.add(record.clone(), self.now);
        if added == Err(NotAdded::Full)
            && let Some((_, slot)) = self.reap.pop_first()
        {
            self.remove(slot);
            added = self.members.add(record, self.now);
        }
        match added {
            Ok(slot) => {
                self.say(
                    slot,
                    EventKind::Joined {
                        address,
                        incarnation,
                        before: None,
                    },
                );
                self.spread(update);
            }
            Err(NotAdded::Full) => self.reject(from, Reject::Full),
            Err(NotAdded::Name) => self.reject(from, Reject::Name),
        }
    }

    /// A claim that holds takes the place of the one that did.
    fn apply(&mut self, slot: Slot, update: Update) {
        let entry = self.members.entry(slot);
        let (before, address_before) = (entry.claim(), self.members.address(slot));
        if let Some(at) = self.reap_at(slot) {
            self.reap.remove(&(at, slot));
        }
        let suspicion = self.suspicions.end(slot);
        let claim = update.claim();
        self.members.set_claim(slot, claim, self.now);
        if let Some(at) = self.reap_at(slot) {
            self.reap.insert((at, slot));
        }
        if !claim.state.is_live() {
            self.drop_pulse(slot);
            self.links.forget(slot);
        }
        match &update {
            Update::Alive { address, .. } => {
                self.members.move_to(slot, *address);
                self.tell_alive(slot, before, address_before, suspicion);
                if *address != address_before
                    && self.moves.note(slot, address_before, *address, self.now)
                {
                    let address = address_before;
                    self.say(slot, EventKind::NameConflict { address });
                }
            }
            Update::Suspect { by, .. } => {
                if !before.state.is_live() {
                    let kind = EventKind::Joined {
                        address: address_before,
                        incarnation: claim.incarnation,
                        before: Some(before.state),
                    };
                    self.say(slot, kind);
                }
                self.begin_suspicion(slot, claim, *by);
            }
            // It was gone; only in which incarnation was not known.
            Update::Dead { .. } if !before.state.is_live() => {}
            Update::Dead { by, .. } => {
                self.counters.convictions += 1;
                let accusation = self.accusation(claim, *by, suspicion);
                let by = self.name(*by);
                self.say(slot, EventKind::Failed { by, accusation });
            }
            Update::Left { .. } => self.say(slot, EventKind::Left),
        }
        self.spread(update);
    }

    fn tell_alive(
        &mut self,
        slot: Slot,
        before: Claim,
        address_before: SocketAddr,
        suspicion: Option<Suspicion>,
    ) {
        let entry = self.members.entry(slot);
        let (address, incarnation) = (self.members.address(slot), entry.claim().incarnation);
        if let Some(suspicion) = &suspicion {
            let after = self.now.since(suspicion.since);
            self.refutations.add(after);
            let params = self.config.params();
            self.flapping.note_contradiction(slot, self.now, params);
            let accusers = self.names(&suspicion.accusers);
            let kind = EventKind::Refuted {
                incarnation,
                after,
                accusers,
            };
            self.say(slot, kind);
        }
        if !before.state.is_live() {
            let kind = EventKind::Joined {
                address,
                incarnation,
                before: Some(before.state),
            };
            self.say(slot, kind);
        } else if address != address_before || suspicion.is_none() {
            let kind = EventKind::Updated {
                before: address_before,
                address,
                incarnation,
                keys: Vec::new(),
            };
            self.say(slot, kind);
        }
    }

    fn begin_suspicion(&mut self, slot: Slot, claim: Claim, by: MemberId) {
        self.counters.suspicions += 1;
        let measured = self.refutations.patience();
        let allowance = Allowance::new(self.config.params(), self.members.live(), measured);
        // Who misses answers may not hear heartbeats either, and is in no hurry.
        let allowance = match self.members.pulse(slot) {
            Some(_) if self.health.score() == 0 => {
                allowance.with_heartbeats(self.config.params(), measured)
            }
            Some(_) | None => allowance,
        };
        let health = self.health.score();
        self.suspicions
            .begin(slot, self.now, claim.incarnation, by, health, allowance);
    }

    /// Another member says that somebody is suspect; it may be what this one said itself before it
    /// was started again.
    fn hear_of_suspicion(&mut self, slot: Slot) {
        if let Some(suspicion) = self.suspicions.get(slot) {
            let needed = suspicion.allowance.needed;
            self.tell_suspected(slot, Vec::new());
            self.confirm_or_refute(slot, needed);
        }
    }

    fn tell_suspected(&mut self, slot: Slot, attempts: Vec<Attempt>) {
        self.suspicions.note_attempts(slot, attempts);
        let Some(suspicion) = self.suspicions.get(slot).cloned() else {
            return;
        };
        let claim = self.members.entry(slot).claim();
        let accusation = self.accusation(claim, self.me, Some(suspicion));
        self.say(slot, EventKind::Suspected(accusation));
    }

    /// The evidence and the arithmetic against a member.
    fn accusation(
        &self,
        claim: Claim,
        by: MemberId,
        suspicion: Option<Suspicion>,
    ) -> Box<Accusation> {
        Box::new(match suspicion {
            Some(suspicion) => Accusation {
                incarnation: suspicion.incarnation,
                accusers: self.names(&suspicion.accusers),
                local_health: suspicion.health,
                deadline: Some(suspicion.deadline()),
                attempts: suspicion.attempts,
            },
            None => Accusation {
                incarnation: claim.incarnation,
                accusers: self.names(&[by]),
                local_health: self.health.score(),
                deadline: None,
                attempts: Vec::new(),
            },
        })
    }

    fn name(&self, id: MemberId) -> Accuser {
        let slot = self.members.find(id);
        let name = slot.map(|slot| self.members.entry(slot).name.clone());
        Accuser { id, name }
    }

    fn names(&self, ids: &[MemberId]) -> Vec<Accuser> {
        ids.iter().map(|&id| self.name(id)).collect()
    }

    /// This member asked in vain.
    pub(super) fn accuse(&mut self, slot: Slot, asked: Vec<Attempt>) {
        let attempts = self.silence_of(slot).into_iter().chain(asked).collect();
        let entry = self.members.entry(slot);
        let (member, claim, address) = (entry.id, entry.claim(), self.members.address(slot));
        let by = self.me;
        let incarnation = claim.incarnation;
        let accusation = Update::Suspect {
            member,
            incarnation,
            by,
        };
        match claim.state {
            State::Alive => {
                self.apply(slot, accusation);
                self.tell_suspected(slot, attempts);
                if let Some(accusation) = self.accusation_of(slot) {
                    self.send(address, Body::Gossip, Some(accusation));
                }
            }
            State::Suspect => {
                self.suspicions.note_attempts(slot, attempts);
                self.agree(slot, by);
            }
            State::Dead | State::Left => {}
        }
    }

    /// Who suspects somebody alone says so again in each period: all may have missed it, and so may
    /// the accused. [LG] has no such thing.
    pub(super) fn repeat_accusations(&mut self) {
        if self.config.params().suspicion == SuspicionRule::Logarithmic {
            return;
        }
        let by = self.me;
        let alone: Vec<_> = self.suspicions.accused_alone_by(by).collect();
        for (slot, incarnation) in alone {
            let member = self.members.entry(slot).id;
            self.spread(Update::Suspect {
                member,
                incarnation,
                by,
            });
        }
    }

    /// One more suspects a suspect. What is independent is sent on, what is enough is not. [LG]
    fn agree(&mut self, slot: Slot, by: MemberId) {
        if self.suspicions.confirm(slot, by) == Confirmed::News {
            let entry = self.members.entry(slot);
            let (member, incarnation) = (entry.id, entry.claim().incarnation);
            self.spread(Update::Suspect {
                member,
                incarnation,
                by,
            });
        }
    }

    /// The time of a suspect is over.
    pub(super) fn convict(&mut self) {
        while let Some((at, slot)) = self.suspicions.next()
            && at <= self.now
        {
            if let Some(until) = self.reprieve(slot) {
                self.suspicions.defer(slot, until);
                continue;
            }
            if let Some(until) = self.ask_for_last_word(slot) {
                self.suspicions.defer(slot, until);
                continue;
            }
            let entry = self.members.entry(slot);
            let (member, incarnation) = (entry.id, entry.claim().incarnation);
            let by = self.suspicions.condemned_by(slot).unwrap_or(self.me);
            self.apply(
                slot,
                Update::Dead {
                    member,
                    incarnation,
                    by,
                },
            );
        }
    }

    /// Nobody is convicted by hearsay: whoever did not ask a suspect in vain itself asks it, and
    /// tells it what it is accused of, before it convicts. Who runs and is reached contradicts in
    /// the answer. Says how long it has for that; `None` once it had its time. A member that was
    /// blocked, and tells of its suspicion and of its verdict at the same time, has so not the
    /// last word.
    ///
    /// Where as many as are needed accuse the suspect, each for itself, and it was given all the
    /// time that it has, nobody asks: all would, so each failure would cost four datagrams more a
    /// member. A member that did not run meanwhile, or is not well, asks all the same, as what it
    /// did not hear may be its own fault.
    fn ask_for_last_word(&mut self, slot: Slot) -> Option<Instant> {
        let params = self.config.params();
        if params.suspicion == SuspicionRule::Logarithmic {
            return None;
        }
        // Others may have heard of it a round of gossip earlier.
        let by = self.now.after(params.gossip_interval);
        let suspicion = self.suspicions.get(slot);
        if self.health.score() == 0
            && suspicion.is_some_and(|one| one.is_settled(params.confirmations.max(2), by))
        {
            return None;
        }
        match self.suspicions.last_word(slot, self.now) {
            LastWord::ToBeAsked => {}
            LastWord::Awaited(until) => return Some(until),
            LastWord::Had => return None,
        }
        // Who was never asked before is as near as others are.
        let params = self.config.params();
        let near = params.probe_timeout_least * 2;
        let time = match self.members.entry(slot).round_trip.mean() {
            Some(_) => self.direct_time(slot).min(params.probe_timeout / 2),
            None => near.min(params.probe_timeout / 2),
        };
        let until = self.now.after(time);
        self.suspicions.note_asked(slot, until);
        self.probe(slot, Purpose::LastWord);
        Some(until)
    }

    /// News about this member itself: what it does not say itself it contradicts.
    fn hear_of_myself(&mut self, from: SocketAddr, update: &Update) {
        let me = self.members.entry(ME);
        if let Update::Alive { name, .. } = update
            && *name != me.name
        {
            self.reject(from, Reject::Name);
            return;
        }
        let (mine, my_address) = (me.claim(), self.members.address(ME));
        let theirs = update.claim();
        let elsewhere = match update {
            Update::Alive { address, .. } => theirs == mine && *address != my_address,
            Update::Suspect { .. } | Update::Dead { .. } | Update::Left { .. } => false,
        };
        if !theirs.overrides(mine) && !elsewhere {
            self.repeat_myself(from, theirs);
            return;
        }
        match update {
            Update::Suspect { .. } | Update::Dead { .. } => self.health.worse(1),
            Update::Left { .. } => {}
            Update::Alive { address, .. } => {
                if *address != my_address && self.wait_for_namesake(*address, theirs) {
                    return;
                }
            }
        }
        self.counters.refutations += 1;
        let claim = Claim::new(theirs.incarnation.next(), mine.state);
        if theirs.incarnation > mine.incarnation {
            // An earlier run, or another process, may have said more than that.
            self.renew_metadata(claim);
        }
        self.speak_for_myself(claim);
        // At once: the time of a suspect runs.
        self.gossip_at = Some(self.now);
        self.contradict_with_heartbeats();
    }

    /// An accuser that still says what was contradicted long ago is told so by all who know: it may
    /// not hear the accused.
    fn correct(&mut self, to: SocketAddr, slot: Slot, update: &Update) {
        let Update::Suspect { by, .. } = update else {
            return;
        };
        let entry = self.members.entry(slot);
        let claim = entry.claim();
        let accuser = self.members.find(*by);
        let itself = accuser.is_some_and(|by| self.members.is_at(by, to));
        let settled =
            self.now.since(self.members.since(slot)) >= self.config.params().gossip_interval;
        if claim.state == State::Alive && itself && settled {
            let contradiction = Update::Alive {
                name: entry.name.clone(),
                address: self.members.address(slot),
                incarnation: claim.incarnation,
            };
            self.send(to, Body::Gossip, Some(contradiction));
        }
    }

    /// Who still says what was contradicted has not heard of that, and nobody else may tell it.
    fn repeat_myself(&mut self, to: SocketAddr, theirs: Claim) {
        let mine = self.members.entry(ME).claim();
        let accused = matches!(theirs.state, State::Suspect | State::Dead);
        if accused && theirs.incarnation < mine.incarnation {
            let introduction = self.introduction();
            self.send(to, Body::Gossip, Some(introduction));
        }
    }

    /// This member says something new of itself.
    pub(super) fn speak_for_myself(&mut self, claim: Claim) {
        self.members.set_claim(ME, claim, self.now);
        let incarnation = claim.incarnation;
        self.outputs.push_back(Output::Persist { incarnation });
        let introduction = self.introduction();
        self.spread(introduction);
    }

    /// This member listens elsewhere.
    pub(super) fn move_to(&mut self, address: SocketAddr) {
        let claim = self.members.entry(ME).claim();
        if !self.members.is_at(ME, address) {
            self.members.move_to(ME, address);
            self.speak_for_myself(Claim::new(claim.incarnation.next(), claim.state));
        }
    }

    /// Says goodbye.
    pub(super) fn leave(&mut self) {
        if self.stage != Stage::Running {
            return;
        }
        self.stage = Stage::Leaving;
        self.probes.clear();
        self.stop_heartbeats();
        let claim = self.members.entry(ME).claim();
        self.speak_for_myself(Claim::new(claim.incarnation, State::Left));
        self.gossip_at = Some(self.now);
    }

    /// When the record of a member that is gone is to be forgotten.
    pub(super) fn reap_at(&self, slot: Slot) -> Option<Instant> {
        let params = self.config.params();
        let since = || self.members.since(slot);
        match self.members.entry(slot).claim().state {
            State::Alive | State::Suspect => None,
            State::Dead => Some(since().after(params.dead_retention)),
            State::Left => Some(since().after(params.left_retention)),
        }
    }

    pub(super) fn forget(&mut self) {
        while let Some(&(at, slot)) = self.reap.first()
            && at <= self.now
        {
            self.reap.pop_first();
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: Slot) {
        let entry = self.members.entry(slot);
        let (id, was) = (entry.id, entry.claim().state);
        self.say(slot, EventKind::Forgotten { was });
        self.queue.drop_about(id);
        self.metadata_news.drop_about(id);
        self.forget_pulse(slot);
        self.links.forget(slot);
        self.flapping.forget(slot);
        self.moves.forget(slot);
        self.members.remove(slot);
        self.rest();
    }
}

/// Another member's conviction counts where the suspicion was known, so that its time ran here
/// too, and the accused was told. Elsewhere it is a suspicion: one member that hears nobody must
/// not have the last word on those whom all others hear.
fn weighed(update: Update, known: Claim) -> Update {
    let suspected =
        known.state == State::Suspect && known.incarnation == update.claim().incarnation;
    match update {
        Update::Dead {
            member,
            incarnation,
            by,
        } if known.state.is_live() && !suspected => Update::Suspect {
            member,
            incarnation,
            by,
        },
        Update::Dead { .. }
        | Update::Alive { .. }
        | Update::Suspect { .. }
        | Update::Left { .. } => update,
    }
}
