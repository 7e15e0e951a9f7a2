//! The program under test, running in the guest.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

/// How long the program may take for what is waited for. Far more than it needs: this only ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// One `oodwatch run`.
pub(super) struct Program {
    name: String,
    child: Child,
    verdicts: BufReader<File>,
    /// A line that may still be half written.
    line: String,
}

/// A file beside the program's output, in the folder that guest and host share.
fn file(name: &str, ending: &str) -> PathBuf {
    PathBuf::from(env::var_os("SHARE").unwrap()).join(format!("{name}.{ending}"))
}

impl Program {
    pub(super) fn start(name: &str, config: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env::var_os("OODWATCH").unwrap());
        command.args(["run", "--config", config]).args(arguments).stdin(Stdio::null());
        command.stdout(File::create(file(name, "jsonl")).unwrap()).stderr(File::create(file(name, "log")).unwrap());
        let verdicts = BufReader::new(File::open(file(name, "jsonl")).unwrap());
        Self { name: name.into(), child: command.spawn().unwrap(), verdicts, line: String::new() }
    }

    /// Waits for so many verdicts with `text` (with each part of it, where it has several with " & " between them), each after the last one that was waited for.
    pub(super) fn wait_for(&mut self, count: usize, text: &str) {
        for number in 1..=count {
            let since = Instant::now();
            while !self.find(text) {
                assert!(self.child.try_wait().unwrap().is_none(), "{} has ended, without {text}", self.name);
                assert!(since.elapsed() < PATIENCE, "{}: {text} did not come ({number} of {count})", self.name);
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Reads on to the next verdict with `text`; false where there is none yet.
    fn find(&mut self, text: &str) -> bool {
        while self.verdicts.read_line(&mut self.line).unwrap() > 0 && self.line.ends_with('\n') {
            let found = text.split(" & ").all(|part| self.line.contains(part));
            self.line.clear();
            if found {
                return true;
            }
        }
        false
    }

    /// Appends one line: resident memory in kB, threads, open files.
    pub(super) fn measure(&self) {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(process.join("status")).unwrap();
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        let files = fs::read_dir(process.join("fd")).unwrap().count();
        let mut measured = OpenOptions::new().create(true).append(true).open(file(&self.name, "measured")).unwrap();
        writeln!(measured, "{} {} {files}", number("VmRSS:"), number("Threads:")).unwrap();
    }

    pub(super) fn end(self) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().unwrap();
        assert!(sent.success());
        self.finish();
    }

    pub(super) fn finish(mut self) {
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(since.elapsed() < PATIENCE, "{} does not end", self.name),
            }
            thread::sleep(Duration::from_millis(10));
        };
        fs::write(file(&self.name, "status"), status.code().unwrap_or(-1).to_string()).unwrap();
    }
}
