//! What peers published to one monitor of a group, on its way to the others: so all of them have
//! the same windows, and whoever has the duty judges by everything that came.
//!
//! To each other monitor goes one letter at a time, and again until it is taken. It has the
//! readings that came here over HTTP, what was forgotten here, and which peers are judged here. Who
//! says that it judges more peers than before, as when it has started, is told the newest readings
//! of those. What members publish over their agents is heard by every monitor and is not passed on;
//! where one did not hear it, it asks the others before it finds a metric failed, and their answers
//! have what is newer there.
//!
//! The age of a reading travels, not the moment, so clocks are not compared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::observers::MonitorName;
use auscult_core::peer_metric::{Kept, MetricLog, Reading, Validity};
use auscult_core::time::{Instant, nanos};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::PeerMonitor;
use crate::alerts::Roll;

/// Readings that wait for one monitor at most. When there are more, it is told the newest of each
/// metric instead.
const WAITING_MAX: usize = 16_384;

/// Readings in one letter at most.
const LETTER_MAX: usize = 500;

/// What was forgotten lately that is remembered at most, so that a reading that was under way does
/// not bring it back.
const FORGOTTEN_MAX: usize = 1_024;

/// What one monitor tells another of what peers published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingsRecord {
    /// The sender's process: another number after each start.
    pub(super) session: u64,
    /// Letters of that process to this monitor are counted from 1; one that comes again was taken.
    pub(super) number: u64,
    /// Which peers are judged there, where that is news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) roll: Option<RollRecord>,
    pub(super) items: Vec<ItemRecord>,
    /// Metrics that are due there. The answer has what is newer here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) asked: Vec<QuestionRecord>,
}

/// A metric that is due, and others are asked whether they heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QuestionRecord {
    pub(super) metric: String,
    pub(super) peer: String,
    /// How long before this letter the newest reading came that the sender has, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) age_us: Option<u64>,
}

/// A metric of a peer.
type Question = (SignalName, TargetId);

/// Which peers a monitor judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RollRecord {
    Anybody,
    Named(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ItemRecord {
    /// It came to the sender lately.
    Published(ReadingRecord),
    /// It is the newest that the sender has, and may be known.
    Known(ReadingRecord),
    /// Somebody asked the sender to forget it.
    Forgotten {
        peer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metric: Option<String>,
    },
}

/// A reading in a letter, or in its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingRecord {
    pub(super) metric: String,
    pub(super) peer: String,
    pub(super) value: String,
    pub(super) ttl_us: u64,
    pub(super) valid: bool,
    pub(super) weight: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) epoch: Option<u64>,
    /// How long before this letter it came.
    pub(super) age_us: u64,
}

impl ReadingRecord {
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading {
            metric: &self.metric,
            peer: &self.peer,
            value: &self.value,
            ttl: Duration::from_micros(self.ttl_us),
            valid: match self.valid {
                true => Validity::Valid,
                false => Validity::Invalid,
            },
            weight: self.weight,
            epoch: self.epoch,
        }
    }
}

/// What was counted of readings between monitors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounters {
    /// Taken by another monitor, once for each that took it.
    pub sent: u64,
    /// Not passed on one by one, as too many waited.
    pub dropped: u64,
    /// Came from other monitors and were news.
    pub taken: u64,
}

/// Keeps what is to be told other monitors.
#[derive(Default)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// There is more to be told.
    filled: Notify,
}

#[derive(Default)]
struct State {
    outboxes: BTreeMap<MonitorName, Outbox>,
    /// Which peers are judged here, and how often that changed.
    roll: Option<Roll>,
    rolls: u64,
    /// What was forgotten last, and when: a peer, or one metric of it.
    forgotten: VecDeque<(String, Option<String>, Instant)>,
    counters: ExchangeCounters,
}

/// What one other monitor is to be told.
#[derive(Default)]
struct Outbox {
    waiting: VecDeque<Item>,
    /// Metrics of peers of which it may not have the newest reading.
    owed: VecDeque<(SignalName, TargetId)>,
    /// What it is to be asked, and what it is asked in the letter on its way.
    unasked: BTreeSet<Question>,
    asking: BTreeSet<Question>,
    /// What is in the letter on its way.
    flight: Option<Vec<Item>>,
    /// The number of that letter, or of the last one.
    number: u64,
    /// Which of our rolls it was told, or is being told.
    told_roll: u64,
    telling_roll: bool,
    heard: Heard,
}

