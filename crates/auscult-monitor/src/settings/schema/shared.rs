//! Every key of the settings that monitors share, beside those that a settings file has as well.

use auscult_core::bounds::MONITORS_MAX;

use super::tables::{CHECK_SPAN, CHECKING, DEFAULTS, JUDGING, LABELLING, SEED_SERVER, TARGET};
use super::{Key, Kind, Preset, Table};
use crate::template::TEMPLATE_BYTES_MAX;
use Kind::{
    Choice, CountOr, Headers, List, Name, Names, Path, Section, Text, Time, Url, Variables,
};
use Preset::{Nothing, Required, Rule, Value};

/// A file that `auscult apply` takes, and the body of `POST /v1/settings`.
pub(in super::super) static SHARED: Table = Table {
    title: "Shared settings",
    component: "SharedSettings",
    doc: "What all monitors of a group share, as `auscult apply -f FILE` and `POST /v1/settings` take \
          it: YAML or JSON. Keys that begin with `x-` are yours. Tokens have no place in a file; \
          `auscult settings token NAME` makes one.",
    groups: &[&[
        Key::new(
            "defaults",
            Section(&DEFAULTS),
            Nothing,
            "What holds for every target that does not say otherwise.",
        ),
        Key::new(
            "groups",
            List(&SHARED_GROUP),
            Nothing,
            "What targets share.",
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
        Key::new("receivers", List(&RECEIVER), Nothing, "Who is told.").elsewhere(&[
            "contacts",
            "notifiers",
            "notifications",
            "channels",
        ]),
        Key::new(
            "silences",
            List(&SILENCE),
            Nothing,
            "What nobody is told for a while.",
        )
        .elsewhere(&["maintenance", "mutes"]),
        Key::new(
            "delete",
            Section(&NAMED),
            Nothing,
            "What shall be gone. What is not there is no error.",
        ),
    ]],
};

/// `defaults` of a group.
pub(super) static GROUP_DEFAULTS: Table = Table {
    title: "groups[].defaults",
    component: "GroupDefaultSettings",
    doc: "As `defaults`, for the targets of the group.",
    groups: &[CHECKING, JUDGING, LABELLING],
};

/// What concerns all targets of all monitors.
pub(super) const OBSERVING: &[Key] = &[Key::new(
    "observers",
    CountOr {
        min: 1,
        max: MONITORS_MAX as u64,
        word: "all",
    },
    Value("3"),
    "How many of the monitors of a group observe each shared target, or `all`. The others neither \
     check nor judge it. All monitors must have the same: say it in the shared settings.",
)
.elsewhere(&["probes", "replicas", "quorum", "confirmations"])];

static SHARED_GROUP: Table = Table {
    title: "groups[] (shared)",
    component: "SharedGroupSettings",
    doc: "Targets listed here belong to the group, and so does any target that says `group: NAME`.",
    groups: &[
        GROUP,
        &[Key::new(
            "targets",
            List(&TARGET),
            Nothing,
            "The group's targets.",
        )],
        LABELLING,
    ],
};

/// A group, without its targets.
pub(in super::super) static GROUP_DOCUMENT: Table = Table {
    title: "group",
    component: "GroupDocument",
    doc: "",
    groups: &[GROUP, LABELLING],
};

const GROUP: &[Key] = &[
    Key::new("name", Name, Required, "The group's name."),
    Key::new(
        "defaults",
        Section(&GROUP_DEFAULTS),
        Nothing,
        "What holds for the group's targets.",
    ),
    Key::new(
        "receivers",
        Names,
        Nothing,
        "Who is told of the group's targets: names of receivers.",
    ),
];

/// A receiver.
pub(in super::super) static RECEIVER: Table = Table {
    title: "receivers[]",
    component: "ReceiverSettings",
    doc: "Each `type` has keys of its own. Secrets stand in files that every monitor has.",
    groups: &[
        &[
            Key::new("name", Name, Required, "The receiver's name."),
            Key::new(
                "type",
                Choice(&[
                    "webhook",
                    "alertmanager",
                    "slack",
                    "email",
                    "command",
                    "log",
                ]),
                Required,
                "How it is told.",
            )
            .elsewhere(&["kind"]),
        ],
        REACHING,
        WRITING,
        MAILING,
        PACING,
    ],
};

const REACHING: &[Key] = &[
    Key::new("url", Url, Nothing, "Where to send it over HTTP.")
        .elsewhere(&["webhook_url", "api_url", "endpoint"])
        .only(&["webhook", "alertmanager", "slack"]),
    Key::new(
        "url_file",
        Path,
        Nothing,
        "A file with the URL, where the URL is a secret.",
    )
    .only(&["webhook", "slack"]),
    Key::new(
        "headers",
        Headers,
        Nothing,
        "Headers to send beside our own.",
    )
    .only(&["webhook", "alertmanager"]),
    Key::new(
        "token_file",
        Path,
        Nothing,
        "A file with a token for `Authorization: Bearer`.",
    )
    .elsewhere(&["bearer_token_file"])
    .only(&["webhook", "alertmanager"]),
    Key::new(
        "secret_file",
        Path,
        Nothing,
        "A file with the secret that messages are signed with (HMAC-SHA256).",
    )
    .elsewhere(&["hmac_file", "signing_secret_file"])
    .only(&["webhook"]),
    Key::new(
        "timeout",
        CHECK_SPAN,
        Value("10s"),
        "How long one attempt may take.",
    )
    .only(&["webhook", "alertmanager", "slack", "email", "command"]),
    Key::new(
        "channel",
        Text { bytes_max: 256 },
        Nothing,
        "The channel, where it is not the webhook's own.",
    )
    .only(&["slack"]),
    Key::new(
        "command",
        Kind::Words,
        Nothing,
        "The program and its arguments; the news comes as JSON on its standard input.",
    )
    .elsewhere(&["exec", "cmd", "args"])
    .only(&["command"]),
];

const WRITING: &[Key] = &[
    Key::new(
        "body",
        Text {
            bytes_max: TEMPLATE_BYTES_MAX,
        },
        Nothing,
        "What is sent in the place of our own, with gaps: `{{ title }}`. See `docs/alerts.md`.",
    )
    .elsewhere(&["template", "payload", "message", "text", "html"])
    .only(&["webhook", "slack", "email", "command"]),
    Key::new(
        "content_type",
        Text { bytes_max: 128 },
        Value("application/json"),
        "What `body` is; values are escaped for it: JSON, a form, HTML or XML, and nothing else.",
    )
    .only(&["webhook"]),
    Key::new(
        "subject",
        Text { bytes_max: 1_024 },
        Nothing,
        "The subject, with gaps: `[{{ status | upper }}] {{ title }}`.",
    )
    .only(&["email"]),
    Key::new(
        "environment",
        Variables,
        Nothing,
        "More variables for the program, with gaps: `{TEAM: \"{{ group.team }}\"}`.",
    )
    .elsewhere(&["env"])
    .only(&["command"]),
];

const PACING: &[Key] = &[
    Key::new(
        "group_by",
        Names,
        Nothing,
        "Labels whose values make a group; the alerts of a group are told in one message. Without \
         it all are one group.",
    ),
    Key::new(
        "group_wait",
        PACE,
        Value("5s"),
        "How long the first message of a group waits for others that belong to it.",
    ),
    Key::new(
        "group_interval",
        PACE,
        Value("30s"),
        "How long after a message of a group the next one may come.",
    ),
    Key::new(
        "mass_failure",
        Kind::Count {
            min: 2,
            max: 1_000_000,
        },
        Value("20"),
        "So many alerts at once are told in one message, whatever their groups.",
    ),
];

/// Waits of messages, which may be none.
const PACE: Kind = Kind::Duration {
    ms_min: 0,
    ms_max: 86_400_000,
};

const MAILING: &[Key] = &[
    Key::new(
        "smarthost",
        Text { bytes_max: 512 },
        Nothing,
        "The mail server: `host:port`.",
    )
    .elsewhere(&["smtp_smarthost", "server"])
    .only(&["email"]),
    Key::new(
        "from",
        Text { bytes_max: 512 },
        Nothing,
        "The sender's address.",
    )
    .only(&["email"]),
    Key::new("to", Kind::Words, Nothing, "The addresses that it goes to.").only(&["email"]),
    Key::new(
        "username",
        Text { bytes_max: 512 },
        Nothing,
        "The name to log in with at the mail server.",
    )
    .only(&["email"]),
    Key::new(
        "password_file",
        Path,
        Nothing,
        "A file with the password for it.",
    )
    .only(&["email"]),
    Key::new(
        "ca_file",
        Path,
        Nothing,
        "A file with authorities (PEM) to trust at the mail server, beside those of the host.",
    )
    .only(&["email"]),
];

/// A silence.
pub(in super::super) static SILENCE: Table = Table {
    title: "silences[]",
    component: "SilenceSettings",
    doc: "It holds for alerts that all of its matchers fit, from `from` until `until`.",
    groups: &[&[
        Key::new("name", Name, Required, "The silence's name.").elsewhere(&["id"]),
        Key::new(
            "matchers",
            Kind::Words,
            Required,
            "For which alerts it holds: all must hold, at least one. `env=prod`, `team!=web`, \
             `target=~db-*`, `group!~test*`.",
        ),
        Key::new("from", Time, Rule("at once"), "When it begins.")
            .elsewhere(&["starts_at", "start"]),
        Key::new("until", Time, Required, "When it ends.").elsewhere(&["ends_at", "end", "to"]),
        Key::new("author", Text { bytes_max: 256 }, Nothing, "Who wants it.")
            .elsewhere(&["created_by"]),
        Key::new("comment", Text { bytes_max: 4096 }, Required, "Why.").elsewhere(&["reason"]),
    ]],
};

/// A token.
pub(in super::super) static TOKEN: Table = Table {
    title: "token",
    component: "TokenSettings",
    doc: "Who may use the API. Only the hash of its secret is kept.",
    groups: &[&[
        Key::new(
            "name",
            Name,
            Required,
            "The token's name: the author of what is changed with it.",
        ),
        Key::new(
            "role",
            Choice(&["read", "write", "admin"]),
            Required,
            "`read` reads; `write` changes settings and sends heartbeats as well; `admin` also \
             changes tokens and the group of monitors.",
        ),
        Key::new(
            "sha256",
            Text { bytes_max: 64 },
            Required,
            "The SHA-256 of the secret, as 64 hexadecimal digits.",
        ),
        Key::new(
            "peer",
            Name,
            Nothing,
            "The peer that it speaks for: with it, metrics of that peer may be published, whatever the role, and of \
             no other peer.",
        ),
    ]],
};

/// What an operator paused.
pub(in super::super) static PAUSE: Table = Table {
    title: "pause",
    component: "PauseSettings",
    doc: "The target of that name is not judged, wherever it comes from.",
    groups: &[&[Key::new(
        "reason",
        Text { bytes_max: 4096 },
        Nothing,
        "Why.",
    )]],
};

/// What programs keep for themselves.
pub(in super::super) static VALUE: Table = Table {
    title: "value",
    component: "ValueSettings",
    doc: "Bytes that programs keep under `/keys/NAME/`.",
    groups: &[&[Key::new(
        "value",
        Text { bytes_max: 60_000 },
        Required,
        "The bytes, in base64.",
    )]],
};

/// Names of settings by kind.
pub(in super::super) static NAMED: Table = Table {
    title: "delete",
    component: "NamedSettings",
    doc: "",
    groups: &[&[
        Key::new(
            "groups",
            Names,
            Nothing,
            "Groups, which no target may name any more.",
        ),
        Key::new("targets", Names, Nothing, "Targets."),
        Key::new(
            "receivers",
            Names,
            Nothing,
            "Receivers, which no group may name any more.",
        ),
        Key::new("silences", Names, Nothing, "Silences."),
    ]],
};
