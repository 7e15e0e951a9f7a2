//! What goes wrong, from when on, and for how long.

use std::time::Duration;

use super::spoil::Spoil;
use crate::decode::Content;

/// A fault with everything it needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    Freeze,
    Black,
    /// Standard deviation in steps of 255.
    Noise {
        sigma: f64,
    },
    Corrupt(Damage),
    Stall,
    Unplug,
    TimestampJump {
        by_ms: i64,
    },
    WrongSize(Size),
    /// One frame of so many comes.
    RateDrop {
        keep_every: u64,
    },
    Spoil(Spoil),
}

impl Fault {
    /// Whether no frame comes as long as it lasts.
    pub(super) fn keeps_back(self) -> bool {
        matches!(self, Self::Stall | Self::Unplug)
    }
}

/// What becomes of a frame's bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Damage {
    /// This share of them is changed.
    Change {
        /// Above 0, to 1.
        share: f64,
    },
    /// This share of them is kept, from the start.
    Cut {
        /// 0 to below 1.
        share: f64,
    },
}

/// Another size of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Size {
    /// Times the one it has.
    Factor(f64),
    /// Width and height.
    Pixels(u32, u32),
}

/// A stretch of frames or of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Frames(u64),
    Time(Duration),
}

/// One line of a script.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) fault: Fault,
    /// Since the first frame.
    pub(super) from: Length,
    /// Since the first frame that it holds for; none: to the end.
    pub(super) lasts: Option<Length>,
}

/// A line of a script that is being played.
#[derive(Debug)]
pub(super) struct Cue {
    pub(super) step: Step,
    /// Number and time of the first frame that it held for.
    began: Option<(u64, Duration)>,
    /// Of a freeze: the picture that stands still.
    pub(super) still: Option<Content>,
}

impl Cue {
    /// Not yet begun.
    pub(super) fn new(step: Step) -> Self {
        Self { step, began: None, still: None }
    }

    /// Whether it holds for the frame of this number, which came `time` after the first. Has to be asked of every frame.
    pub(super) fn holds(&mut self, index: u64, time: Duration) -> bool {
        let reached = match self.step.from {
            Length::Frames(frames) => index >= frames,
            Length::Time(from) => time >= from,
        };
        if self.began.is_none() && reached {
            self.began = Some((index, time));
        }
        let Some((first_index, first_time)) = self.began else { return false };
        let holds = match self.step.lasts {
            None => true,
            Some(Length::Frames(frames)) => index.saturating_sub(first_index) < frames,
            Some(Length::Time(lasts)) => time.saturating_sub(first_time) < lasts,
        };
        if !holds {
            // A script of many freezes would keep a picture for each.
            self.still = None;
        }
        holds
    }

    /// Of a rate that has dropped: whether this frame, for which it holds, is one of those that do not come.
    pub(super) fn withholds(&self, index: u64) -> bool {
        let Fault::RateDrop { keep_every } = self.step.fault else { return false };
        self.began.is_some_and(|(first, _)| !index.saturating_sub(first).is_multiple_of(keep_every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames, ten a second, that a fault holds for.
    fn held(from: Length, lasts: Option<Length>) -> Vec<u64> {
        let mut cue = Cue::new(Step { fault: Fault::Black, from, lasts });
        (0..10).filter(|index| cue.holds(*index, Duration::from_millis(100 * index))).collect()
    }

    const SECONDS: fn(f64) -> Length = |seconds| Length::Time(Duration::from_secs_f64(seconds));

    #[test]
    fn frames_and_seconds_count_from_the_first_frame_and_may_be_mixed() {
        assert_eq!(held(Length::Frames(3), Some(Length::Frames(2))), [3, 4]);
        assert_eq!(held(SECONDS(0.3), Some(SECONDS(0.2))), [3, 4]);
        assert_eq!(held(SECONDS(0.25), Some(Length::Frames(2))), [3, 4]);
        assert_eq!(held(Length::Frames(3), Some(SECONDS(0.15))), [3, 4]);
        assert_eq!(held(Length::Frames(8), None), [8, 9]);
        assert_eq!(held(Length::Frames(10), None), [0; 0]);
    }

    #[test]
    fn the_picture_that_stood_still_is_let_go_when_the_freeze_is_over() {
        let freeze = Step { fault: Fault::Freeze, from: Length::Frames(1), lasts: Some(Length::Frames(2)) };
        let mut cue = Cue::new(freeze);
        for (index, kept) in [(0, false), (1, true), (2, true), (3, false)] {
            if cue.holds(index, Duration::ZERO) {
                cue.still.get_or_insert_with(|| Content::Encoded(vec![1]));
            }
            assert_eq!(cue.still.is_some(), kept, "frame {index}");
        }
    }

    #[test]
    fn a_fault_between_two_frames_holds_for_the_next_one() {
        assert_eq!(held(SECONDS(0.31), Some(SECONDS(0.01))), [4]);
    }
}
