//! What a picture measures, from samples: the points of a grid ([`super::points`]), each with the eight pixels around it.
//!
//! Sampled, not scaled down: averaging would hide noise, and what is left of detail after scaling says nothing about focus.
//! The frame is read where the points are and nowhere else.

use super::line::{Columns, Line, Whole};
use super::points::Points;
use super::view::{Pixels, Sample, View};

/// Blocks per side.
pub(super) const SIDE_BLOCKS: usize = 5;
const BLOCKS: usize = SIDE_BLOCKS * SIDE_BLOCKS;
/// Smallest picture that is looked at, per side: three points per block and their neighbours.
pub(super) const LEAST_SIDE: usize = 3 * SIDE_BLOCKS + 2;
/// Fewest points of a block that say something about it: those that it has in the smallest picture.
const LEAST_POINTS: f32 = 9.0;

/// What lies in one block.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Block {
    points: f32,
    luma: u32,
    rgb: [u32; 3],
    /// Points darker than the limit.
    dark: u32,
    /// Sum of the absolute values of Immerkaer's mask.
    noise: u32,
    /// Sum of the squares of the Laplacian.
    laplacian: u64,
}

impl Block {
    /// Mean brightness.
    pub(super) fn brightness(&self) -> f32 {
        self.luma as f32 / self.points
    }

    /// Share of points that are dark.
    pub(super) fn dark_share(&self) -> f32 {
        self.dark as f32 / self.points
    }

    /// How much green stands out from red and blue; negative for magenta.
    pub(super) fn cast(&self) -> f32 {
        let [red, green, blue] = self.rgb.map(|sum| sum as f32 / self.points);
        if green > red.max(blue) { green - red.max(blue) } else { (green - red.min(blue)).min(0.0) }
    }

    /// Standard deviation of the noise: J. Immerkaer, Fast Noise Variance Estimation, CVIU 64(2), 1996, equation 4.
    fn noise(&self) -> f32 {
        (std::f32::consts::PI / 2.0).sqrt() / 6.0 * self.noise as f32 / self.points
    }

    /// Root mean square of the Laplacian without what noise of this standard deviation adds: 1 + 1 + 1 + 1 + 16 times its variance.
    fn sharpness(&self, noise: f32) -> f32 {
        (self.laplacian as f32 / self.points - 20.0 * noise * noise).max(0.0).sqrt()
    }
}

/// A picture, measured. Reused for every frame.
#[derive(Debug)]
pub(super) struct Measured {
    blocks: [Block; BLOCKS],
    whole: Whole,
    /// The row that was read last.
    line: Line,
    /// Sum of the differences between the strongest and the weakest channel.
    colors: u64,
    points: u32,
    /// Of everything that was read.
    pub(super) hash: u64,
    pub(super) has_color: bool,
}

impl Measured {
    pub(super) fn new() -> Self {
        Self {
            blocks: [Block::default(); BLOCKS],
            whole: Whole::new(),
            line: Line::new(),
            colors: 0,
            points: 0,
            hash: 0,
            has_color: false,
        }
    }

    /// Measures a picture at those of the points that count; false for one of which too little is left to say anything about.
    pub(super) fn take(&mut self, view: &View<'_>, points: &mut Points, dark_below: f32) -> bool {
        *self = Self::new();
        if view.width < LEAST_SIDE || view.height < LEAST_SIDE {
            return false;
        }
        points.lay((view.width, view.height));
        // A value of 8 bits is below a limit of any size exactly where it is below the next whole number.
        let dark_below = dark_below.ceil() as u32;
        match &view.pixels {
            Pixels::Rgb(pixels) => {
                self.has_color = true;
                self.sample(pixels, points, dark_below);
            }
            Pixels::Yuv(pixels) => {
                self.has_color = pixels.has_color();
                self.sample(pixels, points, dark_below);
            }
        }
        self.seen().next().is_some()
    }

