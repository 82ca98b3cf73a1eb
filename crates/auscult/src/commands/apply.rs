//! `auscult apply`: what a file says becomes what the monitors share, or is shown as a plan.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use auscult_monitor::settings::documents::{Sheet, Written};
use hyper::header::{CONTENT_TYPE, HeaderValue, IF_MATCH};
use hyper::{HeaderMap, Method};
use serde_json::Value;

use crate::args::{ApplyArgs, Output};
use crate::client::{Ask, Client};
use crate::exit::{self, Exit, Stop};
use crate::render::{Ink, Screen, printable, problems};

pub(crate) async fn run(args: &ApplyArgs) -> Result<(), Stop> {
    let text = read(&args.file)?;
    let client = Client::new(&args.client.url)?;
    let mut path = "/v1/settings?".to_owned();
    for (said, flag) in [(args.plan, "plan=true&"), (args.prune, "prune=true&")] {
        if said {
            path.push_str(flag);
        }
    }
    let mut headers = HeaderMap::new();
    if let Some(revision) = args.revision {
        let tag = HeaderValue::try_from(format!("\"{revision}\""));
        headers.extend(tag.ok().map(|tag| (IF_MATCH, tag)));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
    let ask = Ask {
        method: Method::POST,
        path: path.trim_end_matches(['?', '&']),
        headers,
        body: Some(text.clone()),
    };
    let answer = client.ask(ask).await;
    let answer = answer.map_err(|stop| wrong(&args.file, &text).unwrap_or(stop))?;
    let out = &mut io::stdout().lock();
    if args.client.output == Output::Json {
        return Ok(out.write_all(&answer.body)?);
    }
    let json: Value = client.read(&answer)?;
    match args.plan {
        true => Ok(print_plan(out, Screen::stdout(), &json)?),
        false => Ok(print_change(out, &json)?),
    }
}

fn read(file: &Path) -> Result<String, Stop> {
    let text = match file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin()),
        false => std::fs::read_to_string(file),
    };
    text.map_err(|error| {
        let (name, error) = (file.display(), exit::in_words(&error));
        Stop::new(Exit::No, format!("cannot read {name}: {error}"))
    })
}

/// What is wrong with the file itself, with every line: a monitor that refuses it does not know
/// its name, and one that does not answer says nothing of it.
fn wrong(file: &Path, text: &str) -> Option<Stop> {
    let name = file.display().to_string();
    let file = &name;
    let found = Sheet::read(Written::Yaml { text, file }).err()?;
    let words = problems::in_words(Screen::stderr(), &found);
    Some(Stop::new(Exit::No, words))
}

fn print_change(out: &mut impl Write, change: &Value) -> io::Result<()> {
    let count = |name: &str| change[name].as_u64().unwrap_or_default();
    let [created, replaced, deleted] = ["created", "replaced", "deleted"].map(count);
    let (revision, unchanged) = (count("revision"), count("unchanged"));
    match created + replaced + deleted {
        0 => writeln!(
            out,
            "nothing to do: {unchanged} settings are as the file has them, revision {revision}"
        ),
        _ => writeln!(
            out,
            "revision {revision}: {created} created, {replaced} replaced, {deleted} deleted, \
             {unchanged} unchanged"
        ),
    }
}

/// Shows each step with what it changes, like a patch.
pub(super) fn print_plan(out: &mut impl Write, screen: Screen, plan: &Value) -> io::Result<()> {
    for step in plan["steps"].as_array().into_iter().flatten() {
        let text = |name: &str| printable(step[name].as_str().unwrap_or_default());
        let (sign, ink) = match step["action"].as_str() {
            Some("created") => ("+", Ink::Good),
            Some("deleted") => ("-", Ink::Bad),
            _ => ("~", Ink::Warning),
        };
        let (kind, name, action) = (text("kind"), text("name"), text("action"));
        let head = format!("{sign} {kind} {name} ({action})");
        writeln!(out, "{}", screen.paint(ink, &head))?;
        let (before, after) = (lines(&step["before"]), lines(&step["after"]));
        let keys = before.keys().chain(after.keys());
        for key in keys.collect::<std::collections::BTreeSet<_>>() {
            let (was, is) = (before.get(key), after.get(key));
            if was == is {
                continue;
            }
            for (sign, ink, value) in [("-", Ink::Bad, was), ("+", Ink::Good, is)] {
                if let Some(value) = value {
                    let line = format!("    {sign} {key}: {value}");
                    writeln!(out, "{}", screen.paint(ink, &line))?;
                }
            }
        }
    }
    let count = |name: &str| plan[name].as_u64().unwrap_or_default();
    if count("more") > 0 {
        writeln!(out, "and {} more", count("more"))?;
    }
    let [created, replaced, deleted, unchanged, revision] =
        ["created", "replaced", "deleted", "unchanged", "revision"].map(count);
    if created + replaced + deleted == 0 {
        return writeln!(
            out,
            "nothing to do: {unchanged} settings are as the file has them, revision {revision}"
        );
    }
    writeln!(
        out,
        "plan for revision {revision}: {created} to create, {replaced} to replace, {deleted} to \
         delete, {unchanged} unchanged"
    )
}

/// A document as one line for each value: `http.tls.verify: false`.
fn lines(document: &Value) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    flatten("", document, &mut lines);
    lines
}

fn flatten(path: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = match path {
                    "" => printable(name),
                    path => format!("{path}.{}", printable(name)),
                };
                flatten(&path, value, lines);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), value, lines);
            }
        }
        Value::Null | Value::Object(_) if path.is_empty() => {}
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            lines.insert(path.to_owned(), printable(&value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_reads_like_a_patch() {
        let plan = json!({
            "revision": 7, "created": 1, "replaced": 1, "deleted": 1, "unchanged": 5, "more": 0,
            "steps": [
                {"kind": "target", "name": "a", "action": "created",
                    "after": {"id": "a", "signals": [{"url": "http://a/"}]}},
                {"kind": "target", "name": "b", "action": "replaced",
                    "before": {"id": "b", "interval": "1s", "http": {"tls": {"verify": false}}},
                    "after": {"id": "b", "interval": "5s"}},
                {"kind": "receiver", "name": "c\u{1b}", "action": "deleted",
                    "before": {"type": "log"}},
            ],
        });
        let mut out = Vec::new();
        print_plan(&mut out, Screen::PIPE, &plan).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let text = text.replace(&printable("c\u{1b}"), "c");
        let expected = "\
+ target a (created)
    + id: \"a\"
    + signals[0].url: \"http://a/\"
~ target b (replaced)
    - http.tls.verify: false
    - interval: \"1s\"
    + interval: \"5s\"
- receiver c (deleted)
    - type: \"log\"
plan for revision 7: 1 to create, 1 to replace, 1 to delete, 5 unchanged
";
        assert_eq!(text, expected);
    }
}
