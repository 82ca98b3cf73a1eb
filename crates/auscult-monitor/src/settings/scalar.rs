//! Single values: from what was written to what the schema asks for.

use auscult_core::id::check_name;

use super::duration;
use super::node::{Quoted, Scalar, shown};
use super::schema::{Edge, Kind};
use super::section::Value;
use super::suggest::nearest;
use super::target::{Pattern, StatusRanges};
use super::url;

/// What is wrong with a value, and what to do.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    fn plain(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }
}

/// Reads one value of a kind that has single values.
pub(super) fn read(kind: &Kind, scalar: &Scalar) -> Result<Value, Fault> {
    let text = scalar.text.as_str();
    match kind {
        Kind::Duration { ms_min, ms_max } => read_duration(text, *ms_min, *ms_max),
        Kind::Millis { min, max } => {
            let millis = whole(scalar, "a whole number of milliseconds", *min, *max)?;
            Ok(Value::Duration(std::time::Duration::from_millis(millis)))
        }
        Kind::Count { min, max } => whole(scalar, "a whole number", *min, *max).map(Value::Count),
        Kind::CountOr { word, .. } if text == *word => Ok(Value::Word(word)),
        Kind::CountOr { min, max, .. } => {
            whole(scalar, &kind.describe(), *min, *max).map(Value::Count)
        }
        Kind::Number { min, max, edge } => number(scalar, *min, *max, *edge),
        Kind::Flag => flag(scalar),
        Kind::Choice(words) => choice(text, words),
        Kind::Name => match check_name(text) {
            Ok(()) => Ok(Value::Text(text.into())),
            Err(error) => Err(Fault::plain(error.to_string())),
        },
        Kind::Text { bytes_max } => {
            within(text, *bytes_max)?;
            Ok(Value::Text(text.into()))
        }
        Kind::Path if text.is_empty() => Err(Fault::plain("the name of the file is empty")),
        Kind::Path => {
            within(text, 4096)?;
            Ok(Value::Path(text.into()))
        }
        Kind::Url => {
            within(text, 8192)?;
            let url = url::parse(text);
            url.map(Value::Url)
                .map_err(|(message, hint)| Fault { message, hint })
        }
        Kind::Pattern => {
            within(text, 4096)?;
            Pattern::new(text).map(Value::Pattern).map_err(|error| {
                let message = format!("this is not a regular expression: {error}");
                Fault::new(
                    message,
                    "letters like `(`, `[` and `*` need a `\\` before them",
                )
            })
        }
        Kind::Statuses => Ok(Value::Statuses(StatusRanges::new(vec![statuses(text)?]))),
        Kind::Time => time(text),
        Kind::Names
        | Kind::Words
        | Kind::Labels
        | Kind::Headers
        | Kind::Variables
        | Kind::Section(_)
        | Kind::List(_) => Err(expected(&kind.describe(), scalar)),
    }
}

fn time(text: &str) -> Result<Value, Fault> {
    text.parse().map(Value::Time).map_err(|_| {
        let message = format!("`{}` is no time", shown(text));
        Fault::new(
            message,
            "write it as `2026-05-01T12:00:00Z`, with `Z` or an offset",
        )
    })
}

fn expected(what: &str, scalar: &Scalar) -> Fault {
    Fault::plain(format!("expected {what}, found {}", scalar.describe()))
}

fn within(text: &str, bytes_max: usize) -> Result<(), Fault> {
    match text.len() {
        bytes if bytes > bytes_max => Err(Fault::plain(format!(
            "the text has {bytes} bytes; {bytes_max} are the most"
        ))),
        _ => Ok(()),
    }
}

fn read_duration(text: &str, ms_min: u64, ms_max: u64) -> Result<Value, Fault> {
    let shown = shown(text);
    let span = duration::parse(text).map_err(|error| {
        let (message, hint) = error.explain(&shown);
        Fault::new(message, hint)
    })?;
    let (min, max) = (
        std::time::Duration::from_millis(ms_min),
        std::time::Duration::from_millis(ms_max),
    );
    if span < min || span > max {
        let (min, max) = (duration::format(min), duration::format(max));
        let message = format!("{shown} is not from {min} to {max}");
        return Err(Fault::plain(message));
    }
    Ok(Value::Duration(span))
}

