//! One row for the table in docs/JETSON.md: what was measured, on what.

use std::path::Path;

use oodwatch::board::{Board, Root};
use oodwatch::infer::runtime;
use oodwatch::package::Package;

use super::{Arguments, Measured, quantile};
use crate::cli::lines;

/// The columns, as docs/JETSON.md has them.
const COLUMNS: [&str; 12] = [
    "Board",
    "JetPack",
    "ONNX Runtime",
    "Provider",
    "Precision",
    "Network",
    "Input",
    "Frames",
    "frames/s",
    "p50 ms",
    "p99 ms",
    "Power",
];

/// Prints the row; its heading is a note, so that only the row is what comes out.
pub(super) fn print(arguments: &Arguments, package: &Package, measured: &Measured) -> anyhow::Result<()> {
    let board = Board::read(&Root::default());
    lines::note(&row(&COLUMNS.map(String::from)));
    lines::text(&row(&cells(arguments, package, measured, &board)))
}

fn cells(arguments: &Arguments, package: &Package, measured: &Measured, board: &Board) -> [String; COLUMNS.len()] {
    let unknown = || "unknown".to_string();
    let mut times: Vec<_> = measured.laps.iter().map(|lap| lap.iter().sum()).collect();
    times.sort();
    let ms = |share: f64| format!("{:.2}", quantile(&times, share).as_secs_f64() * 1e3);
    let input = &package.manifest.input;
    let frames = match &arguments.source {
        Some(source) => name_of(source),
        None => format!("synthetic {}x{}", arguments.size.0, arguments.size.1),
    };
    let cores = std::thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    let power = [board.power_mode.as_ref().map(ToString::to_string), board.clocks.map(|clocks| clocks.to_string())];
    let power: Vec<String> = power.into_iter().flatten().collect();
    [
        format!("{}, {cores} cores", board.model.clone().unwrap_or_else(unknown)),
        board.l4t.as_ref().map_or_else(|| "none".into(), ToString::to_string),
        runtime().map_or_else(unknown, |runtime| version_of(&runtime.path, runtime.build)),
        format!("{}{}", arguments.execution_provider, if arguments.prepared { ", prepared" } else { "" }),
        measured.precision.to_string(),
        arguments.model.as_deref().map_or_else(unknown, name_of),
        format!("{}x{}", input.width, input.height),
        format!("{} of {frames}", measured.laps.len()),
        format!("{:.1}", measured.rate()),
        ms(0.5),
        ms(0.99),
        if power.is_empty() { unknown() } else { power.join(", ") },
    ]
}

/// Where the library's file or its build says so.
fn version_of(library: &Path, build: &str) -> String {
    let file = std::fs::canonicalize(library).unwrap_or_else(|_| library.into());
    let of_file = file.to_string_lossy().split_once(".so.").map(|(_, version)| version.to_string());
    let branch = || Some(build.split_once("git-branch=rel-")?.1.split(',').next()?.trim().to_string());
    of_file.or_else(branch).unwrap_or_else(|| "unknown".into())
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// A row of Markdown. What would end a cell is written as Markdown wants it.
fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_cells_whatever_is_in_them() {
        assert_eq!(row(&["a|b".into(), "c\nd".into()]), "| a\\|b | c d |");
    }

    #[test]
    fn the_columns_are_those_of_the_table_for_users() {
        let page = include_str!("../../../docs/JETSON.md");
        let heading = row(&COLUMNS.map(String::from));
        assert!(page.contains(&heading), "docs/JETSON.md lacks {heading}");
    }

    #[test]
    fn a_version_is_that_of_the_file_or_else_of_the_branch() {
        let library = Path::new("/nowhere/libonnxruntime.so.1.23.2");
        assert_eq!(version_of(library, ""), "1.23.2");
        let plain = Path::new("/nowhere/libonnxruntime.so");
        assert_eq!(version_of(plain, "ORT Build Info: git-branch=rel-1.19.0, git-commit-id=26250ae"), "1.19.0");
        assert_eq!(version_of(plain, "git-branch=HEAD"), "unknown");
    }
}
