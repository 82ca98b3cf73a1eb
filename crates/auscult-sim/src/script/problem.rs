//! What is wrong with a script: everything at once, each with its line, a caret and what to do.
//! The same form as that of `auscult check-config`.

use std::fmt::{self, Write as _};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column of the first character meant, from 1.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub len: usize,
    /// What is wrong, with the values it is about.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The line itself.
    pub excerpt: String,
}

/// Everything that is wrong with a script, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The name of the file, as the user gave it.
    pub file: String,
    /// The problems, at least one.
    pub list: Vec<Problem>,
}

/// Problems that are displayed at most: nobody reads more before correcting the first ones.
const SHOWN_MAX: usize = 50;

impl Problem {
    /// The same with what to do.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.list.iter().take(SHOWN_MAX) {
            let Problem { line, column, .. } = problem;
            writeln!(f, "{}:{line}:{column}: {}", self.file, problem.message)?;
            let number = line.to_string();
            let margin = " ".repeat(number.len() + 1) + " |";
            // One column per character whatever the terminal does with it.
            let clean = |c: char| if c.is_control() { ' ' } else { c };
            let text: String = problem.excerpt.chars().map(clean).collect();
            writeln!(f, "{margin}\n {number} | {}", text.trim_end())?;
            let mut carets = " ".repeat(column - 1);
            write!(carets, "{:^<1$}", "", problem.len.max(1))?;
            writeln!(f, "{margin} {carets}")?;
            if let Some(hint) = &problem.hint {
                writeln!(f, "  = help: {hint}")?;
            }
        }
        match self.list.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// The one of `known` that was probably meant: at most a third of its letters differ.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word: Vec<char> = word.chars().take(64).collect();
    known
        .iter()
        .map(|known| {
            let letters: Vec<char> = known.chars().collect();
            (
                distance(&word, &letters),
                letters.len().max(word.len()),
                *known,
            )
        })
        .filter(|&(distance, len, _)| distance <= (len / 3).max(1))
        .min_by_key(|&(distance, ..)| distance)
        .map(|(_, _, known)| known)
}

/// How many letters must be put in, left out or replaced to turn one into the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            row.push(replaced.min(last[j + 1] + 1).min(row[j] + 1));
        }
        last = row;
    }
    last[to.len()]
}
