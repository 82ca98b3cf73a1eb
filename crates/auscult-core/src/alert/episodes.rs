//! The life of an alert: its condition is met, it fires, it is over, it is forgotten.

use alloc::collections::btree_map::Entry;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::group::Duty;
use super::input::{Observation, Output, Phase};
use super::key::{AlertId, AlertKey, Episode, Subject};
use super::matcher::Labelled;
use super::owed::{Hindrance, Owed, owed};
use super::record::{Delivery, Ending, Past, Record, Scope};
use super::rule::{Flapping, Rule, Seen, Severity};
use super::{Alerts, Timer};
use crate::bounds::{ALERTS_MAX, FLAP_EPISODES_MAX, PARENTS_MAX, REASON_BYTES_MAX};
use crate::id::{ReceiverName, TargetId};
use crate::monitor::Labels;
use crate::time::Instant;

/// How long the end of an alert is kept for a receiver that is not configured any more.
const ABANDON_UNKNOWN: Duration = Duration::from_secs(7 * 86_400);

/// An alert, with what need not outlive the process.
pub(super) struct Row {
    pub(super) record: Record,
    /// Who tells of it.
    pub(super) duty: Duty,
    /// The ruling by which the condition was met last, where a group rules.
    pub(super) cause: Option<(u64, u64)>,
    /// The ruling that was seen last.
    pub(super) ruling: Option<(u64, u64)>,
    /// While most of the group do not know of its episode: until when nobody is told of it.
    pub(super) announcing: Option<Instant>,
    /// What the last status meant.
    pub(super) seen: Seen,
    /// Since when the condition is met, while that is not for long enough.
    pub(super) pending: Option<Instant>,
    /// Since when the condition is not met, while it fires.
    pub(super) clear_since: Option<Instant>,
    /// What the newest observation said, to be told once it fires.
    pub(super) fresh: Fresh,
    pub(super) attempts: Vec<Attempt>,
    /// When it is to be looked at.
    pub(super) wake: Option<Instant>,
}

/// What an observation says of its subject.
pub(super) struct Fresh {
    labels: Arc<Labels>,
    parents: Arc<[TargetId]>,
    reason: Arc<str>,
}

/// What is under way to one receiver.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) receiver: ReceiverName,
    /// The message that is on its way.
    pub(super) sending: Option<u64>,
    /// How often it did not take a message with this alert.
    pub(super) refusals: u32,
    /// Not told before.
    pub(super) retry_at: Instant,
}

impl Row {
    /// Whether those who depend on its subject are excused.
    pub(super) const fn is_active(&self) -> bool {
        self.pending.is_some() || self.record.fires()
    }

    /// Whether it is the group's affair and nobody rules on it: nobody does on peers.
    pub(super) const fn is_unruled(&self) -> bool {
        matches!(self.record.scope, Scope::Group)
            && matches!(self.record.key.subject, Subject::Peer(_))
    }

    /// Whether it begins and ends where another monitor says so, and what is seen here counts when
    /// the duty comes here.
    fn is_found_elsewhere(&self) -> bool {
        self.is_unruled() && self.duty != Duty::Here
    }

    pub(super) fn attempt(&self, receiver: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|a| &*a.receiver == receiver)
    }

    pub(super) fn is_sending(&self, receiver: &str) -> bool {
        self.attempt(receiver).is_some_and(|a| a.sending.is_some())
    }

    pub(super) fn delivery_mut(&mut self, receiver: &str) -> Option<&mut Delivery> {
        let mut deliveries = self.record.deliveries.iter_mut();
        deliveries.find(|d| &*d.receiver == receiver)
    }

    fn keep_firing(&self, rule: &Rule) -> Duration {
        match rule.flapping {
            Some(flapping) if self.record.flapping => rule.keep_firing.max(flapping.steady),
            Some(_) | None => rule.keep_firing,
        }
    }
}

