//! What is said of one camera: its state over time, its counts, when it wants to be heard of, and how it ended.
//!
//! Both threads speak through it, one at a time: the judging one of frames, the supervising one of silence and the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handover::{Handover, Received};
use super::lane::{JudgedFrame, Origin};
use super::report::{self, Reporter, Spoken};
use super::{Ended, MonitorError, Summary};
use crate::board::Watched;
use crate::decide::policy::STRANGEST;
use crate::decide::{LastWord, Machine};
use crate::drift::Drift;
use crate::health::{Finding, Kind};
use crate::sink::{SinkError, Sinks};
use crate::source::Condition;
use crate::verdict::{self, State, Verdict};

/// One camera's voice.
pub(super) struct Voice {
    handover: Arc<Handover>,
    machine: Machine,
    drift: Drift,
    board: Watched,
    /// What of it was told last.
    drifting: Vec<Kind>,
    reporter: Reporter,
    /// What was last said, word by word; its memory is used again.
    verdict: Verdict,
    summary: Summary,
    /// When to speak without a frame.
    due: Instant,
    /// Whether anything was said yet.
    spoke: bool,
    /// Whether a verdict on a frame was no fault.
    judged_in_time: bool,
    /// What was last said of the source.
    told: Condition,
    /// The source's end, once it has come to one.
    end: Option<Result<(), MonitorError>>,
    /// Whether there are other cameras, for which the run goes on when this one fails.
    beside_others: bool,
    closed: bool,
    left_behind: bool,
}

impl Voice {
    pub(super) fn new(
        handover: Arc<Handover>,
        (machine, drift, board): (Machine, Drift, Watched),
        reporter: Reporter,
        beside_others: bool,
    ) -> Self {
        Self {
            handover,
            due: Instant::now() + machine.deadline(),
            machine,
            drift,
            board,
            drifting: Vec::new(),
            verdict: reporter.blank(),
            reporter,
            summary: Summary::default(),
            spoke: false,
            judged_in_time: false,
            told: Condition::Streaming,
            end: None,
            beside_others,
            closed: false,
            left_behind: false,
        }
    }

    /// Whether anybody is to hear of this camera: not when its footage is over, and not when there is nothing else to say
    /// than the error with which the run ends.
    fn is_spoken_of(&self) -> bool {
        match &self.end {
            None => true,
            Some(Ok(())) => false,
            Some(Err(_)) => self.beside_others,
        }
    }

