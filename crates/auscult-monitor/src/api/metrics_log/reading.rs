//! A reading as peers write it in JSON.

use std::time::Duration;

use auscult_core::peer_metric::{Reading, Rejection, Validity, ttl_of_seconds};
use serde_json::{Map, Value};

use crate::settings::parse_duration;

const KEYS: [&str; 7] = ["name", "peer", "value", "ttl", "valid", "weight", "epoch"];

/// A JSON object with the fields of a reading and no others.
pub(super) struct Written<'a> {
    fields: &'a Map<String, Value>,
    value: String,
}

impl<'a> Written<'a> {
    pub(super) fn read(item: &'a Value) -> Result<Self, NotTaken> {
        let fields = object(item)?;
        let value = value(fields)?;
        Ok(Self { fields, value })
    }

    /// The reading; `bound` is the peer that its sender speaks for, where it speaks for one alone.
    pub(super) fn reading<'b>(&'b self, bound: Option<&'b str>) -> Result<Reading<'b>, NotTaken> {
        reading(self.fields, &self.value, bound)
    }
}

/// Gives a reading to `take`, where it is one: for fuzzers, who are not told why it is none.
pub(crate) fn with_reading(item: &Value, bound: Option<&str>, take: impl FnOnce(&Reading<'_>)) {
    if let Ok(written) = Written::read(item)
        && let Ok(reading) = written.reading(bound)
    {
        take(&reading);
    }
}

/// Why a reading was not taken.
#[derive(Debug)]
pub(super) struct NotTaken {
    pub(super) reason: Rejection,
    /// The field that is wrong.
    pub(super) field: &'static str,
    pub(super) detail: String,
}

impl NotTaken {
    pub(super) fn new(reason: Rejection, field: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            reason,
            field,
            detail,
        }
    }
}

fn object(item: &Value) -> Result<&Map<String, Value>, NotTaken> {
    let malformed = |detail: String| NotTaken::new(Rejection::Malformed, "", detail);
    let fields = item.as_object();
    let fields = fields.ok_or_else(|| malformed("a reading is a JSON object".into()))?;
    match fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
        None => Ok(fields),
        Some(key) => {
            let detail = format!("a reading has no field {key}; it has {}", KEYS.join(", "));
            Err(malformed(detail))
        }
    }
}

/// The value as text: numbers and truth values as they are written.
fn value(fields: &Map<String, Value>) -> Result<String, NotTaken> {
    match fields.get("value") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(truth)) => Ok(truth.to_string()),
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::Array(_) | Value::Object(_)) => Err(NotTaken::new(
            Rejection::Malformed,
            "value",
            "a value is a text, a number or a truth value",
        )),
    }
}

fn reading<'a>(
    fields: &'a Map<String, Value>,
    value: &'a str,
    bound: Option<&'a str>,
) -> Result<Reading<'a>, NotTaken> {
    let malformed = |field, detail: &str| NotTaken::new(Rejection::Malformed, field, detail);
    let text = |field| match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(malformed(field, "it must be a text")),
    };
    let metric = text("name")?;
    let metric = metric.ok_or_else(|| malformed("name", "it is missing"))?;
    let peer = text("peer")?.or(bound);
    let peer = peer.ok_or_else(|| malformed("peer", "it is missing"))?;
    let valid = match fields.get("valid") {
        None | Some(Value::Null | Value::Bool(true)) => Validity::Valid,
        Some(Value::Bool(false)) => Validity::Invalid,
        Some(_) => return Err(malformed("valid", "it must be true or false")),
    };
    let weight = match fields.get("weight") {
        None | Some(Value::Null) => 0,
        Some(weight) => weight
            .as_i64()
            .ok_or_else(|| malformed("weight", "it must be a whole number of 64 bits"))?,
    };
    let epoch = match fields.get("epoch") {
        None | Some(Value::Null) => None,
        Some(epoch) => Some(
            epoch
                .as_u64()
                .ok_or_else(|| malformed("epoch", "it must be a whole number, at least 0"))?,
        ),
    };
    Ok(Reading {
        metric,
        peer,
        value,
        ttl: ttl(fields)?,
        valid,
        weight,
        epoch,
    })
}

/// A span, or a number of seconds.
fn ttl(fields: &Map<String, Value>) -> Result<Duration, NotTaken> {
    let wrong = |detail: String| NotTaken::new(Rejection::Ttl, "ttl", detail);
    match fields.get("ttl") {
        None | Some(Value::Null) => Err(wrong("it is missing; write a span such as 30s".into())),
        Some(Value::String(text)) => parse_duration(text).map_err(wrong),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().unwrap_or(f64::NAN);
            let detail = || format!("{number} is no number of seconds that a time can last");
            ttl_of_seconds(seconds).map_err(|_| wrong(detail()))
        }
        Some(_) => Err(wrong(
            "it must be a span such as 30s, or a number of seconds".into(),
        )),
    }
}
