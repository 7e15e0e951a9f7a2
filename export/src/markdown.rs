//! Lines of Markdown tables, and numbers as the tables print them.

use std::fmt::Write as _;

/// A row of cells; a bar in a cell is escaped.
pub(crate) fn row<T: AsRef<str>>(text: &mut String, cells: impl IntoIterator<Item = T>) {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.as_ref().replace('|', "\\|")).collect();
    line(text, format!("| {} |", cells.join(" | ")));
}

/// The line under a heading: names to the left, numbers to the right.
pub(crate) fn rule(text: &mut String, names: usize, numbers: usize) {
    line(text, format!("|{}{}", "---|".repeat(names), "---:|".repeat(numbers)));
}

/// Any line.
pub(crate) fn line(text: &mut String, content: impl AsRef<str>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", content.as_ref());
}

/// A share in percent, without the sign.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}