impl Alerts {
    /// Takes the status of a signal, and what it means for every rule.
    pub(super) fn observe(&mut self, seen: &Observation<'_>) {
        let at = seen.at.min(self.now);
        let rules: Vec<_> = self.config.rules.keys().cloned().collect();
        for rule in rules {
            let key = AlertKey {
                subject: seen.subject.clone(),
                signal: seen.signal.clone(),
                rule,
            };
            self.observe_for_rule(key, at, seen);
        }
    }

    fn observe_for_rule(&mut self, key: AlertKey, at: Instant, observation: &Observation<'_>) {
        let Some(rule) = self.config.rules.get(&key.rule) else {
            return;
        };
        let labelled = Labelled {
            key: &key,
            severity: rule.severity,
            labels: observation.labels,
        };
        let id = AlertId::of(&key);
        if !rule.is_for(&labelled) {
            // Its labels changed, and so the rule is for others now.
            self.end_alert(id, Ending::RuleGone);
            return;
        }
        let seen = rule.when.judge(observation.status);
        let severity = rule.severity;
        if !self.rows.contains_key(&id) {
            if seen != Seen::Met {
                return;
            }
            if self.rows.len() >= ALERTS_MAX {
                self.counters.overflowed += 1;
                self.outputs.push_back(Output::Full(key));
                return;
            }
            self.insert(id, new_row(key, severity, observation));
        }
        self.concern(id, &observation.concern);
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        let ruling = observation.concern.ruling();
        if ruling.is_some_and(|ruling| row.record.episode.is_later_than(ruling)) {
            // Another monitor told of what was ruled since.
            return;
        }
        row.ruling = ruling;
        let was_met = core::mem::replace(&mut row.seen, seen) == Seen::Met;
        match seen {
            Seen::Met => {
                row.fresh = Fresh::of(observation);
                row.clear_since = None;
                if !was_met {
                    row.cause = ruling;
                }
                if row.record.fires() {
                    self.adopt_parents(id);
                } else if row.pending.is_none() {
                    row.pending = Some(at);
                }
            }
            Seen::Clear => {
                let was_pending = row.pending.take().is_some();
                if row.record.fires() && row.clear_since.is_none() {
                    row.clear_since = Some(at);
                }
                if was_pending {
                    self.stir_dependants(id);
                }
            }
            Seen::Unclear => {}
        }
        self.unsettled.insert(id);
    }

    /// Puts an alert of which an earlier process wrote.
    pub(super) fn restore(&mut self, record: Record) {
        let fresh = Fresh {
            labels: Arc::clone(&record.labels),
            parents: Arc::clone(&record.parents),
            reason: Arc::clone(&record.reason),
        };
        let duty = match record.scope {
            Scope::Own => Duty::Here,
            // Not before it is known who tells of it.
            Scope::Group => Duty::There(None),
        };
        let row = Row {
            record,
            duty,
            cause: None,
            ruling: None,
            announcing: None,
            seen: Seen::Unclear,
            pending: None,
            clear_since: None,
            fresh,
            attempts: Vec::new(),
            wake: None,
        };
        self.insert(AlertId::of(&row.record.key), row);
    }

    fn insert(&mut self, id: AlertId, row: Row) {
        let subject = row.record.key.subject.clone();
        self.subjects.entry(subject).or_default().insert(id);
        for parent in row.record.parents.iter() {
            let parent = self.dependants.entry(parent.clone()).or_default();
            parent.insert(id);
        }
        self.rows.insert(id, row);
    }

    fn remove(&mut self, id: AlertId) {
        let Some(row) = self.rows.remove(&id) else {
            return;
        };
        if let Some(at) = row.wake {
            self.timers.remove(&(at, Timer::Alert(id)));
        }
        self.unlink_dependant(id, &row.record.parents);
        let subject = &row.record.key.subject;
        if let Some(ids) = self.subjects.get_mut(subject) {
            ids.remove(&id);
            if ids.is_empty() {
                self.subjects.remove(subject);
            }
        }
        for lane in self.lanes.values_mut() {
            lane.queue.remove(&id);
        }
        if row.record.count > 0 {
            self.writing.note(id);
        }
    }

