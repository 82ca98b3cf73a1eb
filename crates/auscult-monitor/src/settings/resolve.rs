//! From checked sections to targets: defaults filled in, and the rules between keys.

use std::sync::Arc;

use auscult_core::bounds::{LABELS_PER_TARGET_MAX, SIGNALS_PER_TARGET_MAX};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::Labels;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};

use super::judge;
use super::report::{At, Report};
use super::schema::{HTTP, PUSH, TLS};
use super::section::Section;
use super::target::{
    Connection, HttpCheck, HttpVersion, SignalSpec, SourceSpec, TargetSpec, TcpCheck, TlsSpec,
};
use super::url::CheckUrl;

/// The target that `own` describes, with `inherited` where it says nothing. `None` after a problem
/// that leaves no target; others are reported as well, and it is for the caller to look at the
/// report.
pub(super) fn target(
    report: &mut Report<'_>,
    own: &Section,
    inherited: &Section,
    group: Option<&str>,
) -> Option<TargetSpec> {
    let merged = own.over(inherited);
    let source = one_source(report, own, &["url", "push", "signals"]);
    let signals = match source {
        Some("signals") => signals(report, own, &merged),
        Some(_) => signal(report, own, &merged).into_iter().collect(),
        None => Vec::new(),
    };
    let id = TargetId::new(&own.text("id")?).ok()?;
    let own_group = own.text("group");
    if let (Some(listed), Some(said)) = (group, &own_group)
        && listed != &**said
    {
        let message = format!("the group is `{said}`, but the target is listed in `{listed}`");
        report.value(own.at("group"), message, Some("leave the key out".into()));
    }
    let labels = labels(report, &merged);
    let spec = TargetSpec {
        server_name: own
            .text("server_name")
            .unwrap_or_else(|| id.as_str().into()),
        id,
        group: group.map(Into::into).or(own_group),
        labels,
        signals,
        line: own.at.value.map(|span| span.line),
    };
    (!spec.signals.is_empty()).then_some(spec)
}

/// Reports what is wrong with the sources that a target names, whatever it inherits.
pub(super) fn check_source(report: &mut Report<'_>, own: &Section) {
    if one_source(report, own, &["url", "push", "signals"]) == Some("signals") {
        for section in own.list("signals") {
            let _ = one_source(report, section, &["url", "push"]);
        }
    }
}

/// The labels of a merged section.
pub(super) fn labels(report: &mut Report<'_>, merged: &Section) -> Labels {
    let labels: Labels = merged
        .texts("labels")
        .map(|(name, text)| (name.into(), text.into()))
        .collect();
    if labels.len() > LABELS_PER_TARGET_MAX {
        let message = format!(
            "with the inherited ones there are {} labels; {LABELS_PER_TARGET_MAX} are the most",
            labels.len()
        );
        report.key(merged.at("labels"), message, None);
    }
    labels
}

/// The one of `names` that `own` says.
fn one_source(
    report: &mut Report<'_>,
    own: &Section,
    names: &[&'static str],
) -> Option<&'static str> {
    let said: Vec<_> = names
        .iter()
        .copied()
        .filter(|name| own.says(name))
        .collect();
    if let [only] = said.as_slice() {
        return Some(only);
    }
    let choice = match names {
        [one, other] => format!("either `{one}` or `{other}`"),
        _ => "exactly one of `url`, `push` and `signals`".to_owned(),
    };
    if let [first, second, ..] = said.as_slice() {
        let message = format!("there are both `{first}` and `{second}`");
        let hint = match names.contains(&"signals") {
            true => format!("it has {choice}; `signals` takes several sources"),
            false => format!("it has {choice}"),
        };
        report.key(own.at(second), message, Some(hint));
        return None;
    }
    let null = names.iter().find(|name| own.entry(name).is_some());
    let (at, hint) = match null {
        Some(&"push") => (
            own.at("push"),
            "write `push: {}` or `push: {interval: 1m}`".into(),
        ),
        Some(name) => (own.at(name), format!("`{name}` has no value")),
        None => (&own.at, format!("it has {choice}")),
    };
    report.key(
        at,
        "nothing says where arrivals come from".into(),
        Some(hint),
    );
    None
}

