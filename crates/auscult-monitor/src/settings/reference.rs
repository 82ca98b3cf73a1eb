//! `api/config.md`: every key, written from the tables.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::duration;
use super::schema::{Edge, Key, Kind, PAUSE, Preset, ROOT, SHARED, TOKEN, Table};

/// The reference of all settings, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    let mut written = BTreeSet::new();
    table(&mut text, &ROOT, &mut written);
    for shared in [&SHARED, &TOKEN, &PAUSE] {
        table(&mut text, shared, &mut written);
    }
    text
}

const INTRODUCTION: &str = "\
# Settings

Written from the program's own tables; do not edit.

- A duration is a number with a unit: `500ms`, `1s`, `2m`, `1h30m`, `1d`, `1w`. A bare number is an error.
- An unknown key is an error. So are a key and a target id that stand twice. All errors are told at once.
- `null` (or a key without a value) means *none* where a key has no default, whatever was inherited.
- Bodies of the REST API have the same keys in JSON. What the API answers can be sent back unchanged.
- Secrets do not belong here: keys are read from files.

A file for a start:

```yaml
targets:
  - id: shop
    url: https://shop.example/health
  - id: db
    url: tcp://db:5432
    interval: 5s
  - id: nightly-backup
    push: {interval: 1d}
```

`auscult check-config FILE` checks a file without starting anything.
";

fn table(text: &mut String, table: &'static Table, written: &mut BTreeSet<&'static str>) {
    if !written.insert(table.component) {
        return;
    }
    let title = match table.title {
        "The file" => table.title.to_owned(),
        title => format!("`{title}`"),
    };
    let _ = writeln!(text, "\n## {title}\n");
    if !table.doc.is_empty() {
        let _ = writeln!(text, "{}\n", table.doc);
    }
    text.push_str("| key | value | default | |\n|---|---|---|---|\n");
    for key in table.keys() {
        row(text, key);
    }
    for key in table.keys() {
        if let Kind::Section(below) | Kind::List(below) = &key.kind {
            self::table(text, below, written);
        }
    }
}

fn row(text: &mut String, key: &Key) {
    let default = match key.preset {
        Preset::Required => "**required**".to_owned(),
        Preset::Nothing if matches!(key.kind, Kind::Section(_) | Kind::List(_)) => String::new(),
        Preset::Nothing => "none".to_owned(),
        Preset::Value(value) => format!("`{value}`"),
        Preset::Rule(rule) => rule.to_owned(),
    };
    let mut doc = key.doc.to_owned();
    if !key.detectors.is_empty() {
        let kinds = key.detectors.join("`, `");
        let _ = write!(doc, " For `{kinds}`.");
    }
    let kind = kind(&key.kind);
    let _ = writeln!(text, "| `{}` | {kind} | {default} | {doc} |", key.name);
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Duration { ms_min, ms_max } => {
            let shown = |millis: &u64| duration::format(Duration::from_millis(*millis));
            format!("duration, {} to {}", shown(ms_min), shown(ms_max))
        }
        Kind::Millis { min, .. } => format!("milliseconds, from {min}"),
        Kind::Count { min, max } => format!("whole number, {min} to {max}"),
        Kind::CountOr { min, max, word } => format!("whole number, {min} to {max}, or `{word}`"),
        Kind::Number { min, max, edge } => match edge {
            Edge::Included => format!("number, {min} to {max}"),
            Edge::Excluded => format!("number, above {min}, at most {max}"),
        },
        Kind::Flag => "`true` or `false`".into(),
        Kind::Choice(words) => format!("`{}`", words.join("`, `")),
        Kind::Name => "name".into(),
        Kind::Text { bytes_max } => format!("text, at most {bytes_max} bytes"),
        Kind::Url => "URL".into(),
        Kind::Path => "path of a file".into(),
        Kind::Pattern => "regular expression".into(),
        Kind::Statuses => "status codes".into(),
        Kind::Names => "list of names".into(),
        Kind::Words => "list of texts".into(),
        Kind::Time => "time, as `2026-05-01T12:00:00Z`".into(),
        Kind::Labels | Kind::Headers | Kind::Variables => "texts by name".into(),
        Kind::Section(table) => format!("mapping, see `{}`", table.title),
        Kind::List(table) => format!("list of `{}`", table.title.trim_end_matches("[]")),
    }
}