    fn unlink_dependant(&mut self, id: AlertId, parents: &[TargetId]) {
        for parent in parents {
            if let Some(ids) = self.dependants.get_mut(parent) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.dependants.remove(parent);
                }
            }
        }
    }

    /// Depends on what its subject depends on by now.
    fn adopt_parents(&mut self, id: AlertId) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        if row.record.parents == row.fresh.parents {
            return;
        }
        let parents = Arc::clone(&row.fresh.parents);
        let before = core::mem::replace(&mut row.record.parents, Arc::clone(&parents));
        self.writing.note(id);
        self.unlink_dependant(id, &before);
        for parent in parents.iter() {
            let parent = self.dependants.entry(parent.clone()).or_default();
            parent.insert(id);
        }
    }

    /// All alerts of a subject are over.
    pub(super) fn forget_subject(&mut self, subject: &Subject) {
        let ids = self.subjects.get(subject).cloned().unwrap_or_default();
        for id in ids {
            match self.rows.get_mut(&id) {
                Some(row) if row.is_found_elsewhere() => {
                    row.seen = Seen::Unclear;
                    row.pending = None;
                    row.clear_since = None;
                    self.unsettled.insert(id);
                }
                Some(_) | None => self.end_alert(id, Ending::SubjectGone),
            }
        }
    }

    pub(super) fn end_what_has_no_rule(&mut self) {
        let has_none = |row: &Row| {
            let rule = self.config.rules.get(&row.record.key.rule);
            !rule.is_some_and(|rule| rule.is_for(&row.labelled_freshly(rule)))
        };
        let rows = self.rows.iter().filter(|(_, row)| has_none(row));
        let ids: Vec<AlertId> = rows.map(|(&id, _)| id).collect();
        for id in ids {
            self.end_alert(id, Ending::RuleGone);
        }
    }

    /// An alert is over, whatever its condition.
    pub(super) fn end_alert(&mut self, id: AlertId, ending: Ending) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        row.seen = Seen::Unclear;
        row.clear_since = None;
        if row.pending.take().is_some() {
            self.stir_dependants(id);
        } else if row.record.fires() {
            self.resolve(id, self.now, ending);
        }
        self.unsettled.insert(id);
    }

    /// Makes an alert what it should be by now, and finds out who is to be told what, and when to
    /// look again. To do so twice changes nothing.
    pub(super) fn settle(&mut self, id: AlertId) {
        self.step(id);
        let hindrance = match self.suppression(id) {
            Some(_) => Hindrance::Suppressed,
            None => Hindrance::None,
        };
        self.choose_receivers(id);
        let outlook = self.queue_what_is_owed(id, hindrance);
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        let forget = match outlook {
            Outlook::Settled => forget_at(row, self.config.kept),
            Outlook::Later(_) | Outlook::Queued(_) => None,
        };
        if forget.is_some_and(|at| at <= self.now) {
            self.remove(id);
            return;
        }
        // What is due by now was done, so all these moments are in the future.
        let step = next_step(row, self.config.rules.get(&row.record.key.rule));
        let wake = [outlook.next(), step, forget].into_iter().flatten().min();
        if let Some(at) = row.wake.take() {
            self.timers.remove(&(at, Timer::Alert(id)));
        }
        if let Some(at) = wake {
            row.wake = wake;
            self.timers.insert((at, Timer::Alert(id)));
        } else if row.record.count == 0 && row.pending.is_none() {
            self.remove(id);
        }
    }

    /// Lets an alert fire or end, if that is due.
    fn step(&mut self, id: AlertId) {
        let Some(row) = self.rows.get(&id) else {
            return;
        };
        let rule = self.config.rules.get(&row.record.key.rule);
        let (Some(rule), Some(at)) = (rule, next_step(row, rule)) else {
            return;
        };
        if at > self.now {
            return;
        }
        if row.record.fires() {
            self.resolve(id, at, Ending::Cleared);
        } else {
            let (flapping, severity) = (rule.flapping, rule.severity);
            self.fire(id, at, flapping, severity);
        }
    }

    fn fire(&mut self, id: AlertId, at: Instant, rule: Option<Flapping>, severity: Severity) {
        let announce_until = self.announce_until();
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        row.announcing = announce_until.filter(|_| row.is_unruled());
        let record = &mut row.record;
        record.since = row.pending.take().unwrap_or(at);
        record.severity = severity;
        record.labels = Arc::clone(&row.fresh.labels);
        record.reason = Arc::clone(&row.fresh.reason);
        let began = match row.cause {
            Some((epoch, number)) => Episode {
                epoch,
                number,
                again: 0,
            },
            None => Episode {
                epoch: at.as_nanos() / 1_000_000,
                ..Episode::NONE
            },
        };
        record.episode = began.after(record.episode);
        record.count += 1;
        record.fired = at;
        record.ended = None;
        record.acknowledged = None;
        record.acknowledgements = 0;
        if record.episodes.len() == FLAP_EPISODES_MAX {
            record.episodes.remove(0);
        }
        record.episodes.push(at);
        record.flapping = rule.is_some_and(|rule| flaps(&record.episodes, rule));
        for delivery in &mut record.deliveries {
            if delivery.brief.take().is_some() {
                delivery.skipped = delivery.skipped.saturating_add(1);
                self.counters.skipped += 1;
                if let Some(lane) = self.lanes.get_mut(&delivery.receiver) {
                    lane.counters.skipped += 1;
                }
            }
        }
        row.clear_since = None;
        self.adopt_parents(id);
        self.counters.fired += 1;
        self.writing.note(id);
        self.say_moved(id, at, Phase::Firing);
    }

    /// An episode is over: whoever may know of it is to be told so, and who should have been told
    /// of it and was not.
    fn resolve(&mut self, id: AlertId, at: Instant, ending: Ending) {
        let hindered = self.suppression(id).is_some();
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        row.clear_since = None;
        let record = &mut row.record;
        record.ended = Some((at, ending));
        record.acknowledged = None;
        let past = Past {
            episode: record.episode,
            count: record.count,
            fired: record.fired,
            ended: at,
            ending,
        };
        for delivery in &mut record.deliveries {
            match &mut delivery.exposed {
                Some(exposed) if exposed.episode == past.episode => {
                    exposed.past = Some(past.clone());
                }
                Some(_) | None if delivery.wanted == past.episode && !hindered => {
                    delivery.brief = Some(past.clone());
                }
                Some(_) | None => {}
            }
        }
        self.counters.resolved += 1;
        self.writing.note(id);
        self.stir_dependants(id);
        self.say_moved(id, at, Phase::Resolved);
    }

    /// Everybody whom the rule names has an entry, and nobody else of whom there is nothing left
    /// to say.
    fn choose_receivers(&mut self, id: AlertId) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        if !row.record.fires() {
            return;
        }
        let rule = self.config.rules.get(&row.record.key.rule);
        let receivers = rule.map_or(&[][..], |rule| &rule.receivers);
        let before = row.record.deliveries.len();
        let attempts = &row.attempts;
        row.record.deliveries.retain(|d| {
            let sending = attempts
                .iter()
                .any(|a| a.receiver == d.receiver && a.sending.is_some());
            receivers.contains(&d.receiver) || d.exposed.is_some() || d.brief.is_some() || sending
        });
        let mut changed = row.record.deliveries.len() != before;
        for receiver in receivers {
            if !row
                .record
                .deliveries
                .iter()
                .any(|d| d.receiver == *receiver)
            {
                row.record.deliveries.push(Delivery::new(receiver.clone()));
                changed = true;
            }
        }
        if changed {
            self.writing.note(id);
        }
    }

    /// Queues what is owed now, and says when something else will be.
    fn queue_what_is_owed(&mut self, id: AlertId, hindrance: Hindrance) -> Outlook {
        let now = self.now;
        let Some(row) = self.rows.get_mut(&id) else {
            return Outlook::Settled;
        };
        let rule = self.config.rules.get(&row.record.key.rule);
        let (fires, episode) = (row.record.fires(), row.record.episode);
        let mut outlook = Outlook::Settled;
        let mut abandoned = 0;
        for at in 0..row.record.deliveries.len() {
            let name = row.record.deliveries[at].receiver.clone();
            let receiver = self.config.receivers.get(&name);
            let abandon = receiver.map_or(ABANDON_UNKNOWN, |r| r.abandon);
            let delivery = &mut row.record.deliveries[at];
            let routed = rule.is_some_and(|rule| rule.receivers.contains(&name));
            if fires && routed && hindrance == Hindrance::None && delivery.wanted < episode {
                // Also if it cannot be told yet, as the end of the one before comes first.
                delivery.wanted = episode;
                self.writing.note(id);
            }
            match abandon_at(delivery, abandon) {
                Some(at) if at <= now => {
                    delivery.exposed = None;
                    delivery.brief = None;
                    abandoned += 1;
                    if let Some(lane) = self.lanes.get_mut(&name) {
                        lane.counters.abandoned += 1;
                    }
                }
                Some(at) => outlook = outlook.at(at),
                None => {}
            }
            if row.is_sending(&name) {
                continue;
            }
            let (Some(receiver), Some(lane)) = (receiver, self.lanes.get_mut(&name)) else {
                continue;
            };
            let delivery = &row.record.deliveries[at];
            match owed(&row.record, delivery, rule, receiver, hindrance, now) {
                Owed::Nothing => {}
                Owed::Later(at) => outlook = outlook.at(at),
                Owed::Now(_) if row.duty != Duty::Here => {}
                Owed::Now(_) if row.announcing.is_some_and(|until| until > now) => {
                    outlook = row.announcing.map_or(outlook, |until| outlook.at(until));
                }
                Owed::Now(_) => {
                    outlook = outlook.queued();
                    if let Entry::Vacant(place) = lane.queue.entry(id) {
                        place.insert(now);
                        self.stirred.insert(name);
                    }
                }
            }
        }
        if abandoned > 0 {
            self.counters.abandoned += abandoned;
            self.writing.note(id);
        }
        outlook
    }

    /// Looks again at those who depend on the subject of an alert.
    pub(super) fn stir_dependants(&mut self, id: AlertId) {
        let subject = self.rows.get(&id).map(|row| &row.record.key.subject);
        if let Some(Subject::Target(target)) = subject
            && let Some(dependants) = self.dependants.get(target)
        {
            self.unsettled.extend(dependants);
        }
    }

    pub(super) fn say_moved(&mut self, id: AlertId, at: Instant, to: Phase) {
        if let Some(row) = self.rows.get(&id) {
            let key = row.record.key.clone();
            self.outputs.push_back(Output::Moved {
                alert: id,
                key,
                episode: row.record.episode,
                at,
                to,
            });
        }
    }
}

