//! When a camera that is lost is tried again, and what the log says meanwhile: of V4L2 and of a command alike.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::{Condition, Live};

/// Pauses between attempts, which double with each, and the last thing that was said.
#[derive(Debug)]
pub(super) struct Reopening {
    /// Of whom the log speaks.
    speaker: String,
    shortest: Duration,
    longest: Duration,
    pause: Duration,
    next_attempt: Instant,
    /// Why the last attempt failed; told again only when it changes.
    last_failure: String,
}

impl Reopening {
    /// Of a camera that is there.
    pub(super) fn new(speaker: impl Display, shortest_ms: u64, longest_ms: u64) -> Self {
        let [shortest, longest] = [shortest_ms, longest_ms].map(Duration::from_millis);
        Self {
            speaker: speaker.to_string(),
            shortest,
            longest,
            pause: shortest,
            next_attempt: Instant::now(),
            last_failure: String::new(),
        }
    }

    /// When to try a lost camera again.
    pub(super) fn next_attempt(&self) -> Instant {
        self.next_attempt
    }

    /// Longest time between two attempts.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// How long the next pause is.
    #[cfg(test)]
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// A frame came.
    pub(super) fn frames_flow(&mut self, live: &Live) {
        if live.condition() != Condition::Streaming {
            log::info!("source: {}: frames flow again", self.speaker);
        }
        live.set_condition(Condition::Streaming);
        self.last_failure.clear();
    }

    /// The camera is as good as one that was never lost: the next attempt would come after the shortest pause.
    pub(super) fn start_over(&mut self) {
        self.pause = self.shortest;
    }

    /// The camera is gone.
    pub(super) fn lost(&mut self, live: &Live, why: &str) {
        live.set_condition(Condition::Lost);
        self.tell(why);
        self.next_attempt = Instant::now() + self.pause;
    }

    /// It was tried. The pause doubles also after an attempt that worked: only a frame shows that the camera is back.
    pub(super) fn tried<T>(&mut self, attempt: Result<T, impl Display>) -> Option<T> {
        self.pause = (2 * self.pause).min(self.longest);
        self.next_attempt = Instant::now() + self.pause;
        attempt.map_err(|error| self.tell(&error.to_string())).ok()
    }

    /// A camera that stays away is told of once, not with every attempt.
    fn tell(&mut self, why: &str) {
        let level = if self.last_failure == why { log::Level::Debug } else { log::Level::Warn };
        log::log!(level, "source: {}: {why}", self.speaker);
        self.last_failure = why.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(reopening: &mut Reopening) -> Vec<u128> {
        let mut try_once = |_| {
            assert_eq!(reopening.tried(Err::<(), _>("gone")), None);
            reopening.pause().as_millis()
        };
        (0..4).map(&mut try_once).collect()
    }

    #[test]
    fn the_pause_doubles_to_its_limit_and_a_good_camera_starts_over() {
        let (mut reopening, live) = (Reopening::new("camera", 3, 10), Live::default());
        assert_eq!(pauses(&mut reopening), [6, 10, 10, 10]);
        reopening.frames_flow(&live);
        assert_eq!(reopening.pause(), reopening.longest());
        reopening.start_over();
        assert_eq!(pauses(&mut reopening), [6, 10, 10, 10]);
    }

    #[test]
    fn a_lost_camera_is_tried_after_the_pause_and_one_that_delivers_streams() {
        let (mut reopening, live) = (Reopening::new("camera", 60_000, 60_000), Live::default());
        let before = Instant::now();
        reopening.lost(&live, "unplugged");
        assert_eq!(live.condition(), Condition::Lost);
        assert!(reopening.next_attempt() >= before + Duration::from_secs(60));
        assert_eq!(reopening.tried(Ok::<_, &str>(7)), Some(7));
        assert_eq!(live.condition(), Condition::Lost);
        reopening.frames_flow(&live);
        assert_eq!((live.condition(), reopening.last_failure.as_str()), (Condition::Streaming, ""));
    }
}
