//! Letters between observers, as they are written.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::id::{IdError, TargetId};
use auscult_core::monitor::Status;
use auscult_core::monitor::observers::{
    Announced, Batch, Item, MonitorName, Reply, Report, Turn, Verdict,
};
use auscult_core::time::nanos;
use serde::{Deserialize, Serialize};

use crate::alerts::LetterRecord;
use crate::peer_metrics::{ReadingRecord, ReadingsRecord};

/// What one monitor sends to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// What it sees, and what was found.
    Batch(BatchRecord),
    /// Heartbeats that came there.
    Heartbeats(Vec<Heartbeat>),
    /// What is known of alerts.
    Alerts(LetterRecord),
    /// Metrics that peers published there.
    Readings(ReadingsRecord),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Letter::Batch`].
    Reply(ReplyRecord),
    /// To [`Letter::Heartbeats`].
    HeartbeatsTaken,
    /// To [`Letter::Alerts`].
    AlertsTaken {
        /// The process that took it.
        session: u64,
    },
    /// To [`Letter::Readings`].
    ReadingsTaken,
    /// To [`Letter::Readings`] that asks: what is newer here, of what was asked.
    ReadingsKnown(Vec<ReadingRecord>),
    /// It cannot be taken. Nothing was changed.
    Refused {
        /// Why.
        text: String,
    },
}

/// A heartbeat that came to another monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Whose.
    pub target: String,
    /// Of which signal; the target's first without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How long before this letter it came.
    pub age_us: u64,
    /// The sender's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The interval that the sender says it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_us: Option<u64>,
}

/// A [`Batch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchRecord {
    session: u64,
    sequence: u64,
    answered: u64,
    serving: bool,
    at_fault: bool,
    complete: bool,
    items: Vec<ItemRecord>,
}

/// A [`Reply`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyRecord {
    /// [`Reply::Taken`].
    Taken {
        /// Rulings that were not.
        refused: Vec<ItemRecord>,
    },
    /// [`Reply::Old`].
    Old,
    /// [`Reply::Resync`].
    Resync,
}

/// An [`Item`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemRecord {
    target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report: Option<ReportRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ruling: Option<RulingRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ReportRecord {
    status: String,
    level: f64,
    age_us: u64,
    why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RulingRecord {
    epoch: u64,
    number: u64,
    from: String,
    verdict: String,
    owner: String,
    age_us: u64,
    text: String,
    told: bool,
}

/// Why a letter cannot be read. State: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The name of a target or monitor.
    Name(String, IdError),
    /// A status or verdict that does not exist.
    Word(String),
    /// A level that is no finite number.
    Level,
    /// A text that is too long.
    Text {
        /// Its bytes.
        bytes: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, error) => write!(f, "{name:?} is no name: {error}"),
            Self::Word(word) => write!(f, "{word:?} is no status and no verdict"),
            Self::Level => f.write_str("a level is no finite number"),
            Self::Text { bytes } => {
                write!(
                    f,
                    "a text of {bytes} bytes is too long ({TEXT_BYTES_MAX} at most)"
                )
            }
        }
    }
}

impl std::error::Error for Malformed {}

/// Bytes of a sentence: evidence with an error of a check in it.
const TEXT_BYTES_MAX: usize = 4_096;

/// Cuts a sentence to what may be sent.
pub(super) fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn sentence(text: String) -> Result<Arc<str>, Malformed> {
    match text.len() {
        0..=TEXT_BYTES_MAX => Ok(text.into()),
        bytes => Err(Malformed::Text { bytes }),
    }
}

fn micros(span: Duration) -> u64 {
    nanos(span) / 1_000
}

fn status(word: String) -> Result<Status, Malformed> {
    let found = Status::ALL.into_iter().find(|it| it.as_str() == word);
    found.ok_or(Malformed::Word(word))
}

fn verdict(word: String) -> Result<Verdict, Malformed> {
    Verdict::named(&word).ok_or(Malformed::Word(word))
}

impl From<Batch> for BatchRecord {
    fn from(batch: Batch) -> Self {
        Self {
            session: batch.session,
            sequence: batch.sequence,
            answered: batch.answered,
            serving: batch.serving,
            at_fault: batch.at_fault,
            complete: batch.complete,
            items: batch.items.into_iter().map(ItemRecord::from).collect(),
        }
    }
}

impl TryFrom<BatchRecord> for Batch {
    type Error = Malformed;
    fn try_from(record: BatchRecord) -> Result<Self, Malformed> {
        let items = record.items.into_iter().map(Item::try_from);
        Ok(Self {
            session: record.session,
            sequence: record.sequence,
            answered: record.answered,
            serving: record.serving,
            at_fault: record.at_fault,
            complete: record.complete,
            items: items.collect::<Result<_, _>>()?,
        })
    }
}

