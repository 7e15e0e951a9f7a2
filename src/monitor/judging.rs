//! The judging thread: it gives the network to the cameras in turn. It may hang or panic, for it runs code that reads pictures
//! and a library that is not ours; whoever speaks of silence is therefore another thread ([`super::supervisor`]).

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lane::Lane;
use super::self_testing::SelfTesting;
use super::turns::Turns;
use super::{MonitorError, Prove, Shared};
use crate::decode::Picture;
use crate::pipeline::{FittedScores, Judged, Lens, Pipeline, PipelineError};
use crate::source::WAIT_SLICE;

/// What judges pictures: the pipeline, or a scripted one that breaks as no network does on order.
pub trait Judging: Send + 'static {
    /// Judges one picture by the scores that one of the packages fitted, through a camera's view. `judged` is used again for
    /// every frame of the camera.
    ///
    /// # Errors
    /// A picture without pixels, a raw frame that is too short, or a failure of the network.
    fn judge_into(
        &mut self,
        fitted: FittedScores,
        lens: Lens,
        picture: Picture<'_>,
        judged: &mut Judged,
    ) -> Result<(), PipelineError>;

    /// What can prove the network again while it is at work; nothing where it has no golden vectors.
    fn proof(&mut self) -> Option<&mut dyn Prove> {
        None
    }
}

impl Judging for Pipeline {
    fn judge_into(
        &mut self,
        fitted: FittedScores,
        lens: Lens,
        picture: Picture<'_>,
        judged: &mut Judged,
    ) -> Result<(), PipelineError> {
        Self::judge_into(self, fitted, lens, picture, judged)
    }
}

/// Whether the judging thread is at work on a frame, since when, and when it last looked for one.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    busy_since: Mutex<Option<Instant>>,
    came_round: Mutex<Option<Instant>>,
}

impl Heartbeat {
    /// Does `work` on a frame.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        set(&self.busy_since, Some(Instant::now()));
        let done = work();
        set(&self.busy_since, None);
        done
    }

    pub(super) fn busy_since(&self) -> Option<Instant> {
        get(&self.busy_since)
    }

    /// The thread looks for a frame; while there is none it does so every [`WAIT_SLICE`].
    fn comes_round(&self) {
        set(&self.came_round, Some(Instant::now()));
    }

    /// Whether the thread makes progress: it has looked for a frame within this time and the wait for one.
    pub(super) fn came_round_within(&self, patience: Duration) -> bool {
        get(&self.came_round).is_some_and(|came_round| came_round.elapsed() <= patience + 2 * WAIT_SLICE)
    }
}

fn get(time: &Mutex<Option<Instant>>) -> Option<Instant> {
    *time.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(time: &Mutex<Option<Instant>>, to: Option<Instant>) {
    *time.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// Judges until all lanes have ended or the run has. Says to `shared` how it ended, also when it panics.
pub(super) fn judge_all(mut network: impl Judging, mut lanes: Vec<Lane>, shared: &Shared) {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| take_turns(&mut network, &mut lanes, shared)));
    // Before anybody may end the process: a library that is at work must not be taken down.
    drop((network, lanes));
    shared.judging_ended(outcome.unwrap_or_else(|panic| Err(panicked(&*panic))));
}

/// What a panic of the judging thread is to a run.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> MonitorError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    MonitorError::Panicked { message: text.unwrap_or("without a message").into() }
}

fn take_turns(network: &mut impl Judging, lanes: &mut [Lane], shared: &Shared) -> Result<(), MonitorError> {
    let (mut turns, mut self_testing) = (Turns::new(lanes.len()), SelfTesting::new());
    while !shared.is_over() && lanes.iter().any(|lane| lane.open) {
        shared.heartbeat.comes_round();
        let heard = shared.bell.rings();
        let served = serve_next(network, lanes, &mut turns, shared)?;
        if !self_testing.step(network, shared)? && !served {
            shared.bell.wait(heard, WAIT_SLICE);
        }
    }
    Ok(())
}

/// Gives the network to the camera whose turn it is, of those that have something for it. False where none has.
fn serve_next(
    network: &mut impl Judging,
    lanes: &mut [Lane],
    turns: &mut Turns,
    shared: &Shared,
) -> Result<bool, MonitorError> {
    for place in turns.order() {
        if lanes[place].turn(network, shared)? {
            turns.served(place);
            return Ok(true);
        }
    }
    Ok(false)
}
