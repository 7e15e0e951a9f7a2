//! A row of points, and what adds up over rows: point by point side by side, so that each step is one of vectors.

use super::measure::SIDE_BLOCKS;
use super::points::{Counting, SIDE_POINTS};
use crate::decode::Range;
use crate::simd::vectorised;

/// A value of each point of a row; those beyond its end mean nothing.
pub(super) type Points = [u8; SIDE_POINTS];

/// A row of points, from 0 to 255. Reused for every row.
#[derive(Debug)]
pub(super) struct Line {
    /// Brightness of the nine pixels of each point, luma or green, which makes up most of it: of the row above, its own and the one below
    /// three, the bytes of one number.
    pub(super) near: [[u32; SIDE_POINTS]; 3],
    /// The same, each by itself.
    detail: [[Points; 3]; 3],
    /// Luma of the point itself.
    luma: Points,
    /// Red, green and blue of the point itself.
    pub(super) rgb: [Points; 3],
    /// Blue and red difference, of a reader that has them.
    pub(super) cb: Points,
    pub(super) cr: Points,
}

/// What rows of points add up to, for each of their columns. Rows of one row of blocks, of which there are up to 26.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) points: [u16; SIDE_POINTS],
    pub(super) luma: [u16; SIDE_POINTS],
    pub(super) rgb: [[u16; SIDE_POINTS]; 3],
    /// Points darker than the limit.
    pub(super) dark: [u16; SIDE_POINTS],
    /// Sum of the differences between the strongest and the weakest channel.
    pub(super) colors: [u16; SIDE_POINTS],
    /// Sum of the absolute values of Immerkaer's mask, each up to 2040.
    pub(super) noise: [u16; SIDE_POINTS],
    /// Sum of the squares of the Laplacian.
    pub(super) laplacian: [u32; SIDE_POINTS],
}

const _: () =
    assert!(SIDE_POINTS.div_ceil(SIDE_BLOCKS) * 2040 <= u16::MAX as usize, "16 bits hold what a column adds up to");

/// What is kept of a whole picture, for each column of points.
#[derive(Debug)]
pub(super) struct Whole {
    /// Least and greatest value of red, green and blue.
    ranges: [[Points; 2]; 3],
    /// Of everything that was read; each step can be undone, so that no change of one value is lost.
    hash: [u32; SIDE_POINTS],
    /// Points by luma, by turns: neighbours are often alike, and additions to one and the same would wait for one another.
    luma: [[u16; 256]; 4],
}

impl Line {
    pub(super) const fn new() -> Self {
        let zero = [0; SIDE_POINTS];
        Self { near: [[0; SIDE_POINTS]; 3], detail: [[zero; 3]; 3], luma: zero, rgb: [zero; 3], cb: zero, cr: zero }
    }

    fn finish_detail(&mut self, range: Range) {
        take_apart(&self.near, &mut self.detail);
        if range == Range::Limited {
            stretch_limited(self.detail.as_flattened_mut());
        }
    }

    /// Of a reader that has read green as detail, and red and blue.
    pub(super) fn finish_rgb(&mut self, range: Range) {
        self.finish_detail(range);
        let [red, green, blue] = &mut self.rgb;
        *green = self.detail[1][1];
        stretch(red, range);
        stretch(blue, range);
        luma_of(&self.rgb, &mut self.luma);
    }

    /// Of a reader that has read luma as detail, and both differences.
    pub(super) fn finish_yuv(&mut self, range: Range) {
        self.finish_detail(range);
        self.luma = self.detail[1][1];
        colors_of(&self.luma, &self.cb, &self.cr, &mut self.rgb);
    }

    /// Of a reader that has read luma as detail and has no more.
    pub(super) fn finish_grey(&mut self, range: Range) {
        self.finish_detail(range);
        self.luma = self.detail[1][1];
        self.rgb = [self.luma; 3];
    }
}

impl Columns {
    pub(super) const fn new() -> Self {
        let zero = [0; SIDE_POINTS];
        Self {
            points: zero,
            luma: zero,
            rgb: [zero; 3],
            dark: zero,
            colors: zero,
            noise: zero,
            laplacian: [0; SIDE_POINTS],
        }
    }

