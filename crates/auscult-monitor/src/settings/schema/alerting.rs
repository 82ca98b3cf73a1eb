//! Every key of the rules that make alerts.

use super::{Key, Kind, Preset, Table};
use Kind::{Choice, Flag, Headers, Name, Names, Path, Text, Url, Words};
use Preset::{Nothing, Required, Rule, Value};

const DAY_MS: u64 = 86_400_000;

/// A span that may be none.
const SPAN: Kind = Kind::Duration {
    ms_min: 0,
    ms_max: 365 * DAY_MS,
};

/// A rule.
pub(in super::super) static ALERT_RULE: Table = Table {
    title: "rules[]",
    component: "AlertRuleSettings",
    doc: "Without any rule, `rules: [{name: down}]` holds where there are receivers. A target's \
          label `parent` names the targets on which it depends, with commas between them: while all of \
          them have alerts, nobody is told of its own.",
    groups: &[&[
        Key::new("name", Name, Required, "The rule's name.").elsewhere(&["alert", "id"]),
        Key::new(
            "when",
            Choice(&["down", "late"]),
            Value("down"),
            "The status that makes an alert; `late` is `late` or `down`.",
        )
        .elsewhere(&["status", "expr", "condition"]),
        Key::new(
            "severity",
            Choice(&["critical", "warning", "info"]),
            Value("critical"),
            "How bad it is.",
        ),
        Key::new(
            "matchers",
            Words,
            Nothing,
            "For which alerts it is, all must hold: `env=prod`, `team!=web`, `target=~db-*`, \
             `group!~test*`.",
        )
        .elsewhere(&["match", "labels", "selector"]),
        Key::new(
            "for",
            SPAN,
            Value("0s"),
            "How long it must be so before anybody is told; the detector waited already.",
        )
        .elsewhere(&["hold", "pending"]),
        Key::new(
            "keep_firing_for",
            SPAN,
            Value("0s"),
            "How long it must be over before that is told.",
        )
        .elsewhere(&["keep_firing", "resolve_after"]),
        Key::new(
            "repeat",
            Kind::Duration {
                ms_min: 1_000,
                ms_max: 365 * DAY_MS,
            },
            Value("4h"),
            "How often people are reminded while it lasts and nobody acknowledged it; `null` never.",
        )
        .elsewhere(&["repeat_interval", "reminder"]),
        Key::new(
            "flapping",
            Flag,
            Value("true"),
            "Whether four alerts within 30 minutes are taken for one, until it is quiet for 10.",
        ),
        Key::new("receivers", Names, Rule("all"), "Who is told.").elsewhere(&["receiver", "notify"]),
    ]],
};

/// A maintenance window.
pub(in super::super) static MAINTENANCE: Table = Table {
    title: "maintenance[]",
    component: "MaintenanceSettings",
    doc: "Nobody is told that an alert fires which all of its matchers fit, while the window is open. \
          What still fires when it closes is told then; what was told before is told to be over at \
          any time.",
    groups: &[&[
        Key::new("name", Name, Required, "The window's name."),
        Key::new(
            "matchers",
            Words,
            Required,
            "For which alerts it is, all must hold, at least one: `env=prod`, `target=~db-*`.",
        )
        .elsewhere(&["match", "labels", "selector"]),
        Key::new(
            "days",
            Words,
            Rule("every day"),
            "The days on which it opens: `mon` to `sun`.",
        )
        .elsewhere(&["weekdays", "day"]),
        Key::new(
            "at",
            Text { bytes_max: 5 },
            Required,
            "When it opens, by the clock of `timezone`: `02:30`.",
        )
        .elsewhere(&["from", "start", "starts_at"]),
        Key::new(
            "for",
            Kind::Duration {
                ms_min: 60_000,
                ms_max: 7 * DAY_MS,
            },
            Required,
            "How long it is open.",
        )
        .elsewhere(&["duration", "length"]),
        Key::new(
            "timezone",
            Text { bytes_max: 64 },
            Value("UTC"),
            "The time zone of `at`, as in `Europe/Berlin`.",
        )
        .elsewhere(&["tz", "time_zone", "location"]),
        Key::new("comment", Text { bytes_max: 4096 }, Nothing, "Why.").elsewhere(&["reason"]),
    ]],
};

/// Who is to notice that this monitor is gone.
pub(in super::super) static DEAD_MAN_SWITCH: Table = Table {
    title: "dead_man_switch",
    component: "DeadManSwitchSettings",
    doc: "This monitor posts to it that it lives; whoever is there tells people when that ends. In a \
          group each monitor posts for itself, with its name.",
    groups: &[&[
        Key::new("url", Url, Nothing, "Where to post.").elsewhere(&["ping_url", "endpoint"]),
        Key::new(
            "url_file",
            Path,
            Nothing,
            "A file with the URL, where the URL is a secret.",
        ),
        Key::new(
            "headers",
            Headers,
            Nothing,
            "Headers to send beside our own.",
        ),
        Key::new(
            "interval",
            Kind::Duration {
                ms_min: 100,
                ms_max: DAY_MS,
            },
            Value("30s"),
            "How often.",
        )
        .elsewhere(&["every", "period"]),
    ]],
};
