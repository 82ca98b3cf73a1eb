//! What is wrong with settings: all of it at once, each with its place and what to do.

use std::fmt::{self, Write as _};

use serde::Serialize;
use utoipa::ToSchema;

/// A place in a text: line and column count characters from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Span {
    /// The line.
    pub line: usize,
    /// The column of the first character.
    pub column: usize,
    /// How many characters, at least 1; they may go on in the next line.
    pub len: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Which value, as a JSON pointer (RFC 6901): `/targets/0/interval`. Empty for the whole.
    pub path: String,
    /// Where it stands; `None` for a body that came over the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// What is wrong, with the values and limits it is about.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line of the text at `span`.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

/// Everything that is wrong with one text, in its order. Displays at most [`Problems::SHOWN_MAX`]
/// of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The name of the file, as the user gave it; `None` for a body that came over the API.
    pub file: Option<String>,
    /// The problems; at least one, at most [`Problems::KEPT_MAX`].
    pub list: Vec<Problem>,
    /// How many there were beyond those kept.
    pub more: usize,
}

impl Problems {
    /// Problems that are displayed at most: nobody reads more before correcting the first ones.
    pub const SHOWN_MAX: usize = 50;
    /// Problems that are kept at most: a file of a million wrong targets must not fill the memory.
    pub const KEPT_MAX: usize = 1_000;

    /// How many there were in all.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.list.len() + self.more
    }

    fn write_one(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        match (&self.file, problem.span) {
            (Some(file), Some(span)) => {
                writeln!(
                    f,
                    "{file}:{}:{}: {}",
                    span.line, span.column, problem.message
                )?;
            }
            (Some(file), None) => writeln!(f, "{file}: {}", problem.message)?,
            (None, _) if problem.path.is_empty() => writeln!(f, "{}", problem.message)?,
            (None, _) => writeln!(f, "{}: {}", problem.path, problem.message)?,
        }
        if let (Some(span), Some(excerpt)) = (problem.span, &problem.excerpt) {
            write_excerpt(f, span, excerpt)?;
        }
        match &problem.hint {
            Some(hint) => writeln!(f, "  = help: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.list.iter().take(Self::SHOWN_MAX) {
            self.write_one(f, problem)?;
        }
        match self.count().saturating_sub(Self::SHOWN_MAX) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// Characters of a line that are shown: what fits a terminal.
const EXCERPT_CHARS_MAX: usize = 100;

/// Writes the line and a caret under the text meant, cutting a long line around it.
fn write_excerpt(f: &mut fmt::Formatter<'_>, span: Span, line: &str) -> fmt::Result {
    let chars: Vec<char> = line.chars().collect();
    let column = (span.column.max(1) - 1).min(chars.len());
    let first = match column {
        near if near < EXCERPT_CHARS_MAX * 3 / 4 => 0,
        far => far - EXCERPT_CHARS_MAX / 2,
    };
    let last = chars.len().min(first + EXCERPT_CHARS_MAX);
    let mut text = String::new();
    if first > 0 {
        text.push_str("...");
    }
    let indent = text.len() + column - first;
    // One column per character whatever the terminal does with it, or the caret points elsewhere.
    text.extend(chars[first..last].iter().map(|c| match c {
        c if c.is_control() => ' ',
        c => *c,
    }));
    if last < chars.len() {
        text.push_str("...");
    }
    let carets = span.len.clamp(1, (last - column).max(1));
    let number = span.line.to_string();
    let mut margin = String::new();
    write!(margin, "{:>1$} |", "", number.len() + 1)?;
    writeln!(f, "{margin}")?;
    writeln!(f, " {number} | {}", text.trim_end())?;
    writeln!(f, "{margin} {:indent$}{:^<carets$}", "", "")
}
