//! Every key of the settings.

use auscult_core::bounds::{TARGETS_MAX, WINDOW_SAMPLES_MAX};

use super::alerting::{ALERT_RULE, DEAD_MAN_SWITCH, MAINTENANCE};
use super::history::PAST;
use super::peer_metrics::PEER_METRICS;
use super::shared::{GROUP_DEFAULTS, OBSERVING, RECEIVER};
use super::{Edge, Key, Kind, Preset, Table};
use Kind::{Choice, Count, Flag, Labels, List, Name, Number, Path, Section, Text};
use Preset::{Nothing, Required, Rule, Value};

const YEAR_MS: u64 = 365 * 86_400_000;
const WINDOW: u64 = WINDOW_SAMPLES_MAX as u64;

/// A duration above zero: a millisecond is the least that timers keep.
const SPAN: Kind = Kind::Duration {
    ms_min: 1,
    ms_max: 10 * YEAR_MS,
};

/// Intervals and time-outs of checks.
pub(super) const CHECK_SPAN: Kind = Kind::Duration {
    ms_min: 10,
    ms_max: YEAR_MS,
};

const ABOVE_ZERO: Kind = Number {
    min: 0.0,
    max: 1e9,
    edge: Edge::Excluded,
};

const FROM_ZERO: Kind = Number {
    min: 0.0,
    max: 1e9,
    edge: Edge::Included,
};

/// The whole file.
pub(in super::super) static ROOT: Table = Table {
    title: "The file",
    component: "Settings",
    doc: "A settings file is a YAML mapping. Keys that begin with `x-` are yours: a place for anchors. \
          Anchors, aliases and merge keys (`<<: *name`) work; tags do not.",
    groups: &[&[
        Key::new(
            "defaults",
            Section(&DEFAULTS),
            Nothing,
            "What holds for every target that does not say otherwise.",
        ),
        Key::new(
            "groups",
            List(&GROUP),
            Nothing,
            "Targets that share defaults and labels.",
        ),
        Key::new("targets", List(&TARGET), Nothing, "What to watch.").elsewhere(&[
            "endpoints",
            "monitors",
            "checks",
            "services",
            "hosts",
        ]),
        Key::new(
            "servers",
            List(&SEED_SERVER),
            Nothing,
            "What to watch, in the form of `servers.yml`.",
        ),
        Key::new(
            "heartbeats",
            Section(&HEARTBEATS),
            Nothing,
            "What happens to heartbeats that are sent to us.",
        ),
        Key::new(
            "receivers",
            List(&RECEIVER),
            Nothing,
            "Who is told of alerts.",
        )
        .elsewhere(&["contacts", "notifiers", "notifications", "channels"]),
        Key::new("rules", List(&ALERT_RULE), Nothing, "What is an alert.").elsewhere(&[
            "alerts",
            "alerting",
            "alert_rules",
        ]),
        Key::new(
            "maintenance",
            List(&MAINTENANCE),
            Nothing,
            "When nobody is told.",
        )
        .elsewhere(&["maintenance_windows", "mute_time_intervals"]),
        Key::new(
            "dead_man_switch",
            Section(&DEAD_MAN_SWITCH),
            Nothing,
            "Who notices our end.",
        ),
        Key::new(
            "membership",
            Section(&MEMBERSHIP),
            Nothing,
            "The group of members that this monitor belongs to. Without it, it belongs to none.",
        )
        .elsewhere(&["cluster", "gossip", "members", "swim", "agent"]),
        Key::new(
            "peer_metrics",
            Section(&PEER_METRICS),
            Nothing,
            "Metrics that peers publish, each with a time to live.",
        )
        .elsewhere(&["metrics_log", "pubsubmon", "monitor"]),
        Key::new(
            "observer",
            Section(&OBSERVER),
            Nothing,
            "How the monitor judges itself.",
        ),
    ], PAST],
};

