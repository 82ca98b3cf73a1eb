//! What is wrong with a file, as compilers show it.

use auscult_monitor::settings::Problems;

use super::{Ink, Screen};

/// How many problems there are, and each with its line; in colours where a person looks.
pub(crate) fn in_words(screen: Screen, problems: &Problems) -> String {
    let file = problems.file.as_deref().unwrap_or("the settings");
    shown(screen, problems.count(), file, &problems.to_string())
}

/// The same of problems of any kind that are rendered already.
pub(crate) fn shown(screen: Screen, count: usize, file: &str, rendered: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let mut text = format!("{count} problem{plural} in {file}\n\n");
    for line in rendered.lines() {
        text = text + &screen.paint(ink(line), line) + "\n";
    }
    text
}

/// What a line of a rendered problem is: its head, its excerpt, its carets, its help.
fn ink(line: &str) -> Ink {
    let Some(inside) = line.strip_prefix(' ') else {
        return Ink::Strong;
    };
    let inside = inside.trim_start();
    let carets = |text: &str| text.contains('^') && text.trim_matches([' ', '^']).is_empty();
    match inside.strip_prefix('|') {
        Some(rest) if carets(rest) => Ink::Bad,
        _ if inside.starts_with("= help:") => Ink::Good,
        _ => Ink::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_problem_are_told_apart() {
        let lines = [
            ("servers.yml:2:5: there is no key 'ulr'", Ink::Strong),
            ("   |", Ink::Plain),
            (" 2 |     ulr: http://a/^", Ink::Plain),
            ("   |     ^^^", Ink::Bad),
            ("  = help: did you mean 'url'?", Ink::Good),
        ];
        for (line, expected) in lines {
            assert_eq!(ink(line), expected, "{line}");
        }
    }
}
