//! Checked sections as JSON: one way to write each thing, so that what says the same is the same,
//! whichever way it was written.

use serde_json::{Map, Value as Json};

use super::super::duration;
use super::super::section::{Section, Value};
use super::super::url::CheckUrl;

/// What a section says. It is read back as the same section.
pub(super) fn json(section: &Section) -> Json {
    let entry = |entry: &super::super::section::Entry| (entry.name.to_owned(), value(&entry.value));
    Json::Object(section.entries.iter().map(entry).collect())
}

fn value(value: &Value) -> Json {
    match value {
        // Whatever is invalid was reported, and what was reported is not written.
        Value::Invalid | Value::Nothing => Json::Null,
        Value::Duration(span) => duration::format(*span).into(),
        Value::Count(count) => (*count).into(),
        Value::Number(number) => (*number).into(),
        Value::Flag(flag) => (*flag).into(),
        Value::Word(word) => (*word).into(),
        Value::Text(text) => (**text).into(),
        Value::Path(path) => path.to_string_lossy().into(),
        Value::Url(CheckUrl::Http(url)) => url.to_string().into(),
        Value::Url(CheckUrl::Tcp(host, port)) => match host.contains(':') {
            true => format!("tcp://[{host}]:{port}").into(),
            false => format!("tcp://{host}:{port}").into(),
        },
        Value::Pattern(pattern) => pattern.as_str().into(),
        // Ranges of codes are always written.
        Value::Statuses(ranges) => serde_json::to_value(ranges).unwrap_or(Json::Null),
        Value::Names(names) => names.iter().map(|name| Json::from(&**name)).collect(),
        Value::Time(time) => time.to_string().into(),
        Value::Texts(texts) => {
            let text = |(name, text): &(Box<str>, Option<Box<str>>)| {
                let text = text.as_deref().map_or(Json::Null, Json::from);
                (name.to_string(), text)
            };
            Json::Object(texts.iter().map(text).collect::<Map<_, _>>())
        }
        Value::Section(section) => json(section),
        Value::List(sections) => sections.iter().map(json).collect(),
    }
}