/// `defaults`.
pub(in super::super) static DEFAULTS: Table = Table {
    title: "defaults",
    component: "DefaultSettings",
    doc: "The same keys as in a target, for all targets of the file or of a group. Nearer ones win: signal, \
          target, group, file. `observers` concerns all targets alike and has no place in a group. `http`, \
          `tls` and `detector` are merged key by key, `labels` and `headers` name by name; a `detector` of \
          another `kind` replaces the inherited one as a whole. What does not fit a target (`http` for one \
          that is pushed) is ignored there.",
    groups: &[CHECKING, JUDGING, LABELLING, OBSERVING],
};

static GROUP: Table = Table {
    title: "groups[]",
    component: "GroupSettings",
    doc: "",
    groups: &[
        &[
            Key::new(
                "name",
                Name,
                Required,
                "The group's name, unique in the file.",
            ),
            Key::new(
                "defaults",
                Section(&GROUP_DEFAULTS),
                Nothing,
                "What holds for the group's targets.",
            ),
            Key::new("targets", List(&TARGET), Nothing, "The group's targets."),
        ],
        LABELLING,
    ],
};

/// A target.
pub(in super::super) static TARGET: Table = Table {
    title: "targets[]",
    component: "TargetSettings",
    doc: "A target has exactly one of `url`, `push` and `signals`. The other keys are defaults for its \
          signals. The same form, as JSON, is what the API reads and writes.",
    groups: &[
        &[
            Key::new(
                "id",
                Name,
                Required,
                "The target's name, unique among all. 1 to 128 bytes of letters, digits and `- _ . : @ / ~ +`.",
            )
            .elsewhere(&["name"]),
            Key::new(
                "server_name",
                Text { bytes_max: 256 },
                Rule("the id"),
                "The label `server_name` in the metrics `server_phivalue` and `server_runtime_seconds`.",
            ),
            Key::new(
                "group",
                Name,
                Rule("the group it is listed in"),
                "A group's name, for display and for filters. Only a target listed under `groups` takes \
                 the group's defaults.",
            ),
        ],
        SOURCE,
        &[Key::new(
            "signals",
            List(&SIGNAL),
            Nothing,
            "Several streams of arrivals, 1 to 16; the target's status is the worst of theirs.",
        )],
        LABELLING,
        CHECKING,
        JUDGING,
    ],
};

static SIGNAL: Table = Table {
    title: "targets[].signals[]",
    component: "SignalSettings",
    doc: "A signal has exactly one of `url` and `push`.",
    groups: &[
        &[Key::new(
            "name",
            Name,
            Rule("`http`, `tcp` or `heartbeat`, after its source"),
            "The signal's name, unique within the target.",
        )],
        SOURCE,
        CHECKING,
        JUDGING,
    ],
};

const SOURCE: &[Key] = &[
    Key::new(
        "url",
        Kind::Url,
        Nothing,
        "Where to check: `http://host/path`, `https://host/path` or `tcp://host:port`.",
    )
    .elsewhere(&["target", "endpoint", "address", "host", "uri"]),
    Key::new(
        "push",
        Section(&PUSH),
        Nothing,
        "The target sends heartbeats itself, by UDP or HTTP. `push: {}` where their interval is not known.",
    )
    .elsewhere(&["heartbeat", "passive", "cron", "schedule"]),
];

pub(in super::super) static PUSH: Table = Table {
    title: "push",
    component: "PushSettings",
    doc: "",
    groups: &[&[Key::new(
        "interval",
        SPAN,
        Nothing,
        "How often the target sends. Worth saying: the detector then knows what to expect before it has \
         learnt it.",
    )
    .elsewhere(&["every", "period", "schedule"])]],
};

