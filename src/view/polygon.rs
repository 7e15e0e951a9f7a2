//! Polygons on a picture, and what lies inside of them along a line.

use serde::{Deserialize, Serialize};

/// Fewest and most corners of a polygon.
const CORNERS: std::ops::RangeInclusive<usize> = 3..=64;

/// Corners in order, in fractions of the picture: [0, 0] is its upper left corner, [1, 1] its lower right one. The last is joined to
/// the first; where the outline crosses itself, what it goes around twice is outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Polygon(pub Vec<[f64; 2]>);

/// A place along a line at which polygons are entered (1) or left (-1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Crossing {
    pub(super) at: f64,
    pub(super) step: i32,
}

impl Polygon {
    /// What is wrong with the corners, and what may be there.
    pub(super) fn wrong_value(&self) -> Option<(String, &'static str)> {
        if !CORNERS.contains(&self.0.len()) {
            return Some((format!("{} corners", self.0.len()), "3 to 64 corners [x, y]"));
        }
        let outside = |corner: &&[f64; 2]| !corner.iter().all(|place| (0.0..=1.0).contains(place));
        let [x, y] = self.0.iter().find(outside)?;
        Some((format!("the corner [{x}, {y}]"), "fractions of the upright picture, 0 to 1"))
    }

    /// The polygon whose corners are where `place` moves them.
    pub(super) fn moved(&self, place: impl Fn([f64; 2]) -> [f64; 2]) -> Self {
        Self(self.0.iter().copied().map(place).collect())
    }

    /// Adds where the horizontal line at `y` enters and leaves the polygon, from left to right. A corner on the line counts for the edge
    /// below it alone, so that crossings come in pairs.
    pub(super) fn cross(&self, y: f64, crossings: &mut Vec<Crossing>) {
        let first = crossings.len();
        let ends = self.0.iter().cycle().skip(1);
        for ([x0, y0], [x1, y1]) in self.0.iter().zip(ends) {
            if (*y0 <= y) != (*y1 <= y) {
                crossings.push(Crossing { at: x0 + (y - y0) / (y1 - y0) * (x1 - x0), step: 0 });
            }
        }
        let own = &mut crossings[first..];
        own.sort_unstable_by(|a, b| a.at.total_cmp(&b.at));
        for (place, crossing) in own.iter_mut().enumerate() {
            crossing.step = if place % 2 == 0 { 1 } else { -1 };
        }
    }
}
