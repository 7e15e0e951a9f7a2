//! Formats of camera frames: names, geometry, and where each plane lies.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DecodeError, Encoding, MAX_ALLOC_BYTES, MAX_SIDE_PX};
use crate::source::FrameBytes;

/// Formats of camera frames that are understood, by the names that V4L2 has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PixelFormat {
    /// 4:2:2 packed: Y0 Cb Y1 Cr.
    Yuyv,
    /// 4:2:2 packed: Cb Y0 Cr Y1.
    Uyvy,
    /// 4:2:0: a plane of Y, then one of Cb Cr.
    Nv12,
    /// 4:2:0: a plane of Y, then one of Cr Cb.
    Nv21,
    /// 4:2:0: planes of Y, Cb, Cr.
    Yu12,
    /// R G B.
    Rgb3,
    /// B G R.
    Bgr3,
    /// JPEG pictures, with or without their Huffman tables.
    Mjpg,
    /// Luma alone.
    Grey,
}

impl PixelFormat {
    /// Every format; those that lose least first.
    pub const ALL: [Self; 9] =
        [Self::Yuyv, Self::Uyvy, Self::Nv12, Self::Nv21, Self::Yu12, Self::Rgb3, Self::Bgr3, Self::Mjpg, Self::Grey];

    /// V4L2's four-character code.
    pub fn fourcc(self) -> [u8; 4] {
        *match self {
            Self::Yuyv => b"YUYV",
            Self::Uyvy => b"UYVY",
            Self::Nv12 => b"NV12",
            Self::Nv21 => b"NV21",
            Self::Yu12 => b"YU12",
            Self::Rgb3 => b"RGB3",
            Self::Bgr3 => b"BGR3",
            Self::Mjpg => b"MJPG",
            Self::Grey => b"GREY",
        }
    }

    /// The format of a four-character code. `JPEG` is another name for a stream of JPEG pictures.
    pub fn from_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        if &fourcc == b"JPEG" {
            return Some(Self::Mjpg);
        }
        Self::ALL.into_iter().find(|format| format.fourcc() == fourcc)
    }

    /// Whether the numbers are red, green and blue rather than luma and chroma.
    pub fn is_rgb(self) -> bool {
        matches!(self, Self::Rgb3 | Self::Bgr3)
    }

    /// Bytes of a row of the first plane; 0 for compressed pictures.
    fn row_bytes(self, width: usize) -> usize {
        match self {
            Self::Yuyv | Self::Uyvy => 2 * width,
            Self::Rgb3 | Self::Bgr3 => 3 * width,
            // A row of Cb Cr pairs is as long as the row of Y above it, for which an odd width needs one byte more.
            Self::Nv12 | Self::Nv21 => width.next_multiple_of(2),
            // Rows of Cb and Cr are half as long, and so is their stride.
            Self::Yu12 => width.next_multiple_of(2),
            Self::Grey => width,
            Self::Mjpg => 0,
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.fourcc()))
    }
}

/// A format with its geometry and colours. It can only be made where all of them go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawLayout {
    format: PixelFormat,
    width_px: u32,
    height_px: u32,
    stride_bytes: usize,
    encoding: Encoding,
    averaged: u32,
}

/// Why a geometry cannot be decoded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LayoutError {
    /// No picture, or too large a one.
    #[error("{width_px}x{height_px} pixels, wanted 1x1 to {MAX_SIDE_PX}x{MAX_SIDE_PX}")]
    Size {
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
    },
    /// Packed 4:2:2 comes in pairs of pixels.
    #[error("{format} is {width_px} pixels wide, wanted an even number")]
    OddWidth {
        /// The format.
        format: PixelFormat,
        /// Width in pixels.
        width_px: u32,
    },
    /// Rows that overlap, or that are apart by more than any picture needs.
    #[error("{format}: rows are {stride_bytes} bytes apart, wanted {wanted} or more, and an even number for YU12")]
    Stride {
        /// The format.
        format: PixelFormat,
        /// Distance between rows.
        stride_bytes: u32,
        /// Least distance.
        wanted: usize,
    },
}

impl RawLayout {
    /// A format of this size, with `stride_bytes` from one row of its first plane to the next (0: no padding).
    ///
    /// # Errors
    /// Sizes and strides that do not go together, or exceed [`MAX_SIDE_PX`] or [`MAX_ALLOC_BYTES`].
    pub fn new(
        format: PixelFormat,
        (width_px, height_px): (u32, u32),
        stride_bytes: u32,
        encoding: Encoding,
    ) -> Result<Self, LayoutError> {
        if ![width_px, height_px].iter().all(|side| (1..=MAX_SIDE_PX).contains(side)) {
            return Err(LayoutError::Size { width_px, height_px });
        }
        if matches!(format, PixelFormat::Yuyv | PixelFormat::Uyvy) && width_px % 2 == 1 {
            return Err(LayoutError::OddWidth { format, width_px });
        }
        let wanted = format.row_bytes(width_px as usize);
        let stride = if stride_bytes == 0 { wanted } else { stride_bytes as usize };
        let even = format != PixelFormat::Yu12 || stride.is_multiple_of(2);
        if stride < wanted || !even || stride as u64 * u64::from(height_px) > MAX_ALLOC_BYTES {
            return Err(LayoutError::Stride { format, stride_bytes, wanted });
        }
        // Whatever a driver says of its compressed pictures: they are JPEGs.
        let encoding = if format == PixelFormat::Mjpg { Encoding::JPEG } else { encoding };
        Ok(Self { format, width_px, height_px, stride_bytes: stride, encoding, averaged: 1 })
    }

