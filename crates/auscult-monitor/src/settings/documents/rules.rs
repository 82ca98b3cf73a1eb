//! Rules between the keys of a document, told in the words of the keys.

use auscult_core::monitor::registry::Kind;

use super::super::report::Report;
use super::super::resolve;
use super::super::schema::RECEIVER;
use super::super::section::Section;
use super::super::templates;
use super::super::url::CheckUrl;
use crate::base64;
use auscult_core::alert::Matcher;
use hyper::header::HeaderValue;

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
    if let Some(text) = receiver.text("content_type")
        && HeaderValue::from_str(&text).is_err()
    {
        let message = "it cannot be sent as a header".to_owned();
        report.value(receiver.at("content_type"), message, None);
    }
    templates::check(report, receiver);
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
    let matchers = silence.names("matchers");
    if silence.says("matchers") && matchers.is_empty() {
        let message = "without a matcher it would hold for everything".to_owned();
        let hint = "write `matchers: [\"group=web\"]`".to_owned();
        report.value(silence.at("matchers"), message, Some(hint));
    }
    for text in matchers {
        if let Err(error) = Matcher::parse(text) {
            report.value(silence.at("matchers"), error.to_string(), None);
        }
    }
    let (from, until) = (silence.time("from"), silence.time("until"));
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        let message = format!("it would end ({until}) before it begins ({from})");
        report.value(silence.at("until"), message, None);
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