/// What came from one other monitor.
#[derive(Default)]
struct Heard {
    session: Option<u64>,
    number: u64,
    roll: Option<Roll>,
}

#[derive(Clone)]
enum Item {
    Published(Passed),
    Known(Passed),
    Forgotten {
        peer: String,
        metric: Option<String>,
    },
}

/// A reading, with the moment at which it came.
#[derive(Clone)]
struct Passed {
    record: ReadingRecord,
    received_at: Instant,
}

impl Exchange {
    /// What was counted.
    pub(super) fn counters(&self) -> ExchangeCounters {
        self.state.lock().counters
    }

    /// Notes which peers are judged here.
    pub(super) fn set_roll(&self, roll: Roll) {
        let mut state = self.state.lock();
        if state.roll.as_ref() == Some(&roll) {
            return;
        }
        state.roll = Some(roll);
        state.rolls += 1;
        drop(state);
        self.filled.notify_waiters();
    }

    /// Notes which other monitors are there, and tells what that changes.
    pub(super) fn meet(&self, names: &[MonitorName]) -> Met {
        let mut state = self.state.lock();
        let known: BTreeSet<MonitorName> = state.outboxes.keys().cloned().collect();
        let (mut come, mut gone) = (Vec::new(), Vec::new());
        let mut unanswered = BTreeSet::new();
        for name in known.iter().filter(|name| !names.contains(name)) {
            if let Some(outbox) = state.outboxes.remove(name) {
                unanswered.extend(outbox.unasked.into_iter().chain(outbox.asking));
            }
            gone.push(name.clone());
        }
        for name in names.iter().filter(|name| !known.contains(name)) {
            state.outboxes.insert(name.clone(), Outbox::default());
            come.push(name.clone());
        }
        Met {
            come,
            gone,
            answered: state.without_open(unanswered),
        }
    }

    /// Asks those that judge the peers, and tells of which nobody can be asked. Never waits.
    pub(super) fn ask(&self, questions: Vec<Question>) -> Vec<Question> {
        if questions.is_empty() {
            return questions;
        }
        let mut state = self.state.lock();
        for outbox in state.outboxes.values_mut() {
            let asked = questions.iter().filter(|(_, peer)| outbox.judges(peer));
            let asked: Vec<Question> = asked.cloned().collect();
            outbox.unasked.extend(asked);
        }
        let unasked = state.without_open(questions);
        drop(state);
        self.filled.notify_waiters();
        unasked
    }

    /// Passes on what a peer published here. Never waits.
    pub(super) fn pass_on(&self, reading: &Reading<'_>, received_at: Instant) {
        self.put_for_all(reading.peer, || {
            Item::Published(Passed {
                record: record(reading),
                received_at,
            })
        });
    }

    /// Passes on that somebody asked to forget this.
    pub(super) fn pass_on_forgotten(&self, peer: &str, metric: Option<&str>) {
        self.put_for_all(peer, || Item::Forgotten {
            peer: peer.to_owned(),
            metric: metric.map(str::to_owned),
        });
    }

    /// Notes that somebody asked to forget this: readings of before are not taken from others.
    pub(super) fn note_forgotten(&self, peer: &str, metric: Option<&str>, now: Instant) {
        let mut state = self.state.lock();
        if state.forgotten.len() == FORGOTTEN_MAX {
            state.forgotten.pop_front();
        }
        let (peer, metric) = (peer.to_owned(), metric.map(str::to_owned));
        state.forgotten.push_back((peer, metric, now));
    }

    /// Whether somebody asked to forget what came at this moment.
    pub(super) fn is_forgotten(&self, peer: &str, metric: &str, received_at: Instant) -> bool {
        let state = self.state.lock();
        state.forgotten.iter().any(|(of, what, at)| {
            received_at <= *at && of == peer && what.as_deref().is_none_or(|what| what == metric)
        })
    }

