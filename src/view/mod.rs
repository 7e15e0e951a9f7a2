//! `[camera.view]`: how a camera hangs, and which part of its picture counts.
//!
//! ```text
//!  the camera's picture ──► rotate ──► mirror ──► the upright picture ──► keep, ignore ──► the network
//! ```
//!
//! No picture of the camera's size is ever turned or masked: [`crate::preprocess`] turns and masks the network's few pixels, and
//! [`crate::health`] looks past what does not count. Turning makes a picture what the network knows. Masking makes it another one, of which
//! thresholds that were calibrated on whole pictures say nothing: a calibration remembers its mask, and one with another mask is
//! refused ([`crate::open`]).

mod mask;
mod polygon;
#[cfg(test)]
pub(crate) mod tests;
mod turn;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use mask::Mask;
pub(crate) use mask::Part;
pub use polygon::Polygon;
pub(crate) use turn::Walk;
pub use turn::{Mirror, Rotation, Turn};

/// Most polygons of a kind.
const MAX_POLYGONS: usize = 16;
/// Least share of a picture that has to count.
pub(crate) const LEAST_KEPT: f32 = 0.01;
/// Cells per side by which that share is judged.
const KEPT_CELLS: usize = 64;

/// `[camera.view]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewConfig {
    /// Turn that makes the picture upright, clockwise, in degrees.
    pub rotate: Rotation,
    /// Which sides change places after that.
    pub mirror: Mirror,
    /// Regions of the upright picture that count; everything where there is none.
    pub keep: Vec<Polygon>,
    /// Regions of the upright picture that do not count, also inside of the former.
    pub ignore: Vec<Polygon>,
}

impl ViewConfig {
    /// Whether it changes nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What makes the picture upright.
    pub fn turn(&self) -> Turn {
        Turn::new(self.rotate, self.mirror)
    }

    /// Which part of the upright picture counts.
    pub fn mask(&self) -> Mask {
        Mask { keep: self.keep.clone(), ignore: self.ignore.clone() }
    }

    /// Which part of the camera's own picture counts.
    pub(crate) fn lying_mask(&self) -> Mask {
        let turn = self.turn();
        self.mask().moved(|place| turn.lying(place))
    }

    /// The first value that no run could work with: key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(String, String, &'static str)> {
        for (key, polygons) in [("keep", &self.keep), ("ignore", &self.ignore)] {
            if polygons.len() > MAX_POLYGONS {
                return Some((key.into(), format!("{} polygons", polygons.len()), "16 polygons at most"));
            }
            let wrong = polygons.iter().enumerate().find_map(|(index, polygon)| Some((index, polygon.wrong_value()?)));
            if let Some((index, (found, wanted))) = wrong {
                return Some((format!("{key}[{index}]"), found, wanted));
            }
        }
        let coverage = self.mask().coverage(Part::WHOLE, (KEPT_CELLS, KEPT_CELLS));
        let kept = coverage.iter().sum::<f32>() / coverage.len() as f32;
        let found = || format!("a mask that leaves {:.1} % of the picture", 100.0 * kept);
        (kept < LEAST_KEPT).then(|| ("keep and ignore".into(), found(), "1 % or more"))
    }
}

impl fmt::Display for ViewConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rotate {}, mirror {}, {}", u16::from(self.rotate), self.mirror, self.mask())
    }
}
