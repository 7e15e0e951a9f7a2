//! How a camera hangs: the turn that makes its picture upright.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Clockwise, in degrees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Rotation {
    /// Upright already.
    #[default]
    None,
    /// A quarter: what is on the left of the camera's picture comes to the top.
    Quarter,
    /// A half: the camera hangs upside down.
    Half,
    /// Three quarters: what is on the right of the camera's picture comes to the top.
    ThreeQuarters,
}

impl TryFrom<u16> for Rotation {
    type Error = String;

    fn try_from(degrees: u16) -> Result<Self, String> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Quarter),
            180 => Ok(Self::Half),
            270 => Ok(Self::ThreeQuarters),
            _ => Err(format!("rotate = {degrees}, wanted 0, 90, 180 or 270 (degrees, clockwise)")),
        }
    }
}

impl From<Rotation> for u16 {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::None => 0,
            Rotation::Quarter => 90,
            Rotation::Half => 180,
            Rotation::ThreeQuarters => 270,
        }
    }
}

/// Which sides change places, after the rotation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mirror {
    /// None.
    #[default]
    None,
    /// Left and right.
    Horizontal,
    /// Top and bottom.
    Vertical,
}

/// The way from the upright picture back to the camera's own, the *lying* one: columns and rows change places where it is
/// `transposed`, then they are counted from the other end where they are `reversed`.
///
/// Four rotations and three mirrors make eight different turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    transposed: bool,
    /// Of the lying picture: columns, rows.
    reversed: [bool; 2],
}

/// Where the pixels of an upright picture lie: the place of the first, and the steps to the one right of it and to the one below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) first: usize,
    pub(crate) right: isize,
    pub(crate) down: isize,
}

impl Turn {
    /// First the rotation, then the mirror.
    pub fn new(rotation: Rotation, mirror: Mirror) -> Self {
        let (transposed, mut reversed) = match rotation {
            Rotation::None => (false, [false, false]),
            Rotation::Quarter => (true, [false, true]),
            Rotation::Half => (false, [true, true]),
            Rotation::ThreeQuarters => (true, [true, false]),
        };
        // Columns of the upright picture are rows of a transposed one.
        match mirror {
            Mirror::None => {}
            Mirror::Horizontal => reversed[usize::from(transposed)] ^= true,
            Mirror::Vertical => reversed[usize::from(!transposed)] ^= true,
        }
        Self { transposed, reversed }
    }

    /// Whether the picture is upright as it lies.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Width and height, or any pair that goes with them, of the lying picture from those of the upright one, and the other way
    /// round.
    pub fn swap<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.transposed { (height, width) } else { (width, height) }
    }

    /// A place in the lying picture, from that in the upright one; both in fractions of their picture from 0 to 1.
    pub(crate) fn lying(self, [u, v]: [f64; 2]) -> [f64; 2] {
        let (x, y) = self.swap((u, v));
        let [x_reversed, y_reversed] = self.reversed;
        [if x_reversed { 1.0 - x } else { x }, if y_reversed { 1.0 - y } else { y }]
    }

    /// Where the pixels of an upright picture of this size lie, row by row.
    pub(crate) fn walk(self, upright: (usize, usize)) -> Walk {
        let (width, height) = self.swap(upright);
        let [x_reversed, y_reversed] = self.reversed;
        let first_x = if x_reversed { width - 1 } else { 0 };
        let first_y = if y_reversed { height - 1 } else { 0 };
        let step = |reversed, length: usize| if reversed { -(length as isize) } else { length as isize };
        let (right, down) = self.swap((step(x_reversed, 1), step(y_reversed, width)));
        Walk { first: first_y * width + first_x, right, down }
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Horizontal => "horizontal",
            Self::Vertical => "vertical",
        })
    }
}