    /// Puts an item for all that may judge the peer.
    fn put_for_all(&self, peer: &str, make: impl Fn() -> Item) {
        let mut state = self.state.lock();
        if state.outboxes.is_empty() {
            return;
        }
        let mut dropped = 0;
        for outbox in state.outboxes.values_mut() {
            if outbox.judges(peer) {
                dropped += outbox.put(make());
            }
        }
        state.counters.dropped += dropped;
        drop(state);
        self.filled.notify_waiters();
    }

    /// Notes a letter of another monitor. Tells whether it is new; none where the sender is not met
    /// yet, and is to try again.
    pub(super) fn note_letter(
        &self,
        from: &MonitorName,
        session: u64,
        number: u64,
    ) -> Option<bool> {
        let mut state = self.state.lock();
        let heard = &mut state.outboxes.get_mut(from)?.heard;
        if heard.session.replace(session) != Some(session) {
            *heard = Heard {
                session: Some(session),
                ..Heard::default()
            };
        }
        let is_new = number > heard.number;
        heard.number = heard.number.max(number);
        Some(is_new)
    }

    /// Notes which peers another monitor judges: it is to be told what `newest` there is of those
    /// that it did not judge before.
    pub(super) fn note_roll(
        &self,
        from: &MonitorName,
        roll: &Roll,
        newest: Vec<(SignalName, TargetId)>,
    ) {
        let mut state = self.state.lock();
        let Some(outbox) = state.outboxes.get_mut(from) else {
            return;
        };
        let before = outbox.heard.roll.replace(roll.clone());
        let is_new = |peer: &TargetId| {
            roll.has(peer) && !before.as_ref().is_some_and(|before| before.has(peer))
        };
        let of_new = newest.into_iter().filter(|(_, peer)| is_new(peer));
        outbox.owed.extend(of_new);
        drop(state);
        self.filled.notify_waiters();
    }

    pub(super) fn count_taken(&self) {
        self.state.lock().counters.taken += 1;
    }

    /// The next letter to another monitor, as soon as there is something to say; none when it is
    /// gone.
    pub(super) async fn next(
        &self,
        monitor: &PeerMonitor,
        session: u64,
        to: &MonitorName,
    ) -> Option<ReadingsRecord> {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            match self.poll(monitor, session, to) {
                Next::Letter(letter) => return Some(letter),
                Next::Gone => return None,
                Next::Nothing => filled.await,
            }
        }
    }

    fn poll(&self, monitor: &PeerMonitor, session: u64, to: &MonitorName) -> Next {
        let mut state = self.state.lock();
        let (roll, rolls) = (state.roll.clone(), state.rolls);
        let Some(outbox) = state.outboxes.get_mut(to) else {
            return Next::Gone;
        };
        if outbox.flight.is_none() {
            let is_roll_new = outbox.told_roll != rolls;
            if outbox.has_nothing_to_say() && !is_roll_new {
                return Next::Nothing;
            }
            outbox.number += 1;
            outbox.telling_roll = is_roll_new;
            outbox.told_roll = rolls;
            let count = outbox.waiting.len().min(LETTER_MAX);
            let mut items: Vec<Item> = outbox.waiting.drain(..count).collect();
            while items.len() < LETTER_MAX
                && let Some((metric, peer)) = outbox.owed.pop_front()
            {
                items.extend(monitor.read(|log, _| {
                    let view = log.series(&metric, &peer)?;
                    let newest = view.readings().next()?;
                    // One that an earlier process took has its time again here alone.
                    newest
                        .earlier
                        .is_zero()
                        .then(|| Item::Known(passed(&metric, &peer, view.epoch(), newest)))
                }));
            }
            outbox.flight = Some(items);
            outbox.ask_some();
        }
        let now = monitor.clock().now();
        let items = outbox.flight.iter().flatten();
        Next::Letter(ReadingsRecord {
            session,
            number: outbox.number,
            roll: roll.filter(|_| outbox.telling_roll).map(RollRecord::of),
            items: items.map(|item| item.record(now)).collect(),
            asked: monitor.read(|log, now| {
                let asking = outbox.asking.iter();
                asking.map(|it| QuestionRecord::of(log, now, it)).collect()
            }),
        })
    }

    /// The letter on its way was taken. Tells what all that could be asked have answered by that.
    pub(super) fn letter_taken(&self, by: &MonitorName) -> Vec<Question> {
        let mut state = self.state.lock();
        let Some(outbox) = state.outboxes.get_mut(by) else {
            return Vec::new();
        };
        let sent = outbox.flight.take().map_or(0, |items| items.len() as u64);
        let asked = std::mem::take(&mut outbox.asking);
        state.counters.sent += sent;
        state.without_open(asked)
    }
}

