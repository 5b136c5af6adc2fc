//! Tables as text: the numbers under a chart.
//!
//! Owns the shape of a table. Must not know pages.

use serde::Serialize;

/// Rows of text under a head; the first columns are names, the rest are numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// What the rows are.
    pub caption: String,
    /// Name and unit of each column.
    pub head: Vec<String>,
    /// How many columns from the left are names.
    pub names: usize,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(caption: impl Into<String>, names: usize, head: &[&str]) -> Self {
        let head = head.iter().map(|&name| name.to_owned()).collect();
        Self {
            caption: caption.into(),
            head,
            names,
            rows: Vec::new(),
        }
    }

    /// Appends a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }
}
