//! A pipeline with the golden vectors of the packages that it judges by: it can prove itself again while it is at work.

use std::sync::Arc;
use std::time::Duration;

use super::{Judging, Prove};
use crate::decode::Picture;
use crate::open::OpenedCameras;
use crate::package::Golden;
use crate::pipeline::{FittedScores, Judged, Lens, Pipeline, PipelineError};
use crate::self_test::{self, SelfTestConfig, SelfTestError};

/// What a run judges by.
pub struct Proven {
    pipeline: Pipeline,
    /// Of each package in use.
    golden: Vec<(FittedScores, Arc<Golden>)>,
    every: Option<Duration>,
}

impl Proven {
    /// Of what was opened.
    pub fn new(opened: OpenedCameras, config: &SelfTestConfig) -> Self {
        let golden = opened.calibrations.iter().map(|by| (by.fitted, Arc::clone(&by.golden)));
        Self { golden: golden.collect(), pipeline: opened.pipeline, every: config.every() }
    }
}

impl Judging for Proven {
    fn judge_into(
        &mut self,
        fitted: FittedScores,
        lens: Lens,
        picture: Picture<'_>,
        judged: &mut Judged,
    ) -> Result<(), PipelineError> {
        self.pipeline.judge_into(fitted, lens, picture, judged)
    }

    fn proof(&mut self) -> Option<&mut dyn Prove> {
        Some(self)
    }
}

impl Prove for Proven {
    /// The golden inputs of one package after those of the other.
    fn prove(&mut self, input: usize) -> Result<Option<f32>, SelfTestError> {
        let mut before = 0;
        for (fitted, golden) in &self.golden {
            if let Some(input) = input.checked_sub(before).filter(|input| *input < golden.count())
                && let Some((network, scorers)) = self.pipeline.network_and_scorers(*fitted)
            {
                return self_test::run_one(network, golden, scorers, input).map(Some);
            }
            before += golden.count();
        }
        Ok(None)
    }

    fn every(&self) -> Option<Duration> {
        self.every
    }
}
