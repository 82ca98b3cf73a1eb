//! How observers work together.

use core::time::Duration;

/// What the machine is told once. Any values are valid; spans of zero make it as eager as it can
/// be.
#[derive(Clone, Debug, PartialEq)]
pub struct ObserversConfig {
    /// Monitors that observe a target, at least 1; all of them where there are no more.
    pub observers: usize,
    /// How often a monitor says to each other one that what it told still stands.
    pub beat: Duration,
    /// How long a report counts after its observer was heard last.
    pub fresh: Duration,
    /// How long `partially reachable` must last before it is told, and what ends it likewise:
    /// observers see the same thing at different moments.
    pub settle: Duration,
    /// How long a monitor that came back must be there before it takes targets over.
    pub return_delay: Duration,
    /// The share of the targets that others reach, from which on an observer that calls them down
    /// is itself at fault: 0 to 1.
    pub isolated_fraction: f64,
    /// Such targets at least: one or two may really be reachable from elsewhere only.
    pub isolated_targets_min: usize,
    /// Targets in one message at most.
    pub items_max: usize,
    /// Targets that something is kept of at most, those that only others know of included.
    pub targets_max: usize,
}

impl ObserversConfig {
    /// Three observers that beat every second. A report counts for three beats, so that one lost
    /// message changes nothing; a return takes ten, so that a monitor that comes and goes owns
    /// nothing.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            observers: 3,
            beat: Duration::from_secs(1),
            fresh: Duration::from_secs(3),
            settle: Duration::from_secs(3),
            return_delay: Duration::from_secs(10),
            isolated_fraction: 0.5,
            isolated_targets_min: 3,
            items_max: 2_000,
            targets_max: 1_000_000,
        }
    }
}
