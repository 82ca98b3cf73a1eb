//! Making messages of what waits for a receiver, and taking what came of them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::episodes::Attempt;
use super::group::Duty;
use super::input::Sent;
use super::key::{AlertId, Episode};
use super::lane::{GroupKey, Lane, pause_after};
use super::message::{Message, News, Notice, Occasion};
use super::owed::{Hindrance, Owed, Telling, owed};
use super::record::{Delivery, Exposed};
use super::rule::Receiver;
use super::{Alerts, Timer};
use crate::bounds::NOTICES_PER_MESSAGE_MAX;
use crate::id::ReceiverName;
use crate::time::Instant;

/// How much longer than its time-out a message may take until it counts as failed.
pub(super) const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// A message on its way.
#[derive(Debug)]
pub(super) struct InFlight {
    receiver: ReceiverName,
    group: Option<GroupKey>,
    told: Vec<Told>,
    /// When it counts as failed; none before it was handed out.
    pub(super) overdue: Option<Instant>,
}

/// One notice of a message on its way.
#[derive(Debug)]
struct Told {
    alert: AlertId,
    news: News,
    episode: Episode,
    skipped: u32,
}

/// What can be told in one message.
struct Batch {
    occasion: Occasion,
    /// The values of the group; none for a mass failure.
    group: Option<GroupKey>,
    tellings: Vec<(AlertId, Telling)>,
}

/// What there is to tell to a receiver at present.
#[derive(Default)]
struct Waiting {
    groups: BTreeMap<GroupKey, Group>,
    firing: usize,
    next: Option<Instant>,
}

struct Group {
    since: Instant,
    tellings: Vec<(AlertId, Telling)>,
}

