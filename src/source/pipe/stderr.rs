//! What a command says on stderr, into the log: line by line, each of bounded length, and only so many in a while.

use std::io::{self, Read};
use std::process::ChildStderr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::source::WAIT_SLICE;

/// Longest line that is told, in bytes; the rest of it is left out.
const MAX_LINE_BYTES: usize = 400;
/// Lines that are told in one [`WHILE`].
const MAX_LINES: u32 = 20;
const WHILE: Duration = Duration::from_secs(10);
/// How long is listened on when the command is gone: somebody who left its process group may still hold the other end.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Listens in a thread of its own, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    over: Arc<AtomicBool>,
    last: Arc<Mutex<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Tells what `stderr` says, as the words of `speaker`.
    pub(super) fn start(stderr: ChildStderr, speaker: String) -> io::Result<Self> {
        let (over, last) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(String::new())));
        let (their_over, their_last) = (Arc::clone(&over), Arc::clone(&last));
        let work = move || listen(stderr, &their_over, &mut Lines::new(|line| tell(&speaker, &their_last, line)));
        let thread = thread::Builder::new().name("pipe-log".into()).spawn(work)?;
        Ok(Self { over, last, thread: Some(thread) })
    }

    /// The last line so far.
    pub(super) fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Listener {
    /// Hears what was said before the end, of a command that is gone.
    pub(super) fn finish(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("source: the thread that reads a command's log panicked");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.finish();
    }
}

fn tell(speaker: &str, last: &Mutex<String>, line: &str) {
    log::info!("source: {speaker}: {line}");
    line.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
}

fn listen(mut stderr: ChildStderr, over: &AtomicBool, lines: &mut Lines<impl FnMut(&str)>) {
    let slice = Timespec { tv_sec: 0, tv_nsec: i64::from(WAIT_SLICE.subsec_nanos()) };
    let (mut piece, mut until) = ([0; 4096], None);
    while until.is_none_or(|until| Instant::now() < until) {
        let ending = over.load(Ordering::Relaxed);
        if ending && until.is_none() {
            until = Some(Instant::now() + LAST_WORDS);
        }
        match poll(&mut [PollFd::new(&stderr, PollFlags::IN)], Some(&slice)) {
            Ok(0) if ending => break,
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => break,
        }
        match stderr.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => lines.push(&piece[..count], Instant::now()),
        }
    }
    lines.finish();
}

/// Cuts what is said into lines, and passes on only so many in a while.
struct Lines<F> {
    pass_on: F,
    line: Vec<u8>,
    since: Option<Instant>,
    passed: u32,
    left_out: u64,
}

impl<F: FnMut(&str)> Lines<F> {
    fn new(pass_on: F) -> Self {
        Self { pass_on, line: Vec::new(), since: None, passed: 0, left_out: 0 }
    }

    fn push(&mut self, bytes: &[u8], now: Instant) {
        for byte in bytes {
            match byte {
                // Programs that show progress end their lines by going back.
                b'\n' | b'\r' => self.end_line(now),
                byte if self.line.len() < MAX_LINE_BYTES => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self, now: Instant) {
        if self.line.is_empty() {
            return;
        }
        if self.since.is_none_or(|since| now.duration_since(since) >= WHILE) {
            self.tell_left_out();
            (self.since, self.passed) = (Some(now), 0);
        }
        if self.passed < MAX_LINES {
            self.passed += 1;
            let line = printable(&self.line);
            (self.pass_on)(&line);
        } else {
            self.left_out += 1;
        }
        self.line.clear();
    }

    fn finish(&mut self) {
        self.end_line(Instant::now());
        self.tell_left_out();
    }

    fn tell_left_out(&mut self) {
        if self.left_out > 0 {
            (self.pass_on)(&format!("({} more lines)", self.left_out));
            self.left_out = 0;
        }
    }
}

/// A log is no terminal: what moves a cursor or changes colours is shown as what it is.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().map(|c| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.into() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed on of these words, said at these seconds.
    fn passed_on(said: &[(u64, &str)]) -> Vec<String> {
        let (mut found, start) = (Vec::new(), Instant::now());
        let mut lines = Lines::new(|line: &str| found.push(line.to_string()));
        for (second, words) in said {
            lines.push(words.as_bytes(), start + Duration::from_secs(*second));
        }
        lines.finish();
        found
    }

    #[test]
    fn lines_are_passed_on_one_by_one_and_the_last_without_its_end() {
        assert_eq!(passed_on(&[(0, "one\n\ntw"), (1, "o\r\nthree")]), ["one", "two", "three"]);
    }

    #[test]
    fn of_a_flood_only_so_many_lines_are_told_and_the_others_are_counted() {
        let flood = "x\n".repeat(1000);
        let found = passed_on(&[(0, &flood), (11, "later\n")]);
        assert_eq!(found.len(), MAX_LINES as usize + 2);
        assert_eq!(found[MAX_LINES as usize..], ["(980 more lines)", "later"]);
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        assert_eq!(passed_on(&[(0, &"y".repeat(1 << 20))]), ["y".repeat(MAX_LINE_BYTES)]);
    }

    #[test]
    fn colours_and_broken_text_do_no_harm() {
        assert_eq!(passed_on(&[(0, "\u{1b}[31mred\n")]), ["\\u{1b}[31mred"]);
        assert_eq!(printable(b"caf\xe9"), "caf\u{fffd}");
    }
}