    /// Adds a row, of the points that count.
    pub(super) fn add(&mut self, line: &Line, counting: &Counting, dark_below: u32) {
        // Nothing of 8 bits is darker than 0, all of it is darker than 256.
        let dark_below = dark_below.min(256) as u16;
        add_colors(self, line, counting, dark_below);
        add_detail(self, &line.detail, counting);
    }
}

impl Whole {
    pub(super) const fn new() -> Self {
        let range = [[u8::MAX; SIDE_POINTS], [u8::MIN; SIDE_POINTS]];
        Self { ranges: [range; 3], hash: [0; SIDE_POINTS], luma: [[0; 256]; 4] }
    }

    /// Adds a row, of the points that count.
    pub(super) fn add(&mut self, line: &Line, counting: &Counting) {
        widen(&mut self.ranges, &line.rgb, counting);
        hash_line(&mut self.hash, line, counting);
        for (lumas, counts) in line.luma.as_chunks::<4>().0.iter().zip(counting.as_chunks::<4>().0) {
            for turn in 0..4 {
                self.luma[turn][usize::from(lumas[turn])] += u16::from(counts[turn] & 1);
            }
        }
    }

    /// Least and greatest value of red, green and blue.
    pub(super) fn ranges(&self) -> [[u8; 2]; 3] {
        self.ranges.map(|[least, greatest]| {
            [least.into_iter().fold(u8::MAX, u8::min), greatest.into_iter().fold(u8::MIN, u8::max)]
        })
    }

    /// Points of this luma.
    pub(super) fn points_of(&self, luma: usize) -> u32 {
        self.luma.iter().map(|points| u32::from(points[luma])).sum()
    }

    /// Of everything that was read.
    pub(super) fn hash(&self) -> u64 {
        self.hash
            .iter()
            .fold(0_u64, |hash, part| (hash.rotate_left(5) ^ u64::from(*part)).wrapping_mul(0x517c_c1b7_2722_0a95))
    }
}

fn stretch(values: &mut Points, range: Range) {
    if range == Range::Limited {
        stretch_limited(std::slice::from_mut(values));
    }
}

/// Adds one of the few numbers that 16 bits hold the sum of.
#[inline(always)]
fn add(sum: &mut u16, value: u8) {
    *sum = sum.wrapping_add(u16::from(value));
}