impl Waiting {
    fn wake_at(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

impl Alerts {
    /// Makes messages of what waits for a receiver, as many as it may be sent at a time, and notes
    /// when to look again.
    pub(super) fn send_what_waits(&mut self, name: &ReceiverName) {
        loop {
            let (Some(lane), Some(receiver)) =
                (self.lanes.get(name), self.config.receivers.get(name))
            else {
                return;
            };
            if lane.queue.is_empty() || lane.in_flight.len() >= lane.in_flight_max(receiver) {
                return;
            }
            if lane.blocked_until > self.now {
                let at = lane.blocked_until;
                self.wake_lane(name, at);
                return;
            }
            let waiting = self.what_waits(name);
            match self.choose(name, waiting) {
                Ok(batch) => self.make_message(name, batch),
                Err(None) => return,
                Err(Some(at)) => {
                    self.wake_lane(name, at);
                    return;
                }
            }
        }
    }

    fn wake_lane(&mut self, name: &ReceiverName, at: Instant) {
        if let Some(lane) = self.lanes.get_mut(name) {
            if let Some(before) = lane.wake.replace(at) {
                self.timers.remove(&(before, Timer::Lane(name.clone())));
            }
            self.timers.insert((at, Timer::Lane(name.clone())));
        }
    }

    /// Looks through the queue of a receiver. What is owed no more leaves it.
    fn what_waits(&mut self, name: &ReceiverName) -> Waiting {
        let mut waiting = Waiting::default();
        let (Some(lane), Some(receiver)) = (self.lanes.get(name), self.config.receivers.get(name))
        else {
            return waiting;
        };
        let mut over: Vec<AlertId> = Vec::new();
        for (&id, &since) in &lane.queue {
            match self.owed_to(id, receiver) {
                Ok(telling) => {
                    waiting.firing += usize::from(telling.news == News::Firing);
                    let key = self.group_of(id, receiver);
                    let group = waiting.groups.entry(key).or_insert(Group {
                        since,
                        tellings: Vec::new(),
                    });
                    group.since = group.since.min(since);
                    group.tellings.push((id, telling));
                }
                Err(Some(at)) => waiting.wake_at(at),
                Err(None) => over.push(id),
            }
        }
        if let Some(lane) = self.lanes.get_mut(name) {
            for id in &over {
                lane.queue.remove(id);
            }
            // They may have something to wait for that is not in the queue.
            self.unsettled.extend(over);
        }
        waiting
    }

    /// What a receiver is owed of an alert now, or when it is worth looking again in the queue.
    fn owed_to(&self, id: AlertId, receiver: &Receiver) -> Result<Telling, Option<Instant>> {
        let row = self.rows.get(&id).ok_or(None)?;
        let waits = row.announcing.is_some_and(|until| until > self.now);
        if row.duty != Duty::Here || waits {
            return Err(None);
        }
        let attempt = row.attempt(&receiver.name);
        if attempt.is_some_and(|a| a.sending.is_some()) {
            return Err(None);
        }
        if let Some(attempt) = attempt.filter(|a| a.retry_at > self.now) {
            return Err(Some(attempt.retry_at));
        }
        let mut deliveries = row.record.deliveries.iter();
        let delivery = deliveries.find(|d| d.receiver == receiver.name);
        let rule = self.config.rules.get(&row.record.key.rule);
        let hindrance = match self.suppression(id) {
            Some(_) => Hindrance::Suppressed,
            None => Hindrance::None,
        };
        match owed(
            &row.record,
            delivery.ok_or(None)?,
            rule,
            receiver,
            hindrance,
            self.now,
        ) {
            Owed::Now(telling) => Ok(telling),
            Owed::Later(_) | Owed::Nothing => Err(None),
        }
    }

    fn group_of(&self, id: AlertId, receiver: &Receiver) -> GroupKey {
        let Some(row) = self.rows.get(&id) else {
            return GroupKey::new();
        };
        let labelled = row.record.labelled();
        let values = receiver.group_by.iter();
        values.map(|label| labelled.get(label).into()).collect()
    }

    /// The message to send next, or when there will be one.
    fn choose(&self, name: &ReceiverName, mut waiting: Waiting) -> Result<Batch, Option<Instant>> {
        let (Some(lane), Some(receiver)) = (self.lanes.get(name), self.config.receivers.get(name))
        else {
            return Err(None);
        };
        // What waited already when the last message went does not wait for an interval more.
        let earliest = |lane: &Lane, key: &GroupKey, since: Instant| {
            let sent = lane.last_sent.get(key).filter(|&&sent| sent < since);
            let again = sent.map_or(Instant::ORIGIN, |sent| sent.after(receiver.group_interval));
            since.after(receiver.group_wait).max(again)
        };
        if waiting.firing >= receiver.mass {
            // A mass failure is news, however lately something else was told.
            let since = waiting.groups.values().map(|group| group.since).min();
            let ready = since.map(|since| since.after(receiver.group_wait));
            if ready.is_some_and(|at| at <= self.now) {
                let groups = waiting.groups.into_values();
                return Ok(Batch {
                    occasion: Occasion::MassFailure,
                    group: None,
                    tellings: groups.flat_map(|group| group.tellings).collect(),
                });
            }
        }
        let mut ready: Option<GroupKey> = None;
        let groups = core::mem::take(&mut waiting.groups);
        for (key, group) in &groups {
            let at = earliest(lane, key, group.since);
            if at <= self.now {
                ready.get_or_insert_with(|| key.clone());
            } else {
                waiting.wake_at(at);
            }
        }
        let mut groups = groups;
        let chosen = ready.and_then(|key| Some((groups.remove(&key)?, key)));
        let (group, key) = chosen.ok_or(waiting.next)?;
        Ok(Batch {
            occasion: Occasion::Group,
            group: Some(key),
            tellings: group.tellings,
        })
    }

    /// Makes a message, and marks its alerts as ones of which the receiver may know.
    fn make_message(&mut self, name: &ReceiverName, batch: Batch) {
        let number = self.next_message;
        self.next_message += 1;
        let Some(receiver) = self.config.receivers.get(name) else {
            return;
        };
        let timeout = receiver.timeout;
        let labels = receiver.group_by.iter().map(|label| String::from(&**label));
        let values = batch.group.iter().flatten().cloned();
        let group: Vec<(String, String)> = labels.zip(values).collect();
        let mut notices = Vec::new();
        let mut told = Vec::new();
        for (id, telling) in self.those_that_go_together(name, batch.tellings) {
            if let Some(notice) = self.begin_telling(id, name, number, &telling) {
                told.push(Told {
                    alert: id,
                    news: notice.news,
                    episode: notice.episode,
                    skipped: notice.skipped,
                });
                notices.push(notice);
            }
        }
        let (now, interval) = (self.now, self.group_interval(name));
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.in_flight.insert(number);
            lane.last_sent.retain(|_, sent| sent.after(interval) > now);
            if let Some(key) = &batch.group {
                lane.last_sent.insert(key.clone(), now);
            }
        }
        if batch.occasion == Occasion::MassFailure {
            self.counters.mass_failures += 1;
        }
        let in_flight = InFlight {
            receiver: name.clone(),
            group: batch.group,
            told,
            overdue: None,
        };
        self.messages.insert(number, in_flight);
        self.writing.made.push_back(Message {
            number,
            receiver: name.clone(),
            timeout,
            occasion: batch.occasion,
            group,
            notices,
        });
    }

    /// Those that were refused before go alone, one after the other: so one that a receiver cannot
    /// take does not keep back the others.
    fn those_that_go_together(
        &self,
        name: &ReceiverName,
        mut tellings: Vec<(AlertId, Telling)>,
    ) -> Vec<(AlertId, Telling)> {
        let was_refused = |(id, _): &(AlertId, Telling)| {
            let attempt = self.rows.get(id).and_then(|row| row.attempt(name));
            attempt.is_some_and(|attempt| attempt.refusals > 0)
        };
        if tellings.iter().all(was_refused) {
            tellings.truncate(1);
        } else {
            tellings.retain(|telling| !was_refused(telling));
            tellings.truncate(NOTICES_PER_MESSAGE_MAX);
        }
        tellings
    }

    fn group_interval(&self, name: &ReceiverName) -> Duration {
        let receiver = self.config.receivers.get(name);
        receiver.map_or(Duration::ZERO, |receiver| receiver.group_interval)
    }

    fn begin_telling(
        &mut self,
        id: AlertId,
        name: &ReceiverName,
        number: u64,
        telling: &Telling,
    ) -> Option<Notice> {
        let row = self.rows.get_mut(&id)?;
        match row.attempts.iter_mut().find(|a| a.receiver == *name) {
            Some(attempt) => attempt.sending = Some(number),
            None => row.attempts.push(Attempt {
                receiver: name.clone(),
                sending: Some(number),
                refusals: 0,
                retry_at: Instant::ORIGIN,
            }),
        }
        let record = &mut row.record;
        let delivery = record.deliveries.iter_mut().find(|d| d.receiver == *name)?;
        if telling.news == News::Firing && delivery.exposed.is_none() {
            delivery.exposed = Some(Exposed {
                episode: telling.episode,
                past: None,
            });
            self.writing.note(id);
        }
        let skipped = delivery.skipped;
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.queue.remove(&id);
        }
        Some(Notice {
            alert: id,
            key: record.key.clone(),
            severity: record.severity,
            labels: record.labels.clone(),
            reason: record.reason.clone(),
            news: telling.news,
            episode: telling.episode,
            count: telling.count,
            fired: telling.fired,
            flapping: record.flapping,
            skipped,
        })
    }

