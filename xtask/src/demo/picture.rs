//! The demo's picture: thumbnails of the stream, and under them for each package the score of every frame, the
//! threshold, and the flags as a band. One column of pixels means the same frame from top to bottom.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use image::RgbImage;
use image::imageops::{FilterType, overlay, resize};
use oodwatch::verdict::Verdict;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::judge::flagged;
use super::stream::{Kind, Stream};
use super::thumbnails;

const WIDTH_PX: u32 = 1800;
const LEFT_PX: u32 = 100;
/// Free at the left edge, or the axis' description is cut.
const EDGE_PX: u32 = 14;
const RIGHT_PX: u32 = 30;
const HEAD_PX: u32 = 60;
/// Side of a thumbnail.
const THUMBNAIL_PX: u32 = 72;
const NAMES_PX: u32 = 40;
const PANEL_PX: u32 = 390;
const BAND_PX: u32 = 26;
const FONT: &str = "sans-serif";

const INK: RGBColor = RGBColor(35, 40, 48);
const QUIET: RGBColor = RGBColor(74, 117, 168);
const ALARM: RGBColor = RGBColor(208, 48, 40);
const UNKNOWN_SHADE: RGBColor = RGBColor(252, 238, 216);
const BAND_SHADE: RGBColor = RGBColor(232, 235, 240);

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// One package's part of the picture.
pub(super) struct Panel<'a> {
    /// Over the curve.
    pub(super) heading: String,
    /// One per frame of the stream.
    pub(super) verdicts: &'a [Verdict],
}

/// Draws the picture and writes it as PNG.
///
/// # Errors
/// When a picture of the stream cannot be read, or the file cannot be written.
pub(super) fn draw(path: &Path, title: &str, stream: &Stream, panels: &[Panel]) -> Result<()> {
    let top = HEAD_PX + THUMBNAIL_PX + NAMES_PX;
    let height = top + PANEL_PX * panels.len() as u32;
    let mut buffer = vec![255; (3 * WIDTH_PX * height) as usize];
    paint(&mut buffer, height, title, stream, panels)?;
    let mut image = RgbImage::from_raw(WIDTH_PX, height, buffer).context("the picture has another size")?;
    paste_thumbnails(&mut image, stream)?;
    image.save(path).with_context(|| path.display().to_string())
}

fn paint(buffer: &mut [u8], height: u32, title: &str, stream: &Stream, panels: &[Panel]) -> Result<()> {
    plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| anyhow!("the built-in font cannot be read"))?;
    let canvas = BitMapBackend::with_buffer(buffer, (WIDTH_PX, height)).into_drawing_area();
    canvas.draw_text(title, &text_style(26, INK, HPos::Left), (LEFT_PX as i32, 18))?;
    names(&canvas, stream)?;
    for (index, panel) in panels.iter().enumerate() {
        let top = (HEAD_PX + THUMBNAIL_PX + NAMES_PX + PANEL_PX * index as u32) as i32;
        let area = canvas.clone().shrink((0, top), (WIDTH_PX, PANEL_PX));
        draw_panel(&area, stream, panel)?;
    }
    canvas.present()?;
    Ok(())
}

/// The segments' names, centred under their thumbnails.
fn names(canvas: &Canvas, stream: &Stream) -> Result<()> {
    let below = (HEAD_PX + THUMBNAIL_PX + 8) as i32;
    for (start, segment) in stream.with_starts() {
        let colour = if segment.kind == Kind::Known { QUIET } else { ALARM };
        let middle = pixel(start as f64 + segment.pictures.len() as f64 / 2.0, stream.len());
        canvas.draw_text(&segment.name, &text_style(20, colour, HPos::Center), (middle as i32, below))?;
    }
    Ok(())
}