impl From<Reply> for ReplyRecord {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Taken { refused } => Self::Taken {
                refused: refused.into_iter().map(ItemRecord::from).collect(),
            },
            Reply::Old => Self::Old,
            Reply::Resync => Self::Resync,
        }
    }
}

impl TryFrom<ReplyRecord> for Reply {
    type Error = Malformed;
    fn try_from(record: ReplyRecord) -> Result<Self, Malformed> {
        Ok(match record {
            ReplyRecord::Taken { refused } => {
                let refused = refused.into_iter().map(Item::try_from);
                Self::Taken {
                    refused: refused.collect::<Result<_, _>>()?,
                }
            }
            ReplyRecord::Old => Self::Old,
            ReplyRecord::Resync => Self::Resync,
        })
    }
}

impl From<Item> for ItemRecord {
    fn from(item: Item) -> Self {
        Self {
            target: item.target.to_string(),
            report: item.report.map(|report| ReportRecord {
                status: report.status.as_str().to_owned(),
                level: report.level,
                age_us: micros(report.age),
                why: report.why.to_string(),
            }),
            ruling: item.ruling.map(|ruling| RulingRecord {
                epoch: ruling.turn.epoch,
                number: ruling.turn.number,
                from: ruling.from.as_str().to_owned(),
                verdict: ruling.verdict.as_str().to_owned(),
                owner: ruling.owner.to_string(),
                age_us: micros(ruling.age),
                text: ruling.text.to_string(),
                told: ruling.told,
            }),
        }
    }
}

impl TryFrom<ItemRecord> for Item {
    type Error = Malformed;
    fn try_from(record: ItemRecord) -> Result<Self, Malformed> {
        let target = TargetId::new(&record.target);
        Ok(Self {
            target: target.map_err(|error| Malformed::Name(record.target, error))?,
            report: record.report.map(Report::try_from).transpose()?,
            ruling: record.ruling.map(Announced::try_from).transpose()?,
        })
    }
}

impl TryFrom<ReportRecord> for Report {
    type Error = Malformed;
    fn try_from(record: ReportRecord) -> Result<Self, Malformed> {
        if !record.level.is_finite() {
            return Err(Malformed::Level);
        }
        Ok(Self {
            status: status(record.status)?,
            level: record.level,
            age: Duration::from_micros(record.age_us),
            why: sentence(record.why)?,
        })
    }
}

impl TryFrom<RulingRecord> for Announced {
    type Error = Malformed;
    fn try_from(record: RulingRecord) -> Result<Self, Malformed> {
        let owner = MonitorName::new(&record.owner);
        Ok(Self {
            turn: Turn {
                epoch: record.epoch,
                number: record.number,
            },
            from: verdict(record.from)?,
            verdict: verdict(record.verdict)?,
            owner: owner.map_err(|error| Malformed::Name(record.owner, error))?,
            age: Duration::from_micros(record.age_us),
            text: sentence(record.text)?,
            told: record.told,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            session: 7,
            sequence: 2,
            answered: 1,
            serving: true,
            at_fault: false,
            complete: true,
            items: vec![Item {
                target: TargetId::new("shop/web-1").unwrap(),
                report: Some(Report {
                    status: Status::Late,
                    level: 9.5,
                    age: Duration::from_micros(1_500),
                    why: "silence".into(),
                }),
                ruling: Some(Announced {
                    turn: Turn {
                        epoch: 1_700_000_000_000,
                        number: 3,
                    },
                    from: Verdict::Up,
                    verdict: Verdict::PartiallyReachable,
                    owner: MonitorName::new("m2").unwrap(),
                    age: Duration::from_secs(2),
                    text: "down for 1 of 3: m1".into(),
                    told: false,
                }),
            }],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let record = BatchRecord::from(batch());
        let text = serde_json::to_string(&Letter::Batch(record)).unwrap();
        let Letter::Batch(record) = serde_json::from_str(&text).unwrap() else {
            panic!("another letter: {text}");
        };
        assert_eq!(Batch::try_from(record), Ok(batch()));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let good = serde_json::to_string(&BatchRecord::from(batch())).unwrap();
        for (from, to) in [
            ("shop/web-1", "shop web"),
            ("\"late\"", "\"dead\""),
            ("partially_reachable", "half"),
            ("\"m2\"", "\"\""),
        ] {
            let record: BatchRecord = serde_json::from_str(&good.replace(from, to)).unwrap();
            assert!(Batch::try_from(record).is_err(), "{to}");
        }
        let long = good.replace("silence", &"x".repeat(TEXT_BYTES_MAX + 1));
        let record: BatchRecord = serde_json::from_str(&long).unwrap();
        assert!(matches!(
            Batch::try_from(record),
            Err(Malformed::Text { .. })
        ));
        assert_eq!(cut(&"\u{20ac}".repeat(2_000)).len(), 4_095);
    }
}