impl Row {
    /// What conditions look at, by the newest observation.
    fn labelled_freshly(&self, rule: &Rule) -> Labelled<'_> {
        Labelled {
            key: &self.record.key,
            severity: rule.severity,
            labels: &self.fresh.labels,
        }
    }
}

impl Fresh {
    fn of(observation: &Observation<'_>) -> Self {
        let parents = observation.parents;
        let parents = match parents.get(..PARENTS_MAX) {
            Some(first) => first.into(),
            None => Arc::clone(parents),
        };
        Self {
            labels: Arc::clone(observation.labels),
            parents,
            reason: cut(observation.reason).into(),
        }
    }
}

/// What is to come of an alert's deliveries.
#[derive(Clone, Copy)]
enum Outlook {
    /// Nothing, unless something happens.
    Settled,
    /// Something at that moment.
    Later(Instant),
    /// Something waits for its receiver; and perhaps something else comes later.
    Queued(Option<Instant>),
}

impl Outlook {
    fn at(self, at: Instant) -> Self {
        match self {
            Self::Settled => Self::Later(at),
            Self::Later(other) => Self::Later(other.min(at)),
            Self::Queued(other) => Self::Queued(Some(other.map_or(at, |other| other.min(at)))),
        }
    }

    const fn queued(self) -> Self {
        Self::Queued(self.next())
    }

