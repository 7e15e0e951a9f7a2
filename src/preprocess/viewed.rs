//! A camera's view of the network's few pixels: the picture is resampled as it lies, and only the result is turned and masked.
//!
//! Resampling treats rows and columns alike and either end the same, so it may come before the turn. What does not count becomes 0, which
//! is the colour that the network was normalised to: its mean. A pixel of which only a part counts is mixed from both by area; since it was
//! resampled before, at a straight edge a quarter of it at most is what lies behind, and none of it what lies 1.5 pixels behind or farther.

use super::PreprocessError;
use crate::view::{LEAST_KEPT, Mask, Part, Turn, ViewConfig, Walk};

/// Turns and masks planes of the network's size.
pub(super) struct Viewed {
    turn: Turn,
    mask: Mask,
    /// Of the network's input, upright.
    size: (usize, usize),
    /// Size of the pictures, upright, that `coverage` is for.
    of_picture: Option<(u32, u32)>,
    /// The share of each pixel that counts.
    coverage: Vec<f32>,
    /// Planes of the picture as it lies.
    lying: Vec<f32>,
}

impl Viewed {
    /// For an upright input of this size; none where the view changes nothing.
    pub(super) fn new(view: &ViewConfig, size: (u32, u32)) -> Option<Self> {
        let size = (size.0 as usize, size.1 as usize);
        (!view.is_none()).then(|| Self {
            turn: view.turn(),
            mask: view.mask(),
            size,
            of_picture: None,
            coverage: vec![1.0; size.0 * size.1],
            lying: vec![0.0; 3 * size.0 * size.1],
        })
    }

    /// Where the planes of the picture as it lies are to be written, before [`Self::look`].
    pub(super) fn lying_mut(&mut self) -> &mut [f32] {
        &mut self.lying
    }

    /// Writes the upright, masked planes; of the upright `picture` of so many pixels the network sees a `part`. Memory is taken only
    /// when the picture's size changes.
    ///
    /// # Errors
    /// The mask leaves next to nothing of the part.
    pub(super) fn look(
        &mut self,
        picture: (u32, u32),
        part: impl FnOnce() -> Part,
        upright: &mut [f32],
    ) -> Result<(), PreprocessError> {
        if !self.mask.is_none() && self.of_picture != Some(picture) {
            self.cover(picture, part())?;
        }
        let (width, height) = self.size;
        let Walk { first, right, down } = self.turn.walk(self.size);
        let planes = self.lying.chunks_exact(width * height).zip(upright.chunks_exact_mut(width * height));
        for (lying, upright) in planes {
            let mut start = first;
            for (row, coverage) in upright.chunks_exact_mut(width).zip(self.coverage.chunks_exact(width)) {
                let mut place = start;
                for (value, share) in row.iter_mut().zip(coverage) {
                    *value = lying[place] * share;
                    place = place.wrapping_add_signed(right);
                }
                start = start.wrapping_add_signed(down);
            }
        }
        Ok(())
    }

    fn cover(&mut self, (width, height): (u32, u32), part: Part) -> Result<(), PreprocessError> {
        let coverage = self.mask.coverage(part, self.size);
        let kept = coverage.iter().sum::<f32>() / coverage.len() as f32;
        if kept < LEAST_KEPT {
            return Err(PreprocessError::Masked { width, height, percent: 100.0 * kept });
        }
        (self.of_picture, self.coverage) = (Some((width, height)), coverage);
        Ok(())
    }
}
