//! What people see: colours only where a person looks, columns that fit the terminal, times as
//! people say them.

pub(crate) mod event;
pub(crate) mod problems;
pub(crate) mod pulse;
pub(crate) mod table;
pub(crate) mod time;

use std::io::{self, IsTerminal};

use auscult_core::monitor::Status;

/// What an output can show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns; none when nobody looks, and lines are then never cut.
    pub(crate) width: Option<usize>,
    colour: bool,
}

/// What a piece of text means, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Good,
    Warning,
    Bad,
    Quiet,
    Strong,
    Plain,
}

impl Screen {
    /// What this process's stdout can show.
    pub(crate) fn stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// What this process's stderr can show.
    pub(crate) fn stderr() -> Self {
        Self::of(&io::stderr())
    }

    fn of(output: &impl IsTerminal) -> Self {
        if !output.is_terminal() {
            return Self::PIPE;
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            width: Some(width.unwrap_or(80).max(40)),
            colour: !no_colour && !dumb,
        }
    }

    /// A file or another program: no colours, no cut lines.
    pub(crate) const PIPE: Self = Self {
        width: None,
        colour: false,
    };

    /// Whether it shows colours.
    pub(crate) fn colour(self) -> bool {
        self.colour
    }

    /// The text in its colour, if colours can be shown.
    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Good => "32",
            Ink::Warning => "33",
            Ink::Bad => "1;31",
            Ink::Quiet => "2",
            Ink::Strong => "1",
            Ink::Plain => "",
        };
        if self.colour && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Ink {
    /// The colour of a status.
    pub(crate) fn of(status: Status) -> Self {
        match status {
            Status::Up => Self::Good,
            Status::Late => Self::Warning,
            Status::Down => Self::Bad,
            Status::Unknown | Status::Paused => Self::Quiet,
        }
    }

    /// The colour of a status by its name; one that this build does not know stays plain.
    pub(crate) fn of_name(name: &str) -> Self {
        Status::ALL
            .into_iter()
            .find(|status| status.as_str() == name)
            .map_or(Self::Plain, Self::of)
    }
}

/// Text from elsewhere with its control characters made visible: a name must not move the cursor.
pub(crate) fn printable(text: &str) -> String {
    let clean = |c: char| !c.is_control();
    if text.chars().all(clean) {
        return text.to_owned();
    }
    let show = |c: char| if clean(c) { c } else { '\u{fffd}' };
    text.chars().map(show).collect()
}

/// At most `width` characters of the text, the last one an ellipsis when something was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_no_colours() {
        assert_eq!(Screen::PIPE.paint(Ink::Bad, "down"), "down");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(printable("grün"), "grün");
    }

    #[test]
    fn cuts_by_characters_and_says_so() {
        assert_eq!(cut("grün", 4), "grün");
        assert_eq!(cut("grüner", 4), "grü…");
    }
}
