//! Alerts and silences as JSON, as they stand on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use auscult_core::alert::{
    Acknowledgement, AlertKey, Delivery, Ending, Episode, Exposed, Letter, Matcher, Origin, Past,
    Record, Saved, Scope, Severity, Shared, Silence, Subject, Write,
};
use auscult_core::bounds::ALERTS_PER_LETTER_MAX;
use auscult_core::id::{ReceiverName, RuleName, SignalName, SilenceName, TargetId};
use auscult_core::time::Instant;
use serde::{Deserialize, Serialize};

use crate::store::SavedTexts;

/// An alert. Moments are nanoseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Kept {
    kind: String,
    subject: String,
    signal: String,
    rule: String,
    severity: String,
    labels: BTreeMap<Box<str>, Box<str>>,
    parents: Vec<String>,
    reason: String,
    shared: bool,
    episode: KeptEpisode,
    count: u64,
    since: u64,
    fired: u64,
    ended: Option<KeptEnd>,
    acknowledged: Option<KeptAcknowledgement>,
    acknowledgements: u32,
    episodes: Vec<u64>,
    flapping: bool,
    deliveries: Vec<KeptDelivery>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct KeptEnd {
    at: u64,
    ending: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct KeptAcknowledgement {
    by: Box<str>,
    comment: Box<str>,
    at: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct KeptDelivery {
    receiver: String,
    wanted: KeptEpisode,
    told: KeptEpisode,
    told_at: u64,
    repeats: u32,
    told_end: KeptEpisode,
    exposed: Option<KeptExposed>,
    brief: Option<KeptPast>,
    skipped: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct KeptExposed {
    episode: KeptEpisode,
    past: Option<KeptPast>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct KeptPast {
    episode: KeptEpisode,
    count: u64,
    fired: u64,
    end: KeptEnd,
}

/// An episode: its epoch, its number, and which of those that are otherwise the same.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
struct KeptEpisode(u64, u64, u32);

impl From<Episode> for KeptEpisode {
    fn from(episode: Episode) -> Self {
        Self(episode.epoch, episode.number, episode.again)
    }
}

impl From<KeptEpisode> for Episode {
    fn from(KeptEpisode(epoch, number, again): KeptEpisode) -> Self {
        Self {
            epoch,
            number,
            again,
        }
    }
}

/// What one monitor says to another of alerts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct LetterRecord {
    session: u64,
    sent_at: u64,
    alerts: Vec<SharedRecord>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct SharedRecord {
    on_duty: bool,
    alert: Kept,
}

impl LetterRecord {
    pub(super) fn of(letter: &Letter) -> Self {
        let alerts = letter.alerts.iter().map(|shared| SharedRecord {
            on_duty: shared.on_duty,
            alert: Kept::of(&shared.record),
        });
        Self {
            session: letter.session,
            sent_at: letter.sent_at.as_nanos(),
            alerts: alerts.collect(),
        }
    }

    /// The letter; none where it says what cannot be.
    pub(super) fn into_letter(self) -> Option<Letter> {
        if self.alerts.len() > ALERTS_PER_LETTER_MAX {
            return None;
        }
        let alerts = self.alerts.into_iter().map(|shared| {
            let record = shared.alert.into_record()?;
            record.is_bounded().then_some(Shared {
                record,
                on_duty: shared.on_duty,
            })
        });
        Some(Letter {
            session: self.session,
            sent_at: Instant::from_nanos(self.sent_at),
            alerts: alerts.collect::<Option<_>>()?,
        })
    }
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct KeptSilence {
    name: String,
    matchers: Vec<String>,
    from: u64,
    until: u64,
    maintenance: bool,
    by: Box<str>,
    comment: Box<str>,
}

/// What a write says, as texts.
pub(super) fn texts(write: &Write) -> SavedTexts {
    // Maps of texts and numbers can always be written.
    let alerts = write.alerts.iter().map(|(id, record)| {
        let kept = record.as_ref().map(Kept::of);
        let text = kept.and_then(|kept| serde_json::to_string(&kept).ok());
        (id.to_string(), text)
    });
    let silences = write.silences.iter().map(|(name, silence)| {
        let kept = silence.as_ref().map(KeptSilence::of);
        let text = kept.and_then(|kept| serde_json::to_string(&kept).ok());
        (name.to_string(), text)
    });
    SavedTexts {
        alerts: alerts.collect(),
        silences: silences.collect(),
    }
}

/// What the texts say, and how many of them say nothing that this version understands.
pub(super) fn saved(texts: &SavedTexts) -> (Saved, usize) {
    let (mut saved, mut unreadable) = (Saved::default(), 0);
    for (id, text) in &texts.alerts {
        let kept = serde_json::from_str::<Kept>(text.as_deref().unwrap_or_default());
        match kept.ok().and_then(Kept::into_record) {
            Some(record) => saved.alerts.push(record),
            None => {
                tracing::error!(
                    alert = id,
                    "an alert on the disk cannot be read, and stays there"
                );
                unreadable += 1;
            }
        }
    }
    for (name, text) in &texts.silences {
        let kept = serde_json::from_str::<KeptSilence>(text.as_deref().unwrap_or_default());
        match kept.ok().and_then(KeptSilence::into_silence) {
            Some(silence) => saved.silences.push(silence),
            None => {
                tracing::error!(
                    name,
                    "a silence on the disk cannot be read, and stays there"
                );
                unreadable += 1;
            }
        }
    }
    (saved, unreadable)
}

impl Kept {
    fn of(record: &Record) -> Self {
        let key = &record.key;
        Self {
            kind: key.subject.kind().to_owned(),
            subject: key.subject.name().to_string(),
            signal: key.signal.to_string(),
            rule: key.rule.to_string(),
            severity: record.severity.as_str().to_owned(),
            labels: (*record.labels).clone(),
            parents: record.parents.iter().map(ToString::to_string).collect(),
            reason: record.reason.to_string(),
            shared: record.scope == Scope::Group,
            episode: record.episode.into(),
            count: record.count,
            since: record.since.as_nanos(),
            fired: record.fired.as_nanos(),
            ended: record.ended.map(|(at, ending)| KeptEnd::of(at, ending)),
            acknowledged: record.acknowledged.as_ref().map(|a| KeptAcknowledgement {
                by: a.by.clone(),
                comment: a.comment.clone(),
                at: a.at.as_nanos(),
            }),
            acknowledgements: record.acknowledgements,
            episodes: record.episodes.iter().map(|at| at.as_nanos()).collect(),
            flapping: record.flapping,
            deliveries: record.deliveries.iter().map(KeptDelivery::of).collect(),
        }
    }

    fn into_record(self) -> Option<Record> {
        let name = TargetId::new(&self.subject).ok()?;
        let subject = match &*self.kind {
            "target" => Subject::Target(name),
            "peer" => Subject::Peer(name),
            _ => return None,
        };
        let parents = self.parents.iter().map(|name| TargetId::new(name).ok());
        let ended = match self.ended {
            Some(end) => Some(end.into_parts()?),
            None => None,
        };
        let acknowledged = self.acknowledged.map(|a| Acknowledgement {
            by: a.by,
            comment: a.comment,
            at: Instant::from_nanos(a.at),
        });
        let deliveries = self.deliveries.into_iter().map(KeptDelivery::into_delivery);
        Some(Record {
            key: AlertKey {
                subject,
                signal: SignalName::new(&self.signal).ok()?,
                rule: RuleName::new(&self.rule).ok()?,
            },
            severity: Severity::ALL
                .into_iter()
                .find(|s| s.as_str() == self.severity)?,
            labels: Arc::new(self.labels),
            parents: parents.collect::<Option<Vec<_>>>()?.into(),
            reason: self.reason.into(),
            scope: match self.shared {
                true => Scope::Group,
                false => Scope::Own,
            },
            episode: self.episode.into(),
            count: self.count,
            since: Instant::from_nanos(self.since),
            fired: Instant::from_nanos(self.fired),
            ended,
            acknowledged,
            acknowledgements: self.acknowledgements,
            episodes: self.episodes.into_iter().map(Instant::from_nanos).collect(),
            flapping: self.flapping,
            deliveries: deliveries.collect::<Option<Vec<_>>>()?,
        })
    }
}

impl KeptEnd {
    fn of(at: Instant, ending: Ending) -> Self {
        Self {
            at: at.as_nanos(),
            ending: ending.as_str().to_owned(),
        }
    }

    fn into_parts(self) -> Option<(Instant, Ending)> {
        let endings = [Ending::Cleared, Ending::SubjectGone, Ending::RuleGone];
        let ending = endings.into_iter().find(|e| e.as_str() == self.ending)?;
        Some((Instant::from_nanos(self.at), ending))
    }
}

impl KeptPast {
    fn of(past: &Past) -> Self {
        Self {
            episode: past.episode.into(),
            count: past.count,
            fired: past.fired.as_nanos(),
            end: KeptEnd::of(past.ended, past.ending),
        }
    }

    fn into_past(self) -> Option<Past> {
        let (ended, ending) = self.end.into_parts()?;
        Some(Past {
            episode: self.episode.into(),
            count: self.count,
            fired: Instant::from_nanos(self.fired),
            ended,
            ending,
        })
    }
}

impl KeptDelivery {
    fn of(delivery: &Delivery) -> Self {
        Self {
            receiver: delivery.receiver.to_string(),
            wanted: delivery.wanted.into(),
            told: delivery.told.into(),
            told_at: delivery.told_at.as_nanos(),
            repeats: delivery.repeats,
            told_end: delivery.told_end.into(),
            exposed: delivery.exposed.as_ref().map(|exposed| KeptExposed {
                episode: exposed.episode.into(),
                past: exposed.past.as_ref().map(KeptPast::of),
            }),
            brief: delivery.brief.as_ref().map(KeptPast::of),
            skipped: delivery.skipped,
        }
    }

    fn into_delivery(self) -> Option<Delivery> {
        let past = |past: Option<KeptPast>| match past {
            Some(past) => past.into_past().map(Some),
            None => Some(None),
        };
        let exposed = match self.exposed {
            Some(exposed) => Some(Exposed {
                episode: exposed.episode.into(),
                past: past(exposed.past)?,
            }),
            None => None,
        };
        Some(Delivery {
            receiver: ReceiverName::new(&self.receiver).ok()?,
            wanted: self.wanted.into(),
            told: self.told.into(),
            told_at: Instant::from_nanos(self.told_at),
            repeats: self.repeats,
            told_end: self.told_end.into(),
            exposed,
            brief: past(self.brief)?,
            skipped: self.skipped,
        })
    }
}

impl KeptSilence {
    fn of(silence: &Silence) -> Self {
        Self {
            name: silence.name.to_string(),
            matchers: silence.matchers.iter().map(ToString::to_string).collect(),
            from: silence.from.as_nanos(),
            until: silence.until.as_nanos(),
            maintenance: silence.origin == Origin::Maintenance,
            by: silence.by.clone(),
            comment: silence.comment.clone(),
        }
    }

    fn into_silence(self) -> Option<Silence> {
        let matchers = self.matchers.iter().map(|text| Matcher::parse(text).ok());
        Some(Silence {
            name: SilenceName::new(&self.name).ok()?,
            matchers: matchers.collect::<Option<Vec<_>>>()?,
            from: Instant::from_nanos(self.from),
            until: Instant::from_nanos(self.until),
            origin: match self.maintenance {
                true => Origin::Maintenance,
                false => Origin::Request,
            },
            by: self.by,
            comment: self.comment,
        })
    }
}