    const fn next(self) -> Option<Instant> {
        match self {
            Self::Settled => None,
            Self::Later(at) => Some(at),
            Self::Queued(at) => at,
        }
    }
}

fn new_row(key: AlertKey, severity: Severity, observation: &Observation<'_>) -> Row {
    let fresh = Fresh::of(observation);
    Row {
        record: Record {
            key,
            severity,
            labels: Arc::clone(&fresh.labels),
            parents: Arc::clone(&fresh.parents),
            reason: Arc::clone(&fresh.reason),
            scope: Scope::Own,
            episode: Episode::NONE,
            count: 0,
            since: Instant::ORIGIN,
            fired: Instant::ORIGIN,
            ended: None,
            acknowledged: None,
            acknowledgements: 0,
            episodes: Vec::new(),
            flapping: false,
            deliveries: Vec::new(),
        },
        duty: Duty::Here,
        cause: None,
        ruling: None,
        announcing: None,
        seen: Seen::Unclear,
        pending: None,
        clear_since: None,
        fresh,
        attempts: Vec::new(),
        wake: None,
    }
}

/// When an alert fires or ends, if its condition stays as it is.
fn next_step(row: &Row, rule: Option<&Rule>) -> Option<Instant> {
    let rule = rule?;
    if row.is_found_elsewhere() {
        return None;
    }
    match (row.seen, row.pending, row.clear_since) {
        (Seen::Met, Some(since), _) => Some(since.after(rule.hold)),
        (Seen::Clear, _, Some(since)) if row.record.fires() => {
            Some(since.after(row.keep_firing(rule)))
        }
        (Seen::Met | Seen::Clear | Seen::Unclear, _, _) => None,
    }
}