fn draw_panel(area: &Canvas, stream: &Stream, panel: &Panel) -> Result<()> {
    let scores = panel.verdicts.iter().filter_map(|verdict| verdict.score);
    let threshold = panel.verdicts.first().map_or(0.0, |verdict| verdict.threshold);
    let range = padded(scores.chain([threshold]));
    area.draw_text(&panel.heading, &text_style(22, INK, HPos::Left), (LEFT_PX as i32, 8))?;
    let curve = area.margin(40, BAND_PX + 20, EDGE_PX, RIGHT_PX);
    let mut chart = ChartBuilder::on(&curve)
        .set_label_area_size(LabelAreaPosition::Left, LEFT_PX - EDGE_PX)
        .build_cartesian_2d(0.0..stream.len() as f64, range.clone())?;
    for frames in unknown(stream) {
        let corners = [(frames.start as f64, range.start), (frames.end as f64, range.end)];
        chart.draw_series([Rectangle::new(corners, UNKNOWN_SHADE.filled())])?;
    }
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_desc("score (larger is stranger)")
        .y_labels(6)
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(INK.mix(0.12))
        .label_style(text_style(17, INK, HPos::Right))
        .axis_desc_style(text_style(18, INK, HPos::Center))
        .draw()?;
    let dots = panel.verdicts.iter().enumerate().filter_map(|(frame, verdict)| {
        let colour = if flagged(verdict) { ALARM } else { QUIET };
        Some(Circle::new((frame as f64 + 0.5, f64::from(verdict.score?)), 2, colour.filled()))
    });
    chart.draw_series(dots)?;
    let line = [(0.0, f64::from(threshold)), (stream.len() as f64, f64::from(threshold))];
    chart.draw_series(DashedLineSeries::new(line, 10, 6, INK.stroke_width(2)))?;
    let end = chart.backend_coord(&line[1]);
    band(area, panel.verdicts)?;
    // The chart speaks in the pixels of the whole picture, the area in its own.
    let top = area.get_base_pixel().1;
    let place = (end.0 - 8, end.1 - top - 22);
    Ok(area.draw_text("threshold", &text_style(18, INK, HPos::Right), place)?)
}

/// A strip with one line per flagged frame.
fn band(area: &Canvas, verdicts: &[Verdict]) -> Result<()> {
    let top = (PANEL_PX - BAND_PX - 12) as i32;
    let bottom = top + BAND_PX as i32;
    let edges = [(LEFT_PX as i32, top), ((WIDTH_PX - RIGHT_PX) as i32, bottom)];
    area.draw(&Rectangle::new(edges, BAND_SHADE.filled()))?;
    for (frame, _) in verdicts.iter().enumerate().filter(|(_, verdict)| flagged(verdict)) {
        let x = |frame: usize| pixel(frame as f64, verdicts.len()) as i32;
        let corners = [(x(frame), top), (x(frame + 1).max(x(frame) + 1), bottom)];
        area.draw(&Rectangle::new(corners, ALARM.filled()))?;
    }
    Ok(area.draw_text("flags", &text_style(18, INK, HPos::Right), (LEFT_PX as i32 - 10, top + 4))?)
}

fn paste_thumbnails(image: &mut RgbImage, stream: &Stream) -> Result<()> {
    for (left, path) in placed_thumbnails(stream) {
        let picture = image::open(&path).with_context(|| path.display().to_string())?.to_rgb8();
        let small = resize(&thumbnails::square(&picture), THUMBNAIL_PX, THUMBNAIL_PX, FilterType::Triangle);
        overlay(image, &small, i64::from(left), i64::from(HEAD_PX));
    }
    Ok(())
}

/// Left edges and pictures of the thumbnails.
fn placed_thumbnails(stream: &Stream) -> Vec<(u32, PathBuf)> {
    let spans: Vec<thumbnails::Span> = stream
        .with_starts()
        .map(|(start, segment)| thumbnails::Span {
            pixels: pixel(start as f64, stream.len())..pixel((start + segment.pictures.len()) as f64, stream.len()),
            pictures: &segment.pictures,
            wanted: segment.kind == Kind::Unknown,
        })
        .collect();
    thumbnails::place(&spans, THUMBNAIL_PX, 6)
}

/// The horizontal place of a frame's left edge.
fn pixel(frame: f64, frames: usize) -> f64 {
    let width = f64::from(WIDTH_PX - LEFT_PX - RIGHT_PX);
    f64::from(LEFT_PX) + width * frame / frames.max(1) as f64
}

fn unknown(stream: &Stream) -> impl Iterator<Item = Range<usize>> {
    let unknown = stream.with_starts().filter(|(_, segment)| segment.kind == Kind::Unknown);
    unknown.map(|(start, segment)| start..start + segment.pictures.len())
}

/// From the smallest to the largest score, with a margin.
fn padded(scores: impl Iterator<Item = f32>) -> Range<f64> {
    let (low, high) =
        scores.fold((f64::MAX, f64::MIN), |(low, high), score| (low.min(f64::from(score)), high.max(f64::from(score))));
    if low > high {
        return 0.0..1.0;
    }
    let margin = 0.05 * (high - low).max(1e-3);
    low - margin..high + margin
}

fn text_style(size: u32, colour: RGBColor, align: HPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&colour).pos(Pos::new(align, VPos::Top))
}
