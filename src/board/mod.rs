//! The board that the monitor runs on: what it is, how it is set, how warm it is, and whether it holds itself back.
//!
//! A board that throttles computes the same, later: frames are dropped and verdicts age, and nothing in a picture says why. All of
//! it is read from files that anybody may read, those that NVIDIA's `tegrastats`, `nvpmodel` and `jetson_clocks` read too; what a
//! machine does not have is left out. docs/JETSON.md has the files with their sources.
//!
//! [`Root`] is where the files are looked for, so that tests have boards of their own.

mod config;
mod identity;
mod load;
mod power;
mod root;
#[cfg(test)]
mod tests;
mod thermal;
mod watch;

use std::fmt;

pub use config::{BoardConfig, Throttling};
pub use identity::L4t;
pub use load::{Gpu, Memory, Rail};
pub use power::{Clocks, PowerMode};
pub use root::Root;
pub use thermal::{Cooling, Thermal, Zone};
pub use watch::{Look, Notice, Tally, Watch, Watched};

/// What a machine says of itself now.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// What it is called.
    pub model: Option<String>,
    /// NVIDIA's Linux for Tegra, with which JetPack comes.
    pub l4t: Option<L4t>,
    /// What `nvpmodel` has set.
    pub power_mode: Option<PowerMode>,
    /// Whether `jetson_clocks` holds the clocks.
    pub clocks: Option<Clocks>,
    /// The integrated GPU.
    pub gpu: Option<Gpu>,
    /// Main memory, which on a Jetson is the GPU's too.
    pub memory: Option<Memory>,
    /// What its supplies give.
    pub rails: Vec<Rail>,
    /// Temperatures, and what is done about them.
    pub thermal: Thermal,
}

impl Board {
    /// Reads everything.
    pub fn read(root: &Root) -> Self {
        Self {
            model: identity::model(root),
            l4t: identity::l4t(root),
            power_mode: power::mode(root),
            clocks: power::clocks(root),
            gpu: load::gpu(root),
            memory: load::memory(root),
            rails: load::rails(root),
            thermal: Thermal::read(root),
        }
    }

    /// Whether it is one of NVIDIA's.
    pub fn is_jetson(&self) -> bool {
        self.l4t.is_some() || self.power_mode.is_some()
    }

    /// What does not change while a monitor runs, unless somebody changes it.
    pub fn setting(&self) -> String {
        let parts = [
            self.model.clone(),
            self.l4t.as_ref().map(ToString::to_string),
            self.power_mode.as_ref().map(|mode| format!("power mode {mode}")),
            self.clocks.map(|clocks| clocks.to_string()),
        ];
        join(parts)
    }

    /// How it is at the moment.
    pub fn condition(&self) -> String {
        let parts = [self.gpu.as_ref().map(ToString::to_string), self.memory.as_ref().map(ToString::to_string)];
        let rails = self.rails.iter().map(|rail| Some(rail.to_string()));
        let heat = [self.thermal.hottest().map(ToString::to_string), self.thermal.told()];
        join(parts.into_iter().chain(rails).chain(heat))
    }
}

fn join(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Degrees Celsius, as sysfs has them.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Celsius(pub f32);

impl Celsius {
    fn of_milli(milli: i64) -> Self {
        Self(milli as f32 / 1000.0)
    }
}

impl fmt::Display for Celsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} C", self.0)
    }
}
