//! The form of `servers.yml` and of the body of `PUT /config`, turned into the native form.

use super::report::Report;
use super::resolve;
use super::schema::{DETECTOR, SEED_MONITOR, TARGET};
use super::section::{Entry, Section, Value};
use super::target::TargetSpec;

/// The target that an entry of `servers` describes. `inherited` counts for everything but the
/// detector, whose missing keys have the defaults of this form.
pub(super) fn server(
    report: &mut Report<'_>,
    server: &Section,
    inherited: &Section,
) -> Option<TargetSpec> {
    let own = native(report, server)?;
    let mut inherited = inherited.clone();
    inherited.entries.retain(|entry| entry.name != "detector");
    resolve::target(report, &own, &inherited, None)
}

/// An entry of `servers` in the form of a target, with its whole detector said.
pub(super) fn native(report: &mut Report<'_>, server: &Section) -> Option<Section> {
    let (id, name) = (server.text("id"), server.text("name"));
    let Some(said) = id.clone().or_else(|| name.clone()) else {
        if !server.says("id") && !server.says("name") {
            let hint = "write `id: 10` or `name: shop`".to_owned();
            let message = "the server has neither `id` nor `name`".to_owned();
            report.key(&server.at, message, Some(hint));
        }
        return None;
    };
    let number = said.bytes().all(|b| b.is_ascii_digit());
    let server_name = match name {
        Some(name) => name,
        None if number => format!("server{said}").into(),
        None => said.clone(),
    };
    let id_key = if id.is_some() { "id" } else { "name" };
    let renamed = |name, from: &str, value| Entry {
        name,
        at: server.at(from).clone(),
        value,
    };
    let mut entries = vec![
        renamed("id", id_key, Value::Text(said)),
        renamed("server_name", "name", Value::Text(server_name)),
        renamed("detector", "monitor", Value::Section(detector(server))),
    ];
    entries.push(server.entry("url")?.clone());
    Some(Section {
        table: &TARGET,
        at: server.at.clone(),
        entries,
    })
}

/// The detector that `monitor` describes, each of its keys said.
fn detector(server: &Section) -> Section {
    const NAMES: [(&str, &str); 4] = [
        ("maxSampleSize", "window"),
        ("minStdDeviationMillis", "min_std_deviation"),
        ("acceptableHeartbeatPauseMillis", "acceptable_pause"),
        ("firstHeartbeatEstimateMillis", "first_heartbeat_estimate"),
    ];
    let monitor = server.section("monitor", &SEED_MONITOR);
    let mut entries: Vec<Entry> = NAMES
        .into_iter()
        .map(|(seed, name)| Entry {
            name,
            at: monitor.at(seed).clone(),
            value: monitor.value(seed),
        })
        .collect();
    let down = monitor.number("threshold").unwrap_or_default();
    for (name, level) in [("late", down / 2.0), ("down", down)] {
        entries.push(Entry {
            name,
            at: monitor.at("threshold").clone(),
            value: Value::Number(level),
        });
    }
    for (name, word) in [("kind", "phi"), ("distribution", "normal")] {
        entries.push(Entry {
            name,
            at: monitor.at.clone(),
            value: Value::Word(word),
        });
    }
    Section {
        table: &DETECTOR,
        at: monitor.at,
        entries,
    }
}
