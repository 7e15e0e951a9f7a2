//! Which part of a picture counts: inside of what is kept, outside of what is ignored.

use std::fmt;

use super::polygon::{Crossing, Polygon};

/// Lines through a row of cells whose kept parts are averaged. Along the lines coverage is exact; an edge along them is at most half
/// of their distance off, 1/128 of a cell.
const LINES: usize = 64;

/// Regions of a picture, in fractions of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mask {
    /// What counts; everything where there is none.
    pub(super) keep: Vec<Polygon>,
    /// What does not, also inside of the former.
    pub(super) ignore: Vec<Polygon>,
}

/// A rectangle on a picture, in fractions of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Part {
    pub(crate) const WHOLE: Self = Self { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
}

impl Mask {
    /// Whether everything counts.
    pub fn is_none(&self) -> bool {
        self.keep.is_empty() && self.ignore.is_empty()
    }

    /// The mask of the picture whose places are where `place` moves those of this one.
    pub(crate) fn moved(&self, place: impl Fn([f64; 2]) -> [f64; 2]) -> Self {
        let moved = |polygons: &[Polygon]| polygons.iter().map(|polygon| polygon.moved(&place)).collect();
        Self { keep: moved(&self.keep), ignore: moved(&self.ignore) }
    }

    /// The share of each cell that counts, for `width` x `height` cells on a part of the picture, row by row.
    pub(crate) fn coverage(&self, part: Part, (width, height): (usize, usize)) -> Vec<f32> {
        let mut coverage = vec![0.0; width * height];
        let mut along = Along::default();
        for (row, cells) in coverage.chunks_exact_mut(width.max(1)).enumerate() {
            let mut sums = vec![0.0; width];
            for line in 0..LINES {
                let down = (row as f64 + (line as f64 + 0.5) / LINES as f64) / height as f64;
                for (from, to) in along.kept(self, part.top + down * part.height) {
                    let cell = |x: f64| ((x - part.left) / part.width * width as f64).clamp(0.0, width as f64);
                    add_interval(&mut sums, cell(from), cell(to));
                }
            }
            for (cell, sum) in cells.iter_mut().zip(sums) {
                *cell = (sum / LINES as f64).clamp(0.0, 1.0) as f32;
            }
        }
        coverage
    }

    /// For every column whether it counts on the line at `y`; places from 0 to 1.
    pub(crate) fn counts(&self, y: f64, columns: impl Iterator<Item = f64>) -> Vec<bool> {
        let mut along = Along::default();
        let kept: Vec<_> = along.kept(self, y).collect();
        columns.map(|x| kept.iter().any(|(from, to)| (*from..*to).contains(&x))).collect()
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("no mask");
        }
        let corners = |polygons: &[Polygon]| {
            let all: Vec<_> = polygons.iter().map(|polygon| format!("{:?}", polygon.0)).collect();
            all.join(", ")
        };
        let named = [("keep", &self.keep), ("ignore", &self.ignore)];
        let parts = named.iter().filter(|(_, polygons)| !polygons.is_empty());
        let parts: Vec<_> = parts.map(|(name, polygons)| format!("{name} = [{}]", corners(polygons))).collect();
        f.write_str(&parts.join(", "))
    }
}

/// Adds to each cell the length of an interval that lies in it; places count in cells.
fn add_interval(cells: &mut [f64], from: f64, to: f64) {
    for (index, cell) in cells.iter_mut().enumerate().take(to.ceil() as usize).skip(from as usize) {
        *cell += (to.min(index as f64 + 1.0) - from.max(index as f64)).max(0.0);
    }
}

/// Finds what counts along a line; memory that is used again.
#[derive(Default)]
struct Along {
    keep: Vec<Crossing>,
    ignore: Vec<Crossing>,
    kept: Vec<(f64, f64)>,
}

impl Along {
    /// The intervals that count on the line at `y`, from left to right.
    fn kept(&mut self, mask: &Mask, y: f64) -> impl Iterator<Item = (f64, f64)> {
        self.cross(mask, y);
        self.kept.clear();
        let mut depths = (i32::from(mask.keep.is_empty()), 0);
        let (mut keep, mut ignore) = (self.keep.iter().peekable(), self.ignore.iter().peekable());
        let mut from = 0.0;
        loop {
            let next_keep = keep.peek().map_or(f64::INFINITY, |crossing| crossing.at);
            let next_ignore = ignore.peek().map_or(f64::INFINITY, |crossing| crossing.at);
            let to = next_keep.min(next_ignore).min(1.0);
            if depths.0 > 0 && depths.1 == 0 && to > from {
                self.kept.push((from, to));
            }
            from = to.max(from);
            let crossed = if next_keep <= next_ignore { keep.next() } else { ignore.next() };
            let Some(crossing) = crossed else { break };
            let depth = if next_keep <= next_ignore { &mut depths.0 } else { &mut depths.1 };
            *depth += crossing.step;
        }
        self.kept.drain(..)
    }

    fn cross(&mut self, mask: &Mask, y: f64) {
        for (polygons, crossings) in [(&mask.keep, &mut self.keep), (&mask.ignore, &mut self.ignore)] {
            crossings.clear();
            polygons.iter().for_each(|polygon| polygon.cross(y, crossings));
            crossings.sort_by(|a, b| a.at.total_cmp(&b.at));
        }
    }
}
