//! JPEG pictures at a half, a quarter or an eighth of their size, without making the whole of them: what the network is going to make
//! small anyway need not be made large before.
//!
//! ```text
//!  headers ──► entropy-coded data ──► Huffman ──► fold: one sum for all waves that look alike ──► averages ──► a raw frame
//! ```
//!
//! The result is what averaging the luma and chroma of the whole picture in groups of 2x2, 4x4 or 8x8 samples gives, within rounding and but
//! for samples that would be clamped (`fold`). It stays luma and chroma, which [`crate::preprocess`] takes as a camera's raw frame.
//!
//! Of our own making since, of the crates that are kept, only bindings to C decode to a smaller size, which is slower at that and harder to
//! build (docs/PEERS.md, "Smaller JPEG pictures"). It knows what cameras send: 8 bits, Huffman codes, one scan, grey, 4:2:2 or
//! 4:2:0. Of everything else the whole is decoded.

mod entropy;
mod fold;
mod headers;
mod huffman;
mod scan;
#[cfg(test)]
mod tests;

use super::{Encoding, MAX_SIDE_PX, PixelFormat, RawFrame, RawLayout};
use entropy::EntropyCoded;
use fold::{Fold, Steps};
use headers::{COMPONENTS, Headers, Sharing, Tables};
use scan::{Place, Plane, Units};

/// By how much a picture may be made smaller, largest first.
const DIVISORS: [u32; 3] = [8, 4, 2];

/// Decodes picture after picture, each to the smallest size that is enough; in memory that is reused.
#[derive(Debug)]
pub(super) struct Scaled {
    /// Width and height, in pixels, that a picture keeps at least.
    least_px: (u32, u32),
    tables: Tables,
    data: EntropyCoded,
    /// In the order of [`DIVISORS`].
    folds: [Fold; 3],
    steps: Box<[Steps; COMPONENTS]>,
    frame: Option<RawFrame>,
}

impl Scaled {
    /// For a network that needs so many pixels of a picture as it lies.
    pub(super) fn new(least_px: (u32, u32)) -> Self {
        Self {
            least_px,
            tables: Tables::default(),
            data: EntropyCoded::default(),
            folds: DIVISORS.map(|divisor| Fold::new(fold::SAMPLES / divisor as usize)),
            steps: Box::new([fold::NO_STEPS; COMPONENTS]),
            frame: None,
        }
    }

    /// Decodes a picture to a smaller one, which is [`Self::frame`] then. False where there is none: it would be too small, or the
    /// picture is of another kind.
    ///
    /// # Errors
    /// Damaged data.
    pub(super) fn decode(&mut self, jpeg: &[u8]) -> Result<bool, String> {
        let Some((headers, choice)) = self.choose(jpeg) else { return Ok(false) };
        let (side, fold) = (fold::SAMPLES / DIVISORS[choice] as usize, &self.folds[choice]);
        let units = units(&headers);
        let Some(layout) = layout(&headers, DIVISORS[choice], units.across * side) else { return Ok(false) };
        self.data.fill(jpeg.get(headers.data_at..).unwrap_or_default(), units.segments())?;
        let Self { tables, data, steps, frame, .. } = self;
        let frame = frame.get_or_insert_with(|| RawFrame { layout, bytes: Vec::new().into() });
        frame.layout = layout;
        frame.bytes.as_vec().resize(layout.frame_bytes(), 0);
        for (component, steps) in headers.used().iter().zip(&mut **steps) {
            fold.steps(&tables.quantisers[component.quantisers], steps);
        }
        let plane = |number: usize| {
            let component = headers.components[number];
            Plane {
                component,
                first: &tables.first[component.first_table],
                other: &tables.other[component.other_table],
                steps: &steps[number],
                place: place(&layout, number),
            }
        };
        let planes: [Plane<'_>; COMPONENTS] = std::array::from_fn(plane);
        let planes = &planes[..headers.used().len()];
        match side {
            4 => scan::halves(data, planes, units, frame.bytes.as_vec()),
            2 => scan::quarters(data, planes, units, frame.bytes.as_vec()),
            _ => scan::eighths(data, planes, units, frame.bytes.as_vec()),
        }?;
        Ok(true)
    }

    /// What was decoded last.
    pub(super) fn frame(&self) -> Option<&RawFrame> {
        self.frame.as_ref()
    }

    /// What a picture's headers say, and which of [`DIVISORS`] it may be made smaller by.
    fn choose(&mut self, jpeg: &[u8]) -> Option<(Headers, usize)> {
        let headers = Headers::read(jpeg, &mut self.tables)?;
        let choice = DIVISORS.into_iter().position(|divisor| self.is_enough(&headers, divisor))?;
        Some((headers, choice))
    }

    /// Whether a picture may be made so much smaller: it may be decoded at all, whole pixels become whole pixels, chroma stays that of
    /// pairs, and enough is left.
    fn is_enough(&self, headers: &Headers, divisor: u32) -> bool {
        let (width_px, height_px) = headers.size_px;
        let pairs = if headers.sharing == Sharing::Grey { 1 } else { 2 };
        if width_px.max(height_px) > MAX_SIDE_PX {
            return false;
        }
        let divides = width_px.is_multiple_of(pairs * divisor) && height_px.is_multiple_of(divisor);
        divides && width_px / divisor >= self.least_px.0 && height_px / divisor >= self.least_px.1
    }
}

/// Units of the picture's scan.
fn units(headers: &Headers) -> Units {
    let (width_px, height_px) = (headers.size_px.0 as usize, headers.size_px.1 as usize);
    let luma = headers.components[0];
    Units {
        across: width_px.div_ceil(fold::SAMPLES * luma.across),
        down: height_px.div_ceil(fold::SAMPLES * luma.down),
        restart_interval: headers.restart_interval,
    }
}

/// The layout of the smaller picture, whose rows have room for all blocks of the scan.
fn layout(headers: &Headers, divisor: u32, units_samples: usize) -> Option<RawLayout> {
    let size_px = (headers.size_px.0 / divisor, headers.size_px.1 / divisor);
    let row_px = u32::try_from(units_samples * headers.components[0].across).ok()?;
    let (format, stride_bytes) = match headers.sharing {
        Sharing::Grey => (PixelFormat::Grey, row_px),
        Sharing::Pairs => (PixelFormat::Yuyv, 2 * row_px),
        Sharing::Squares => (PixelFormat::Yu12, row_px),
    };
    Some(RawLayout::new(format, size_px, stride_bytes, Encoding::JPEG).ok()?.averaged_by(divisor))
}

/// Where the samples of Y, Cb or Cr lie.
fn place(layout: &RawLayout, component: usize) -> Place {
    let (stride, rows) = (layout.stride_bytes(), layout.height_px() as usize);
    match (layout.format(), component) {
        (PixelFormat::Yuyv, 0) => Place { start: 0, stride, rows, step: 2 },
        (PixelFormat::Yuyv, _) => Place { start: 2 * component - 1, stride, rows, step: 4 },
        (PixelFormat::Yu12, 1..) => {
            let (stride_of_chroma, rows_of_chroma) = (stride / 2, rows.div_ceil(2));
            let start = stride * rows + (component - 1) * stride_of_chroma * rows_of_chroma;
            Place { start, stride: stride_of_chroma, rows: rows_of_chroma, step: 1 }
        }
        _ => Place { start: 0, stride, rows, step: 1 },
    }
}
