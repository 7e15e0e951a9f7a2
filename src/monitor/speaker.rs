//! All voices and the sinks, behind one lock: verdicts are whole, in order, and none comes after the last.

use std::time::{Duration, Instant};

use super::lane::{JudgedFrame, Origin};
use super::voice::Voice;
use super::{Ended, MonitorError};
use crate::decide::LastWord;
use crate::sink::Sinks;

/// Says what there is to say.
pub(super) struct Speaker {
    voices: Vec<Voice>,
    sinks: Sinks,
    /// The last word has been said; a judging thread that comes back later is not heard.
    over: bool,
}

impl Speaker {
    pub(super) fn new(voices: Vec<Voice>, sinks: Sinks) -> Self {
        Self { voices, sinks, over: false }
    }

    pub(super) fn on_judged(&mut self, place: usize, origin: &Origin, frame: JudgedFrame) -> Result<(), MonitorError> {
        if !self.over {
            self.voices[place].on_judged(origin, frame, &mut self.sinks)?;
        }
        Ok(())
    }

    pub(super) fn on_bad_frame(&mut self, place: usize, origin: &Origin, error: &dyn std::error::Error) {
        if !self.over {
            self.voices[place].on_bad_frame(origin, error);
        }
    }

    pub(super) fn on_end(&mut self, place: usize, last_word: Result<(), MonitorError>) -> Result<(), MonitorError> {
        if !self.over {
            self.voices[place].on_end(last_word, &mut self.sinks)?;
        }
        Ok(())
    }

    /// The network computes something else than it should, whatever camera it looks at.
    pub(super) fn on_self_test_failed(&mut self) -> Result<(), MonitorError> {
        let open = if self.over { &mut [] } else { self.voices.as_mut_slice() };
        Ok(open.iter_mut().try_for_each(|voice| voice.on_self_test_failed(&mut self.sinks))?)
    }

    /// Speaks of every camera of which it is time to.
    pub(super) fn keep_talking(&mut self, busy_since: Option<Instant>) -> Result<(), MonitorError> {
        for voice in &mut self.voices {
            if !voice.keep_talking(busy_since, &mut self.sinks)? {
                voice.tell_condition(&mut self.sinks)?;
            }
        }
        Ok(())
    }

    /// Whether a frame of any camera has been judged in time, and its verdict delivered.
    pub(super) fn has_judged_in_time(&self) -> bool {
        self.voices.iter().any(Voice::has_judged_in_time)
    }

    /// The longest of the cameras' deadlines.
    pub(super) fn deadline(&self) -> Duration {
        self.voices.iter().map(Voice::deadline).max().unwrap_or_default()
    }

    /// A word on each camera, in one line for people.
    pub(super) fn status(&self) -> String {
        self.voices.iter().map(Voice::status).collect::<Vec<_>>().join("; ")
    }

    /// When the next camera wants to be heard of.
    pub(super) fn due(&self) -> Option<Instant> {
        self.voices.iter().filter_map(Voice::due).min()
    }

    pub(super) fn reset(&mut self) {
        self.voices.iter_mut().for_each(Voice::reset);
    }

    /// Tells all sources that they are no longer wanted.
    pub(super) fn release(&self) {
        self.voices.iter().for_each(Voice::release);
    }

    /// Once `judged`, nothing is judged any more: closes the voices whose sources are gone; all of them `at_once`. Speaks
    /// of the others where the deadline passes meanwhile. Whether all are closed.
    pub(super) fn close(
        &mut self,
        last_word: Option<LastWord>,
        judged: bool,
        at_once: bool,
        busy_since: Option<Instant>,
    ) -> Result<bool, MonitorError> {
        for voice in self.voices.iter_mut().filter(|voice| !voice.is_closed()) {
            if at_once || (judged && voice.is_over()) {
                voice.close(last_word, &mut self.sinks)?;
            } else {
                voice.keep_talking(busy_since, &mut self.sinks)?;
            }
        }
        self.over = self.voices.iter().all(Voice::is_closed);
        Ok(self.over)
    }

    /// What became of the cameras.
    pub(super) fn ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.voices).into_iter().map(Voice::ended).collect()
    }
}