fn whole(scalar: &Scalar, what: &str, min: u64, max: u64) -> Result<u64, Fault> {
    let text = &scalar.text;
    let number = text.strip_prefix('+').unwrap_or(text);
    let digits = number.strip_prefix('-').unwrap_or(number);
    let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if scalar.quoted == Quoted::Yes && numeric {
        let found = scalar.describe();
        let message = format!("expected {what}, found {found}");
        return Err(Fault::new(message, "write it without quotes"));
    }
    if !numeric || scalar.quoted == Quoted::Yes {
        return Err(expected(what, scalar));
    }
    let count = number.parse::<u64>().ok();
    match count.filter(|count| (min..=max).contains(count)) {
        Some(count) => Ok(count),
        None => Err(Fault::plain(format!("{text} is not from {min} to {max}"))),
    }
}

fn number(scalar: &Scalar, min: f64, max: f64, edge: Edge) -> Result<Value, Fault> {
    let text = &scalar.text;
    let parsed = text.parse::<f64>().ok().filter(|value| value.is_finite());
    let value = match (scalar.quoted, parsed) {
        (Quoted::No, Some(value)) => value,
        (Quoted::Yes, Some(_)) => {
            let message = format!("expected a number, found {}", scalar.describe());
            return Err(Fault::new(message, "write it without quotes"));
        }
        (_, None) => return Err(expected("a number", scalar)),
    };
    let (inside, words) = match edge {
        Edge::Included => (value >= min, "at least"),
        Edge::Excluded => (value > min, "above"),
    };
    if !inside || value > max {
        let message = format!("{text} must be {words} {min} and at most {max}");
        return Err(Fault::plain(message));
    }
    // Minus zero would be written back as such.
    Ok(Value::Number(value + 0.0))
}

fn flag(scalar: &Scalar) -> Result<Value, Fault> {
    let said = match scalar.text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => true,
        "false" | "no" | "off" | "n" | "0" => false,
        _ => return Err(expected("true or false", scalar)),
    };
    match (scalar.quoted, scalar.text.as_str()) {
        (Quoted::No, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") => {
            Ok(Value::Flag(said))
        }
        _ => {
            let found = scalar.describe();
            let message = format!("expected true or false, found {found}");
            Err(Fault::new(message, format!("write `{said}`")))
        }
    }
}

fn choice(text: &str, words: &[&'static str]) -> Result<Value, Fault> {
    if let Some(word) = words.iter().find(|word| **word == text) {
        return Ok(Value::Word(word));
    }
    let shown = shown(text);
    let all = words.join(", ");
    let hint = match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? There are {all}"),
        None => format!("there are {all}"),
    };
    Err(Fault::new(format!("`{shown}` is not known here"), hint))
}

/// The range that `200`, `2xx` or `200-204` stands for.
pub(super) fn statuses(text: &str) -> Result<(u16, u16), Fault> {
    let code = |text: &str| {
        let code = text.trim().parse::<u16>().ok();
        code.filter(|code| (100..=599).contains(code))
    };
    let class = || {
        let digit = text
            .strip_suffix("xx")
            .or_else(|| text.strip_suffix("XX"))?;
        let first = digit.parse::<u16>().ok()?.checked_mul(100)?;
        (100..=500).contains(&first).then_some((first, first + 99))
    };
    let range = || {
        let (first, last) = text.split_once('-')?;
        Some((code(first)?, code(last)?)).filter(|(first, last)| first <= last)
    };
    let single = || code(text).map(|code| (code, code));
    single().or_else(class).or_else(range).ok_or_else(|| {
        let shown = shown(text);
        let message = format!("`{shown}` is no status code, class or range");
        Fault::new(message, "write `200`, `2xx` or `200-204`, from 100 to 599")
    })
}
