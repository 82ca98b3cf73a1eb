//! What is sent to the other monitors, and what comes from them.

use alloc::vec::Vec;
use core::time::Duration;

use super::message::{Announced, Batch, Item, Reply, Report};
use super::panel::{Panel, Seen};
use super::rulings::Merged;
use super::session::{Flight, Order};
use super::verdict::{MonitorName, Ruling};
use super::{Health, ME, Observers, Presence};
use crate::id::TargetId;
use crate::time::Instant;

impl Observers {
    /// The next message to another monitor, when there is something to say or a beat is due, and
    /// none is on its way.
    #[must_use]
    pub fn poll_batch(&mut self, now: Instant, to: &MonitorName) -> Option<Batch> {
        self.begin(now);
        let slot = self.slot(to).filter(|&slot| slot != ME)?;
        let (now, beat) = (self.now, self.config.beat);
        let outgoing = &mut self.peers[slot].outgoing;
        let beat_is_due = outgoing.sent_at.is_none_or(|at| now.since(at) >= beat);
        if beat_is_due {
            outgoing.dirty.append(&mut outgoing.later);
        }
        if outgoing.flight.is_some() || (outgoing.dirty.is_empty() && !beat_is_due) {
            return None;
        }
        let mut targets = Vec::new();
        while targets.len() < self.config.items_max.max(1)
            && let Some(target) = outgoing.dirty.pop_first()
        {
            targets.push(target);
        }
        let complete = outgoing.dirty.is_empty();
        let items: Vec<Item> = targets.iter().map(|target| self.item(target)).collect();
        self.counters.batches_sent += 1;
        self.counters.items_sent += items.len() as u64;
        let announced = items.iter().map(|item| {
            let ruling = item.ruling.as_ref();
            (item.target.clone(), ruling.map(|it| (it.turn, it.verdict)))
        });
        let announced = announced.collect();
        let outgoing = &mut self.peers[slot].outgoing;
        outgoing.sequence += 1;
        outgoing.sent_at = Some(now);
        outgoing.flight = Some(Flight {
            sequence: outgoing.sequence,
            items: announced,
        });
        Some(Batch {
            session: outgoing.session,
            sequence: outgoing.sequence,
            answered: outgoing.answered,
            serving: self.presence == Presence::Serving,
            at_fault: self.health == Health::AtFault || self.isolated,
            complete,
            items,
        })
    }

    /// Takes the answer to the message on its way to a monitor. One that nothing waits for is
    /// ignored.
    pub fn take_reply(&mut self, now: Instant, from: &MonitorName, reply: Reply) {
        self.begin(now);
        let Some(slot) = self.slot(from).filter(|&slot| slot != ME) else {
            return;
        };
        match reply {
            Reply::Taken { refused } => self.answered(slot, refused),
            Reply::Old => {
                self.peers[slot].outgoing.lose();
                self.counters.batches_lost += 1;
            }
            Reply::Resync => self.restart(slot),
        }
        self.settle();
    }

    /// Notes that the message on its way to a monitor was not answered.
    pub fn lose_batch(&mut self, now: Instant, to: &MonitorName) {
        self.begin(now);
        if let Some(slot) = self.slot(to) {
            self.peers[slot].outgoing.lose();
            self.counters.batches_lost += 1;
        }
        self.settle();
    }

    /// Takes a message of another monitor, and gives the answer to it. One of a monitor that is
    /// not of the group changes nothing.
    #[must_use]
    pub fn take_batch(&mut self, now: Instant, from: &MonitorName, batch: Batch) -> Reply {
        self.begin(now);
        let slot = self.slot(from);
        let Some(slot) = slot.filter(|&slot| slot != ME && self.peers[slot].in_group) else {
            return Reply::Old;
        };
        let incoming = &mut self.peers[slot].incoming;
        match incoming.note(batch.session, batch.sequence, batch.answered) {
            Order::Old => {
                self.counters.batches_old += 1;
                return Reply::Old;
            }
            Order::Gap => {
                self.counters.resyncs += 1;
                return Reply::Resync;
            }
            Order::First => self.forget_reports(slot),
            Order::Next => {}
        }
        self.counters.batches_taken += 1;
        self.counters.items_taken += batch.items.len() as u64;
        let now = self.now;
        let peer = &mut self.peers[slot];
        peer.incoming.heard_at = Some(now);
        peer.incoming.complete |= batch.complete;
        peer.serving = batch.serving;
        peer.at_fault = batch.at_fault;
        let targets: Vec<TargetId> = batch.items.iter().map(|it| it.target.clone()).collect();
        let refused = self.take_items(slot, batch.items);
        for target in &targets {
            self.evaluate(target);
        }
        self.settle();
        Reply::Taken { refused }
    }

