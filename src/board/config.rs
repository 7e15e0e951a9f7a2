//! `[board]`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Root;
use crate::health::Level;

/// `[board]`: how the machine is watched that the monitor runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoardConfig {
    /// Seconds between two looks; 0 for never.
    pub interval_s: f64,
    /// What a board is that holds itself back, or is about to switch itself off.
    pub on_throttling: Throttling,
    /// Degrees below the temperature at which the board switches itself off, from which on it is too hot.
    pub hot_margin_c: f32,
    /// Where its files are looked for.
    pub root: PathBuf,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttling {
    /// A warning in `health`, which changes nothing else.
    #[default]
    Warn,
    /// An error, which makes the state of every camera degraded.
    Error,
}

impl From<Throttling> for Level {
    fn from(throttling: Throttling) -> Self {
        match throttling {
            Throttling::Warn => Self::Warn,
            Throttling::Error => Self::Error,
        }
    }
}

impl Default for BoardConfig {
    fn default() -> Self {
        Self { interval_s: 5.0, on_throttling: Throttling::Warn, hot_margin_c: 5.0, root: "/".into() }
    }
}

impl BoardConfig {
    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        if !(self.interval_s == 0.0 || (0.1..=3_600.0).contains(&self.interval_s)) {
            return Some(("interval_s", self.interval_s.to_string(), "0, or 0.1 to 3600"));
        }
        if !(0.0..=50.0).contains(&self.hot_margin_c) {
            return Some(("hot_margin_c", self.hot_margin_c.to_string(), "0 to 50"));
        }
        None
    }

    /// Where its files are looked for.
    pub fn root(&self) -> Root {
        Root::new(Path::new(&self.root))
    }
}
