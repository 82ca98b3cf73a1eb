//! One line of a script, word by word.

use super::problem::{Problem, nearest};

/// A word and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    /// From 1.
    pub(super) column: usize,
}

/// The words of a line, up to a `#`, taken one after the other.
#[derive(Debug)]
pub(super) struct Words<'t> {
    line: usize,
    text: &'t str,
    words: Vec<Word<'t>>,
    at: usize,
}

impl<'t> Words<'t> {
    pub(super) fn of(line: usize, text: &'t str) -> Self {
        let said = text.split('#').next().unwrap_or("");
        let mut words = Vec::new();
        let mut column = 1;
        for piece in said.split(char::is_whitespace) {
            if !piece.is_empty() {
                words.push(Word {
                    text: piece,
                    column,
                });
            }
            column += piece.chars().count() + 1;
        }
        Self {
            line,
            text,
            words,
            at: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<Word<'t>> {
        self.words.get(self.at).copied()
    }

    /// Takes the next word, which should be `what`.
    pub(super) fn next(&mut self, what: &str) -> Result<Word<'t>, Problem> {
        let Some(word) = self.peek() else {
            let column = self.text.trim_end().chars().count() + 2;
            let end = Word { text: "", column };
            return Err(self.problem(end, format!("{what} is missing here")));
        };
        self.at += 1;
        Ok(word)
    }

    /// Takes the next word if it is this one.
    pub(super) fn accept(&mut self, wanted: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text == wanted);
        self.at += usize::from(found);
        found
    }

    /// Takes the next word, which must be this one.
    pub(super) fn expect(&mut self, wanted: &str) -> Result<(), Problem> {
        let word = self.next(&format!("`{wanted}`"))?;
        if word.text == wanted {
            return Ok(());
        }
        Err(self.problem(word, format!("`{wanted}` should be here")))
    }

    /// Nothing more must follow.
    pub(super) fn end(&self) -> Result<(), Problem> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(self.problem(word, "nothing more was expected here")),
        }
    }

    /// Something is wrong with this word.
    pub(super) fn problem(&self, word: Word<'_>, message: impl Into<String>) -> Problem {
        Problem {
            line: self.line,
            column: word.column,
            len: word.text.chars().count(),
            message: message.into(),
            hint: None,
            excerpt: self.text.to_owned(),
        }
    }

    /// The word is none of those that may stand here.
    pub(super) fn unknown(&self, word: Word<'_>, what: &str, known: &[&str]) -> Problem {
        let text = word.text;
        let problem = self.problem(word, format!("`{text}` is no {what}"));
        let all = known.join(", ");
        match nearest(text, known) {
            Some(meant) => problem.hint(format!("did you mean `{meant}`? There are {all}")),
            None => problem.hint(format!("there are {all}")),
        }
    }
}
