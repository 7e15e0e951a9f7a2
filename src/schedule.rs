//! `[schedule]`: on which processor cores the monitor runs, and whether its threads go before those of other programs.
//!
//! Linux gives a new thread the cores and the scheduling class of the one that starts it. So both are set once, for the thread that
//! starts everything else, before anything is opened: the threads in which ONNX Runtime computes, those of the cameras, the judging one
//! and the supervising one all have them, and so has a command that a camera's source starts. What the kernel refuses ends the
//! start; nothing runs with less than was asked for.

use std::fs;
use std::io;

use rustix::process::{Resource, getrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id, thread_schedule_policy_param,
};

const FIFO: ThreadSchedulePolicy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
/// The supervising thread has one more, and 99 is the highest.
const MAX_FIFO_PRIORITY: u8 = 98;
/// `CAP_SYS_NICE` of linux/capability.h.
const CAP_SYS_NICE: u32 = 23;

/// `[schedule]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Cores that the monitor may run on, by the kernel's numbers; none leaves it those that it was given.
    pub cores: Vec<usize>,
    /// Priority in SCHED_FIFO, 1 to 98; 0 leaves the monitor the class that it was given.
    pub fifo_priority: u8,
}

/// Why the threads cannot be scheduled as the config wants.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// A core that this process may not run on.
    #[error("schedule.cores names {core}; this process may run on {}", list(.allowed))]
    Core {
        /// The one asked for.
        core: usize,
        /// Those that there are.
        allowed: Vec<usize>,
    },
    /// The kernel refuses the cores.
    #[error("schedule.cores is {cores:?}, and the kernel refuses: {source}")]
    Affinity {
        /// Those asked for.
        cores: Vec<usize>,
        /// Its word on it.
        source: io::Error,
    },
    /// The kernel refuses the scheduling class.
    #[error(
        "schedule.fifo_priority is {priority}, and the kernel refuses SCHED_FIFO: {source}; RLIMIT_RTPRIO is {limit}, wanted \
         {wanted} or more, and this process {} (systemd: LimitRTPRIO={wanted} and RestrictRealtime=no; docs/REALTIME.md)",
        if *.capable { "has CAP_SYS_NICE, so that its control group has no real-time share" } else { "lacks CAP_SYS_NICE" }
    )]
    Fifo {
        /// The one asked for.
        priority: u8,
        /// The kernel's word on it.
        source: io::Error,
        /// Highest priority that the process may take without a capability.
        limit: String,
        /// Highest priority that it needs.
        wanted: u8,
        /// Whether it has CAP_SYS_NICE.
        capable: bool,
    },
}

impl ScheduleConfig {
    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        if let Some(core) = self.cores.iter().find(|core| **core >= CpuSet::MAX_CPU) {
            return Some(("cores", core.to_string(), "numbers of cores, each below 1024"));
        }
        if self.fifo_priority > MAX_FIFO_PRIORITY {
            return Some(("fifo_priority", self.fifo_priority.to_string(), "0 (the class that it was given) to 98"));
        }
        None
    }

    /// Schedules the thread that calls, and all that it starts from now on.
    ///
    /// # Errors
    /// Cores that there are not, or a class that this process must not take.
    pub fn apply(&self) -> Result<(), ScheduleError> {
        self.take_cores()?;
        if self.fifo_priority == 0 {
            return Ok(());
        }
        // The supervising thread's first: what it is refused is refused here and not when it has started.
        for priority in [self.fifo_priority + 1, self.fifo_priority] {
            set_fifo(priority).map_err(|source| self.refused(source))?;
        }
        Ok(())
    }

    fn take_cores(&self) -> Result<(), ScheduleError> {
        if self.cores.is_empty() {
            return Ok(());
        }
        let affinity =
            |source: rustix::io::Errno| ScheduleError::Affinity { cores: self.cores.clone(), source: source.into() };
        let allowed = sched_getaffinity(None).map_err(affinity)?;
        let mut wanted = CpuSet::new();
        for core in &self.cores {
            // The kernel would leave it out and say nothing.
            if !allowed.is_set(*core) {
                return Err(ScheduleError::Core { core: *core, allowed: numbers(&allowed) });
            }
            wanted.set(*core);
        }
        sched_setaffinity(None, &wanted).map_err(affinity)
    }

    fn refused(&self, source: io::Error) -> ScheduleError {
        ScheduleError::Fifo {
            priority: self.fifo_priority,
            source,
            limit: getrlimit(Resource::Rtprio).current.map_or("unlimited".into(), |limit| limit.to_string()),
            wanted: self.fifo_priority + 1,
            capable: fs::read_to_string("/proc/self/status").is_ok_and(|status| has_capability(&status, CAP_SYS_NICE)),
        }
    }
}

/// The cores and the class of the thread that calls, in words.
pub fn in_words() -> String {
    let cores = sched_getaffinity(None).map_or_else(|_| "unknown".into(), |set| list(&numbers(&set)));
    match fifo_priority() {
        Some(priority) => format!("cores {cores}; SCHED_FIFO {priority}, the supervising thread {}", priority + 1),
        None => format!("cores {cores}; no real-time class"),
    }
}

/// Lets the thread that calls go before those of its own program, where that is in SCHED_FIFO: whoever speaks of silence must not wait
/// for the one that is silent.
pub(crate) fn go_before_the_others() {
    if let Some(priority) = fifo_priority()
        && let Err(error) = set_fifo(priority + 1)
    {
        log::error!("schedule: the supervising thread stays at priority {priority}: {error}");
    }
}

/// The priority of the thread that calls, where it is in SCHED_FIFO.
fn fifo_priority() -> Option<u8> {
    match thread_schedule_policy_param(thread_native_id()) {
        Ok((FIFO, parameters)) => u8::try_from(parameters.sched_priority).ok(),
        _ => None,
    }
}

fn set_fifo(priority: u8) -> io::Result<()> {
    let value = priority.try_into().map_err(io::Error::other)?;
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), FIFO).map_err(|error| {
        match error {
            thread_priority::Error::OS(number) => io::Error::from_raw_os_error(number),
            other => io::Error::other(format!("{other:?}")),
        }
    })
}

/// Whether a process with this `/proc/PID/status` has a capability in effect.
fn has_capability(status: &str, capability: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> capability & 1 == 1)
}

fn numbers(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// `0-3, 6`.
fn list(cores: &[usize]) -> String {
    let runs = cores.chunk_by(|one, next| one + 1 == *next);
    let run = |run: &[usize]| match run {
        [first, .., last] => format!("{first}-{last}"),
        [one] => one.to_string(),
        [] => String::new(),
    };
    runs.map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
