//! What receivers are told: messages of one or more notices.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::key::{AlertId, AlertKey, Episode};
use super::record::Ending;
use super::rule::Severity;
use crate::id::ReceiverName;
use crate::monitor::Labels;
use crate::time::Instant;

/// Something to send to one receiver. What came of it is told the machine with
/// [`Input::Sent`](super::Input::Sent).
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number, unique in this process.
    pub number: u64,
    /// To whom.
    pub receiver: ReceiverName,
    /// How long sending it may take.
    pub timeout: Duration,
    /// Why so many alerts are told together.
    pub occasion: Occasion,
    /// The labels, with their values, that all its alerts have in common by the receiver's
    /// grouping.
    pub group: Vec<(String, String)>,
    /// What is told, 1 to [`NOTICES_PER_MESSAGE_MAX`](crate::bounds::NOTICES_PER_MESSAGE_MAX), no
    /// alert twice.
    pub notices: Vec<Notice>,
}

/// Why alerts are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// They are of one group.
    Group,
    /// So many are to be told that they likely have one cause.
    MassFailure,
}

/// What is told of one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The alert.
    pub alert: AlertId,
    /// What it is about.
    pub key: AlertKey,
    /// How bad it is.
    pub severity: Severity,
    /// The subject's labels.
    pub labels: Arc<Labels>,
    /// Why it fires, or fired last.
    pub reason: Arc<str>,
    /// What is told.
    pub news: News,
    /// Which episode.
    pub episode: Episode,
    /// How often the alert fired, this time included.
    pub count: u64,
    /// When that episode began to fire.
    pub fired: Instant,
    /// Whether it comes and goes too often, and so lasts until it is steady.
    pub flapping: bool,
    /// Episodes before this one of which the receiver was not told, as they were over before it
    /// could be.
    pub skipped: u32,
}

/// What is told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It fires.
    Firing,
    /// It still fires: the reminder with this number.
    Repeat(u32),
    /// It still fires: for a receiver that forgets what it is not reminded of.
    Refresh,
    /// It is over.
    Resolved {
        /// Since when.
        at: Instant,
        /// Why.
        ending: Ending,
    },
}

impl News {
    /// Whether it says that the alert is over.
    #[must_use]
    pub const fn is_resolved(&self) -> bool {
        matches!(self, Self::Resolved { .. })
    }
}

impl Notice {
    /// The same text whenever the same is told again, by whichever monitor, and for nothing else:
    /// by it a receiver can tell a duplicate.
    #[must_use]
    pub fn dedup_key(&self) -> String {
        let (alert, episode) = (self.alert, self.episode);
        match self.news {
            News::Firing | News::Refresh => format!("{alert}-{episode}-firing"),
            News::Repeat(number) => format!("{alert}-{episode}-repeat-{number}"),
            News::Resolved { .. } => format!("{alert}-{episode}-resolved"),
        }
    }
}
