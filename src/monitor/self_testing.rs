//! The self-test of a network at work: one golden input between two frames, so that none of them is late for it.
//!
//! It runs where frames are judged, on the very session that judges them, when somebody asks for it or when it is due. A network
//! that hangs in it is told as one that hangs in a frame.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Judging, MonitorError, Shared};
use crate::self_test::SelfTestError;

/// What can compare a network at work with its golden vectors.
pub trait Prove {
    /// Runs the golden input of this number, and gives the largest |got - want| / (1 + |want|) over its outputs and scores;
    /// nothing where there are no more.
    ///
    /// # Errors
    /// A value outside the package's tolerance, or a network that does not run.
    fn prove(&mut self, input: usize) -> Result<Option<f32>, SelfTestError>;

    /// Time from one self-test to the next; none where somebody has to ask for it.
    fn every(&self) -> Option<Duration>;
}

/// How far the self-test is.
#[derive(Debug)]
pub(super) struct SelfTesting {
    last: Instant,
    /// The next golden input, while one is under way.
    next: Option<usize>,
    largest_deviation: f32,
}

impl SelfTesting {
    /// The start has proved the network already.
    pub(super) fn new() -> Self {
        Self { last: Instant::now(), next: None, largest_deviation: 0.0 }
    }

    /// Runs the next golden input, if there is to be a self-test. Whether it did.
    pub(super) fn step(&mut self, network: &mut impl Judging, shared: &Shared) -> Result<bool, MonitorError> {
        let asked = shared.self_test.swap(false, Ordering::Relaxed);
        let Some(proof) = network.proof() else { return Ok(false) };
        let due = proof.every().is_some_and(|every| self.last.elapsed() >= every);
        if self.next.is_none() && (asked || due) {
            (self.next, self.largest_deviation) = (Some(0), 0.0);
        }
        let Some(input) = self.next else { return Ok(false) };
        match shared.heartbeat.during(|| proof.prove(input)) {
            Ok(Some(deviation)) => {
                self.largest_deviation = self.largest_deviation.max(deviation);
                self.next = Some(input + 1);
            }
            Ok(None) => {
                log::info!("self-test passed: {input} golden inputs, largest deviation {:.1e}", self.largest_deviation);
                self.end();
            }
            Err(SelfTestError::Infer(error)) => return Err(error.into()),
            Err(error) => {
                self.end();
                log::error!("{error}");
                shared.with_speaker(|speaker| speaker.on_self_test_failed())?;
            }
        }
        Ok(true)
    }

    fn end(&mut self) {
        (self.next, self.last) = (None, Instant::now());
    }
}
