//! How the program ends: exit codes that scripts can rely on, and the sentence that goes with them.

use std::fmt;
use std::io;

/// What a process that started us learns from our exit code. The table in `auscult help` says the
/// same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The answer is no, or the configuration is bad.
    No = 1,
    /// The command line is wrong. The same code that clap uses.
    Usage = 2,
    /// No monitor answers.
    Unreachable = 3,
    /// The monitor answered and refused.
    Refused = 4,
    /// The server cannot start or keep running: a port or a data folder is in use, a disk is full.
    Cannot = 5,
}

/// Why the program stops before its work is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something to say on stderr, and the exit code.
    Failed { exit: Exit, message: String },
    /// Whoever read our output has gone (`auscult events | head`): nothing to say, and no failure.
    ReaderGone,
}

impl Stop {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Failed {
            exit,
            message: message.into(),
        }
    }

    /// Whether this is the exit code that it leads to.
    pub(crate) fn is(&self, wanted: Exit) -> bool {
        match self {
            Self::Failed { exit, .. } => *exit == wanted,
            Self::ReaderGone => false,
        }
    }
}

impl From<io::Error> for Stop {
    /// For errors of writing results; every other input or output names what it was about.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::new(
            Exit::Cannot,
            format!("cannot write the output: {}", in_words(&error)),
        )
    }
}

/// What the system says, without the number that only programs need.
pub(crate) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = plain.chars();
    // The rest of a message is lower case, and so are we.
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { message, .. } => f.write_str(message),
            Self::ReaderGone => f.write_str("the reader of the output has gone"),
        }
    }
}
