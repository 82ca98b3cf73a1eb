//! Collects problems while a text is read, with the lines they stand in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Problem, Problems, Span};

/// Where a value stands.
#[derive(Clone, Debug)]
pub(super) struct At {
    /// The way to it; nothing for the whole text.
    way: Option<Arc<Step>>,
    /// Of the key, or of the value where there is none.
    pub(super) key: Option<Span>,
    /// Of the value.
    pub(super) value: Option<Span>,
}

/// The last step of a way. It is written out only for what is wrong.
#[derive(Debug)]
struct Step {
    before: Option<Arc<Self>>,
    name: Name,
}

#[derive(Debug)]
enum Name {
    Known(&'static str),
    Other(Box<str>),
    Item(usize),
}

/// Where something stands makes no difference to what it says.
impl PartialEq for At {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl At {
    /// The whole text.
    pub(super) const fn root() -> Self {
        Self {
            way: None,
            key: None,
            value: None,
        }
    }

    /// The entry `key` of the mapping here.
    pub(super) fn entry(&self, key: &str, key_span: Option<Span>, value: Option<Span>) -> Self {
        Self {
            way: self.step(Name::Other(key.into())),
            key: key_span,
            value,
        }
    }

    /// The entry of a key that the schema knows.
    pub(super) fn known_entry(
        &self,
        key: &'static str,
        key_span: Option<Span>,
        value: Option<Span>,
    ) -> Self {
        Self {
            way: self.step(Name::Known(key)),
            key: key_span,
            value,
        }
    }

    /// The item at `index` of the list here.
    pub(super) fn item(&self, index: usize, value: Option<Span>) -> Self {
        Self {
            way: self.step(Name::Item(index)),
            key: value,
            value,
        }
    }

    /// Which item of its list it is, if it is one.
    pub(super) fn place(&self) -> Option<usize> {
        match self.way.as_deref()?.name {
            Name::Item(index) => Some(index),
            Name::Known(_) | Name::Other(_) => None,
        }
    }

    /// As a JSON pointer.
    pub(super) fn path(&self) -> String {
        let back = std::iter::successors(self.way.as_deref(), |step| step.before.as_deref());
        let mut steps: Vec<&Step> = back.collect();
        steps.reverse();
        let mut path = String::new();
        for step in steps {
            path.push('/');
            match &step.name {
                Name::Known(name) => path.push_str(name),
                Name::Other(name) => path.push_str(&name.replace('~', "~0").replace('/', "~1")),
                Name::Item(index) => path.push_str(&index.to_string()),
            }
        }
        path
    }

    fn step(&self, name: Name) -> Option<Arc<Step>> {
        let before = self.way.clone();
        Some(Arc::new(Step { before, name }))
    }

    /// ` in line 3`, or nothing for a JSON body.
    pub(super) fn in_line(&self) -> String {
        match self.key.or(self.value) {
            Some(span) => format!(" in line {}", span.line),
            None => String::new(),
        }
    }
}

/// The problems found so far in one text.
#[derive(Debug)]
pub(super) struct Report<'t> {
    file: Option<String>,
    folder: Option<PathBuf>,
    lines: Vec<&'t str>,
    list: Vec<Problem>,
    /// One fault in shared defaults is not told once for each target.
    seen: BTreeSet<(Option<Span>, String)>,
    more: usize,
}

impl<'t> Report<'t> {
    /// About the text of a file.
    pub(super) fn of_file(name: &str, text: &'t str) -> Self {
        Self {
            file: Some(name.to_owned()),
            lines: split_lines(text),
            ..Self::of_body()
        }
    }

    /// About a JSON body.
    pub(super) const fn of_body() -> Self {
        Self {
            file: None,
            folder: None,
            lines: Vec::new(),
            list: Vec::new(),
            seen: BTreeSet::new(),
            more: 0,
        }
    }

    /// Looks for files that the text names in `folder`.
    pub(super) fn with_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// The file that the text calls `path`. Without a folder nothing is looked for.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn existing_file(&self, path: &Path) -> Result<PathBuf, String> {
        let Some(folder) = &self.folder else {
            return Ok(path.to_owned());
        };
        let path = folder.join(path);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => Err(format!("{} is a directory", path.display())),
            Ok(_) => Ok(path),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// A problem with the value at `at`.
    pub(super) fn value(&mut self, at: &At, message: String, hint: Option<String>) {
        self.push(&at.path(), at.value.or(at.key), message, hint);
    }

    /// A problem with the key at `at`, or with what it stands for.
    pub(super) fn key(&mut self, at: &At, message: String, hint: Option<String>) {
        self.push(&at.path(), at.key.or(at.value), message, hint);
    }

    /// Whether further problems are only counted: what they say need not be found out.
    pub(super) const fn is_full(&self) -> bool {
        self.list.len() >= Problems::KEPT_MAX
    }

    /// A problem at `span`.
    pub(super) fn push(
        &mut self,
        path: &str,
        span: Option<Span>,
        message: String,
        hint: Option<String>,
    ) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        let place = match span {
            Some(_) => message.clone(),
            None => {
                let mut place = message.clone();
                // Without spans the path tells apart what the message does not.
                let _ = write!(place, "\n{path}");
                place
            }
        };
        // What is missing at the end stands behind the last line, for the parser alone.
        let span = span.map(|span| self.within(span));
        if !self.seen.insert((span, place)) {
            return;
        }
        let excerpt = span
            .and_then(|span| self.lines.get(span.line.checked_sub(1)?))
            .map(|line| (*line).to_owned());
        self.list.push(Problem {
            path: path.to_owned(),
            span,
            message,
            hint,
            excerpt,
        });
    }

    /// A place that the file has: the end of its last line for what lies behind that.
    fn within(&self, span: Span) -> Span {
        let last = self.lines.len().max(1);
        if span.line <= last {
            return span;
        }
        let end = self.line(last).map_or(0, |line| line.chars().count());
        Span {
            line: last,
            column: end.max(1),
            len: 1,
        }
    }

    /// The line with this number, counted from 1.
    pub(super) fn line(&self, number: usize) -> Option<&'t str> {
        self.lines.get(number.checked_sub(1)?).copied()
    }

    /// `value`, if nothing is wrong.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => {
                self.list.sort_by_key(|problem| problem.span);
                Err(Problems {
                    file: self.file,
                    list: self.list,
                    more: self.more,
                })
            }
        }
    }
}

/// Lines as YAML counts them: they end with a line feed, a carriage return, or both.
fn split_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let after = &rest[end..];
        rest = after.strip_prefix("\r\n").unwrap_or_else(|| &after[1..]);
    }
    lines.push(rest);
    lines
}
