//! The results as pictures: bars over all rows, and for each row ROC curves and histograms of the main score.

use std::path::Path;

use oodwatch::score::ScoreName;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::results::{Metrics, Results, RowResult, ScoreCells};
use super::summary::Spread;
use crate::plot::{Area, Drawn, FONT, PlotError, save};

/// Panels beside each other.
const COLUMNS: usize = 3;
const PANEL_PX: (u32, u32) = (420, 340);
const BAR_PX: u32 = 14;
const BINS: usize = 60;
/// Points of a ROC curve beyond which it looks the same.
const CURVE_POINTS: usize = 500;

/// Percent to the right, rows upwards.
type BarChart<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A colour of bars: its label, and what it shows of a score.
type Group = (&'static str, RGBColor, fn(&ScoreCells) -> Option<Metrics>);

/// Scores of one network: of the ID set, then of each OOD set.
pub(super) type Scores = Vec<Vec<f32>>;

/// Bars of the mean fpr95_id of a score for each row, with the spread over seeds.
///
/// # Errors
/// The picture cannot be written.
pub(crate) fn bars(rows: &[RowResult], score: ScoreName, title: &str, path: &Path) -> Result<(), PlotError> {
    let height = 90 + rows.len() as u32 * (3 * BAR_PX + 10);
    save(path, (1000, height), |root| draw_bars(rows, score, title, root))
}

fn draw_bars(rows: &[RowResult], score: ScoreName, title: &str, root: &Area<'_>) -> Drawn {
    let groups: [Group; 3] = [("near", BLUE, |s| s.near), ("far", GREEN, |s| s.far), ("mean", BLACK, |s| s.mean)];
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    // The axis runs upwards and the rows downwards; each row has its name at a whole number, its bars around it.
    let at = |index: usize| names.len() as f64 - 1.0 - index as f64;
    let mut chart = ChartBuilder::on(root)
        .caption(title, (FONT, 20))
        .margin(10)
        .margin_right(30)
        .x_label_area_size(30)
        .y_label_area_size(260)
        .build_cartesian_2d(0.0..100.0, -0.5..at(0) + 0.5)?;
    let name_at = |y: &f64| {
        names.iter().enumerate().find(|(index, _)| (at(*index) - y).abs() < 1e-6).map_or("", |(_, name)| name)
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .max_light_lines(0)
        .y_labels(names.len() + 2)
        .y_label_formatter(&|y| name_at(y).to_owned())
        .label_style((FONT, 14))
        .draw()?;
    for (nth, (label, color, of)) in groups.into_iter().enumerate() {
        let cells = rows.iter().enumerate().filter_map(|(index, row)| {
            let metrics = row.scores.get(&score).and_then(of)?;
            Some((at(index) + 0.15 - 0.25 * nth as f64, metrics.fpr95_id.own))
        });
        draw_group(&mut chart, label, color, &cells.collect::<Vec<_>>())?;
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).label_font((FONT, 14)).draw()
}

/// Bars of one colour with their whiskers; each stands above its height on the axis of rows.
fn draw_group(chart: &mut BarChart<'_, '_>, label: &str, color: RGBColor, cells: &[(f64, Spread)]) -> Drawn {
    let color = color.mix(0.6);
    let bar = |(y, found): &(f64, Spread)| Rectangle::new([(0.0, *y), (100.0 * found.mean, y + 0.2)], color.filled());
    chart
        .draw_series(cells.iter().map(bar))?
        .label(label)
        .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled()));
    let whisker = |(y, found): &(f64, Spread)| {
        let ends = [-1.0, 1.0].map(|side| 100.0 * (found.mean + side * found.spread.unwrap_or(0.0)));
        PathElement::new(ends.map(|x| (x, y + 0.1)), RED.stroke_width(2))
    };
    chart.draw_series(cells.iter().map(whisker))?;
    Ok(())
}

/// ROC curves of a row on each OOD set, beside its control's.
///
/// # Errors
/// The picture cannot be written.
pub(super) fn roc(
    results: &Results,
    row: (&str, &Scores),
    control: Option<(&str, &Scores)>,
    path: &Path,
) -> Result<(), PlotError> {
    panels(results, path, |area, name, set| draw_roc(area, name, set, row, control))
}

fn draw_roc(area: &Area<'_>, title: &str, set: usize, row: (&str, &Scores), control: Option<(&str, &Scores)>) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 16))
        .margin(8)
        .x_label_area_size(32)
        .y_label_area_size(42)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc("ID flagged")
        .y_desc("OOD flagged")
        .max_light_lines(0)
        .label_style((FONT, 12))
        .draw()?;
    let curves = control.map(|curve| (curve, BLACK.mix(0.5))).into_iter().chain([(row, RED.mix(1.0))]);
    for ((name, scores), color) in curves {
        chart
            .draw_series(LineSeries::new(roc_points(&scores[0], &scores[set]), color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], color.stroke_width(2)));
    }
    let position = SeriesLabelPosition::LowerRight;
    let labels = &mut chart.configure_series_labels();
    labels.position(position).background_style(WHITE.mix(0.8)).border_style(BLACK).label_font((FONT, 12)).draw()
}

