//! A picture in 16x16 mean brightnesses: enough to tell whether a scene has changed, and little enough for noise not to count.

use image::RgbImage;

/// Cells per side; pictures of fewer pixels have as many cells as pixels.
const SIDE: usize = 16;
/// Mean difference per cell, of 255, up to which two pictures show the same scene. Noise of a standard deviation of 25, which
/// `[health]` calls an error, moves the mean of a cell of 40x30 pixels by 0.7 only.
const SAME_SCENE: f32 = 2.0;

/// Mean luma of each cell, 0 to 255, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Thumbnail {
    cells: [f32; SIDE * SIDE],
    columns: usize,
    rows: usize,
}

impl Thumbnail {
    pub(super) fn of(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let (columns, rows) = (width.clamp(1, SIDE), height.clamp(1, SIDE));
        let (mut sums, mut counts) = ([0_u64; SIDE * SIDE], [0_u64; SIDE * SIDE]);
        for (y, row) in image.as_raw().chunks_exact(3 * width.max(1)).enumerate() {
            let first = y * rows / height * columns;
            for (x, pixel) in row.as_chunks::<3>().0.iter().enumerate() {
                let cell = first + x * columns / width;
                sums[cell] += luma(*pixel);
                counts[cell] += 1;
            }
        }
        let mut cells = [0.0; SIDE * SIDE];
        for (cell, (sum, count)) in cells.iter_mut().zip(sums.iter().zip(counts)) {
            *cell = *sum as f32 / (count.max(1) as f32 * 256.0);
        }
        Self { cells, columns, rows }
    }

    /// Whether both show the same scene, but for noise.
    pub(super) fn resembles(&self, other: &Self) -> bool {
        let difference: f32 = self.cells.iter().zip(&other.cells).map(|(a, b)| (a - b).abs()).sum();
        difference <= SAME_SCENE * (self.columns * self.rows) as f32
    }

    /// Four numbers that change with the scene: brightness, and how much brighter it is on the left, at the top, and in the
    /// middle.
    pub(super) fn projections(&self) -> [f32; 4] {
        let mut sums = [0.0; 4];
        for row in 0..self.rows {
            for column in 0..self.columns {
                let cell = self.cells[row * self.columns + column];
                let left = if 2 * column < self.columns { 1.0 } else { -1.0 };
                let top = if 2 * row < self.rows { 1.0 } else { -1.0 };
                let middle = if is_inner(column, self.columns) && is_inner(row, self.rows) { 3.0 } else { -1.0 };
                for (sum, sign) in sums.iter_mut().zip([1.0, left, top, middle]) {
                    *sum += sign * cell;
                }
            }
        }
        sums.map(|sum| sum / (self.columns * self.rows) as f32)
    }
}

/// Whether a place is in the middle half.
fn is_inner(place: usize, of: usize) -> bool {
    4 * place >= of && 4 * place < 3 * of
}

/// BT.601 in 8 bits, times 256: 77 + 150 + 29 = 256.
fn luma([red, green, blue]: [u8; 3]) -> u64 {
    77 * u64::from(red) + 150 * u64::from(green) + 29 * u64::from(blue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn picture(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([value(x, y); 3]))
    }

    #[test]
    fn a_cell_is_the_mean_of_its_pixels() {
        let thumbnail = Thumbnail::of(&picture(32, 32, |x, _| if x % 2 == 0 { 10 } else { 30 }));
        assert!(thumbnail.cells.iter().all(|cell| (cell - 20.0).abs() < 1e-3));
        let [brightness, ..] = thumbnail.projections();
        assert!((brightness - 20.0).abs() < 1e-3);
    }

    #[test]
    fn noise_changes_no_scene_and_a_step_to_the_side_does() {
        let mut noise = fastrand::Rng::with_seed(1);
        let scene = |x: u32, y: u32| if (x / 40 + y / 30).is_multiple_of(2) { 60_u8 } else { 180 };
        let still = Thumbnail::of(&picture(640, 480, scene));
        let noisy = RgbImage::from_fn(640, 480, |x, y| Rgb([scene(x, y) - 20 + noise.u8(0..=40); 3]));
        assert!(still.resembles(&Thumbnail::of(&noisy)));
        assert!(!still.resembles(&Thumbnail::of(&picture(640, 480, |x, y| scene(x + 8, y)))));
    }

    #[test]
    fn a_picture_of_any_size_has_a_thumbnail() {
        for (width, height) in [(0, 0), (1, 1), (3, 200), (17, 5), (640, 1)] {
            let thumbnail = Thumbnail::of(&picture(width, height, |_, _| 200));
            assert!(thumbnail.resembles(&thumbnail) && thumbnail.projections().iter().all(|value| value.is_finite()));
        }
    }
}
