//! The supervising thread: speaks when there is nothing to judge, when the judging thread hangs or is dead, and at the end.
//!
//! It never runs the network and never reads a picture, so nothing that those do can silence it. It can be held up by a sink alone,
//! which holds up every verdict; then `alive` stands still, and that is the listeners' sign.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::service::Service;
use super::speaker::Speaker;
use super::{END_PATIENCE, Ended, Limits, MonitorError, Orders, Shared};
use crate::decide::LastWord;
use crate::source::WAIT_SLICE;

/// Watches over one run.
pub(super) struct Supervisor<'a> {
    shared: &'a Shared,
    limits: Limits,
    orders: &'a Orders,
    /// Its manager's view of the run, where there is a manager.
    service: Option<Service>,
    /// How the judging thread ended, once it has.
    judging_end: Option<Result<(), MonitorError>>,
}

impl<'a> Supervisor<'a> {
    pub(super) fn new(shared: &'a Shared, limits: Limits, orders: &'a Orders, service: Option<Service>) -> Self {
        Self { shared, limits, orders, service, judging_end: None }
    }

    /// Watches until the run is over and everybody has heard so.
    pub(super) fn run(mut self) -> Result<Vec<Ended>, MonitorError> {
        let watched = self.watch();
        if let Some(service) = &mut self.service {
            self.shared.with_speaker(|speaker| service.tell_end(speaker));
        }
        let last_word = watched.as_ref().ok().and_then(|()| self.last_word());
        self.shared.end();
        let closed = self.close(last_word);
        watched?;
        self.judging_end.unwrap_or(Ok(()))?;
        closed?;
        Ok(self.shared.with_speaker(|speaker| speaker.ended()))
    }

    fn watch(&mut self) -> Result<(), MonitorError> {
        let started = Instant::now();
        while !self.orders.stop.load(Ordering::Relaxed)
            && self.limits.duration.is_none_or(|limit| started.elapsed() < limit)
        {
            let heard = self.shared.news.rings();
            self.judging_end = self.shared.take_judging_end();
            if self.judging_end.is_some() {
                break;
            }
            if self.orders.reset.swap(false, Ordering::Relaxed) {
                self.shared.with_speaker(|speaker| speaker.reset());
            }
            if self.orders.self_test.swap(false, Ordering::Relaxed) {
                self.shared.self_test.store(true, Ordering::Relaxed);
                self.shared.bell.ring();
            }
            let due = self.speak()?;
            self.shared.news.wait(heard, patience(due));
        }
        Ok(())
    }

    /// Says what is due, tells the manager, and gives when something will be due the next time.
    fn speak(&mut self) -> Result<Option<Instant>, MonitorError> {
        let (heartbeat, service) = (&self.shared.heartbeat, &mut self.service);
        self.shared.with_speaker(|speaker| {
            speaker.keep_talking(heartbeat.busy_since())?;
            if let Some(service) = service {
                service.tell(speaker, heartbeat.came_round_within(speaker.deadline()));
            }
            Ok(speaker.due())
        })
    }

    fn last_word(&self) -> Option<LastWord> {
        match &self.judging_end {
            Some(Err(MonitorError::Infer(_))) => Some(LastWord::JudgingFailed),
            Some(Err(MonitorError::Panicked { .. })) => Some(LastWord::Panicked),
            // Nobody can hear a last word.
            Some(Err(_)) => None,
            _ => self.orders.stop.load(Ordering::Relaxed).then_some(LastWord::Stopped),
        }
    }

    /// Waits for the judging thread and for the sources together, and gives the last word. What hangs is left behind.
    fn close(&mut self, last_word: Option<LastWord>) -> Result<(), MonitorError> {
        let since = Instant::now();
        loop {
            self.judging_end = self.judging_end.take().or_else(|| self.shared.take_judging_end());
            let (judging, out_of_patience) = (self.judging_end.is_none(), since.elapsed() > END_PATIENCE);
            if judging && out_of_patience {
                log::error!("infer: one frame is still being judged; leaving it behind");
            }
            let close = |speaker: &mut Speaker| {
                let busy_since = self.shared.heartbeat.busy_since();
                speaker.close(last_word, !judging, out_of_patience, busy_since)
            };
            if self.shared.with_speaker(close)? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// How long nobody needs to be spoken of. Bounded, for the orders and the sources' conditions ring no bell.
fn patience(due: Option<Instant>) -> Duration {
    due.map_or(WAIT_SLICE, |due| due.saturating_duration_since(Instant::now())).min(WAIT_SLICE)
}
