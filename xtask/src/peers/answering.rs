//! A program that stays and answers orders, a line each: numbers for an order.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

/// Ended when dropped.
pub(super) struct Answering {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Answering {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let what = format!("{:?}", command.get_args());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| what.clone())?;
        let (orders, answers) = child.stdin.take().zip(child.stdout.take()).with_context(|| what)?;
        Ok(Self { child, orders, answers: BufReader::new(answers) })
    }

    /// Has it do `order` so many times, and gives the numbers of its answer.
    ///
    /// # Errors
    /// When it has ended or answers something else.
    pub(super) fn ask<const NUMBERS: usize>(&mut self, order: &str, runs: usize) -> Result<[f64; NUMBERS]> {
        writeln!(self.orders, "{order} {runs}").context("a program does not listen any more")?;
        let mut line = String::new();
        self.answers.read_line(&mut line).context("a program's answer")?;
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers.ok().and_then(|numbers| numbers.try_into().ok()) {
            Some(numbers) => Ok(numbers),
            None => bail!("{order}: the answer is {line:?}, wanted {NUMBERS} numbers"),
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // A program that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_so_many_numbers() {
        let answering = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Answering::start(command).unwrap()
        };
        let mut doubles = answering("while read order runs; do echo $((2 * runs)) 0.5; done");
        assert_eq!(doubles.ask("any", 4).unwrap(), [8.0, 0.5]);
        assert_eq!(doubles.ask("any", 5).unwrap(), [10.0, 0.5]);
        assert!(doubles.ask::<1>("any", 4).is_err());
        let error = answering("exit 1").ask::<1>("any", 4).unwrap_err();
        assert!(error.to_string().contains("does not listen") || error.to_string().contains("\"\""), "{error}");
    }
}
