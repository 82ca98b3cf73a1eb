//! Texts with gaps that are filled with what an alert says: a small part of Jinja's language.
//!
//! `{{ path | filter }}` prints a value, `{% if %}`, `{% elif %}`, `{% else %}`, `{% endif %}` and
//! `{% for x in path %}`, `{% endfor %}` choose and repeat, `{# ... #}` says nothing, and a `-`
//! inside of a tag takes the white space beside it away. What a template may name is known when it
//! is read, so a name that does not exist is refused then, with its line.
//!
//! A library would offer more than can be bounded: doubling a text forty times takes forty steps.
//! Here a value can only be printed, shortened or compared, what is printed is counted, and so are
//! the steps.

mod check;
mod parse;
mod render;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde_json::{Number, Value};

/// Bytes of a template: room for any message that people read.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 16 * 1024;

/// Bytes that one may print. What services take is far less.
pub(crate) const PRINTED_BYTES_MAX: usize = 256 * 1024;

/// Steps of one rendering: some milliseconds.
const STEPS_MAX: usize = 200_000;

/// Blocks within blocks.
const DEPTH_MAX: usize = 8;

/// A template that was understood. Clones share it.
#[derive(Clone)]
pub struct Template(Arc<Parts>);

struct Parts {
    source: Box<str>,
    escape: Escape,
    nodes: Vec<Node>,
}

/// What keeps printed values from being taken for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Nothing: the text is for people.
    Plain,
    /// As inside of a text of JSON: `"title": "{{ title }}"`.
    Json,
    /// As in HTML and XML.
    Markup,
    /// As the value of a form: `title={{ title }}`.
    Form,
}

impl Escape {
    /// What a body of this type needs.
    pub(crate) fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        if kind.ends_with("/json") || kind.ends_with("+json") {
            Self::Json
        } else if kind.ends_with("html") || kind.ends_with("xml") {
            Self::Markup
        } else if kind == "application/x-www-form-urlencoded" {
            Self::Form
        } else {
            Self::Plain
        }
    }
}

/// Why a template was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line of the template.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) message: String,
    /// What was meant, perhaps.
    pub(crate) hint: Option<String>,
}

/// The text would be longer, or take more steps, than any may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

enum Node {
    Text(Box<str>),
    Print {
        what: Term,
        line: usize,
    },
    If {
        branches: Vec<Branch>,
        otherwise: Vec<Self>,
    },
    For {
        name: Box<str>,
        over: Term,
        body: Vec<Self>,
        line: usize,
    },
}

struct Branch {
    /// One of these must hold, that is all tests of one.
    any: Vec<Vec<Test>>,
    body: Vec<Node>,
    line: usize,
}

struct Test {
    expected: bool,
    left: Term,
    right: Option<(Comparison, Term)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Same,
    Differs,
    Above,
    Below,
}

struct Term {
    root: Root,
    filters: Vec<Filter>,
}

enum Root {
    Path(Vec<Box<str>>),
    Text(Box<str>),
    Number(Number),
}

#[derive(Clone, Debug, PartialEq)]
enum Filter {
    /// The whole value as JSON, with its quotes.
    Json,
    Upper,
    Lower,
    /// How many characters or items.
    Length,
    /// At most so many characters.
    Truncate(usize),
    /// This, where there is nothing.
    Default(Box<str>),
    /// As a part of a URL.
    UrlEncode,
}

impl Template {
    /// Reads a template. `sample` is an example of what it will be filled with: names that are not
    /// in it are refused, but for those in mappings that are called `labels` or `group`.
    pub(crate) fn parse(source: &str, escape: Escape, sample: &Value) -> Result<Self, Fault> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(Fault {
                line: 1,
                message: format!("a template has at most {TEMPLATE_BYTES_MAX} bytes"),
                hint: None,
            });
        }
        let nodes = parse::parse(source)?;
        check::check(&nodes, sample)?;
        Ok(Self(Arc::new(Parts {
            source: source.into(),
            escape,
            nodes,
        })))
    }

    /// Fills the gaps. State: nothing is kept of it.
    pub(crate) fn render(&self, values: &Value) -> Result<String, TooLarge> {
        render::render(&self.0.nodes, self.0.escape, values)
    }

    /// What keeps printed values from being taken for something else.
    pub(crate) fn escape(&self) -> Escape {
        self.0.escape
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source && self.0.escape == other.0.escape
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.0.source).finish()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in line {} of the template: {}", self.line, self.message)
    }
}
