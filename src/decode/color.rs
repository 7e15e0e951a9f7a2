//! How a driver's numbers stand for colours: the matrix between luma, chroma and RGB, and the range of the numbers.

use std::fmt;

/// Weights of red and blue in luma; they determine the matrix between YCbCr and RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, JPEG, and most webcams.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// SMPTE 240M: early high definition.
    Smpte240m,
    /// ITU-R BT.2020, not constant luminance.
    Bt2020,
}

impl Matrix {
    /// Kr and Kb: the weights of red and blue in luma.
    pub fn weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Smpte240m => (0.212, 0.087),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bt601 => "BT.601",
            Self::Bt709 => "BT.709",
            Self::Smpte240m => "SMPTE 240M",
            Self::Bt2020 => "BT.2020",
        })
    }
}

/// Which numbers stand for black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma and RGB from 16 to 235, chroma from 16 to 240.
    Limited,
    /// From 0 to 255.
    Full,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limited => "limited",
            Self::Full => "full",
        })
    }
}

/// Both of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Without meaning for RGB and grey.
    pub matrix: Matrix,
    /// Of luma and chroma, or of red, green and blue.
    pub range: Range,
}

/// The way from luma and chroma to RGB, for numbers of 8 bits: `luma * (Y - black)`, plus for red, green and blue what chroma adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct YcbcrGains {
    pub(crate) luma: f64,
    pub(crate) black: f64,
    /// Of red, green and blue: factors of `Cb - 128` and `Cr - 128`.
    pub(crate) chroma: [[f64; 2]; 3],
}

impl Encoding {
    /// What JFIF says of every JPEG picture.
    pub const JPEG: Self = Self { matrix: Matrix::Bt601, range: Range::Full };

    /// From the weights of red and blue in luma: ITU-R BT.601-7, 2.5, solved for red, green and blue.
    pub(crate) fn rgb_from_ycbcr(self) -> YcbcrGains {
        let (kr, kb) = self.matrix.weights();
        let kg = 1.0 - kr - kb;
        let (luma, black, chroma) = match self.range {
            Range::Limited => (255.0 / 219.0, 16.0, 255.0 / 224.0),
            Range::Full => (1.0, 0.0, 1.0),
        };
        let (red, blue) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
        YcbcrGains { luma, black, chroma: [[0.0, red], [-blue * kb / kg, -red * kr / kg], [blue, 0.0]] }
    }
}
