//! The templates of a receiver.

use super::report::{At, Report};
use super::section::Section;
use crate::alerts::templating::{sample, try_out};
use crate::template::{Escape, Fault, Template};

/// What a receiver is sent in the place of what it is sent by custom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Templates {
    /// What is posted, mailed, or written to a program's standard input; the text of a chat's
    /// message.
    pub body: Option<Template>,
    /// The subject of a mail.
    pub subject: Option<Template>,
    /// More variables of a program, by name.
    pub environment: Vec<(Box<str>, Template)>,
}

/// Something that is wrong with a template, and where the template stands.
struct Wrong {
    at: At,
    message: String,
    hint: Option<String>,
}

/// Reports what is wrong with a receiver's templates.
pub(super) fn check(report: &mut Report<'_>, receiver: &Section) {
    let (templates, wrong) = parse(receiver);
    let none_wrong = wrong.is_empty();
    for Wrong { at, message, hint } in wrong {
        report.value(&at, message, hint);
    }
    if none_wrong && let Err((key, message)) = try_out(&templates) {
        report.value(receiver.at(key), message, None);
    }
}

/// The templates of a receiver; those that are wrong are left out.
pub(super) fn read(receiver: &Section) -> Templates {
    parse(receiver).0
}

fn parse(receiver: &Section) -> (Templates, Vec<Wrong>) {
    let sample = sample();
    let mut wrong = Vec::new();
    let mut template = |source: &str, escape, at: &At| {
        let parsed = Template::parse(source, escape, &sample);
        parsed
            .map_err(|fault: Fault| {
                let message = fault.to_string();
                let (at, hint) = (at.clone(), fault.hint);
                wrong.push(Wrong { at, message, hint });
            })
            .ok()
    };
    let escape = match (receiver.word("type"), receiver.text("content_type")) {
        ("webhook", Some(content_type)) => Escape::of(&content_type),
        _ => Escape::Plain,
    };
    let body = receiver.text("body");
    let body = body.and_then(|body| template(&body, escape, receiver.at("body")));
    let subject = receiver.text("subject");
    let subject = subject.and_then(|it| template(&it, Escape::Plain, receiver.at("subject")));
    let at = receiver.at("environment");
    let environment = receiver.texts("environment").filter_map(|(name, text)| {
        template(text, Escape::Plain, at).map(|template| (name.into(), template))
    });
    let environment = environment.collect();
    let templates = Templates {
        body,
        subject,
        environment,
    };
    (templates, wrong)
}
