//! Where a format keeps its components: which bytes of a row belong to which pixels.

use std::ops::Range;

use crate::decode::{PixelFormat, RawLayout};

/// What a byte of a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Phase {
    /// 0, 1, 2: Y, Cb, Cr, or red, green, blue.
    pub(super) component: usize,
    /// Pixels that it belongs to, within its period: the first, and how many.
    pub(super) pixels: (usize, usize),
}

/// A plane of a format: the bytes of a row repeat their meaning with a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plane {
    /// Meaning of each byte of a period.
    pub(super) phases: &'static [Phase],
    /// Pixels in a period.
    pub(super) pixels: usize,
    /// Whether two rows of pixels share one of the plane.
    pub(super) shares_rows: bool,
    /// Bytes from one row to the next are the layout's, divided by this.
    stride_divisor: usize,
}

const fn phase(component: usize, first: usize, count: usize) -> Phase {
    Phase { component, pixels: (first, count) }
}

const fn packed(phases: &'static [Phase], pixels: usize) -> Plane {
    Plane { phases, pixels, shares_rows: false, stride_divisor: 1 }
}

const fn chroma(phases: &'static [Phase], stride_divisor: usize) -> Plane {
    Plane { phases, pixels: 2, shares_rows: true, stride_divisor }
}

const Y0: Phase = phase(0, 0, 1);
const Y1: Phase = phase(0, 1, 1);
const CB: Phase = phase(1, 0, 2);
const CR: Phase = phase(2, 0, 2);
const RED: Phase = phase(0, 0, 1);
const GREEN: Phase = phase(1, 0, 1);
const BLUE: Phase = phase(2, 0, 1);

const Y: Plane = packed(&[Y0], 1);
const YUYV: &[Plane] = &[packed(&[Y0, CB, Y1, CR], 2)];
const UYVY: &[Plane] = &[packed(&[CB, Y0, CR, Y1], 2)];
const NV12: &[Plane] = &[Y, chroma(&[CB, CR], 1)];
const NV21: &[Plane] = &[Y, chroma(&[CR, CB], 1)];
const YU12: &[Plane] = &[Y, chroma(&[CB], 2), chroma(&[CR], 2)];
const RGB3: &[Plane] = &[packed(&[RED, GREEN, BLUE], 1)];
const BGR3: &[Plane] = &[packed(&[BLUE, GREEN, RED], 1)];

/// One number per pixel.
pub(super) const PIXELS: Plane = Y;

/// The planes of a format, in their order within a frame; none of a compressed one.
pub(super) fn of(format: PixelFormat) -> &'static [Plane] {
    match format {
        PixelFormat::Yuyv => YUYV,
        PixelFormat::Uyvy => UYVY,
        PixelFormat::Nv12 => NV12,
        PixelFormat::Nv21 => NV21,
        PixelFormat::Yu12 => YU12,
        PixelFormat::Rgb3 => RGB3,
        PixelFormat::Bgr3 => BGR3,
        PixelFormat::Grey => &[Y],
        PixelFormat::Mjpg => &[],
    }
}

impl Plane {
    /// Bytes of a row that pixels of these columns need.
    pub(super) fn bytes_of(&self, columns: Range<usize>) -> Range<usize> {
        let period = self.phases.len();
        columns.start / self.pixels * period..columns.end.div_ceil(self.pixels) * period
    }

    /// Bytes from one row to the next.
    pub(super) fn stride_bytes(&self, layout: &RawLayout) -> usize {
        layout.stride_bytes() / self.stride_divisor
    }

    /// Bytes of all rows.
    pub(super) fn length_bytes(&self, layout: &RawLayout) -> usize {
        self.stride_bytes(layout) * (self.row_of(layout.height_px() as usize - 1) + 1)
    }

    /// The row of the plane that belongs to a row of pixels.
    pub(super) fn row_of(&self, y: usize) -> usize {
        if self.shares_rows { y / 2 } else { y }
    }
}