    /// The blocks of which enough is seen.
    pub(super) fn seen(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| block.points >= LEAST_POINTS)
    }

    /// What a number of the blocks that are seen would be of all 25.
    pub(super) fn of_all_blocks(&self, count: f32) -> f32 {
        count * (BLOCKS as f32 / self.seen().count() as f32)
    }

    fn sample(&mut self, pixels: &impl Sample, points: &Points, dark_below: u32) {
        let (mut columns, mut blocks) = (Columns::new(), 0);
        for row in points.rows() {
            if row.blocks != blocks {
                self.add_blocks(&columns, points, blocks);
                (columns, blocks) = (Columns::new(), row.blocks);
            }
            pixels.read(points.columns(), row.y, &mut self.line);
            columns.add(&self.line, row.counting, dark_below);
            self.whole.add(&self.line, row.counting);
        }
        self.add_blocks(&columns, points, blocks);
        self.hash = self.whole.hash();
    }

    /// Adds what the columns of points come to in a row of blocks.
    fn add_blocks(&mut self, columns: &Columns, points: &Points, blocks: usize) {
        for column in 0..points.columns().len() {
            let count = u32::from(columns.points[column]);
            let block = &mut self.blocks[blocks * SIDE_BLOCKS + points.block(column)];
            block.points += count as f32;
            block.luma += u32::from(columns.luma[column]);
            block.dark += u32::from(columns.dark[column]);
            block.noise += u32::from(columns.noise[column]);
            block.laplacian += u64::from(columns.laplacian[column]);
            for (sum, of_column) in block.rgb.iter_mut().zip(&columns.rgb) {
                *sum += u32::from(of_column[column]);
            }
            self.points += count;
            self.colors += u64::from(columns.colors[column]);
        }
    }

    /// Mean brightness.
    pub(super) fn brightness(&self) -> f32 {
        self.blocks.iter().map(|block| block.luma as f32).sum::<f32>() / self.points as f32
    }

    /// Brightness between the darkest and the brightest hundredth, as a share of 255.
    pub(super) fn contrast(&self) -> f32 {
        (self.quantile(99) - self.quantile(1)) / 255.0
    }

    /// The brightness that this percentage of the points does not exceed.
    fn quantile(&self, percent: u32) -> f32 {
        let wanted = self.points * percent / 100;
        let mut passed = 0;
        let place = (0..256).find(|luma| {
            passed += self.whole.points_of(*luma);
            passed > wanted
        });
        place.unwrap_or(255) as f32
    }

    /// Standard deviation of the noise in the smoothest fifth of the blocks that are neither black nor white: where it is
    /// clipped there is none to be seen, and where there is detail it would be taken for noise.
    pub(super) fn noise(&self) -> f32 {
        let mut noises = [0.0; BLOCKS];
        let seen = self.seen().filter(|block| (8.0..=247.0).contains(&block.brightness()));
        let count = noises.iter_mut().zip(seen).map(|(place, block)| *place = block.noise()).count();
        noises[..count].sort_unstable_by(f32::total_cmp);
        noises[..count].get(count / SIDE_BLOCKS).copied().unwrap_or(0.0)
    }

    /// Strength of the finest detail in the third sharpest of 25 blocks: a picture in focus is sharp somewhere.
    pub(super) fn sharpness(&self) -> f32 {
        let noise = self.noise();
        let mut sharp = [0.0; BLOCKS];
        let count = sharp.iter_mut().zip(self.seen()).map(|(place, block)| *place = block.sharpness(noise)).count();
        sharp[..count].sort_unstable_by(f32::total_cmp);
        sharp[..count].get(count - (3 * count).div_ceil(BLOCKS)).copied().unwrap_or(0.0)
    }

    /// Range of the channels that vary least and most.
    pub(super) fn channel_ranges(&self) -> [f32; 2] {
        let ranges = self.whole.ranges().map(|[least, greatest]| f32::from(greatest.saturating_sub(least)));
        [ranges.into_iter().fold(f32::MAX, f32::min), ranges.into_iter().fold(0.0, f32::max)]
    }

    /// Mean difference between the strongest and the weakest channel.
    pub(super) fn colorfulness(&self) -> f32 {
        self.colors as f32 / self.points as f32
    }
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