    /// Takes what came of a message.
    pub(super) fn take_outcome(&mut self, number: u64, outcome: Sent) {
        let Some(message) = self.messages.remove(&number) else {
            return;
        };
        if let Some(at) = message.overdue {
            self.timers.remove(&(at, Timer::Overdue(number)));
        }
        match outcome {
            Sent::Delivered => self.counters.delivered += message.told.len() as u64,
            Sent::Failed { .. } => self.counters.failed += 1,
            Sent::Refused => self.counters.refused += 1,
        }
        for told in &message.told {
            self.take_told(&message.receiver, told, outcome);
        }
        let receiver = self.config.receivers.get(&message.receiver);
        if let (Some(lane), Some(receiver)) = (self.lanes.get_mut(&message.receiver), receiver) {
            lane.in_flight.remove(&number);
            match outcome {
                Sent::Delivered => {
                    lane.counters.delivered += 1;
                    lane.counters.notices += message.told.len() as u64;
                    lane.confirmed_at = Some(self.now);
                    lane.on_answer();
                }
                Sent::Refused => {
                    lane.counters.refused += 1;
                    lane.on_answer();
                }
                Sent::Failed { retry_after } => {
                    lane.counters.failed += 1;
                    lane.on_failure(receiver, self.now, retry_after, &mut self.rng);
                }
            }
            if outcome != Sent::Delivered {
                // It waited long enough for others of its group.
                let rows = &self.rows;
                let known = message
                    .told
                    .iter()
                    .filter(|told| rows.contains_key(&told.alert));
                for told in known {
                    lane.queue.insert(told.alert, Instant::ORIGIN);
                }
                if let Some(key) = &message.group {
                    lane.last_sent.remove(key);
                }
            }
            self.stirred.insert(message.receiver);
        }
    }

    fn take_told(&mut self, name: &ReceiverName, told: &Told, outcome: Sent) {
        let (now, id) = (self.now, told.alert);
        self.unsettled.insert(id);
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        let mut attempts = row.attempts.iter_mut();
        if let Some(attempt) = attempts.find(|a| a.receiver == *name) {
            attempt.sending = None;
            if outcome == Sent::Refused {
                attempt.refusals = attempt.refusals.saturating_add(1);
                let pause = self
                    .config
                    .receivers
                    .get(name)
                    .map(|receiver| pause_after(receiver, attempt.refusals, &mut self.rng));
                attempt.retry_at = now.after(pause.unwrap_or_default());
            }
        }
        if outcome != Sent::Delivered {
            return;
        }
        row.attempts.retain(|a| a.receiver != *name);
        if let Some(delivery) = row.delivery_mut(name) {
            confirm(delivery, told, now);
            if told.news != News::Refresh {
                self.writing.note(id);
                self.share_with_holder(id);
            }
        }
    }
}

/// Notes what a receiver confirmed.
fn confirm(delivery: &mut Delivery, told: &Told, now: Instant) {
    delivery.told_at = now;
    delivery.skipped = delivery.skipped.saturating_sub(told.skipped);
    match told.news {
        News::Firing => {
            delivery.told = delivery.told.max(told.episode);
            delivery.repeats = 0;
        }
        News::Repeat(number) => delivery.repeats = number,
        News::Refresh => {}
        News::Resolved { .. } => {
            delivery.told_end = delivery.told_end.max(told.episode);
            if delivery
                .exposed
                .as_ref()
                .is_some_and(|e| e.episode == told.episode)
            {
                delivery.exposed = None;
            }
            if delivery
                .brief
                .as_ref()
                .is_some_and(|p| p.episode == told.episode)
            {
                delivery.brief = None;
            }
        }
    }
}
