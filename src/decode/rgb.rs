//! RGB and grey frames: copied row by row; where black is 16 and white 235, stretched to 0 and 255.

use image::RgbImage;

use super::{DecodeError, PixelFormat, Range, RawLayout};

/// Decodes an RGB3, BGR3 or GREY frame.
pub(super) fn decode(bytes: &[u8], layout: &RawLayout, image: &mut RgbImage) -> Result<(), DecodeError> {
    let (plane, _) = layout.planes(bytes)?;
    let width = layout.width_px() as usize;
    let rows = plane.chunks_exact(layout.stride_bytes());
    for (row, out) in rows.zip(image.chunks_exact_mut(3 * width)) {
        match layout.format() {
            PixelFormat::Rgb3 => out.copy_from_slice(&row[..3 * width]),
            PixelFormat::Bgr3 => {
                for (bgr, rgb) in row.chunks_exact(3).zip(out.chunks_exact_mut(3)) {
                    rgb.copy_from_slice(&[bgr[2], bgr[1], bgr[0]]);
                }
            }
            _ => {
                for (grey, rgb) in row.iter().zip(out.chunks_exact_mut(3)) {
                    rgb.fill(*grey);
                }
            }
        }
    }
    if layout.encoding().range == Range::Limited {
        let stretched = stretch_table();
        for value in image.iter_mut() {
            *value = stretched[usize::from(*value)];
        }
    }
    Ok(())
}

/// From 16..=235 to 0..=255, rounded.
fn stretch_table() -> [u8; 256] {
    std::array::from_fn(|value| (((value.clamp(16, 235) - 16) * 255 + 109) / 219) as u8)
}
