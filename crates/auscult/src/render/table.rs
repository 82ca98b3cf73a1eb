//! Aligned columns with a header, as wide as they need and no wider than the terminal.

use std::io::{self, Write};

use super::{Ink, Screen, cut, printable};

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    align: Align,
}

/// On which side a column is straight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

impl Column {
    pub(crate) const fn left(title: &'static str) -> Self {
        Self {
            title,
            align: Align::Left,
        }
    }

    /// For numbers.
    pub(crate) const fn right(title: &'static str) -> Self {
        Self {
            title,
            align: Align::Right,
        }
    }
}

/// One field of a row.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    ink: Ink,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self::inked(Ink::Plain, text)
    }

    pub(crate) fn inked(ink: Ink, text: impl AsRef<str>) -> Self {
        Self {
            text: printable(text.as_ref()),
            ink,
        }
    }
}

/// Between two columns.
const GAP: usize = 2;

/// The last column is never cut below this; the line then wraps, which is better than no text.
const LAST_WIDTH_MIN: usize = 12;

/// Prints a header and the rows. Only the last column is cut to fit the terminal.
pub(crate) fn print(
    out: &mut impl Write,
    screen: Screen,
    columns: &[Column],
    rows: &[Vec<Cell>],
) -> io::Result<()> {
    let mut widths: Vec<usize> = columns.iter().map(|c| c.title.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let header: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::inked(Ink::Quiet, column.title))
        .collect();
    print_row(out, screen, columns, &widths, &header)?;
    for row in rows {
        print_row(out, screen, columns, &widths, row)?;
    }
    Ok(())
}

fn print_row(
    out: &mut impl Write,
    screen: Screen,
    columns: &[Column],
    widths: &[usize],
    row: &[Cell],
) -> io::Result<()> {
    let mut line = String::new();
    let mut used = 0;
    let last = columns.len().saturating_sub(1);
    for (index, ((column, width), cell)) in columns.iter().zip(widths).zip(row).enumerate() {
        let text = match screen.width {
            Some(total) if index == last => {
                let room = total.saturating_sub(used).max(LAST_WIDTH_MIN);
                cut(&cell.text, room)
            }
            _ => cell.text.clone(),
        };
        let padding = " ".repeat(width.saturating_sub(text.chars().count()));
        let painted = screen.paint(cell.ink, &text);
        match column.align {
            Align::Left if index == last => line += &painted,
            Align::Left => line = line + &painted + &padding,
            Align::Right => line = line + &padding + &painted,
        }
        if index != last {
            line += &" ".repeat(GAP);
        }
        used += width + GAP;
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::left("ID"),
        Column::right("LEVEL"),
        Column::left("WHY"),
    ];

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [row("a", "0.1", "heard"), row("server10", "12.0", "")];
        let expected = "ID        LEVEL  WHY\na           0.1  heard\nserver10   12.0\n";
        assert_eq!(printed(Screen::PIPE, &rows), expected);
    }

    #[test]
    fn the_last_column_is_cut_to_fit() {
        let rows = [row("a", "0.1", "silent for longer than it should be")];
        let screen = Screen {
            width: Some(25),
            colour: false,
        };
        let expected = "ID  LEVEL  WHY\na     0.1  silent for lo…\n";
        assert_eq!(printed(screen, &rows), expected);
    }

    #[test]
    fn a_row_is_one_line_whatever_its_text() {
        let rows = [row("a\nb", "0", "x\ty")];
        assert_eq!(printed(Screen::PIPE, &rows).lines().count(), 2);
    }

    fn row(id: &str, level: &str, why: &str) -> Vec<Cell> {
        vec![Cell::new(id), Cell::new(level), Cell::new(why)]
    }

    fn printed(screen: Screen, rows: &[Vec<Cell>]) -> String {
        let mut out = Vec::new();
        print(&mut out, screen, &COLUMNS, rows).unwrap();
        String::from_utf8(out).unwrap()
    }
}
