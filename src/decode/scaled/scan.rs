//! The one scan of a picture: block after block to averages of its samples, and where these lie (ITU-T T.81, A.2 and F.2).

use super::entropy::{Bits, EntropyCoded};
use super::fold::{MOST_SUMS, Steps, averages};
use super::headers::Component;
use super::huffman::{Kind, Table, run_and_size};
use crate::simd::vectorised;

/// What a block says that has more coefficients than 64, or a code that no table has.
const DAMAGED: &str = "its data is damaged";
const CUT_SHORT: &str = "its data is cut short";

/// Where a component's samples lie among the frame's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) start: usize,
    /// Bytes from one row to the next, wide enough for every block of the scan, and how many rows there are.
    pub(super) stride: usize,
    pub(super) rows: usize,
    /// Bytes from one sample to the next.
    pub(super) step: usize,
}

/// A component with all that its blocks need.
#[derive(Debug)]
pub(super) struct Plane<'t> {
    pub(super) component: Component,
    pub(super) first: &'t Table,
    pub(super) other: &'t Table,
    pub(super) steps: &'t Steps,
    pub(super) place: Place,
}

/// Units of the scan: per row, rows, and between two restart markers (0: there are none).
#[derive(Debug, Clone, Copy)]
pub(super) struct Units {
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) restart_interval: usize,
}

impl Units {
    fn all(self) -> usize {
        self.across * self.down
    }

    /// Units from one restart to the next.
    fn per_segment(self) -> usize {
        if self.restart_interval == 0 { self.all() } else { self.restart_interval }
    }

    /// Into how many segments restarts cut the data.
    pub(super) fn segments(self) -> usize {
        self.all().div_ceil(self.per_segment())
    }
}

vectorised! {
    /// Fills a frame with the averages of groups of 2x2 samples.
    pub(super) fn halves(data: &EntropyCoded, planes: &[Plane<'_>], units: Units, frame: &mut [u8]) -> Result<(), String> {
        run::<4>(data, planes, units, frame)
    }

    /// The same of groups of 4x4.
    pub(super) fn quarters(data: &EntropyCoded, planes: &[Plane<'_>], units: Units, frame: &mut [u8]) -> Result<(), String> {
        run::<2>(data, planes, units, frame)
    }

    /// The same of groups of 8x8.
    pub(super) fn eighths(data: &EntropyCoded, planes: &[Plane<'_>], units: Units, frame: &mut [u8]) -> Result<(), String> {
        run::<1>(data, planes, units, frame)
    }
}

/// `SIDE` averages of each block, per row and per column.
#[inline(always)]
fn run<const SIDE: usize>(
    data: &EntropyCoded,
    planes: &[Plane<'_>],
    units: Units,
    frame: &mut [u8],
) -> Result<(), String> {
    let (found, wanted, per_segment) = (data.segments(), units.segments(), units.per_segment());
    if found < wanted {
        return Err(format!("a restart marker is missing: data in {found} segments, wanted {wanted}"));
    }
    let (mut x, mut y, mut left) = (0, 0, units.all());
    for mut bits in data.readers() {
        let mut firsts = [0; 3];
        for _ in 0..left.min(per_segment) {
            for (plane, first) in planes.iter().zip(&mut firsts) {
                unit::<SIDE>(&mut bits, plane, (x, y), first, frame)?;
            }
            x += 1;
            if x == units.across {
                (x, y) = (0, y + 1);
                // Also here, not at the end alone: a few bytes may claim to be a large picture.
                if bits.is_overrun() {
                    return Err(CUT_SHORT.into());
                }
            }
        }
        if bits.is_overrun() {
            return Err(CUT_SHORT.into());
        }
        left = left.saturating_sub(per_segment);
    }
    Ok(())
}

/// The blocks of a component in one unit.
#[inline(always)]
fn unit<const SIDE: usize>(
    bits: &mut Bits<'_>,
    plane: &Plane<'_>,
    (x, y): (usize, usize),
    first: &mut i32,
    frame: &mut [u8],
) -> Result<(), &'static str> {
    let Component { across, down, .. } = plane.component;
    for row in 0..down {
        for column in 0..across {
            let averages = block::<SIDE>(bits, plane, first)?;
            put(&averages, &plane.place, (x * across + column, y * down + row), frame);
        }
    }
    Ok(())
}

/// Averages of the next block. `first` is the first coefficient of the block before it, and then of this one.
#[inline(always)]
fn block<const SIDE: usize>(
    reader: &mut Bits<'_>,
    plane: &Plane<'_>,
    first: &mut i32,
) -> Result<[[u8; SIDE]; SIDE], &'static str> {
    // In registers, not where the reader lies.
    let mut bits = *reader;
    let mut sums = [0.0; MOST_SUMS];
    *first = first.wrapping_add(difference(&mut bits, plane.first)?);
    sums[0] = *first as f32 * plane.steps[0].weight;
    let mut at = 1;
    let mut add = |at: usize, value: i32| {
        // Of whole blocks only the first coefficient counts.
        if SIDE > 1 {
            let step = plane.steps[at % plane.steps.len()];
            sums[step.place as usize % MOST_SUMS] += value as f32 * step.weight;
        }
    };
    while at < 64 {
        bits.refill();
        let entry = plane.other.look_up(&bits);
        if entry.kind() == Kind::Value {
            bits.skip(entry.length());
            at += entry.run();
            add(at, entry.value());
            at += 1;
            if entry.end_length() > 0 {
                // Behind the last coefficient there is no end: what looks like one is the next block's.
                if at < 64 {
                    bits.skip(entry.end_length());
                }
                break;
            }
            continue;
        }
        let (run, size) = match entry.kind() {
            Kind::Long => {
                let (symbol, length) = plane.other.long(bits.peek(16)).ok_or(DAMAGED)?;
                bits.skip(length);
                run_and_size(symbol)
            }
            Kind::End => {
                bits.skip(entry.length());
                break;
            }
            _ => {
                bits.skip(entry.length());
                (entry.run() as u32, entry.value() as u32)
            }
        };
        if size == 0 && run != 15 {
            break;
        }
        at += run as usize;
        add(at, bits.number(size));
        at += 1;
    }
    *reader = bits;
    if at > 64 { Err(DAMAGED) } else { Ok(averages(&sums)) }
}

/// What the first coefficient differs by from that of the block before it.
#[inline(always)]
fn difference(bits: &mut Bits<'_>, table: &Table) -> Result<i32, &'static str> {
    bits.refill();
    let entry = table.look_up(bits);
    match entry.kind() {
        Kind::Long => {
            let (size, length) = table.long(bits.peek(16)).ok_or(DAMAGED)?;
            bits.skip(length);
            Ok(bits.number(size.into()))
        }
        Kind::Size => {
            bits.skip(entry.length());
            Ok(bits.number(entry.value() as u32))
        }
        _ => {
            bits.skip(entry.length());
            Ok(entry.value())
        }
    }
}

/// Writes a block's averages to where they belong; those of rows below the picture are left out.
#[inline(always)]
fn put<const SIDE: usize>(averages: &[[u8; SIDE]; SIDE], place: &Place, (x, y): (usize, usize), frame: &mut [u8]) {
    let rows = place.rows.saturating_sub(y * SIDE);
    for (row, values) in averages.iter().enumerate().take(rows) {
        let start = place.start + (y * SIDE + row) * place.stride + x * SIDE * place.step;
        let end = start + (SIDE - 1) * place.step;
        let Some(line) = frame.get_mut(start..=end) else { return };
        for (column, average) in values.iter().enumerate() {
            line[column * place.step] = *average;
        }
    }
}