    /// When this camera wants to be heard of at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.is_spoken_of().then_some(self.due)
    }

    /// Speaks without a frame where the deadline has passed, also after a frame: bad ones that keep coming are no reason to
    /// fall silent. The judging thread is at work on a frame since `busy_since`. Whether it spoke.
    pub(super) fn keep_talking(&mut self, busy_since: Option<Instant>, sinks: &mut Sinks) -> Result<bool, SinkError> {
        let now = Instant::now();
        if !self.is_spoken_of() || now < self.due {
            return Ok(false);
        }
        self.summary.silent += 1;
        let condition = self.handover.condition();
        let stalled = busy_since.is_some_and(|since| now.duration_since(since) > self.machine.deadline());
        let decision = self.machine.on_silence(now, condition, stalled);
        self.speak(Spoken::without_frame(decision), sinks)?;
        self.due = Instant::now() + self.machine.deadline();
        self.told = condition;
        Ok(true)
    }

    /// Speaks without a frame where the source's condition has changed.
    pub(super) fn tell_condition(&mut self, sinks: &mut Sinks) -> Result<(), SinkError> {
        let condition = self.handover.condition();
        if self.end.is_some() || condition == self.told {
            return Ok(());
        }
        self.told = condition;
        match self.machine.on_condition(Instant::now(), condition) {
            Some(decision) => self.speak(Spoken::without_frame(decision), sinks),
            None => Ok(()),
        }
    }

    /// Hears that no frames will come any more.
    pub(super) fn on_end(&mut self, last_word: Result<(), MonitorError>, sinks: &mut Sinks) -> Result<(), SinkError> {
        self.set_end(last_word);
        let now = Instant::now();
        if self.beside_others && self.is_spoken_of() {
            let decision = self.machine.on_failure(now);
            self.speak(Spoken::without_frame(decision), sinks)?;
        }
        self.due = now + self.machine.deadline();
        Ok(())
    }

    /// Hears that the network has failed its self-test.
    pub(super) fn on_self_test_failed(&mut self, sinks: &mut Sinks) -> Result<(), SinkError> {
        let now = Instant::now();
        let decision = self.machine.on_self_test_failed(now);
        if self.is_spoken_of() {
            self.speak(Spoken::without_frame(decision), sinks)?;
            self.due = now + self.machine.deadline();
        }
        Ok(())
    }

    /// Tells of a failure where the run does not end with it.
    fn set_end(&mut self, last_word: Result<(), MonitorError>) {
        if let Err(error) = &last_word
            && self.beside_others
        {
            log::error!("camera {}: {error}", self.reporter.camera);
        }
        self.end = Some(last_word);
    }

    /// Speaks of a frame.
    pub(super) fn on_judged(
        &mut self,
        origin: &Origin,
        frame: JudgedFrame,
        sinks: &mut Sinks,
    ) -> Result<(), SinkError> {
        let JudgedFrame { top_class, timings, judgement, mut health, decode_time, health_time, deciding } = frame;
        let (at, age) = (origin.captured_at, origin.taken.elapsed());
        self.board.add_to(&mut health);
        let decision = self.machine.on_judged(&judgement, &health, at, age, Instant::now());
        let before_drift = health.len();
        self.drift.see(judgement.p_value.unwrap_or(STRANGEST), at, &mut health);
        self.tell_drift(&health[before_drift..]);
        self.summary.judged += 1;
        self.summary.flagged += u64::from(judgement.flag);
        self.summary.late += u64::from(age > self.machine.deadline());
        self.handover.put_down();
        let stages = report::stages(decode_time, health_time, &timings, deciding.elapsed());
        let about = Some((origin.index, origin.captured_at, age));
        let reading = self.machine.reading();
        self.speak(
            Spoken { decision, frame: about, judged: Some((top_class, judgement)), health, reading, stages },
            sinks,
        )?;
        self.due = Instant::now() + self.machine.deadline();
        self.told = Condition::Streaming;
        Ok(())
    }

    /// Logs where p-values begin to drift, and where they do no longer.
    fn tell_drift(&mut self, findings: &[Finding]) {
        let unchanged = findings.iter().map(|finding| finding.kind).eq(self.drifting.iter().copied());
        if unchanged {
            return;
        }
        self.drifting = findings.iter().map(|finding| finding.kind).collect();
        let camera = &self.reporter.camera;
        let reading = self.drift.reading().map(|reading| reading.to_string()).unwrap_or_default();
        for kind in &self.drifting {
            let what = match kind {
                Kind::ScoreDrift => "frames are stranger than those of the calibration",
                _ => "frames are more alike than those of the calibration, whose thresholds are blunt for them",
            };
            log::warn!(
                "decide: camera {camera}: {what}: {reading}; is it time to calibrate again? (docs/RECALIBRATE.md)"
            );
        }
        if self.drifting.is_empty() {
            log::info!("decide: camera {camera}: p-values are those of the calibration again: {reading}");
        }
    }

    /// Counts a frame and tells of it; of a camera's only the first in a row, lest one that sends nothing else fill the disk.
    pub(super) fn on_bad_frame(&mut self, frame: &Origin, error: &dyn std::error::Error) {
        let first = self.machine.on_bad_frame();
        let level = if first || !frame.of_camera { log::Level::Error } else { log::Level::Debug };
        log::log!(level, "decode: frame {}: {}: {error}", frame.index, frame.path.display());
        self.summary.bad += 1;
        self.handover.put_down();
    }

    /// Lets latched faults go. The next verdict tells.
    pub(super) fn reset(&mut self) {
        let camera = &self.reporter.camera;
        match self.machine.reset().as_slice() {
            [] => log::info!("decide: camera {camera}: nothing was latched"),
            latched => log::warn!("decide: camera {camera}: reset; was latched: {}", verdict::list(latched)),
        }
    }

    fn speak(&mut self, spoken: Spoken, sinks: &mut Sinks) -> Result<(), SinkError> {
        self.handover.count(&mut self.summary);
        let on_frame = spoken.frame.is_some();
        self.reporter.word(spoken, &self.summary, &mut self.verdict);
        sinks.send(&self.verdict)?;
        self.judged_in_time |= on_frame && self.verdict.state != State::Fault;
        self.spoke = true;
        Ok(())
    }

    /// Whether a verdict on a frame has been delivered that was no fault.
    pub(super) fn has_judged_in_time(&self) -> bool {
        self.judged_in_time
    }

    pub(super) fn deadline(&self) -> Duration {
        self.machine.deadline()
    }

    /// The camera, its state as it was last told, and why.
    pub(super) fn status(&self) -> String {
        let Verdict { camera, state, reasons, .. } = &self.verdict;
        match &self.end {
            Some(Ok(())) => format!("{camera}: done"),
            _ if !self.spoke => format!("{camera}: {}", State::Starting),
            _ if reasons.is_empty() => format!("{camera}: {state}"),
            _ => format!("{camera}: {state} ({})", verdict::list(reasons)),
        }
    }

    /// Tells the source that it is no longer wanted.
    pub(super) fn release(&self) {
        self.handover.release();
    }

    /// Whether nothing is left to do for this camera.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the source's thread is gone.
    pub(super) fn is_over(&self) -> bool {
        self.handover.is_over()
    }

    /// Hears what the source said when it was released, and gives the last word to the listeners where there is one. A source
    /// that hangs, and a frame that hangs in the network, are left to the end of the process.
    pub(super) fn close(&mut self, last_word: Option<LastWord>, sinks: &mut Sinks) -> Result<(), SinkError> {
        self.closed = true;
        self.summary.stopped = last_word == Some(LastWord::Stopped);
        if !self.is_over() {
            log::warn!("source: {} does not stop; leaving it behind", self.reporter.camera);
        }
        if let Received::End(Err(error)) = self.handover.take() {
            self.set_end(Err(error));
        }
        self.left_behind = self.handover.abandon();
        self.handover.count(&mut self.summary);
        match last_word {
            Some(last_word) if self.is_spoken_of() => {
                let decision = self.machine.on_end(last_word);
                self.speak(Spoken::without_frame(decision), sinks)
            }
            _ => Ok(()),
        }
    }

    /// What became of the camera.
    pub(super) fn ended(mut self) -> Ended {
        self.handover.count(&mut self.summary);
        let Summary { judged, captured, stopped, .. } = self.summary;
        if judged == 0 && !stopped && !matches!(self.end, Some(Err(_))) {
            self.set_end(Err(MonitorError::NothingRead { captured }));
        }
        let latched = self.machine.latched().to_vec();
        if !latched.is_empty() && !matches!(self.end, Some(Err(_))) {
            self.set_end(Err(MonitorError::Latched { reasons: latched }));
        }
        let (camera, failure) = (self.reporter.camera, self.end.and_then(Result::err));
        let drift = self.drift.reading();
        Ended { camera, summary: self.summary, drift, failure, left_behind: self.left_behind }
    }
}
