//! Pictures of numbers as PNG files; needs neither a display nor a font on the machine.

use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;

/// Name of the built-in font.
pub(crate) const FONT: &str = "sans-serif";

/// Part of a picture that is drawn on.
pub(crate) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
/// What drawing on it gives.
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("plot: {path}: {what}", path = path.display())]
pub struct PlotError {
    path: PathBuf,
    what: String,
}

/// Draws on white and writes the picture to `path`, whole or not at all.
///
/// # Errors
/// The picture cannot be drawn or written.
pub(crate) fn save(
    path: &Path,
    (width, height): (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<(), PlotError> {
    let fail = |what: String| PlotError { path: path.into(), what };
    let mut pixels = vec![255u8; (width * height * 3) as usize];
    register_font().map_err(fail)?;
    let root = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    draw(&root).and_then(|()| root.present()).map_err(|e| fail(e.to_string()))?;
    drop(root);
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::write_image(encoder, &pixels, width, height, image::ExtendedColorType::Rgb8)
        .map_err(|e| fail(e.to_string()))?;
    crate::files::write_whole(path, &png).map_err(|e| fail(e.to_string()))
}

/// The font comes with the program: a training machine may have none.
fn register_font() -> Result<(), String> {
    plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the built-in font cannot be read".to_string())
}
