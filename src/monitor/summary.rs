//! What a run did, counted: for each camera, and for all of them.

use super::MonitorError;
use crate::drift::DriftReading;

/// What a run did. captured = judged + dropped + bad, once it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames that the source delivered, and of a camera also those that it is known to have lost: gaps in the driver's
    /// numbers, damaged and repeated frames. What a camera might have seen while it was gone is not known, and not counted.
    pub captured: u64,
    /// Frames that got a verdict.
    pub judged: u64,
    /// Frames that were flagged.
    pub flagged: u64,
    /// Frames that nobody will judge: newer ones had come, the camera lost them, or the run ended while they waited.
    pub dropped: u64,
    /// Frames that could not be judged.
    pub bad: u64,
    /// Frames of those judged whose verdict came later than the deadline after they were taken.
    pub late: u64,
    /// Verdicts without a frame, because none came in time.
    pub silent: u64,
    /// Whether a signal ended the run.
    pub stopped: bool,
}

impl Summary {
    /// The sums over all cameras of a run.
    pub fn total<'a>(of_cameras: impl IntoIterator<Item = &'a Self>) -> Self {
        of_cameras.into_iter().fold(Self::default(), |sum, one| Self {
            captured: sum.captured + one.captured,
            judged: sum.judged + one.judged,
            flagged: sum.flagged + one.flagged,
            dropped: sum.dropped + one.dropped,
            bad: sum.bad + one.bad,
            late: sum.late + one.late,
            silent: sum.silent + one.silent,
            stopped: sum.stopped || one.stopped,
        })
    }
}

/// How a run ended for one camera.
#[derive(Debug)]
pub struct Ended {
    /// The camera's name.
    pub camera: String,
    /// What became of its frames.
    pub summary: Summary,
    /// What the p-values of its last frames looked like; none after a short run.
    pub drift: Option<DriftReading>,
    /// Why it ended badly, if it did.
    pub failure: Option<MonitorError>,
    /// Whether a frame of it still kept the network busy when the run ended. The thread that waits for it is left behind, and the
    /// process must end without taking the network's library down under it.
    pub left_behind: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_cameras_whose_counts_agree_agrees_too() {
        let one =
            Summary { captured: 9, judged: 5, flagged: 2, dropped: 3, bad: 1, late: 2, silent: 4, stopped: false };
        let other = Summary { captured: 7, judged: 7, late: 1, stopped: true, ..Summary::default() };
        let total = Summary::total([&one, &other]);
        assert_eq!(total.captured, total.judged + total.dropped + total.bad);
        assert_eq!((total.captured, total.flagged, total.late, total.silent, total.stopped), (16, 2, 3, 4, true));
    }
}
