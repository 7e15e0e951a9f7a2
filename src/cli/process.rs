//! A running monitor, as another process sees it: its pid file, and whether a pid still is who it was.
//!
//! Pids are given out again. A process is told from a later one of the same pid by the time at which it started
//! (`/proc/PID/stat`, field 22, in clock ticks since boot; proc(5)), which stands in the pid file beside the pid.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use rustix::process::{Pid, Signal, kill_process};

/// What tells a run to let latched faults go.
pub(crate) const RESET: Signal = Signal::USR1;
/// What tells a run to test itself.
pub(crate) const SELF_TEST: Signal = Signal::USR2;

/// Why a monitor could not be told something, or has no pid file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// The pid file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{}: no pid file of oodwatch: wanted a pid and a start time, a line each", path.display())]
    NotAPidFile {
        /// The file.
        path: PathBuf,
    },
    /// Another run has it.
    #[error("{}: is the pid file of process {pid}, which is running", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        pid: u32,
    },
    /// Nobody is there any more.
    #[error("process {0} is not running")]
    Gone(u32),
    /// A signal would end it: it is no monitor, or none that has started.
    #[error("process {pid} does not listen for {}, so it is no running `oodwatch run`; nothing was sent", name(*.signal))]
    Deaf {
        /// Whom.
        pid: u32,
        /// What it should listen for.
        signal: Signal,
    },
    /// It must not be told.
    #[error("process {pid} cannot be told: {source}")]
    Refused {
        /// Whom.
        pid: u32,
        /// The operating system's word on it.
        source: io::Error,
    },
}

/// A process, told from others that have had its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

impl Process {
    /// The process that has this pid now.
    pub(crate) fn with_pid(pid: u32) -> Result<Self, ProcessError> {
        let started = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| start_time(&stat));
        started.map(|started| Self { pid, started }).ok_or(ProcessError::Gone(pid))
    }

    /// The process that wrote this pid file, if it is still running.
    pub(crate) fn of_file(path: &Path) -> Result<Self, ProcessError> {
        let wrote = read(path)?;
        if wrote.is_running() { Ok(wrote) } else { Err(ProcessError::Gone(wrote.pid)) }
    }

    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    fn is_running(self) -> bool {
        Self::with_pid(self.pid).is_ok_and(|now| now == self)
    }

    /// Tells a monitor to let latched faults go.
    pub(crate) fn reset(self) -> Result<(), ProcessError> {
        self.tell(RESET)
    }

    /// Tells a monitor to test itself.
    pub(crate) fn self_test(self) -> Result<(), ProcessError> {
        self.tell(SELF_TEST)
    }

    /// Whoever does not wait for that signal would be ended by it, and is not told.
    fn tell(self, signal: Signal) -> Result<(), ProcessError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        if !catches(&status, signal) {
            return Err(ProcessError::Deaf { pid: self.pid, signal });
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or(ProcessError::Gone(self.pid))?;
        kill_process(pid, signal).map_err(|error| ProcessError::Refused { pid: self.pid, source: error.into() })
    }
}

fn name(signal: Signal) -> &'static str {
    if signal == SELF_TEST { "SIGUSR2" } else { "SIGUSR1" }
}

fn read(path: &Path) -> Result<Process, ProcessError> {
    let text = fs::read_to_string(path).map_err(|source| ProcessError::File { path: path.into(), source })?;
    let mut lines = text.lines();
    let mut number = || lines.next()?.parse::<u64>().ok();
    let process =
        number().zip(number()).and_then(|(pid, started)| Some(Process { pid: pid.try_into().ok()?, started }));
    process.ok_or_else(|| ProcessError::NotAPidFile { path: path.into() })
}

/// Field 22 of `/proc/PID/stat`. Field 2, the name in parentheses, may hold anything, also parentheses.
fn start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(22 - 3)?.parse().ok()
}

/// Whether a process with this `/proc/PID/status` has a handler for the signal.
fn catches(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// The pid file of this process; dropped, it is removed.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    process: Process,
}

impl PidFile {
    /// Writes it whole or not at all. One that was left behind by a process that is gone is replaced.
    pub(crate) fn write(path: &Path) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::File { path: path.into(), source };
        match read(path) {
            Ok(other) if other.is_running() => return Err(ProcessError::Taken { path: path.into(), pid: other.pid }),
            Ok(_) => fs::remove_file(path).map_err(failed)?,
            Err(ProcessError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(other) => return Err(other),
        }
        let process = Process::with_pid(process::id())?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        writeln!(file, "{}\n{}", process.pid, process.started).map_err(failed)?;
        file.persist_noclobber(path).map_err(|error| failed(error.error))?;
        Ok(Self { path: path.into(), process })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if read(&self.path).is_ok_and(|of| of == self.process)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("{}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = "17 (a (b) c) S 1 17 17 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8675309 1000 2 18446744073709551615";
        assert_eq!(start_time(stat), Some(8_675_309));
        assert_eq!(start_time("17 (cut"), None);
    }

    #[test]
    fn a_process_that_would_be_ended_by_the_signal_is_told_from_one_that_listens() {
        assert!(catches("Name:\tx\nSigCgt:\t0000000000000200\n", Signal::USR1));
        assert!(!catches("Name:\tx\nSigCgt:\tfffffffffffffdff\n", Signal::USR1));
        assert!(!catches("", Signal::USR1));
    }

    #[test]
    fn a_pid_file_is_there_while_its_process_holds_it_and_refuses_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let held = PidFile::write(&path).unwrap();
        assert_eq!(Process::of_file(&path).unwrap().pid(), process::id());
        assert!(matches!(PidFile::write(&path), Err(ProcessError::Taken { pid, .. }) if pid == process::id()));
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn a_pid_file_that_was_left_behind_is_recognised_by_its_start_time_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        // This very pid, of a process that started at another time.
        fs::write(&path, format!("{}\n1\n", process::id())).unwrap();
        assert!(matches!(Process::of_file(&path), Err(ProcessError::Gone(_))));
        drop(PidFile::write(&path).unwrap());
        fs::write(&path, "some notes\n").unwrap();
        assert!(matches!(PidFile::write(&path), Err(ProcessError::NotAPidFile { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "some notes\n");
    }
}
