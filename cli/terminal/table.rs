//! Tables for people: columns aligned, a rule below the heads, nothing else.

use std::{fmt, io};

use comfy_table::{CellAlignment, LineStyle, TableStyle};

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
pub(crate) struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads.
    pub(crate) fn new(heads: &[(&str, Align)]) -> Table {
        let heads = heads.iter().map(|&(head, align)| (head.to_owned(), align)).collect();
        Table { heads, rows: vec![] }
    }

    /// Appends a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// As one table, or as several below each other, which all begin with the first column, so that none is wider than
    /// `width` if that can be.
    fn within(&self, width: Option<usize>) -> String {
        let blocks: Vec<String> =
            self.blocks(width).iter().map(|columns| self.block(columns)).collect();
        blocks.join("\n")
    }

    /// The columns of each table.
    fn blocks(&self, width: Option<usize>) -> Vec<Vec<usize>> {
        let width = width.unwrap_or(usize::MAX);
        let mut blocks = vec![vec![0]];
        let mut used = self.width(0);
        for column in 1..self.heads.len() {
            if used + self.width(column) > width && blocks.last().is_some_and(|b| b.len() > 1) {
                blocks.push(vec![0]);
                used = self.width(0);
            }
            used += self.width(column);
            blocks.last_mut().expect("there is a first table").push(column);
        }
        blocks
    }

    /// Characters of a column and of the gap behind it.
    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let cells = cells.chain(self.heads.get(column).map(|(head, _)| head));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + 2
    }

    fn block(&self, columns: &[usize]) -> String {
        let mut table = comfy_table::Table::new();
        let rule = LineStyle::none().fill('-').junction('-');
        table.load_style(TableStyle::new().header_separator(rule));
        table.set_header(columns.iter().map(|&column| &self.heads[column].0));
        for (of_table, &column) in table.column_iter_mut().zip(columns) {
            of_table.set_padding((0, 1));
            of_table.set_cell_alignment(match self.heads[column].1 {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        for row in &self.rows {
            table.add_row(columns.iter().filter_map(|&column| row.get(column)));
        }
        table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.within(terminal_width()))
    }
}

/// Columns of the terminal that stdout is, if it is one.
fn terminal_width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0))
}

/// Lines of a name and what it is, the names in one column.
#[derive(Default)]
pub(crate) struct Sheet {
    lines: Vec<(String, String)>,
}

impl Sheet {
    /// Appends a line.
    pub(crate) fn line(&mut self, name: &str, text: impl Into<String>) {
        self.lines.push((name.to_owned(), text.into()));
    }

    /// With lines of at most `width` characters, if words allow it.
    fn within(&self, width: Option<usize>) -> String {
        let names = self.lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let width = width.map_or(usize::MAX, |width| width.saturating_sub(names + 2));
        let mut sheet = String::new();
        for (name, text) in &self.lines {
            for (i, part) in wrapped(text, width).iter().enumerate() {
                let name = if i == 0 { name } else { "" };
                sheet += format!("{name:names$}  {part}").trim_end();
                sheet.push('\n');
            }
        }
        sheet
    }
}

/// A text in lines, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is a first line");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.within(terminal_width()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("layer", Align::Left), ("levels", Align::Right)]);
        table.row(vec!["conv1".to_owned(), "3".to_owned()]);
        assert_eq!(table.to_string(), "layer  levels\n--------------\nconv1       3\n");
        let mut sheet = Sheet::default();
        sheet.line("ring", "2^13");
        sheet.line("levels", "4");
        assert_eq!(sheet.to_string(), "ring    2^13\nlevels  4\n");
    }

    #[test]
    fn what_is_too_wide_is_broken_between_columns_and_words() {
        let heads = [("layer", Align::Left), ("kind", Align::Left), ("levels", Align::Right)];
        let mut table = Table::new(&heads);
        table.row(vec!["conv1".to_owned(), "linear".to_owned(), "3".to_owned()]);
        assert!(table.within(Some(16)).starts_with("layer  kind\n"));
        assert!(table.within(Some(16)).contains("\n\nlayer  levels\n"));
        assert_eq!(table.within(Some(80)), table.within(None));
        assert!(table.within(Some(3)).lines().count() == 7, "a column stays whole");
        let mut sheet = Sheet::default();
        sheet.line("memory", "12.3 MB of it");
        assert_eq!(sheet.within(Some(16)), "memory  12.3 MB\n        of it\n");
        assert_eq!(sheet.within(None), "memory  12.3 MB of it\n");
    }
}
