//! The alerts of a group of monitors: who tells of them, and what the others are told.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::Alerts;
use super::episodes::Row;
use super::input::Phase;
use super::join;
use super::key::{AlertId, Subject};
use super::record::{Ending, Record, Scope};
use super::rule::Seen;
use crate::bounds::{ALERTS_MAX, ALERTS_PER_LETTER_MAX};
use crate::monitor::observers::MonitorName;
use crate::time::Instant;

/// How long nobody is told of an episode that most of the group do not know of yet: one that died
/// and is not missed yet answers nothing, and in a group of two nobody else can.
pub const ANNOUNCE_PATIENCE: Duration = Duration::from_secs(2);

/// Who tells of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Duty {
    /// This monitor.
    Here,
    /// Another one; none where it is not known which, and nobody does.
    There(Option<MonitorName>),
}

/// Whose affair the status of a signal is.
#[derive(Clone, Copy, Debug)]
pub enum Concern<'a> {
    /// This monitor's alone.
    Own,
    /// The group's.
    Group {
        /// The ruling that found the status: when rulings on the target began, and its number.
        ruling: (u64, u64),
        /// Who tells of it.
        duty: &'a Duty,
    },
    /// The group's, and nobody rules on it, as with metrics of peers: each monitor sees for itself,
    /// and what the one sees who tells of it holds.
    Unruled {
        /// Who tells of it.
        duty: &'a Duty,
    },
}

impl Concern<'_> {
    /// The ruling, where a group rules.
    pub(super) const fn ruling(&self) -> Option<(u64, u64)> {
        match self {
            Self::Own | Self::Unruled { .. } => None,
            Self::Group { ruling, .. } => Some(*ruling),
        }
    }
}

/// What one monitor says to another of alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// The sender's process: another number after each start.
    pub session: u64,
    /// What the sender's clock showed.
    pub sent_at: Instant,
    /// Alerts as the sender knows them, at most
    /// [`ALERTS_PER_LETTER_MAX`](crate::bounds::ALERTS_PER_LETTER_MAX).
    pub alerts: Vec<Shared>,
}

/// An alert in a letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    /// How it is.
    pub record: Record,
    /// Whether the sender has the duty to tell of it: then its word stands.
    pub on_duty: bool,
}

/// What came of a letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Subjects of alerts that were not known here: how they are, and who tells of them, is to be
    /// told this machine.
    pub newcomers: BTreeSet<Subject>,
}

/// What another monitor is still to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    dirty: BTreeSet<AlertId>,
    /// Alerts in the letter that is on its way.
    flight: Option<BTreeSet<AlertId>>,
    /// Whether it knows of this process.
    greeted: bool,
    /// The other one's process, as far as it is known.
    session: Option<u64>,
}

impl Outbox {
    /// Whether the other one knows an alert as it is by now.
    fn told(&self, id: AlertId) -> bool {
        let waits = self.dirty.contains(&id);
        self.greeted && !waits && self.flight.as_ref().is_none_or(|it| !it.contains(&id))
    }
}

impl Alerts {
    /// Says which other monitors are to know what is told here.
    pub fn set_colleagues(&mut self, now: Instant, names: &[MonitorName]) {
        self.begin(now);
        self.outboxes.retain(|name, _| names.contains(name));
        for name in names {
            if !self.outboxes.contains_key(name) {
                let dirty = self.of_interest_to(name);
                let outbox = Outbox {
                    dirty,
                    ..Outbox::default()
                };
                self.outboxes.insert(name.clone(), outbox);
            }
        }
        self.end();
    }

    /// The next letter to another monitor, if there is something to say and none is on its way.
    /// What came of it is to be told with [`letter_taken`](Self::letter_taken) or
    /// [`letter_lost`](Self::letter_lost).
    #[must_use]
    pub fn poll_letter(&mut self, now: Instant, to: &MonitorName) -> Option<Letter> {
        let outbox = self.outboxes.get_mut(to)?;
        if outbox.flight.is_some() || (outbox.greeted && outbox.dirty.is_empty()) {
            return None;
        }
        let mut flight = BTreeSet::new();
        while flight.len() < ALERTS_PER_LETTER_MAX
            && let Some(id) = outbox.dirty.pop_first()
        {
            flight.insert(id);
        }
        let rows = flight.iter().filter_map(|id| self.rows.get(id));
        let alerts = rows.filter(|row| row.record.count > 0).map(|row| Shared {
            record: row.record.clone(),
            on_duty: row.duty == Duty::Here,
        });
        let letter = Letter {
            session: self.session,
            sent_at: self.now.max(now),
            alerts: alerts.collect(),
        };
        outbox.flight = Some(flight);
        Some(letter)
    }

