//! What is given up when there is too much of it, or it is too old.

/// What is kept, each in a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Roll-ups of 10 s.
    TenSeconds,
    /// Roll-ups of 5 min.
    FiveMinutes,
    /// Roll-ups of 1 h.
    OneHour,
    /// Changes of status with their evidence.
    Transitions,
}

impl Kind {
    /// Every kind; the roll-ups come first, in the order of their length.
    pub const ALL: [Self; 4] = [
        Self::TenSeconds,
        Self::FiveMinutes,
        Self::OneHour,
        Self::Transitions,
    ];

    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenSeconds => "rollups_10s",
            Self::FiveMinutes => "rollups_5m",
            Self::OneHour => "rollups_1h",
            Self::Transitions => "transitions",
        }
    }

    /// The hundredths of the room that nobody else may take from it.
    const fn share(self) -> u64 {
        match self {
            Self::TenSeconds | Self::FiveMinutes => 30,
            Self::OneHour | Self::Transitions => 20,
        }
    }
}

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For how long.
    pub age_max_ms: u64,
    /// How many bytes of all kinds together.
    pub bytes_max: u64,
}

/// What is below the limit after something was given up: a tenth, so that the next row is not
/// one too many again.
const ROOM: u64 = 10;

/// How many bytes each kind gives up, the oldest first, in the order of [`Kind::ALL`].
///
/// Nothing while all together are within the limit. When there is too much, those kinds give that
/// have more than their share (30 % for each of the finer roll-ups, 20 % for those of an hour and
/// for transitions), each in proportion to what it has beyond it, until there is a tenth of room.
/// So roll-ups of an hour outlast those of 10 s by far, and a target that flaps cannot displace the
/// past of all others.
#[must_use]
pub fn gives(bytes: [u64; 4], bytes_max: u64) -> [u64; 4] {
    let total = bytes.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
    if total <= bytes_max {
        return [0; 4];
    }
    let wanted = bytes_max - bytes_max / ROOM;
    let excess = total - wanted;
    let beyond = Kind::ALL.map(|kind| {
        let share = u128::from(wanted) * u128::from(kind.share()) / 100;
        u128::from(bytes[kind as usize]).saturating_sub(share)
    });
    // The shares are no more than what is wanted, so together they have all that is too much.
    let all = beyond.iter().sum::<u128>().max(1);
    beyond.map(|beyond| {
        let gives = (beyond * u128::from(excess)).div_ceil(all);
        u64::try_from(gives).unwrap_or(u64::MAX)
    })
}
