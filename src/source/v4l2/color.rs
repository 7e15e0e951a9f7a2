//! From the driver's words on colour to a matrix and a range, by the rules that `videodev2.h` gives for what is left open.

use oodwatch_v4l2 as v4l2;

use super::{OpenError, V4l2Config};
use crate::decode::{Encoding, Matrix, PixelFormat, Range};

/// V4L2_COLORSPACE_*.
mod colorspace {
    pub(super) const SMPTE240M: u32 = 2;
    pub(super) const REC709: u32 = 3;
    pub(super) const JPEG: u32 = 7;
    pub(super) const BT2020: u32 = 10;
    pub(super) const DCI_P3: u32 = 12;
}

/// How to read the colours of a format, by the driver or, where it has its own word, by the config.
pub(super) fn encoding(
    config: &V4l2Config,
    format: PixelFormat,
    found: &v4l2::PixelFormat,
) -> Result<Encoding, OpenError> {
    // Of RGB, grey and JPEG pictures the matrix does not matter: there is none, or the picture's own standard has it.
    let needs_matrix = !format.is_rgb() && !matches!(format, PixelFormat::Grey | PixelFormat::Mjpg);
    let matrix = match config.color_matrix.named() {
        Some(matrix) => matrix,
        None if needs_matrix => matrix(found)?,
        None => Matrix::Bt601,
    };
    Ok(Encoding { matrix, range: config.color_range.named().unwrap_or_else(|| range(format, found)) })
}

/// V4L2_YCBCR_ENC_*, and V4L2_MAP_YCBCR_ENC_DEFAULT.
fn matrix(found: &v4l2::PixelFormat) -> Result<Matrix, OpenError> {
    Ok(match (found.ycbcr_encoding, found.colorspace) {
        (0, colorspace::REC709 | colorspace::DCI_P3) => Matrix::Bt709,
        (0, colorspace::BT2020) => Matrix::Bt2020,
        (0, colorspace::SMPTE240M) => Matrix::Smpte240m,
        // Default; 601, xv601 and sYCC share their weights, as do 709 and xv709.
        (0 | 1 | 3 | 5, _) => Matrix::Bt601,
        (2 | 4, _) => Matrix::Bt709,
        (6, _) => Matrix::Bt2020,
        (8, _) => Matrix::Smpte240m,
        // 7, BT.2020 with constant luminance, is no matrix at all.
        (encoding, _) => return Err(OpenError::Encoding { encoding }),
    })
}

/// V4L2_QUANTIZATION_*, and V4L2_MAP_QUANTIZATION_DEFAULT.
fn range(format: PixelFormat, found: &v4l2::PixelFormat) -> Range {
    match found.quantization {
        1 => Range::Full,
        2 => Range::Limited,
        _ if format.is_rgb() || found.colorspace == colorspace::JPEG => Range::Full,
        _ => Range::Limited,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::v4l2::{ColorMatrix, ColorRange};

    fn found(colorspace: u32, ycbcr_encoding: u32, quantization: u32) -> v4l2::PixelFormat {
        v4l2::PixelFormat {
            fourcc: v4l2::FourCc(*b"YUYV"),
            width_px: 640,
            height_px: 480,
            stride_bytes: 1280,
            size_bytes: 614_400,
            field: 1,
            colorspace,
            ycbcr_encoding,
            quantization,
        }
    }

    /// Colour space, encoding and quantization as numbers of `videodev2.h`.
    #[test]
    fn what_a_driver_leaves_open_follows_the_rules_of_the_header() {
        let config = V4l2Config::new(Path::new("/dev/video0"));
        let check = |format, driver: (u32, u32, u32), matrix, range| {
            let encoding = encoding(&config, format, &found(driver.0, driver.1, driver.2)).unwrap();
            assert_eq!(encoding, Encoding { matrix, range }, "{format} {driver:?}");
        };
        let yuyv = PixelFormat::Yuyv;
        check(yuyv, (0, 0, 0), Matrix::Bt601, Range::Limited);
        check(yuyv, (1, 0, 0), Matrix::Bt601, Range::Limited);
        check(yuyv, (2, 0, 0), Matrix::Smpte240m, Range::Limited);
        check(yuyv, (3, 0, 0), Matrix::Bt709, Range::Limited);
        check(yuyv, (7, 0, 0), Matrix::Bt601, Range::Full);
        check(yuyv, (8, 0, 0), Matrix::Bt601, Range::Limited);
        check(yuyv, (10, 0, 0), Matrix::Bt2020, Range::Limited);
        check(yuyv, (12, 0, 0), Matrix::Bt709, Range::Limited);
        check(yuyv, (3, 1, 1), Matrix::Bt601, Range::Full);
        check(yuyv, (8, 2, 2), Matrix::Bt709, Range::Limited);
        check(yuyv, (8, 8, 0), Matrix::Smpte240m, Range::Limited);
        check(PixelFormat::Rgb3, (8, 7, 0), Matrix::Bt601, Range::Full);
        check(PixelFormat::Rgb3, (8, 0, 2), Matrix::Bt601, Range::Limited);
        check(PixelFormat::Grey, (8, 0, 0), Matrix::Bt601, Range::Limited);
    }

    #[test]
    fn an_encoding_that_is_no_matrix_is_refused_unless_the_config_names_one() {
        let mut config = V4l2Config::new(Path::new("/dev/video0"));
        let constant_luminance = found(10, 7, 0);
        let refused = encoding(&config, PixelFormat::Nv12, &constant_luminance);
        assert!(matches!(refused, Err(OpenError::Encoding { encoding: 7 })));
        config.color_matrix = ColorMatrix::Bt2020;
        config.color_range = ColorRange::Full;
        let named = encoding(&config, PixelFormat::Nv12, &constant_luminance).unwrap();
        assert_eq!(named, Encoding { matrix: Matrix::Bt2020, range: Range::Full });
    }
}