/// What it changes which other monitors are there.
pub(super) struct Met {
    pub(super) come: Vec<MonitorName>,
    pub(super) gone: Vec<MonitorName>,
    /// What nobody is left to answer.
    pub(super) answered: Vec<Question>,
}

impl State {
    /// Those of these questions that nobody is still to answer.
    fn without_open(&self, questions: impl IntoIterator<Item = Question>) -> Vec<Question> {
        let is_open = |question: &Question| {
            let mut outboxes = self.outboxes.values();
            outboxes.any(|it| it.unasked.contains(question) || it.asking.contains(question))
        };
        let questions = questions.into_iter();
        questions.filter(|question| !is_open(question)).collect()
    }
}

enum Next {
    Letter(ReadingsRecord),
    Nothing,
    Gone,
}

impl Outbox {
    /// Whether it may judge this peer.
    fn judges(&self, peer: &str) -> bool {
        self.heard.roll.as_ref().is_none_or(|roll| roll.has(peer))
    }

    fn has_nothing_to_say(&self) -> bool {
        self.waiting.is_empty() && self.owed.is_empty() && self.unasked.is_empty()
    }

    /// Puts into the letter on its way what there is room for.
    fn ask_some(&mut self) {
        while self.asking.len() < LETTER_MAX
            && let Some(question) = self.unasked.pop_first()
        {
            self.asking.insert(question);
        }
    }

    /// Puts an item; tells how many it took the place of.
    fn put(&mut self, item: Item) -> u64 {
        let mut dropped = 0;
        if self.waiting.len() >= WAITING_MAX {
            let mut kept = VecDeque::new();
            let mut owed = BTreeSet::new();
            for item in self.waiting.drain(..) {
                match &item {
                    Item::Published(passed) | Item::Known(passed) => {
                        dropped += 1;
                        owed.extend(passed.names());
                    }
                    Item::Forgotten { .. } => kept.push_back(item),
                }
            }
            kept.truncate(WAITING_MAX / 2);
            self.waiting = kept;
            owed.extend(self.owed.drain(..));
            self.owed = owed.into_iter().collect();
        }
        self.waiting.push_back(item);
        dropped
    }
}

impl Item {
    fn record(&self, now: Instant) -> ItemRecord {
        match self {
            Self::Published(passed) => ItemRecord::Published(passed.aged(now)),
            Self::Known(passed) => ItemRecord::Known(passed.aged(now)),
            Self::Forgotten { peer, metric } => ItemRecord::Forgotten {
                peer: peer.clone(),
                metric: metric.clone(),
            },
        }
    }
}

impl Passed {
    fn aged(&self, now: Instant) -> ReadingRecord {
        ReadingRecord {
            age_us: nanos(now.since(self.received_at)) / 1_000,
            ..self.record.clone()
        }
    }

    fn names(&self) -> Option<(SignalName, TargetId)> {
        let metric = SignalName::new(&self.record.metric).ok()?;
        Some((metric, TargetId::new(&self.record.peer).ok()?))
    }
}

impl QuestionRecord {
    fn of(log: &MetricLog, now: Instant, (metric, peer): &Question) -> Self {
        let view = log.series(metric, peer);
        let newest = view.and_then(|view| view.readings().next().cloned());
        Self {
            metric: metric.to_string(),
            peer: peer.to_string(),
            age_us: newest.map(|it| nanos(now.since(it.received_at) + it.earlier) / 1_000),
        }
    }

    /// What there is in this log that is newer, as an answer to this.
    pub(super) fn answer(&self, log: &MetricLog, now: Instant) -> Option<ReadingRecord> {
        let theirs = self
            .age_us
            .map(|age| now.before(Duration::from_micros(age)));
        let newer = log.newer_than(now, &self.metric, &self.peer, theirs)?;
        let view = log.series(&self.metric, &self.peer)?;
        let passed = passed(view.metric(), view.peer(), view.epoch(), newer);
        Some(passed.aged(now))
    }
}

