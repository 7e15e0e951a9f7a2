//! `[drift]`.

use serde::{Deserialize, Serialize};

/// `[drift]`: when the p-values of a camera are told to be no longer those of its calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftConfig {
    /// Seconds of footage over which p-values are looked at, in 60 blocks; 0 for never.
    pub window_s: f64,
    /// How far the mean of the p-values, or of their spread, has to be from 0.5.
    pub shift: f64,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self { window_s: 3_600.0, shift: 0.15 }
    }
}

impl DriftConfig {
    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        if !(0.0..=31_536_000.0).contains(&self.window_s) {
            return Some(("window_s", self.window_s.to_string(), "0 to 31536000"));
        }
        if !(0.01..0.5).contains(&self.shift) {
            return Some(("shift", self.shift.to_string(), "0.01 to below 0.5"));
        }
        None
    }
}
