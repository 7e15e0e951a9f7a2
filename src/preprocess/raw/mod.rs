//! A camera's bytes straight to the network's input: crop, resize, colours, normalising and layout in one go.
//!
//! Resampling and the step from YCbCr to RGB are both linear, so their order does not matter: the camera's bytes are resampled as they
//! are, with the weight of a chroma byte being that of all pixels that share it, and only the network's few pixels become
//! colours. Only clamping is not linear: what it takes from colours that RGB does not have is found out where there are any
//! (`gamut`). No picture of the camera's size is ever made, and bytes that do not count are not read.

mod bounds;
mod color;
mod excess;
mod filter;
mod gamut;
mod horizontal;
mod lines;
mod planes;
#[cfg(test)]
pub(super) mod tests;
mod vertical;

use crate::decode::{DecodeError, RawLayout};
use crate::package::InputSpec;
use color::Channel;
use filter::Axis;
use gamut::Gamut;
use lines::Lines;
use vertical::{Blend, Block, Rows};

/// The part of a picture that the network sees, in source pixels: left, top, width, height.
pub(super) type Region = (f64, f64, f64, f64);

/// Everything about one layout that is the same for every frame, and the memory to work in.
pub(super) struct Fused {
    layout: RawLayout,
    rows: Rows,
    stage: Stage,
    channels: [Channel; 3],
    /// One row of the network's pixels, before what clamping takes is known: [3][width].
    colors: Vec<f32>,
}

/// The resamplers of a frame's planes, and of what clamping takes; where a format cannot leave the gamut there is none.
struct Stage {
    planes: Vec<Lines>,
    gamut: Option<Gamut>,
}

impl Fused {
    /// Prepares for frames of this layout.
    pub(super) fn new(layout: RawLayout, spec: &InputSpec, (left, top, width, height): Region) -> Self {
        let across =
            Axis::new(left, width, spec.width as usize, layout.width_px() as usize).averaged(layout.averaged());
        let down =
            Axis::new(top, height, spec.height as usize, layout.height_px() as usize).averaged(layout.averaged());
        let channels = color::channels(&layout, spec);
        // From an even column on, with which chroma begins.
        let used = across.used().start / 2 * 2..across.used().end;
        let planes = planes::of(layout.format());
        let lines = |plane: &planes::Plane| Lines::new(*plane, &layout, &across, used.clone());
        Self {
            layout,
            rows: Rows::new(&down),
            stage: Stage {
                planes: planes.iter().map(lines).collect(),
                gamut: Gamut::new(&channels, planes, &across, used.clone()),
            },
            channels,
            colors: vec![0.0; 3 * spec.width as usize],
        }
    }

    /// The layout that this is for.
    pub(super) fn layout(&self) -> &RawLayout {
        &self.layout
    }

    /// Fills the network's input, [3][height][width], from a frame.
    ///
    /// # Errors
    /// A frame that is too short.
    pub(super) fn run(&mut self, bytes: &[u8], tensor: &mut [f32]) -> Result<(), DecodeError> {
        let planes = self.stage.split(self.layout.frame(bytes)?);
        let width = self.colors.len() / 3;
        for row in 0..tensor.len() / 3 / width {
            match &self.rows {
                Rows::Ramps(segments) => {
                    if row == 0 {
                        self.stage.add(&segments[0], &planes);
                    }
                    self.stage.turn();
                    self.stage.add(&segments[row + 1], &planes);
                }
                Rows::Blends(blends) => self.stage.blend(&blends[row], &planes),
            }
            self.finish(row, tensor);
        }
        Ok(())
    }

    /// Resamples the rows that were reached along themselves, and makes the network's input of them.
    fn finish(&mut self, row: usize, tensor: &mut [f32]) {
        let (plane_length, width) = (tensor.len() / 3, self.colors.len() / 3);
        for (colors, Channel { gains: [.., offset], .. }) in self.colors.chunks_exact_mut(width).zip(&self.channels) {
            colors.fill(*offset);
        }
        let gains = self.channels.map(|Channel { gains: [first, second, third, _], .. }| [first, second, third]);
        self.stage.planes.iter_mut().for_each(|lines| lines.add_to(&gains, &mut self.colors));
        if let Some(gamut) = &mut self.stage.gamut {
            gamut.subtract_from(&mut self.colors);
        }
        let rows = self.colors.chunks_exact(width).zip(tensor.chunks_exact_mut(plane_length));
        for ((colors, plane), channel) in rows.zip(&self.channels) {
            color::finish(colors, channel, &mut plane[row * width..][..width]);
        }
    }
}

impl Stage {
    /// The planes of a frame.
    fn split<'b>(&self, frame: &'b [u8]) -> [&'b [u8]; 3] {
        let (mut planes, mut rest) = ([&[][..]; 3], frame);
        for (plane, lines) in planes.iter_mut().zip(&self.planes) {
            (*plane, rest) = rest.split_at(lines.length_bytes());
        }
        planes
    }

    /// What was the coming output row is now the one that ends.
    fn turn(&mut self) {
        self.planes.iter_mut().for_each(Lines::turn);
        if let Some(gamut) = &mut self.gamut {
            gamut.turn();
        }
    }

    /// Adds the rows between the centres of the ending output row and of the coming one.
    fn add(&mut self, segment: &[Block], planes: &[&[u8]; 3]) {
        for (index, block) in segment.iter().enumerate() {
            for (lines, plane) in self.planes.iter_mut().zip(planes) {
                lines.add(block, index == 0, plane);
            }
            if let Some(gamut) = &mut self.gamut {
                gamut.add(block, &self.planes, planes);
            }
        }
        if segment.is_empty() {
            self.planes.iter_mut().for_each(Lines::clear_coming);
        }
    }

    /// Makes the ending output row of the rows between which it lies.
    fn blend(&mut self, blend: &Blend, planes: &[&[u8]; 3]) {
        for (lines, plane) in self.planes.iter_mut().zip(planes) {
            lines.blend(blend, plane);
        }
        if let Some(gamut) = &mut self.gamut {
            gamut.blend(blend, &self.planes, planes);
        }
    }
}