impl RollRecord {
    fn of(roll: Roll) -> Self {
        match roll {
            Roll::Anybody => Self::Anybody,
            Roll::Named(peers) => Self::Named(peers.iter().map(ToString::to_string).collect()),
        }
    }

    /// What it says; none where a name is none.
    pub(super) fn into_roll(self) -> Option<Roll> {
        match self {
            Self::Anybody => Some(Roll::Anybody),
            Self::Named(peers) => {
                let peers = peers.iter().map(|peer| TargetId::new(peer));
                let peers = peers.collect::<Result<BTreeSet<_>, _>>().ok()?;
                Some(Roll::Named(Arc::new(peers)))
            }
        }
    }
}

fn record(reading: &Reading<'_>) -> ReadingRecord {
    ReadingRecord {
        metric: reading.metric.to_owned(),
        peer: reading.peer.to_owned(),
        value: reading.value.to_owned(),
        ttl_us: nanos(reading.ttl) / 1_000,
        valid: reading.valid == Validity::Valid,
        weight: reading.weight,
        epoch: reading.epoch,
        age_us: 0,
    }
}

fn passed(metric: &SignalName, peer: &TargetId, epoch: Option<u64>, kept: &Kept) -> Passed {
    Passed {
        record: record(&Reading {
            metric,
            peer,
            value: &kept.value,
            ttl: kept.ttl,
            valid: kept.valid,
            weight: kept.weight,
            epoch,
        }),
        received_at: kept.received_at,
    }
}

#[cfg(test)]
mod tests {
    use auscult_core::peer_metric::{MetricLogConfig, MetricLogParams};

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn what_came_before_it_was_forgotten_is_not_taken_again() {
        let exchange = Exchange::default();
        let at = Instant::from_secs;
        exchange.note_forgotten("a", Some("free"), at(5));
        exchange.note_forgotten("b", None, at(7));
        assert!(exchange.is_forgotten("a", "free", at(5)));
        assert!(!exchange.is_forgotten("a", "free", at(6)), "it came later");
        assert!(!exchange.is_forgotten("a", "load", at(1)), "another metric");
        assert!(exchange.is_forgotten("b", "load", at(7)), "all of a peer");
        for peer in 1..FORGOTTEN_MAX {
            exchange.note_forgotten(&peer.to_string(), None, at(9));
        }
        assert!(
            !exchange.is_forgotten("a", "free", at(5)),
            "the oldest goes"
        );
        assert!(exchange.is_forgotten("b", "load", at(7)));
    }

    #[tokio::test]
    async fn a_question_is_answered_when_nobody_is_left_to_answer_it() {
        let config = MetricLogConfig::new(MetricLogParams::new()).unwrap();
        let monitor = PeerMonitor::start(config, Clock::new());
        let names = ["b", "c"].map(|name| MonitorName::new(name).unwrap());
        let [b, c] = &names;
        let question = (
            SignalName::new("load").unwrap(),
            TargetId::new("node-1").unwrap(),
        );
        let exchange = Exchange::default();
        assert_eq!(exchange.meet(&names).come, names);
        assert_eq!(exchange.ask(vec![question.clone()]), []);
        // A letter that was lost asks again.
        for _ in 0..2 {
            let letter = exchange.next(&monitor, 1, b).await.unwrap();
            assert_eq!((letter.number, letter.asked.len()), (1, 1));
            assert_eq!(letter.asked[0].age_us, None);
        }
        assert_eq!(exchange.letter_taken(b), [], "the other one is still asked");
        let met = exchange.meet(&names[..1]);
        assert_eq!(
            (met.gone, met.answered),
            (vec![c.clone()], vec![question.clone()])
        );

        exchange.note_roll(b, &Roll::Named(Arc::default()), Vec::new());
        let unasked = exchange.ask(vec![question.clone()]);
        assert_eq!(unasked, [question], "nobody else judges the peer");
        monitor.shutdown().await;
    }
}
