//! The charts of a page.

use super::page::Figure;
use super::svg::{Axis, Chart};
use super::{FaultRun, Histogram, Known, Results};
use crate::verdict::State;

const KNOWN: &str = "#2b6cb0";
const UNKNOWN: [&str; 5] = ["#c53030", "#b7791f", "#6b46c1", "#2f855a", "#b83280"];

fn color_of_unknown(place: usize) -> &'static str {
    UNKNOWN[place % UNKNOWN.len()]
}

fn color_of(state: State) -> &'static str {
    match state {
        State::Starting => "#a0aec0",
        State::Nominal => "#2f855a",
        State::Ood => "#6b46c1",
        State::Degraded => "#dd8b1f",
        State::Fault => "#c53030",
    }
}

/// The highest of some numbers, with room above.
fn top(heights: &[f64]) -> f64 {
    1.1 * heights.iter().copied().fold(1e-9, f64::max)
}

/// How often each p-value was found, against the flat line that the same frames as in the calibration would give.
pub(super) fn p_values(known: &Known) -> Figure {
    let Histogram { edges, .. } = &known.p_values;
    let shares = known.p_values.shares();
    let flat = 1.0 / shares.len().max(1) as f64;
    let highest = top(&shares).max(1.5 * flat);
    let mut chart = Chart::new("p-values", Axis::new("p-value", 0.0, 1.0), Axis::new("share of frames", 0.0, highest));
    chart.bars(edges, &shares, KNOWN);
    chart.line(&[(0.0, flat), (1.0, flat)], "#222");
    let caption =
        "Conformal p-values of the known footage. Where it is like the calibration's they lie along the line.";
    Figure { name: "p_values".into(), caption: caption.into(), svg: chart.finish() }
}

/// Scores of the known and of one unknown footage, and the threshold.
pub(super) fn scores(results: &Results, place: usize) -> Figure {
    let (known, unknown) = (&results.known.scores, &results.unknown[place]);
    let (of_known, of_unknown) = (known.shares(), unknown.scores.shares());
    let (from, to) = (known.edges.first(), known.edges.last());
    let x = Axis::new(&results.calibration.score, from.copied().unwrap_or(0.0), to.copied().unwrap_or(1.0));
    let highest = top(&of_known).max(top(&of_unknown));
    let mut chart = Chart::new("Scores", x, Axis::new("share of frames", 0.0, highest));
    chart.bars(&known.edges, &of_known, KNOWN);
    chart.bars(&known.edges, &of_unknown, color_of_unknown(place));
    if !results.calibration.per_class {
        chart.mark(f64::from(results.calibration.threshold), "threshold", highest);
    }
    chart.legend((80.0, 26.0), &[("known", KNOWN), ("unknown", color_of_unknown(place))]);
    let caption = format!("Scores of the known footage and of {}; larger is stranger.", unknown.footage.path.display());
    Figure { name: format!("scores_{}", place + 1), caption, svg: chart.finish() }
}

/// What is flagged of the known and of each unknown footage, over all thresholds.
pub(super) fn roc(results: &Results) -> Figure {
    let x = Axis::new("share of known frames above the threshold", 0.0, 1.0);
    let mut chart = Chart::new("ROC", x, Axis::new("share of unknown frames above it", 0.0, 1.0));
    chart.line(&[(0.0, 0.0), (1.0, 1.0)], "#bbb");
    for (place, unknown) in results.unknown.iter().enumerate() {
        chart.line(&unknown.roc, color_of_unknown(place));
    }
    chart.mark(results.known.flags.rate.value, "as calibrated", 0.2);
    let numbers: Vec<String> = (1..=results.unknown.len()).map(|number| number.to_string()).collect();
    let entries = numbers.iter().enumerate().map(|(place, number)| (number.as_str(), color_of_unknown(place)));
    chart.legend((580.0, 140.0), &entries.collect::<Vec<_>>());
    let named = results.unknown.iter().zip(&numbers);
    let names: Vec<String> =
        named.map(|(unknown, number)| format!("{number}: {}", unknown.footage.path.display())).collect();
    let caption = format!("Receiver operating characteristic; {}.", names.join(", "));
    Figure { name: "roc".into(), caption, svg: chart.finish() }
}

/// The state over time in every run with a fault.
pub(super) fn timeline(runs: &[FaultRun]) -> Figure {
    // From top to bottom in the order of the table.
    let runs: Vec<&FaultRun> = runs.iter().rev().collect();
    let names: Vec<String> = runs.iter().map(|run| run.short_title()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let starts = runs.iter().filter_map(|run| run.measured.states.first().map(|(at_s, _)| *at_s));
    let from_s = starts.fold(-0.1, f64::min);
    let last_s = runs.iter().map(|run| run.measured.watched_s).fold(0.1, f64::max);
    // Room for the names of the colours.
    let to_s = last_s + 0.3 * (last_s - from_s);
    let y = Axis { names: &names, ..Axis::new("", -0.6, runs.len() as f64 - 0.4) };
    let mut chart = Chart::new("States", Axis::new("seconds after the fault began", from_s, to_s), y);
    for (place, run) in runs.iter().enumerate() {
        let ends = run.measured.states.iter().skip(1).map(|(at_s, _)| *at_s).chain([run.measured.watched_s]);
        for ((at_s, state), end_s) in run.measured.states.iter().zip(ends) {
            let middle = place as f64;
            chart.area((*at_s, end_s), (middle - 0.35, middle + 0.35), color_of(*state));
        }
        if let Some(told_s) = run.measured.told_after_s {
            let middle = place as f64;
            chart.line(&[(told_s, middle - 0.45), (told_s, middle + 0.45)], "#000");
        }
    }
    chart.mark(0.0, "", 0.0);
    let states =
        [("nominal", State::Nominal), ("degraded", State::Degraded), ("ood", State::Ood), ("fault", State::Fault)];
    chart.legend((560.0, 26.0), &states.map(|(name, state)| (name, color_of(state))));
    let caption = "State of the camera in every run with a fault, from the fault's first frame (dashed). A black stroke is where the \
                   expected sign was told.";
    Figure { name: "faults".into(), caption: caption.into(), svg: chart.finish() }
}
