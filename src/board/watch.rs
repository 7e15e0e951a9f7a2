//! Looks at the board every few seconds, in a thread of its own: files of sysfs may take their time, and nobody who speaks of a
//! camera may wait for them.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{BoardConfig, Thermal, Zone};
use crate::health::{Finding, Kind, Level};
use crate::source::{WAIT_SLICE, sleep_until};

/// An over-current is an event, not a state: the board counts as throttled for so long after it, lest every event be news.
const OVER_CURRENT_HOLDS: Duration = Duration::from_secs(60);
/// Degrees by which a board that was too hot has to cool down beyond the limit, lest it be news every few seconds.
const COOLED_BY_C: f32 = 2.0;

/// What was last found, for whoever words a verdict, and what came of it all.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    findings: Vec<Finding>,
    tally: Tally,
}

impl Watched {
    /// Adds what is wrong with the board to what is wrong with a picture.
    pub fn add_to(&self, health: &mut Vec<Finding>) {
        health.extend(self.lock().findings.iter().copied());
    }

    /// What came of it so far.
    pub fn tally(&self) -> Tally {
        self.lock().tally.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was found, `step` after the look before.
    fn set(&self, findings: Vec<Finding>, thermal: &Thermal, step: Duration) {
        let mut seen = self.lock();
        let throttled = seen.findings.iter().any(|finding| finding.kind == Kind::BoardThrottled);
        seen.tally.add(throttled, thermal, step);
        seen.findings = findings;
    }
}

/// How a board was over a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// For how long it was watched.
    pub watched: Duration,
    /// For how long of that it was throttled.
    pub throttled: Duration,
    /// The zone that was warmest, when it was; none where the board does not say how warm it is.
    pub hottest: Option<Zone>,
}

impl Tally {
    fn add(&mut self, throttled: bool, thermal: &Thermal, step: Duration) {
        self.watched += step;
        self.throttled += if throttled { step } else { Duration::ZERO };
        let warmer = |zone: &&Zone| self.hottest.as_ref().is_none_or(|before| before.temperature < zone.temperature);
        if let Some(zone) = thermal.hottest().filter(warmer) {
            self.hottest = Some(zone.clone());
        }
    }

    /// Whether the board has said anything.
    pub fn is_known(&self) -> bool {
        self.hottest.is_some() || !self.throttled.is_zero()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "throttled for {:.0} s of {:.0} s", self.throttled.as_secs_f64(), self.watched.as_secs_f64())?;
        self.hottest.as_ref().map_or(Ok(()), |zone| write!(f, ", {zone}"))
    }
}

/// The watch over a board, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    /// What was last found.
    pub watched: Watched,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks at once, and then every `[board] interval_s`; not at all where that is 0.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(config: &BoardConfig) -> io::Result<Self> {
        let (watched, over) = (Watched::default(), Arc::new(AtomicBool::new(false)));
        let thread = match config.interval_s {
            0.0 => None,
            interval_s => {
                let (theirs, their_over) = (watched.clone(), Arc::clone(&over));
                let (root, mut look) = (config.root(), Look::new(config));
                let interval = Duration::try_from_secs_f64(interval_s).unwrap_or(WAIT_SLICE);
                let work = move || {
                    let mut last = Instant::now();
                    while !their_over.load(Ordering::Relaxed) {
                        let (thermal, now) = (Thermal::read(&root), Instant::now());
                        let next = now + interval;
                        let (findings, notices) = look.at(&thermal, now);
                        theirs.set(findings, &thermal, now - std::mem::replace(&mut last, now));
                        notices.iter().for_each(Notice::log);
                        sleep_until(next, &their_over);
                    }
                };
                Some(thread::Builder::new().name("board".into()).spawn(work)?)
            }
        };
        Ok(Self { watched, over, thread })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // One that hangs in a driver's file is left to the end of the process.
        if self.thread.take_if(|thread| thread.is_finished()).is_some_and(|thread| thread.join().is_err()) {
            log::error!("board: the thread that watches it panicked");
        }
    }
}

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether it is bad.
    pub bad: bool,
    /// What.
    pub text: String,
}

