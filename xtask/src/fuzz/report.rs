//! What libFuzzer says at its end, as a row of a table.

use std::fmt;

/// Lines of a log that tell what went wrong.
const LAST_WORDS: usize = 40;

/// How fuzzing one target went.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    pub(super) target: String,
    clean: bool,
    /// Inputs that were tried.
    executions: u64,
    seconds: u64,
    /// Edges of the program's flow that some input took.
    edges: u64,
    /// Inputs that reach something that no other does.
    inputs: u64,
    /// Most memory of the fuzzer, in MiB.
    memory_mib: u64,
    /// The end of the log, of a target that is broken.
    pub(super) last_words: String,
}

impl Report {
    /// Two lines of Markdown above the rows.
    pub(super) const HEAD: &'static str = "| target | executions | seconds | edges covered | inputs kept | memory MiB | \
                                           findings |\n|---|---:|---:|---:|---:|---:|---|";

    /// Of a log that was written with `-print_final_stats=1`.
    pub(super) fn read(target: &str, clean: bool, log: &str) -> Self {
        // "#2097152 DONE   cov: 812 ft: 2205 corp: 310/14Kb lim: 4096 exec/s: 69905 rss: 61Mb", and pulses before it.
        let last = |key: &str| log.lines().rev().find_map(|line| number_after(line, key));
        let stat = |key: &str| last(&format!("stat::{key}:")).unwrap_or(0);
        let lines: Vec<&str> = log.lines().collect();
        let last_words = if clean { String::new() } else { lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n") };
        let executions = stat("number_of_executed_units");
        Self {
            target: target.to_owned(),
            clean,
            executions,
            seconds: executions.checked_div(stat("average_exec_per_sec")).unwrap_or(0),
            edges: last(" cov: ").unwrap_or(0),
            inputs: last(" corp: ").unwrap_or(0),
            memory_mib: stat("peak_rss_mb"),
            last_words,
        }
    }

    pub(super) fn failed(&self) -> bool {
        !self.clean
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, executions, seconds, edges, inputs, memory_mib, .. } = self;
        let findings = if self.clean { "none" } else { "**broken**" };
        write!(f, "| {target} | {executions} | {seconds} | {edges} | {inputs} | {memory_mib} | {findings} |")
    }
}

/// The number that stands behind a word, after white space.
fn number_after(line: &str, key: &str) -> Option<u64> {
    let (_, rest) = line.split_once(key)?;
    let rest = rest.trim_start();
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "#65536\tpulse  cov: 700 ft: 1900 corp: 250/9Kb lim: 4096 exec/s: 32768 rss: 50Mb\n\
                       #120000\tDONE   cov: 812 ft: 2205 corp: 310/14Kb lim: 4096 exec/s: 4000 rss: 61Mb\n\
                       Done 120000 runs in 30 second(s)\n\
                       stat::number_of_executed_units: 120000\nstat::average_exec_per_sec:     4000\n\
                       stat::peak_rss_mb:              61\n";

    #[test]
    fn the_last_numbers_of_a_log_make_a_row() {
        let report = Report::read("mjpeg", true, LOG);
        assert!(!report.failed());
        assert_eq!(report.to_string(), "| mjpeg | 120000 | 30 | 812 | 310 | 61 | none |");
    }

    #[test]
    fn a_log_of_a_broken_target_ends_with_its_words() {
        let report = Report::read("mjpeg", false, "thread '<unnamed>' panicked at x.rs:1\nSUMMARY: deadly signal\n");
        assert!(report.failed() && report.last_words.ends_with("SUMMARY: deadly signal"));
        assert_eq!(report.to_string(), "| mjpeg | 0 | 0 | 0 | 0 | 0 | **broken** |");
    }
}
