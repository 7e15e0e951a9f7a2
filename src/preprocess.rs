//! Turns an RGB picture into the network's input: resize, scale, normalise, planar layout.
//!
//! Resampling is the antialiased triangle filter of Pillow and of torchvision's antialiased bilinear, so training,
//! evaluation and the robot see the same picture. The same code serves all three; only a camera's raw frames take a way of their
//! own ([`Preprocessor::run_raw`]), which leads to the same picture without making one of the camera's size. A camera's view
//! ([`crate::view`]) turns and masks the network's few pixels, after resampling.

mod raw;
mod viewed;

use std::mem;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::decode::{DecodeError, Picture, PixelFormat, RawFrame};
use crate::package::{Color, InputSpec, Resize};
use crate::view::{Part, Turn, ViewConfig};
use raw::{Fused, Region};
use viewed::Viewed;

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
    /// The memory for the network's input has another size.
    #[error("the network's input holds {found} numbers, the preprocessor makes {wanted}")]
    Input {
        /// Numbers that fit in.
        found: usize,
        /// Numbers that there are.
        wanted: usize,
    },
    /// The mask leaves nothing to judge.
    #[error(
        "[camera.view] leaves {percent:.1} % of what the network sees of a picture of {width}x{height} pixels, upright; \
         wanted 1 % or more"
    )]
    Masked {
        /// Width of the upright picture in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// Share of what the network sees of it that counts.
        percent: f32,
    },
}

/// One camera's way to the network's input. Owns the memory that it works in, which is reused for every frame.
pub struct Preprocessor {
    /// With width and height as the picture lies.
    spec: InputSpec,
    turn: Turn,
    resizer: Resizer,
    resampled: Image<'static>,
    /// The finished value of every byte, per channel: normalising is a table look-up.
    table: [[f32; 256]; 3],
    /// For raw frames of the layout that came last.
    fused: Option<Fused>,
    /// For callers that have no memory of their own for it.
    tensor: Vec<f32>,
    viewed: Option<Viewed>,
}

impl Preprocessor {
    /// Prepares for upright pictures of any size and a network's input as `spec` has it.
    ///
    /// # Errors
    /// An input of no pixels.
    pub fn new(spec: &InputSpec) -> Result<Self, PreprocessError> {
        Self::with_view(spec, &ViewConfig::default())
    }

    /// Prepares for the pictures of a camera that hangs and is masked like this.
    ///
    /// # Errors
    /// An input of no pixels.
    pub fn with_view(spec: &InputSpec, view: &ViewConfig) -> Result<Self, PreprocessError> {
        if spec.width == 0 || spec.height == 0 {
            return Err(PreprocessError::Empty { width: spec.width, height: spec.height });
        }
        let turn = view.turn();
        let (width, height) = turn.swap((spec.width, spec.height));
        Ok(Self {
            spec: InputSpec { width, height, ..spec.clone() },
            turn,
            viewed: Viewed::new(view, (spec.width, spec.height)),
            resizer: Resizer::new(),
            resampled: Image::new(width, height, PixelType::U8x3),
            table: [0, 1, 2].map(|channel| normalised_bytes(spec, channel)),
            fused: None,
            tensor: Vec::new(),
        })
    }

    /// One picture as `[3, height, width]`, upright, row by row; valid until the next call.
    ///
    /// A picture of the network's own size is not resampled at all. Turned pictures are within 2 of 255 of resampling the upright one,
    /// which is what rounding to bytes twice, rows or columns first, can make of the difference.
    ///
    /// # Errors
    /// A picture without pixels, or of which the mask leaves nothing.
    pub fn run(&mut self, image: &RgbImage) -> Result<&[f32], PreprocessError> {
        self.prepare(Picture::Rgb(image))
    }

    /// One raw frame of a camera as `[3, height, width]`, upright, row by row; valid until the next call.
    ///
    /// The result is within 2 of 255 of what [`Self::run`] makes of the decoded frame, and closer to the truth: pictures
    /// are rounded to bytes three times. Memory is taken only when the layout changes.
    ///
    /// # Errors
    /// A frame that is too short, or compressed, or of which the mask leaves nothing.
    pub fn run_raw(&mut self, frame: &RawFrame) -> Result<&[f32], PreprocessError> {
        self.prepare(Picture::Raw(frame))
    }