impl Notice {
    fn log(&self) {
        let level = if self.bad { log::Level::Warn } else { log::Level::Info };
        log::log!(level, "board: {}", self.text);
    }
}

/// Compares looks with one another.
#[derive(Debug)]
pub struct Look {
    level: Level,
    hot_margin_c: f32,
    over_currents: Option<u64>,
    over_current_until: Option<Instant>,
    /// What it was throttled by when that was last told.
    throttled_by: Vec<String>,
    hot: bool,
}

impl Look {
    /// Before the first look.
    pub fn new(config: &BoardConfig) -> Self {
        Self {
            level: config.on_throttling.into(),
            hot_margin_c: config.hot_margin_c,
            over_currents: None,
            over_current_until: None,
            throttled_by: Vec::new(),
            hot: false,
        }
    }

    /// What is wrong at `now`, and what of it is news.
    pub fn at(&mut self, thermal: &Thermal, now: Instant) -> (Vec<Finding>, Vec<Notice>) {
        let (mut findings, mut notices) = (Vec::new(), Vec::new());
        let by = self.causes(thermal, now);
        if !by.is_empty() {
            findings.push(self.finding(Kind::BoardThrottled, by.len() as f32, 0.0));
        }
        notices.extend(self.tell_throttled(by, thermal));
        if let Some((zone, left)) = thermal.nearest_to_the_end() {
            let hot = left <= self.hot_margin_c + if self.hot { COOLED_BY_C } else { 0.0 };
            let (found, limit) = (zone.temperature, zone.temperature.0 + left);
            if hot {
                findings.push(self.finding(Kind::BoardHot, found.0, limit - self.hot_margin_c));
            }
            if hot != self.hot {
                let text = match hot {
                    true => format!("{} is at {found}, and the board switches itself off at {limit:.1} C", zone.name),
                    false => format!(
                        "{} is at {found} again, {left:.1} below where the board switches itself off",
                        zone.name
                    ),
                };
                notices.push(Notice { bad: hot, text });
            }
            self.hot = hot;
        }
        (findings, notices)
    }

    fn finding(&self, kind: Kind, value: f32, threshold: f32) -> Finding {
        Finding { kind, level: self.level, value, threshold }
    }

    /// What holds the board back.
    fn causes(&mut self, thermal: &Thermal, now: Instant) -> Vec<String> {
        let mut by: Vec<String> = thermal.active().map(|cooling| cooling.name.clone()).collect();
        if let (Some(before), Some(after)) = (self.over_currents, thermal.over_currents)
            && after > before
        {
            self.over_current_until = Some(now + OVER_CURRENT_HOLDS);
        }
        self.over_currents = thermal.over_currents;
        if self.over_current_until.is_some_and(|until| now < until) {
            by.push("its supply (over-current or too low voltage)".into());
        }
        by
    }

    /// News only where something begins or all of it has ended: caps on clocks come and go by the second.
    fn tell_throttled(&mut self, by: Vec<String>, thermal: &Thermal) -> Option<Notice> {
        let news = by.iter().any(|cause| !self.throttled_by.contains(cause));
        let over = by.is_empty() && !self.throttled_by.is_empty();
        if !news && !over {
            return None;
        }
        let hottest = thermal.hottest().map_or(String::new(), |zone| format!("; {zone}"));
        let text = match over {
            true => format!("no longer throttled{hottest}"),
            false => format!("throttled by {}{hottest}; frames take longer, and more are dropped", by.join(", ")),
        };
        match over {
            true => self.throttled_by.clear(),
            // What was told once in this stretch is no news when it comes back.
            false => {
                let new: Vec<String> = by.into_iter().filter(|cause| !self.throttled_by.contains(cause)).collect();
                self.throttled_by.extend(new);
            }
        }
        Some(Notice { bad: !over, text })
    }
}
