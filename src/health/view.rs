//! A frame as the checks look at it: brightness and colour of single pixels, wherever they lie in the driver's bytes.

use image::RgbImage;

use crate::decode::{Picture, PixelFormat, Range, RawFrame, RawLayout};

/// A frame to look at, lent by whoever holds it. Nothing is copied.
#[derive(Debug, Clone, Copy)]
pub struct View<'f> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Pixels<'f>,
}

const NOTHING: View<'static> =
    View { width: 0, height: 0, pixels: Pixels::Rgb(RgbPixels { bytes: &[], stride: 0, red: 0, full: &FULL }) };

/// Where the pixels lie.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pixels<'f> {
    Rgb(RgbPixels<'f>),
    Yuv(YuvPixels<'f>),
}

/// Reads single pixels.
pub(super) trait Sample {
    /// Brightness of a pixel's row from its left neighbour to its right one: luma, or green, which makes up most of it. From 0
    /// to 255.
    fn detail(&self, x: usize, y: usize) -> [i32; 3];

    /// Luma, red, green and blue, from 0 to 255.
    fn color(&self, x: usize, y: usize) -> [u8; 4];
}

impl<'f> View<'f> {
    /// What a decoder lends, as it is. Of a raw frame that cannot be read there is nothing to look at.
    pub fn of(picture: impl Into<Picture<'f>>) -> Self {
        match picture.into() {
            Picture::Rgb(image) => Self::of_image(image),
            Picture::Raw(frame) => Self::of_raw(frame).unwrap_or(NOTHING),
        }
    }

    fn of_image(image: &'f RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let pixels = RgbPixels { bytes: image.as_raw(), stride: 3 * width, red: 0, full: &FULL };
        Self { width, height, pixels: Pixels::Rgb(pixels) }
    }

    /// A camera's frame as it came; none for compressed ones and for those that are shorter than they should be.
    pub fn of_raw(frame: &'f RawFrame) -> Option<Self> {
        let layout = &frame.layout;
        let full = if layout.encoding().range == Range::Limited { &STRETCHED } else { &FULL };
        let (first, rest) = layout.planes(&frame.bytes).ok()?;
        let stride = layout.stride_bytes();
        let pixels = match layout.format() {
            PixelFormat::Mjpg => return None,
            PixelFormat::Rgb3 => Pixels::Rgb(RgbPixels { bytes: first, stride, red: 0, full }),
            PixelFormat::Bgr3 => Pixels::Rgb(RgbPixels { bytes: first, stride, red: 2, full }),
            _ => Pixels::Yuv(YuvPixels::new(layout, first, rest, full)),
        };
        Some(Self { width: layout.width_px() as usize, height: layout.height_px() as usize, pixels })
    }
}

/// Red, green and blue, side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct RgbPixels<'f> {
    bytes: &'f [u8],
    stride: usize,
    /// Place of red; blue is at 2 less that.
    red: usize,
    full: &'static [u8; 256],
}

impl Sample for RgbPixels<'_> {
    #[inline(always)]
    fn detail(&self, x: usize, y: usize) -> [i32; 3] {
        let greens = &self.bytes[y * self.stride + 3 * x - 2..][..7];
        let full = |value: u8| i32::from(self.full[usize::from(value)]);
        [full(greens[0]), full(greens[3]), full(greens[6])]
    }

    #[inline(always)]
    fn color(&self, x: usize, y: usize) -> [u8; 4] {
        let pixel = &self.bytes[y * self.stride + 3 * x..][..3];
        let [red, green, blue] =
            [pixel[self.red], pixel[1], pixel[2 - self.red]].map(|value| self.full[usize::from(value)]);
        // BT.601 in 8 bits: 77 + 150 + 29 = 256.
        let luma = (77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8;
        [luma as u8, red, green, blue]
    }
}

/// Luma and chroma in one or several planes.
#[derive(Debug, Clone, Copy)]
pub(super) struct YuvPixels<'f> {
    luma: &'f [u8],
    stride: usize,
    /// Bytes from one luma to the next.
    step: usize,
    /// Blue and red difference; none of a grey camera.
    chroma: Option<Chroma<'f>>,
    full: &'static [u8; 256],
}

#[derive(Debug, Clone, Copy)]
struct Chroma<'f> {
    cb: &'f [u8],
    cr: &'f [u8],
    stride: usize,
    /// Bytes from one pair of pixels to the next.
    step: usize,
    /// Rows of luma that share a row of chroma.
    rows: usize,
}

impl<'f> YuvPixels<'f> {
    fn new(layout: &RawLayout, first: &'f [u8], rest: &'f [u8], full: &'static [u8; 256]) -> Self {
        let stride = layout.stride_bytes();
        let packed = |cb: &'f [u8], cr: &'f [u8]| Some(Chroma { cb, cr, stride, step: 4, rows: 1 });
        let pairs = |cb: &'f [u8], cr: &'f [u8]| Some(Chroma { cb, cr, stride, step: 2, rows: 2 });
        let (luma, step, chroma) = match layout.format() {
            PixelFormat::Yuyv => (first, 2, packed(&first[1..], &first[3..])),
            PixelFormat::Uyvy => (&first[1..], 2, packed(first, &first[2..])),
            PixelFormat::Nv12 => (first, 1, pairs(rest, &rest[1..])),
            PixelFormat::Nv21 => (first, 1, pairs(&rest[1..], rest)),
            PixelFormat::Yu12 => {
                let (cb, cr) = rest.split_at(rest.len() / 2);
                (first, 1, Some(Chroma { cb, cr, stride: stride / 2, step: 1, rows: 2 }))
            }
            _ => (first, 1, None),
        };
        Self { luma, stride, step, chroma, full }
    }

    /// Whether there is colour.
    pub(super) fn has_color(&self) -> bool {
        self.chroma.is_some()
    }
}

impl Sample for YuvPixels<'_> {
    #[inline(always)]
    fn detail(&self, x: usize, y: usize) -> [i32; 3] {
        let lumas = &self.luma[y * self.stride + (x - 1) * self.step..][..=2 * self.step];
        let full = |value: u8| i32::from(self.full[usize::from(value)]);
        [full(lumas[0]), full(lumas[self.step]), full(lumas[2 * self.step])]
    }

    #[inline(always)]
    fn color(&self, x: usize, y: usize) -> [u8; 4] {
        let luma = self.full[usize::from(self.luma[y * self.stride + x * self.step])];
        let Some(chroma) = &self.chroma else { return [luma; 4] };
        let place = y / chroma.rows * chroma.stride + x / 2 * chroma.step;
        let (cb, cr) = (i32::from(chroma.cb[place]) - 128, i32::from(chroma.cr[place]) - 128);
        // BT.601 in 8 bits: near enough to tell what colour a picture has, whatever the matrix.
        let [red, green, blue] =
            [359 * cr, -88 * cb - 183 * cr, 454 * cb].map(|add| (i32::from(luma) + (add >> 8)).clamp(0, 255) as u8);
        [luma, red, green, blue]
    }
}

/// Numbers that go from 0 to 255 already.
static FULL: [u8; 256] = table(0, 255);
/// Black is 16 and white 235.
static STRETCHED: [u8; 256] = table(16, 235);

/// Stretches what lies between black and white to 0 to 255, rounded.
const fn table(black: usize, white: usize) -> [u8; 256] {
    let mut table = [0; 256];
    let mut value: usize = 0;
    while value < 256 {
        let above = value.saturating_sub(black);
        let range = white - black;
        table[value] = if above > range { 255 } else { ((above * 255 + range / 2) / range) as u8 };
        value += 1;
    }
    table
}
