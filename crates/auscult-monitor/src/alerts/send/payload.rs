//! What messages look like to those who get them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::alert::{
    AlertId, AlertKey, Ending, Episode, Message, News, Notice, Occasion, Severity, Subject,
};
use auscult_core::id::{ReceiverName, RuleName, SignalName, TargetId};
use auscult_core::time::Instant;
use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json};

use crate::alerts::AlertClock;
use crate::events::sentence::seconds;

/// How long an Alertmanager takes an alert for firing when it is not reminded: four reminders.
const FIRING_FOR: Duration = Duration::from_secs(240);

/// Subjects that a title names.
const SUBJECTS_MAX: usize = 3;

/// Alerts that a text names one by one.
const LINES_MAX: usize = 20;

/// JSON for webhooks and programs.
pub(super) fn webhook(now: Instant, message: &Message) -> Value {
    let group = message.group.iter();
    let group: Map<String, Value> = group.map(|(k, v)| (k.clone(), json!(v))).collect();
    let ended = message.notices.iter().filter(|n| n.news.is_resolved());
    let ended = ended.count();
    let firing = message.notices.len() - ended;
    let text = text(now, message);
    json!({
        "version": "1",
        "receiver": message.receiver.as_str(),
        "status": if firing > 0 { "firing" } else { "resolved" },
        "firing": firing,
        "resolved": ended,
        "occasion": match message.occasion {
            Occasion::Group => "group",
            Occasion::MassFailure => "mass_failure",
        },
        "group": group,
        "title": text.lines().next().unwrap_or_default(),
        "text": text,
        "more": 0,
        "alerts": message.notices.iter().map(alert).collect::<Vec<_>>(),
    })
}

fn alert(notice: &Notice) -> Value {
    let labels = notice.labels.iter();
    let labels: Map<String, Value> = labels.map(|(k, v)| (k.to_string(), json!(v))).collect();
    let (news, repeat, ended) = match notice.news {
        News::Firing => ("firing", None, None),
        News::Refresh => ("firing", None, None),
        News::Repeat(number) => ("firing", Some(number), None),
        News::Resolved { at, ending } => ("resolved", None, Some((at, ending))),
    };
    json!({
        "key": notice.dedup_key(),
        "id": notice.alert.to_string(),
        "status": news,
        "repeat": repeat,
        "kind": notice.key.subject.kind(),
        "subject": notice.key.subject.name().as_str(),
        "signal": notice.key.signal.as_str(),
        "rule": notice.key.rule.as_str(),
        "severity": notice.severity.as_str(),
        "labels": labels,
        "reason": &*notice.reason,
        "episode": notice.count,
        "started_at": moment(notice.fired),
        "ended_at": ended.map(|(at, _)| moment(at)),
        "ending": ended.map(|(_, ending)| ending.as_str()),
        "flapping": notice.flapping,
        "skipped": notice.skipped,
    })
}

/// What Alertmanager's `POST /api/v2/alerts` takes. The labels are the alert's identity there.
pub(super) fn alertmanager(now: Instant, message: &Message) -> Value {
    let alerts = message.notices.iter().map(|notice| {
        let mut labels = Map::new();
        for (name, value) in notice.labels.iter().filter(|(_, value)| !value.is_empty()) {
            labels.insert(label_name(name), json!(value));
        }
        let key = &notice.key;
        labels.insert("alertname".into(), json!(key.rule.as_str()));
        labels.insert(
            key.subject.kind().into(),
            json!(key.subject.name().as_str()),
        );
        labels.insert("signal".into(), json!(key.signal.as_str()));
        labels.insert("severity".into(), json!(notice.severity.as_str()));
        let ends = match notice.news {
            News::Resolved { at, .. } => at,
            News::Firing | News::Repeat(_) | News::Refresh => now.after(FIRING_FOR),
        };
        json!({
            "labels": labels,
            "annotations": {
                "summary": line(now, notice),
                "reason": &*notice.reason,
                "auscult_id": notice.alert.to_string(),
            },
            "startsAt": moment(notice.fired),
            "endsAt": moment(ends),
        })
    });
    Value::Array(alerts.collect())
}

/// A label's name as Prometheus has them.
fn label_name(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut label: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    if label.starts_with(|c: char| c.is_ascii_digit()) {
        label.insert(0, '_');
    }
    label
}

/// Text for people: what it comes to in the first line, and then one line for each alert.
pub(super) fn text(now: Instant, message: &Message) -> String {
    let ended = message
        .notices
        .iter()
        .filter(|n| n.news.is_resolved())
        .count();
    let firing = message.notices.len() - ended;
    let group: String = message
        .group
        .iter()
        .map(|(k, v)| format!(" {k}={v}"))
        .collect();
    if let ([notice], true) = (message.notices.as_slice(), group.is_empty()) {
        return line(now, notice);
    }
    let what = match message.occasion {
        Occasion::MassFailure => "mass failure: ",
        Occasion::Group => "",
    };
    let subjects = subjects(message);
    let counts = match (firing, ended) {
        (_, 0) => format!("{firing} firing"),
        (0, _) => format!("{ended} resolved"),
        (_, _) => format!("{firing} firing, {ended} resolved"),
    };
    let mut text = format!("{what}{counts}{group}: {subjects}");
    for notice in message.notices.iter().take(LINES_MAX) {
        let _ = write!(text, "\n{}", line(now, notice));
    }
    if message.notices.len() > LINES_MAX {
        let _ = write!(text, "\nand {} more", message.notices.len() - LINES_MAX);
    }
    text
}

