//! Rules between the keys of a document, told in the words of the keys.

use auscult_core::monitor::registry::Kind;

use super::super::report::Report;
use super::super::resolve;
use super::super::schema::{MATCHER, RECEIVER};
use super::super::section::Section;
use super::super::url::CheckUrl;
use crate::base64;

/// Reports what is wrong with a document although each of its keys is right.
pub(super) fn check(report: &mut Report<'_>, kind: Kind, section: &Section) {
    match kind {
        Kind::Receiver => receiver(report, section),
        Kind::Silence => silence(report, section),
        Kind::Token => token(report, section),
        Kind::Value => value(report, section),
        Kind::Target => resolve::check_source(report, section),
        Kind::Defaults | Kind::Group | Kind::Pause => {}
    }
}

pub(in super::super) fn receiver(report: &mut Report<'_>, receiver: &Section) {
    let kind = receiver.word("type");
    for entry in &receiver.entries {
        let key = RECEIVER.key(entry.name);
        let kinds = key.map_or(&[] as &[_], |key| key.detectors);
        if kind.is_empty() || kinds.is_empty() || kinds.contains(&kind) {
            continue;
        }
        let message = format!("`{}` is not for a receiver of type `{kind}`", entry.name);
        let hint = format!("it belongs to `type: {}`", kinds.join("` or `type: "));
        report.key(&entry.at, message, Some(hint));
    }
    let one_of: &[&[&str]] = match kind {
        "webhook" | "slack" => &[&["url", "url_file"]],
        "alertmanager" => &[&["url"]],
        "email" => &[&["smarthost"], &["from"], &["to"]],
        "command" => &[&["command"]],
        _ => &[],
    };
    for names in one_of {
        let said = names.iter().filter(|name| receiver.says(name)).count();
        let choice = names.join("` or `");
        match said {
            0 if names.iter().any(|name| receiver.entry(name).is_some()) => {}
            0 => {
                let message = format!("a receiver of type `{kind}` needs `{choice}`");
                report.key(&receiver.at, message, None);
            }
            1 => {}
            _ => {
                let message = format!("it has `{choice}`, not both");
                report.key(receiver.at(names[1]), message, None);
            }
        }
    }
    if let Some(CheckUrl::Tcp(..)) = receiver.url("url") {
        let message = "news is sent over http or https".to_owned();
        report.value(receiver.at("url"), message, None);
    }
    for name in ["command", "to"] {
        if receiver.says(name) && receiver.names(name).iter().all(|word| word.is_empty()) {
            let message = format!("`{name}` is empty");
            report.value(receiver.at(name), message, None);
        }
    }
    let addresses = receiver.names("to").iter().cloned();
    for address in addresses.chain(receiver.text("from")) {
        if !address.contains('@') {
            let message = format!("`{address}` is no address of mail: it has no `@`");
            report.value(receiver.at("to"), message, None);
        }
    }
    if let Some(host) = receiver.text("smarthost")
        && !host.rsplit_once(':').is_some_and(|(name, port)| {
            !name.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    {
        let message = format!("`{host}` is no mail server");
        let hint = "write host and port: `mail.example.org:587`".to_owned();
        report.value(receiver.at("smarthost"), message, Some(hint));
    }
}

fn silence(report: &mut Report<'_>, silence: &Section) {
    let matchers = silence.list("matchers");
    if silence.says("matchers") && matchers.is_empty() {
        let message = "without a matcher it would hold for everything".to_owned();
        let hint = "write `matchers: [{label: group, is: web}]`".to_owned();
        report.value(silence.at("matchers"), message, Some(hint));
    }
    for matcher in matchers {
        self::matcher(report, matcher);
    }
    let (from, until) = (silence.time("from"), silence.time("until"));
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        let message = format!("it would end ({until}) before it begins ({from})");
        report.value(silence.at("until"), message, None);
    }
}

fn matcher(report: &mut Report<'_>, matcher: &Section) {
    const HOW: [&str; 4] = ["is", "is_not", "matches", "matches_not"];
    debug_assert!(HOW.iter().all(|name| MATCHER.key(name).is_some()));
    match HOW.iter().filter(|name| matcher.says(name)).count() {
        1 => {}
        0 if HOW.iter().any(|name| matcher.entry(name).is_some()) => {}
        0 => {
            let message = "nothing says what the label must be".to_owned();
            let hint = "write one of `is`, `is_not`, `matches` and `matches_not`".to_owned();
            report.key(&matcher.at, message, Some(hint));
        }
        _ => {
            let message = "a matcher has one of `is`, `is_not`, `matches` and `matches_not`";
            let hint = "write two matchers: both must fit".to_owned();
            report.key(&matcher.at, message.to_owned(), Some(hint));
        }
    }
}

fn token(report: &mut Report<'_>, token: &Section) {
    let Some(hash) = token.text("sha256") else {
        return;
    };
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        let message = "a SHA-256 has 64 hexadecimal digits".to_owned();
        let hint = "`printf %s SECRET | sha256sum` writes it".to_owned();
        report.value(token.at("sha256"), message, Some(hint));
    }
}

fn value(report: &mut Report<'_>, value: &Section) {
    let text = value.text("value");
    if text.is_some_and(|text| base64::decode(&text).is_none()) {
        let message = "the value is not base64".to_owned();
        report.value(value.at("value"), message, None);
    }
}
