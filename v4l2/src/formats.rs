//! Formats, sizes and rates as the driver names them.

use std::fmt;
use std::str::FromStr;

use v4l::v4l_sys as raw;

use crate::device::text;
use crate::sys;

/// A four-character code, such as `YUYV`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// The code as V4L2 writes it: first character in the lowest byte.
    pub fn code(self) -> u32 {
        u32::from_le_bytes(self.0)
    }

    fn from_code(code: u32) -> Self {
        Self(code.to_le_bytes())
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(String::from_utf8_lossy(&self.0).trim_end())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for FourCc {
    type Err = std::array::TryFromSliceError;

    /// Shorter codes are padded with spaces.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        format!("{text:<4}").as_bytes().try_into().map(Self)
    }
}

/// A format that a driver lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatDescription {
    /// Its code.
    pub fourcc: FourCc,
    /// The driver's words for it.
    pub description: String,
}

impl FormatDescription {
    pub(crate) fn from_raw(raw: &raw::v4l2_fmtdesc) -> Self {
        Self { fourcc: FourCc::from_code(raw.pixelformat), description: text(&raw.description) }
    }
}

/// A picture size, or a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeRange {
    /// Smallest width and height in pixels.
    pub min_px: (u32, u32),
    /// Largest width and height in pixels.
    pub max_px: (u32, u32),
}

/// Time between two frames: a fraction of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Upper part, in seconds.
    pub numerator: u32,
    /// Lower part.
    pub denominator: u32,
}

impl Interval {
    /// The time between frames at this rate, to a thousandth of a frame per second.
    pub fn from_rate(frames_per_second: f64) -> Self {
        // Out of range is clamped by the cast; whole rates stay whole, which some drivers compare bit by bit.
        let whole = frames_per_second.fract() == 0.0;
        let numerator = if whole { 1 } else { 1000 };
        Self { numerator, denominator: (frames_per_second * f64::from(numerator)).round() as u32 }
    }

    /// Frames per second; none where the fraction is none.
    pub fn rate(self) -> Option<f64> {
        self.known().map(|known| f64::from(known.denominator) / f64::from(known.numerator))
    }

    /// Seconds between frames; none where the fraction is none.
    pub fn seconds(self) -> Option<f64> {
        self.known().map(|known| f64::from(known.numerator) / f64::from(known.denominator))
    }

    pub(crate) fn known(self) -> Option<Self> {
        (self.numerator != 0 && self.denominator != 0).then_some(self)
    }

    pub(crate) fn from_raw(raw: raw::v4l2_fract) -> Self {
        Self { numerator: raw.numerator, denominator: raw.denominator }
    }

    pub(crate) fn to_raw(self) -> raw::v4l2_fract {
        raw::v4l2_fract { numerator: self.numerator, denominator: self.denominator }
    }
}

/// A format to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its code.
    pub fourcc: FourCc,
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
}

/// What a driver delivers. The colour fields are the numbers of `videodev2.h`: a newer kernel may have new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelFormat {
    /// Its code.
    pub fourcc: FourCc,
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
    /// Bytes from one row to the next, of the first plane; 0 for compressed formats.
    pub stride_bytes: u32,
    /// Most bytes that a frame may have.
    pub size_bytes: u32,
    /// V4L2_FIELD_*: whether a frame is a whole picture.
    pub field: u32,
    /// V4L2_COLORSPACE_*.
    pub colorspace: u32,
    /// V4L2_YCBCR_ENC_*.
    pub ycbcr_encoding: u32,
    /// V4L2_QUANTIZATION_*.
    pub quantization: u32,
}

/// From the kernel's structure.
pub(crate) fn pixel_format(raw: &raw::v4l2_pix_format) -> PixelFormat {
    PixelFormat {
        fourcc: FourCc::from_code(raw.pixelformat),
        width_px: raw.width,
        height_px: raw.height,
        stride_bytes: raw.bytesperline,
        size_bytes: raw.sizeimage,
        field: raw.field,
        colorspace: raw.colorspace,
        ycbcr_encoding: sys::ycbcr_encoding(raw),
        quantization: raw.quantization,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_rates_stay_whole_and_others_keep_a_thousandth() {
        assert_eq!(Interval::from_rate(30.0), Interval { numerator: 1, denominator: 30 });
        assert_eq!(Interval::from_rate(29.97), Interval { numerator: 1000, denominator: 29_970 });
        assert_eq!(Interval { numerator: 0, denominator: 30 }.rate(), None);
    }

    #[test]
    fn a_code_is_read_and_written_as_users_write_it() {
        let code: FourCc = "Y16".parse().unwrap();
        assert_eq!((code, code.to_string().as_str()), (FourCc(*b"Y16 "), "Y16"));
        assert_eq!(FourCc(*b"YUYV").code(), 0x5659_5559);
        assert!("YUYV2".parse::<FourCc>().is_err());
    }
}
