//! The keys of `history`.

use super::{Key, Kind, Preset, Table};
use Kind::{Choice, Count, Flag, Section};
use Preset::{Nothing, Value};

/// The key of the file.
pub(super) const PAST: &[Key] = &[Key::new(
    "history",
    Section(&HISTORY),
    Nothing,
    "How much of the past is kept in the data folder.",
)
.elsewhere(&["retention", "storage"])];

/// `history`.
pub(in super::super) static HISTORY: Table = Table {
    title: "history",
    component: "HistorySettings",
    doc: "Changes of status with their evidence, and roll-ups of level, latency and availability, in \
          `history.redb`. What is older, or more, goes: the oldest first, finer roll-ups before coarser ones.",
    groups: &[&[
        Key::new("enabled", Flag, Value("true"), "Whether anything is kept."),
        Key::new(
            "age",
            Kind::Duration {
                ms_min: 3_600_000,
                ms_max: 10 * 365 * 86_400_000,
            },
            Value("30d"),
            "For how long: `30d`, `12w`.",
        ),
        Key::new(
            "size_mib",
            Count {
                min: 16,
                max: 1_048_576,
            },
            Value("1024"),
            "How much of the disk its pages may take, in MiB. The file doubles until the next doubling would \
             be too much, and is half a percent longer than its pages.",
        ),
        Key::new(
            "finest",
            Choice(&["10s", "5m", "1h"]),
            Value("10s"),
            "The shortest roll-ups. 10,000 targets make 90 MB of `10s` an hour and 3 MB of `5m`; those of \
             `1h` for a month are 600 MB.",
        ),
    ]],
};
