//! What the machine reports: events with their evidence, and rejections.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::SignalConfig;
use super::observers::{MonitorName, Ruling, Teller};
use super::status::{Failure, Status};
use crate::detector::Level;
use crate::id::{SignalName, TargetId};
use crate::time::Instant;

/// One thing the machine has to say, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A fact for the log, the page and the alerts.
    Event(Event),
    /// An arrival that was not taken. It changed nothing.
    Rejected(Rejection),
    /// The machine was woken too late: read now, without waiting, everything that the kernel has
    /// queued, feed it, and then say [`Input::Drained`](super::Input::Drained). Until then no
    /// verdict falls.
    Drain,
}

/// Why an arrival was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// No target has that name.
    UnknownTarget,
    /// The target has no signal of that name.
    UnknownSignal,
    /// The signal that the key stood for is gone.
    StaleKey,
    /// The sequence number was seen already.
    Duplicate,
    /// The sequence number, or the time of arrival, is older than the newest one.
    Stale,
    /// The signal is judged elsewhere ([`Input::Told`](super::Input::Told)).
    Told,
}

impl Rejection {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::UnknownTarget,
        Self::UnknownSignal,
        Self::StaleKey,
        Self::Duplicate,
        Self::Stale,
        Self::Told,
    ];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTarget => "unknown_target",
            Self::UnknownSignal => "unknown_signal",
            Self::StaleKey => "stale_key",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Told => "told",
        }
    }
}

/// A fact about one target, or about the observer itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened: for a verdict the moment it was due, which may lie a little before the
    /// moment it was noticed.
    pub at: Instant,
    /// The target, unless the observer speaks of itself.
    pub target: Option<TargetId>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// The target is watched from now on.
    Added,
    /// The target has new signals or settings.
    Replaced,
    /// The target is no longer watched.
    Removed,
    /// The target's status changed.
    Transition {
        /// The status before.
        from: Status,
        /// The status from now on.
        to: Status,
        /// Why.
        evidence: Box<Evidence>,
    },
    /// What this monitor sees of a target changed, while it observes the target together with
    /// others: its report to them, and no verdict. Never said by the machine: whoever keeps the
    /// log puts it in the place of a [`Transition`](Self::Transition).
    Observed {
        /// The status that it saw before.
        from: Status,
        /// The status that it sees from now on.
        to: Status,
        /// Why.
        evidence: Box<Evidence>,
    },
    /// Several monitors observe the target, and what they see adds up to another verdict.
    Verdict {
        /// What was found, by whom, and under which key.
        ruling: Box<Ruling>,
        /// Whether it is for this monitor to wake those who are to be woken.
        teller: Teller,
    },
    /// This monitor hears too few of its group: it gives no verdict.
    Isolated {
        /// Monitors heard, this one included.
        heard: usize,
        /// Monitors in the group.
        of: usize,
    },
    /// This monitor hears enough of its group again.
    Rejoined {
        /// Monitors heard, this one included.
        heard: usize,
        /// Monitors in the group.
        of: usize,
    },
    /// An observer calls down most of what others reach; its reports do not count.
    ObserverIsolated {
        /// The observer; it may be this one.
        observer: MonitorName,
        /// Targets that it calls down and others reach.
        down: usize,
        /// Targets that others reach.
        reached: usize,
    },
    /// An observer sees again what others see.
    ObserverRejoined {
        /// The observer.
        observer: MonitorName,
    },
    /// The status of one of the target's several signals changed, and the target's did not.
    SignalTransition {
        /// The signal's status before.
        from: Status,
        /// The signal's status from now on.
        to: Status,
        /// Why.
        evidence: Box<Evidence>,
    },
    /// The target changes its status too often; its score crossed the upper mark.
    FlappingStarted {
        /// The flap score, 0 to 1.
        score: f64,
    },
    /// The target is steady again; its score fell below the lower mark.
    FlappingStopped {
        /// The flap score, 0 to 1.
        score: f64,
    },
    /// The sender has a new rhythm: every interval lately ended an outage, so the detector forgot
    /// the old rhythm and learns anew.
    Relearnt {
        /// The signal.
        signal: SignalName,
        /// The interval that it expects now.
        interval: Duration,
    },
    /// Too many targets fell silent at once: the fault is likelier here than there. Those that
    /// would be down are `unknown` while this lasts.
    ObserverSuspectsItself {
        /// Targets that are overdue.
        overdue: usize,
        /// Targets that are judged.
        judged: usize,
    },
    /// Enough targets are heard again, or the hold ended; verdicts fall again.
    ObserverTrustsItself {
        /// Targets that are overdue still.
        overdue: usize,
        /// Targets that are judged.
        judged: usize,
    },
    /// The process did not run, so it could not listen. No verdict falls for that time.
    Stalled {
        /// When it was last known to run.
        since: Instant,
        /// For how long it did not.
        span: Duration,
    },
    /// The group of members that the target belongs to, or this observer as a member of it, or a
    /// peer that publishes metrics, says something that changes no status.
    Membership {
        /// What it is: a stable code of one word.
        code: &'static str,
        /// What it says, as a whole sentence.
        text: Arc<str>,
    },
}

/// Why a status changed: everything needed to argue with the verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The signal that decided: the one whose status changed.
    pub signal: SignalName,
    /// The rule that fired.
    pub cause: Cause,
    /// The level at [`Event::at`].
    pub level: Level,
    /// The threshold that the rule compares it with.
    pub threshold: Level,
    /// The last arrival, if there was one.
    pub last_arrival: Option<Instant>,
    /// How long it was silent: until the arrival that is the cause, or until now.
    pub silence: Duration,
    /// The last intervals between arrivals, newest first, at most 8. Empty when the detector keeps
    /// none.
    pub recent_intervals: Vec<Duration>,
    /// The mean interval that the detector expects.
    pub mean: Duration,
    /// The standard deviation that the detector works with.
    pub std_deviation: Duration,
    /// How many intervals it has learnt from.
    pub samples: u32,
    /// The last failed check since the last arrival.
    pub last_failure: Option<(Instant, Failure)>,
    /// What those said who judge the signal in place of its detector, where somebody does.
    pub told: Option<Arc<str>>,
    /// The settings in force.
    pub config: SignalConfig,
}

/// The rule that changed a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An arrival.
    Arrival,
    /// Nothing arrived until the level crossed the threshold.
    Silence,
    /// Nothing ever arrived, and the grace is over.
    NeverHeard,
    /// Those said so who judge the signal in place of its detector.
    Told,
    /// The last check could not be made here, so the silence says nothing about the target.
    ObserverAtFault,
    /// The observer suspects itself.
    ObserverSuspectsItself,
    /// The observer trusts itself again.
    ObserverTrustsItself,
    /// An operator paused or resumed the target.
    Operator,
    /// The target's signals or settings were replaced.
    Settings,
}

impl Cause {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Silence => "silence",
            Self::NeverHeard => "never_heard",
            Self::Told => "told",
            Self::ObserverAtFault => "observer_at_fault",
            Self::ObserverSuspectsItself => "observer_suspects_itself",
            Self::ObserverTrustsItself => "observer_trusts_itself",
            Self::Operator => "operator",
            Self::Settings => "settings",
        }
    }
}