pub(super) const CHECKING: &[Key] = &[
    Key::new(
        "interval",
        CHECK_SPAN,
        Value("1s"),
        "From the start of one check to the start of the next. Checks of one signal never overlap.",
    )
    .elsewhere(&["every", "period", "frequency", "scrape_interval"]),
    Key::new(
        "timeout",
        CHECK_SPAN,
        Value("10s"),
        "How long a whole check may take. It may be longer than the interval: the next check then waits.",
    )
    .elsewhere(&["scrape_timeout"]),
    Key::new("http", Section(&HTTP), Nothing, "How to ask over HTTP, and which answer is good."),
];

pub(super) const JUDGING: &[Key] = &[
    Key::new(
        "detector",
        Section(&DETECTOR),
        Nothing,
        "How silence becomes suspicion.",
    ),
    Key::new(
        "grace",
        SPAN,
        Rule("3 intervals, at least `10s`"),
        "How long a signal may stay unheard after it was added, before it is `down`.",
    )
    .elsewhere(&["grace_period", "initial_delay", "start_period"]),
    Key::new(
        "recovery_arrivals",
        Count {
            min: 1,
            max: 1_000_000,
        },
        Value("1"),
        "Arrivals in a row that turn `down` into `up`.",
    )
    .elsewhere(&[
        "success-threshold",
        "successes",
        "healthy_threshold",
        "rise",
    ]),
];

pub(super) const LABELLING: &[Key] = &[Key::new(
    "labels",
    Labels,
    Nothing,
    "Texts by name, in metrics and filters; at most 32. A name has letters, digits and `_`. `null` takes \
     an inherited label away.",
)
.elsewhere(&["tags", "metadata"])];

