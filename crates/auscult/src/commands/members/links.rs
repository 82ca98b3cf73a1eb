//! `auscult members links`: who hears whom, as a matrix.
//!
//! A row hears a column or does not. Columns have the numbers of the rows, so that fifty members
//! fit a terminal; what does not pass is told once more, in words, below.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;

use crate::render::time::span_ms;
use crate::render::{Ink, Screen, printable};

/// What is known of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Passes,
    Blocked,
    /// Nobody said so far.
    Unknown,
    /// The member itself.
    Myself,
}

/// Prints what `GET /v1/links` answers.
pub(super) fn print(out: &mut dyn Write, screen: Screen, answer: &Value) -> io::Result<()> {
    Matrix::read(answer).print(out, screen)
}

struct Matrix<'a> {
    members: Vec<&'a str>,
    /// By who hears whom.
    cells: BTreeMap<(&'a str, &'a str), Cell>,
    /// How old each row is, or why there is none.
    rows: BTreeMap<&'a str, Result<f64, &'a str>>,
}

impl<'a> Matrix<'a> {
    fn read(answer: &'a Value) -> Self {
        let rows = answer["rows"].as_array().map_or(&[][..], Vec::as_slice);
        let mut matrix = Self {
            members: Vec::new(),
            cells: BTreeMap::new(),
            rows: BTreeMap::new(),
        };
        for row in rows {
            let Some(observer) = row["observer"].as_str() else {
                continue;
            };
            matrix.members.push(observer);
            let answered = match row["error"].as_str() {
                Some(error) => Err(error),
                None => Ok(row["age_ms"].as_f64().unwrap_or_default()),
            };
            matrix.rows.insert(observer, answered);
            for link in row["links"].as_array().into_iter().flatten() {
                let Some(peer) = link["peer"].as_str() else {
                    continue;
                };
                // Who hears knows best; the other one says what it was told.
                matrix.note((observer, peer), &link["hears"], Word::Own);
                matrix.note((peer, observer), &link["heard"], Word::Others);
            }
        }
        matrix
    }

    fn note(&mut self, pair: (&'a str, &'a str), direction: &Value, word: Word) {
        let cell = match direction.as_str() {
            Some("passes") => Cell::Passes,
            Some("blocked") => Cell::Blocked,
            Some(_) | None => return,
        };
        match word {
            Word::Own => {
                self.cells.insert(pair, cell);
            }
            Word::Others => {
                self.cells.entry(pair).or_insert(cell);
            }
        }
    }

    fn cell(&self, hearer: &str, heard: &str) -> Cell {
        if hearer == heard {
            return Cell::Myself;
        }
        let known = self.cells.get(&(hearer, heard)).copied();
        known.unwrap_or(Cell::Unknown)
    }

    fn print(&self, out: &mut dyn Write, screen: Screen) -> io::Result<()> {
        if self.members.is_empty() {
            return writeln!(out, "no members");
        }
        let names: Vec<String> = self.members.iter().map(|name| printable(name)).collect();
        let digits = self.members.len().to_string().len();
        let width = names.iter().map(|name| name.chars().count()).max();
        let width = width.unwrap_or_default();
        let legend = "a row hears a column:  + yes  x no  . not known yet";
        writeln!(out, "{}", screen.paint(Ink::Quiet, legend))?;
        let columns: Vec<String> = (1..=self.members.len())
            .map(|number| format!("{number:>digits$}"))
            .collect();
        let head = format!("{:digits$} {:width$}  {}", "", "", columns.join(" "));
        writeln!(out, "{}", screen.paint(Ink::Quiet, &head))?;
        for ((name, hearer), number) in names.iter().zip(&self.members).zip(1..) {
            let cells = self.members.iter().map(|heard| {
                let (text, ink) = match self.cell(hearer, heard) {
                    Cell::Passes => ("+", Ink::Good),
                    Cell::Blocked => ("x", Ink::Bad),
                    Cell::Unknown => (".", Ink::Quiet),
                    Cell::Myself => ("-", Ink::Quiet),
                };
                let pad = " ".repeat(digits - 1);
                pad + &screen.paint(ink, text)
            });
            let cells: Vec<String> = cells.collect();
            let note = self.note_of(hearer);
            let line = format!("{number:>digits$} {name:width$}  {}{note}", cells.join(" "));
            writeln!(out, "{line}")?;
        }
        self.print_blocked(out, screen)
    }

    /// What a row's own agent did not say.
    fn note_of(&self, observer: &str) -> String {
        match self.rows.get(observer) {
            Some(Err(error)) => format!("  no answer: {}", printable(error)),
            Some(Ok(age)) if *age >= AGE_SHOWN_MS => format!("  {} old", span_ms(*age)),
            Some(Ok(_)) | None => String::new(),
        }
    }

    fn print_blocked(&self, out: &mut dyn Write, screen: Screen) -> io::Result<()> {
        for (&(hearer, heard), &cell) in &self.cells {
            if cell == Cell::Blocked {
                let back = match self.cell(heard, hearer) {
                    Cell::Passes => ", though the way back passes",
                    Cell::Blocked | Cell::Unknown | Cell::Myself => "",
                };
                let text = format!("{} does not hear {}", printable(hearer), printable(heard));
                writeln!(out, "{}{back}", screen.paint(Ink::Bad, &text))?;
            }
        }
        Ok(())
    }
}

/// Whose word it is.
#[derive(Clone, Copy)]
enum Word {
    Own,
    Others,
}

/// A row that is older than this says so.
const AGE_SHOWN_MS: f64 = 5_000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_directions_are_told_apart() {
        let answer = json!({ "rows": [
            { "observer": "a", "age_ms": 0.1, "links": [
                { "peer": "b", "hears": "passes", "heard": "blocked" },
                { "peer": "c", "hears": "unknown", "heard": "unknown" },
            ] },
            { "observer": "b", "age_ms": 7000.0, "links": [
                { "peer": "a", "hears": "blocked", "heard": "passes" },
                { "peer": "c", "hears": "passes", "heard": "passes" },
            ] },
            { "observer": "c", "error": "unanswered", "links": [] },
        ] });
        let expected = "\
a row hears a column:  + yes  x no  . not known yet
     1 2 3
1 a  - + .
2 b  x - +  7.0 s old
3 c  . + -  no answer: unanswered
b does not hear a, though the way back passes
";
        assert_eq!(printed(&answer), expected);
    }

    #[test]
    fn fifty_members_fit_columns_of_two_digits() {
        let rows: Vec<Value> = (0..50)
            .map(|n| json!({ "observer": format!("web-{n}"), "links": [] }))
            .collect();
        let text = printed(&json!({ "rows": rows }));
        assert_eq!(text.lines().count(), 52);
        assert!(
            text.lines().all(|line| line.chars().count() < 162),
            "{text}"
        );
    }

    fn printed(answer: &Value) -> String {
        let mut out = Vec::new();
        print(&mut out, Screen::PIPE, answer).unwrap();
        String::from_utf8(out).unwrap()
    }
}
