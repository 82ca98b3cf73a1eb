//! The three lengths of a roll-up.

use core::fmt;

/// How long the time is that one roll-up tells of. Each is a whole number of the one before, and
/// all begin at whole multiples of themselves since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// 10 s.
    TenSeconds,
    /// 5 min.
    FiveMinutes,
    /// 1 h.
    OneHour,
}

impl Resolution {
    /// All of them, the finest first.
    pub const ALL: [Self; 3] = [Self::TenSeconds, Self::FiveMinutes, Self::OneHour];

    /// Its length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        match self {
            Self::TenSeconds => 10_000,
            Self::FiveMinutes => 300_000,
            Self::OneHour => 3_600_000,
        }
    }

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenSeconds => "10s",
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// The beginning of the roll-up that `at_ms` belongs to.
    #[must_use]
    pub const fn floor(self, at_ms: u64) -> u64 {
        at_ms - at_ms % self.millis()
    }

    /// `at_ms`, if a roll-up begins there, and else the beginning of the next one.
    #[must_use]
    pub const fn ceil(self, at_ms: u64) -> u64 {
        self.floor(at_ms.saturating_add(self.millis() - 1))
    }

    /// The next coarser one; the coarsest is its own.
    #[must_use]
    pub const fn coarser(self) -> Self {
        match self {
            Self::TenSeconds => Self::FiveMinutes,
            Self::FiveMinutes | Self::OneHour => Self::OneHour,
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

const _: () = {
    let [fine, middle, coarse] = Resolution::ALL;
    assert!(middle.millis() % fine.millis() == 0 && coarse.millis() % middle.millis() == 0);
};