pub(in super::super) static HTTP: Table = Table {
    title: "http",
    component: "HttpSettings",
    doc: "",
    groups: &[&[
        Key::new(
            "method",
            Choice(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
            Value("GET"),
            "The request's method.",
        ),
        Key::new(
            "headers",
            Kind::Headers,
            Nothing,
            "Headers to send, by name. `null` takes an inherited one away.",
        ),
        Key::new("body", Text { bytes_max: 65_536 }, Nothing, "The request's body."),
        Key::new(
            "expect_status",
            Kind::Statuses,
            Value("2xx"),
            "The status codes that count as an answer: `200`, `2xx`, `200-204`, or a list of them.",
        )
        .elsewhere(&["status", "valid_status_codes", "accepted_statuscodes", "expected_status"]),
        Key::new(
            "expect_body",
            Kind::Pattern,
            Nothing,
            "A regular expression that must match somewhere in the answer's body.",
        )
        .elsewhere(&["keyword", "body_regex", "fail_if_body_not_matches_regexp"]),
        Key::new(
            "redirects",
            Count { min: 0, max: 20 },
            Value("5"),
            "Redirects that are followed at most; with 0 a redirect is the answer.",
        )
        .elsewhere(&["follow_redirects", "max_redirects"]),
        Key::new(
            "version",
            Choice(&["auto", "http1", "http2"]),
            Value("auto"),
            "The HTTP version. `auto`: what TLS negotiates, else HTTP/1.1. `http2` without TLS: with prior \
             knowledge.",
        ),
        Key::new(
            "connection",
            Choice(&["reuse", "fresh"]),
            Value("reuse"),
            "`reuse` keeps the connection for the next check; `fresh` makes a new one each time, which \
             tests name resolution, TCP and TLS as well.",
        )
        .elsewhere(&["keep_alive", "keepalive"]),
        Key::new("tls", Section(&TLS), Nothing, "How the other side proves who it is."),
    ]],
};

pub(in super::super) static TLS: Table = Table {
    title: "tls",
    component: "TlsSettings",
    doc: "",
    groups: &[&[
        Key::new(
            "verify",
            Flag,
            Value("true"),
            "Whether the certificate must be valid. `false` accepts anything.",
        )
        .elsewhere(&["insecure", "insecure_skip_verify", "ignore_tls"]),
        Key::new(
            "ca_file",
            Path,
            Nothing,
            "A PEM file of the authorities to trust instead of the system's.",
        )
        .elsewhere(&["ca", "cafile", "cacert"]),
        Key::new(
            "server_name",
            Text { bytes_max: 255 },
            Nothing,
            "The name to ask for and to verify, instead of the URL's host.",
        )
        .elsewhere(&["sni"]),
        Key::new(
            "expires_within",
            SPAN,
            Nothing,
            "A certificate that expires sooner than this counts as a failed check.",
        )
        .elsewhere(&["certificate_expiration", "cert_expiry"]),
    ]],
};

/// The detector of a signal.
pub(in super::super) static DETECTOR: Table = Table {
    title: "detector",
    component: "DetectorSettings",
    doc: "Where a default says *interval*, the interval between checks or that of `push` is meant. With the \
          defaults of `phi`, what is sent regularly every 10 s or less often is `late` after 1.28 intervals and \
          `down` after 1.41; what is sent every second is `late` after 3.8 s and `down` after 5.1 s.",
    groups: &[
        &[
            Key::new(
                "kind",
                Choice(&["phi", "chen", "bertier", "deadline"]),
                Value("phi"),
                "How silence becomes a level: `phi` learns the distribution of the intervals; `chen` expects \
                 the next arrival and allows a fixed margin; `bertier` adapts the margin; `deadline` is a \
                 fixed time-out.",
            ),
            Key::new(
                "late",
                ABOVE_ZERO,
                Rule(
                    "half of `down`; `deadline`: halfway between interval and time-out, or 0.5",
                ),
                "The level from which the signal is `late`; below `down`.",
            ),
            Key::new(
                "down",
                ABOVE_ZERO,
                Rule("`phi`: 16; `chen` and `bertier`: 2, `deadline`: 1"),
                "The level from which the signal is `down`.",
            )
            .elsewhere(&["threshold", "phi_threshold", "failure-threshold", "fall"]),
            Key::new(
                "distribution",
                Choice(&["normal", "exponential", "lognormal", "empirical", "logistic"]),
                Value("normal"),
                "The distribution that intervals are assumed to follow. `logistic` is Akka's curve.",
            )
            .only(&["phi"]),
            Key::new(
                "window",
                Count { min: 1, max: WINDOW },
                Value("200"),
                "How many of the last intervals count.",
            )
            .elsewhere(&["max_sample_size", "samples", "window_size"])
            .only(&["phi", "chen", "bertier"]),
            Key::new(
                "decay",
                Count {
                    min: 2,
                    max: 1_000_000_000,
                },
                Nothing,
                "Instead of a window: the newest interval counts 1/n, older ones ever less. Needs less \
                 memory; not for the `empirical` distribution.",
            )
            .only(&["phi"]),
            Key::new(
                "min_std_deviation",
                SPAN,
                Rule("a twentieth of the interval, at least `500ms`"),
                "The standard deviation is taken to be at least this, so that a regular sender is not \
                 suspected for its first hiccup.",
            )
            .elsewhere(&["min_std_deviation_millis", "min_stddev"])
            .only(&["phi"]),
            Key::new(
                "acceptable_pause",
                Kind::Duration {
                    ms_min: 0,
                    ms_max: 10 * YEAR_MS,
                },
                Value("0s"),
                "Added to the mean interval: a pause that is always acceptable.",
            )
            .elsewhere(&["acceptable_heartbeat_pause", "acceptable_heartbeat_pause_millis"])
            .only(&["phi"]),
            Key::new(
                "first_heartbeat_estimate",
                SPAN,
                Rule("the interval, if it is above `1s`, else `500ms`; `10s` where it is not known"),
                "The interval assumed before any was measured.",
            )
            .elsewhere(&["first_heartbeat_estimate_millis"])
            .only(&["phi"]),
            Key::new(
                "interval",
                SPAN,
                Rule("the interval; required where it is not known"),
                "The sender's interval.",
            )
            .only(&["chen", "bertier"]),
            Key::new(
                "margin",
                SPAN,
                Rule("the interval, at least `500ms`"),
                "The safety margin after the expected arrival: the level is 1 at its end.",
            )
            .elsewhere(&["alpha"])
            .only(&["chen"]),
        ],
        BERTIER,
    ],
};

const BERTIER: &[Key] = &[
    Key::new(
        "beta",
        FROM_ZERO,
        Value("1"),
        "Weight of the mean error in the margin.",
    )
    .only(&["bertier"]),
    Key::new(
        "phi",
        FROM_ZERO,
        Value("4"),
        "Weight of the error's deviation in the margin.",
    )
    .only(&["bertier"]),
    Key::new(
        "gamma",
        Number {
            min: 0.0,
            max: 1.0,
            edge: Edge::Excluded,
        },
        Value("0.1"),
        "How fast the margin follows the error.",
    )
    .only(&["bertier"]),
    Key::new(
        "min_margin",
        SPAN,
        Rule("the interval, at least `500ms`"),
        "The least margin.",
    )
    .only(&["bertier"]),
    Key::new(
        "timeout",
        SPAN,
        Rule("3 intervals; required where the interval is not known"),
        "The silence at which the level is 1.",
    )
    .elsewhere(&["ttl"])
    .only(&["deadline"]),
];

pub(in super::super) static HEARTBEATS: Table = Table {
    title: "heartbeats",
    component: "HeartbeatSettings",
    doc: "",
    groups: &[&[
        Key::new(
            "create",
            Flag,
            Value("false"),
            "Whether a heartbeat of an unknown target creates the target.",
        )
        .elsewhere(&["auto_create", "register"]),
        Key::new(
            "targets_max",
            Count {
                min: 0,
                max: TARGETS_MAX as u64,
            },
            Value("1000"),
            "How many targets heartbeats create at most.",
        ),
        Key::new(
            "key_file",
            Path,
            Nothing,
            "A file with the key that datagrams must be signed with. Without it unsigned ones are taken.",
        )
        .elsewhere(&["key", "secret", "token"]),
        Key::new(
            "defaults",
            Section(&CREATED),
            Nothing,
            "What holds for targets created in this way, over the file's `defaults`.",
        ),
    ]],
};

pub(in super::super) static MEMBERSHIP: Table = Table {
    title: "membership",
    component: "MembershipSettings",
    doc: "The monitor runs an agent, which makes it a member; each member of the group is a target of the \
          group `members`, judged by the group itself. `membership: {}` is enough for a first member. \
          Changes take effect after a restart.",
    groups: &[&[
        Key::new(
            "name",
            Name,
            Rule("the name of the machine"),
            "The monitor's name in the group.",
        ),
        Key::new(
            "bind",
            Text { bytes_max: 64 },
            Value("127.0.0.1:7946"),
            "Where to listen, over UDP and TCP: `address:port`.",
        ),
        Key::new(
            "advertise",
            Text { bytes_max: 64 },
            Rule("where it listens"),
            "Where others reach it: `address:port`.",
        ),
        Key::new(
            "join",
            Text { bytes_max: 4_096 },
            Nothing,
            "Members to join through: `host:port`, several with commas between them.",
        )
        .elsewhere(&["seeds", "peers"]),
        Key::new(
            "label",
            Name,
            Value("default"),
            "The group's name: members of another one are refused.",
        ),
        Key::new(
            "key_file",
            Path,
            Nothing,
            "The group's keys, one a line; the first one seals what is said. Without it nothing is sealed.",
        ),
        Key::new(
            "direct_limit",
            Count {
                min: 0,
                max: 1_000_000,
            },
            Rule("100"),
            "Members up to which all exchange direct heartbeats; 0 for never.",
        ),
        Key::new(
            "snapshot",
            Text { bytes_max: 4_096 },
            Nothing,
            "A file that keeps the incarnation and the addresses of others over restarts.",
        ),
        Key::new(
            "profile",
            Choice(&["local", "lan", "wan"]),
            Value("lan"),
            "How far members are from each other.",
        ),
    ]],
};

pub(in super::super) static CREATED: Table = Table {
    title: "heartbeats.defaults",
    component: "CreatedSettings",
    doc: "",
    groups: &[
        &[Key::new(
            "push",
            Section(&PUSH),
            Nothing,
            "How often they send, where their heartbeats do not say it.",
        )],
        JUDGING,
        LABELLING,
    ],
};

pub(in super::super) static OBSERVER: Table = Table {
    title: "observer",
    component: "ObserverSettings",
    doc: "",
    groups: &[&[
        Key::new(
            "targets_max",
            Count {
                min: 1,
                max: TARGETS_MAX as u64,
            },
            Value("4000000"),
            "How many targets are watched at most.",
        ),
        Key::new(
            "stall_tolerance",
            SPAN,
            Value("500ms"),
            "Being woken later than this counts as a stall: nobody is convicted for a time in which the \
             monitor could not listen.",
        ),
        Key::new(
            "mass_fraction",
            ABOVE_ZERO,
            Value("0.5"),
            "The share of targets which, overdue at once, makes the monitor suspect itself. Above 1 it never \
             does.",
        ),
        Key::new(
            "mass_targets_min",
            Count {
                min: 1,
                max: TARGETS_MAX as u64,
            },
            Value("8"),
            "With fewer targets than this it never suspects itself.",
        ),
        Key::new(
            "mass_hold",
            SPAN,
            Value("5m"),
            "The longest time that it holds verdicts back for that.",
        ),
    ]],
};

/// An entry of `servers`, as in `servers.yml`.
pub(in super::super) static SEED_SERVER: Table = Table {
    title: "servers[]",
    component: "ServerSettings",
    doc: "The form of `servers.yml` and of the body of `PUT /config`. It has `id` or `name`, or both.",
    groups: &[&[
        Key::new(
            "id",
            Name,
            Rule("the name"),
            "A number or a name. The metric label `server_name` of a number is `server` with the number.",
        ),
        Key::new(
            "name",
            Name,
            Rule("the id"),
            "The name, and the metric label `server_name`.",
        ),
        Key::new(
            "url",
            Kind::Url,
            Required,
            "Where to check, for example `http://host/path`.",
        ),
        Key::new(
            "monitor",
            Section(&SEED_MONITOR),
            Nothing,
            "The phi detector of the target.",
        ),
    ]],
};

pub(in super::super) static SEED_MONITOR: Table = Table {
    title: "servers[].monitor",
    component: "ServerMonitorSettings",
    doc: "What is missing has its default.",
    groups: &[&[
        Key::new(
            "threshold",
            ABOVE_ZERO,
            Value("16"),
            "The level from which the target is `down`; it is `late` from half of it.",
        ),
        Key::new(
            "maxSampleSize",
            Count {
                min: 1,
                max: WINDOW,
            },
            Value("200"),
            "How many of the last intervals count.",
        ),
        Key::new(
            "minStdDeviationMillis",
            MILLIS_ABOVE_ZERO,
            Value("500"),
            "The least standard deviation.",
        ),
        Key::new(
            "acceptableHeartbeatPauseMillis",
            Kind::Millis {
                min: 0,
                max: 10 * YEAR_MS,
            },
            Value("0"),
            "A pause that is always acceptable.",
        ),
        Key::new(
            "firstHeartbeatEstimateMillis",
            MILLIS_ABOVE_ZERO,
            Value("500"),
            "The interval assumed before any was measured.",
        ),
    ]],
};

const MILLIS_ABOVE_ZERO: Kind = Kind::Millis {
    min: 1,
    max: 10 * YEAR_MS,
};