    /// The letter on its way was taken, by the process with this number.
    pub fn letter_taken(&mut self, now: Instant, by: &MonitorName, session: u64) {
        self.begin(now);
        let mut taken = BTreeSet::new();
        if let Some(outbox) = self.outboxes.get_mut(by) {
            taken = outbox.flight.take().unwrap_or_default();
            outbox.greeted = true;
        }
        self.note_session(by, session);
        for id in taken {
            self.note_announced(id);
        }
        self.end();
    }

    /// Notes whether most of the group know an alert as it is by now.
    fn note_announced(&mut self, id: AlertId) {
        let knowing = self.outboxes.values().filter(|outbox| outbox.told(id));
        let most = knowing.count() >= self.outboxes.len().div_ceil(2);
        if let Some(row) = self.rows.get_mut(&id)
            && row.announcing.is_some()
            && most
        {
            row.announcing = None;
            self.unsettled.insert(id);
        }
    }

    /// Until when nobody is told of an episode that begins here, unless most of the group know of
    /// it before: else whoever is to tell next could call it by another name.
    pub(super) fn announce_until(&self) -> Option<Instant> {
        let others = !self.outboxes.is_empty();
        others.then(|| self.now.after(ANNOUNCE_PATIENCE))
    }

    /// The letter on its way may not have been taken: what was in it is told again.
    pub fn letter_lost(&mut self, now: Instant, to: &MonitorName) {
        self.begin(now);
        if let Some(outbox) = self.outboxes.get_mut(to) {
            outbox
                .dirty
                .extend(outbox.flight.take().unwrap_or_default());
        }
        self.end();
    }

    /// Takes what another monitor says.
    pub fn take_letter(&mut self, now: Instant, from: &MonitorName, letter: Letter) -> Taken {
        self.begin(now);
        let mut taken = Taken::default();
        for Shared { record, on_duty } in letter.alerts {
            self.counters.heard += 1;
            let record = shifted(record, letter.sent_at, self.now);
            self.hear(from, record, on_duty, &mut taken);
        }
        self.note_session(from, letter.session);
        self.end();
        taken
    }

    /// The number by which other monitors tell this process from those before it.
    #[must_use]
    pub const fn session(&self) -> u64 {
        self.session
    }

    /// Alerts of which other monitors are still to be told, once for each monitor.
    #[must_use]
    pub fn untold_colleagues(&self) -> usize {
        let waiting = |outbox: &Outbox| {
            let flight = outbox.flight.as_ref().map_or(0, BTreeSet::len);
            outbox.dirty.len() + flight
        };
        self.outboxes.values().map(waiting).sum()
    }

    /// Another process than the one that was told knows nothing of it.
    fn note_session(&mut self, of: &MonitorName, session: u64) {
        let everything = self.of_interest_to(of);
        if let Some(outbox) = self.outboxes.get_mut(of)
            && outbox.session.replace(session) != Some(session)
        {
            outbox.dirty = everything;
        }
    }

    /// What a monitor that knows nothing is to be told: what this one tells people of, and what it
    /// knows of that which the other one is to tell them.
    fn of_interest_to(&self, name: &MonitorName) -> BTreeSet<AlertId> {
        let concerns = |row: &Row| match &row.duty {
            Duty::Here => row.record.scope == Scope::Group,
            Duty::There(holder) => holder.as_ref() == Some(name),
        };
        let rows = self.rows.iter().filter(|(_, row)| concerns(row));
        rows.map(|(&id, _)| id).collect()
    }

    /// What every call ends with: what changed here is to be told the others, if people are told
    /// here.
    pub(super) fn share(&mut self) {
        for id in self.writing.take_fresh() {
            let shared = |row: &Row| row.duty == Duty::Here && row.record.scope == Scope::Group;
            if !self.outboxes.is_empty() && self.rows.get(&id).is_some_and(shared) {
                self.share_with_all(id);
            }
        }
    }

    pub(super) fn share_with_all(&mut self, id: AlertId) {
        if self
            .rows
            .get(&id)
            .is_some_and(|row| row.record.scope == Scope::Group)
        {
            for outbox in self.outboxes.values_mut() {
                outbox.dirty.insert(id);
            }
        }
    }

    /// What was confirmed here is to be known where people are told by now.
    pub(super) fn share_with_holder(&mut self, id: AlertId) {
        if let Some(Duty::There(Some(holder))) = self.rows.get(&id).map(|row| &row.duty)
            && let Some(outbox) = self.outboxes.get_mut(holder)
        {
            outbox.dirty.insert(id);
        }
    }

    /// Notes whose affair an alert is.
    pub(super) fn concern(&mut self, id: AlertId, concern: &Concern<'_>) {
        let (scope, duty) = match concern {
            Concern::Own => (Scope::Own, &Duty::Here),
            Concern::Group { duty, .. } | Concern::Unruled { duty } => (Scope::Group, *duty),
        };
        if let Some(row) = self.rows.get_mut(&id)
            && row.record.scope != scope
        {
            row.record.scope = scope;
            if row.record.count > 0 {
                self.writing.note(id);
            }
        }
        self.set_duty_of(id, duty);
    }

