//! Over streams: joining, comparing all that is known, and looking for those who are gone.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::event::{JoinOutcome, Output, Reject};
use super::exchanges::{Errand, Exchange};
use super::input::{ExchangeId, StreamFailure, Ticket};
use super::member::{Claim, Incarnation, MemberId, State};
use super::members::{ME, Slot};
use super::message::{Answer, Record, Refusal, Request, Update};
use super::metadata::Stamp;
use super::probes::Purpose;
use super::{Stage, Swim};
use crate::bounds::{MEMBERS_MAX, SEEDS_MAX};
use crate::time::Instant;

/// An address to join through, and who answered there.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    address: SocketAddr,
    member: Option<MemberId>,
}

impl Swim {
    /// Asks all of these to be let in.
    pub(super) fn join(&mut self, seeds: &[SocketAddr]) {
        for &seed in seeds {
            let known = self.seeds.iter().any(|known| known.address == seed);
            if !known && self.seeds.len() >= SEEDS_MAX {
                self.tell_joined(seed, JoinOutcome::TooMany);
                continue;
            }
            if !known {
                let (address, member) = (seed, None);
                self.seeds.push(Seed { address, member });
            }
            if self.ask_sync(seed, Errand::Join).is_none() {
                self.tell_joined(seed, JoinOutcome::TooMany);
            }
        }
    }

    fn tell_joined(&mut self, seed: SocketAddr, outcome: JoinOutcome) {
        self.outputs.push_back(Output::Joined { seed, outcome });
    }

    /// Opens a stream and asks.
    pub(super) fn ask(
        &mut self,
        to: SocketAddr,
        errand: Errand,
        request: Request,
        until: Instant,
    ) -> Option<ExchangeId> {
        let exchange = self.exchanges.open(to, errand, until)?;
        self.outputs.push_back(Output::Ask {
            to,
            exchange,
            request,
            until,
        });
        Some(exchange)
    }

    fn ask_sync(&mut self, to: SocketAddr, errand: Errand) -> Option<ExchangeId> {
        let params = self.config.params();
        let until = self.now.after(params.stream_timeout);
        let request = Request::Sync {
            label: params.label.clone(),
            from: Box::new(self.members.record(ME)),
            round: self.probes.round,
            view: self.members.view(),
            metadata: self.members.metadata_digest(),
        };
        self.ask(to, errand, request, until)
    }

    /// Compares all that is known with this member, if that is not being done already.
    pub(super) fn sync_with(&mut self, slot: Slot) {
        if self.exchanges.is_on(Errand::Sync) || self.stage != Stage::Running {
            return;
        }
        self.counters.syncs += 1;
        self.news_dropped_at_sync = self.counters.news_dropped;
        let to = self.members.address(slot);
        let _asked = self.ask_sync(to, Errand::Sync);
    }

    /// Views are compared from time to time even where probes show no difference: those show 16
    /// bits. Less often in large groups, as the answer is as large as the group where views do
    /// differ.
    pub(super) fn sync_with_any(&mut self) {
        let doublings = usize::BITS - self.members.live().leading_zeros();
        let stretch = doublings.saturating_sub(DOUBLINGS_WITHOUT_STRETCH).max(1);
        let interval = self.config.params().sync_interval * stretch;
        self.sync_at = self.now.after(interval);
        if let Some(&slot) = self.members.sample(&mut self.rng, 1, |_| true).first() {
            self.sync_with(slot);
        }
    }

    /// Another member asks.
    pub(super) fn take_request(&mut self, from: SocketAddr, ticket: Ticket, request: Request) {
        let answer = if *request.label() == self.config.params().label {
            self.answer(from, request)
        } else {
            self.reject(from, Reject::Label);
            Answer::Refused(Refusal::Label)
        };
        self.outputs.push_back(Output::Answer { ticket, answer });
    }

    fn answer(&mut self, from: SocketAddr, request: Request) -> Answer {
        match request {
            Request::Ping { .. } => Answer::Pong { from: self.me },
            Request::Sync {
                from: asker,
                round,
                view,
                metadata,
                ..
            } => self.answer_sync(from, *asker, round, (view, metadata)),
            Request::Push {
                from: teller,
                records,
                ..
            } => {
                let stamps = stamps(&records);
                self.take_records(from, teller, records);
                if let Some(slot) = self.members.find(teller).filter(|&slot| slot != ME) {
                    self.hear_of_stamps(self.members.address(slot), stamps);
                }
                Answer::Taken
            }
            Request::Metadata { wants, .. } => self.answer_metadata(&wants),
        }
    }

