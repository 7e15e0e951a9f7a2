//! Makes training batches: shuffling, random crop and flip, normalisation.
//!
//! Randomness comes from (seed, epoch) alone, so a resumed run sees the batches that the
//! uninterrupted run saw.

use rand::{Rng, RngCore, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::Dataset;

/// Per-channel normalisation of a byte x: `(x / 255 - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalise {
    /// Mean of R, G, B in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation of R, G, B in 0..1.
    pub std: [f32; 3],
}

impl Normalise {
    fn table(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|c| std::array::from_fn(|x| (x as f32 / 255.0 - self.mean[c]) / self.std[c]))
    }
}

/// The table `[augment]`: random changes to training pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// The picture is padded with black by this many pixels on each side, and a random window of its size is cut out.
    pub crop_padding_px: u32,
    /// Every second picture, by chance, is mirrored left to right.
    pub flip: bool,
}

/// One batch, ready for the network.
#[derive(Debug)]
pub struct Batch {
    /// Normalised pictures, [N, 3, H, W] with NHWC strides.
    pub images: Tensor,
    /// Classes, [N], int64.
    pub targets: Tensor,
}

impl Batch {
    /// The same batch on `device`.
    pub fn to_device(self, device: Device) -> Self {
        Self { images: self.images.to_device(device), targets: self.targets.to_device(device) }
    }
}

/// Cuts batches out of a data set.
#[derive(Debug)]
pub struct Batcher<'a> {
    set: &'a Dataset,
    table: [[f32; 256]; 3],
}

/// Where a picture's window lies and whether it is mirrored.
#[derive(Debug, Clone, Copy)]
struct View {
    dx: isize,
    dy: isize,
    mirror: bool,
}

impl<'a> Batcher<'a> {
    /// A batcher over `set`.
    pub fn new(set: &'a Dataset, normalise: &Normalise) -> Self {
        Self { set, table: normalise.table() }
    }

    /// How many pictures are run at once where no gradient is needed; `small` of 32x32 pixels.
    pub(crate) fn at_once(&self, small: usize) -> usize {
        super::pictures_at_once(small, self.set.height, self.set.width)
    }

    /// The pictures at `indices` as they are.
    pub fn plain(&self, indices: &[usize]) -> Batch {
        self.build(indices, |_| View { dx: 0, dy: 0, mirror: false })
    }

    /// The pictures at `indices`, each randomly cropped and mirrored.
    pub fn augmented(&self, indices: &[usize], augment: Augment, rng: &mut impl RngCore) -> Batch {
        let pad = i64::from(augment.crop_padding_px);
        self.build(indices, |_| View {
            dx: rng.random_range(-pad..=pad) as isize,
            dy: rng.random_range(-pad..=pad) as isize,
            mirror: augment.flip && rng.random::<bool>(),
        })
    }

    fn build(&self, indices: &[usize], mut view: impl FnMut(usize) -> View) -> Batch {
        let (height, width) = (self.set.height, self.set.width);
        let mut pixels = vec![0f32; indices.len() * height * width * 3];
        for (i, (&index, out)) in indices.iter().zip(pixels.chunks_exact_mut(height * width * 3)).enumerate() {
            self.write_picture(index, view(i), out);
        }
        let targets: Vec<i64> = indices.iter().map(|&i| i64::from(self.set.labels[i])).collect();
        let nhwc = [indices.len() as i64, height as i64, width as i64, 3];
        Batch {
            images: Tensor::from_slice(&pixels).view(nhwc).permute([0, 3, 1, 2]),
            targets: Tensor::from_slice(&targets),
        }
    }

    /// Writes picture `index` as seen through `view` into `out`, [H, W, 3]. Outside the picture is black (byte 0).
    fn write_picture(&self, index: usize, view: View, out: &mut [f32]) {
        let (height, width) = (self.set.height as isize, self.set.width as isize);
        let planes = self.set.picture(index);
        for y in 0..height {
            for x in 0..width {
                let from_x = if view.mirror { width - 1 - x } else { x } + view.dx;
                let from_y = y + view.dy;
                let inside = (0..width).contains(&from_x) && (0..height).contains(&from_y);
                let pixel = &mut out[((y * width + x) * 3) as usize..][..3];
                for (c, value) in pixel.iter_mut().enumerate() {
                    let at = (c as isize * height + from_y) * width + from_x;
                    let byte = if inside { planes[at as usize] } else { 0 };
                    *value = self.table[c][usize::from(byte)];
                }
            }
        }
    }
}

/// The order of `count` pictures in an epoch, and the generator for that epoch's augmentation.
pub fn shuffled(count: usize, seed: u64, epoch: usize) -> (Vec<usize>, ChaCha8Rng) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut rng);
    (order, rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Dataset {
        let images = (0..3 * 4).map(|i| i as u8 * 20).collect();
        Dataset { images, labels: vec![3], height: 2, width: 2, class_names: vec![] }
    }

    const NORMALISE: Normalise = Normalise { mean: [0.0, 0.5, 0.0], std: [1.0, 0.5, 1.0] };

    fn red(batch: &Batch) -> Vec<i64> {
        (0..4).map(|i| (batch.images.double_value(&[0, 0, i / 2, i % 2]) * 255.0).round() as i64).collect()
    }

    #[test]
    fn a_plain_batch_is_normalised_per_channel() {
        let set = ramp();
        let batch = Batcher::new(&set, &NORMALISE).plain(&[0]);
        assert_eq!(red(&batch), [0, 20, 40, 60]);
        let green = batch.images.double_value(&[0, 1, 0, 0]);
        assert!((green - (80.0 / 255.0 - 0.5) / 0.5).abs() < 1e-6);
        assert_eq!(batch.targets.int64_value(&[0]), 3);
    }

    #[test]
    fn a_mirrored_and_shifted_view_reads_the_right_pixels() {
        let set = ramp();
        let batcher = Batcher::new(&set, &NORMALISE);
        assert_eq!(red(&batcher.build(&[0], |_| View { dx: 0, dy: 0, mirror: true })), [20, 0, 60, 40]);
        assert_eq!(red(&batcher.build(&[0], |_| View { dx: 1, dy: 1, mirror: false })), [60, 0, 0, 0]);
    }

    #[test]
    fn order_depends_on_seed_and_epoch_alone() {
        assert_eq!(shuffled(100, 1, 2).0, shuffled(100, 1, 2).0);
        assert_ne!(shuffled(100, 1, 2).0, shuffled(100, 1, 3).0);
        assert_ne!(shuffled(100, 1, 2).0, shuffled(100, 2, 2).0);
    }
}