    /// [`Self::run`] or [`Self::run_raw`], as the picture is.
    ///
    /// # Errors
    /// As theirs.
    pub fn prepare(&mut self, picture: Picture<'_>) -> Result<&[f32], PreprocessError> {
        let mut tensor = mem::take(&mut self.tensor);
        tensor.resize(self.values(), 0.0);
        let prepared = self.prepare_into(picture, &mut tensor);
        self.tensor = tensor;
        prepared.map(|()| &*self.tensor)
    }

    /// [`Self::prepare`] into memory of the caller's: a network's own input, so that nothing is copied. After an error it holds anything.
    ///
    /// # Errors
    /// Those of [`Self::prepare`], and memory of another size.
    pub fn prepare_into(&mut self, picture: Picture<'_>, input: &mut [f32]) -> Result<(), PreprocessError> {
        if input.len() != self.values() {
            return Err(PreprocessError::Input { found: input.len(), wanted: self.values() });
        }
        let Some(mut viewed) = self.viewed.take() else { return self.resample_into(picture, input).map(drop) };
        let prepared = self.resample_into(picture, viewed.lying_mut()).and_then(|lying_px| {
            let upright_px = self.turn.swap(lying_px);
            viewed.look(upright_px, || self.part(upright_px), input)
        });
        self.viewed = Some(viewed);
        prepared
    }

    /// Numbers in the network's input.
    fn values(&self) -> usize {
        3 * self.spec.width as usize * self.spec.height as usize
    }

    /// Writes the planes of the picture as it lies; gives its size in pixels.
    fn resample_into(&mut self, picture: Picture<'_>, planes: &mut [f32]) -> Result<(u32, u32), PreprocessError> {
        match picture {
            Picture::Rgb(image) => self.resample_image(image, planes),
            Picture::Raw(frame) => self.resample_raw(frame, planes),
        }
    }

    fn resample_image(&mut self, image: &RgbImage, planes: &mut [f32]) -> Result<(u32, u32), PreprocessError> {
        let (width, height) = image.dimensions();
        if width == 0 || height == 0 {
            return Err(PreprocessError::Empty { width, height });
        }
        if (width, height) == (self.spec.width, self.spec.height) {
            planar(image.as_raw(), self.spec.color, &self.table, planes);
        } else {
            self.resample(image)?;
            planar(self.resampled.buffer(), self.spec.color, &self.table, planes);
        }
        Ok((width, height))
    }

    fn resample_raw(&mut self, frame: &RawFrame, planes: &mut [f32]) -> Result<(u32, u32), PreprocessError> {
        let RawFrame { layout, bytes } = frame;
        if layout.format() == PixelFormat::Mjpg {
            return Err(PreprocessError::Compressed(layout.format()));
        }
        let fused = match self.fused.take() {
            Some(fused) if fused.layout() == layout => fused,
            _ => Fused::new(*layout, &self.spec, self.region(layout.width_px(), layout.height_px())),
        };
        self.fused.insert(fused).run(bytes, planes)?;
        Ok((layout.width_px(), layout.height_px()))
    }

    /// What the network sees of an upright picture, as shares of it.
    fn part(&self, picture_px: (u32, u32)) -> Part {
        let (left, top, width, height) = self.upright_region(picture_px);
        let whole = (f64::from(picture_px.0), f64::from(picture_px.1));
        Part { left: left / whole.0, top: top / whole.1, width: width / whole.0, height: height / whole.1 }
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

    /// The part of a lying picture that the network sees. It is in the middle, so that only columns and rows can change places.
    fn region(&self, width: u32, height: u32) -> Region {
        let (left, top, width, height) = self.upright_region(self.turn.swap((width, height)));
        let ((left, top), (width, height)) = (self.turn.swap((left, top)), self.turn.swap((width, height)));
        (left, top, width, height)
    }

    /// The part of an upright picture that the network sees.
    fn upright_region(&self, (width, height): (u32, u32)) -> Region {
        let (width, height) = (f64::from(width), f64::from(height));
        match self.spec.resize {
            Resize::Stretch => (0.0, 0.0, width, height),
            Resize::CenterCrop => {
                let (to_width, to_height) = self.turn.swap((self.spec.width, self.spec.height));
                let shape = f64::from(to_width) / f64::from(to_height);
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
#[cfg(test)]
mod viewed_tests;