/// Whom it is about, those that fire first: what somebody wants to see who is woken up.
fn subjects(message: &Message) -> String {
    let (ended, firing): (Vec<&Notice>, Vec<&Notice>) =
        message.notices.iter().partition(|n| n.news.is_resolved());
    let mut names: Vec<&str> = Vec::new();
    for notice in firing.into_iter().chain(ended) {
        let name = notice.key.subject.name().as_str();
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() > SUBJECTS_MAX {
            break;
        }
    }
    let more = names.len() > SUBJECTS_MAX;
    names.truncate(SUBJECTS_MAX);
    let mut text = names.join(", ");
    if more {
        text.push_str(" and others");
    }
    text
}

fn line(now: Instant, notice: &Notice) -> String {
    let subject = notice.key.subject.name();
    let (signal, rule) = (&notice.key.signal, &notice.key.rule);
    let severity = notice.severity.as_str();
    let fired = moment(notice.fired);
    let mut line = match notice.news {
        News::Firing => format!("[{severity}] {subject} {signal}: {rule} since {fired}"),
        // One that is told again and again is to see the same each time.
        News::Refresh => format!("[{severity}] {subject} {signal}: still {rule}, since {fired}"),
        News::Repeat(_) => {
            let span = seconds(now.since(notice.fired));
            format!("[{severity}] {subject} {signal}: still {rule} for {span}, since {fired}")
        }
        News::Resolved { at, .. } => {
            let span = seconds(at.since(notice.fired));
            let at = moment(at);
            format!("[resolved] {subject} {signal}: {rule} from {fired} to {at}, for {span}")
        }
    };
    if !notice.news.is_resolved() {
        let _ = write!(line, " ({})", notice.reason);
    }
    if notice.flapping {
        line.push_str(", flapping");
    }
    if notice.skipped > 0 {
        let _ = write!(
            line,
            ", and {} times before that were not told",
            notice.skipped
        );
    }
    line
}

fn moment(at: Instant) -> String {
    format!("{:.3}", AlertClock::wall_of(at))
}

/// A digest of what is told: the same for the same notices, in hexadecimal.
pub(super) fn digest(message: &Message) -> String {
    let mut keys: Vec<String> = message.notices.iter().map(Notice::dedup_key).collect();
    keys.sort();
    let mut context = Context::new(&SHA256);
    for key in keys {
        context.update(key.as_bytes());
        context.update(b"\n");
    }
    hex(&context.finish().as_ref()[..16])
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A message of one alert that says that it is a test.
pub(super) fn test_message(
    now: Instant,
    receiver: &ReceiverName,
    timeout: Duration,
) -> Option<Message> {
    let key = AlertKey {
        subject: Subject::Target(TargetId::new("test").ok()?),
        signal: SignalName::new("test").ok()?,
        rule: RuleName::new("test").ok()?,
    };
    Some(Message {
        number: 0,
        receiver: receiver.clone(),
        timeout,
        occasion: Occasion::Group,
        group: Vec::new(),
        notices: vec![Notice {
            alert: AlertId::of(&key),
            key,
            severity: Severity::Info,
            labels: Arc::default(),
            reason: "this is a test of the receiver".into(),
            news: News::Firing,
            episode: Episode::NONE,
            count: 1,
            fired: now,
            flapping: false,
            skipped: 0,
        }],
    })
}

/// What templates are tried with when they are read: news of each kind, with texts that hold all
/// that could be taken for something else.
pub(super) fn samples() -> Vec<Value> {
    let Some(one) = ReceiverName::new("receiver")
        .ok()
        .and_then(|receiver| test_message(Instant::ORIGIN, &receiver, Duration::ZERO))
    else {
        return Vec::new();
    };
    let ended = News::Resolved {
        at: Instant::ORIGIN,
        ending: Ending::Cleared,
    };
    let with = |news: &[News]| {
        let mut message = one.clone();
        let notices = news.iter().map(|&news| Notice {
            news,
            reason: "said \"no\"\\ \n<b>&amp;</b> \u{1F525}".into(),
            flapping: news.is_resolved(),
            ..one.notices[0].clone()
        });
        message.notices = notices.collect();
        message
    };
    let mut mass = with(&[News::Firing, News::Repeat(1), ended]);
    mass.occasion = Occasion::MassFailure;
    mass.group = vec![("env".into(), "a \"b\"".into())];
    let messages = [one.clone(), with(&[ended]), mass];
    let values = messages.iter();
    values.map(|it| webhook(Instant::ORIGIN, it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_says_since_when_and_for_how_long_and_what_is_told_again_is_the_same() {
        let now = Instant::from_secs(100_000);
        let receiver = ReceiverName::new("mail").unwrap();
        let text_of = |news| {
            let mut message = test_message(now, &receiver, TIMEOUT).unwrap();
            message.notices[0].news = news;
            [240, 5_400].map(|passed| text(now.after(Duration::from_secs(passed)), &message))
        };
        let [early, late] = text_of(News::Repeat(1));
        assert!(early.contains("still test for 4 min 0 s, since"), "{early}");
        assert!(late.contains("still test for 90 min 0 s, since"), "{late}");
        for news in [News::Refresh, News::Firing] {
            let [early, late] = text_of(news);
            assert_eq!(early, late);
        }
    }

    const TIMEOUT: Duration = Duration::from_secs(10);
}