/// When an alert is forgotten: a while after it is over, if everybody was told.
fn forget_at(row: &Row, kept: Duration) -> Option<Instant> {
    let (ended, _) = row.record.ended?;
    let told = |d: &Delivery| d.exposed.is_none() && d.brief.is_none();
    let quiet = row.attempts.iter().all(|a| a.sending.is_none());
    let over = row.pending.is_none() && quiet && row.record.deliveries.iter().all(told);
    over.then(|| ended.after(kept))
}

/// When it is given up to tell a receiver that an episode is over.
fn abandon_at(delivery: &Delivery, abandon: Duration) -> Option<Instant> {
    let exposed = delivery.exposed.as_ref().and_then(|e| e.past.as_ref());
    let past = exposed.into_iter().chain(&delivery.brief);
    past.map(|past| past.ended.after(abandon)).max()
}

fn flaps(episodes: &[Instant], rule: Flapping) -> bool {
    let first = episodes.len().checked_sub(rule.episodes);
    let first = first.and_then(|at| episodes.get(at));
    match (first, episodes.last()) {
        (Some(first), Some(last)) => last.since(*first) <= rule.window,
        (None, _) | (_, None) => false,
    }
}

/// The first [`REASON_BYTES_MAX`] bytes, less the rest of a character that is cut.
fn cut(reason: &str) -> String {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].into()
}