    fn answered(&mut self, slot: usize, refused: Vec<Item>) {
        let outgoing = &mut self.peers[slot].outgoing;
        let Some(flight) = outgoing.flight.take() else {
            return;
        };
        outgoing.answered = flight.sequence;
        let is_refused = |target: &TargetId| refused.iter().any(|item| item.target == *target);
        for (target, announced) in &flight.items {
            let Some(panel) = self.panels.get_mut(target) else {
                continue;
            };
            let current = Some((panel.ruling.turn, panel.ruling.verdict));
            if *announced == current && (refused.is_empty() || !is_refused(target)) {
                panel.held_by |= 1 << slot;
                self.conclude(target);
                self.evaluate(target);
            }
        }
        for item in refused {
            if let Some(ruling) = item.ruling {
                let theirs = self.received(ruling);
                if self.merge(slot, &item.target, theirs) == Merged::Refused {
                    let later = &mut self.peers[slot].outgoing.later;
                    later.insert(item.target.clone());
                }
                self.evaluate(&item.target);
            }
        }
    }

    /// Takes what another monitor says of targets, and gives back where more is known here.
    fn take_items(&mut self, slot: usize, items: Vec<Item>) -> Vec<Item> {
        let mut refused = Vec::new();
        for item in items {
            let seen = item.report.map(|report| Seen {
                status: report.status,
                level: report.level,
                since: self.now.before(report.age),
                why: report.why,
            });
            self.put_report(slot, &item.target, seen);
            self.drop_if_idle(&item.target);
            // One that never heard of a ruling is told of it likewise.
            let theirs = match item.ruling {
                Some(ruling) => self.received(ruling),
                None => Ruling::none(self.peers[slot].name.clone(), self.now),
            };
            if self.merge(slot, &item.target, theirs) == Merged::Refused {
                self.counters.refused += 1;
                refused.push(self.item(&item.target));
            }
        }
        refused
    }

    fn forget_reports(&mut self, slot: usize) {
        let targets: Vec<TargetId> = self.panels.keys().cloned().collect();
        for target in &targets {
            self.put_report(slot, target, None);
            self.drop_if_idle(target);
        }
    }

    fn restart(&mut self, slot: usize) {
        self.counters.resyncs += 1;
        let sayable = self.sayable();
        self.peers[slot].outgoing.restart(sayable);
    }

    fn item(&self, target: &TargetId) -> Item {
        let panel = self.panels.get(target);
        let age = |at: Instant| self.now.since(at);
        Item {
            target: target.clone(),
            report: panel.and_then(|panel| panel.report(ME)).map(|seen| Report {
                status: seen.status,
                level: seen.level,
                age: age(seen.since),
                why: seen.why.clone(),
            }),
            ruling: panel.and_then(|panel| announced(panel, age)),
        }
    }

    fn received(&self, announced: Announced) -> Ruling {
        Ruling {
            turn: announced.turn,
            from: announced.from,
            verdict: announced.verdict,
            owner: announced.owner,
            at: self.now.before(announced.age),
            text: announced.text,
            told: announced.told,
        }
    }
}

fn announced(panel: &Panel, age: impl Fn(Instant) -> Duration) -> Option<Announced> {
    let ruling = &panel.ruling;
    (ruling.turn.number > 0).then(|| Announced {
        turn: ruling.turn,
        from: ruling.from,
        verdict: ruling.verdict,
        owner: ruling.owner.clone(),
        age: age(ruling.at),
        text: ruling.text.clone(),
        told: ruling.told,
    })
}