    fn answer_sync(
        &mut self,
        from: SocketAddr,
        asker: Record,
        round: u64,
        digests: (u64, u64),
    ) -> Answer {
        let me = self.members.entry(ME);
        if self.stage != Stage::Running {
            return Answer::Refused(Refusal::Leaving);
        }
        let id = asker.name.id();
        if id == self.me {
            // A member that asks itself is told so; another one that uses the name is not let in.
            if !self.members.is_at(ME, asker.address) || asker.name != me.name {
                return Answer::Refused(Refusal::Name);
            }
        } else {
            self.take_record(from, id, asker.clone());
            match self.members.find(id) {
                None => return Answer::Refused(Refusal::Full),
                Some(slot) if self.members.entry(slot).name != asker.name => {
                    return Answer::Refused(Refusal::Name);
                }
                Some(slot) => {
                    let address = self.members.address(slot);
                    self.hear_of_stamps(address, [(id, asker.metadata)].into());
                }
            }
        }
        self.probes.hear_round(round);
        let (from, round) = (self.me, self.probes.round);
        if digests == (self.members.view(), self.members.metadata_digest()) || id == self.me {
            return Answer::Same { from, round };
        }
        let entries = self.members.entries();
        let records = entries.map(|(slot, _)| self.members.record(slot)).collect();
        Answer::Records {
            from,
            round,
            records,
        }
    }

    /// A stream brought an answer.
    pub(super) fn take_answer(&mut self, exchange: ExchangeId, answer: Answer) {
        let Some(asked) = self.exchanges.close(exchange) else {
            return;
        };
        if asked.errand == Errand::Metadata && !matches!(answer, Answer::Metadata { .. }) {
            let _ended = self.end_metadata_ask(exchange);
        }
        match answer {
            Answer::Pong { from } => match self.probes.streamed(exchange, from) {
                Some(probe) => self.end_detour(&probe, None),
                None => self.reject(asked.to, Reject::Unasked),
            },
            Answer::Same { from, round } => {
                self.probes.hear_round(round);
                self.end_join(&asked, Ok((from, self.members.live())));
            }
            Answer::Records {
                from,
                round,
                records,
            } => {
                self.probes.hear_round(round);
                let count = records.len().min(MEMBERS_MAX);
                self.merge(&asked, from, records);
                self.end_join(&asked, Ok((from, count)));
            }
            Answer::Metadata { deltas, left, .. } => {
                self.take_metadata(exchange, asked.to, &deltas, left);
            }
            Answer::Taken => {}
            Answer::Refused(refusal) => self.end_join(&asked, Err(refusal)),
        }
    }

    fn end_join(&mut self, asked: &Exchange, result: Result<(MemberId, usize), Refusal>) {
        let first = match asked.errand {
            Errand::Join => true,
            Errand::Rejoin => false,
            Errand::Probe(_) | Errand::Sync | Errand::Push | Errand::Metadata => return,
        };
        let outcome = match result {
            Ok((from, _)) if from == self.me => JoinOutcome::Myself,
            Ok((_, members)) => JoinOutcome::Joined { members },
            Err(refusal) => JoinOutcome::Refused(refusal),
        };
        if let Ok((from, _)) = result {
            let seeds = self.seeds.iter_mut();
            for seed in seeds.filter(|seed| seed.address == asked.to) {
                seed.member = Some(from);
            }
        }
        if first || result.is_ok() {
            self.tell_joined(asked.to, outcome);
        }
    }

    /// A stream brought nothing.
    pub(super) fn take_failure(&mut self, exchange: ExchangeId, failure: StreamFailure) {
        let Some(asked) = self.exchanges.close(exchange) else {
            return;
        };
        match asked.errand {
            Errand::Probe(_) => self.probes.broken(exchange, failure),
            Errand::Join => self.tell_joined(asked.to, JoinOutcome::Failed(failure)),
            Errand::Metadata => {
                let _ended = self.end_metadata_ask(exchange);
            }
            Errand::Sync | Errand::Push | Errand::Rejoin => {}
        }
    }

    pub(super) fn give_up_exchanges(&mut self) {
        while let Some(exchange) = self.exchanges.expired(self.now) {
            self.take_failure(exchange, StreamFailure::TimedOut);
        }
    }