/// Share of ID against share of OOD above each threshold, from the highest to the lowest.
fn roc_points(id: &[f32], ood: &[f32]) -> Vec<(f64, f64)> {
    let sorted = |values: &[f32]| {
        let mut values = values.to_vec();
        values.sort_by(f32::total_cmp);
        values
    };
    let (id, ood) = (sorted(id), sorted(ood));
    let thresholds = sorted(&[id.as_slice(), ood.as_slice()].concat());
    let above = |of: &[f32], t: f32| (of.len() - of.partition_point(|&s| s < t)) as f64 / of.len().max(1) as f64;
    let step = thresholds.len().div_ceil(CURVE_POINTS).max(1);
    let points = thresholds.iter().rev().step_by(step).map(|&t| (above(&id, t), above(&ood, t)));
    [(0.0, 0.0)].into_iter().chain(points).chain([(1.0, 1.0)]).collect()
}

/// Histograms of a row's ID scores and those of each OOD set.
///
/// # Errors
/// The picture cannot be written.
pub(super) fn histograms(results: &Results, scores: &Scores, path: &Path) -> Result<(), PlotError> {
    panels(results, path, |area, name, set| draw_histogram(area, name, &scores[0], &scores[set]))
}

fn draw_histogram(area: &Area<'_>, title: &str, id: &[f32], ood: &[f32]) -> Drawn {
    let (low, high) = range(&[id, ood].concat());
    let (id, ood) = (shares(id, low, high), shares(ood, low, high));
    let top = id.iter().chain(&ood).copied().fold(0.0, f64::max).max(1e-6);
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 16))
        .margin(8)
        .x_label_area_size(32)
        .y_label_area_size(42)
        .build_cartesian_2d(low..high, 0.0..1.05 * top)?;
    chart.configure_mesh().x_desc("score").y_desc("share").max_light_lines(0).label_style((FONT, 12)).draw()?;
    let width = (high - low) / BINS as f64;
    for (name, shares, color) in [("ID", id, BLUE.mix(0.5)), ("OOD", ood, RED.mix(0.5))] {
        let bar = |(bin, share): (usize, &f64)| {
            let left = low + bin as f64 * width;
            Rectangle::new([(left, 0.0), (left + width, *share)], color.filled())
        };
        chart
            .draw_series(shares.iter().enumerate().map(bar))?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled()));
    }
    let labels = &mut chart.configure_series_labels();
    let position = SeriesLabelPosition::UpperRight;
    labels.position(position).background_style(WHITE.mix(0.8)).border_style(BLACK).label_font((FONT, 12)).draw()
}

/// Between the 0.5% and the 99.5% quantile: a single far score must not squeeze the others.
fn range(values: &[f32]) -> (f64, f64) {
    let mut finite: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.sort_by(f32::total_cmp);
    let at = |q: f64| finite.get((q * finite.len() as f64) as usize).map_or(0.0, |&value| f64::from(value));
    let (low, high) = (at(0.005), at(0.995));
    if high > low { (low, high) } else { (low, low + 1.0) }
}

/// Share of `values` in each bin; what lies outside counts at the nearer end.
fn shares(values: &[f32], low: f64, high: f64) -> Vec<f64> {
    let mut shares = vec![0.0; BINS];
    for &value in values {
        let at = (f64::from(value) - low) / (high - low) * BINS as f64;
        shares[(at.max(0.0) as usize).min(BINS - 1)] += 1.0 / values.len() as f64;
    }
    shares
}

/// One panel per OOD set: `draw` gets the area, the set's name and its index among scores.
fn panels(results: &Results, path: &Path, draw: impl Fn(&Area<'_>, &str, usize) -> Drawn) -> Result<(), PlotError> {
    let rows = results.ood.len().div_ceil(COLUMNS);
    let columns = results.ood.len().min(COLUMNS);
    let size = (PANEL_PX.0 * columns as u32, PANEL_PX.1 * rows as u32);
    save(path, size, |root| {
        let areas = root.split_evenly((rows, columns));
        areas.iter().zip(&results.ood).enumerate().try_for_each(|(i, (area, set))| draw(area, &set.name, i + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_goes_from_nothing_flagged_to_all_flagged() {
        let points = roc_points(&[0.0, 1.0], &[1.0, 2.0]);
        assert_eq!(points, [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (0.5, 1.0), (1.0, 1.0), (1.0, 1.0)]);
    }

    #[test]
    fn shares_add_up_and_outliers_count_at_the_ends() {
        let found = shares(&[-9.0, 0.0, 0.5, 99.0], 0.0, 1.0);
        assert_eq!((found[0], found[BINS / 2], found[BINS - 1]), (0.5, 0.25, 0.25));
        assert_eq!(range(&[2.0; 5]), (2.0, 3.0));
        assert_eq!(range(&[f32::NAN]), (0.0, 1.0));
    }
}
