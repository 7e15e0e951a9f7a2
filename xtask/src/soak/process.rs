//! What Linux tells of a running process, and signals to it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Since the watch began.
    pub(super) at: Duration,
    /// Memory that it holds, in KiB: VmRSS.
    pub(super) memory_kib: u64,
    /// Of it, what no file stands behind: RssAnon.
    pub(super) own_kib: u64,
    /// Of it, pages of files, which are the program and its libraries: RssFile.
    pub(super) file_kib: u64,
    pub(super) threads: u64,
    pub(super) open_files: u64,
}

/// Looks at a process; nothing once it has gone.
pub(super) fn look(pid: u32, at: Duration) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let open_files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    sample(&status, open_files, at)
}

fn sample(status: &str, open_files: u64, at: Duration) -> Option<Sample> {
    let number = |key: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(key))?;
        rest.split_ascii_whitespace().next()?.parse().ok()
    };
    Some(Sample {
        at,
        memory_kib: number("VmRSS:")?,
        own_kib: number("RssAnon:")?,
        file_kib: number("RssFile:")?,
        threads: number("Threads:")?,
        open_files,
    })
}

/// Looks as comma-separated values, to see where something grew.
pub(super) fn table(samples: &[Sample]) -> String {
    let row = |sample: &Sample| {
        let Sample { at, memory_kib, own_kib, file_kib, threads, open_files } = sample;
        format!("{:.1},{memory_kib},{own_kib},{file_kib},{threads},{open_files}\n", at.as_secs_f64())
    };
    let head = "seconds,memory_kib,own_kib,file_kib,threads,open_files\n".to_owned();
    std::iter::once(head).chain(samples.iter().map(row)).collect()
}

/// Sends a signal to a child.
///
/// # Errors
/// When it is gone.
pub(super) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process id")?;
    kill_process(pid, signal).with_context(|| format!("process {}: {signal:?}", pid.as_raw_nonzero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_are_read_from_the_status_and_a_dead_process_has_none() {
        let status = "Name:\toodwatch\nState:\tS (sleeping)\nVmRSS:\t   61234 kB\nRssAnon:\t   21230 kB\nRssFile:\t   \
                      40004 kB\nThreads:\t7\n";
        let at = Duration::from_secs(1);
        let wanted = Sample { at, memory_kib: 61_234, own_kib: 21_230, file_kib: 40_004, threads: 7, open_files: 5 };
        assert_eq!(sample(status, 5, at), Some(wanted));
        assert_eq!(sample("Name:\toodwatch\nState:\tZ (zombie)\nThreads:\t1\n", 0, at), None);
    }
}
