//! Turns an RGB picture into the network's input: resize, scale, normalise, planar layout.
//!
//! Resampling is the antialiased triangle filter of Pillow and of torchvision's antialiased bilinear, so training,
//! evaluation and the robot see the same picture. The same code serves all three; only a camera's raw frames take a way of their
//! own ([`Preprocessor::run_raw`]), which leads to the same picture without making one of the camera's size.

mod raw;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::decode::{DecodeError, Picture, PixelFormat, RawFrame};
use crate::package::{Color, InputSpec, Resize};
use raw::Fused;

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
    /// A camera's frame is too short.
    #[error(transparent)]
    Frame(#[from] DecodeError),
    /// A camera's frame is compressed.
    #[error("{0} frame cannot be resampled as it is; it has to be decoded first")]
    Compressed(PixelFormat),
}

/// Owns the resampled picture and the input tensor, both reused for every frame.
pub struct Preprocessor {
    spec: InputSpec,
    resizer: Resizer,
    resampled: Image<'static>,
    /// The finished value of every byte, per channel: normalising is a table look-up.
    table: [[f32; 256]; 3],
    /// For raw frames of the layout that came last.
    fused: Option<Fused>,
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
            fused: None,
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

    /// [`Self::run`] or [`Self::run_raw`], as the picture is.
    ///
    /// # Errors
    /// As theirs.
    pub fn prepare(&mut self, picture: Picture<'_>) -> Result<&[f32], PreprocessError> {
        match picture {
            Picture::Rgb(image) => self.run(image),
            Picture::Raw(frame) => self.run_raw(frame),
        }
    }

    /// One raw frame of a camera as `[3, height, width]`, row by row; valid until the next call.
    ///
    /// The result is within 2 of 255 of what [`Self::run`] makes of the decoded frame, and closer to the truth: it is rounded
    /// nowhere, while pictures are rounded to bytes three times. Memory is taken only when the layout changes.
    ///
    /// # Errors
    /// A frame that is too short, or compressed.
    pub fn run_raw(&mut self, frame: &RawFrame) -> Result<&[f32], PreprocessError> {
        let RawFrame { layout, bytes } = frame;
        if layout.format() == PixelFormat::Mjpg {
            return Err(PreprocessError::Compressed(layout.format()));
        }
        let fused = match self.fused.take() {
            Some(fused) if fused.layout() == layout => fused,
            _ => Fused::new(*layout, &self.spec, self.region(layout.width_px(), layout.height_px())),
        };
        self.fused.insert(fused).run(bytes, &mut self.tensor)?;
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