fn signals(report: &mut Report<'_>, own: &Section, merged: &Section) -> Vec<SignalSpec> {
    let list = own.list("signals");
    let at = own.at("signals");
    if list.is_empty() {
        report.value(at, "there are no signals".into(), None);
    }
    if list.len() > SIGNALS_PER_TARGET_MAX {
        let count = list.len();
        let message = format!("{count} signals; {SIGNALS_PER_TARGET_MAX} are the most");
        report.key(at, message, Some("split the target".into()));
        return Vec::new();
    }
    let mut specs: Vec<(SignalSpec, &At)> = Vec::with_capacity(list.len());
    for section in list {
        if one_source(report, section, &["url", "push"]).is_none() {
            continue;
        }
        let Some(spec) = signal(report, section, &section.over(merged)) else {
            continue;
        };
        let before = specs.iter().find(|(before, _)| before.name == spec.name);
        if let Some((_, before)) = before {
            let message = format!("the signal `{}` stands twice", spec.name);
            let hint = match section.says("name") {
                true => format!("the first stands{}", before.in_line()),
                false => "give each signal a `name`".to_owned(),
            };
            report.value(section.at("name"), message, Some(hint));
        }
        specs.push((spec, section.at("name")));
    }
    specs.into_iter().map(|(spec, _)| spec).collect()
}

/// The one signal of a section that has a source. `own` is what was said here, `merged` what holds.
fn signal(report: &mut Report<'_>, own: &Section, merged: &Section) -> Option<SignalSpec> {
    let (source, name) = if own.says("push") {
        let interval = own.section("push", &PUSH).duration("interval");
        refuse_said(report, own, &["interval", "timeout", "http"], "push");
        (SourceSpec::Push { interval }, "heartbeat")
    } else {
        match own.url("url")? {
            CheckUrl::Http(url) => {
                let check = http(report, merged, url.clone())?;
                (SourceSpec::Http(Arc::new(check)), "http")
            }
            CheckUrl::Tcp(host, port) => {
                refuse_said(report, own, &["http"], "tcp");
                let check = TcpCheck {
                    host: host.clone(),
                    port: *port,
                    interval: merged.duration("interval")?,
                    timeout: merged.duration("timeout")?,
                };
                (SourceSpec::Tcp(check), "tcp")
            }
        }
    };
    // A target has no key `name`, a signal has.
    let named = own.table.key("id").is_none().then(|| own.text("name"));
    let name = named.flatten().unwrap_or_else(|| name.into());
    let interval = source.interval();
    let config = judge::signal_config(report, merged, interval)?;
    Some(SignalSpec {
        name: SignalName::new(&name).ok()?,
        source,
        config,
    })
}

/// Reports keys that were said although the source has no use for them.
fn refuse_said(report: &mut Report<'_>, own: &Section, names: &[&str], source: &str) {
    for name in names {
        if !own.says(name) {
            continue;
        }
        let message = match source {
            "push" => format!("`{name}` is for checks; this is pushed"),
            _ => format!("`{name}` is for http and https URLs"),
        };
        let hint = match (source, *name) {
            ("push", "interval") => "the sender's interval goes under `push`",
            _ => "remove it",
        };
        report.key(own.at(name), message, Some(hint.into()));
    }
}

fn http(report: &mut Report<'_>, merged: &Section, url: hyper::Uri) -> Option<HttpCheck> {
    let http = merged.section("http", &HTTP);
    let mut headers = HeaderMap::new();
    for (name, text) in http.texts("headers") {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.insert(name, HeaderValue::from_str(text).ok()?);
    }
    let method = Method::from_bytes(http.word("method").as_bytes()).ok()?;
    let body = http.text("body").map(Into::into);
    if body.is_some() && [Method::GET, Method::HEAD].contains(&method) {
        let message = format!("a {method} request has no body");
        let hint = "set `method: POST`, or remove the body";
        report.key(http.at("body"), message, Some(hint.into()));
    }
    let expect_body = http.pattern("expect_body").cloned();
    if expect_body.is_some() && method == Method::HEAD {
        let message = "the answer to a HEAD request has no body".to_owned();
        report.key(
            http.at("expect_body"),
            message,
            Some("set `method: GET`".into()),
        );
    }
    Some(HttpCheck {
        url,
        method,
        headers,
        body,
        expect_status: http.statuses("expect_status")?,
        expect_body,
        redirects: u8::try_from(http.count("redirects")?).ok()?,
        version: HttpVersion::from_name(http.word("version"))?,
        connection: Connection::from_name(http.word("connection"))?,
        tls: tls(&http.section("tls", &TLS)),
        interval: merged.duration("interval")?,
        timeout: merged.duration("timeout")?,
    })
}

fn tls(tls: &Section) -> TlsSpec {
    TlsSpec {
        verify: tls.flag("verify"),
        ca_file: tls.path("ca_file"),
        server_name: tls.text("server_name"),
        expires_within: tls.duration("expires_within"),
    }
}