// Nothing here leaves its integers; it is said in words that keep the compiler from looking after every step, one point at a time.
vectorised! {
    fn take_apart(near: &[[u32; SIDE_POINTS]; 3], detail: &mut [[Points; 3]; 3]) -> () {
        for (near, [left, middle, right]) in near.iter().zip(detail) {
            for column in 0..SIDE_POINTS {
                left[column] = near[column] as u8;
                middle[column] = (near[column] >> 8) as u8;
                right[column] = (near[column] >> 16) as u8;
            }
        }
    }

    /// Stretches what lies between black, 16, and white, 235, to 0 to 255, rounded.
    fn stretch_limited(rows: &mut [Points]) -> () {
        for value in rows.as_flattened_mut() {
            let above = u16::from(value.saturating_sub(16).min(219));
            *value = (above.wrapping_mul(255).wrapping_add(109) / 219) as u8;
        }
    }

    /// BT.601 in 8 bits: 77 + 150 + 29 = 256.
    fn luma_of(rgb: &[Points; 3], luma: &mut Points) -> () {
        let [red, green, blue] = rgb;
        for column in 0..SIDE_POINTS {
            let (red, green, blue) = (u16::from(red[column]), u16::from(green[column]), u16::from(blue[column]));
            // 255 * 256 + 128 is the most.
            let weighed = red.wrapping_mul(77).wrapping_add(green.wrapping_mul(150)).wrapping_add(blue.wrapping_mul(29));
            luma[column] = (weighed.wrapping_add(128) >> 8) as u8;
        }
    }

    /// BT.601 in 8 bits: near enough to tell what colour a picture has, whatever the matrix.
    fn colors_of(luma: &Points, cb: &Points, cr: &Points, rgb: &mut [Points; 3]) -> () {
        for column in 0..SIDE_POINTS {
            let luma = i32::from(luma[column]);
            let (cb, cr) = (i32::from(cb[column]).wrapping_sub(128), i32::from(cr[column]).wrapping_sub(128));
            let green = cb.wrapping_mul(-88).wrapping_add(cr.wrapping_mul(-183));
            rgb[0][column] = luma.wrapping_add(cr.wrapping_mul(359) >> 8).clamp(0, 255) as u8;
            rgb[1][column] = luma.wrapping_add(green >> 8).clamp(0, 255) as u8;
            rgb[2][column] = luma.wrapping_add(cb.wrapping_mul(454) >> 8).clamp(0, 255) as u8;
        }
    }

    fn add_colors(columns: &mut Columns, line: &Line, counting: &Counting, dark_below: u16) -> () {
        for column in 0..SIDE_POINTS {
            let counts = counting[column];
            let luma = line.luma[column];
            let [red, green, blue] = &line.rgb;
            let (red, green, blue) = (red[column] & counts, green[column] & counts, blue[column] & counts);
            let spread = red.max(green).max(blue).wrapping_sub(red.min(green).min(blue));
            let dark = counts & 1 & u8::from(u16::from(luma) < dark_below);
            add(&mut columns.points[column], counts & 1);
            add(&mut columns.luma[column], luma & counts);
            add(&mut columns.rgb[0][column], red);
            add(&mut columns.rgb[1][column], green);
            add(&mut columns.rgb[2][column], blue);
            add(&mut columns.dark[column], dark);
            add(&mut columns.colors[column], spread);
        }
    }

    fn add_detail(columns: &mut Columns, detail: &[[Points; 3]; 3], counting: &Counting) -> () {
        let [above, beside, below] = detail;
        for column in 0..SIDE_POINTS {
            let at = |values: &Points| i16::from(values[column]);
            let sides = at(&above[1]).wrapping_add(at(&beside[0])).wrapping_add(at(&beside[2])).wrapping_add(at(&below[1]));
            let corners = at(&above[0]).wrapping_add(at(&above[2])).wrapping_add(at(&below[0])).wrapping_add(at(&below[2]));
            let middle = at(&beside[1]) << 2;
            // All bits, or none.
            let counts = i16::from(counting[column] as i8);
            let laplacian = i32::from(sides.wrapping_sub(middle) & counts);
            let noise = corners.wrapping_sub(sides << 1).wrapping_add(middle) & counts;
            columns.noise[column] = columns.noise[column].wrapping_add(noise.unsigned_abs());
            let square = laplacian.wrapping_mul(laplacian) as u32;
            columns.laplacian[column] = columns.laplacian[column].wrapping_add(square);
        }
    }

    fn widen(ranges: &mut [[Points; 2]; 3], rgb: &[Points; 3], counting: &Counting) -> () {
        for ([least, greatest], values) in ranges.iter_mut().zip(rgb) {
            for column in 0..SIDE_POINTS {
                let counts = counting[column];
                least[column] = least[column].min(values[column] | !counts);
                greatest[column] = greatest[column].max(values[column] & counts);
            }
        }
    }

    fn hash_line(hash: &mut [u32; SIDE_POINTS], line: &Line, counting: &Counting) -> () {
        let [[a, b, c], [d, e, f], [g, h, i]] = &line.detail;
        let [red, green, blue] = &line.rgb;
        for [p, q, r, s] in [[a, b, c, d], [e, f, g, h], [i, red, green, blue]] {
            for column in 0..SIDE_POINTS {
                let (p, q) = (u32::from(p[column]), u32::from(q[column]));
                let (r, s) = (u32::from(r[column]), u32::from(s[column]));
                // All bits, or none.
                let counts = i32::from(counting[column] as i8) as u32;
                let seen = (p | q << 8 | r << 16 | s << 24) & counts;
                let mixed = (hash[column].rotate_left(5) ^ seen).wrapping_mul(0x9e37_79b1);
                hash[column] = mixed ^ (mixed >> 15);
            }
        }
    }
}
