//! What a calibration came to, in lines.

use std::path::Path;

use oodwatch::calibrate::{Calibrated, Reference, ScoreCalibration, Target};

use super::Arguments;
use crate::cli::lines;

/// Frames, thresholds and what was left out.
pub(super) fn tell(arguments: &Arguments, calibrated: &Calibrated, target: Target) -> anyhow::Result<()> {
    let Calibrated { calibration, parts, effective, left_out } = calibrated;
    lines::text(&format!(
        "{} calibrated on {} for a false-alarm rate of {target} (which takes at least {} frames{})",
        Path::display(&arguments.out),
        calibration.origin,
        target.needed_scores(),
        if arguments.per_class { " per class" } else { "" }
    ))?;
    lines::text(&format!(
        "frames: {} fit scores, {} set thresholds, {} calibrate fusions{}; {} left out between parts",
        parts.fit.len(),
        parts.thresholds.len(),
        parts.fusions.len(),
        match (parts.choice.len(), parts.test.len()) {
            (0, 0) => String::new(),
            (choice, test) => format!(", {choice} choose policies, {test} test them"),
        },
        parts.gap
    ))?;
    for (name, score) in &calibration.scores {
        let worth = effective.get(name).copied().unwrap_or_default();
        let thresholds = thresholds(score);
        lines::text(&format!("{name:<20} {thresholds}, frames worth {worth:.0} independent ones"))?;
        let sets = score.per_class.as_ref().map_or(1, Vec::len) as f64;
        if worth < sets * target.needed_scores() as f64 {
            log::warn!("calibrate: {name}: neighbouring frames are too alike to support this rate; use longer footage");
        }
    }
    for (fusion, score) in &calibration.fusions {
        lines::text(&format!("{fusion} {}", thresholds(score)))?;
    }
    for (score, error) in left_out {
        lines::text(&format!("{score:<20} left out: {error}"))?;
    }
    Ok(())
}

/// The threshold, or the range of those of the classes.
fn thresholds(score: &ScoreCalibration) -> String {
    let Some(classes) = &score.per_class else { return format!("threshold {}", score.all.threshold()) };
    let of = classes.iter().map(Reference::threshold);
    let (low, high) = of.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), t| (low.min(t), high.max(t)));
    format!("thresholds {low} to {high} by class")
}
