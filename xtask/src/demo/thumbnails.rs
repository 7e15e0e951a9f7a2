//! Where thumbnails go along the curve: every unknown segment has one, known segments fill what room is left.

use std::ops::Range;
use std::path::PathBuf;

use image::RgbImage;
use image::imageops::crop_imm;

/// A segment's extent in the picture.
pub(super) struct Span<'a> {
    /// From its first frame to behind its last.
    pub(super) pixels: Range<f64>,
    /// Its pictures.
    pub(super) pictures: &'a [PathBuf],
    /// Whether it has a thumbnail even where it is narrower than one.
    pub(super) wanted: bool,
}

/// Left edges and pictures of thumbnails of `side` pixels, `gap` apart, none over another. Each shows the frame over
/// whose place it stands, as near as there is room.
pub(super) fn place(spans: &[Span], side: u32, gap: u32) -> Vec<(u32, PathBuf)> {
    let (side, gap) = (f64::from(side), f64::from(gap));
    let mut taken: Vec<(f64, PathBuf)> = Vec::new();
    let wanted_first = spans.iter().filter(|span| span.wanted).chain(spans.iter().filter(|span| !span.wanted));
    for span in wanted_first {
        let room = if span.wanted { span.pixels.clone() } else { free(span, &taken, side, gap) };
        let width = room.end - room.start;
        let fitting = ((width + gap) / (side + gap)).floor().max(0.0) as usize;
        let count = if span.wanted { fitting.max(1) } else { fitting };
        for index in 0..count {
            let middle = room.start + width * (index as f64 + 0.5) / count as f64;
            let share = (middle - span.pixels.start) / (span.pixels.end - span.pixels.start);
            if let Some(path) = span.pictures.get((share * span.pictures.len() as f64) as usize) {
                taken.push((middle - side / 2.0, path.clone()));
            }
        }
    }
    taken.into_iter().map(|(left, path)| (left.max(0.0).round() as u32, path)).collect()
}

/// What the thumbnails that reach in from both sides leave of a span.
fn free(span: &Span, taken: &[(f64, PathBuf)], side: f64, gap: f64) -> Range<f64> {
    let middle = (span.pixels.start + span.pixels.end) / 2.0;
    let (left, right): (Vec<f64>, Vec<f64>) =
        taken.iter().map(|(left, _)| *left).partition(|left| left + side / 2.0 < middle);
    let start = left.into_iter().map(|left| left + side + gap).fold(span.pixels.start, f64::max);
    let end = right.into_iter().map(|left| left - gap).fold(span.pixels.end, f64::min);
    start..end
}

/// The largest square around a picture's middle.
pub(super) fn square(picture: &RgbImage) -> RgbImage {
    let side = picture.width().min(picture.height());
    let (left, top) = ((picture.width() - side) / 2, (picture.height() - side) / 2);
    crop_imm(picture, left, top, side, side).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_narrow_unknown_segment_takes_room_from_its_known_neighbours() {
        let (known, unknown) = (pictures(&["k0", "k1", "k2", "k3"]), pictures(&["u0", "u1"]));
        let spans = [
            Span { pixels: 0.0..40.0, pictures: &known, wanted: false },
            Span { pixels: 40.0..44.0, pictures: &unknown, wanted: true },
        ];
        let placed = place(&spans, 10, 0);
        assert_eq!(placed[0], (37, PathBuf::from("u1")));
        let known: Vec<u32> = placed[1..].iter().map(|(left, _)| *left).collect();
        assert_eq!(known, [1, 14, 26], "a fourth would lie under the unknown one");
    }

    #[test]
    fn the_middle_of_a_wide_picture_is_its_square() {
        let wide = RgbImage::from_fn(6, 2, |x, _| image::Rgb([x as u8, 0, 0]));
        let square = square(&wide);
        assert_eq!((square.dimensions(), square.get_pixel(0, 0)), ((2, 2), &image::Rgb([2, 0, 0])));
    }
}
