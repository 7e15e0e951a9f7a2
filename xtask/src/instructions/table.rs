//! The table of counts, and what a new count is beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// How much more a kernel may take than the table says, in percent; compilers differ by a few.
pub(super) const ALLOWANCE_PERCENT: u32 = 25;
const HEAD: &str = "# Instructions of one run of each kernel of examples/kernels.rs, counted by callgrind: `cargo xtask instructions`\n\
                    # compares with this and fails where one takes over 25 % more, `cargo xtask instructions --bless` writes it anew.\n\n";

/// Counts at one level of vector instructions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// As `pulp` names it; only counts of the same are compared.
    pub(super) level: String,
    pub(super) kernels: BTreeMap<String, u64>,
}

/// What became of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    AsBefore,
    /// Fewer instructions, by more than the allowance.
    Less,
    /// More, by more than the allowance.
    More,
    /// It is not in the table.
    New,
    /// It is in the table alone.
    Gone,
}

impl Verdict {
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::More | Self::New | Self::Gone)
    }
}

/// A kernel in the table and now.
#[derive(Debug)]
pub(super) struct Row {
    name: String,
    before: Option<u64>,
    now: Option<u64>,
    pub(super) verdict: Verdict,
}

impl Table {
    /// Reads the table.
    ///
    /// # Errors
    /// When there is none, or it does not parse.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        toml::from_str(&text).with_context(|| file.display().to_string())
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let unfinished = file.with_extension("unfinished");
        fs::write(&unfinished, format!("{HEAD}{}", toml::to_string(self)?))?;
        Ok(fs::rename(&unfinished, file)?)
    }

    /// Each kernel whose name contains `only`, held against what was counted.
    pub(super) fn compare(&self, counted: &Self, only: Option<&str>) -> Vec<Row> {
        let mut names: Vec<&String> = self.kernels.keys().chain(counted.kernels.keys()).collect();
        names.sort();
        names.dedup();
        let names = names.into_iter().filter(|name| only.is_none_or(|only| name.contains(only)));
        names.map(|name| Row::new(name, self.kernels.get(name).copied(), counted.kernels.get(name).copied())).collect()
    }
}

impl Row {
    fn new(name: &str, before: Option<u64>, now: Option<u64>) -> Self {
        let more =
            |one: u64, other: u64| u128::from(one) * 100 > u128::from(other) * u128::from(100 + ALLOWANCE_PERCENT);
        let verdict = match (before, now) {
            (None, _) => Verdict::New,
            (_, None) => Verdict::Gone,
            (Some(before), Some(now)) if more(now, before) => Verdict::More,
            (Some(before), Some(now)) if more(before, now) => Verdict::Less,
            _ => Verdict::AsBefore,
        };
        Self { name: name.to_owned(), before, now, verdict }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        let change = match (self.before, self.now) {
            (Some(before), Some(now)) => format!("{:+.1} %", 100.0 * (now as f64 / before as f64 - 1.0)),
            _ => String::new(),
        };
        let words = match self.verdict {
            Verdict::AsBefore => "",
            Verdict::Less => "  less",
            Verdict::More => "  TOO MUCH",
            Verdict::New => "  NOT IN THE TABLE",
            Verdict::Gone => "  NOT COUNTED",
        };
        write!(formatter, "{:<34}{:>14}{:>14}{change:>9}{words}", self.name, number(self.before), number(self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kernels: &[(&str, u64)]) -> Table {
        Table { level: "V3".into(), kernels: kernels.iter().map(|(name, count)| ((*name).into(), *count)).collect() }
    }

    #[test]
    fn a_quarter_more_is_allowed_and_anything_else_is_told() {
        let before = table(&[("a", 100), ("b", 100), ("c", 100), ("d", 100)]);
        let now = table(&[("a", 125), ("b", 126), ("c", 79), ("e", 1)]);
        let verdicts: Vec<_> = before.compare(&now, None).iter().map(|row| (row.name.clone(), row.verdict)).collect();
        let wanted = [Verdict::AsBefore, Verdict::More, Verdict::Less, Verdict::Gone, Verdict::New];
        assert_eq!(verdicts, ["a", "b", "c", "d", "e"].map(String::from).into_iter().zip(wanted).collect::<Vec<_>>());
        assert!(before.compare(&now, Some("a")).iter().all(|row| !row.verdict.is_bad()));
    }

    #[test]
    fn the_table_of_the_repository_parses_and_what_is_written_is_read() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(super::super::TABLE);
        let table = Table::read(&file).unwrap();
        assert!(!table.kernels.is_empty());
        let copy = tempfile::tempdir().unwrap().keep().join("table.toml");
        table.write(&copy).unwrap();
        assert_eq!(Table::read(&copy).unwrap(), table);
    }
}
