//! How signals are judged, and how the observer judges itself.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use crate::bounds::RECOVERY_ARRIVALS_MAX;
use crate::detector::{DetectorConfig, DetectorParams, Level, Violation};

/// How a signal is judged: plain values, to be turned into a [`SignalConfig`].
#[derive(Clone, Debug, PartialEq)]
pub struct SignalParams {
    /// The detector and its parameters.
    pub detector: DetectorParams,
    /// The level from which the signal is `late`; above 0 and below `down`.
    pub late: f64,
    /// The level from which the signal is `down`.
    pub down: f64,
    /// How long a signal may stay unheard after it was added or resumed, before it is `down`; above
    /// 0.
    pub grace: Duration,
    /// Arrivals in a row that turn `down` into `up`; 1 to [`RECOVERY_ARRIVALS_MAX`]. The default 1
    /// believes the first answer; the flap score tells those that answer once and fall silent
    /// again.
    pub recovery_arrivals: u32,
}

/// Valid settings of a signal. Cheap to clone and compare; the machine keeps one copy of equal
/// ones.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalConfig {
    detector: DetectorConfig,
    late: Level,
    down: Level,
    grace: Duration,
    recovery_arrivals: u32,
}

impl SignalConfig {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Every violated rule, each with its field and values. State: nothing was changed.
    pub fn new(params: SignalParams) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let SignalParams {
            detector,
            late,
            down,
            grace,
            recovery_arrivals,
        } = params;
        let detector = DetectorConfig::new(detector)
            .map_err(|mut found| violations.append(&mut found))
            .ok();
        if !(late.is_finite() && late > 0.0) {
            violations.push(Violation::new("late", format!("{late} must be above 0")));
        }
        if !(down.is_finite() && down > late) {
            let text = format!("{down} must be above late ({late})");
            violations.push(Violation::new("down", text));
        }
        if grace.is_zero() {
            violations.push(Violation::new("grace", "must be above 0".into()));
        }
        if !(1..=RECOVERY_ARRIVALS_MAX).contains(&recovery_arrivals) {
            let text = format!("{recovery_arrivals} must be 1 to {RECOVERY_ARRIVALS_MAX}");
            violations.push(Violation::new("recovery_arrivals", text));
        }
        match detector {
            Some(detector) if violations.is_empty() => Ok(Self {
                detector,
                late: Level::new(late),
                down: Level::new(down),
                grace,
                recovery_arrivals,
            }),
            _ => Err(violations),
        }
    }

    /// The detector's settings.
    #[must_use]
    pub const fn detector(&self) -> &DetectorConfig {
        &self.detector
    }

    /// The level from which the signal is `late`.
    #[must_use]
    pub const fn late(&self) -> Level {
        self.late
    }

    /// The level from which the signal is `down`.
    #[must_use]
    pub const fn down(&self) -> Level {
        self.down
    }

    /// How long the signal may stay unheard at first.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// Arrivals in a row that turn `down` into `up`.
    #[must_use]
    pub const fn recovery_arrivals(&self) -> u32 {
        self.recovery_arrivals
    }
}

/// How the observer judges itself.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitorConfig {
    /// Targets at most.
    pub targets_max: usize,
    /// Being woken later than this counts as a stall: 500 ms, well above what a busy machine's
    /// scheduler adds and well below the detection times in use.
    pub stall_tolerance: Duration,
    /// The share of judged targets which, overdue at once, makes the observer suspect itself: 0.5,
    /// as a fault of most targets at once is rarer than one of the way to them. Above 1 the guard
    /// is off.
    pub mass_fraction: f64,
    /// Fewer judged targets than this are never held back: 8, as with a handful of targets a common
    /// cause is no surprise.
    pub mass_targets_min: usize,
    /// The longest time that verdicts are held back: 5 min. After it they fall, because a real
    /// disaster must not stay hidden.
    pub mass_hold: Duration,
}

impl MonitorConfig {
    /// The settings that suit a monitor of services.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            targets_max: crate::bounds::TARGETS_MAX,
            stall_tolerance: Duration::from_millis(500),
            mass_fraction: 0.5,
            mass_targets_min: 8,
            mass_hold: Duration::from_secs(300),
        }
    }
}
