//! Every key of the rules that make alerts.

use super::{Key, Kind, Preset, Table};
use Kind::{Choice, Flag, Name, Names, Words};
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
