//! What a receiver is sent: by its template, where it has one.

use std::borrow::Cow;
use std::cell::LazyCell;

use auscult_core::alert::Message;
use serde_json::{Value, json};

use super::{SendError, payload};
use crate::alerts::AlertClock;
use crate::settings::{Templates, Way};
use crate::template::{Escape, Template, TooLarge};

/// A message as it goes out.
#[derive(Debug)]
pub(super) struct Composed {
    /// What is posted, mailed, logged, or written to a program.
    pub(super) body: String,
    /// The subject of a mail.
    pub(super) subject: String,
    /// Variables of a program.
    pub(super) environment: Vec<(Box<str>, String)>,
}

/// Writes a message in the way that the receiver takes.
pub(super) fn compose(
    clock: &AlertClock,
    message: &Message,
    way: &Way,
) -> Result<Composed, SendError> {
    // Not every way shows them.
    let now = clock.now();
    let values = LazyCell::new(|| payload::webhook(now, message));
    let text = || payload::text(now, message);
    let title = || values["title"].as_str().unwrap_or_default().to_owned();
    let (body, templates) = match way {
        Way::Webhook { templates, .. } | Way::Command { templates, .. } => {
            let body = filled(templates.body.as_ref(), &values)?;
            (body.unwrap_or_else(|| values.to_string()), templates)
        }
        Way::Slack {
            channel, templates, ..
        } => {
            let text = filled(templates.body.as_ref(), &values)?.unwrap_or_else(text);
            let mut body = json!({ "text": text });
            if let Some(channel) = channel {
                body["channel"] = json!(channel);
            }
            (body.to_string(), templates)
        }
        Way::Mail(mail) => {
            let body = filled(mail.templates.body.as_ref(), &values)?;
            (body.unwrap_or_else(text), &mail.templates)
        }
        Way::Alertmanager { .. } => {
            let body = payload::alertmanager(now, message).to_string();
            return Ok(Composed::of(body));
        }
        Way::Log => return Ok(Composed::of(text())),
    };
    let subject = filled(templates.subject.as_ref(), &values)?;
    let mut environment = ordinary(message, &values);
    for (name, template) in &templates.environment {
        let text = filled(Some(template), &values)?.unwrap_or_default();
        // No variable can hold it.
        environment.push((name.clone(), text.replace('\0', " ")));
    }
    Ok(Composed {
        body,
        subject: one_line(&subject.unwrap_or_else(title)),
        environment,
    })
}

impl Composed {
    const fn of(body: String) -> Self {
        Self {
            body,
            subject: String::new(),
            environment: Vec::new(),
        }
    }
}

/// What every program finds in its environment.
fn ordinary(message: &Message, values: &Value) -> Vec<(Box<str>, String)> {
    // No variable can hold a NUL.
    let plain = |name: &str| match values[name].as_str() {
        Some(text) => text.replace('\0', " "),
        None => values[name].to_string(),
    };
    let names = ["status", "title", "text", "firing", "resolved"];
    let named = names.map(|name| {
        let variable = format!("AUSCULT_{}", name.to_uppercase());
        (variable.into(), plain(name))
    });
    let receiver = message.receiver.to_string();
    let mut all = vec![("AUSCULT_RECEIVER".into(), receiver)];
    all.extend(named);
    all
}

/// A header is one line, whatever a target is called.
fn one_line(text: &str) -> String {
    let words = text.split(char::is_control).map(str::trim);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// A template with its gaps filled. What would be too long names fewer alerts, and says in `more`
/// how many it leaves out.
fn filled(template: Option<&Template>, values: &Value) -> Result<Option<String>, SendError> {
    let Some(template) = template else {
        return Ok(None);
    };
    let mut values = Cow::Borrowed(values);
    loop {
        match template.render(&values) {
            Ok(text) => return checked(template, text).map(Some),
            Err(TooLarge) if shorten(values.to_mut()) => {}
            Err(TooLarge) => {
                let text = "its template makes a text that is too long".to_owned();
                return Err(SendError::Template(text));
            }
        }
    }
}

/// Leaves out half of the alerts, if there is more than one.
fn shorten(values: &mut Value) -> bool {
    let Some(Value::Array(alerts)) = values.get_mut("alerts") else {
        return false;
    };
    let kept = alerts.len() / 2;
    if kept == 0 {
        return false;
    }
    let left_out = alerts.len() - kept;
    alerts.truncate(kept);
    values["more"] = json!(values["more"].as_u64().unwrap_or(0) + left_out as u64);
    true
}

fn checked(template: &Template, text: String) -> Result<String, SendError> {
    if template.escape() == Escape::Json
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text)
    {
        return Err(SendError::Template(format!(
            "its template makes no JSON: {error}"
        )));
    }
    Ok(text)
}

/// Tries templates with news of each kind, and tells what is wrong with the first that cannot be
/// used.
pub(crate) fn try_out(templates: &Templates) -> Result<(), (&'static str, String)> {
    let body = templates.body.iter().map(|template| ("body", template));
    let subject = templates.subject.iter().map(|it| ("subject", it));
    let environment = templates
        .environment
        .iter()
        .map(|(_, it)| ("environment", it));
    for (key, template) in body.chain(subject).chain(environment) {
        for values in payload::samples() {
            let filled = filled(Some(template), &values);
            filled
                .map_err(|error| (key, format!("{error}, for example for {}", values["title"])))?;
        }
    }
    Ok(())
}

/// An example of what templates are filled with.
pub(crate) fn sample() -> Value {
    payload::samples().into_iter().next().unwrap_or_default()
}
