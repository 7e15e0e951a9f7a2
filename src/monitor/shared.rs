//! What the judging thread and the supervising one share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::MonitorError;
use super::bell::Bell;
use super::judging::Heartbeat;
use super::speaker::Speaker;

/// One run.
pub(super) struct Shared {
    /// Wakes the judging thread.
    pub(super) bell: Arc<Bell>,
    /// Wakes the supervising thread.
    pub(super) news: Bell,
    pub(super) heartbeat: Heartbeat,
    /// Somebody has asked for a self-test.
    pub(super) self_test: AtomicBool,
    speaker: Mutex<Speaker>,
    /// How the judging thread ended.
    judging_end: Mutex<Option<Result<(), MonitorError>>>,
    /// Nothing more is to be judged.
    over: AtomicBool,
}

impl Shared {
    pub(super) fn new(bell: Arc<Bell>, speaker: Speaker) -> Self {
        Self {
            bell,
            news: Bell::default(),
            heartbeat: Heartbeat::default(),
            self_test: AtomicBool::new(false),
            speaker: Mutex::new(speaker),
            judging_end: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    /// Lets one thread speak. After a panic of the other the word is free again: it is heard of as that thread's end.
    pub(super) fn with_speaker<T>(&self, speak: impl FnOnce(&mut Speaker) -> T) -> T {
        speak(&mut self.speaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The judging thread has ended.
    pub(super) fn judging_ended(&self, how: Result<(), MonitorError>) {
        *self.judging_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
        self.news.ring();
    }

    /// How the judging thread ended, once it has; it is said once.
    pub(super) fn take_judging_end(&self) -> Option<Result<(), MonitorError>> {
        self.judging_end.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells the judging thread and the sources that they are no longer wanted.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.with_speaker(|speaker| speaker.release());
        self.bell.ring();
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}
