//! Turns an RGB picture into the network's input: resize, scale, normalise, planar layout.
//!
//! Resampling is the antialiased triangle filter of Pillow and of torchvision's antialiased bilinear, so training,
//! evaluation and the robot see the same picture. The same code serves all three.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::package::{Color, InputSpec, Resize};

/// Why a picture could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PreprocessError {
    /// The picture has no pixels.
    #[error("picture is {width}x{height} pixels, wanted at least 1x1")]
    Empty {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// The resampler refused the picture's buffer.
    #[error("picture of {width}x{height} pixels cannot be read: {source}")]
    Buffer {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The resampler's word on it.
        source: fast_image_resize::ImageBufferError,
    },
    /// The resampler refused the picture.
    #[error("picture of {width}x{height} pixels cannot be resampled: {source}")]
    Resample {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The resampler's word on it.
        source: fast_image_resize::ResizeError,
    },
}

/// Owns the resampled picture and the input tensor, both reused for every frame.
pub struct Preprocessor {
    spec: InputSpec,
    resizer: Resizer,
    resampled: Image<'static>,
    /// The finished value of every byte, per channel: normalising is a table look-up.
    table: [[f32; 256]; 3],
    tensor: Vec<f32>,
}

impl Preprocessor {
    /// Prepares for pictures of any size and a network's input as `spec` has it.
    ///
    /// # Errors
    /// An input of no pixels.
    pub fn new(spec: &InputSpec) -> Result<Self, PreprocessError> {
        let (width, height) = (spec.width, spec.height);
        if width == 0 || height == 0 {
            return Err(PreprocessError::Empty { width, height });
        }
        Ok(Self {
            spec: spec.clone(),
            resizer: Resizer::new(),
            resampled: Image::new(width, height, PixelType::U8x3),
            table: [0, 1, 2].map(|channel| normalised_bytes(spec, channel)),
            tensor: vec![0.0; 3 * width as usize * height as usize],
        })
    }

    /// One picture as `[3, height, width]`, row by row; valid until the next call.
    ///
    /// A picture of the network's own size is not resampled at all.
    ///
    /// # Errors
    /// A picture without pixels.
    pub fn run(&mut self, image: &RgbImage) -> Result<&[f32], PreprocessError> {
        let (width, height) = image.dimensions();
        if width == 0 || height == 0 {
            return Err(PreprocessError::Empty { width, height });
        }
        if (width, height) == (self.spec.width, self.spec.height) {
            planar(image.as_raw(), self.spec.color, &self.table, &mut self.tensor);
        } else {
            self.resample(image)?;
            planar(self.resampled.buffer(), self.spec.color, &self.table, &mut self.tensor);
        }
        Ok(&self.tensor)
    }

    fn resample(&mut self, image: &RgbImage) -> Result<(), PreprocessError> {
        let (width, height) = image.dimensions();
        let source = ImageRef::new(width, height, image.as_raw(), PixelType::U8x3)
            .map_err(|source| PreprocessError::Buffer { width, height, source })?;
        let (left, top, crop_width, crop_height) = self.region(width, height);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(
            left,
            top,
            crop_width,
            crop_height,
        );
        self.resizer.resize(&source, &mut self.resampled, &options).map_err(|source| PreprocessError::Resample {
            width,
            height,
            source,
        })
    }

    /// The part of a picture that the network sees, in source pixels: left, top, width, height.
    fn region(&self, width: u32, height: u32) -> (f64, f64, f64, f64) {
        let (width, height) = (f64::from(width), f64::from(height));
        match self.spec.resize {
            Resize::Stretch => (0.0, 0.0, width, height),
            Resize::CenterCrop => {
                let shape = f64::from(self.spec.width) / f64::from(self.spec.height);
                let crop_width = width.min(height * shape);
                let crop_height = height.min(width / shape);
                ((width - crop_width) / 2.0, (height - crop_height) / 2.0, crop_width, crop_height)
            }
        }
    }
}

/// `(byte * scale - mean) / std` of every byte, for one channel.
fn normalised_bytes(spec: &InputSpec, channel: usize) -> [f32; 256] {
    std::array::from_fn(|byte| (byte as f32 * spec.scale - spec.mean[channel]) / spec.std[channel])
}

/// Interleaved RGB bytes to planes of finished values, in the network's order of colours.
fn planar(pixels: &[u8], color: Color, table: &[[f32; 256]; 3], tensor: &mut [f32]) {
    let plane_length = tensor.len() / 3;
    for (channel, plane) in tensor.chunks_exact_mut(plane_length).enumerate() {
        let table = &table[channel];
        let place = match color {
            Color::Rgb => channel,
            Color::Bgr => 2 - channel,
        };
        for (value, pixel) in plane.iter_mut().zip(pixels.as_chunks::<3>().0) {
            *value = table[usize::from(pixel[place])];
        }
    }
}

#[cfg(test)]
mod tests;
