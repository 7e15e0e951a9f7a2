//! The rows as pictures: bars of the criterion, and the criterion against real sets.

use std::path::Path;

use plotters::prelude::*;

use super::compare::{mean_share, shares};
use super::{TuneError, Tuned};
use crate::ablate::{self, Results};
use crate::plot::{Area, Drawn, FONT, save};

const PANEL_PX: (u32, u32) = (620, 560);

/// Bars of the pseudo-OOD share for each row with the main score.
///
/// # Errors
/// The picture cannot be written.
pub(super) fn bars(tuned: &Tuned, path: &Path) -> Result<(), TuneError> {
    let title = format!("{}: pseudo-OOD accepted at 95% ID acceptance, %", tuned.main_score);
    Ok(ablate::bars(&tuned.rows, tuned.main_score, &title, path)?)
}

/// A point per row, pseudo to the right and real upwards: the main score, and beside it the chosen one if it is another.
///
/// # Errors
/// The picture cannot be written.
pub(super) fn scatter(tuned: &Tuned, real: &Results, path: &Path) -> Result<(), TuneError> {
    let mut scores = vec![tuned.main_score, tuned.choice.overall.score];
    scores.dedup();
    let size = (PANEL_PX.0 * scores.len() as u32, PANEL_PX.1);
    let draw = |root: &Area<'_>| {
        let areas = root.split_evenly((1, scores.len()));
        areas.iter().zip(&scores).try_for_each(|(area, score)| {
            let points = shares(&tuned.rows, &real.rows, *score, mean_share, mean_share);
            let chosen = tuned.choice.by_score.get(score).map(|candidate| candidate.row.as_str());
            let rows = tuned.rows.iter().filter(|row| row.scores.contains_key(score));
            let marks = rows.map(|row| (row.name.as_str(), color(tuned, &row.name, chosen)));
            draw_points(area, &score.to_string(), &points, &marks.collect::<Vec<_>>())
        })
    };
    Ok(save(path, size, draw)?)
}

/// Red: chosen for this score; black: the control; grey: refused for its accuracy; blue: any other.
fn color(tuned: &Tuned, row: &str, chosen: Option<&str>) -> RGBColor {
    match row {
        row if Some(row) == chosen => RED,
        row if row == tuned.choice.control => BLACK,
        row if !tuned.choice.allows(row) => RGBColor(150, 150, 150),
        _ => BLUE,
    }
}

fn draw_points(area: &Area<'_>, title: &str, points: &[(f64, f64)], marks: &[(&str, RGBColor)]) -> Drawn {
    let percent: Vec<(f64, f64)> = points.iter().map(|(x, y)| (100.0 * x, 100.0 * y)).collect();
    let (xs, ys): (Vec<f64>, Vec<f64>) = percent.iter().copied().unzip();
    let (x, y) = (range(&xs), range(&ys));
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{title}: accepted at 95% ID acceptance, %"), (FONT, 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(48)
        // Names stand to the right of their points.
        .build_cartesian_2d(x.0..x.1 + 0.35 * (x.1 - x.0), y.0..y.1)?;
    chart.configure_mesh().x_desc("pseudo-OOD").y_desc("real OOD").max_light_lines(0).label_style((FONT, 13)).draw()?;
    chart.draw_series(percent.iter().zip(marks).map(|(&point, (_, color))| Circle::new(point, 4, color.filled())))?;
    chart.draw_series(percent.iter().zip(marks).map(|(&point, (name, color))| {
        EmptyElement::at(point) + Text::new((*name).to_owned(), (7, -6), (FONT, 11).into_font().color(color))
    }))?;
    Ok(())
}

/// A little more than the values take.
fn range(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(low.is_finite() && high.is_finite()) {
        return (0.0, 100.0);
    }
    let margin = (0.05 * (high - low)).max(0.5);
    (low - margin, high + margin)
}
