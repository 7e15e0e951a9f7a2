//! A frame as the checks look at it: brightness and colour of a row of points, wherever they lie in the driver's bytes.

use image::RgbImage;

use super::line::Line;
use super::points::SIDE_POINTS;
use crate::decode::{Picture, PixelFormat, Range, RawFrame, RawLayout};

/// A frame to look at, lent by whoever holds it. Nothing is copied.
#[derive(Debug, Clone, Copy)]
pub struct View<'f> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Pixels<'f>,
}

const NOTHING: View<'static> =
    View { width: 0, height: 0, pixels: Pixels::Rgb(RgbPixels { bytes: &[], stride: 0, red: 0, range: Range::Full }) };

/// Where the pixels lie.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pixels<'f> {
    Rgb(RgbPixels<'f>),
    Yuv(YuvPixels<'f>),
}

/// Reads rows of points.
pub(super) trait Sample {
    /// The points at these columns of a row that has one above and one below, none of them at its end.
    fn read(&self, columns: &[usize], y: usize, line: &mut Line);
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
        let pixels = RgbPixels { bytes: image.as_raw(), stride: 3 * width, red: 0, range: Range::Full };
        Self { width, height, pixels: Pixels::Rgb(pixels) }
    }

    /// A camera's frame as it came; none for compressed ones and for those that are shorter than they should be.
    pub fn of_raw(frame: &'f RawFrame) -> Option<Self> {
        let layout = &frame.layout;
        let range = layout.encoding().range;
        let (first, rest) = layout.planes(&frame.bytes).ok()?;
        let stride = layout.stride_bytes();
        let pixels = match layout.format() {
            PixelFormat::Mjpg => return None,
            PixelFormat::Rgb3 => Pixels::Rgb(RgbPixels { bytes: first, stride, red: 0, range }),
            PixelFormat::Bgr3 => Pixels::Rgb(RgbPixels { bytes: first, stride, red: 2, range }),
            _ => Pixels::Yuv(YuvPixels::new(layout, first, rest, range)),
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
    range: Range,
}

impl Sample for RgbPixels<'_> {
    fn read(&self, columns: &[usize], y: usize, line: &mut Line) {
        let rows = [y - 1, y, y + 1].map(|y| self.bytes.get(y * self.stride + 1..).unwrap_or_default());
        read_near::<3>(rows, columns, &mut line.near);
        let row = self.bytes.get(y * self.stride..).unwrap_or_default();
        let [red, _, blue] = &mut line.rgb;
        for ((red, blue), x) in red.iter_mut().zip(blue).zip(columns) {
            let Some(pixel) = row.get(x.wrapping_mul(3)..).and_then(<[u8]>::first_chunk::<3>) else { continue };
            (*red, *blue) = (pixel[self.red], pixel[2 - self.red]);
        }
        line.finish_rgb(self.range);
    }
}

/// Reads the values left of, at and right of some columns of three rows, which lie `STEP` bytes apart: each three as the bytes of one number.
#[inline(always)]
fn read_near<const STEP: usize>(rows: [&[u8]; 3], columns: &[usize], near: &mut [[u32; SIDE_POINTS]; 3]) {
    let [above, beside, below] = rows;
    let [near_above, near_beside, near_below] = near;
    // Of one length, so that a place is compared with it once for all three.
    let common = above.len().min(beside.len()).min(below.len());
    let (whole_above, whole_beside, whole_below) = (&above[..common], &beside[..common], &below[..common]);
    let numbers = near_above.iter_mut().zip(near_beside).zip(near_below);
    for (((near_above, near_beside), near_below), x) in numbers.zip(columns) {
        let left = x.wrapping_sub(1).wrapping_mul(STEP);
        let eight = left..left.wrapping_add(8);
        let bytes = (whole_above.get(eight.clone()), whole_beside.get(eight.clone()), whole_below.get(eight));
        let bytes = match bytes {
            (Some(above), Some(beside), Some(below)) => [above, beside, below],
            _ => rows.map(|row| row.get(left..).unwrap_or_default()),
        };
        [*near_above, *near_beside, *near_below] = bytes.map(three::<STEP>);
    }
}

/// Three values of a row, which lie `STEP` bytes apart.
#[inline(always)]
fn three<const STEP: usize>(row: &[u8]) -> u32 {
    let bytes = row.first_chunk::<8>().map_or_else(|| filled_up(row), |bytes| u64::from_le_bytes(*bytes));
    let (middle, right) = (bytes >> (8 * (STEP - 1)), bytes >> (16 * (STEP - 1)));
    (bytes & 0xff | middle & 0xff00 | right & 0x00ff_0000) as u32
}

/// Reads the values that pairs of columns share, which lie `STEP` bytes apart; what there is not stays as it was.
#[inline(always)]
fn read_pairs<const STEP: usize>(row: &[u8], columns: &[usize], values: &mut [u8; SIDE_POINTS]) {
    for (value, x) in values.iter_mut().zip(columns) {
        if let Some(found) = row.get((x / 2).wrapping_mul(STEP)) {
            *value = *found;
        }
    }
}

/// Fewer than eight bytes, at the end of a frame, with zeros behind them.
#[cold]
fn filled_up(bytes: &[u8]) -> u64 {
    let mut filled = [0; 8];
    filled.iter_mut().zip(bytes).for_each(|(filled, byte)| *filled = *byte);
    u64::from_le_bytes(filled)
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
    range: Range,
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
    fn new(layout: &RawLayout, first: &'f [u8], rest: &'f [u8], range: Range) -> Self {
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
        Self { luma, stride, step, chroma, range }
    }

    /// Whether there is colour.
    pub(super) fn has_color(&self) -> bool {
        self.chroma.is_some()
    }
}

impl Sample for YuvPixels<'_> {
    fn read(&self, columns: &[usize], y: usize, line: &mut Line) {
        let rows = [y - 1, y, y + 1].map(|y| self.luma.get(y * self.stride..).unwrap_or_default());
        match self.step {
            1 => read_near::<1>(rows, columns, &mut line.near),
            _ => read_near::<2>(rows, columns, &mut line.near),
        }
        let Some(chroma) = &self.chroma else { return line.finish_grey(self.range) };
        let row = y / chroma.rows * chroma.stride;
        for (plane, values) in [(chroma.cb, &mut line.cb), (chroma.cr, &mut line.cr)] {
            let row = plane.get(row..).unwrap_or_default();
            match chroma.step {
                1 => read_pairs::<1>(row, columns, values),
                2 => read_pairs::<2>(row, columns, values),
                _ => read_pairs::<4>(row, columns, values),
            }
        }
        line.finish_yuv(self.range);
    }
}
