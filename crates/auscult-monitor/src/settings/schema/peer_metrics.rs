//! Every key of the metrics that peers publish.

use auscult_core::bounds::{
    METRIC_NAMES_MAX, METRIC_PEERS_MAX, METRIC_SERIES_MAX, METRIC_VALUES_BYTES_MAX,
    METRIC_WINDOW_MAX,
};

use super::{Edge, Key, Kind, Preset, Table};
use Kind::{Choice, Count, Flag, List, Name, Names, Number};
use Preset::{Nothing, Required, Rule, Value};

const SPAN: Kind = Kind::Duration {
    ms_min: 1,
    ms_max: 365 * 86_400_000,
};

const DECISIONS: Kind = Choice(&["ttl", "accrual", "both"]);

const THRESHOLD: Kind = Number {
    min: 0.0,
    max: 1e9,
    edge: Edge::Excluded,
};

const SAID_THERE: Preset = Rule("that of `peer_metrics`");

/// `peer_metrics`.
pub(in super::super) static PEER_METRICS: Table = Table {
    title: "peer_metrics",
    component: "PeerMetricSettings",
    doc: "Metrics that peers publish, each with a time to live. The peers are the members of the monitor's \
          group and those that are named here.",
    groups: &[
        &[
            Key::new(
                "peers",
                Names,
                Nothing,
                "Peers beside the members of the group. At least one of `metrics` then needs a `grace`, or a peer \
                 that never reports would not be noticed.",
            )
            .elsewhere(&["members", "nodes"]),
            Key::new(
                "create",
                Flag,
                Value("false"),
                "Whether whoever publishes is a peer from then on; else only those that are known are heard.",
            )
            .elsewhere(&["auto_create", "register"]),
            Key::new(
                "metrics",
                List(&PEER_METRIC),
                Nothing,
                "Metrics that are judged otherwise than the rest, or are expected of every peer.",
            ),
            Key::new(
                "decision",
                DECISIONS,
                Value("ttl"),
                "When a metric has failed. `ttl`: its time to live is over. `accrual`: its silence is improbable by \
                 the intervals before it, whatever the time to live; that needs 6 readings, and until then the time \
                 to live decides. `both`: either, whichever comes first.",
            ),
            Key::new(
                "threshold",
                THRESHOLD,
                Value("3"),
                "The level at which a silence is improbable: 3 is one in a thousand by chance.",
            )
            .elsewhere(&["failure_threshold", "phi"]),
            Key::new(
                "min_std_deviation",
                SPAN,
                Value("500ms"),
                "The standard deviation of intervals is at least this, so that a regular sender may hiccup.",
            ),
        ],
        LIMITS,
    ],
};

/// What bounds the memory.
const LIMITS: &[Key] = &[
    Key::new(
        "window",
        Count {
            min: 1,
            max: METRIC_WINDOW_MAX as u64,
        },
        Value("25"),
        "Readings kept of each metric of each peer.",
    )
    .elsewhere(&["window_cap", "history"]),
    Key::new(
        "retention",
        SPAN,
        Value("10m"),
        "How long the readings of a peer that departed are kept, so that one that comes back soon has its window.",
    ),
    Key::new(
        "ttl_min",
        SPAN,
        Value("100ms"),
        "The shortest time to live that is taken; less than a network's hiccup means false alarms.",
    ),
    Key::new(
        "ttl_max",
        SPAN,
        Value("7d"),
        "The longest time to live that is taken; with more, nobody would notice an end.",
    ),
    Key::new(
        "names_max",
        Count {
            min: 1,
            max: METRIC_NAMES_MAX as u64,
        },
        Value("256"),
        "Names of metrics at most. Room for those under `metrics` is kept.",
    ),
    Key::new(
        "peers_max",
        Count {
            min: 1,
            max: METRIC_PEERS_MAX as u64,
        },
        Value("65536"),
        "Peers at most: as many as a group may have members.",
    ),
    Key::new(
        "series_max",
        Count {
            min: 1,
            max: METRIC_SERIES_MAX as u64,
        },
        Value("262144"),
        "Pairs of a metric and a peer at most; each takes 3 kB with a full window of short values.",
    ),
    Key::new(
        "values_bytes_max",
        Count {
            min: 1,
            max: METRIC_VALUES_BYTES_MAX as u64,
        },
        Value("67108864"),
        "Bytes of all values together. When they are used up, windows become shorter, and new metrics are refused.",
    ),
];

/// A metric with a rule of its own.
static PEER_METRIC: Table = Table {
    title: "peer_metrics.metrics[]",
    component: "PeerMetricRuleSettings",
    doc: "",
    groups: &[&[
        Key::new("name", Name, Required, "The metric's name."),
        Key::new(
            "grace",
            SPAN,
            Nothing,
            "Every peer is expected to publish it, and has failed when it did not within this span after it became \
             known. Without it, a peer that never publishes it is not judged.",
        )
        .elsewhere(&["expected_within", "timeout"]),
        Key::new("decision", DECISIONS, SAID_THERE, "When it has failed."),
        Key::new(
            "threshold",
            THRESHOLD,
            SAID_THERE,
            "The level at which its silence is improbable.",
        ),
        Key::new(
            "min_std_deviation",
            SPAN,
            SAID_THERE,
            "The least standard deviation of its intervals.",
        ),
    ]],
};