    pub(super) fn set_duty(&mut self, subject: &Subject, duty: &Duty) {
        let ids = self.subjects.get(subject).cloned().unwrap_or_default();
        for id in ids {
            if self
                .rows
                .get(&id)
                .is_some_and(|row| row.record.scope == Scope::Group)
            {
                self.set_duty_of(id, duty);
            }
        }
    }

    fn set_duty_of(&mut self, id: AlertId, duty: &Duty) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        if row.duty == *duty {
            return;
        }
        row.duty = duty.clone();
        let is_known = row.record.count > 0;
        let has_rule = self.config.rules.contains_key(&row.record.key.rule);
        self.unsettled.insert(id);
        match duty {
            Duty::Here => {
                if is_known {
                    self.counters.taken_over += 1;
                    self.share_with_all(id);
                }
                if !has_rule {
                    self.end_alert(id, Ending::RuleGone);
                }
            }
            Duty::There(_) => self.share_with_holder(id),
        }
    }

    /// Takes how another monitor knows an alert.
    fn hear(&mut self, from: &MonitorName, theirs: Record, on_duty: bool, taken: &mut Taken) {
        let id = AlertId::of(&theirs.key);
        let Some(row) = self.rows.get(&id) else {
            if self.rows.len() >= ALERTS_MAX {
                self.counters.overflowed += 1;
                return;
            }
            taken.newcomers.insert(theirs.key.subject.clone());
            let theirs = Record {
                scope: Scope::Group,
                ..theirs
            };
            self.restore(theirs);
            if on_duty {
                self.set_duty_of(id, &Duty::There(Some(from.clone())));
            }
            self.counters.adopted += 1;
            self.writing.note(id);
            self.unsettled.insert(id);
            self.stir_dependants(id);
            return;
        };
        if row.record.scope == Scope::Own {
            return;
        }
        let mine = &row.record;
        let adopted = match (&row.duty, on_duty) {
            (Duty::Here, _) => join::joined(mine, &theirs),
            (Duty::There(_), true) => join::with_acknowledgement_of(theirs, mine),
            // Who tells it this expects it to have the duty soon.
            (Duty::There(_), false) => join::joined(mine, &theirs),
        };
        if !join::say_the_same(mine, &adopted) {
            self.adopt(id, adopted);
        }
    }

    /// Takes how an alert is, and lets it go on from there as the last status says.
    fn adopt(&mut self, id: AlertId, record: Record) {
        let now = self.now;
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        let before = (row.record.fires(), row.record.episode);
        // On whom it depends is known here as well as there.
        let parents = Arc::clone(&row.record.parents);
        row.record = Record { parents, ..record };
        if row.record.episode != before.1 {
            row.announcing = None;
        }
        let (fires, episode) = (row.record.fires(), row.record.episode);
        // The other monitor knows of a ruling that is not known here yet.
        let is_behind = match row.seen {
            Seen::Met | Seen::Clear if row.is_unruled() => false,
            Seen::Met => !fires && row.cause.is_none_or(|it| episode.is_not_before(it)),
            Seen::Clear => fires && row.ruling.is_none_or(|it| episode.is_not_before(it)),
            Seen::Unclear => false,
        };
        if is_behind {
            row.seen = Seen::Unclear;
            row.pending = None;
            row.clear_since = None;
        }
        if fires {
            row.pending = None;
            let clear_since = (row.seen == Seen::Clear).then_some(now);
            row.clear_since = row.clear_since.or(clear_since);
        } else {
            row.clear_since = None;
            if row.seen == Seen::Met {
                row.pending = row.pending.or(Some(now));
            }
        }
        let after = (fires, row.record.episode);
        self.counters.adopted += 1;
        self.writing.note(id);
        self.unsettled.insert(id);
        self.stir_dependants(id);
        if before != after {
            let to = if fires {
                Phase::Firing
            } else {
                Phase::Resolved
            };
            self.say_moved(id, now, to);
        }
    }
}

/// A record of another monitor with its moments on this one's clock: ages travel, clocks are not
/// compared.
fn shifted(mut record: Record, sent_at: Instant, now: Instant) -> Record {
    let shift = |at: &mut Instant| {
        *at = now.before(sent_at.since(*at)).after(at.since(sent_at));
    };
    shift(&mut record.since);
    shift(&mut record.fired);
    if let Some((at, _)) = &mut record.ended {
        shift(at);
    }
    if let Some(acknowledged) = &mut record.acknowledged {
        shift(&mut acknowledged.at);
    }
    record.episodes.iter_mut().for_each(shift);
    for delivery in &mut record.deliveries {
        if delivery.told_at > Instant::ORIGIN {
            shift(&mut delivery.told_at);
        }
        let exposed = delivery.exposed.iter_mut().filter_map(|e| e.past.as_mut());
        for past in exposed.chain(&mut delivery.brief) {
            shift(&mut past.fired);
            shift(&mut past.ended);
        }
    }
    record
}
