//! Tables for people: columns aligned, a rule below the heads, nothing else.

use std::fmt;

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
    inner: comfy_table::Table,
}

impl Table {
    /// A table with these heads.
    pub(crate) fn new(heads: &[(&str, Align)]) -> Table {
        let mut inner = comfy_table::Table::new();
        let rule = LineStyle::none().fill('-').junction('-');
        inner.load_style(TableStyle::new().header_separator(rule));
        inner.set_header(heads.iter().map(|(head, _)| head));
        for (column, (_, align)) in inner.column_iter_mut().zip(heads) {
            column.set_padding((0, 1));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        Table { inner }
    }

    /// Appends a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.inner.add_row(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
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
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, text) in &self.lines {
            writeln!(f, "{}", format!("{name:width$}  {text}").trim_end())?;
        }
        Ok(())
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
}
