//! The demo's tables, for a terminal.

use std::fmt::Write;

use super::judge::{Delay, Report, Share};
use super::stream::Kind;

/// One package's column.
pub(super) struct Column<'a> {
    /// Its heading.
    pub(super) name: &'a str,
    /// What it shows.
    pub(super) report: &'a Report,
}

/// A table with one row per segment, then the sums, speed and stage times; one column pair per package.
pub(super) fn table(columns: &[Column]) -> String {
    let mut rows = vec![header(columns)];
    let Some(first) = columns.first() else { return String::new() };
    for index in 0..first.report.segments.len() {
        rows.push(segment_row(columns, index));
    }
    rows.push(Vec::new());
    for (kind, name) in [(Kind::Known, "all known frames"), (Kind::Unknown, "all unknown frames")] {
        rows.push(sum_row(columns, kind, name));
    }
    rows.push(Vec::new());
    rows.push(row("frames/s", "", columns, |report| [format!("{:.0}", report.frames_per_second), String::new()]));
    for (index, (stage, _, _)) in first.report.stages_us.iter().enumerate() {
        rows.push(row(&format!("{stage} p50 / p99"), "", columns, |report| {
            let (_, p50, p99) = report.stages_us[index];
            [format!("{p50} / {p99} us"), String::new()]
        }));
    }
    aligned(&rows)
}

fn header(columns: &[Column]) -> Vec<String> {
    let mut cells = vec!["part of the stream".to_owned(), "frames".to_owned()];
    for column in columns {
        cells.extend([format!("{}: flagged", column.name), "first flag after".to_owned()]);
    }
    cells
}

fn segment_row(columns: &[Column], index: usize) -> Vec<String> {
    let segment = &columns[0].report.segments[index];
    let name = match segment.kind {
        Kind::Known => segment.name.clone(),
        Kind::Unknown => format!("+ {}", segment.name),
    };
    row(&name, &segment.frames.len().to_string(), columns, |report| {
        let segment = &report.segments[index];
        let share = Share { flagged: segment.flagged, frames: segment.frames.len() };
        let delay = if segment.kind == Kind::Unknown { delay_text(segment.delay) } else { String::new() };
        [share_text(share), delay]
    })
}

fn sum_row(columns: &[Column], kind: Kind, name: &str) -> Vec<String> {
    let frames = columns[0].report.share(kind).frames;
    row(name, &frames.to_string(), columns, |report| [share_text(report.share(kind)), String::new()])
}

fn row(name: &str, frames: &str, columns: &[Column], cells: impl Fn(&Report) -> [String; 2]) -> Vec<String> {
    let mut row = vec![name.to_owned(), frames.to_owned()];
    row.extend(columns.iter().flat_map(|column| cells(column.report)));
    row
}

fn share_text(share: Share) -> String {
    format!("{} ({:.1} %)", share.flagged, share.percent())
}

fn delay_text(delay: Option<Delay>) -> String {
    match delay {
        Some(Delay { frames: 1, seconds }) => format!("1 frame, {seconds:.2} s"),
        Some(Delay { frames, seconds }) => format!("{frames} frames, {seconds:.2} s"),
        None => "never".to_owned(),
    }
}

/// Pads every column to its widest cell; the first is set left, the others right. An empty row is a rule.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let total = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if row.is_empty() {
            text.push_str(&"-".repeat(total));
        }
        for (column, cell) in row.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = match column {
                0 => write!(text, "{cell:<0$}", widths[0]),
                _ => write!(text, "  {cell:>0$}", widths[column]),
            };
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
        if index == 0 {
            text.push_str(&"-".repeat(total));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::judge::SegmentReport;
    use super::*;

    #[test]
    fn a_table_reads_from_known_to_unknown_to_speed() {
        let segment = |name: &str, kind, frames, flagged, delay| SegmentReport {
            name: name.to_owned(),
            kind,
            frames,
            flagged,
            delay,
        };
        let delay = Delay { frames: 2, seconds: 0.08 };
        let report = Report {
            segments: vec![
                segment("known", Kind::Known, 0..100, 5, None),
                segment("clip", Kind::Unknown, 100..110, 8, Some(delay)),
            ],
            frames_per_second: 312.4,
            stages_us: vec![("infer", 900, 1500)],
        };
        let expected = "\
part of the stream  frames  ours: flagged  first flag after
-----------------------------------------------------------
known                  100      5 (5.0 %)
+ clip                  10     8 (80.0 %)  2 frames, 0.08 s
-----------------------------------------------------------
all known frames       100      5 (5.0 %)
all unknown frames      10     8 (80.0 %)
-----------------------------------------------------------
frames/s                              312
infer p50 / p99             900 / 1500 us
";
        assert_eq!(table(&[Column { name: "ours", report: &report }]), expected);
    }
}