    /// Takes what the other one knows, and tells it what it does not.
    fn merge(&mut self, asked: &Exchange, from: MemberId, records: Vec<Record>) {
        let theirs: BTreeMap<MemberId, (Claim, Stamp)> = records
            .iter()
            .map(|record| (record.name.id(), (record.claim, record.metadata)))
            .collect();
        let stamps = stamps(&records);
        self.take_records(asked.to, from, records);
        self.hear_of_stamps(asked.to, stamps);
        let news: Vec<Record> = self
            .members
            .entries()
            .filter(|&(slot, entry)| match theirs.get(&entry.id) {
                Some(&(claim, stamp)) => {
                    entry.claim().overrides(claim) || self.members.stamp(slot) > stamp
                }
                None => entry.claim().state.is_live(),
            })
            .map(|(slot, _)| self.members.record(slot))
            .collect();
        if news.is_empty() {
            return;
        }
        let params = self.config.params();
        let until = self.now.after(params.stream_timeout);
        let request = Request::Push {
            label: params.label.clone(),
            from: self.me,
            records: news,
        };
        let _asked = self.ask(asked.to, Errand::Push, request, until);
    }

    fn take_records(&mut self, from: SocketAddr, teller: MemberId, records: Vec<Record>) {
        let new = records.len().saturating_sub(self.members.len());
        self.members.reserve(new);
        for record in records.into_iter().take(MEMBERS_MAX) {
            self.take_record(from, teller, record);
        }
    }

    /// What another member knows of one. Who is dead there is suspect here: views that met after a
    /// partition must not kill, and whoever is well contradicts. That somebody is suspect there is
    /// hearsay: accusers say so themselves, and who repeats it would be counted as one more that
    /// asked in vain.
    fn take_record(&mut self, from: SocketAddr, teller: MemberId, record: Record) {
        let Record {
            name,
            address,
            claim,
            metadata: _,
        } = record;
        let (member, incarnation) = (name.id(), claim.incarnation);
        let known = self.members.find(member);
        match claim.state {
            State::Alive | State::Suspect => {
                let alive = Update::Alive {
                    name,
                    address,
                    incarnation,
                };
                self.take_update(from, alive);
            }
            State::Dead | State::Left if known.is_none() => return,
            State::Dead | State::Left => {}
        }
        match claim.state {
            State::Alive | State::Suspect => {}
            State::Dead if self.suspects(member, incarnation) => {}
            State::Dead => {
                let by = teller;
                let suspect = Update::Suspect {
                    member,
                    incarnation,
                    by,
                };
                self.take_update(from, suspect);
            }
            State::Left => self.take_update(
                from,
                Update::Left {
                    member,
                    incarnation,
                },
            ),
        }
    }

    fn suspects(&self, member: MemberId, incarnation: Incarnation) -> bool {
        let known = self.members.find(member);
        let suspicion = known.and_then(|slot| self.suspicions.get(slot));
        suspicion.is_some_and(|suspicion| suspicion.incarnation >= incarnation)
    }

    /// Looks for one dead member and for one seed that is no live member.
    pub(super) fn heal(&mut self) {
        self.heal_at = self.now.after(self.config.params().heal_interval);
        let gone = self.members.gone();
        for _ in 0..HEAL_TRIES {
            let drawn = self.rng.below(gone.len() as u64) as usize;
            let Some(&slot) = gone.get(drawn) else {
                break;
            };
            if slot != ME && self.members.entry(slot).claim().state == State::Dead {
                self.probe(slot, Purpose::Heal);
                break;
            }
        }
        if self.exchanges.is_on(Errand::Rejoin) || self.seeds.is_empty() {
            return;
        }
        let first = self.rng.below(self.seeds.len() as u64) as usize;
        let order = (first..self.seeds.len()).chain(0..first);
        let missing = order
            .map(|at| &self.seeds[at])
            .find(|seed| !self.is_live(seed.member));
        if let Some(address) = missing.map(|seed| seed.address) {
            let _asked = self.ask_sync(address, Errand::Rejoin);
        }
    }

    fn is_live(&self, member: Option<MemberId>) -> bool {
        let slot = member.and_then(|member| self.members.find(member));
        slot.is_some_and(|slot| self.members.entry(slot).claim().state.is_live())
    }
}

/// What members' metadata is worth where these records come from.
fn stamps(records: &[Record]) -> Vec<(MemberId, Stamp)> {
    let records = records.iter().take(MEMBERS_MAX);
    records
        .map(|record| (record.name.id(), record.metadata))
        .collect()
}

/// Up to 31 members the interval is as configured; 128 double it three times.
const DOUBLINGS_WITHOUT_STRETCH: u32 = 4;
/// Members that left are in the same list as the dead.
const HEAL_TRIES: usize = 8;