    /// The format.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width in pixels.
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Height in pixels.
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// Bytes from one row of the first plane to the next.
    pub fn stride_bytes(&self) -> usize {
        self.stride_bytes
    }

    /// What the numbers stand for.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The same, of pixels that are the averages of so many by so many of the camera's.
    pub(crate) fn averaged_by(self, averaged: u32) -> Self {
        Self { averaged, ..self }
    }

    /// How many by how many of the camera's pixels each pixel is the average of; usually 1.
    pub(crate) fn averaged(&self) -> u32 {
        self.averaged
    }

    /// Length of a frame; nothing is known beforehand about compressed ones.
    pub fn frame_bytes(&self) -> usize {
        let (height, stride) = (self.height_px as usize, self.stride_bytes);
        match self.format {
            PixelFormat::Mjpg => 0,
            // Two chroma planes of half the stride are as long as one of the whole.
            PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Yu12 => stride * (height + height.div_ceil(2)),
            _ => stride * height,
        }
    }

    /// The bytes of a frame, without whatever follows them.
    pub(crate) fn frame<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], DecodeError> {
        let wanted = self.frame_bytes();
        bytes.get(..wanted).ok_or(DecodeError::Short { bytes: bytes.len(), layout: *self, wanted })
    }

    /// The first plane and whatever follows it.
    pub(crate) fn planes<'b>(&self, bytes: &'b [u8]) -> Result<(&'b [u8], &'b [u8]), DecodeError> {
        Ok(self.frame(bytes)?.split_at(self.stride_bytes * self.height_px as usize))
    }
}

impl fmt::Display for RawLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}", self.format, self.width_px, self.height_px)
    }
}

/// A frame in a camera's format.
#[derive(Debug)]
pub struct RawFrame {
    /// How to read it.
    pub layout: RawLayout,
    /// What the camera delivered, in memory of our own.
    pub bytes: FrameBytes,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decode::{Content, Decoder, Matrix, Picture, Range, decode};
    use crate::source::Pool;

    const BT601: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };

    #[test]
    fn a_short_frame_says_what_it_has_and_what_it_needs() {
        let layout = RawLayout::new(PixelFormat::Yuyv, (640, 480), 0, BT601).unwrap();
        let frame = RawFrame { layout, bytes: vec![0; 4096].into() };
        let error = decode(Content::Raw(frame)).unwrap_err();
        assert_eq!(error.to_string(), "4096 bytes, YUYV 640x480 needs 614400");
    }

    #[test]
    fn an_uncompressed_frame_is_lent_as_it_came_and_a_short_one_is_refused() {
        let layout = RawLayout::new(PixelFormat::Grey, (2, 2), 0, BT601).unwrap();
        let frame = |bytes: &[u8]| Content::Raw(RawFrame { layout, bytes: bytes.to_vec().into() });
        let mut decoder = Decoder::default();
        let lent = decoder.picture(frame(&[1, 2, 3, 4])).unwrap();
        assert!(matches!(lent, Picture::Raw(frame) if frame.bytes[..] == [1, 2, 3, 4]));
        let error = decoder.picture(frame(&[1, 2, 3])).unwrap_err();
        assert_eq!(error.to_string(), "3 bytes, GREY 2x2 needs 4");
    }

    #[test]
    fn a_frame_that_is_let_go_of_leaves_its_memory_to_the_next_one() {
        let layout = RawLayout::new(PixelFormat::Grey, (2, 2), 0, BT601).unwrap();
        let (pool, mut decoder) = (Arc::new(Pool::default()), Decoder::default());
        let bytes = vec![1, 2, 3, 4];
        let place = bytes.as_ptr();
        decoder.picture(Content::Raw(RawFrame { layout, bytes: pool.send(bytes) })).unwrap();
        assert_eq!(pool.take().capacity(), 0);
        decoder.let_go();
        let home = pool.take();
        assert_eq!(home.as_ptr(), place);
    }

    #[test]
    fn geometry_that_cannot_be_is_refused() {
        let layout = |format, size, stride| RawLayout::new(format, size, stride, BT601);
        assert!(matches!(layout(PixelFormat::Rgb3, (0, 480), 0), Err(LayoutError::Size { .. })));
        assert!(matches!(layout(PixelFormat::Rgb3, (16_385, 1), 0), Err(LayoutError::Size { .. })));
        assert!(matches!(layout(PixelFormat::Uyvy, (5, 4), 0), Err(LayoutError::OddWidth { .. })));
        assert!(matches!(layout(PixelFormat::Nv12, (6, 4), 5), Err(LayoutError::Stride { wanted: 6, .. })));
        assert!(matches!(layout(PixelFormat::Yu12, (6, 4), 7), Err(LayoutError::Stride { .. })));
        assert!(matches!(layout(PixelFormat::Grey, (16, 16_384), u32::MAX), Err(LayoutError::Stride { .. })));
    }

    #[test]
    fn every_code_leads_back_to_its_format() {
        for format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_fourcc(format.fourcc()), Some(format));
        }
        assert_eq!(PixelFormat::from_fourcc(*b"JPEG"), Some(PixelFormat::Mjpg));
        assert_eq!(PixelFormat::from_fourcc(*b"H264"), None);
    }
}
