//! A program at work, and the verdicts that it says.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use oodwatch::verdict::Verdict;

use super::Ran;

/// Ends a test that has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An `oodwatch run` that has been started.
pub(crate) struct Running {
    pub(crate) child: Child,
    verdicts: Receiver<Verdict>,
}

impl Running {
    /// Starts it, with a stdin that stays open.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, verdicts) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines {
                if sender.send(serde_json::from_str(&line.unwrap()).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, verdicts }
    }

    /// The next verdict of which that is true.
    pub(crate) fn await_verdict(&self, what: &str, wanted: impl Fn(&Verdict) -> bool) -> Verdict {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            match self.verdicts.recv_timeout(PATIENCE) {
                Ok(verdict) if wanted(&verdict) => return verdict,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        panic!("no verdict is {what}");
    }

    /// Names a picture to a source that reads its list from stdin.
    pub(crate) fn show(&mut self, picture: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{picture}").unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Waits for the end that it has been told to come to.
    pub(crate) fn end(mut self) -> Ran {
        // Open to the end: a list that ends would end the run, too.
        let stdin = self.child.stdin.take();
        let ran = Ran::from(self.child.wait_with_output().unwrap());
        drop(stdin);
        ran
    }
}

/// Sends a process a signal.
pub(crate) fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}
