//! The command as a process: started in a group of its own, and ended with everything that it has started in turn.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child as Process, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::stderr::Listener;

/// Time that a command has to end by itself when it is told to; then it is ended.
const TERM_PATIENCE: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(5);

/// Room in the pipe, so that a camera's frame takes few turns: the most that Linux gives without privileges by default.
const PIPE_BYTES: usize = 1 << 20;

/// A running command; ended when dropped, within [`TERM_PATIENCE`] and a moment.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    group: Pid,
    /// What it writes.
    pub(super) stdout: ChildStdout,
    listener: Listener,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts a command; its words on stderr are told as those of `speaker`.
    pub(super) fn start(command: &[String], directory: &Path, speaker: String) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("no command"))?;
        let mut wanted = Command::new(program);
        wanted.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if !directory.as_os_str().is_empty() {
            wanted.current_dir(directory);
        }
        let mut process = wanted.spawn()?;
        let (group, pipes) = (Pid::from_child(&process), (process.stdout.take(), process.stderr.take()));
        let (Some(stdout), Some(stderr)) = pipes else { return Err(io::Error::other("its output is not connected")) };
        let listener = match Listener::start(stderr, speaker) {
            Ok(listener) => listener,
            Err(error) => {
                // Nobody else knows of it yet.
                let _ = kill_process_group(group, Signal::KILL);
                let _ = process.wait();
                return Err(error);
            }
        };
        // A pipe of the usual size works too, in more turns.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_BYTES);
        Ok(Self { process, group, stdout, listener, ended: None })
    }

    /// Waits for something to read, or the end of it, at most `patience` long. Whether there is.
    pub(super) fn wait_readable(&self, patience: Duration) -> io::Result<bool> {
        let patience =
            Timespec { tv_sec: 0, tv_nsec: i64::from(patience.min(Duration::from_millis(999)).subsec_nanos()) };
        match poll(&mut [PollFd::new(&self.stdout, PollFlags::IN)], Some(&patience)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(false),
            Ok(_) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    /// How a command ended that has closed its output; it has `patience` for that. None where it goes on.
    pub(super) fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.wait_exit(patience) {
            self.reap();
        }
        self.ended
    }

    /// The last line that it wrote to stderr.
    pub(super) fn last_words(&self) -> String {
        self.listener.last()
    }

    /// Whether the process has ended. It stays known to the kernel, so that its group's number is nobody else's.
    fn wait_exit(&self, patience: Duration) -> bool {
        let since = Instant::now();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            // An error means that there is nobody to wait for.
            let running = self.ended.is_none() && matches!(waitid(WaitId::Pid(self.group), options), Ok(None));
            if !running || since.elapsed() >= patience {
                return !running;
            }
            thread::sleep(STEP);
        }
    }

    /// Ends whoever is left of the group, and then lets go of its first process.
    fn reap(&mut self) {
        if self.ended.is_none() {
            // Fails only where nobody is left.
            let _ = kill_process_group(self.group, Signal::KILL);
            self.ended = self.process.wait().ok();
            self.listener.finish();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // A camera's daemon is left in a better state by a client that says goodbye.
            let _ = kill_process_group(self.group, Signal::TERM);
            self.wait_exit(TERM_PATIENCE);
            self.reap();
        }
    }
}
