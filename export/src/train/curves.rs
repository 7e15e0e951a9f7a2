//! Draws the curves of a run as a PNG: losses above, accuracies below.

use std::path::Path;

use plotters::prelude::*;

use super::EpochRow;
use crate::plot::{Area, Drawn, FONT, PlotError, save};

const SIZE_PX: (u32, u32) = (960, 720);

/// A named line over the epochs.
struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// Draws `rows` to `path`, whole or not at all.
///
/// # Errors
/// The picture cannot be written.
pub fn draw(rows: &[EpochRow], path: &Path) -> Result<(), PlotError> {
    save(path, SIZE_PX, |root| render(rows, root))
}

fn render(rows: &[EpochRow], root: &Area<'_>) -> Drawn {
    let (upper, lower) = root.split_vertically(SIZE_PX.1 / 2);
    let curve = |name, value: fn(&EpochRow) -> Option<f64>| Curve {
        name,
        points: rows.iter().filter_map(|r| value(r).map(|v| (r.epoch as f64, v))).collect(),
    };
    let losses = [
        curve("cross-entropy", |r| Some(r.cross_entropy)),
        curve("background norm", |r| r.background_norm),
        curve("foreground norm", |r| r.foreground_norm),
        curve("virtual outliers", |r| r.virtual_outliers),
        curve("attention transfer", |r| r.attention_transfer),
    ];
    let accuracies = [
        curve("training accuracy, %", |r| Some(100.0 * r.train_accuracy)),
        curve("validation accuracy, %", |r| Some(100.0 * r.validation_accuracy)),
    ];
    panel(&upper, "loss", &losses)?;
    panel(&lower, "accuracy", &accuracies)
}

fn panel(area: &Area<'_>, title: &str, curves: &[Curve]) -> Drawn {
    let points = || curves.iter().flat_map(|c| &c.points);
    let last = points().map(|p| p.0).fold(2.0, f64::max);
    let low = points().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let high = points().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let margin = (0.05 * (high - low)).max(1e-3);
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 20))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(50)
        .build_cartesian_2d(1.0..last, low - margin..high + margin)?;
    chart.configure_mesh().x_desc("epoch").label_style((FONT, 14)).draw()?;
    for (i, curve) in curves.iter().filter(|c| !c.points.is_empty()).enumerate() {
        let color = Palette99::pick(i).to_rgba();
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), color.stroke_width(2)).point_size(2))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).label_font((FONT, 14)).draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_of_one_and_of_many_epochs_are_pictures_with_ink() {
        let dir = tempfile::tempdir().unwrap();
        let row = |epoch| EpochRow {
            epoch,
            learning_rate: 0.1,
            cross_entropy: 1.0 / epoch as f64,
            background_norm: None,
            foreground_norm: None,
            background_share: None,
            virtual_outliers: None,
            attention_transfer: None,
            train_accuracy: 0.5,
            validation_accuracy: 0.4,
            seconds: 1.0,
            images_per_second: 1.0,
        };
        for count in [1, 5] {
            let path = dir.path().join("curves.png");
            draw(&(1..=count).map(row).collect::<Vec<_>>(), &path).unwrap();
            let picture = image::open(&path).unwrap().to_rgb8();
            assert_eq!(picture.dimensions(), SIZE_PX);
            assert!(picture.pixels().filter(|p| p.0 != [255; 3]).count() > 5_000);
        }
    }
}
